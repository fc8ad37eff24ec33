//! Opponent models, for any algorithm that takes one: the opponent's true policy, what it did of late, and what it would
//! do for its own good.

mod empirical;
mod exact;
mod variational;

pub use empirical::Empirical;
pub use exact::Exact;
pub use variational::Variational;

equiflow::export_plugin! {
    opponent_models { exact: Exact, empirical: Empirical, variational: Variational }
}
