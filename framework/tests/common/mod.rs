//! The program in a folder of a test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use tempfile::TempDir;

/// The program with two plugins beside it, and a folder to work in. The program searches its own folder for plugins, so
/// what a test sees does not depend on which plugins the workspace has.
pub struct Home {
    folder: TempDir,
}

impl Home {
    pub fn new() -> Self {
        static CHECKED: Once = Once::new();
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let home = Self { folder };
        fs::create_dir(home.programs()).unwrap();
        fs::create_dir(home.path("")).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_equiflow"));
        for file in [program.to_owned(), built("differential"), built("random")] {
            let to = home.programs().join(file.file_name().unwrap());
            // A second name of the same file is a program in another folder, and costs nothing.
            fs::hard_link(&file, &to)
                .or_else(|_| fs::copy(&file, &to).map(|_| ()))
                .unwrap_or_else(|error| panic!("{}: {error}; {BUILD}", file.display()));
        }
        CHECKED.call_once(|| {
            // Loads both plugins.
            let said = home.run(&["doctor"]);
            assert_eq!(said.code, Some(0), "{}\n{BUILD}", said.err);
        });
        home
    }

    /// The folder of the program and its plugins.
    pub fn programs(&self) -> PathBuf {
        self.folder.path().join("programs")
    }

    /// A file in the folder in which the program is started.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// The program, started in the working folder. Cargo has set the path on which it finds the framework's library.
    pub fn equiflow(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.programs().join("equiflow"));
        command.args(args).current_dir(self.path("")).env_remove("EQUIFLOW_PLUGINS").env_remove("RUST_BACKTRACE");
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        said(&mut self.equiflow(args))
    }
}

/// What a command writes, and its exit code.
pub fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// What the program wrote, and its exit code.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A plugin of the workspace, as it was built.
pub fn built(plugin: &str) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    Path::new(env!("CARGO_BIN_EXE_equiflow")).with_file_name(format!("{DLL_PREFIX}{plugin}{DLL_SUFFIX}"))
}

/// A part of the workspace alone gives some dependencies fewer features, hence another framework library, which plugins
/// that were built with the whole do not fit.
const BUILD: &str = "these tests need the workspace's plugins as they are now: run `cargo equiflow test`, or `cargo build \
                     --release --workspace` and then `cargo test --release --workspace`";
