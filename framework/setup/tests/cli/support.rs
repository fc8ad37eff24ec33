//! A throw-away clone, cache, Python and cargo, in which the built `equiflow-setup` runs as it does for a user. The
//! imitated Python does everything through the real one, except for pip, which hands out tiny wheels made here,
//! and the free disk space.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Makes the wheels, with every library that any machine's table names.
const MAKE_WHEELS: &str = r#"
import base64, hashlib, sys, zipfile
torch = ["libtorch.dylib", "libtorch_cpu.dylib", "libc10.dylib", "libomp.dylib"] + [name + ".so" for name in
    ["libtorch_cpu", "libc10", "libarm_compute", "libarm_compute_graph"]] + ["libgomp.so.1", "libgfortran.so.5"]
torch += ["libnvpl_" + name + ".so.0" for name in ["blas_core", "blas_lp64_gomp", "lapack_core", "lapack_lp64_gomp"]]
wheels = {
    "torch-2.13.0-cp312": ["torch/include/torch.h", "torch/include/c10/c10.h", "torch/lib/libtorch_cuda.so"]
        + ["torch/lib/" + name for name in torch],
    "nvidia_cuda_cupti-13.0.85-py3": ["nvidia/cu13/lib/libcupti.so.13"],
    "nvidia_cuda_runtime-13.0.96-py3": ["nvidia/cu13/lib/libcudart.so.13"],
}
for wheel, files in wheels.items():
    with zipfile.ZipFile(sys.argv[1] + "/" + wheel + "-none.whl", "w") as archive:
        record = ""
        for file in files:
            content = (file * 40).encode()
            sha = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            record += file + ",sha256=" + ("wrong" if file in sys.argv[2:] else sha) + "," + str(len(content)) + "\n"
            archive.writestr(file, content)
        archive.writestr(wheel + ".dist-info/RECORD", record)
"#;

/// What its pip does is said by the file `mode`: `ok`, `offline` (fails at the second package) or `killed`
/// (its parent dies while it writes, and it goes on writing for a while).
const PYTHON: &str = r#"#!/bin/sh
test "$1 $2 $3" = "-m pip --version" && exit 0
case $2 in *disk_usage*) exec cat SANDBOX/free ;; esac
test "$1 $2 $3" = "-m pip download" || exec python3 "$@"
while test $# -gt 1; do test "$1" = --dest && dest=$2; shift; done
package=$(sed 's/==.*//; s/-/_/g' "$1")
echo "$package" >> SANDBOX/pip.log
mode=$(cat SANDBOX/mode)
echo half > "$TMPDIR/pip-unpack"
case $mode-$package in
    offline-nvidia_cuda_cupti) echo "ERROR: no network" >&2; exit 1 ;;
    killed-*) kill -9 $PPID; sleep 1; cp SANDBOX/wheels/$package-* "$dest/"; echo done >> SANDBOX/orphan.log; exit ;;
esac
cp SANDBOX/wheels/$package-* "$dest/"
"#;

/// Writes down how it was called, and "builds" a program that does the same.
const CARGO: &str = r#"#!/bin/sh
echo "cargo $@ [LIBTORCH=$LIBTORCH]" >> SANDBOX/cargo.log
test "$1" = build || exit 0
test -e SANDBOX/broken && exit 101
cp SANDBOX/program SANDBOX/clone/target/release/equiflow
"#;

const PROGRAM: &str = "#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 7\n";

/// All of it below one temporary folder, which is removed at the end.
pub struct Sandbox {
    pub folder: PathBuf,
}

impl Sandbox {
    pub fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("equiflow-setup-{}-{name}", std::process::id()));
        for inner in ["clone/framework/setup", "clone/target/release", "clone/games", "wheels"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
        }
        let sandbox = Self { folder: folder.canonicalize().unwrap() };
        sandbox.write("clone/Cargo.toml", "");
        sandbox.write("mode", "ok");
        sandbox.write("free", "1000000000000");
        sandbox.make_wheels(&[]);
        for (name, text) in [("python", PYTHON), ("cargo", CARGO), ("program", PROGRAM)] {
            sandbox.write("text", &text.replace("SANDBOX", sandbox.folder.to_str().unwrap()));
            sandbox.install(&sandbox.path("text"), name);
        }
        sandbox.install(Path::new(env!("CARGO_BIN_EXE_equiflow-setup")), "clone/target/release/equiflow-setup");
        sandbox
    }

    pub fn path(&self, inner: &str) -> PathBuf {
        self.folder.join(inner)
    }

    pub fn write(&self, inner: &str, text: &str) {
        fs::write(self.path(inner), text).unwrap();
    }

    /// Lines of a log, none if it was never written.
    pub fn log(&self, inner: &str) -> Vec<String> {
        fs::read_to_string(self.path(inner)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The wheels that pip hands out; the RECORD is wrong about those in `wrong`.
    pub fn make_wheels(&self, wrong: &[&str]) {
        let mut python = Command::new("python3");
        python.args(["-c", MAKE_WHEELS]).arg(self.path("wheels")).args(wrong);
        assert!(python.status().expect("these tests need python3, as the setup itself does").success());
    }

    /// Another process copies executables: one that this process held open for writing could not be started while a
    /// neighbouring test forks.
    pub fn install(&self, from: &Path, to: &str) {
        assert!(Command::new("install").args(["-m", "755"]).arg(from).arg(self.path(to)).status().unwrap().success());
    }

    /// `cargo equiflow <args>` in the clone.
    pub fn equiflow(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path("clone/target/release/equiflow-setup"));
        command.args(args).stdin(Stdio::null());
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CXX"] {
            command.env_remove(name);
        }
        command.env("LIBTORCH", self.path("clone/.libtorch")); // as .cargo/config.toml does
        command.env("CARGO_MANIFEST_DIR", self.path("clone/framework/setup"));
        command.env("CARGO", self.path("cargo"));
        command.env("EQUIFLOW_CACHE", self.path("cache")).env("EQUIFLOW_PYTHON", self.path("python"));
        command
    }

    /// Where `.libtorch` leads to.
    pub fn linked(&self) -> Option<PathBuf> {
        fs::read_link(self.path("clone/.libtorch")).ok()
    }

    /// The endings of the names in the cache, sorted: `lock`, `part`, or what follows the last dot of the version.
    pub fn cached(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("cache")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names.iter().map(|name| name.rsplit('.').next().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs to the end and returns standard output and standard error, after comparing the exit code (`None`: killed).
pub fn run(command: &mut Command, code: Option<i32>) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), code, "standard error was: {stderr}");
    (stdout, stderr)
}
