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
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|reason| error(format!("the file cannot be read: {reason}")))?;
    if bytes.len() > FILE_LIMIT {
        return Err(error(format!(
            "the file has more than {} MiB; expected a game of that size at most",
            FILE_LIMIT >> 20
        )));
    }
    Ok(bytes)
}

/// The game of a file.
///
/// # Errors
/// See [`bytes`] and [`read`].
pub fn open(path: &Path) -> Result<NormalForm, NfgError> {
    read(&bytes(path)?)
}
