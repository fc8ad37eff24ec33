//! A game by a third person: one Cargo.toml and one lib.rs in a new folder `games/x`. With no other file touched it is
//! built, listed, described, checked and run.
//!
//! The workspace of this test is the real one through links, with that one real folder more, and programs of its own.
//! Only the new game is compiled: cargo names what it has compiled by the place in the workspace, so it finds all the
//! rest in the real target folder, where `cargo build --release --workspace` has left it.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

const CARGO_TOML: &str = r#"[package]
name = "x"
description = "Odd or even, by a third person"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["dylib"]

[dependencies]
equiflow.workspace = true
"#;

const LIB_RS: &str = r#"//! Odd or even: two players show fingers, and play until one is ahead.

use equiflow::prelude::*;

params! {
    /// Odd or even: player 0 wins a round when the sum of all fingers is even.
    pub struct OddOrEven {
        /// How many fingers a player has.
        fingers: usize = 5,
        /// By how many rounds a player must be ahead to win the game.
        ahead: i32 = 3,
    }
}

impl Game for OddOrEven {
    type Params = Self;
    /// By how many rounds player 0 is ahead.
    type State = i32;

    fn new(params: Self) -> Result<Self, Invalid> {
        if params.fingers < 2 {
            return Err(Invalid::new("fingers", format!("{} leave no choice; expected at least 2", params.fingers)));
        }
        Ok(params)
    }

    fn spec(&self) -> GameSpec {
        let bound = self.ahead as f32;
        let observation = Space::cube(1, -bound, bound);
        let player = Player { observation, action: Space::Discrete(self.fingers) };
        GameSpec { zero_sum: true, ..GameSpec::sequential(vec![player; 2]) }
    }

    fn reset(&self, _: &mut Stream) -> i32 {
        0
    }

    fn observe(&self, lead: &i32, player: usize, out: &mut [f32]) {
        out[0] = if player == 0 { *lead as f32 } else { -*lead as f32 };
    }

    fn step(&self, lead: &mut i32, actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        let won = if (actions.choice(0) + actions.choice(1)).is_multiple_of(2) { 1 } else { -1 };
        *lead += won;
        rewards.copy_from_slice(&[won as f32, -won as f32]);
        if lead.abs() >= self.ahead { Status::Terminal } else { Status::Running }
    }
}

equiflow::export_plugin! {
    games { odd_or_even: OddOrEven }
}
"#;

const RUN: &str = r#"Run(
    name: "fingers",
    seeds: 2,
    episodes: 3,
    steps: 20,
    game: odd_or_even(ahead: 2),
    entries: [random()],
)
"#;

/// Links to everything in `from` but `left_out`.
fn link_all(from: &Path, to: &Path, left_out: &[&str]) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        let name = file.file_name();
        if !left_out.iter().any(|out| name == *out) {
            symlink(file.path(), to.join(name)).unwrap();
        }
    }
}

fn text(output: Output) -> String {
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{out}{err}");
    out + &err
}

#[test]
fn a_new_folder_is_all_that_a_new_game_needs() {
    assert!(LIB_RS.lines().count() < 80, "a simple game is under 80 lines");

    let real = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().canonicalize().unwrap();
    let target = Path::new(env!("CARGO_BIN_EXE_equiflow")).ancestors().nth(2).unwrap();
    // Outside of the real workspace, or cargo would read its settings twice.
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    // The lock file is going to know the new package, so it is a copy.
    link_all(&real, &workspace, &["games", "target", "Cargo.lock", ".git", "results"]);
    link_all(&real.join("games"), &workspace.join("games"), &[]);
    let lock = fs::read(real.join("Cargo.lock")).unwrap();
    fs::write(workspace.join("Cargo.lock"), &lock).unwrap();

    let game = workspace.join("games/x");
    fs::create_dir_all(game.join("src")).unwrap();
    fs::write(game.join("Cargo.toml"), CARGO_TOML).unwrap();
    fs::write(game.join("src/lib.rs"), LIB_RS).unwrap();

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--workspace", "--offline"]).current_dir(&workspace);
    // Finished programs and plugins go to the test's own folder, all between is shared with the real workspace.
    cargo.env("CARGO_TARGET_DIR", folder.path().join("target")).env("CARGO_BUILD_BUILD_DIR", target);
    // The same libtorch by the same name, or its bridge would be compiled again.
    if std::env::var_os("LIBTORCH").is_none() {
        cargo.env("LIBTORCH", real.join(".libtorch"));
    }
    let said = text(cargo.output().unwrap());
    let compiled: Vec<_> = said.lines().filter(|line| line.trim_start().starts_with("Compiling")).collect();
    assert!(
        matches!(compiled[..], [only] if only.contains("Compiling x v0.1.0")),
        "more than the new game was compiled; run `cargo build --release --workspace` first: {compiled:?}"
    );

    let equiflow = |args: &[&str]| {
        let mut program = Command::new(folder.path().join("target/release/equiflow"));
        text(program.args(args).current_dir(folder.path()).env_remove("EQUIFLOW_PLUGINS").output().unwrap())
    };
    let list = equiflow(&["list"]);
    assert!(list.contains("  x                        0.1.0    Odd or even, by a third person\n"), "{list}");
    assert!(list.contains("  odd_or_even              x\n") && list.contains("  max_of_two "), "{list}");
    let description = equiflow(&["describe", "odd_or_even"]);
    for part in
        ["fingers: 5   (usize)", "By how many rounds a player must be ahead", "does one of 5", "rewards sum to 0"]
    {
        assert!(description.contains(part), "{description}");
    }
    fs::write(folder.path().join("fingers.ron"), RUN).unwrap();
    assert!(equiflow(&["check", "fingers.ron"]).contains("fingers.ron: all well"));
    let said = equiflow(&["run", "fingers.ron"]);
    let results = said.lines().find_map(|line| line.strip_prefix("results in ")).unwrap_or_else(|| panic!("{said}"));
    let metrics = fs::read_to_string(folder.path().join(results).join("metrics.csv")).unwrap();
    let sampled = metrics
        .lines()
        .filter(|line| line.starts_with("random,random,odd_or_even,") && line.contains("sampled_return"));
    assert_eq!(sampled.count(), 2 * 2 * 3, "{metrics}");

    assert!(fs::read(real.join("Cargo.lock")).unwrap() == lock, "the real workspace has been changed");
    assert!(!target.join("release/libx.so").exists(), "the game has come into the real workspace");
}
