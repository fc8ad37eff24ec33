//! The congestion game with safe and distancing states of Leonardos et al. 2022 ("Global convergence of multi-agent
//! policy gradient in Markov potential games", section 5).

use serde::{Deserialize, Serialize};

use super::Rewards;
use crate::params;
use crate::params::Invalid;
use crate::theory::{FiniteGame, Next};

/// What decides the next state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// The crowds.
    Crowds,
    /// Chance alone, whatever the players do and whatever the state is.
    Chance {
        /// The probability that the next state is the distancing one.
        distancing: f64,
    },
}

params! {
    /// Congestion (Leonardos et al. 2022): every player chooses a facility and earns its weight for each player there,
    /// itself included. A crowd leads from the safe state to the distancing state, where everyone earns `penalty` less,
    /// and only thin spread leads back. State 0 is the safe one.
    pub struct Congestion {
        /// How many players.
        players: usize = 8,
        /// What a facility is worth to a player there, per player there.
        weights: Vec<f64> = vec![1.0, 2.0, 4.0, 6.0],
        /// How much less everyone earns in the distancing state.
        penalty: f64 = 100.0,
        /// More players than this at one facility lead to the distancing state. None: half of the players.
        crowd: Option<f64> = None,
        /// At most so many players at each facility lead back to the safe state. None: a quarter of the players.
        spread: Option<f64> = None,
        /// `own`, or `team`: everyone gets the sum of what all earn.
        rewards: Rewards = Rewards::Own,
        /// What decides the next state: `crowds`, or `chance(distancing: 0.5)` whatever the players do.
        transitions: Spread = Spread::Crowds,
        /// Discount of the next step's value.
        discount: f64 = 0.99,
        /// The probability that an episode starts in the safe state.
        start_safe: f64 = 1.0,
    }
}

impl Congestion {
    /// Whether the parameters make sense.
    ///
    /// # Errors
    /// The one that does not.
    pub fn check(&self) -> Result<(), Invalid> {
        let share = |field, value: f64| {
            let fits = (0.0..=1.0).contains(&value);
            if fits { Ok(()) } else { Err(Invalid::new(field, format!("it is {value}; expected 0 to 1"))) }
        };
        if self.players == 0 {
            return Err(Invalid::new("players", "there are 0 players; expected at least 1"));
        }
        if self.weights.is_empty() || self.weights.iter().any(|weight| !weight.is_finite()) {
            let what = format!("they are {:?}; expected at least one finite number", self.weights);
            return Err(Invalid::new("weights", what));
        }
        if !self.penalty.is_finite() {
            return Err(Invalid::new("penalty", format!("it is {}; expected a finite number", self.penalty)));
        }
        for (field, value) in [("crowd", self.crowd), ("spread", self.spread)] {
            if value.is_some_and(f64::is_nan) {
                return Err(Invalid::new(field, "it is NaN; expected a number of players"));
            }
        }
        if let Spread::Chance { distancing } = self.transitions {
            share("transitions", distancing)?;
        }
        share("discount", self.discount)?;
        share("start_safe", self.start_safe)
    }

    /// How many players are at each facility.
    fn counts(&self, joint: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.weights.len()];
        joint.iter().for_each(|facility| counts[*facility] += 1);
        counts
    }

    /// The state after `state` when the largest crowd is `most`, by the crowds.
    pub fn next_state(&self, state: usize, most: usize) -> usize {
        let players = self.players as f64;
        if state == 0 {
            usize::from(most as f64 > self.crowd.unwrap_or(players / 2.0))
        } else {
            usize::from(most as f64 > self.spread.unwrap_or(players / 4.0))
        }
    }
}

impl FiniteGame for Congestion {
    fn players(&self) -> usize {
        self.players
    }
    fn states(&self) -> usize {
        2
    }
    fn actions(&self, _state: usize, _player: usize) -> usize {
        self.weights.len()
    }
    fn discount(&self) -> f64 {
        self.discount
    }
    fn start(&self, state: usize) -> f64 {
        [self.start_safe, 1.0 - self.start_safe][state]
    }
    fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
        let counts = self.counts(joint);
        for (reward, facility) in rewards.iter_mut().zip(joint) {
            *reward = self.weights[*facility] * counts[*facility] as f64 - self.penalty * state as f64;
        }
        self.rewards.share(rewards);
        match self.transitions {
            Spread::Crowds => next.push((self.next_state(state, counts.into_iter().max().unwrap_or(0)), 1.0)),
            Spread::Chance { distancing } => next.extend([(0, 1.0 - distancing), (1, distancing)]),
        }
    }
    fn state_name(&self, state: usize) -> String {
        ["safe", "distancing"][state].to_owned()
    }
    fn action_name(&self, _state: usize, _player: usize, action: usize) -> String {
        format!("facility {action}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::TabularGame;

    /// Rewards of all players and the next state.
    fn step(game: &Congestion, state: usize, joint: &[usize]) -> (Vec<f64>, Next) {
        let (mut rewards, mut next) = (vec![f64::NAN; joint.len()], Next::new());
        game.outcome(state, joint, &mut rewards, &mut next);
        (rewards, next)
    }

    #[test]
    fn crowds_earn_and_spread_the_danger() {
        let game = Congestion { players: 4, ..Congestion::default() };
        assert_eq!(step(&game, 0, &[3, 3, 0, 1]), (vec![12.0, 12.0, 1.0, 2.0], vec![(0, 1.0)]));
        assert_eq!(step(&game, 0, &[3, 3, 3, 1]), (vec![18.0, 18.0, 18.0, 2.0], vec![(1, 1.0)]));
        assert_eq!(step(&game, 1, &[0, 0, 2, 3]), (vec![-98.0, -98.0, -96.0, -94.0], vec![(1, 1.0)]));
        assert_eq!(step(&game, 1, &[0, 1, 2, 3]), (vec![-99.0, -98.0, -96.0, -94.0], vec![(0, 1.0)]));
    }

    #[test]
    fn variants_share_the_reward_or_leave_the_state_to_chance() {
        let team = Congestion { players: 2, rewards: Rewards::Team, ..Congestion::default() };
        assert_eq!(step(&team, 0, &[3, 3]).0, [24.0, 24.0]);
        let chance = Congestion { transitions: Spread::Chance { distancing: 0.25 }, ..team };
        assert_eq!(step(&chance, 1, &[3, 0]), (vec![-193.0, -193.0], vec![(0, 0.75), (1, 0.25)]));
    }

    #[test]
    fn eight_players_fit_in_tables_and_twenty_are_refused_with_their_size() {
        let table = TabularGame::new(&Congestion::default()).unwrap();
        assert_eq!(table.rows(1), 65_536..131_072);
        assert!(table.spec().players.len() == 8 && !table.spec().common_reward);
        let error = TabularGame::new(&Congestion { players: 20, ..Congestion::default() }).unwrap_err();
        assert!(error.what().contains("2199023255552 joint actions"), "{error}");
    }

    #[test]
    fn nonsense_is_refused_by_parameter() {
        let field = |game: Congestion| game.check().unwrap_err().field;
        assert_eq!(Congestion::default().check(), Ok(()));
        assert_eq!(field(Congestion { players: 0, ..Congestion::default() }), Some("players"));
        assert_eq!(field(Congestion { weights: vec![], ..Congestion::default() }), Some("weights"));
        assert_eq!(field(Congestion { discount: 1.5, ..Congestion::default() }), Some("discount"));
        let transitions = Spread::Chance { distancing: -0.5 };
        assert_eq!(field(Congestion { transitions, ..Congestion::default() }), Some("transitions"));
    }
}
