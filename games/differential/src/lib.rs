//! Differential games: players choose real numbers, payoffs are smooth or nearly so.

mod max_of_two;
mod quadratic;
mod sequential;
mod sisters;
mod wolf;

pub use max_of_two::{MaxOfTwo, Terminal, Version};
pub use quadratic::Quadratic;
pub use sequential::Sequential;
pub use sisters::{Cooperative, Rotational, Trigonometric, ZeroSum};
pub use wolf::Wolf;

equiflow::export_plugin! {
    games {
        max_of_two: MaxOfTwo,
        sequential_max_of_two: Sequential,
        zero_sum: ZeroSum,
        trigonometric: Trigonometric,
        rotational: Rotational,
        cooperative: Cooperative,
        wolf: Wolf,
        quadratic: Quadratic,
    }
}
