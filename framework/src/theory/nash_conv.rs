//! How far a profile is from a Nash equilibrium, and what it is worth to all.

use std::sync::Arc;

use super::best_response::best_response;
use super::decision::{Decision, Optimum};
use super::entropy::Objective;
use super::error::TheoryError;
use super::evaluate::{Values, values};
use super::profile::Profile;
use super::tabular::TabularGame;

/// What deviations from a profile bring.
#[derive(Clone, Debug, PartialEq)]
pub struct NashConv {
    /// What the profile is worth, rewards only.
    pub values: Values,
    /// The best response of each player.
    pub responses: Vec<Optimum>,
    /// What each player gains by its best response, from the start distribution; not below 0.
    pub gains: Vec<f64>,
    /// The most that each player gains in any state.
    pub largest_gains: Vec<f64>,
}

impl NashConv {
    /// The sum of the gains.
    pub fn total(&self) -> f64 {
        self.gains.iter().sum()
    }

    /// The mean of the gains. (In two-player zero-sum games half of NashConv, as usual.)
    pub fn exploitability(&self) -> f64 {
        self.total() / self.gains.len() as f64
    }

    /// The largest gain: the profile is an epsilon-Nash equilibrium with this epsilon.
    pub fn epsilon(&self) -> f64 {
        self.gains.iter().fold(0.0, |most, gain| gain.max(most))
    }

    /// How far the linear systems and best responses are from exact; see [`Values::residual`], [`Optimum::residual`].
    pub fn residual(&self) -> f64 {
        self.responses.iter().fold(self.values.residual, |most, response| most.max(response.residual))
    }
}

/// The gains of all players.
///
/// # Errors
/// There are too many states, or with discount 1 some policy may never end.
pub fn nash_conv(game: &TabularGame, profile: &Profile) -> Result<NashConv, TheoryError> {
    let values = values(game, profile, Objective::default())?;
    let mut found = NashConv { values, responses: Vec::new(), gains: Vec::new(), largest_gains: Vec::new() };
    for player in 0..game.players() {
        let response = best_response(game, profile, player)?;
        let differences = response.values.iter().zip(found.values.of(player)).map(|(best, value)| best - value);
        let differences: Vec<f64> = differences.collect();
        let gain: f64 = game.start().iter().zip(&differences).map(|(start, gain)| start * gain).sum();
        found.gains.push(gain.max(0.0));
        found.largest_gains.push(differences.into_iter().fold(0.0, f64::max));
        found.responses.push(response);
    }
    Ok(found)
}

/// The most that the players can get together, acting as one: the choices are rows of their state.
///
/// # Errors
/// There are too many states, or with discount 1 play may never end.
pub fn social_optimum(game: &TabularGame) -> Result<Optimum, TheoryError> {
    let moves = Arc::clone(game.moves());
    let mut decision = Decision { first_choice: vec![0], moves, ..Decision::default() };
    for state in 0..game.states() {
        for at in 0..game.rows(state).len() {
            decision.rewards.push((0..game.players()).map(|player| game.rewards(player, state)[at]).sum());
        }
        decision.first_choice.push(decision.rewards.len());
    }
    decision.solve(game.discount())
}
