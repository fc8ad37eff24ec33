//! What a finite game is: states, the actions that each player has in each, and what happens after a joint action.

pub use super::moves::Next;
use super::normal_form::NormalForm;
use super::tabular::TabularGame;

/// The rules of a finite game in full: a Markov game of N players with finitely many states and actions. States,
/// players and actions are counted from 0.
///
/// A one-shot game is a game of one state that ends after every step; a terminal state is left out, as going there is
/// the end. Solvers work on [`TabularGame`](super::TabularGame), which writes the rules out and checks them.
pub trait FiniteGame: Send + Sync {
    /// How many players; at least 1.
    fn players(&self) -> usize;

    /// How many states; at least 1.
    fn states(&self) -> usize {
        1
    }

    /// How many actions `player` has in `state`; at least 1. The legal actions are all numbers below.
    fn actions(&self, state: usize, player: usize) -> usize;

    /// How much a reward one step later counts, in [0, 1].
    fn discount(&self) -> f64 {
        1.0
    }

    /// The probability that an episode starts in `state`; sums to 1 over the states.
    fn start(&self, state: usize) -> f64 {
        f64::from(state == 0)
    }

    /// What follows when the players choose `joint` in `state`: writes one reward per player to `rewards`, and adds to
    /// `next`, which is empty, where it leads.
    fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next);

    /// The same game with exact payoffs, where it is a one-shot game that has them.
    fn normal_form(&self) -> Option<&NormalForm> {
        None
    }

    /// The same game written out, where it is.
    fn table(&self) -> Option<&TabularGame> {
        None
    }

    /// What a person calls `player`.
    fn player_name(&self, player: usize) -> String {
        format!("player {player}")
    }

    /// What a person calls `state`.
    fn state_name(&self, state: usize) -> String {
        state.to_string()
    }

    /// What a person calls an action.
    fn action_name(&self, _state: usize, _player: usize, action: usize) -> String {
        action.to_string()
    }
}
