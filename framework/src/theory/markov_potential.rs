//! Are the values of a Markov game those of a potential game in policies? The same cycles of four as in one-shot games,
//! with whole policies in place of strategies and values in place of payoffs.
//!
//! Policies are infinitely many: a cycle whose sum is not 0 proves that there is no potential; none among those that were
//! looked at proves nothing, and is reported as what it is.

use std::sync::Arc;
use std::time::Duration;

use super::deadline::Deadline;
use super::entropy::Objective;
use super::error::TheoryError;
use super::evaluate::values;
use super::profile::Profile;
use super::tabular::TabularGame;
use crate::stream::Stream;

/// What the test has found.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyCycles {
    /// The largest sum of a cycle in any state, as a magnitude.
    pub violation: f64,
    /// That sum relative to the range of the values that were seen.
    pub relative: f64,
    /// The players and the state of that cycle.
    pub witness: Option<PolicyCycle>,
    /// How many cycles were looked at, in every state.
    pub cycles: usize,
    /// Whether these are as many as were asked for; else the time was up.
    pub complete: bool,
}

/// Four profiles: `from`, then player 0 of `players` changes to its policy in `to`, then player 1, then both back.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyCycle {
    /// The players.
    pub players: (usize, usize),
    /// Where the sum is largest.
    pub state: usize,
    /// The first profile.
    pub from: Profile,
    /// The third profile, with the new policies of both.
    pub to: Profile,
}

/// Sums of cycles below this share of the range of values are rounding.
pub const ROUNDING: f64 = 1e-11;

/// Looks at `cycles` cycles of random policies, a third of them pure, a third mixed, a third between: one for every pair
/// of players in turn, so that with fewer cycles than pairs some are left out. A game of one player has none. The same
/// game and `seed` give the same cycles.
///
/// # Errors
/// See [`values`].
pub fn policy_cycles(
    game: &TabularGame,
    objective: Objective,
    cycles: usize,
    seed: u64,
) -> Result<PolicyCycles, TheoryError> {
    within(game, objective, cycles, seed, Deadline::NONE)
}

/// The same in at most so much time, and that of one evaluation.
///
/// # Errors
/// See [`values`].
pub fn policy_cycles_within(
    game: &TabularGame,
    objective: Objective,
    cycles: usize,
    seed: u64,
    max_time: Duration,
) -> Result<PolicyCycles, TheoryError> {
    within(game, objective, cycles, seed, Deadline::after(max_time))
}

fn within(
    game: &TabularGame,
    objective: Objective,
    cycles: usize,
    seed: u64,
    deadline: Deadline,
) -> Result<PolicyCycles, TheoryError> {
    let mut found = PolicyCycles { violation: 0.0, relative: 0.0, witness: None, cycles: 0, complete: true };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let players = game.players();
    let pairs = (0..players).flat_map(|one| (one + 1..players).map(move |other| (one, other)));
    let in_a_round = players * (players - 1) / 2;
    let mut rng = Stream::new(0, seed, "policies", "cycles of four");
    'cycles: for (number, (one, other)) in pairs.cycle().take(cycles).enumerate() {
        let round = number / in_a_round;
        let (from, to) = (random(game, round, &mut rng), random(game, round, &mut rng));
        let mut corners = [from.clone(), from.clone(), from.clone(), from.clone()];
        for (corner, changed) in [(1, &[one][..]), (2, &[one, other]), (3, &[other])] {
            changed.iter().for_each(|player| take_over(&mut corners[corner], &to, *player));
        }
        let mut worth = Vec::with_capacity(4);
        for corner in &corners {
            if deadline.is_over() {
                found.complete = false;
                break 'cycles;
            }
            worth.push(values(game, corner, objective)?);
        }
        for state in 0..game.states() {
            let value = |corner: usize, player: usize| worth[corner].of(player)[state];
            let there = value(1, one) - value(0, one) + value(2, other) - value(1, other);
            let sum = there + value(3, one) - value(2, one) + value(0, other) - value(3, other);
            for corner in 0..4 {
                low = low.min(value(corner, one).min(value(corner, other)));
                high = high.max(value(corner, one).max(value(corner, other)));
            }
            if sum.abs() > found.violation {
                found.violation = sum.abs();
                let (from, to) = (from.clone(), corners[2].clone());
                found.witness = Some(PolicyCycle { players: (one, other), state, from, to });
            }
        }
        found.cycles += 1;
    }
    if high > low {
        found.relative = found.violation / (high - low);
    }
    Ok(found)
}

fn random(game: &TabularGame, round: usize, rng: &mut Stream) -> Profile {
    let mut profile = Profile::uniform(&Arc::clone(game.layout()));
    profile.each(|_, _, part| {
        // Uniform on the simplex: exponential numbers over their sum.
        part.iter_mut().for_each(|p| *p = -(1.0 - f64::from(rng.unit())).ln());
        let sum: f64 = part.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let chosen = rng.below(part.len());
        let pure = [1.0, 0.0, 0.5][round % 3];
        part.iter_mut().enumerate().for_each(|(a, p)| {
            *p = (1.0 - pure) * *p / sum + pure * f64::from(a == chosen);
        });
    });
    profile
}

fn take_over(profile: &mut Profile, from: &Profile, player: usize) {
    for state in 0..profile.layout.states() {
        profile.of_mut(player, state).copy_from_slice(from.of(player, state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::games::TwoLink;

    #[test]
    fn as_many_cycles_are_tried_as_were_asked_for_or_as_there_is_time_for() {
        let of = |players: usize| TabularGame::new(&TwoLink { players, ..TwoLink::default() }).unwrap();
        let tried = |game: &TabularGame, cycles: usize| {
            let found = policy_cycles(game, Objective::default(), cycles, 0).unwrap();
            (found.cycles, found.complete)
        };
        // Three players are three pairs.
        let three = of(3);
        assert_eq!([1, 4, 6].map(|cycles| tried(&three, cycles)), [(1, true), (4, true), (6, true)]);
        assert_eq!(tried(&of(1), 10), (0, true));
        let late = policy_cycles_within(&three, Objective::default(), 10_000, 0, Duration::ZERO).unwrap();
        assert!(!late.complete && late.cycles < 10_000);
    }
}
