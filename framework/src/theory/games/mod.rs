//! The finite games that the paper's statements are tested on. Those with parameters are played in the world by the
//! plugin `congestion`, which registers them under their names.

mod congestion;
mod tables;
mod two_link;
mod two_state;

use serde::{Deserialize, Serialize};

pub use congestion::{Congestion, Spread};
pub use tables::{Tables, free_or_bound, safe_or_match};
pub use two_link::{Repair, TwoLink};
pub use two_state::TwoState;

/// Whose reward a player gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rewards {
    /// Everyone its own.
    Own,
    /// Everyone the sum of all players': a game of identical interest.
    Team,
}

impl Rewards {
    /// What the players get, from what each earns.
    fn share(self, rewards: &mut [f64]) {
        if self == Self::Team {
            let sum = rewards.iter().sum();
            rewards.fill(sum);
        }
    }
}
