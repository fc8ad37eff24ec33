//! Nash equilibria of two-player games in mixed strategies, by enumerating the corners of the best-reply polytopes (Mangasarian
//! 1964).

use std::sync::Arc;
use std::time::Duration;

use nalgebra::{DMatrix, DVector};

use super::deadline::Deadline;
use super::error::TheoryError;
use super::memory;
use super::normal_form::NormalForm;
use super::profile::{Layout, Profile};

/// An equilibrium with its proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Equilibrium {
    /// The profile.
    pub profile: Profile,
    /// The most that a player gains by another strategy.
    pub regret: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Equilibria {
    /// The extreme equilibria, those with small supports first. In a non-degenerate game these are all; in a degenerate one
    /// there are further ones between some of them.
    pub found: Vec<Equilibrium>,
    /// Whether these are all extreme ones; else the time was up.
    pub complete: bool,
}

/// Larger games are refused: more pairs of supports.
const PAIR_LIMIT: f64 = 1e8;
/// How often the numbers of an equilibrium count in memory: they are copied to be shown, as JSON at last.
const COPIES: usize = 8;
/// Regrets up to this share of the largest payoff are rounding.
const ROUNDING: f64 = 1e-10;

/// All extreme equilibria, each verified by its regret: a pair of corners of the players' polytopes in which every strategy
/// is unused or a best reply. Corners are found by trying all supports with as many replies that pay the same.
///
/// # Errors
/// The game has not two players, too many pairs of supports, or more corners than fit in [`memory::limit`].
pub fn mixed_nash(game: &NormalForm, max_time: Duration) -> Result<Equilibria, TheoryError> {
    within(game, max_time, memory::limit())
}

fn within(game: &NormalForm, max_time: Duration, limit: usize) -> Result<Equilibria, TheoryError> {
    let &[rows, columns] = game.shape() else {
        let what = format!("the game has {} players; mixed equilibria are enumerated for two", game.shape().len());
        return Err(TheoryError::Unsolved(what));
    };
    let binomial = |n: usize, k: usize| (0..k).fold(1.0, |product, at| product * (n - at) as f64 / (at + 1) as f64);
    // The smaller half: factors of the larger one would leave the range of numbers on the way.
    let pairs = binomial(rows + columns, rows.min(columns));
    if pairs > PAIR_LIMIT {
        let what = format!(
            "the game is {rows} x {columns} and has {:.1e} pairs of supports or more; expected at most {PAIR_LIMIT:.0e}",
            pairs.min(f64::MAX)
        );
        return Err(TheoryError::TooLarge(what));
    }
    let payoffs = [0, 1].map(|player| DMatrix::from_row_slice(rows, columns, game.payoffs(player)));
    let deadline = Deadline::after(max_time);
    let mut complete = true;
    let mut room = Room { limit, left: limit };
    // What a player does is constrained by what the other gets: [own strategies, replies].
    let mine = corners(&payoffs[1], deadline, &mut room, &mut complete)?;
    let theirs = corners(&payoffs[0].transpose(), deadline, &mut room, &mut complete)?;
    let layout = Arc::new(Layout::new(2, 1, |_, player| game.shape()[player]));
    let scale = payoffs.iter().fold(f64::MIN_POSITIVE, |most, payoffs| most.max(payoffs.amax()));
    let mut found = Vec::new();
    for one in &mine {
        for other in &theirs {
            let idle = |unused: &[bool], best: &[bool]| unused.iter().zip(best).all(|(unused, best)| *unused || *best);
            if idle(&one.unused, &other.best) && idle(&other.unused, &one.best) {
                let values = [&one.probabilities[..], &other.probabilities].concat();
                let regret = regret(&payoffs, &values);
                if regret <= ROUNDING * scale {
                    room.take(COPIES * size_of_val(&values[..]))?;
                    found.push(Equilibrium { regret, profile: Profile { layout: Arc::clone(&layout), values } });
                }
            }
        }
        if deadline.is_over() {
            complete = false;
            break;
        }
    }
    let support = |found: &Equilibrium| found.profile.values.iter().filter(|p| **p > 0.0).count();
    found.sort_by_key(support);
    Ok(Equilibria { found, complete })
}

/// The memory that corners and equilibria may take, in bytes.
struct Room {
    limit: usize,
    left: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), TheoryError> {
        let left = self.left.checked_sub(bytes).ok_or_else(|| {
            let what = "the corners of the game and its equilibria take more than";
            TheoryError::TooLarge(format!("{what} {} MiB; take fewer strategies", self.limit >> 20))
        })?;
        self.left = left;
        Ok(())
    }
}

/// A mixed strategy to which several replies are best.
struct Corner {
    probabilities: Vec<f64>,
    /// Per own strategy.
    unused: Vec<bool>,
    /// Per reply of the other player.
    best: Vec<bool>,
}

