//! Which libtorch this clone uses. The answer is the link `.libtorch` at the workspace root: all that is compiled
//! here finds libtorch through it, so `cargo test` and `cargo clippy` work on their own afterwards. In this order:
//! the folder that the user's LIBTORCH names; the folder that an earlier LIBTORCH linked, until the link is removed;
//! the cache (see [`crate::cache`]).

use crate::{
    cache,
    problem::Problem,
    release::{Release, VERSION},
    stamp,
};
use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

const DOING: &str = "looking for libtorch";

/// Makes `<root>/.libtorch` lead to a libtorch, and returns the folder it leads to.
pub fn prepare(root: &Path) -> Result<PathBuf, Problem> {
    let link = root.join(".libtorch");
    // A LIBTORCH that is this very link comes from .cargo/config.toml, not from the user.
    let users = env::var_os("LIBTORCH").map(PathBuf::from).filter(|path| !path.as_os_str().is_empty() && *path != link);
    if let Some(users) = users {
        let folder = check_users(&users)?;
        point(&link, &folder)?;
        return Ok(folder);
    }
    let release = Release::for_this_machine();
    if let Some(folder) = linked_by_user(&link, release) {
        return Ok(folder);
    }
    let release = release.ok_or_else(|| {
        let found = format!("a {} machine with {}", env::consts::ARCH, env::consts::OS);
        let expected = "Linux on x86-64 or aarch64, or macOS on arm64, for which PyPI has libtorch";
        let now = format!("build libtorch {VERSION} for it and set LIBTORCH=<its folder>");
        Problem::new(DOING, found, expected, now)
    })?;
    let folder = cache::folder(release)?;
    cache::ensure(&folder, release)?;
    point(&link, &folder)?;
    Ok(folder)
}

/// The user's folder as an absolute path, if it is a libtorch of the right version.
fn check_users(users: &Path) -> Result<PathBuf, Problem> {
    let doing = format!("looking for libtorch where LIBTORCH says: {}", users.display());
    let now = format!("correct LIBTORCH, or unset it: libtorch {VERSION} is then downloaded");
    let expected = format!("a folder with include/ and lib/libtorch_cpu.so of libtorch {VERSION}");
    let folder = users
        .canonicalize()
        .map_err(|error| error.to_string())
        .and_then(|folder| looks_like_libtorch(&folder).map(|()| folder));
    folder.map_err(|found| Problem::new(doing, found, expected, now))
}

/// # Errors
/// What is not as in a libtorch folder.
fn looks_like_libtorch(folder: &Path) -> Result<(), String> {
    if !folder.is_dir() {
        return Err("it is not a folder".into());
    }
    if !folder.join("include").is_dir() {
        return Err("it has no folder include".into());
    }
    let libraries = ["libtorch_cpu.so", "libtorch.so", "libtorch_cpu.dylib"];
    if !libraries.iter().any(|name| folder.join("lib").join(name).is_file()) {
        return Err("its folder lib has neither libtorch_cpu.so nor libtorch.so".into());
    }
    // A wrong version would show much later, as hundreds of C++ errors. Builds like 2.13.1 or 2.13.0+cu130 are fine.
    let series = VERSION.rsplit_once('.').map_or(VERSION, |(series, _)| series);
    match fs::read_to_string(folder.join("build-version")) {
        Ok(version) if !version.starts_with(&format!("{series}.")) => {
            Err(format!("its file build-version says {}", version.trim()))
        }
        _ => Ok(()),
    }
}

/// The libtorch that `.libtorch` already leads to, if the user put it there: by an earlier LIBTORCH, or as
/// a real folder.
fn linked_by_user(link: &Path, release: Option<&Release>) -> Option<PathBuf> {
    let folder = fs::read_link(link).unwrap_or_else(|_| link.to_owned());
    let of_cache = release.is_some_and(|release| cache::folder(release).is_ok_and(|cached| cached == folder));
    if of_cache || stamp::exists(&folder) {
        return None;
    }
    match looks_like_libtorch(&folder) {
        Ok(()) => Some(folder),
        Err(lack) => {
            if folder != link {
                eprintln!("`.libtorch` leads to {}, but {lack}: taking libtorch from the cache.", folder.display());
            }
            None
        }
    }
}

/// Points the link at `folder`, in one step for everyone who looks.
fn point(link: &Path, folder: &Path) -> Result<(), Problem> {
    if fs::read_link(link).is_ok_and(|current| current == folder) {
        return Ok(());
    }
    let doing = || format!("linking {} to {}", link.display(), folder.display());
    if link.is_dir() && !link.is_symlink() {
        let now = "move that folder away, then run the command again";
        return Err(Problem::new(doing(), "a real folder of that name", "a link, or nothing", now));
    }
    let fresh = link.with_file_name(format!(".libtorch.{}", std::process::id()));
    let linked = symlink(folder, &fresh).and_then(|()| fs::rename(&fresh, link));
    linked.map_err(|error: io::Error| Problem::file(doing(), link, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("equiflow-libtorch-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder.canonicalize().unwrap()
    }

    #[test]
    fn a_users_folder_is_told_what_it_lacks() {
        let folder = folder("lacks");
        assert_eq!(looks_like_libtorch(&folder.join("none")), Err("it is not a folder".into()));
        assert_eq!(looks_like_libtorch(&folder), Err("it has no folder include".into()));
        fs::create_dir_all(folder.join("include")).unwrap();
        let no_library = "its folder lib has neither libtorch_cpu.so nor libtorch.so";
        assert_eq!(looks_like_libtorch(&folder), Err(no_library.into()));
        fs::create_dir_all(folder.join("lib")).unwrap();
        fs::write(folder.join("lib/libtorch.so"), "").unwrap();
        assert_eq!(looks_like_libtorch(&folder), Ok(()));
        fs::write(folder.join("build-version"), "2.13.0+cu130\n").unwrap();
        assert_eq!(looks_like_libtorch(&folder), Ok(()));
        fs::write(folder.join("build-version"), "2.1.0\n").unwrap();
        assert_eq!(looks_like_libtorch(&folder), Err("its file build-version says 2.1.0".into()));
        let message = check_users(&folder).unwrap_err().to_string();
        for part in ["LIBTORCH says", "build-version says 2.1.0", "lib/libtorch_cpu.so of libtorch 2.13.0", "unset it"]
        {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_link_is_replaced_but_a_real_folder_is_not() {
        let folder = folder("link");
        let link = folder.join(".libtorch");
        point(&link, Path::new("/first")).unwrap();
        point(&link, Path::new("/second")).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("/second"));
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        assert_eq!(point(&link, Path::new("/third")).unwrap_err().found, "a real folder of that name");
        fs::remove_dir_all(folder).unwrap();
    }
}
