//! Nash equilibria in pure strategies, by looking at every cell.

use std::cmp::Ordering;

use super::normal_form::NormalForm;

/// The cells in which nobody gains by another strategy, in order. Payoffs are compared exactly where they are exact.
pub fn pure_nash(game: &NormalForm) -> Vec<usize> {
    let mut stable = vec![true; game.cells()];
    for (player, &strategies) in game.shape().iter().enumerate() {
        let (_, stride) = game.place(player, 0);
        for first in (0..game.cells()).filter(|cell| game.place(player, *cell).0 == 0) {
            let line = || (0..strategies).map(|strategy| first + strategy * stride);
            let best = line().fold(first, |best, cell| match game.compare(player, cell, best) {
                Ordering::Greater => cell,
                _ => best,
            });
            for cell in line() {
                stable[cell] &= game.compare(player, cell, best) == Ordering::Equal;
            }
        }
    }
    (0..stable.len()).filter(|cell| stable[*cell]).collect()
}

/// The most that a player gains by another strategy in a cell.
pub fn regret(game: &NormalForm, cell: usize) -> f64 {
    let gain = |player: usize| {
        let (choice, stride) = game.place(player, cell);
        let payoffs = game.payoffs(player);
        let best = (0..game.shape()[player]).map(|other| payoffs[cell - choice * stride + other * stride]);
        best.fold(f64::NEG_INFINITY, f64::max) - payoffs[cell]
    };
    (0..game.shape().len()).map(gain).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::nfg;

    #[test]
    fn ties_are_equilibria_and_fractions_are_not_rounded() {
        let of = |payoff: &str| {
            let text = format!("NFG 1 R \"\" {{ \"A\" \"B\" }} {{ 2 2 }} 1/3 1 {payoff} 1 0 0 0 0");
            nfg::read(text.as_bytes()).unwrap()
        };
        // B always takes its first strategy, with which A has 1/3 or the payoff.
        assert_eq!(pure_nash(&of("1/3")), [0, 2]);
        assert_eq!(pure_nash(&of("333333333333333333333333333334/1000000000000000000000000000000")), [2]);
        assert_eq!([0, 1, 2].map(|cell| regret(&of("1"), cell)), [1.0 - 1.0 / 3.0, 1.0, 0.0]);
    }
}
