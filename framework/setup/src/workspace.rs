//! The workspace: where it is, whether it can be built, building it with cargo, and handing over to cargo's tests or to
//! the program. Cargo alone decides what has to be compiled; here is only decided how much of it is shown.

use crate::problem::Problem;
use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::SystemTime,
};

/// One clone and the folder it is compiled into.
#[derive(Debug)]
pub struct Workspace {
    /// The folder of the workspace's Cargo.toml.
    pub root: PathBuf,
    /// `<target folder>/release`.
    release: PathBuf,
}

impl Workspace {
    /// The clone that this program was compiled in, and the target folder that it was compiled into.
    pub fn find() -> Result<Self, Problem> {
        // `cargo run` says where the package is; started by hand, it is where it was compiled.
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).ancestors().nth(2).unwrap_or(Path::new("/")).to_owned();
        let doing = "looking for the workspace";
        if !root.join("Cargo.toml").is_file() {
            let found = format!("no Cargo.toml in {}", root.display());
            let now = "run `cargo equiflow` inside a clone of Equiflow";
            return Err(Problem::new(doing, found, "the workspace's Cargo.toml", now));
        }
        // Asking where this program lies honours CARGO_TARGET_DIR and every other way to move the target folder.
        let program = env::current_exe().map_err(|error| Problem::file(doing, &root, &error))?;
        let target = program.ancestors().nth(2).unwrap_or(Path::new("/"));
        Ok(Self { release: target.join("release"), root })
    }

    /// What would keep the build from working, said before libtorch is downloaded for it.
    pub fn check(&self) -> Result<(), Problem> {
        refuse_flags()?;
        if !self.release.join("equiflow").exists() {
            find_compiler()?;
        }
        Ok(())
    }

    /// Builds everything in release. Returns cargo's exit code if the build failed; cargo has said why by then.
    pub fn build(&self, libtorch: &Path) -> Result<Option<ExitCode>, Problem> {
        let program = self.release.join("equiflow");
        // Holds the libtorch of the last build that went well; its age tells whether a source has changed since.
        let last_build = self.release.join(".equiflow-built");
        let built_with = fs::read(&last_build).ok();
        let same_libtorch = built_with.as_deref() == Some(libtorch.as_os_str().as_encoded_bytes());
        let mut cargo = self.cargo("build");
        if !program.exists() {
            eprintln!("Building the workspace. The first build takes some minutes.");
            if let Some(compiler) = find_compiler()? {
                cargo.env("CXX", compiler);
            }
        }
        if built_with.is_some() && !same_libtorch {
            self.forget_libtorch();
        }
        let unchanged = same_libtorch && program.exists() && !self.changed_since(&last_build);
        if unchanged {
            cargo.arg("--quiet");
        }
        let status = cargo.status().map_err(|error| no_cargo(&cargo, &error))?;
        if !status.success() {
            return Ok(Some(status.code().and_then(|code| u8::try_from(code).ok()).map_or(2.into(), ExitCode::from)));
        }
        if !unchanged {
            // Failing to write it costs a few lines of cargo's output at the next start, no more.
            let _ = fs::write(&last_build, libtorch.as_os_str().as_encoded_bytes());
        }
        Ok(None)
    }

    /// Replaces this process with `cargo test`.
    pub fn test(&self, args: &[OsString]) -> Result<ExitCode, Problem> {
        let mut cargo = self.cargo("test");
        cargo.args(args);
        let error = cargo.exec();
        Err(no_cargo(&cargo, &error))
    }

    /// Replaces this process with the program.
    pub fn start_program(&self, args: &[OsString]) -> Result<ExitCode, Problem> {
        let path = self.release.join("equiflow");
        let mut program = Command::new(&path);
        self.add_library_path(&mut program);
        let error = program.args(args).exec();
        Err(Problem::file("starting the program that was just built", &path, &error))
    }

    /// `cargo <command> --release --workspace`, set up for this clone.
    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args([command, "--release", "--workspace", "--manifest-path"]).arg(self.root.join("Cargo.toml"));
        // Always the link, even where the user has set LIBTORCH: a plain `cargo test` then finds nothing to recompile.
        cargo.env("LIBTORCH", self.root.join(".libtorch"));
        self.add_library_path(&mut cargo);
        cargo
    }

    /// The rpaths in .cargo/config.toml reach `.libtorch` from `<root>/target` only.
    fn add_library_path(&self, command: &mut Command) {
        let usual = self.root.join("target/release");
        if let (Ok(usual), Ok(here)) = (usual.canonicalize(), self.release.canonicalize())
            && usual == here
        {
            return;
        }
        let name = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
        let mut path = self.root.join(".libtorch/lib").into_os_string();
        if let Some(rest) = env::var_os(name).filter(|rest| !rest.is_empty()) {
            path.push(":");
            path.push(rest);
        }
        command.env(name, path);
    }

    /// Makes cargo compile against another libtorch behind the same link: torch-sys watches the variable LIBTORCH,
    /// whose value is the link. A failure means that nothing was compiled yet.
    fn forget_libtorch(&self) {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["clean", "--quiet", "--release", "--package", "torch-sys", "--manifest-path"]);
        let _ = cargo.arg(self.root.join("Cargo.toml")).status();
    }

    /// Is any source newer than `file`? Decides only whether cargo may be silent.
    fn changed_since(&self, file: &Path) -> bool {
        let sources = [".cargo", "Cargo.toml", "Cargo.lock", "framework", "games", "plugins"];
        let built = fs::metadata(file).and_then(|file| file.modified());
        built.map_or(true, |built| sources.iter().any(|source| newer(&self.root.join(source), built)))
    }
}

