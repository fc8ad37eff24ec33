//! Nash equilibria in pure strategies, by looking at every cell.

use std::cmp::Ordering;

use super::normal_form::NormalForm;

/// The cells in which nobody gains by another strategy, in order. Payoffs are compared exactly where they are exact.
pub fn pure_nash(game: &NormalForm) -> Vec<usize> {
    let players = game.shape().len();
    (0..game.cells()).filter(|cell| (0..players).all(|player| is_best(game, player, *cell))).collect()
}

fn is_best(game: &NormalForm, player: usize, cell: usize) -> bool {
    let (choice, stride) = game.place(player, cell);
    let first = cell - choice * stride;
    (0..game.shape()[player]).all(|other| game.compare(player, first + other * stride, cell) != Ordering::Greater)
}
