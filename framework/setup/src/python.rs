//! The user's Python: found, checked for pip, used to download wheels and to unpack them (the standard library of Rust
//! has neither HTTPS nor zip, the one of Python plus pip has both). It decides neither where files go nor when.

use crate::{problem::Problem, release::Wheel};
use std::{
    ffi::OsString,
    fs, io,
    io::IsTerminal,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const UNPACK: &str = include_str!("unpack.py");
const USABLE: &str = "import hashlib, sys, zipfile; sys.exit(sys.version_info < (3, 7))";
const FREE_BYTES: &str = "import shutil, sys; print(shutil.disk_usage(sys.argv[1]).free)";

/// A Python 3 that has pip.
#[derive(Debug)]
pub struct Python {
    program: OsString,
}

impl Python {
    /// `EQUIFLOW_PYTHON`, else `python3`, else `python`: the first that is a Python 3 and has pip.
    pub fn find() -> Result<Self, Problem> {
        let candidates = match std::env::var_os("EQUIFLOW_PYTHON") {
            Some(program) if !program.is_empty() => vec![program],
            _ => vec!["python3".into(), "python".into()],
        };
        let mut found = Vec::new();
        for program in candidates {
            match Self::lacks(&program) {
                None => return Ok(Self { program }),
                Some(lack) => found.push(format!("`{}` {lack}", program.display())),
            }
        }
        let now = "install what is missing, on Debian and Ubuntu with `apt install python3 python3-pip`, elsewhere pip \
            with `python3 -m ensurepip`; EQUIFLOW_PYTHON=<path> names another Python; or download libtorch yourself \
            and set LIBTORCH=<its folder>";
        let doing = "looking for Python, whose pip downloads libtorch";
        Err(Problem::new(doing, found.join("; "), "Python 3.7 or later with the module pip", now))
    }

    /// What keeps `program` from being used, if anything.
    fn lacks(program: &OsString) -> Option<String> {
        let quiet = |args: &[&str]| {
            Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
        };
        match quiet(&["-c", USABLE]) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some("is not installed".into()),
            Err(error) => return Some(format!("does not start: {error}")),
            Ok(status) if !status.success() => return Some("is not a working Python 3.7 or later".into()),
            Ok(_) => {}
        }
        match quiet(&["-m", "pip", "--version"]) {
            Ok(status) if status.success() => None,
            _ => Some("has no pip (`-m pip --version` fails)".into()),
        }
    }

    /// Free space on the disk that holds `folder`, where Python can tell.
    pub fn free_bytes(&self, folder: &Path) -> Option<u64> {
        let output = Command::new(&self.program).args(["-c", FREE_BYTES]).arg(folder).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    }

    /// Downloads one wheel into `downloads` and returns its path. A wheel that lies there already is kept if its sha256
    /// is right; pip compares. pip works in `scratch`, not in a `/tmp` that may be a small part of the memory.
    ///
    /// `lock` becomes pip's standard input: it keeps the lock held for as long as pip lives, even if this process is
    /// killed, so that the next run does not work in the same folder as an orphan.
    pub fn download(
        &self,
        wheel: &Wheel,
        downloads: &Path,
        scratch: &Path,
        lock: &fs::File,
    ) -> Result<PathBuf, Problem> {
        let Wheel { package, version, platform, sha256, .. } = wheel;
        let doing = || format!("downloading {package} {version} with pip");
        let requirements = scratch.join("requirements.txt");
        fs::write(&requirements, format!("{package}=={version} --hash=sha256:{sha256}\n"))
            .map_err(|error| Problem::file(doing(), &requirements, &error))?;
        let bar = if io::stderr().is_terminal() { "on" } else { "off" };
        let mut pip = Command::new(&self.program);
        pip.args(["-m", "pip", "download", "--no-deps", "--no-cache-dir", "--no-input", "--require-hashes"])
            .args(["--disable-pip-version-check", "--only-binary=:all:", "--python-version", "3.12"])
            .args(["--implementation", "cp", "--platform", platform, "--progress-bar", bar, "--dest"])
            .arg(downloads)
            .arg("--requirement")
            .arg(&requirements)
            .env("TMPDIR", scratch)
            .env("PIP_REQUIRE_VIRTUALENV", "0");
        // Standard output belongs to the program that is started in the end, so pip speaks on standard error.
        let to_stderr = io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
        let status = pip.stdin(hold(lock)).stdout(to_stderr).status();
        let status = status.map_err(|error| Problem::file(doing(), Path::new(&self.program), &error))?;
        let network = "check the network and the disk, then run the command again (finished downloads are kept); or \
            download libtorch yourself and set LIBTORCH=<its folder>";
        if !status.success() {
            let found = format!("pip ended with {status}; its own message is above");
            return Err(Problem::new(
                doing(),
                found,
                "pip downloads it from PyPI or the index it is set up for",
                network,
            ));
        }
        let start = format!("{}-{version}-", package.replace('-', "_"));
        let entries = fs::read_dir(downloads).map_err(|error| Problem::file(doing(), downloads, &error))?;
        let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start))).ok_or_else(
            || {
                let found = format!("pip ended well, but {} holds no {start}*.whl", downloads.display());
                Problem::new(doing(), found, "the wheel in that folder", network)
            },
        )
    }

    /// Unpacks what `wheel` names out of the file `path` into `target`; checks every file against the wheel's RECORD.
    pub fn unpack(&self, wheel: &Wheel, path: &Path, target: &Path, lock: &fs::File) -> Result<(), Problem> {
        let doing = || format!("unpacking {}", path.display());
        let mut script = Command::new(&self.program);
        script.args(["-c", UNPACK]).arg(target).arg(path).args(wheel.take).stdin(hold(lock));
        let output = script.output().map_err(|error| Problem::file(doing(), Path::new(&self.program), &error))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().last().map_or_else(|| output.status.to_string(), str::to_owned);
        let now = "run the command again, it downloads the file anew; where the disk is full, free some space or point \
            EQUIFLOW_CACHE at a folder on a larger disk first";
        Err(Problem::new(doing(), said, "a wheel whose files match its RECORD, and room for them", now))
    }
}

/// A copy of the lock for a child's standard input; it reads as an empty file.
fn hold(lock: &fs::File) -> Stdio {
    lock.try_clone().map_or_else(|_| Stdio::null(), Stdio::from)
}
