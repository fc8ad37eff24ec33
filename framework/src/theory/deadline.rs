//! When a computation is to stop.

use std::time::{Duration, Instant};

use super::error::TheoryError;

/// A moment after which nothing more is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// However long it takes.
    pub const NONE: Self = Self(None);

    /// So long from now.
    pub fn after(max_time: Duration) -> Self {
        Self(Instant::now().checked_add(max_time))
    }

    /// Whether the time is up.
    pub fn is_over(self) -> bool {
        self.0.is_some_and(|until| Instant::now() > until)
    }

    /// That the time is not up.
    ///
    /// # Errors
    /// [`TheoryError::Late`]
    pub fn check(self) -> Result<(), TheoryError> {
        if self.is_over() { Err(TheoryError::Late) } else { Ok(()) }
    }
}
