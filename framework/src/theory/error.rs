//! Why something about a finite game is not computed.

use std::fmt;

/// Why something is not computed: what was found, and behind a semicolon what is expected or can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TheoryError {
    /// The game, or what it is asked with, contradicts itself.
    Invalid(String),
    /// More numbers than fit; the size is named.
    TooLarge(String),
    /// The question has no answer here, or none was found within the limits.
    Unsolved(String),
    /// The time was up before there was an answer.
    Late,
}

impl TheoryError {
    /// The text.
    pub fn what(&self) -> &str {
        match self {
            Self::Invalid(what) | Self::TooLarge(what) | Self::Unsolved(what) => what,
            Self::Late => "broken off, the time was up; allow more",
        }
    }
}

impl fmt::Display for TheoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

impl std::error::Error for TheoryError {}
