//! Potentials of Markov games that can be written down: those of games in which everyone gets the same, and those of games
//! whose states nobody steers and are potential games by themselves. Other Markov potential games exist, and are not found
//! here.

use super::error::TheoryError;
use super::finite_game::{FiniteGame, Next};
use super::normal_form::NormalForm;
use super::potential::potential;
use super::tabular::{TabularGame, index};

/// The game with the same states in which everyone gets the potential, so that its values are the potential of the
/// game's values; `None` when none is known. Holds for rewards only, and with all players' entropies on both sides.
///
/// # Errors
/// The tables are too large.
pub fn potential_game(game: &TabularGame) -> Result<Option<TabularGame>, TheoryError> {
    let is_common =
        |state: usize| (1..game.players()).all(|player| game.rewards(player, state) == game.rewards(0, state));
    if (0..game.states()).all(is_common) {
        return Ok(Some(game.clone()));
    }
    let is_steered = |state: usize| game.rows(state).any(|row| game.next(row) != game.next(game.rows(state).start));
    if (0..game.states()).any(is_steered) {
        return Ok(None);
    }
    let mut states = Vec::new();
    for state in 0..game.states() {
        let mut form = NormalForm::with_shape(game.shape(state))?;
        form.set_rounded((0..game.players()).flat_map(|player| game.rewards(player, state)).copied().collect());
        match potential(&form).values {
            Some(values) => states.push(values),
            None => return Ok(None),
        }
    }
    TabularGame::new(&Common { game, states }).map(Some)
}

/// A game with other rewards, the same for everyone.
struct Common<'g> {
    game: &'g TabularGame,
    /// [states][rows of the state].
    states: Vec<Vec<f64>>,
}

impl FiniteGame for Common<'_> {
    fn players(&self) -> usize {
        self.game.players()
    }
    fn states(&self) -> usize {
        self.game.states()
    }
    fn actions(&self, state: usize, player: usize) -> usize {
        self.game.actions(state, player)
    }
    fn discount(&self) -> f64 {
        self.game.discount()
    }
    fn start(&self, state: usize) -> f64 {
        self.game.start()[state]
    }
    fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
        self.game.outcome(state, joint, rewards, next);
        rewards.fill(self.states[state][index(joint, self.game.shape(state))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::games::{Congestion, Spread, TwoState};

    #[test]
    fn potentials_are_known_of_common_rewards_and_of_states_that_nobody_steers() {
        let of = |game: &dyn FiniteGame| potential_game(&TabularGame::new(game).unwrap()).unwrap();
        assert!(of(&TwoState::default()).is_some());
        let two = Congestion { players: 2, ..Congestion::default() };
        assert!(of(&two).is_none());
        let chance = Congestion { transitions: Spread::Chance { distancing: 0.5 }, ..two };
        // Rosenthal's: the sum over facilities of 1 + .. + count of the weight, here from both at the first.
        let potential = of(&chance).unwrap();
        let value = |a: usize, b: usize| potential.rewards(0, 0)[4 * a + b] - potential.rewards(0, 0)[0];
        assert!((value(3, 3) - (18.0 - 3.0)).abs() < 1e-12 && (value(0, 1) - (1.0 + 2.0 - 3.0)).abs() < 1e-12);
    }
}
