//! The equations of an LQRE and their derivatives.
//!
//! The unknowns x are the logits of the policies with mean 0 in every state: pi_i(s) = softmax(x_i(s)), and
//!
//! F_i(s, a) = x_i(s, a) - C [lambda Qbar_i(s, .)](a) = 0, where C subtracts the mean over the player's actions.
//!
//! Logits stay apart where probabilities underflow; without the level of the values, which policies do not see, the
//! length of a step means a change of the policies. Values times lambda, W = lambda V, solve a linear system, so that
//! lambda = 0 is nothing special: W_i = (I - discount P)^-1 (lambda r_i + entropy_i).

use nalgebra::DMatrix;

use crate::theory::contract::Contraction;
use crate::theory::deadline::Deadline;
use crate::theory::entropy::entropy;
use crate::theory::error::TheoryError;
use crate::theory::evaluate::{check_states, solve, transitions};
use crate::theory::profile::{Profile, softmax};
use crate::theory::tabular::{TabularGame, advance};

/// The largest difference of a probability to that of the logit response to the profile at `lambda`.
///
/// # Errors
/// See [`values`](crate::theory::evaluate::values).
pub fn residual(game: &TabularGame, profile: &Profile, lambda: f64, own_entropy: bool) -> Result<f64, TheoryError> {
    let mut system = System::new(game, own_entropy, Deadline::NONE)?;
    system.profile = profile.clone();
    system.respond(lambda)?;
    let mut response = Profile { layout: profile.layout.clone(), values: system.logits.clone() };
    response.each(|_, _, part| softmax(part));
    Ok(response.distance(profile))
}

fn centre(x: &mut [f64]) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter_mut().for_each(|x| *x -= mean);
}

/// The equations of one game, with buffers.
pub(super) struct System<'g> {
    pub game: &'g TabularGame,
    own_entropy: bool,
    /// softmax of the unknowns.
    pub profile: Profile,
    /// C lambda Qbar at the profile, in its layout.
    logits: Vec<f64>,
    /// The same before C: lambda Qbar.
    promises: Vec<f64>,
    /// What the profile pays at once: [states, players].
    rewards: DMatrix<f64>,
    /// W: [states, players].
    values: DMatrix<f64>,
    /// (I - discount P)^-1; empty for one-shot games.
    inverse: DMatrix<f64>,
    /// lambda r + discount E W(s') of the joint actions of a state.
    tensor: Vec<f64>,
    /// See [`System::same_state`].
    worth: Vec<f64>,
    contraction: Contraction,
    deadline: Deadline,
}

impl<'g> System<'g> {
    /// Whatever takes long fails with [`TheoryError::Late`] once the time is up.
    pub fn new(game: &'g TabularGame, own_entropy: bool, deadline: Deadline) -> Result<Self, TheoryError> {
        check_states(game.states())?;
        let numbers = game.layout().len();
        Ok(Self {
            game,
            own_entropy,
            profile: Profile::uniform(game.layout()),
            logits: vec![0.0; numbers],
            promises: vec![0.0; numbers],
            rewards: DMatrix::zeros(game.states(), game.players()),
            values: DMatrix::zeros(game.states(), game.players()),
            inverse: DMatrix::zeros(0, 0),
            tensor: Vec::new(),
            worth: vec![0.0; numbers],
            contraction: Contraction::default(),
            deadline,
        })
    }

    /// How many unknowns.
    pub fn len(&self) -> usize {
        self.logits.len()
    }

    /// Writes F(x, lambda) to `out`.
    pub fn equations(&mut self, x: &[f64], lambda: f64, out: &mut [f64]) -> Result<(), TheoryError> {
        self.profile.values.copy_from_slice(x);
        self.profile.each(|_, _, part| softmax(part));
        self.respond(lambda)?;
        out.iter_mut().zip(x).zip(&self.logits).for_each(|((out, x), logit)| *out = x - logit);
        Ok(())
    }

    /// The logits of the responses to the present profile.
    fn respond(&mut self, lambda: f64) -> Result<(), TheoryError> {
        if !self.game.is_one_shot() {
            self.evaluate(lambda)?;
        }
        for state in 0..self.game.states() {
            for player in 0..self.game.players() {
                self.deadline.check()?;
                let range = self.game.layout().range(player, state);
                self.returns(state, player, lambda);
                let tensor = if self.game.is_one_shot() { self.game.rewards(player, state) } else { &self.tensor };
                let scale = if self.game.is_one_shot() { lambda } else { 1.0 };
                let profile = &self.profile;
                let promised =
                    self.contraction.keep(tensor, self.game.shape(state), &[player], |k| profile.of(k, state));
                for (at, promise) in range.clone().zip(promised) {
                    self.promises[at] = scale * promise;
                    self.logits[at] = scale * promise;
                }
                centre(&mut self.logits[range]);
            }
        }
        Ok(())
    }

