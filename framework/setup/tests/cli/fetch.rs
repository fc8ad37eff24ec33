//! Fetching libtorch, end to end: the first time, interrupted, damaged, twice at once, and not at all.

use crate::support::{Sandbox, run};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

const ALL: [&str; 3] = ["torch", "nvidia_cuda_cupti", "nvidia_cuda_runtime"];

/// The folder that `.libtorch` leads to.
fn folder(sandbox: &Sandbox) -> PathBuf {
    sandbox.linked().expect("a link")
}

/// The folder that an interrupted run leaves.
fn part(sandbox: &Sandbox) -> PathBuf {
    let mut entries = fs::read_dir(sandbox.path("cache")).unwrap().flatten().map(|entry| entry.path());
    entries.find(|path| path.extension() == Some("part".as_ref())).expect("a .part folder")
}

#[test]
fn fetches_once_links_and_is_silent_from_then_on() {
    let sandbox = Sandbox::new("once");
    let (stdout, stderr) = run(&mut sandbox.equiflow(&["setup"]), Some(0));
    assert!(stderr.contains("This happens once"), "{stderr}");
    assert_eq!(stdout, format!("libtorch 2.13.0: {}\n", folder(&sandbox).display()));
    assert_eq!(sandbox.log("pip.log"), ALL);
    let read = |path: &str| fs::read_to_string(folder(&sandbox).join(path)).unwrap();
    assert_eq!(read("lib/libtorch.so"), "INPUT ( -ltorch_cpu )\n");
    assert_eq!(read("build-version"), "2.13.0\n");
    assert!(read("include/c10/c10.h").starts_with("torch/include/c10/c10.h"));
    assert!(!folder(&sandbox).join("lib/libtorch_cuda.so").exists());
    assert_eq!(sandbox.cached().len(), 2, "the folder and its lock: {:?}", sandbox.cached());

    let (_, stderr) = run(&mut sandbox.equiflow(&["setup"]), Some(0));
    assert_eq!(stderr, "");
    assert_eq!(sandbox.log("pip.log").len(), 3);
}

#[test]
fn a_second_clone_uses_the_same_folder_through_its_own_link() {
    let sandbox = Sandbox::new("second");
    run(&mut sandbox.equiflow(&["setup"]), Some(0));
    fs::create_dir_all(sandbox.path("other/framework/setup")).unwrap();
    sandbox.write("other/Cargo.toml", "");
    let mut other = sandbox.equiflow(&["setup"]);
    other.env("CARGO_MANIFEST_DIR", sandbox.path("other/framework/setup"));
    run(other.env("LIBTORCH", sandbox.path("other/.libtorch")), Some(0));
    assert_eq!(fs::read_link(sandbox.path("other/.libtorch")).unwrap(), folder(&sandbox));
    assert_eq!(sandbox.log("pip.log").len(), 3);
}

#[test]
fn a_failed_download_is_told_and_the_next_run_completes_it() {
    let sandbox = Sandbox::new("offline");
    sandbox.write("mode", "offline");
    let (_, stderr) = run(&mut sandbox.equiflow(&["setup"]), Some(2));
    for part in ["ERROR: no network", "error: downloading nvidia-cuda-cupti 13.0.85", "pip ended with", "now:"] {
        assert!(stderr.contains(part), "{part:?} is not in {stderr}");
    }
    assert_eq!((sandbox.linked(), sandbox.cached()), (None, vec!["lock".into(), "part".into()]));
    let kept: Vec<_> = fs::read_dir(part(&sandbox).join("downloads")).unwrap().collect();
    assert_eq!(kept.len(), 1, "the wheel that was whole is kept for pip to find");
    sandbox.write("mode", "ok");
    run(&mut sandbox.equiflow(&["setup"]), Some(0));
    assert_eq!(sandbox.cached().len(), 2);
}

