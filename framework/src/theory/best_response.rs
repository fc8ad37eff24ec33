//! The best that one player can do when the others keep to their policies.

use std::sync::Arc;

use super::contract::Contraction;
use super::decision::{Decision, Optimum};
use super::error::TheoryError;
use super::moves::Moves;
use super::profile::Profile;
use super::tabular::{TabularGame, advance};

/// A best response of `player` to the others' part of the profile, with its values: a pure policy, the best in every
/// state at once.
///
/// # Errors
/// There are too many states, or with discount 1 some policy may never end.
pub fn best_response(game: &TabularGame, profile: &Profile, player: usize) -> Result<Optimum, TheoryError> {
    decision(game, profile, player).solve(game.discount())
}

/// The game as `player` has it before it: rewards and transitions averaged over the others.
fn decision(game: &TabularGame, profile: &Profile, player: usize) -> Decision {
    let states = game.states();
    let mut contraction = Contraction::default();
    let mut decision = Decision { first_choice: vec![0], ..Decision::default() };
    let mut all = Moves::default();
    let mut joint = vec![0; game.players()];
    let mut moves = Vec::new();
    for state in 0..states {
        let shape = game.shape(state);
        let weights = |other: usize| profile.of(other, state);
        let rewards = contraction.keep(game.rewards(player, state), shape, &[player], weights);
        decision.rewards.extend_from_slice(rewards);
        decision.first_choice.push(decision.rewards.len());
        if game.is_one_shot() {
            continue;
        }
        // Where each action leads: [actions, states].
        moves.clear();
        moves.resize(shape[player] * states, 0.0);
        joint.fill(0);
        for row in game.rows(state) {
            let next = game.next(row);
            if !next.is_empty() {
                let others = joint.iter().enumerate().filter(|(other, _)| *other != player);
                let weight: f64 = others.map(|(other, a)| weights(other)[*a]).product();
                for &(to, p) in next {
                    moves[joint[player] * states + to] += weight * p;
                }
            }
            advance(&mut joint, shape);
        }
        for moves in moves.chunks_exact(states) {
            all.push(moves.iter().copied().enumerate().filter(|(_, p)| *p > 0.0));
        }
    }
    decision.moves = Arc::new(all);
    decision
}
