//! Bakes a build id into the framework: plugins carry the id of the framework that they were compiled against, and the
//! loader compares. It covers the compiler, the target, the profile and the framework's sources.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=src");
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("-vV").output().map(|output| output.stdout).unwrap_or_default();
    add(&version);
    for name in ["TARGET", "PROFILE", "OPT_LEVEL", "DEBUG", "CARGO_PKG_VERSION"] {
        add(env::var(name).unwrap_or_default().as_bytes());
    }
    add_folder(Path::new("src"), &mut add);
    println!("cargo::rustc-env=EQUIFLOW_BUILD_ID={}-{hash:016x}", env::var("CARGO_PKG_VERSION").unwrap_or_default());
}

/// Adds the names and contents of all files of a folder, in a fixed order.
fn add_folder(folder: &Path, add: &mut impl FnMut(&[u8])) {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            add_folder(&path, add);
        } else {
            add(path.to_string_lossy().as_bytes());
            add(&fs::read(&path).unwrap_or_default());
        }
    }
}