    /// W of the present profile.
    fn evaluate(&mut self, lambda: f64) -> Result<(), TheoryError> {
        let (game, profile) = (self.game, &self.profile);
        let moves = transitions(game, profile)?;
        let mut sums = DMatrix::zeros(game.states(), game.players());
        for state in 0..game.states() {
            for player in 0..game.players() {
                let rewards = game.rewards(player, state);
                let reward = self.contraction.keep(rewards, game.shape(state), &[], |k| profile.of(k, state))[0];
                let bonus = if self.own_entropy { entropy(profile.of(player, state)) } else { 0.0 };
                self.rewards[(state, player)] = reward;
                sums[(state, player)] = lambda * reward + bonus;
            }
        }
        let identity = DMatrix::identity(game.states(), game.states());
        self.inverse = solve(&moves, game.discount(), &identity, self.deadline)?;
        self.values = &self.inverse * sums;
        Ok(())
    }

    /// lambda r + discount E W(s') for every joint action, into the buffer. Nothing for one-shot games.
    fn returns(&mut self, state: usize, player: usize, lambda: f64) {
        let game = self.game;
        if game.is_one_shot() {
            return;
        }
        let values = self.values.column(player);
        self.tensor.clear();
        self.tensor.extend(game.rows(state).zip(game.rewards(player, state)).map(|(row, reward)| {
            lambda * reward + game.discount() * game.next(row).iter().map(|(to, p)| p * values[*to]).sum::<f64>()
        }));
    }

    /// Writes the derivatives at the point of the last [`System::equations`] to the first rows of `out`, one per unknown;
    /// the column behind those of the unknowns is that by lambda.
    pub fn derivatives(&mut self, lambda: f64, out: &mut DMatrix<f64>) -> Result<(), TheoryError> {
        let unknowns = self.len();
        out.rows_mut(0, unknowns).fill(0.0);
        for player in 0..self.game.players() {
            for state in 0..self.game.states() {
                self.deadline.check()?;
                self.returns(state, player, lambda);
                self.same_state(player, state, lambda, out);
            }
            if !self.game.is_one_shot() {
                for state in 0..self.game.states() {
                    self.deadline.check()?;
                    self.later_states(player, state, out);
                }
            }
        }
        for player in 0..self.game.players() {
            for state in 0..self.game.states() {
                let mut block = out.rows_range_mut(self.game.layout().range(player, state));
                for mut column in block.column_iter_mut() {
                    let mean = column.mean();
                    column.add_scalar_mut(-mean);
                }
            }
        }
        for at in 0..unknowns {
            out[(at, at)] += 1.0;
        }
        Ok(())
    }

    /// How the promises to `player` in `state` depend on the others' choices there and on lambda, W being what it is.
    /// Notes in `worth` how W depends on the logits of `state`, before the inverse spreads it.
    fn same_state(&mut self, player: usize, state: usize, lambda: f64, out: &mut DMatrix<f64>) {
        let (game, layout, profile) = (self.game, self.game.layout(), &self.profile);
        let (one_shot, shape, unknowns) = (game.is_one_shot(), game.shape(state), self.logits.len());
        let (tensor, scale) = if one_shot { (game.rewards(player, state), lambda) } else { (&self.tensor[..], 1.0) };
        let (mine, own) = (layout.range(player, state), profile.of(player, state));
        let mean: f64 = own.iter().zip(&self.promises[mine.clone()]).map(|(p, promise)| p * promise).sum();
        for other in (0..game.players()).filter(|other| *other != player) {
            // [player, other] or [other, player]: the lower one's actions are the slow axis.
            let pair = match shape.len() {
                2 => tensor,
                _ => self
                    .contraction
                    .keep(tensor, shape, &[player.min(other), player.max(other)], |k| profile.of(k, state)),
            };
            let (slow, fast) = if player < other { (shape[other], 1) } else { (1, shape[player]) };
            for (b, column) in layout.range(other, state).enumerate() {
                let p = profile.values[column];
                let mut expected = 0.0;
                for (a, row) in mine.clone().enumerate() {
                    let promise = scale * pair[a * slow + b * fast];
                    out[(row, column)] = -p * (promise - self.promises[row]);
                    expected += own[a] * promise;
                }
                self.worth[column] = p * (expected - mean);
            }
        }
        let rewards = self.contraction.keep(game.rewards(player, state), shape, &[player], |k| profile.of(k, state));
        let bonus = entropy(own);
        for (a, at) in mine.enumerate() {
            out[(at, unknowns)] = -rewards[a];
            let surprise = if self.own_entropy && own[a] > 0.0 { own[a].ln() + bonus } else { 0.0 };
            self.worth[at] = own[a] * (self.promises[at] - mean - surprise);
        }
    }