#[test]
fn a_killed_run_leaves_nothing_that_counts_and_the_next_waits_for_its_orphan() {
    let sandbox = Sandbox::new("killed");
    sandbox.write("mode", "killed");
    let killed = sandbox.equiflow(&["setup"]).stderr(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert_eq!(killed.code(), None);
    assert_eq!((sandbox.linked(), sandbox.cached()), (None, vec!["lock".into(), "part".into()]));
    assert!(part(&sandbox).join("scratch/pip-unpack").exists());
    sandbox.write("mode", "ok");
    let (_, stderr) = run(&mut sandbox.equiflow(&["setup"]), Some(0));
    assert!(stderr.contains("waiting for it"), "{stderr}");
    assert_eq!(sandbox.log("orphan.log"), ["done"]);
    assert_eq!(sandbox.cached().len(), 2);
}

#[test]
fn an_interrupted_unpack_is_not_taken_for_complete() {
    let sandbox = Sandbox::new("unpack");
    run(&mut sandbox.equiflow(&["setup"]), Some(0));
    // What a run leaves that dies between unpacking and stamping, and one that dies between removing and renaming.
    let whole = folder(&sandbox);
    let unpacked = whole.with_added_extension("part").join("unpacked");
    fs::create_dir_all(unpacked.parent().unwrap()).unwrap();
    fs::rename(&whole, &unpacked).unwrap();
    fs::remove_file(unpacked.join("lib/libc10.so")).unwrap();
    run(&mut sandbox.equiflow(&["setup"]), Some(0));
    assert!(whole.join("lib/libc10.so").exists());
    assert_eq!(sandbox.log("pip.log").len(), 6);
    assert_eq!(sandbox.cached().len(), 2);
}

#[test]
fn a_damaged_cache_is_fetched_again() {
    let sandbox = Sandbox::new("damaged");
    run(&mut sandbox.equiflow(&["setup"]), Some(0));
    fs::write(folder(&sandbox).join("lib/libtorch_cpu.so"), "cut").unwrap();
    let (_, stderr) = run(&mut sandbox.equiflow(&["setup"]), Some(0));
    assert!(stderr.contains("lib/libtorch_cpu.so has 3 bytes instead of"), "{stderr}");
    assert_eq!(sandbox.log("pip.log").len(), 6);
    run(&mut sandbox.equiflow(&["setup"]), Some(0));
    assert_eq!(sandbox.log("pip.log").len(), 6);
}

#[test]
fn a_wheel_that_contradicts_its_record_or_is_cut_off_is_refused() {
    let sandbox = Sandbox::new("record");
    sandbox.make_wheels(&["torch/lib/libc10.so"]);
    let (_, stderr) = run(&mut sandbox.equiflow(&["setup"]), Some(2));
    assert!(
        stderr.contains("torch/lib/libc10.so has sha256=") && stderr.contains("RECORD says sha256=wrong"),
        "{stderr}"
    );
    let wheel = sandbox.path("wheels/torch-2.13.0-cp312-none.whl");
    sandbox.make_wheels(&[]);
    let bytes = fs::read(&wheel).unwrap();
    fs::write(&wheel, &bytes[..bytes.len() / 2]).unwrap();
    let (_, stderr) = run(&mut sandbox.equiflow(&["setup"]), Some(2));
    assert!(stderr.contains("File is not a zip file"), "{stderr}");
    assert_eq!(sandbox.linked(), None);
    sandbox.make_wheels(&[]);
    run(&mut sandbox.equiflow(&["setup"]), Some(0));
}

#[test]
fn two_at_once_fetch_once() {
    let sandbox = Sandbox::new("two");
    let start = || sandbox.equiflow(&["setup"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    for mut child in [start(), start(), start()] {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(sandbox.log("pip.log"), ALL);
}

#[test]
fn a_missing_python_or_pip_is_named() {
    let sandbox = Sandbox::new("missing");
    let (_, stderr) = run(sandbox.equiflow(&["setup"]).env("EQUIFLOW_PYTHON", "no-such-python"), Some(2));
    assert!(stderr.contains("`no-such-python` is not installed"), "{stderr}");
    assert!(stderr.contains("apt install python3 python3-pip"), "{stderr}");
    sandbox.write("text", "#!/bin/sh\ntest $1 != -m\n");
    sandbox.install(&sandbox.path("text"), "no-pip");
    let (_, stderr) = run(sandbox.equiflow(&["setup"]).env("EQUIFLOW_PYTHON", sandbox.path("no-pip")), Some(2));
    assert!(stderr.contains("has no pip"), "{stderr}");
}

#[test]
fn too_little_room_is_said_before_the_download() {
    let sandbox = Sandbox::new("room");
    sandbox.write("free", "7000000");
    let (_, stderr) = run(&mut sandbox.equiflow(&["setup"]), Some(2));
    assert!(stderr.contains("7 MB free on the disk of") && stderr.contains("EQUIFLOW_CACHE"), "{stderr}");
    assert!(sandbox.log("pip.log").is_empty());
}

#[test]
fn a_users_libtorch_is_honoured_and_remembered() {
    let sandbox = Sandbox::new("users");
    let users = sandbox.path("mine");
    let (_, stderr) = run(sandbox.equiflow(&["setup"]).env("LIBTORCH", &users), Some(2));
    assert!(stderr.contains("LIBTORCH says") && stderr.contains("No such file"), "{stderr}");
    fs::create_dir_all(users.join("lib")).unwrap();
    fs::create_dir_all(users.join("include")).unwrap();
    let (_, stderr) = run(sandbox.equiflow(&["setup"]).env("LIBTORCH", &users), Some(2));
    assert!(stderr.contains("neither libtorch_cpu.so nor libtorch.so"), "{stderr}");
    fs::write(users.join("lib/libtorch_cpu.so"), "").unwrap();
    run(sandbox.equiflow(&["setup"]).env("LIBTORCH", &users), Some(0));
    assert_eq!(sandbox.linked().as_deref(), Some(Path::new(&users)));
    run(&mut sandbox.equiflow(&["setup"]), Some(0));
    assert_eq!(sandbox.linked().as_deref(), Some(Path::new(&users)), "no LIBTORCH: the link stays");
    assert!(sandbox.log("pip.log").is_empty());
    fs::remove_dir_all(&users).unwrap();
    let (_, stderr) = run(&mut sandbox.equiflow(&["setup"]), Some(0));
    assert!(stderr.contains("it is not a folder: taking libtorch from the cache"), "{stderr}");
    assert!(folder(&sandbox).starts_with(sandbox.path("cache")));
}