/// The corners of a player's polytope; `payoffs` are the other player's, [own strategies, replies].
fn corners(
    payoffs: &DMatrix<f64>,
    deadline: Deadline,
    room: &mut Room,
    complete: &mut bool,
) -> Result<Vec<Corner>, TheoryError> {
    let (own, replies) = payoffs.shape();
    let corner_bytes = size_of::<Corner>() + own * (size_of::<f64>() + size_of::<bool>()) + replies * size_of::<bool>();
    let scale = payoffs.amax().max(f64::MIN_POSITIVE);
    let mut corners: Vec<Corner> = Vec::new();
    for size in 1..=own.min(replies) {
        let mut support: Vec<usize> = (0..size).collect();
        loop {
            let mut tight: Vec<usize> = (0..size).collect();
            loop {
                if let Some(part) = indifference(size, |reply, choice| payoffs[(support[choice], tight[reply])]) {
                    let mut x = DVector::zeros(own);
                    support.iter().zip(part).for_each(|(at, p)| x[*at] = p);
                    let paid = payoffs.tr_mul(&x);
                    let most = paid.max();
                    let best: Vec<bool> = paid.iter().map(|paid| *paid >= most - ROUNDING * scale).collect();
                    let known = |corner: &Corner| {
                        corner.best == best && corner.probabilities.iter().zip(&x).all(|(p, x)| (p - x).abs() < 1e-9)
                    };
                    if tight.iter().all(|reply| best[*reply]) && !corners.iter().any(known) {
                        room.take(corner_bytes)?;
                        let unused = x.iter().map(|p| *p == 0.0).collect();
                        corners.push(Corner { probabilities: x.as_slice().to_vec(), unused, best });
                    }
                }
                if deadline.is_over() {
                    *complete = false;
                    return Ok(corners);
                }
                if !next_subset(&mut tight, replies) {
                    break;
                }
            }
            if !next_subset(&mut support, own) {
                break;
            }
        }
    }
    Ok(corners)
}

/// The next subset of the same size of 0..n, in the order of the alphabet.
fn next_subset(subset: &mut [usize], n: usize) -> bool {
    let size = subset.len();
    let Some(at) = (0..size).rev().find(|at| subset[*at] < n - size + at) else { return false };
    subset[at] += 1;
    for later in at + 1..size {
        subset[later] = subset[later - 1] + 1;
    }
    true
}

/// The only probabilities of `size` choices, all above 0, that make `size` replies pay the same.
fn indifference(size: usize, payoff: impl Fn(usize, usize) -> f64) -> Option<Vec<f64>> {
    // Unknown: the probabilities and the common payoff.
    let system = DMatrix::from_fn(size + 1, size + 1, |reply, choice| match (reply < size, choice < size) {
        (true, true) => payoff(reply, choice),
        (true, false) => -1.0,
        (false, true) => 1.0,
        (false, false) => 0.0,
    });
    let mut sums = DVector::zeros(size + 1);
    sums[size] = 1.0;
    let solved = system.lu().solve(&sums)?;
    let probabilities = &solved.as_slice()[..size];
    // What is 0 up to rounding belongs to a smaller support.
    probabilities.iter().all(|p| *p > 1e-12 && p.is_finite()).then(|| probabilities.to_vec())
}

/// The most that a player gains by a pure strategy.
fn regret(payoffs: &[DMatrix<f64>; 2], values: &[f64]) -> f64 {
    let (row, column) = values.split_at(payoffs[0].nrows());
    let (row, column) = (DVector::from_column_slice(row), DVector::from_column_slice(column));
    let (mine, theirs) = (&payoffs[0] * &column, payoffs[1].tr_mul(&row));
    (mine.max() - row.dot(&mine)).max(theirs.max() - column.dot(&theirs)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::{nfg, rational};

    #[test]
    fn battle_of_the_sexes_has_three_equilibria() {
        let game = nfg::read(b"NFG 1 R \"\" { \"A\" \"B\" } { 2 2 } 3 2 0 0 0 0 2 3").unwrap();
        let all = mixed_nash(&game, Duration::from_secs(10)).unwrap();
        assert!(all.complete && all.found.iter().all(|found| found.regret < 1e-14));
        let profiles: Vec<_> = all.found.iter().map(|found| &found.profile.values[..]).collect();
        assert_eq!(profiles.len(), 3);
        assert_eq!([profiles[0], profiles[1]], [&[1.0, 0.0, 1.0, 0.0], &[0.0, 1.0, 0.0, 1.0]]);
        assert!(profiles[2].iter().zip([0.6, 0.4, 0.4, 0.6]).all(|(x, y)| (x - y).abs() < 1e-15));
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let game = NormalForm::with_shape(&[40, 40]).unwrap();
        assert!(matches!(mixed_nash(&game, Duration::from_secs(1)), Err(TheoryError::TooLarge(_))));
        let game = NormalForm::with_shape(&[2, 2, 2]).unwrap();
        assert!(matches!(mixed_nash(&game, Duration::from_secs(1)), Err(TheoryError::Unsolved(_))));
        // Three corners of 2 strategies and 2 replies each, and three equilibria.
        let game = nfg::read(b"NFG 1 R \"\" { \"A\" \"B\" } { 2 2 } 3 2 0 0 0 0 2 3").unwrap();
        assert!(within(&game, Duration::from_secs(10), 2_000).is_ok());
        let refused = within(&game, Duration::from_secs(10), 300).unwrap_err();
        assert!(matches!(&refused, TheoryError::TooLarge(what) if what.contains("take more than 0 MiB")), "{refused}");
    }

    #[test]
    fn a_game_lies_on_either_side() {
        // Row is paid for the first strategy, and Column for its second.
        let game = |shape: &[usize]| {
            let mut game = NormalForm::with_shape(shape).unwrap();
            for cell in 0..game.cells() {
                game.set(0, cell, &rational::of(f64::from(game.place(0, cell).0 == 0)));
                game.set(1, cell, &rational::of(f64::from(game.place(1, cell).0 == 1)));
            }
            game
        };
        for shape in [[1100, 2], [2, 1100]] {
            // Not all is gone through: either is taken up, and begins with the pure strategies.
            let all = mixed_nash(&game(&shape), Duration::from_millis(100));
            assert!(all.is_ok(), "{shape:?}: {all:?}");
        }
    }
}
