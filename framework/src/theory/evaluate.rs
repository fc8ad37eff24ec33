//! Exact values of a policy profile.

use nalgebra::{DMatrix, DVector};

use super::contract::Contraction;
use super::deadline::Deadline;
use super::entropy::{Entropy, Objective, entropy};
use super::error::TheoryError;
use super::lu::Lu;
use super::profile::Profile;
use super::tabular::{TabularGame, advance};

/// Most states for which linear systems are solved: 3 GiB of matrices.
pub const STATE_LIMIT: usize = 14_000;

/// Play that lasts for more than so many steps, discounted, never ends: rounding alone has made its equations solvable.
const NEVER_ENDS: f64 = 1e13;

/// What a profile is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// [players, states].
    pub of_states: Vec<f64>,
    /// From the start distribution: [players].
    pub of_start: Vec<f64>,
    /// How far the linear systems are from solved: the largest error of a value's equation, relative to the largest
    /// value (or 1).
    pub residual: f64,
}

impl Values {
    /// The values of the states for `player`.
    pub fn of(&self, player: usize) -> &[f64] {
        let states = self.of_states.len() / self.of_start.len();
        &self.of_states[player * states..][..states]
    }
}

/// The values of all states for all players: V = (I - discount P)^-1 (r + entropy), with P and r averaged over the
/// profile.
///
/// # Errors
/// There are more than [`STATE_LIMIT`] states, or the discount is 1 and play may never end.
pub fn values(game: &TabularGame, profile: &Profile, objective: Objective) -> Result<Values, TheoryError> {
    let (players, states) = (game.players(), game.states());
    let mut contraction = Contraction::default();
    let mut sums = DMatrix::zeros(states, players);
    for state in 0..states {
        let weights = |player: usize| profile.of(player, state);
        for player in 0..players {
            let reward = contraction.keep(game.rewards(player, state), game.shape(state), &[], weights)[0];
            let bonus = match objective.entropy {
                Entropy::None => 0.0,
                Entropy::Own => objective.temperature * entropy(weights(player)),
                Entropy::Shared => {
                    objective.temperature * (0..players).map(|player| entropy(weights(player))).sum::<f64>()
                }
            };
            sums[(state, player)] = reward + bonus;
        }
    }
    if game.is_one_shot() {
        // Nothing follows: the sums are the values, and there is no system to solve.
        let of_states = sums.as_slice().to_vec();
        return Ok(Values { of_start: of_states.clone(), of_states, residual: 0.0 });
    }
    let moves = transitions(game, profile)?;
    let solved = solve(&moves, game.discount(), &sums, Deadline::NONE)?;
    let error = &solved - game.discount() * &moves * &solved - &sums;
    let of_start = (0..players).map(|player| solved.column(player).dot(&DVector::from_column_slice(game.start())));
    Ok(Values {
        of_start: of_start.collect(),
        residual: error.amax() / solved.amax().max(1.0),
        of_states: solved.as_slice().to_vec(),
    })
}

/// The probability to go from each state to each other: [states, states].
pub(super) fn transitions(game: &TabularGame, profile: &Profile) -> Result<DMatrix<f64>, TheoryError> {
    let states = game.states();
    check_states(states)?;
    let mut moves = DMatrix::zeros(states, states);
    let mut joint = vec![0; game.players()];
    for state in 0..states {
        joint.fill(0);
        for row in game.rows(state) {
            let next = game.next(row);
            if !next.is_empty() {
                let weight: f64 = joint.iter().enumerate().map(|(player, a)| profile.of(player, state)[*a]).product();
                for &(to, probability) in next {
                    moves[(state, to)] += weight * probability;
                }
            }
            advance(&mut joint, game.shape(state));
        }
    }
    Ok(moves)
}

pub(super) fn check_states(states: usize) -> Result<(), TheoryError> {
    if states <= STATE_LIMIT {
        return Ok(());
    }
    let what = format!("the game has {states} states; exact values are solved for up to {STATE_LIMIT}");
    Err(TheoryError::TooLarge(what))
}

