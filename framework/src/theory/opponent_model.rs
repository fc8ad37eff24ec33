//! Tabular opponent models: what a player thinks of another's policy.

use super::deadline::Deadline;
use super::entropy::entropy;
use super::error::TheoryError;
use super::evaluate::{action_values, solve, transitions};
use super::profile::{Profile, softmax};
use super::tabular::TabularGame;
use nalgebra::DMatrix;

/// Rounds after which the search for a model gives up.
const ROUNDS: usize = 10_000;
/// The largest change of a probability that counts as none.
const REST: f64 = 1e-14;

/// Prop. 4.7: the optimal model of `opponent`, written into its place in `belief`, whose other policies are fixed:
///
/// rho(b|s) = pihat(b|s) exp(E Q_rho(s, b) / tau) / Z,  Q_rho counting the opponent's reward less tau KL(rho || pihat).
///
/// The divergence is printed the wrong way round in the paper; the expectation is over the player's *marginal* policy;
/// and the prior `pihat` stays what it is while rho is iterated. (Put in rho's place every round, it would drift to a
/// pure policy.)
///
/// # Errors
/// tau is not above 0, the values have no limit, or the rounds do not suffice.
pub fn variational(
    game: &TabularGame,
    belief: &mut Profile,
    prior: &Profile,
    opponent: usize,
    temperature: f64,
) -> Result<(), TheoryError> {
    if temperature.is_nan() || temperature <= 0.0 {
        return Err(TheoryError::Invalid(format!("the temperature is {temperature}; expected a number above 0")));
    }
    for _ in 0..ROUNDS {
        let before = belief.clone();
        let values = values_over_prior(game, belief, prior, opponent, temperature)?;
        let mut promised = action_values(game, belief, &values, opponent).into_iter();
        for state in 0..game.states() {
            let prior = prior.of(opponent, state);
            let part = belief.of_mut(opponent, state);
            for ((place, q), prior) in part.iter_mut().zip(&mut promised).zip(prior) {
                *place = prior.ln() + q / temperature;
            }
            softmax(part);
        }
        if belief.distance(&before) < REST {
            return Ok(());
        }
    }
    let what =
        format!("the model of player {opponent} has found no rest in {ROUNDS} rounds; take a higher temperature");
    Err(TheoryError::Unsolved(what))
}

/// The value of every state for `player`: reward less tau KL(policy || prior).
///
/// # Errors
/// See [`values`](super::evaluate::values).
pub fn values_over_prior(
    game: &TabularGame,
    profile: &Profile,
    prior: &Profile,
    player: usize,
    temperature: f64,
) -> Result<Vec<f64>, TheoryError> {
    let rewards = action_values(game, profile, &vec![0.0; game.states()], player);
    let mut rest = &rewards[..];
    let mut sums = DMatrix::zeros(game.states(), 1);
    for state in 0..game.states() {
        let (policy, prior) = (profile.of(player, state), prior.of(player, state));
        let (rewards, after) = rest.split_at(policy.len());
        rest = after;
        let cross: f64 = policy.iter().zip(prior).filter(|(p, _)| **p > 0.0).map(|(p, prior)| p * prior.ln()).sum();
        let reward: f64 = policy.iter().zip(rewards).map(|(p, r)| p * r).sum();
        sums[state] = reward + temperature * (entropy(policy) + cross);
    }
    Ok(solve(&transitions(game, profile)?, game.discount(), &sums, Deadline::NONE)?.as_slice().to_vec())
}

/// Counts of another player's actions by state, of which the shares are the maximum-likelihood policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    /// In the layout of a profile: only the opponents' places are used.
    pub counts: Vec<f64>,
}

impl Counts {
    /// None, for a game.
    pub fn new(game: &TabularGame) -> Self {
        Self { counts: vec![0.0; game.layout().len()] }
    }

    /// Writes the shares of `opponent` to its place in `belief`, each count raised by `smoothing`; a state without any count
    /// gives the uniform policy.
    pub fn write(&self, opponent: usize, smoothing: f64, belief: &mut Profile) {
        let layout = belief.layout.clone();
        for state in 0..layout.states() {
            let counts = &self.counts[layout.range(opponent, state)];
            let all: f64 = counts.iter().map(|count| count + smoothing).sum();
            let uniform = 1.0 / counts.len() as f64;
            let part = belief.of_mut(opponent, state).iter_mut().zip(counts);
            part.for_each(|(place, count)| *place = if all > 0.0 { (count + smoothing) / all } else { uniform });
        }
    }
}
