//! Gambit's `.nfg` files: reading them as Gambit's own reader does, and writing them.

mod lexer;
mod read;
mod write;

use std::fmt;
use std::io::Read;
use std::path::Path;

pub use read::read;
pub use write::write;

use super::normal_form::NormalForm;

/// Largest file that is read, in bytes.
pub const FILE_LIMIT: usize = 256 << 20;
/// Most players of a game that is read.
pub const PLAYER_LIMIT: usize = 1_000;
/// Most payoffs of a game that is read: cells x players.
pub const PAYOFF_LIMIT: usize = 1 << 23;
/// Most digits of a number, its exponent counted as digits.
pub const DIGIT_LIMIT: usize = 1_000;
/// Most digits of all numbers together.
pub const ALL_DIGITS_LIMIT: usize = 1 << 27;

/// Why a file is refused, with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NfgError {
    /// What was found, and behind a semicolon what is expected.
    pub what: String,
    /// Where in the file, in bytes; none when it cannot be read at all.
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first byte.
    pub offset: usize,
    /// How many bytes.
    pub length: usize,
    /// Line, from 1.
    pub line: usize,
    /// Character of the line, from 1.
    pub column: usize,
}

impl fmt::Display for NfgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(Place { line, column, .. }) => write!(f, "{line}:{column}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for NfgError {}

/// The bytes of a file of at most [`FILE_LIMIT`].
///
/// # Errors
/// It cannot be read, or is larger.
pub fn bytes(path: &Path) -> Result<Vec<u8>, NfgError> {
    let error = |what| NfgError { what, place: None };
    let unreadable = |reason| error(format!("the file cannot be read: {reason}"));
    let too_large = || {
        let size = FILE_LIMIT >> 20;
        error(format!("the file has more than {size} MiB; expected a game of that size at most"))
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() > FILE_LIMIT as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // What has no length, such as a pipe, is read up to the limit.
    file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > FILE_LIMIT { Err(too_large()) } else { Ok(bytes) }
}

/// The game of a file.
///
/// # Errors
/// See [`bytes`] and [`read`].
pub fn open(path: &Path) -> Result<NormalForm, NfgError> {
    read(&bytes(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_the_limit_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.nfg");
        // Sparse: it has a length and no content.
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let began = std::time::Instant::now();
        assert!(open(&path).unwrap_err().what.contains("more than 256 MiB"));
        assert!(began.elapsed().as_millis() < 100);
        assert!(open(folder.path()).unwrap_err().what.starts_with("the file cannot be read"));
    }
}