    /// How the promises to `player` in `state` depend on everything through W.
    fn later_states(&mut self, player: usize, state: usize, out: &mut DMatrix<f64>) {
        let (game, layout, profile) = (self.game, self.game.layout(), &self.profile);
        let (shape, unknowns) = (game.shape(state), self.logits.len());
        // discount P(s' | s, a) of the own actions: [actions, states].
        let mut moves = DMatrix::zeros(shape[player], game.states());
        let mut joint = vec![0; game.players()];
        for row in game.rows(state) {
            let others = joint.iter().enumerate().filter(|(other, _)| *other != player);
            let weight: f64 = others.map(|(other, a)| profile.of(other, state)[*a]).product();
            for &(to, p) in game.next(row) {
                moves[(joint[player], to)] += game.discount() * weight * p;
            }
            advance(&mut joint, shape);
        }
        let visits = moves * &self.inverse;
        for (a, row) in layout.range(player, state).enumerate() {
            for from in 0..game.states() {
                for other in 0..game.players() {
                    for column in layout.range(other, from) {
                        out[(row, column)] -= visits[(a, from)] * self.worth[column];
                    }
                }
                out[(row, unknowns)] -= visits[(a, from)] * self.rewards[(from, player)];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::{FiniteGame, Next};

    /// Three players with 2, 3 and 2 actions in three states, of which the last may end the game; numbers without a
    /// pattern.
    struct Odd;

    impl FiniteGame for Odd {
        fn players(&self) -> usize {
            3
        }
        fn states(&self) -> usize {
            3
        }
        fn actions(&self, state: usize, player: usize) -> usize {
            [2, 3, 2][player] - usize::from(state == 1 && player == 2)
        }
        fn discount(&self) -> f64 {
            0.9
        }
        fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
            let place = joint.iter().fold(state, |at, a| 4 * at + a) as f64;
            for (player, reward) in rewards.iter_mut().enumerate() {
                *reward = (place * (1.3 + player as f64)).sin();
            }
            let p = 0.5 + 0.4 * (place * 0.7).cos();
            next.push(((state + 1) % 3, p));
            next.push((state, if state == 2 { 0.5 } else { 1.0 } * (1.0 - p)));
        }
    }

    #[test]
    fn derivatives_are_those_of_the_equations() {
        let markov = TabularGame::new(&Odd).unwrap();
        let mut stage = crate::theory::NormalForm::with_shape(&[2, 3, 2]).unwrap();
        stage.set_rounded((0..36).map(|k| f64::from(k * k).sin()).collect());
        let stage = TabularGame::new(&stage).unwrap();
        for (game, own_entropy) in [(&markov, false), (&markov, true), (&stage, false)] {
            let mut system = System::new(game, own_entropy, Deadline::NONE).unwrap();
            let n = system.len();
            let x: Vec<f64> = (0..n).map(|k| (k as f64 * 2.1).sin()).collect();
            let lambda = 1.7;
            let mut out = vec![0.0; n];
            let mut derivatives = DMatrix::zeros(n + 1, n + 1);
            system.equations(&x, lambda, &mut out).unwrap();
            system.derivatives(lambda, &mut derivatives).unwrap();
            for column in 0..=n {
                let h = 1e-6;
                let mut at = |sign: f64| {
                    let (mut x, mut lambda, mut out) = (x.clone(), lambda, vec![0.0; n]);
                    *x.get_mut(column).unwrap_or(&mut lambda) += sign * h;
                    system.equations(&x, lambda, &mut out).unwrap();
                    out
                };
                let (above, below) = (at(1.0), at(-1.0));
                for row in 0..n {
                    let (found, expected) = (derivatives[(row, column)], (above[row] - below[row]) / (2.0 * h));
                    assert!((found - expected).abs() < 1e-8, "{own_entropy} ({row}, {column}): {found} {expected}");
                }
            }
        }
    }
}
