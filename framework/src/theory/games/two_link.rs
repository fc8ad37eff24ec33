//! Routing over two links whose safety depends on how many used them: a small Markov game of N players.

use serde::{Deserialize, Serialize};

use super::Rewards;
use crate::params;
use crate::params::Invalid;
use crate::theory::{FiniteGame, Next};

/// What decides which links are safe next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// How many use them.
    Load,
    /// Chance alone.
    Chance {
        /// The probability that a link is safe next.
        safe: f64,
    },
}

params! {
    /// Two-link routing: every player takes one of two links and gets its `bonus` less `slope` per player on it, twice
    /// as much when the link is `safe_factor` 2. A link with fewer than `light_load` players is likely to be safe next.
    /// The state says of each link whether it is safe; state 3 (both) is the start.
    pub struct TwoLink {
        /// How many players.
        players: usize = 4,
        /// What a link costs per player on it.
        slopes: [f64; 2] = [2.0, 4.0],
        /// What taking a link is worth.
        bonuses: [f64; 2] = [9.0, 16.0],
        /// How many times the slope counts on a safe link; once on an unsafe one.
        safe_factor: f64 = 2.0,
        /// Fewer players than this are a light load.
        light_load: usize = 2,
        /// The probability that a link is safe after a light load; after a heavy one it is that of the opposite.
        safe_after_light: f64 = 0.8,
        /// `own`, or `team`: everyone gets the sum of what all get.
        rewards: Rewards = Rewards::Own,
        /// What decides which links are safe next: `load`, or `chance(safe: 0.5)` whatever the players do.
        transitions: Repair = Repair::Load,
        /// Discount of the next step's value.
        discount: f64 = 0.99,
    }
}

impl TwoLink {
    /// Whether the parameters make sense.
    ///
    /// # Errors
    /// The one that does not.
    pub fn check(&self) -> Result<(), Invalid> {
        let share = |field, value: f64| {
            let fits = (0.0..=1.0).contains(&value);
            if fits { Ok(()) } else { Err(Invalid::new(field, format!("it is {value}; expected 0 to 1"))) }
        };
        let finite = |field, values: &[f64]| {
            let fits = values.iter().all(|value| value.is_finite());
            if fits { Ok(()) } else { Err(Invalid::new(field, format!("it is {values:?}; expected finite numbers"))) }
        };
        if self.players == 0 {
            return Err(Invalid::new("players", "there are 0 players; expected at least 1"));
        }
        finite("slopes", &self.slopes)?;
        finite("bonuses", &self.bonuses)?;
        finite("safe_factor", &[self.safe_factor])?;
        share("safe_after_light", self.safe_after_light)?;
        if let Repair::Chance { safe } = self.transitions {
            share("transitions", safe)?;
        }
        share("discount", self.discount)
    }

    /// Whether `link` is safe in `state`.
    fn is_safe(state: usize, link: usize) -> bool {
        state >> link & 1 == 1
    }
}

impl FiniteGame for TwoLink {
    fn players(&self) -> usize {
        self.players
    }
    fn states(&self) -> usize {
        4
    }
    fn actions(&self, _state: usize, _player: usize) -> usize {
        2
    }
    fn discount(&self) -> f64 {
        self.discount
    }
    fn start(&self, state: usize) -> f64 {
        f64::from(state == 3)
    }
    fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
        let mut loads = [0; 2];
        joint.iter().for_each(|link| loads[*link] += 1);
        for (reward, &link) in rewards.iter_mut().zip(joint) {
            let factor = if Self::is_safe(state, link) { self.safe_factor } else { 1.0 };
            *reward = self.bonuses[link] - factor * self.slopes[link] * loads[link] as f64;
        }
        self.rewards.share(rewards);
        let safe = loads.map(|load| match self.transitions {
            Repair::Chance { safe } => safe,
            Repair::Load if load < self.light_load => self.safe_after_light,
            Repair::Load => 1.0 - self.safe_after_light,
        });
        next.extend((0..4).map(|to| {
            let chances = [0, 1].map(|link| if Self::is_safe(to, link) { safe[link] } else { 1.0 - safe[link] });
            (to, chances[0] * chances[1])
        }));
    }
    fn state_name(&self, state: usize) -> String {
        ["both unsafe", "link 0 safe", "link 1 safe", "both safe"][state].to_owned()
    }
    fn action_name(&self, _state: usize, _player: usize, action: usize) -> String {
        format!("link {action}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_cost_and_decide_what_is_safe_next() {
        let game = TwoLink::default();
        let (mut rewards, mut next) = ([f64::NAN; 4], Next::new());
        // Link 1 is safe, so that its slope counts twice: 16 - 2 x 4 x 1, and 9 - 2 x 3 on the unsafe link 0.
        game.outcome(2, &[0, 0, 1, 0], &mut rewards, &mut next);
        assert_eq!(rewards, [3.0, 3.0, 8.0, 3.0]);
        let expected = [0.8 * 0.2, 0.2 * 0.2, 0.8 * 0.8, 0.2 * 0.8];
        for ((state, probability), expected) in next.iter().zip(expected) {
            assert!((probability - expected).abs() < 1e-15, "{state}: {next:?}");
        }
    }

    #[test]
    fn variants_share_the_reward_or_leave_the_state_to_chance() {
        let game = TwoLink {
            players: 2,
            rewards: Rewards::Team,
            transitions: Repair::Chance { safe: 0.5 },
            ..TwoLink::default()
        };
        let (mut rewards, mut next) = ([f64::NAN; 2], Next::new());
        game.outcome(0, &[1, 1], &mut rewards, &mut next);
        assert_eq!(rewards, [16.0; 2]);
        assert_eq!(next, [(0, 0.25), (1, 0.25), (2, 0.25), (3, 0.25)]);
    }

    #[test]
    fn nonsense_is_refused_by_parameter() {
        let field = |game: TwoLink| game.check().unwrap_err().field;
        assert_eq!(TwoLink::default().check(), Ok(()));
        assert_eq!(field(TwoLink { players: 0, ..TwoLink::default() }), Some("players"));
        assert_eq!(field(TwoLink { bonuses: [f64::NAN, 0.0], ..TwoLink::default() }), Some("bonuses"));
        assert_eq!(field(TwoLink { safe_after_light: 2.0, ..TwoLink::default() }), Some("safe_after_light"));
    }
}
