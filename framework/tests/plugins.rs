//! What the program says of plugin files that cannot be used, word for word, and that the good ones go on working.
//! A manifest is plain text in a section of the file, so most broken plugins here are small C libraries. (On Linux: they
//! are ELF files made by hand.)
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Home, Said, built};
use equiflow::plugin::BUILD_ID;

/// A build id of the same length that no framework has.
fn other_build() -> String {
    BUILD_ID.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c }).collect()
}

/// The manifest of a plugin named `name` that brings `lines`.
fn manifest(build: &str, name: &str, lines: &str) -> String {
    format!("equiflow plugin 1\nbuild {build}\nname {name}\nversion 0.1.0\nabout A test\n{lines}")
}

/// A folder of plugins beside the good ones.
struct Shelf {
    home: Home,
}

impl Shelf {
    fn new() -> Self {
        let home = Home::new();
        fs::create_dir(home.path("plugins")).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path("plugins").join(format!("lib{name}.so"))
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// A shared library whose section holds `manifest`, compiled from C.
    fn compile(&self, name: &str, manifest: &[u8], code: &str, options: &[&str]) {
        let bytes: Vec<_> = manifest.iter().map(u8::to_string).collect();
        let section = match manifest {
            [] => String::new(),
            _ => format!(
                "__attribute__((section(\".equiflow\"), used)) static const unsigned char manifest[] = {{{}}};\n",
                bytes.join(",")
            ),
        };
        let source = self.home.path(&format!("{name}.c"));
        fs::write(&source, section + code).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-o"]).arg(self.path(name)).arg(&source).args(options);
        let output = cc.output().unwrap_or_else(|error| panic!("cc, which Rust links with too: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A plugin with the right build id that is compiled from C.
    fn plugin(&self, name: &str, lines: &str, code: &str) {
        self.compile(name, manifest(BUILD_ID, name, lines).as_bytes(), code, &[]);
    }

    /// The program with this folder of plugins; what it says without what differs between machines and builds.
    fn run(&self, args: &[&str]) -> Said {
        let mut said = self.home.run(&[args, &["--plugins", "plugins"]].concat());
        let folder = self.home.path("").canonicalize().unwrap();
        let home = folder.parent().unwrap().display().to_string();
        for text in [&mut said.out, &mut said.err] {
            // A long message is wrapped, and how long it is depends on the path.
            *text = text.replace("-\n  │ ", "-").replace("\n  │ ", " ");
            *text = text.replace(&home, "HOME").replace(BUILD_ID, "THIS_BUILD").replace(&other_build(), "OTHER_BUILD");
        }
        said
    }

    /// What `list` says of plugins that it refuses. The good ones are listed all the same.
    fn refused(&self) -> String {
        let said = self.run(&["list"]);
        assert_eq!(said.code, Some(1), "{}", said.err);
        for good in ["  differential ", "  random ", "  max_of_two "] {
            assert!(said.out.contains(good), "{}", said.out);
        }
        said.err
    }

    /// What is said of a run that plays `game`, and of one that needs none of the broken plugins, which goes well.
    fn refused_to_play(&self, game: &str) -> String {
        let run_file = |name: &str, game: &str| {
            let text = format!(
                "Run(\n    name: \"a run\",\n    seeds: 1,\n    episodes: 1,\n    steps: 2,\n    game: {game},\n    \
                 entries: [random()],\n)\n"
            );
            fs::write(self.home.path(name), text).unwrap();
        };
        run_file("good.ron", "max_of_two");
        let said = self.run(&["run", "good.ron"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        run_file("bad.ron", game);
        let said = self.run(&["run", "bad.ron"]);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{}", said.err);
        said.err
    }
}

#[test]
fn empty_file() {
    let shelf = Shelf::new();
    shelf.write("empty", "");
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn text_file() {
    let shelf = Shelf::new();
    shelf.write("notes", "to do: write a plugin\n");
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn folder_with_the_name_of_a_plugin() {
    let shelf = Shelf::new();
    fs::create_dir(shelf.path("folder")).unwrap();
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn link_to_nowhere() {
    let shelf = Shelf::new();
    std::os::unix::fs::symlink("/nowhere/libgone.so", shelf.path("gone")).unwrap();
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn truncated_file() {
    let shelf = Shelf::new();
    let whole = fs::read(built("random")).unwrap();
    shelf.write("half", &whole[..whole.len() / 2]);
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn library_that_is_no_plugin() {
    let shelf = Shelf::new();
    shelf.compile("foreign", &[], "int answer(void) { return 42; }", &[]);
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn manifest_of_a_later_format() {
    let shelf = Shelf::new();
    let text = manifest(BUILD_ID, "later", "game chess\n").replace("plugin 1", "plugin 2");
    shelf.compile("later", text.as_bytes(), "", &[]);
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn manifest_that_is_no_text() {
    let shelf = Shelf::new();
    shelf.compile("garbage", &[0xff, 0xfe, 0x00, 0x80], "", &[]);
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn manifest_without_its_end() {
    let shelf = Shelf::new();
    shelf.compile("short", b"equiflow plugin 1\nbuild x\n", "", &[]);
    insta::assert_snapshot!(shelf.refused());
}

/// A real plugin that was compiled against another framework.
#[test]
fn another_build() {
    let shelf = Shelf::new();
    let mut bytes = fs::read(built("differential")).unwrap();
    let at: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(BUILD_ID.as_bytes())).collect();
    assert!(!at.is_empty(), "the plugin holds the build id of its framework");
    for at in at {
        bytes[at..at + BUILD_ID.len()].copy_from_slice(other_build().as_bytes());
    }
    shelf.write("differential", bytes);
    insta::assert_snapshot!(shelf.refused());
}

/// The build id is compared before anything of the plugin runs, its start-up code included.
#[test]
fn code_of_another_build_never_runs() {
    let shelf = Shelf::new();
    let code = "#include <stdio.h>\n\
                __attribute__((constructor)) static void start(void) { fclose(fopen(\"started\", \"w\")); }\n\
                void equiflow_register(void *app) { (void)app; }\n";
    shelf.compile("eager", manifest(&other_build(), "eager", "game eager\n").as_bytes(), code, &[]);
    let started = shelf.home.path("started");
    shelf.refused();
    insta::assert_snapshot!(shelf.refused_to_play("eager"));
    assert!(!started.exists(), "code of a plugin of another build has run");
    // With the right id the same code runs: the sign would have been seen.
    shelf.plugin("eager", "game eager\n", code);
    assert_eq!(shelf.run(&["list"]).code, Some(0));
    assert!(!started.exists(), "`list` has loaded a plugin");
    shelf.refused_to_play("eager");
    assert!(started.exists());
}

#[test]
fn no_register_function() {
    let shelf = Shelf::new();
    shelf.plugin("mute", "game mute\n", "");
    insta::assert_snapshot!(shelf.refused_to_play("mute"));
}

#[test]
fn manifest_that_promises_what_the_code_does_not_bring() {
    let shelf = Shelf::new();
    shelf.plugin("idle", "game idle\n", "void equiflow_register(void *app) { (void)app; }\n");
    insta::assert_snapshot!(shelf.refused_to_play("idle"));
}

#[test]
fn undefined_symbol() {
    let shelf = Shelf::new();
    let code = "void not_there(void);\nvoid equiflow_register(void *app) { (void)app; not_there(); }\n";
    shelf.plugin("loose", "game loose\n", code);
    insta::assert_snapshot!(shelf.refused_to_play("loose"));
}

#[test]
fn missing_library() {
    let shelf = Shelf::new();
    let needed = shelf.home.path("libneeded.so");
    let needed = needed.to_str().unwrap();
    shelf.compile("base", &[], "void needed(void) {}\n", &["-Wl,-soname,libneeded.so"]);
    fs::rename(shelf.path("base"), needed).unwrap();
    let text = manifest(BUILD_ID, "orphan", "game orphan\n");
    let code = "void needed(void);\nvoid equiflow_register(void *app) { (void)app; needed(); }\n";
    shelf.compile("orphan", text.as_bytes(), code, &[needed]);
    fs::remove_file(needed).unwrap();
    insta::assert_snapshot!(shelf.refused_to_play("orphan"));
    // Named again, it is still a game that cannot be had, not one that does not exist.
    let text = "Run(name: \"twice\", seeds: 1, episodes: 1, steps: 2, entries: [
        Entry(label: \"a\", all: random(), game: orphan), Entry(label: \"b\", all: random(), game: orphan)])";
    fs::write(shelf.home.path("twice.ron"), text).unwrap();
    let said = shelf.run(&["check", "twice.ron"]);
    assert_eq!(said.err.matches("the game `orphan` cannot be had").count(), 2, "{}", said.err);
}

/// A plugin of Rust, compiled as cargo would; `code` is its source without the first line.
fn compile_rust(shelf: &Shelf, name: &str, code: &str) {
    let source = shelf.home.path(&format!("{name}.rs"));
    fs::write(&source, format!("use equiflow::prelude::*;\n{code}")).unwrap();
    let release = Path::new(env!("CARGO_BIN_EXE_equiflow")).parent().unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args([
        "--edition",
        "2024",
        "--crate-type",
        "dylib",
        "-C",
        "prefer-dynamic",
        "--crate-name",
        name,
        "--extern",
    ]);
    rustc.arg(format!("equiflow={}", release.join("libequiflow.so").display()));
    rustc.arg("-L").arg(format!("dependency={}", release.join("deps").display()));
    rustc.arg("-o").arg(shelf.path(name)).arg(&source);
    rustc.env("CARGO_PKG_NAME", name).env("CARGO_PKG_VERSION", "0.1.0").env("CARGO_PKG_DESCRIPTION", "A test");
    let output = rustc.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn panic_while_registering() {
    let shelf = Shelf::new();
    let text = manifest(BUILD_ID, "hasty", "game hasty\n");
    // By hand what `export_plugin!` writes, which would want a whole game.
    let code = format!(
        "#[used]\n#[unsafe(link_section = \".equiflow\")]\nstatic MANIFEST: [u8; {}] = *b{text:?};\n\
         #[unsafe(no_mangle)]\nfn equiflow_register(_: &mut App) {{ panic!(\"not today\") }}\n",
        text.len()
    );
    compile_rust(&shelf, "hasty", &code);
    insta::assert_snapshot!(shelf.refused_to_play("hasty"));
}

#[test]
fn two_plugins_with_one_game() {
    let shelf = Shelf::new();
    shelf.plugin("one", "game chess\n", "");
    shelf.plugin("two", "game chess\ngame go\n", "");
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn two_files_of_one_plugin() {
    let shelf = Shelf::new();
    shelf.plugin("chess", "game chess\n", "");
    fs::copy(shelf.path("chess"), shelf.path("chess_old")).unwrap();
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn one_name_twice_in_one_plugin() {
    let shelf = Shelf::new();
    shelf.plugin("stutter", "game chess\ngame chess\n", "");
    insta::assert_snapshot!(shelf.refused());
}

#[test]
fn a_folder_that_is_not_there() {
    let home = Home::new();
    let said = home.run(&["list", "--plugins", "nowhere"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(said.err);
    let output = home.equiflow(&["list"]).env("EQUIFLOW_PLUGINS", "nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nowhere") && said.contains("name folders that exist in EQUIFLOW_PLUGINS"), "{said}");
}

/// One look at the list is enough to mend everything.
#[test]
fn all_broken_plugins_are_told_at_once() {
    let shelf = Shelf::new();
    shelf.write("empty", "");
    shelf.write("notes", "to do: write a plugin\n");
    shelf.compile("foreign", &[], "int answer(void) { return 42; }", &[]);
    shelf.compile("old", manifest(&other_build(), "old", "game chess\n").as_bytes(), "", &[]);
    shelf.plugin("one", "game chess\n", "");
    shelf.plugin("two", "game chess\n", "");
    insta::assert_snapshot!(shelf.refused());
    // `doctor` loads the rest, and finds what only that can tell.
    shelf.plugin("mute", "game go\n", "");
    let said = shelf.run(&["doctor"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("random loads") && !said.out.contains("mute loads"), "{}", said.out);
    assert!(said.err.contains("has a manifest but no function `equiflow_register`"), "{}", said.err);
}

/// Permissions do not bind root, so there the file can be read, and is found to be none.
#[test]
fn a_file_that_must_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let shelf = Shelf::new();
    shelf.write("secret", "not for everyone");
    fs::set_permissions(shelf.path("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    let expected = match fs::read(shelf.path("secret")) {
        Ok(_) => "is not a shared library",
        Err(_) => "cannot be opened: Permission denied",
    };
    let said = shelf.refused();
    assert!(said.contains("libsecret.so") && said.contains(expected), "{said}");
}
