//! Exact potentials of one-shot games (Monderer and Shapley 1996): a function of the cell whose changes are those of
//! whoever changes its strategy. It exists if and only if on every cycle of four cells, in which two players change their
//! strategies and change them back, the changes of payoff sum to 0.

use std::ops::Sub;
use std::time::Duration;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::deadline::Deadline;
use super::memory;
use super::normal_form::NormalForm;
use super::rational::{self, Rational};

/// What the test has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Potential {
    /// The potential of each cell, 0 in the first; none where there is none, where it is not known, and where the memory has
    /// no room for it.
    pub values: Option<Vec<f64>>,
    /// The largest sum of gains along the cycles looked at; 0 where there is a potential.
    pub violation: f64,
    /// A cycle with that sum, in the direction in which it is above 0: the proof that there is no potential.
    pub witness: Option<Cycle>,
    /// Whether all cycles were looked at; else the time was up.
    pub complete: bool,
    /// Whether payoffs were compared exactly; else sums up to 1e-12 of the largest payoff count as 0.
    pub exact: bool,
}

/// Four cells: `cell`, then player 0 of `players` changes to `changed.0`, then player 1 to `changed.1`, then player 0 back
/// and player 1 back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The players.
    pub players: (usize, usize),
    /// The first cell.
    pub cell: usize,
    /// Their other strategies.
    pub changed: (usize, usize),
}

/// Largest common denominator, in bits, with which payoffs are made whole numbers. Denominators without common factors
/// would make numbers as long as the whole file.
const DENOMINATOR_LIMIT: u64 = 1 << 12;

/// Tests a game for an exact potential, however long it takes: in the order of (strategies of one player) x cells.
pub fn potential(game: &NormalForm) -> Potential {
    within(game, Deadline::NONE)
}

/// The same in at most so much time, if what was found by then is enough.
pub fn potential_within(game: &NormalForm, max_time: Duration) -> Potential {
    within(game, Deadline::after(max_time))
}

fn within(game: &NormalForm, deadline: Deadline) -> Potential {
    if !game.is_exact() {
        let payoffs: Vec<&[f64]> = (0..game.shape().len()).map(|player| game.payoffs(player)).collect();
        let largest = payoffs.iter().copied().flatten().fold(0.0, |most: f64, x| most.max(x.abs()));
        return test(game, &payoffs, &(1e-12 * largest), deadline, |x| *x);
    }
    let found = exactly(game, deadline);
    found.unwrap_or(Potential { values: None, violation: 0.0, witness: None, complete: false, exact: true })
}

/// The test of exact payoffs; none when the time is up before all are read.
fn exactly(game: &NormalForm, deadline: Deadline) -> Option<Potential> {
    let exact = |player| (0..game.cells()).map(move |cell| game.exact(player, cell));
    let mut denominator = BigInt::one();
    for payoff in (0..game.shape().len()).flat_map(exact) {
        if deadline.is_over() {
            return None;
        }
        if !denominator.is_multiple_of(payoff.denom()) {
            denominator = denominator.lcm(payoff.denom());
        }
        if denominator.bits() > DENOMINATOR_LIMIT {
            let payoffs = numbers(game, deadline, Some)?;
            return Some(test(game, &payoffs, &Rational::zero(), deadline, rational::to_f64));
        }
    }
    // Whole numbers: payoffs times their common denominator.
    let whole = |payoff: Rational| payoff.numer() * (&denominator / payoff.denom());
    let small = |payoff: Rational| whole(payoff).to_i128().filter(|x| x.unsigned_abs() < 1 << 120);
    let value = |sum: BigInt| rational::to_f64(&Rational::new(sum, denominator.clone()));
    if let Some(payoffs) = numbers(game, deadline, small) {
        return Some(test(game, &payoffs, &0i128, deadline, |sum| value(BigInt::from(*sum))));
    }
    let payoffs = numbers(game, deadline, |payoff| Some(whole(payoff)))?;
    Some(test(game, &payoffs, &BigInt::ZERO, deadline, |sum| value(sum.clone())))
}

/// All payoffs in numbers of another kind; none where one does not fit or the time is up.
fn numbers<T>(game: &NormalForm, deadline: Deadline, convert: impl Fn(Rational) -> Option<T>) -> Option<Vec<Vec<T>>> {
    let one = |player, cell| if deadline.is_over() { None } else { convert(game.exact(player, cell)) };
    let of = |player| (0..game.cells()).map(|cell| one(player, cell)).collect();
    (0..game.shape().len()).map(of).collect()
}

