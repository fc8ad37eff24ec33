//! x
pub use equiflow;
pub use equiflow_neural;
