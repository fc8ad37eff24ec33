//! How an error reads: what was being done, what was found, what was expected, what to do now. Everything that this
//! program can fail with is a [`Problem`]; the words are written where the failure happens, not here.

use std::{fmt, io, path::Path};

/// One failure, told in four sentences.
#[derive(Debug)]
pub struct Problem {
    /// What was being done.
    pub doing: String,
    /// What was found instead.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// What to do now.
    pub now: String,
}

impl Problem {
    /// All four sentences at once.
    pub fn new(
        doing: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        now: impl Into<String>,
    ) -> Self {
        Self { doing: doing.into(), found: found.into(), expected: expected.into(), now: now.into() }
    }

    /// A file operation on `path` failed while `doing` something.
    pub fn file(doing: impl Into<String>, path: &Path, error: &io::Error) -> Self {
        let now = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some disk space, or point EQUIFLOW_CACHE at a folder on a larger disk; then run the command again"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "make the folder writable, or point EQUIFLOW_CACHE at one that is; then run the command again"
            }
            _ => "look at that path, then run the command again",
        };
        Self::new(doing, format!("{}: {error}", path.display()), "a folder that can be read and written", now)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { doing, found, expected, now } = self;
        write!(f, "error: {doing}\n  found:    {found}\n  expected: {expected}\n  now:      {now}")
    }
}