/// The test in the numbers that hold the payoffs exactly.
fn test<T>(
    game: &NormalForm,
    payoffs: &[impl AsRef<[T]>],
    tolerance: &T,
    deadline: Deadline,
    value: impl Fn(&T) -> f64,
) -> Potential
where
    T: Signed + Clone + PartialOrd,
    for<'a> &'a T: Sub<&'a T, Output = T>,
{
    let payoffs: Vec<&[T]> = payoffs.iter().map(AsRef::as_ref).collect();
    let (largest, complete) = largest_cycle(game, &payoffs, deadline);
    let none = Potential { values: None, violation: 0.0, witness: None, complete, exact: game.is_exact() };
    match largest {
        Some((sum, witness)) if sum > *tolerance => {
            Potential { violation: value(&sum), witness: Some(witness), ..none }
        }
        // As many numbers as cells may be more than there is room for.
        _ if !complete || game.cells() * size_of::<T>() > memory::limit() => none,
        _ => {
            let values = integrate(game, &payoffs, deadline, value);
            Potential { complete: values.is_some(), values, ..none }
        }
    }
}

/// The cycle with the largest sum, and whether all were looked at. With w = u_i - u_j the gains along (a, b) (a, b')
/// (a', b') (a', b) and back sum to w(a, b) - w(a', b) - w(a, b') + w(a', b'): the largest is found per pair (a, a') from
/// the largest and the least w(a, b) - w(a', b).
fn largest_cycle<T>(game: &NormalForm, payoffs: &[&[T]], deadline: Deadline) -> (Option<(T, Cycle)>, bool)
where
    T: Signed + Clone + PartialOrd,
    for<'a> &'a T: Sub<&'a T, Output = T>,
{
    let mut largest: Option<(T, Cycle)> = None;
    let shape = game.shape();
    // On a cycle both have a choice. Of the others there may be many.
    let choosing: Vec<usize> = (0..shape.len()).filter(|player| shape[*player] > 1).collect();
    let pairs =
        choosing.iter().enumerate().flat_map(|(k, one)| choosing[k + 1..].iter().map(move |other| (*one, *other)));
    for (one, other) in pairs {
        // Pairs of strategies of whoever has fewer: there may be millions of the other's.
        let (one, other) = if shape[one] <= shape[other] { (one, other) } else { (other, one) };
        let (mine, others) = (game.place(one, 0).1, game.place(other, 0).1);
        let first = |cell: &usize| game.place(one, *cell).0 == 0 && game.place(other, *cell).0 == 0;
        for base in (0..game.cells()).filter(first) {
            for a in 0..shape[one] {
                for changed in a + 1..shape[one] {
                    if deadline.is_over() {
                        return (largest, false);
                    }
                    let difference = |b: usize| {
                        let (from, to) = (base + a * mine + b * others, base + changed * mine + b * others);
                        &(&payoffs[one][from] - &payoffs[one][to]) - &(&payoffs[other][from] - &payoffs[other][to])
                    };
                    let (mut low, mut high) = ((difference(0), 0), (difference(0), 0));
                    for b in 1..shape[other] {
                        // Fractions of many digits take a while each.
                        if b % 64 == 0 && deadline.is_over() {
                            return (largest, false);
                        }
                        let here = difference(b);
                        if here > high.0 {
                            high = (here, b);
                        } else if here < low.0 {
                            low = (here, b);
                        }
                    }
                    let sum = high.0 - low.0;
                    if largest.as_ref().is_none_or(|(most, _)| sum > *most) {
                        let cell = base + a * mine + high.1 * others;
                        let cycle = Cycle { players: (other, one), cell, changed: (low.1, changed) };
                        largest = Some((sum, cycle));
                    }
                }
            }
        }
    }
    (largest, true)
}

