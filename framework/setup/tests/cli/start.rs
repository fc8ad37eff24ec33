//! Building and handing over: what cargo is asked for, and what the program is given.

use crate::support::{Sandbox, run};
use std::fs;

#[test]
fn builds_says_so_once_and_hands_arguments_and_exit_code_over() {
    let sandbox = Sandbox::new("program");
    let (stdout, stderr) = run(&mut sandbox.equiflow(&["run", "a b.ron", "--set", "x=1"]), Some(7));
    assert_eq!(stdout, "<run><a b.ron><--set><x=1>");
    assert!(stderr.contains("The first build takes some minutes"), "{stderr}");
    let (stdout, stderr) = run(&mut sandbox.equiflow(&["list"]), Some(7));
    assert_eq!((stdout.as_str(), stderr.as_str()), ("<list>", ""));
    let root = sandbox.path("clone").display().to_string();
    let build = |end: &str| {
        format!("cargo build --release --workspace --manifest-path {root}/Cargo.toml{end} [LIBTORCH={root}/.libtorch]")
    };
    assert_eq!(sandbox.log("cargo.log"), [build(""), build(" --quiet")]);

    sandbox.write("clone/games/new.rs", "");
    run(&mut sandbox.equiflow(&[]), Some(7));
    assert_eq!(sandbox.log("cargo.log").last(), Some(&build("")), "a changed source is compiled visibly");
}

#[test]
fn tests_are_handed_to_cargo() {
    let sandbox = Sandbox::new("test");
    run(&mut sandbox.equiflow(&["test", "--", "name"]), Some(0));
    let last = sandbox.log("cargo.log").pop().unwrap();
    assert!(last.starts_with("cargo test --release --workspace"), "{last}");
    assert!(last.contains("Cargo.toml -- name [LIBTORCH="), "{last}");
}

#[test]
fn a_failed_build_ends_with_cargos_code_and_starts_nothing() {
    let sandbox = Sandbox::new("broken");
    sandbox.write("broken", "");
    let (stdout, _) = run(&mut sandbox.equiflow(&["list"]), Some(101));
    assert_eq!(stdout, "");
}

#[test]
fn another_libtorch_is_compiled_against() {
    let sandbox = Sandbox::new("another");
    run(&mut sandbox.equiflow(&["list"]), Some(7));
    let users = sandbox.path("mine");
    fs::create_dir_all(users.join("lib")).unwrap();
    fs::create_dir_all(users.join("include")).unwrap();
    fs::write(users.join("lib/libtorch_cpu.so"), "").unwrap();
    run(sandbox.equiflow(&["list"]).env("LIBTORCH", &users), Some(7));
    let log = sandbox.log("cargo.log");
    assert!(log[1].starts_with("cargo clean --quiet --release --package torch-sys"), "{log:?}");
    assert!(log[2].starts_with("cargo build") && !log[2].contains("--quiet"), "{log:?}");
}

#[test]
fn what_keeps_the_build_from_working_is_said_before_it() {
    let sandbox = Sandbox::new("refused");
    let (_, stderr) = run(sandbox.equiflow(&["list"]).env("RUSTFLAGS", "-Dwarnings"), Some(2));
    assert!(stderr.contains("RUSTFLAGS=-Dwarnings") && stderr.contains("`unset RUSTFLAGS`"), "{stderr}");
    let (_, stderr) = run(sandbox.equiflow(&["list"]).env("CXX", "no-such-compiler -O2"), Some(2));
    assert!(stderr.contains("CXX=no-such-compiler -O2, which is no program"), "{stderr}");
    let (_, stderr) = run(sandbox.equiflow(&["list"]).env("CARGO", "no-such-cargo"), Some(2));
    assert!(stderr.contains("starting no-such-cargo"), "{stderr}");
    let (_, stderr) = run(sandbox.equiflow(&["list"]).env("CARGO_MANIFEST_DIR", sandbox.path("a/b/c")), Some(2));
    assert!(stderr.contains("no Cargo.toml in"), "{stderr}");
}
