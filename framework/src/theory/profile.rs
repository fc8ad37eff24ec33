//! Product policies: every player chooses by itself, by a distribution over its actions that depends on the state.

use std::ops::Range;
use std::sync::Arc;

use super::error::TheoryError;

/// Where the numbers of a profile stand: player by player, state by state, action by action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    players: usize,
    states: usize,
    /// Where the actions of (player, state) begin: [players x states + 1].
    starts: Vec<usize>,
}

impl Layout {
    /// The layout where `player` has `actions(state, player)` actions in `state`.
    pub fn new(players: usize, states: usize, actions: impl Fn(usize, usize) -> usize) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for player in 0..players {
            for state in 0..states {
                end += actions(state, player);
                starts.push(end);
            }
        }
        Self { players, states, starts }
    }

    /// How many players.
    pub fn players(&self) -> usize {
        self.players
    }

    /// How many states.
    pub fn states(&self) -> usize {
        self.states
    }

    /// How many numbers a profile has.
    pub fn len(&self) -> usize {
        self.starts[self.players * self.states]
    }

    /// Whether a profile has no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the numbers of `player` in `state` stand.
    #[inline]
    pub fn range(&self, player: usize, state: usize) -> Range<usize> {
        let at = player * self.states + state;
        self.starts[at]..self.starts[at + 1]
    }

    /// Where the numbers of `player` in all states stand.
    pub fn of_player(&self, player: usize) -> Range<usize> {
        self.starts[player * self.states]..self.starts[(player + 1) * self.states]
    }
}

/// One distribution per player and state.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Where the numbers stand.
    pub layout: Arc<Layout>,
    /// The probabilities.
    pub values: Vec<f64>,
}

impl Profile {
    /// Every action equally likely.
    pub fn uniform(layout: &Arc<Layout>) -> Self {
        let mut profile = Self { layout: Arc::clone(layout), values: vec![0.0; layout.len()] };
        profile.each(|_, _, part| part.fill(1.0 / part.len() as f64));
        profile
    }

    /// Every player takes the action that `choice(player, state)` names.
    pub fn pure(layout: &Arc<Layout>, choice: impl Fn(usize, usize) -> usize) -> Self {
        let mut profile = Self { layout: Arc::clone(layout), values: vec![0.0; layout.len()] };
        profile.each(|player, state, part| part[choice(player, state)] = 1.0);
        profile
    }

    /// Every player's policy the softmax of its logits, in each state.
    ///
    /// # Panics
    /// When there are too few logits or too many.
    pub fn softmax(layout: &Arc<Layout>, logits: &[f64]) -> Self {
        assert_eq!(logits.len(), layout.len(), "one logit per player, state and action");
        let mut profile = Self { layout: Arc::clone(layout), values: logits.to_vec() };
        profile.each(|_, _, part| softmax(part));
        profile
    }

    /// The numbers as they are given, checked.
    ///
    /// # Errors
    /// There are too few or too many, one is no probability, or those of a player in a state do not sum to 1 (within
    /// 1e-9).
    pub fn new(layout: &Arc<Layout>, values: Vec<f64>) -> Result<Self, TheoryError> {
        if values.len() != layout.len() {
            let what = format!("the profile has {} numbers; expected {}", values.len(), layout.len());
            return Err(TheoryError::Invalid(what));
        }
        let profile = Self { layout: Arc::clone(layout), values };
        for player in 0..layout.players() {
            for state in 0..layout.states() {
                let part = profile.of(player, state);
                let sum: f64 = part.iter().sum();
                if part.iter().any(|p| !(0.0..=1.0 + 1e-9).contains(p)) || (sum - 1.0).abs() > 1e-9 {
                    let what = format!(
                        "player {player} in state {state} chooses with {part:?}, which sums to {sum}; expected \
                         probabilities that sum to 1"
                    );
                    return Err(TheoryError::Invalid(what));
                }
            }
        }
        Ok(profile)
    }

    /// The distribution of `player` in `state`.
    #[inline]
    pub fn of(&self, player: usize, state: usize) -> &[f64] {
        &self.values[self.layout.range(player, state)]
    }

    /// The same, to be changed.
    #[inline]
    pub fn of_mut(&mut self, player: usize, state: usize) -> &mut [f64] {
        &mut self.values[self.layout.range(player, state)]
    }

    /// Calls `change(player, state, distribution)` for each.
    pub fn each(&mut self, mut change: impl FnMut(usize, usize, &mut [f64])) {
        let layout = Arc::clone(&self.layout);
        for player in 0..layout.players() {
            for state in 0..layout.states() {
                change(player, state, self.of_mut(player, state));
            }
        }
    }

    /// The largest difference of a probability to the other profile's.
    ///
    /// # Panics
    /// When the other has another layout.
    pub fn distance(&self, other: &Self) -> f64 {
        assert_eq!(self.layout, other.layout, "profiles of two games are compared");
        self.values.iter().zip(&other.values).fold(0.0, |most, (x, y)| (x - y).abs().max(most))
    }
}

/// Logits to probabilities, in place.
pub fn softmax(x: &mut [f64]) {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    x.iter_mut().for_each(|x| *x = (*x - most).exp());
    let sum: f64 = x.iter().sum();
    x.iter_mut().for_each(|x| *x /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Arc<Layout> {
        // Player 0 has 2 actions in both states; player 1 has 1 in state 0 and 3 in state 1.
        Arc::new(Layout::new(2, 2, |state, player| [2, 1 + 2 * state][player]))
    }

    #[test]
    fn numbers_stand_player_by_player_and_state_by_state() {
        let layout = layout();
        assert_eq!(layout.len(), 8);
        assert_eq!([layout.range(0, 1), layout.range(1, 0), layout.range(1, 1)], [2..4, 4..5, 5..8]);
        let pure = Profile::pure(&layout, |player, state| player * state);
        assert_eq!(pure.values, [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(Profile::uniform(&layout).of(1, 1), [1.0 / 3.0; 3]);
        assert_eq!(pure.distance(&Profile::uniform(&layout)), 1.0 - 1.0 / 3.0);
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        let layout = layout();
        let uniform = Profile::uniform(&layout).values;
        assert!(Profile::new(&layout, uniform.clone()).is_ok());
        for (at, value) in [(0, 0.6), (4, f64::NAN), (5, -0.1)] {
            let mut wrong = uniform.clone();
            wrong[at] = value;
            assert!(matches!(Profile::new(&layout, wrong), Err(TheoryError::Invalid(_))));
        }
        assert!(Profile::new(&layout, vec![1.0]).is_err());
    }
}
