//! Small games written as tables.

use crate::theory::tabular::index;
use crate::theory::{FiniteGame, Next};

/// A game of a few states in which every player has the same actions everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Tables {
    /// The number of actions of each player.
    pub shape: Vec<usize>,
    /// [players][states][joint actions, last player fastest].
    pub rewards: Vec<Vec<Vec<f64>>>,
    /// [states][joint actions].
    pub next: Vec<Vec<Next>>,
    /// The discount.
    pub discount: f64,
    /// [states].
    pub start: Vec<f64>,
}

impl Tables {
    /// A one-shot game: per player its payoffs, those of the last player's actions side by side.
    ///
    /// # Panics
    /// When a player has too few or too many payoffs.
    pub fn one_shot(shape: &[usize], payoffs: &[&[f64]]) -> Self {
        let rows = shape.iter().product();
        assert!(payoffs.iter().all(|payoffs| payoffs.len() == rows), "one payoff per joint action");
        Self {
            shape: shape.to_vec(),
            rewards: payoffs.iter().map(|payoffs| vec![payoffs.to_vec()]).collect(),
            next: vec![vec![Next::new(); rows]],
            discount: 0.0,
            start: vec![1.0],
        }
    }

    /// A one-shot game in which both of two players get the same.
    pub fn common<const COLUMNS: usize>(payoffs: &[[f64; COLUMNS]]) -> Self {
        let flat = payoffs.as_flattened();
        Self::one_shot(&[payoffs.len(), COLUMNS], &[flat, flat])
    }
}

impl FiniteGame for Tables {
    fn players(&self) -> usize {
        self.shape.len()
    }
    fn states(&self) -> usize {
        self.start.len()
    }
    fn actions(&self, _state: usize, player: usize) -> usize {
        self.shape[player]
    }
    fn discount(&self) -> f64 {
        self.discount
    }
    fn start(&self, state: usize) -> f64 {
        self.start[state]
    }
    fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
        let row = index(joint, &self.shape);
        for (reward, table) in rewards.iter_mut().zip(&self.rewards) {
            *reward = table[state][row];
        }
        next.extend_from_slice(&self.next[state][row]);
    }
}

/// Identical interest, three states, discount 0.9: player 0 leads for ever to state 1, where player 1's second action costs
/// both 5 and player 0 is free, or to state 2, where it is the other way round and both get `bonus` more. With its own
/// entropy in its value player 0 wants to be free; with both players' it wants the bonus.
pub fn free_or_bound(bonus: f64) -> Tables {
    let free = vec![0.0, -5.0, 0.0, -5.0];
    let bound = vec![bonus, bonus, bonus - 5.0, bonus - 5.0];
    let payoffs = vec![vec![0.0; 4], free, bound];
    let to = |state: usize| vec![(state, 1.0)];
    Tables {
        shape: vec![2, 2],
        rewards: vec![payoffs.clone(), payoffs],
        next: vec![vec![to(1), to(1), to(2), to(2)], vec![to(1); 4], vec![to(2); 4]],
        discount: 0.9,
        start: vec![1.0, 0.0, 0.0],
    }
}

/// Identical interest, three states, discount 0.99: in state 0 player 0 leads for ever to state 1, where its own first
/// action is worth `safe` and its second -1, or to state 2, where both must match for 1 instead of -1. Entropy is worth
/// more in state 2 and reward more in state 1, and only player 0 has a say.
pub fn safe_or_match(safe: f64) -> Tables {
    let payoffs = vec![vec![0.0; 4], vec![safe, safe, -1.0, -1.0], vec![1.0, -1.0, -1.0, 1.0]];
    let to = |state: usize| vec![(state, 1.0)];
    Tables {
        shape: vec![2, 2],
        rewards: vec![payoffs.clone(), payoffs],
        next: vec![vec![to(1), to(1), to(2), to(2)], vec![to(1); 4], vec![to(2); 4]],
        discount: 0.99,
        start: vec![1.0, 0.0, 0.0],
    }
}
