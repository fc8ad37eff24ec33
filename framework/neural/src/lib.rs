//! x
pub use tch; pub use equiflow;