/// Solves (I - discount moves) x = sums for every column.
pub(super) fn solve(
    moves: &DMatrix<f64>,
    discount: f64,
    sums: &DMatrix<f64>,
    deadline: Deadline,
) -> Result<DMatrix<f64>, TheoryError> {
    let states = moves.nrows();
    let system = DMatrix::identity(states, states) - discount * moves;
    // A state from which play never ends makes a row of the inverse infinite, or huge by rounding. What it makes of ones, the
    // steps of play, tells whatever the rewards are.
    let (columns, mut x) = (sums.ncols(), sums.clone().insert_column(sums.ncols(), 1.0));
    let regular = Lu::new(system, deadline)?.solve_mut(&mut x, deadline)?;
    let ends = x.column(columns).iter().all(|steps| steps.abs() <= NEVER_ENDS);
    if regular && ends && x.iter().all(|x| x.is_finite()) {
        return Ok(x.remove_column(columns));
    }
    let what = format!(
        "with discount {discount} play may never end, so that values have no limit; expected a discount below 1"
    );
    Err(TheoryError::Unsolved(what))
}

/// What each action of `player` is worth when the others keep to the profile and `values` follow, one per state:
/// Qbar(s, a) = E_b [r(s, a, b) + discount E V(s')], [states, actions] as in the profile's layout. The entropy of the
/// present state is not in it.
pub fn action_values(game: &TabularGame, profile: &Profile, values: &[f64], player: usize) -> Vec<f64> {
    let mut contraction = Contraction::default();
    let mut tensor = Vec::new();
    let mut out = Vec::with_capacity(game.layout().len());
    for state in 0..game.states() {
        let tensor = returns(game, state, player, values, &mut tensor);
        let kept = contraction.keep(tensor, game.shape(state), &[player], |other| profile.of(other, state));
        out.extend_from_slice(kept);
    }
    out
}

/// r + discount E V(s') for every joint action of `state`.
pub(super) fn returns<'t>(
    game: &'t TabularGame,
    state: usize,
    player: usize,
    values: &[f64],
    buffer: &'t mut Vec<f64>,
) -> &'t [f64] {
    let rewards = game.rewards(player, state);
    if game.is_one_shot() {
        return rewards;
    }
    buffer.clear();
    buffer.extend(game.rows(state).zip(rewards).map(|(row, reward)| {
        reward + game.discount() * game.next(row).iter().map(|(to, p)| p * values[*to]).sum::<f64>()
    }));
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::games::TwoState;

    #[test]
    fn whether_play_ends_does_not_depend_on_the_size_of_rewards() {
        let of = |scale: f64, discount: f64| {
            let game = TabularGame::new(&TwoState { scale, discount }).unwrap();
            values(&game, &Profile::uniform(game.layout()), Objective::default())
        };
        let expected = of(1.0, 0.999).unwrap();
        for scale in [1e-12, 1e-3, 1.0, 1e14] {
            let found = of(scale, 0.999).unwrap();
            for (x, y) in found.of_states.iter().zip(&expected.of_states) {
                assert!((x / scale - y).abs() < 1e-10 * y, "{scale}: {x} instead of {scale} x {y}");
            }
            assert!(matches!(of(scale, 1.0), Err(TheoryError::Unsolved(_))), "{scale}");
        }
        assert_eq!(of(0.0, 0.999).unwrap().of_states, [0.0; 4]);
    }

    #[test]
    fn large_rewards_elsewhere_do_not_hide_that_play_never_ends() {
        // A first state worth a lot leads to two that never let go, whose rows rounding may leave solvable.
        let mut solvable = 0;
        for k in 1..100 {
            let (p, q) = (f64::from(k) / 101.0, 1.0 / f64::from(k + 2));
            let moves = DMatrix::from_row_slice(3, 3, &[0.0, 1.0, 0.0, 0.0, 1.0 - p, p, 0.0, q, 1.0 - q]);
            let sums = DMatrix::from_column_slice(3, 1, &[1e9, 1e-3, 2e-3]);
            let found = solve(&moves, 1.0, &sums, Deadline::NONE);
            assert!(matches!(found, Err(TheoryError::Unsolved(_))), "{p} {q}: {found:?}");
            let mut ones = DMatrix::from_element(3, 1, 1.0);
            let system = DMatrix::identity(3, 3) - &moves;
            solvable +=
                usize::from(Lu::new(system, Deadline::NONE).unwrap().solve_mut(&mut ones, Deadline::NONE).unwrap());
        }
        assert!(solvable > 5, "{solvable}: rounding is not tried");
        let moves = DMatrix::from_row_slice(2, 2, &[0.5, 0.5, 0.0, 0.0]);
        let found = solve(&moves, 1.0, &DMatrix::from_column_slice(2, 1, &[1e9, 1.0]), Deadline::NONE).unwrap();
        assert!((found[0] - 2e9 - 1.0).abs() < 1e-3 && found[1] == 1.0, "{found}");
    }
}
