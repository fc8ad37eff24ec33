//! Nash equilibria in pure strategies, by looking at every cell.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use super::deadline::Deadline;
use super::error::TheoryError;
use super::normal_form::NormalForm;

/// The cells in which nobody gains by another strategy, in order. Payoffs are compared exactly where they are exact.
pub fn pure_nash(game: &NormalForm) -> Vec<usize> {
    within(game, Deadline::NONE).expect("there is no limit of time")
}

/// The same in at most so much time.
///
/// # Errors
/// The time was up: then nothing is known of any cell.
pub fn pure_nash_within(game: &NormalForm, max_time: Duration) -> Result<Vec<usize>, TheoryError> {
    within(game, Deadline::after(max_time))
}

fn within(game: &NormalForm, deadline: Deadline) -> Result<Vec<usize>, TheoryError> {
    let mut stable = vec![true; game.cells()];
    for (player, &strategies) in game.shape().iter().enumerate() {
        let (_, stride) = game.place(player, 0);
        for first in (0..game.cells()).filter(|cell| game.place(player, *cell).0 == 0) {
            deadline.check()?;
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
    Ok((0..stable.len()).filter(|cell| stable[*cell]).collect())
}

/// The most that a player gains by another strategy, in each of some cells. Cells that differ by one strategy have their
/// best reply in common: that is looked for once, so that millions of equal strategies take no longer than others.
pub fn regrets(game: &NormalForm, cells: &[usize]) -> Vec<f64> {
    let mut regrets = vec![0.0; cells.len()];
    for (player, &strategies) in game.shape().iter().enumerate() {
        let payoffs = game.payoffs(player);
        // The best payoff by the cell where the player takes its first strategy.
        let mut best = HashMap::new();
        for (regret, &cell) in regrets.iter_mut().zip(cells) {
            let (choice, stride) = game.place(player, cell);
            let first = cell - choice * stride;
            let best = *best.entry(first).or_insert_with(|| {
                let line = (0..strategies).map(|strategy| payoffs[first + strategy * stride]);
                line.fold(f64::NEG_INFINITY, f64::max)
            });
            *regret = f64::max(*regret, best - payoffs[cell]);
        }
    }
    regrets
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
        assert_eq!(regrets(&of("1"), &[0, 1, 2]), [1.0 - 1.0 / 3.0, 1.0, 0.0]);
    }
    #[test]
    fn what_takes_too_long_is_broken_off() {
        let game = NormalForm::with_shape(&[300, 300]).unwrap();
        assert_eq!(pure_nash_within(&game, Duration::ZERO), Err(TheoryError::Late));
        assert_eq!(pure_nash(&game).len(), 90_000);
    }
}
