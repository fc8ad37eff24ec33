//! The conditional reading: policies pi^i(a|s, b) that see the others' actions b drawn from the opponent model rho,
//! as the paper prints it. What a player executes is pi^i(a|s) = sum_b rho(b|s) pi^i(a|s, b).

use nalgebra::{DMatrix, DVector};

use super::improve;
use crate::theory::deadline::Deadline;
use crate::theory::error::TheoryError;
use crate::theory::evaluate::solve;
use crate::theory::profile::Profile;
use crate::theory::tabular::{TabularGame, advance};

/// All players' conditional policies and what they execute.
#[derive(Clone, Debug)]
pub struct Conditional {
    /// pi^i(a|s, b) at the row of (s, a, b): [players][rows].
    pub tables: Vec<Vec<f64>>,
    /// The executed policies, which are also the players' opponent models of each other.
    pub executed: Profile,
}

/// Def. 4.4 for one player.
#[derive(Clone, Debug)]
pub struct SoftValues {
    /// Q(s, a, b), with log pihat(b|s) in it: [rows].
    pub of_rows: Vec<f64>,
    /// V(s).
    pub of_states: Vec<f64>,
}

impl Conditional {
    /// Every action equally likely.
    pub fn uniform(game: &TabularGame) -> Self {
        Self::from_executed(game, &Profile::uniform(game.layout()))
    }

    /// The tables that do not look at b, and execute this profile.
    pub fn from_executed(game: &TabularGame, executed: &Profile) -> Self {
        let mut tables = vec![Vec::new(); game.players()];
        for_each_row(game, |state, _, joint| {
            for (player, table) in tables.iter_mut().enumerate() {
                table.push(executed.of(player, state)[joint[player]]);
            }
        });
        Self { tables, executed: executed.clone() }
    }

    /// One iteration: Eq. 7 for all players at once, by the executed policies of before; then everyone executes its new
    /// table. The largest change of a probability in tables and executed policies.
    ///
    /// # Errors
    /// See [`values`](crate::theory::evaluate::values).
    pub fn iterate(&mut self, game: &TabularGame, alpha: f64, temperature: f64) -> Result<f64, TheoryError> {
        let before = self.executed.clone();
        let mut moved: f64 = 0.0;
        for player in 0..game.players() {
            let old = &self.tables[player];
            let q = soft_values(game, player, old, &before, &before, temperature)?;
            let mut next = old.clone();
            improve_table(game, player, &mut next, &q.of_rows, alpha, temperature);
            moved = next.iter().zip(old).fold(moved, |most, (x, y)| most.max((x - y).abs()));
            execute(game, player, &next, &before, &mut self.executed);
            self.tables[player] = next;
        }
        Ok(moved.max(self.executed.distance(&before)))
    }
}

/// Eq. 7 for a whole table pi^i(a|s, b): for every s and b by itself.
pub fn improve_table(game: &TabularGame, player: usize, table: &mut [f64], q: &[f64], alpha: f64, temperature: f64) {
    let (mut policy, mut values) = (Vec::new(), Vec::new());
    for_each_other(game, player, |_, rows| {
        policy.clear();
        policy.extend(rows.clone().map(|row| table[row]));
        values.clear();
        values.extend(rows.clone().map(|row| q[row]));
        // What the prior has never met is worth minus infinity, whatever the player does: nothing is learned there.
        if values.iter().all(|q| q.is_infinite()) {
            return;
        }
        improve(&mut policy, &values, alpha, temperature);
        rows.zip(&policy).for_each(|(row, p)| table[row] = *p);
    });
}

/// What `player` executes with a table and an opponent model: pi(a|s) = sum_b rho(b|s) pi(a|s, b), written to `executed`.
pub fn execute(game: &TabularGame, player: usize, table: &[f64], model: &Profile, executed: &mut Profile) {
    for state in 0..game.states() {
        executed.of_mut(player, state).fill(0.0);
    }
    for_each_row(game, |state, row, joint| {
        let weight = others(model, player, state, joint);
        executed.of_mut(player, state)[joint[player]] += weight * table[row];
    });
    // With three players or more, rounding in the sums would double with every iteration.
    for state in 0..game.states() {
        let part = executed.of_mut(player, state);
        let sum: f64 = part.iter().sum();
        part.iter_mut().for_each(|p| *p /= sum);
    }
}

