//! Is a libtorch folder complete? The stamp is the file `complete`, written last: the size of each library, one a line,
//! under a first line that counts them. Comparing sizes costs less than a millisecond at each start. The 9,400 headers
//! are not listed: they were compared with their sha256 when they were unpacked, and looking at each of them at every
//! start would be slow on a network home.

use crate::problem::Problem;
use std::{fs, path::Path};

const FILE: &str = "complete";

/// Does `folder` carry a stamp, be it right or wrong: was it made by this program?
pub fn exists(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// Lists what lies in `folder/lib` and stamps the folder as complete, after the disk has all of it.
pub fn write(folder: &Path) -> Result<(), Problem> {
    let lib = folder.join("lib");
    let doing = "writing down what belongs to libtorch";
    let entries = fs::read_dir(&lib).map_err(|error| Problem::file(doing, &lib, &error))?;
    let mut lines = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Problem::file(doing, &lib, &error))?;
        let path = entry.path();
        // Without this a power cut could leave a stamped folder whose contents never reached the disk.
        let bytes = fs::File::open(&path).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
        let bytes = bytes.map_err(|error| Problem::file(doing, &path, &error))?.len();
        lines.push(format!("{bytes} lib/{}", entry.file_name().to_string_lossy()));
    }
    lines.sort();
    let text = format!("{} files\n{}\n", lines.len(), lines.join("\n"));
    let stamp = folder.join(FILE);
    fs::write(&stamp, text).map_err(|error| Problem::file(doing, &stamp, &error))
}

/// Compares `folder` with its stamp.
///
/// # Errors
/// One clause that says what is wrong, to be put after "in <folder>".
pub fn verify(folder: &Path) -> Result<(), String> {
    let text = fs::read_to_string(folder.join(FILE)).map_err(|_| format!("there is no file `{FILE}`"))?;
    let mut lines = text.lines();
    let count = lines.next().and_then(|line| line.strip_suffix(" files")?.parse::<usize>().ok());
    if count.is_none_or(|count| count == 0 || count != lines.clone().count()) {
        return Err(format!("the file `{FILE}` is cut off"));
    }
    if !folder.join("include").is_dir() {
        return Err("there is no folder include".into());
    }
    for line in lines {
        let parsed = line.split_once(' ').and_then(|(bytes, path)| Some((bytes.parse::<u64>().ok()?, path)));
        let Some((expected, path)) = parsed else { return Err(format!("the file `{FILE}` has the line {line:?}")) };
        match fs::metadata(folder.join(path)) {
            Ok(file) if file.len() == expected => {}
            Ok(file) => return Err(format!("{path} has {} bytes instead of {expected}", file.len())),
            Err(_) => return Err(format!("{path} is missing")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("equiflow-stamp-{}-{name}", std::process::id()));
        fs::create_dir_all(folder.join("lib")).unwrap();
        fs::create_dir_all(folder.join("include")).unwrap();
        fs::write(folder.join("lib/libc10.so"), "ten bytes.").unwrap();
        fs::write(folder.join("lib/libtorch_cpu.so"), "more").unwrap();
        folder
    }

    #[test]
    fn a_complete_folder_passes() {
        let folder = folder("complete");
        write(&folder).unwrap();
        assert_eq!(verify(&folder), Ok(()));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn without_a_stamp_nothing_is_complete() {
        let folder = folder("none");
        assert_eq!(verify(&folder), Err("there is no file `complete`".into()));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn truncated_and_missing_files_are_named() {
        let folder = folder("damaged");
        write(&folder).unwrap();
        fs::write(folder.join("lib/libc10.so"), "ten").unwrap();
        assert_eq!(verify(&folder), Err("lib/libc10.so has 3 bytes instead of 10".into()));
        fs::remove_file(folder.join("lib/libc10.so")).unwrap();
        assert_eq!(verify(&folder), Err("lib/libc10.so is missing".into()));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_stamp_that_was_cut_off_does_not_count() {
        let folder = folder("cut");
        write(&folder).unwrap();
        for text in ["", "2 files\n10 lib/libc10.so\n", "0 files\n"] {
            fs::write(folder.join(FILE), text).unwrap();
            assert_eq!(verify(&folder), Err("the file `complete` is cut off".into()), "{text:?}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
