//! A cell that makes a tensor usable inside an ECS component.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Makes a value that can be sent to another thread but not shared between threads, such as a [`Tensor`](crate::Tensor),
/// `Sync`, as a component has to be. Through `&mut`, the way of every system, it costs nothing; only saving a checkpoint,
/// which has `&`, takes the lock.
///
/// ```
/// fn component<T: Send + Sync>(_: &T) {}
/// let mut cell = equiflow_neural::Exclusive::new(std::cell::Cell::new(1));
/// component(&cell);
/// cell.get().set(2);
/// assert_eq!(cell.lock().get(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Exclusive<T>(Mutex<T>);

impl<T> Exclusive<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Exclusive(Mutex::new(value))
    }

    /// The value.
    pub fn get(&mut self) -> &mut T {
        // A lane whose system panicked is given up, so a poisoned value is not used again.
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, locked.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