/// Is `path`, or anything below it, newer than `time`? The same clock tick counts as newer.
fn newer(path: &Path, time: SystemTime) -> bool {
    let Ok(meta) = path.symlink_metadata() else { return false };
    meta.modified().map_or(true, |modified| modified >= time)
        || meta.is_dir()
            && fs::read_dir(path).is_ok_and(|entries| entries.flatten().any(|entry| newer(&entry.path(), time)))
}

/// RUSTFLAGS replaces the flags of .cargo/config.toml, without which the plugins cannot be linked.
fn refuse_flags() -> Result<(), Problem> {
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        if let Some(value) = env::var_os(name) {
            let doing = "preparing the build";
            let found = format!(
                "{name}={} in the environment, which replaces the flags of .cargo/config.toml",
                value.display()
            );
            let expected = format!("no {name}: the plugins link through those flags");
            let now = format!("`unset {name}`, then run the command again; own flags go into .cargo/config.toml");
            return Err(Problem::new(doing, found, expected, now));
        }
    }
    Ok(())
}

/// Checks that there is a C++ compiler; returns one to set as CXX where the usual name `c++` is not there.
fn find_compiler() -> Result<Option<&'static str>, Problem> {
    let users = env::var("CXX").ok().filter(|users| !users.trim().is_empty());
    if let Some(users) = &users {
        // CXX may hold flags, or a wrapper such as ccache in front.
        if users.split_whitespace().next().is_some_and(is_program) {
            return Ok(None);
        }
    } else if is_program("c++") {
        return Ok(None);
    } else if let Some(other) = ["g++", "clang++"].into_iter().find(|name| is_program(name)) {
        return Ok(Some(other));
    }
    let found = users
        .map_or("none of c++, g++ and clang++ on the PATH".into(), |users| format!("CXX={users}, which is no program"));
    let now = "install one (`apt install g++`; on macOS `xcode-select --install`), or set CXX to yours";
    Err(Problem::new(
        "looking for a C++ compiler, which tch's bridge to libtorch needs",
        found,
        "a C++17 compiler",
        now,
    ))
}

/// Is `name` a path of a file, or the name of one on the PATH?
fn is_program(name: impl AsRef<OsStr>) -> bool {
    let name = Path::new(name.as_ref());
    let path = env::var_os("PATH").unwrap_or_default();
    name.components().count() > 1 && name.is_file() || env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Cargo did not start.
fn no_cargo(cargo: &Command, error: &io::Error) -> Problem {
    let doing = format!("starting {}", cargo.get_program().display());
    let now = "install Rust with rustup, or set CARGO to the path of cargo";
    Problem::new(doing, error.to_string(), "cargo, which comes with Rust", now)
}
