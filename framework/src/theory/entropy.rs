//! Which values are meant: those of the rewards alone, or with the entropy of the policies added.

/// Whose entropy is added to a player's reward in every state that is visited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entropy {
    /// Nobody's: rewards only.
    #[default]
    None,
    /// The player's own, as in the paper's value.
    Own,
    /// The sum of all players'.
    Shared,
}

/// What a player's value counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective {
    /// Whose entropy.
    pub entropy: Entropy,
    /// How much a nat of it is worth (tau).
    pub temperature: f64,
}

/// The entropy of a distribution in nats.
pub fn entropy(distribution: &[f64]) -> f64 {
    -distribution.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f64>()
}
