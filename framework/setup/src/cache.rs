//! The cache: one libtorch folder per version and machine, shared by all clones of a user, and how it gets there. A
//! folder under its final name is always whole: it is made under another name, stamped, and renamed. It does not know
//! about the clone that asks (see [`crate::libtorch`]).

use crate::{
    problem::Problem,
    python::Python,
    release::{Release, VERSION},
    stamp,
};
use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Where libtorch for `release` lies, or will: below `EQUIFLOW_CACHE`, `XDG_CACHE_HOME/equiflow` or the platform's
/// usual place in the home folder.
pub fn folder(release: &Release) -> Result<PathBuf, Problem> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let usual = if cfg!(target_os = "macos") { "Library/Caches/equiflow" } else { ".cache/equiflow" };
    let base = named("EQUIFLOW_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|cache| cache.join("equiflow")))
        .or_else(|| named("HOME").map(|home| home.join(usual)));
    let doing = "looking for the folder to keep libtorch in";
    let base = base.ok_or_else(|| {
        let found = "neither EQUIFLOW_CACHE nor XDG_CACHE_HOME nor HOME is set";
        Problem::new(doing, found, "one of them", "set EQUIFLOW_CACHE to a folder that can be written")
    })?;
    let base = std::path::absolute(&base).map_err(|error| Problem::file(doing, &base, &error))?;
    Ok(base.join(format!("libtorch-{VERSION}-cpu-{}", release.machine)))
}

/// Makes sure that the whole of `release` lies in `folder`: returns at once if it does, fetches it otherwise.
pub fn ensure(folder: &Path, release: &Release) -> Result<(), Problem> {
    if stamp::verify(folder).is_ok() {
        return Ok(());
    }
    let lock = take_lock(folder)?;
    // Another process may have fetched it while this one waited.
    let Err(lack) = stamp::verify(folder) else { return Ok(()) };
    if folder.exists() {
        eprintln!("The libtorch in {} is not whole ({lack}): fetching it again.", folder.display());
    }
    fetch(folder, release, &lock)
}

/// One process at a time works on `folder`. The system drops the lock when its last holder ends, however it ends.
fn take_lock(folder: &Path) -> Result<fs::File, Problem> {
    let path = folder.with_added_extension("lock");
    let failed = |error: io::Error| Problem::file("locking the folder for libtorch", &path, &error);
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
    let lock = fs::File::options().create(true).truncate(false).write(true).read(true).open(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            eprintln!("Another `cargo equiflow` (or its pip) is fetching libtorch: waiting for it.");
            lock.lock().map_err(failed)?;
        }
        Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
    }
    Ok(lock)
}

/// Downloads and unpacks beside `folder`, and renames at the very end.
fn fetch(folder: &Path, release: &Release, lock: &fs::File) -> Result<(), Problem> {
    let python = Python::find()?;
    let part = folder.with_added_extension("part");
    let [downloads, scratch, unpacked] = ["downloads", "scratch", "unpacked"].map(|name| part.join(name));
    let failed = |path: &Path, error: io::Error| Problem::file("fetching libtorch", path, &error);
    // What an interrupted run left: whole wheels are worth keeping, nothing else is.
    for leftover in [&scratch, &unpacked] {
        remove(leftover).map_err(|error| failed(leftover, error))?;
    }
    for fresh in [&downloads, &scratch, &unpacked.join("lib")] {
        fs::create_dir_all(fresh).map_err(|error| failed(fresh, error))?;
    }
    check_room(&python, release, &downloads)?;
    eprintln!(
        "Fetching libtorch {VERSION} (the CPU half of the PyTorch wheels on PyPI) with pip.\n\
         This happens once: {} MB are downloaded, and end as about 0.5 GB in {}.",
        release.download_bytes() / 1_000_000,
        folder.display()
    );
    let mut wheels = Vec::new();
    for wheel in release.wheels {
        wheels.push((wheel, python.download(wheel, &downloads, &scratch, lock)?));
    }
    for (wheel, path) in wheels {
        eprintln!("Unpacking {} {} and checking its files.", wheel.package, wheel.version);
        if let Err(problem) = python.unpack(wheel, &path, &unpacked, lock) {
            // pip would keep a file whose sha256 is right; one that cannot be unpacked is not worth that.
            let _ = fs::remove_file(&path);
            return Err(problem);
        }
    }
    let mut written = vec![(unpacked.join("build-version"), format!("{VERSION}\n"))];
    written.extend(release.linker_script.map(|(name, text)| (unpacked.join("lib").join(name), text.to_owned())));
    for (path, text) in written {
        fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    stamp::write(&unpacked)?;
    remove(folder).map_err(|error| failed(folder, error))?;
    fs::rename(&unpacked, folder).map_err(|error| failed(folder, error))?;
    if let Err(error) = remove(&part) {
        eprintln!("warning: {} is not needed any more, but cannot be removed: {error}", part.display());
    }
    Ok(())
}

/// Says in advance that the disk is too small, where that can be known.
fn check_room(python: &Python, release: &Release, downloads: &Path) -> Result<(), Problem> {
    let there: u64 = fs::read_dir(downloads)
        .map_or(0, |entries| entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum());
    let needed = release.peak_bytes.saturating_sub(there);
    match python.free_bytes(downloads) {
        Some(free) if free < needed => {
            let found = format!("{} MB free on the disk of {}", free / 1_000_000, downloads.display());
            let expected = format!("{} MB while it is downloaded and unpacked", needed / 1_000_000);
            let now =
                "free some space, or point EQUIFLOW_CACHE at a folder on a larger disk; then run the command again";
            Err(Problem::new("fetching libtorch", found, expected, now))
        }
        _ => Ok(()),
    }
}

/// Removes a folder if it is there.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
