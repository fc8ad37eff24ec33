//! The marginal reading: policies pi^i(a|s), improved by their mean action values.

use super::cycle::CycleDetector;
use super::improve;
use crate::theory::entropy::{Entropy, Objective};
use crate::theory::error::TheoryError;
use crate::theory::evaluate::{action_values, values};
use crate::theory::profile::{Profile, softmax};
use crate::theory::tabular::TabularGame;

/// Who updates when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// All at once, from the same profile.
    #[default]
    Simultaneous,
    /// One after the other, each seeing the new policies of those before it.
    Sequential,
}

/// The settings of an exact run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vpg {
    /// alpha = eta / (1 - gamma), see [`step_size`](super::step_size).
    pub alpha: f64,
    /// Whose entropy the values count (the paper: the player's own), and the temperature tau.
    pub objective: Objective,
    /// Who updates when.
    pub order: Order,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// No probability changes any more.
    Converged,
    /// The profiles repeat.
    Cycling {
        /// After so many iterations.
        period: usize,
    },
    /// The limit of iterations came first.
    Limit,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Converged => write!(f, "at rest"),
            Self::Cycling { period } => write!(f, "cycling with period {period}"),
            Self::Limit => write!(f, "still moving"),
        }
    }
}

/// What a run led to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The last profile.
    pub profile: Profile,
    /// Iterations done.
    pub iterations: usize,
    /// The largest change of a probability in the last of them.
    pub moved: f64,
    /// How it ended.
    pub end: End,
}

/// The largest change of a probability that counts as none.
const REST: f64 = 1e-14;

impl Vpg {
    /// The paper's settings: own entropy, all at once.
    pub fn new(alpha: f64, temperature: f64) -> Self {
        let objective = Objective { entropy: Entropy::Own, temperature };
        Self { alpha, objective, order: Order::Simultaneous }
    }

    /// Qbar of `player` when everyone, itself included, plays as in `belief`: [states, actions]. What stands there for
    /// the others is its opponent model.
    ///
    /// # Errors
    /// See [`values`].
    pub fn action_values(&self, game: &TabularGame, belief: &Profile, player: usize) -> Result<Vec<f64>, TheoryError> {
        let values = values(game, belief, self.objective)?;
        Ok(action_values(game, belief, values.of(player), player))
    }

    /// The policies of `player` after its update (Eq. 7), written into its place in `next`, which holds those of before.
    ///
    /// # Errors
    /// See [`values`].
    pub fn update(
        &self,
        game: &TabularGame,
        belief: &Profile,
        player: usize,
        next: &mut Profile,
    ) -> Result<(), TheoryError> {
        let q = self.action_values(game, belief, player)?;
        let mut rest = &q[..];
        for state in 0..game.states() {
            let (q, after) = rest.split_at(game.shape(state)[player]);
            improve(next.of_mut(player, state), q, self.alpha, self.objective.temperature);
            rest = after;
        }
        Ok(())
    }

    /// One iteration of all players with exact opponent models; the largest change of a probability.
    ///
    /// # Errors
    /// See [`values`].
    pub fn iterate(&self, game: &TabularGame, profile: &mut Profile) -> Result<f64, TheoryError> {
        let before = profile.clone();
        for player in 0..game.players() {
            let belief = match self.order {
                Order::Simultaneous => before.clone(),
                Order::Sequential => profile.clone(),
            };
            self.update(game, &belief, player, profile)?;
        }
        Ok(profile.distance(&before))
    }

    /// Iterates until nothing changes, the profiles repeat, or `limit`.
    ///
    /// # Errors
    /// See [`values`].
    pub fn run(&self, game: &TabularGame, start: Profile, limit: usize) -> Result<Outcome, TheoryError> {
        let mut profile = start;
        let mut cycles = CycleDetector::default();
        let mut moved = 0.0;
        for iteration in 1..=limit {
            moved = self.iterate(game, &mut profile)?;
            let end = match cycles.push(&profile.values) {
                _ if moved < REST => Some(End::Converged),
                Some(period) => Some(End::Cycling { period }),
                None => None,
            };
            if let Some(end) = end {
                return Ok(Outcome { profile, iterations: iteration, moved, end });
            }
        }
        Ok(Outcome { profile, iterations: limit, moved, end: End::Limit })
    }

    /// The largest difference of a probability to softmax(Qbar / tau): 0 at a fixed point, which is a Markov logit quantal
    /// response equilibrium of lambda = 1 / tau where the entropy is the player's own.
    ///
    /// # Errors
    /// See [`values`].
    pub fn residual(&self, game: &TabularGame, profile: &Profile) -> Result<f64, TheoryError> {
        let mut response = profile.clone();
        for player in 0..game.players() {
            let mut q = self.action_values(game, profile, player)?.into_iter();
            for state in 0..game.states() {
                let part = response.of_mut(player, state);
                part.iter_mut().zip(&mut q).for_each(|(place, q)| *place = q / self.objective.temperature);
                softmax(part);
            }
        }
        Ok(response.distance(profile))
    }
}

/// The asymmetric start pi^i(a|s) proportional to 1 + (a + i + s) mod |A_i|: no symmetry hides an instability.
pub fn asymmetric_start(game: &TabularGame) -> Profile {
    let mut profile = Profile::uniform(game.layout());
    profile.each(|player, state, part| {
        let n = part.len();
        part.iter_mut().enumerate().for_each(|(a, p)| *p = (1 + (a + player + state) % n) as f64);
        let sum: f64 = part.iter().sum();
        part.iter_mut().for_each(|p| *p /= sum);
    });
    profile
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::games::Tables;

    #[test]
    fn small_steps_reach_the_logit_equilibrium_and_large_ones_go_round() {
        // Coordination, with payoffs so large that the logit response overshoots.
        let game = TabularGame::new(&Tables::common(&[[8.0, 0.0], [0.0, 4.0]])).unwrap();
        let small = Vpg::new(0.1, 1.0).run(&game, asymmetric_start(&game), 10_000).unwrap();
        assert_eq!(small.end, End::Converged);
        assert!(Vpg::new(0.1, 1.0).residual(&game, &small.profile).unwrap() < 1e-12);
        // From opposite corners each answers what the other is about to leave.
        let mut apart = asymmetric_start(&game);
        apart.values.copy_from_slice(&[0.8, 0.2, 0.2, 0.8]);
        let even = TabularGame::new(&Tables::common(&[[8.0, 0.0], [0.0, 8.0]])).unwrap();
        let large = Vpg::new(1.0, 1.0).run(&even, apart, 10_000).unwrap();
        assert_eq!(large.end, End::Cycling { period: 2 });
        // One after the other, the same steps climb the common payoff.
        let sequential = Vpg { order: Order::Sequential, ..Vpg::new(1.0, 1.0) };
        assert_eq!(sequential.run(&game, asymmetric_start(&game), 10_000).unwrap().end, End::Converged);
    }
}
