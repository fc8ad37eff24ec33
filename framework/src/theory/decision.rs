//! A Markov decision process, which is what a game is for one player when the others' policies are fixed, or for all of
//! them when they act as one. Solved exactly by Howard's policy iteration.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::deadline::Deadline;
use super::error::TheoryError;
use super::evaluate::{check_states, solve};
use super::moves::Moves;

/// Rounds of policy iteration; a handful suffices as a rule.
const ROUNDS: usize = 10_000;

/// States, choices in each, what a choice pays and where it leads.
#[derive(Clone, Debug, Default)]
pub(super) struct Decision {
    /// The first choice of each state, and behind it how many there are: [states + 1].
    pub first_choice: Vec<usize>,
    /// [choices].
    pub rewards: Vec<f64>,
    /// Of each choice.
    pub moves: Arc<Moves>,
}

/// The best that can be had.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// The choice per state; of equally good ones the first that was found.
    pub choice: Vec<usize>,
    /// The value per state.
    pub values: Vec<f64>,
    /// By how much some choice promises more than the state's value, relative to the largest value (or 1): 0 up to
    /// rounding.
    pub residual: f64,
}

impl Decision {
    fn promise(&self, choice: usize, discount: f64, values: &[f64]) -> f64 {
        self.rewards[choice] + discount * self.moves.of(choice).iter().map(|(to, p)| p * values[*to]).sum::<f64>()
    }

    /// The best choice in every state.
    pub fn solve(&self, discount: f64) -> Result<Optimum, TheoryError> {
        let states = self.first_choice.len() - 1;
        if self.moves.is_empty() {
            let mut optimum = Optimum { choice: Vec::new(), values: Vec::new(), residual: 0.0 };
            for state in 0..states {
                let rewards = &self.rewards[self.first_choice[state]..self.first_choice[state + 1]];
                let best = (1..rewards.len()).fold(0, |best, a| if rewards[a] > rewards[best] { a } else { best });
                optimum.choice.push(best);
                optimum.values.push(rewards[best]);
            }
            return Ok(optimum);
        }
        check_states(states)?;
        let mut policy: Vec<usize> = self.first_choice[..states].to_vec();
        for _ in 0..ROUNDS {
            let values = self.evaluate(&policy, discount)?;
            let largest = values.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
            let mut residual = 0.0;
            let mut changed = false;
            for (state, chosen) in policy.iter_mut().enumerate() {
                let mut best = (*chosen, self.promise(*chosen, discount, &values));
                let here = best.1;
                for choice in self.first_choice[state]..self.first_choice[state + 1] {
                    let promise = self.promise(choice, discount, &values);
                    // What is better by rounding only would go round in circles.
                    if promise > best.1 + 1e-13 * largest {
                        best = (choice, promise);
                    }
                    residual = f64::max(residual, promise - here);
                }
                changed |= best.0 != *chosen;
                *chosen = best.0;
            }
            if !changed {
                let choice = policy.iter().zip(&self.first_choice).map(|(choice, first)| choice - first).collect();
                return Ok(Optimum { choice, values, residual: residual / largest });
            }
        }
        let what = format!("policy iteration has found no end in {ROUNDS} rounds; take a smaller discount");
        Err(TheoryError::Unsolved(what))
    }

    fn evaluate(&self, policy: &[usize], discount: f64) -> Result<Vec<f64>, TheoryError> {
        let states = policy.len();
        let mut moves = DMatrix::zeros(states, states);
        for (state, &choice) in policy.iter().enumerate() {
            for &(to, p) in self.moves.of(choice) {
                moves[(state, to)] += p;
            }
        }
        let rewards = DMatrix::from_iterator(states, 1, policy.iter().map(|choice| self.rewards[*choice]));
        Ok(solve(&moves, discount, &rewards, Deadline::NONE)?.as_slice().to_vec())
    }
}