/// The potential of each cell: the changes of payoff on the way from the first cell, one player after the other. None when
/// the time is up.
fn integrate<T>(game: &NormalForm, payoffs: &[&[T]], deadline: Deadline, value: impl Fn(&T) -> f64) -> Option<Vec<f64>>
where
    T: Signed + Clone,
    for<'a> &'a T: Sub<&'a T, Output = T>,
{
    let mut potential: Vec<T> = Vec::with_capacity(game.cells());
    for cell in 0..game.cells() {
        if deadline.is_over() {
            return None;
        }
        // The last player who is not at its first strategy goes back there: that cell comes earlier.
        let last = (0..payoffs.len()).rev().find(|player| game.place(*player, cell).0 > 0);
        potential.push(last.map_or(T::zero(), |player| {
            let (choice, stride) = game.place(player, cell);
            let before = cell - choice * stride;
            potential[before].clone() + (&payoffs[player][cell] - &payoffs[player][before])
        }));
    }
    Some(potential.iter().map(value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::nfg;

    #[test]
    fn prisoners_have_a_potential_and_pennies_have_none() {
        let game = nfg::read(b"NFG 1 R \"\" { \"A\" \"B\" } { 2 2 } 3 3 5 0 0 5 1 1").unwrap();
        let found = potential(&game);
        assert_eq!((found.values.as_deref(), found.violation), (Some(&[0.0, 2.0, 2.0, 3.0][..]), 0.0));
        let game = nfg::read(b"NFG 1 R \"\" { \"A\" \"B\" } { 2 2 } 1 -1 -1 1 -1 1 1 -1").unwrap();
        let found = potential(&game);
        assert_eq!((found.values, found.violation), (None, 8.0));
        let expected = Cycle { players: (1, 0), cell: 0, changed: (1, 1) };
        assert_eq!(found.witness, Some(expected));
    }

    #[test]
    fn the_gains_along_the_witness_sum_to_the_violation() {
        for shape in [&[2, 2][..], &[4, 3], &[3, 4], &[2, 3, 2]] {
            let mut game = NormalForm::with_shape(shape).unwrap();
            let payoffs = shape.len() * game.cells();
            game.set_rounded((0..payoffs).map(|k| ((k * k) as f64).sin()).collect());
            let found = potential(&game);
            let Cycle { players: (one, other), cell, changed } = found.witness.unwrap();
            let (mut at, mut sum) = (cell, 0.0);
            let back = (game.place(one, cell).0, game.place(other, cell).0);
            for (player, to) in [(one, changed.0), (other, changed.1), (one, back.0), (other, back.1)] {
                let (choice, stride) = game.place(player, at);
                let next = at - choice * stride + to * stride;
                sum += game.payoffs(player)[next] - game.payoffs(player)[at];
                at = next;
            }
            assert_eq!(at, cell);
            assert!((sum - found.violation).abs() < 1e-12, "{shape:?}: {sum} instead of {}", found.violation);
        }
    }

    #[test]
    fn players_without_a_choice_are_on_no_cycle() {
        // Two hundred million pairs of such players.
        let mut shape = vec![1; 20_000];
        assert!(potential(&NormalForm::with_shape(&shape).unwrap()).values.is_some());
        (shape[3], shape[7]) = (2, 2);
        let mut game = NormalForm::with_shape(&shape).unwrap();
        game.set(3, 0, &Rational::one());
        let found = potential(&game);
        assert_eq!((found.violation, found.complete), (1.0, true));
    }

    #[test]
    fn one_part_in_ten_to_the_thirty_is_seen_in_fractions() {
        let of = |payoff: &str| {
            let text = format!("NFG 1 R \"\" {{ \"A\" \"B\" }} {{ 2 2 }} 0 0 0 0 0 0 {payoff} 1/3");
            potential(&nfg::read(text.as_bytes()).unwrap())
        };
        assert!(of("1/3").values.is_some());
        let off = of("333333333333333333333333333333/1000000000000000000000000000000");
        assert!(off.values.is_none() && (off.violation * 3e30 - 1.0).abs() < 1e-12, "{off:?}");
        // Denominators beyond 128 bits.
        let tiny = format!("1/3{}", "0".repeat(60));
        assert!(of(&tiny).values.is_none() && of("1/3").exact);
    }
    #[test]
    fn denominators_without_common_factors_stay_short() {
        // A 30 x 30 game of identical interest with denominators 10^9 + 1, 10^9 + 2, ...: their product has 27,000 bits.
        let mut game = NormalForm::with_shape(&[30, 30]).unwrap();
        for cell in 0..900 {
            let payoff = Rational::new(1.into(), (1_000_000_001 + cell as i64).into());
            (0..2).for_each(|player| game.set(player, cell, &payoff));
        }
        assert!(potential(&game).values.is_some());
        let broken_off = potential_within(&game, Duration::ZERO);
        assert!(broken_off.values.is_none() && broken_off.witness.is_none() && !broken_off.complete);
    }
}
