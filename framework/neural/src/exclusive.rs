//! A cell that makes a tensor usable inside an ECS component.

use std::sync::{Mutex, PoisonError};

/// Holds a value that can be sent to another thread but not shared between threads, such as a [`Tensor`](crate::Tensor),
/// and hands it out through `&mut` only. That makes the cell `Sync`, as a component has to be, at no cost: the lock
/// inside is never taken.
///
/// ```
/// fn component<T: Send + Sync>(_: &T) {}
/// let mut cell = equiflow_neural::Exclusive::new(std::cell::Cell::new(1));
/// component(&cell);
/// cell.get().set(2);
/// assert_eq!(cell.into_inner().get(), 2);
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
        // Never locked, hence never poisoned.
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unwraps the value.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