/// Def. 4.4: Q(s, a, b) and V(s) of `player`, who plays `table` against the opponent model `model` with the prior `prior`
/// (both read for the others only):
///
/// Q = r + tau log pihat(b|s) + gamma E V(s'),  V = E[r + gamma V(s')] + tau E_b H(pi(.|s, b)) - tau KL(rho || pihat).
///
/// The paper has tau = 1.
///
/// # Errors
/// See [`values`](crate::theory::evaluate::values).
pub fn soft_values(
    game: &TabularGame,
    player: usize,
    table: &[f64],
    model: &Profile,
    prior: &Profile,
    temperature: f64,
) -> Result<SoftValues, TheoryError> {
    let states = game.states();
    let mut moves = DMatrix::zeros(states, states);
    let mut sums = DMatrix::zeros(states, 1);
    let mut first = vec![0.0; game.rows(states - 1).end];
    for_each_row(game, |state, row, joint| {
        let reward = game.rewards(player, state)[row - game.rows(state).start];
        let (rho, pihat) = (others(model, player, state, joint), others(prior, player, state, joint));
        first[row] = reward + temperature * pihat.ln();
        let weight = rho * table[row];
        if weight > 0.0 {
            // -log pi + log pihat - log rho, averaged, is the entropy less the divergence.
            let bonus = temperature * (pihat.ln() - rho.ln() - table[row].ln());
            sums[state] += weight * (reward + bonus);
            game.next(row).iter().for_each(|&(to, p)| moves[(state, to)] += weight * p);
        }
    });
    let values: DVector<f64> = solve(&moves, game.discount(), &sums, Deadline::NONE)?.column(0).into_owned();
    for state in 0..states {
        for row in game.rows(state) {
            first[row] += game.discount() * game.next(row).iter().map(|(to, p)| p * values[*to]).sum::<f64>();
        }
    }
    Ok(SoftValues { of_rows: first, of_states: values.as_slice().to_vec() })
}

/// The probability of the others' part of a joint action.
fn others(profile: &Profile, player: usize, state: usize, joint: &[usize]) -> f64 {
    let others = joint.iter().enumerate().filter(|(other, _)| *other != player);
    others.map(|(other, action)| profile.of(other, state)[*action]).product()
}

/// Calls `visit(state, row, joint action)` for every row of the game.
fn for_each_row(game: &TabularGame, mut visit: impl FnMut(usize, usize, &[usize])) {
    let mut joint = vec![0; game.players()];
    for state in 0..game.states() {
        joint.fill(0);
        for row in game.rows(state) {
            visit(state, row, &joint);
            advance(&mut joint, game.shape(state));
        }
    }
}

/// Calls `visit(state, rows)` for every joint action of the others, with the rows that differ in the action of `player`.
fn for_each_other(
    game: &TabularGame,
    player: usize,
    mut visit: impl FnMut(usize, std::iter::StepBy<std::ops::Range<usize>>),
) {
    for state in 0..game.states() {
        let shape = game.shape(state);
        let stride: usize = shape[player + 1..].iter().product();
        let block = stride * shape[player];
        for start in game.rows(state).step_by(block) {
            for first in start..start + stride {
                visit(state, (first..first + block).step_by(stride));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::games::Tables;
    use crate::theory::nash_conv::nash_conv;

    /// Three players, each with its own number of actions; the reward tells the row.
    fn three() -> TabularGame {
        let numbers: Vec<f64> = (0..12).map(f64::from).collect();
        TabularGame::new(&Tables::one_shot(&[2, 3, 2], &[&numbers, &numbers, &numbers])).unwrap()
    }

    #[test]
    fn groups_of_rows_differ_in_the_action_of_one_player_only() {
        let mut seen = Vec::new();
        for_each_other(&three(), 1, |_, rows| seen.push(rows.collect::<Vec<_>>()));
        assert_eq!(seen, [vec![0, 2, 4], vec![1, 3, 5], vec![6, 8, 10], vec![7, 9, 11]]);
    }

    #[test]
    fn the_fixed_point_is_softmax_of_q_and_may_be_far_from_nash() {
        let game = TabularGame::new(&Tables::common(&[[-3.0, 3.0], [2.0, 0.0]])).unwrap();
        let mut policies = Conditional::uniform(&game);
        while policies.iterate(&game, 0.5, 1.0).unwrap() > 1e-15 {}
        let odds: f64 = policies.tables[0][0] / policies.tables[0][2];
        assert!((odds.ln() - -5.0).abs() < 1e-12);
        // The marginals of exp(r) / Z, as in every one-shot potential game.
        let z: f64 = [-3.0f64, 3.0, 2.0, 0.0].iter().map(|r| r.exp()).sum();
        let first = ((-3.0f64).exp() + 3.0f64.exp()) / z;
        assert!((policies.executed.of(0, 0)[0] - first).abs() < 1e-12);
        let gains = nash_conv(&game, &policies.executed).unwrap().gains;
        assert!(gains[1] > 0.95 && gains[1] > 2.0f64.ln(), "{gains:?}");
    }
}
