//! One-shot games of N players with names and exact payoffs.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use num_traits::Zero;

use super::deadline::Deadline;
use super::error::TheoryError;
use super::finite_game::{FiniteGame, Next};
use super::memory;
use super::rational::{self, Rational};
use super::tabular::{NAME, TabularGame, index};

/// A one-shot game. A *cell* is a joint choice of strategies; the strategies of the last player run fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalForm {
    /// What the game is called.
    pub title: String,
    /// What else there is to say of it.
    pub comment: String,
    players: Vec<String>,
    /// Per player.
    strategies: Vec<Vec<String>>,
    shape: Vec<usize>,
    /// How far apart cells are that differ by one strategy, per player.
    strides: Vec<usize>,
    /// [players, cells].
    payoffs: Arc<Vec<f64>>,
    exactness: Exactness,
}

/// Whether the payoffs are meant exactly.
#[derive(Clone, Debug, PartialEq)]
enum Exactness {
    /// As fractions: those that no f64 holds stand here, by their place in `payoffs`; the others are what the f64 is.
    Exact(BTreeMap<usize, Rational>),
    /// They were computed in floating point.
    Rounded,
}

impl NormalForm {
    /// A game with names for its players and their strategies, all payoffs 0.
    ///
    /// # Errors
    /// There is no player, or one without a strategy, or more than fits in [`memory::limit`].
    pub fn new(players: Vec<String>, strategies: Vec<Vec<String>>) -> Result<Self, TheoryError> {
        let shape: Vec<_> = strategies.iter().map(Vec::len).collect();
        if players.is_empty() || players.len() != shape.len() || shape.contains(&0) {
            let what = format!(
                "{} players have {shape:?} strategies; expected at least one player, each with at least one strategy",
                players.len()
            );
            return Err(TheoryError::Invalid(what));
        }
        check_size(&shape)?;
        let mut strides = vec![1; shape.len()];
        for player in (1..shape.len()).rev() {
            strides[player - 1] = strides[player] * shape[player];
        }
        let payoffs = Arc::new(vec![0.0; players.len() * strides[0] * shape[0]]);
        let (title, comment) = (String::new(), String::new());
        let exactness = Exactness::Exact(BTreeMap::new());
        Ok(Self { title, comment, players, strategies, shape, strides, payoffs, exactness })
    }

    /// A game of this shape with numbers for names, counted from 1.
    ///
    /// # Errors
    /// See [`NormalForm::new`].
    pub fn with_shape(shape: &[usize]) -> Result<Self, TheoryError> {
        check_size(shape)?;
        let numbered = |n: usize| (1..=n).map(|k| k.to_string()).collect();
        let players = (1..=shape.len()).map(|player| format!("Player {player}")).collect();
        Self::new(players, shape.iter().map(|n| numbered(*n)).collect())
    }

    /// The one-shot game that the tables hold. Its payoffs count as rounded.
    ///
    /// # Errors
    /// The game has several states, or goes on.
    pub fn of_table(game: &TabularGame) -> Result<Self, TheoryError> {
        if !game.is_one_shot() {
            let what = format!("the game has {} states and goes on; expected a one-shot game", game.states());
            return Err(TheoryError::Invalid(what));
        }
        let strategies = (0..game.players()).map(|player| game.action_names(player, 0).to_vec()).collect();
        let mut form = Self::new(game.player_names().to_vec(), strategies)?;
        form.payoffs = Arc::clone(game.all_rewards());
        form.exactness = Exactness::Rounded;
        Ok(form)
    }

    /// Sets a payoff exactly.
    pub fn set(&mut self, player: usize, cell: usize, payoff: &Rational) {
        let at = player * self.cells() + cell;
        let value = rational::to_f64(payoff);
        Arc::make_mut(&mut self.payoffs)[at] = value;
        if let Exactness::Exact(fractions) = &mut self.exactness {
            if value.is_finite() && rational::of(value) == *payoff {
                fractions.remove(&at);
            } else {
                fractions.insert(at, payoff.clone());
            }
        }
    }

    /// Sets all payoffs, [players, cells], as numbers that were computed in floating point.
    ///
    /// # Panics
    /// When there are too few or too many.
    pub fn set_rounded(&mut self, payoffs: Vec<f64>) {
        assert_eq!(payoffs.len(), self.payoffs.len(), "one payoff per player and cell");
        self.payoffs = Arc::new(payoffs);
        self.exactness = Exactness::Rounded;
    }

    /// What a person calls the players.
    pub fn players(&self) -> &[String] {
        &self.players
    }

    /// What a person calls the strategies of `player`.
    pub fn strategies(&self, player: usize) -> &[String] {
        &self.strategies[player]
    }

    /// The number of strategies of each player.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many joint choices there are.
    pub fn cells(&self) -> usize {
        self.payoffs.len() / self.players.len()
    }

    /// The payoffs of `player`: a tensor of the game's shape.
    pub fn payoffs(&self, player: usize) -> &[f64] {
        &self.payoffs[player * self.cells()..][..self.cells()]
    }

    /// The payoffs of all players, [players, cells].
    pub(super) fn all_payoffs(&self) -> &Arc<Vec<f64>> {
        &self.payoffs
    }

    /// Whether the payoffs are meant exactly.
    pub fn is_exact(&self) -> bool {
        self.exactness != Exactness::Rounded
    }

    /// A payoff as a fraction: the one given, or that of the floating-point number.
    pub fn exact(&self, player: usize, cell: usize) -> Rational {
        let at = player * self.cells() + cell;
        match &self.exactness {
            Exactness::Exact(fractions) if fractions.contains_key(&at) => fractions[&at].clone(),
            _ => rational::of(self.payoffs[at]),
        }
    }

    /// How two payoffs of `player` compare, exactly where they are exact.
    pub fn compare(&self, player: usize, one: usize, other: usize) -> Ordering {
        let payoffs = self.payoffs(player);
        if one == other {
            return Ordering::Equal;
        }
        if payoffs[one] != payoffs[other] {
            return payoffs[one].total_cmp(&payoffs[other]);
        }
        // Different fractions may be the same number, but the order of numbers is never the wrong one.
        match &self.exactness {
            Exactness::Exact(fractions) if !fractions.is_empty() => {
                self.exact(player, one).cmp(&self.exact(player, other))
            }
            _ => Ordering::Equal,
        }
    }

    /// The strategy of `player` in a cell, and how far apart cells are that differ by one strategy of it.
    pub fn place(&self, player: usize, cell: usize) -> (usize, usize) {
        let stride = self.strides[player];
        (cell / stride % self.shape[player], stride)
    }

    /// The strategies of all players in a cell.
    pub fn choices(&self, cell: usize) -> Vec<usize> {
        (0..self.players.len()).map(|player| self.place(player, cell).0).collect()
    }

    /// The sum of the players' payoffs where it is the same in all cells: exactly, or up to 1e-12 of the largest payoff
    /// where they are rounded.
    pub fn constant_sum(&self) -> Option<f64> {
        self.sum(Deadline::NONE).expect("there is no limit of time")
    }

    /// The same in at most so much time.
    ///
    /// # Errors
    /// The time was up.
    pub fn constant_sum_within(&self, max_time: Duration) -> Result<Option<f64>, TheoryError> {
        self.sum(Deadline::after(max_time))
    }

    fn sum(&self, deadline: Deadline) -> Result<Option<f64>, TheoryError> {
        if self.is_exact() {
            let sum = |cell| -> Result<Rational, TheoryError> {
                // Denominators without common factors make the sum longer with every player.
                (0..self.players.len()).try_fold(Rational::zero(), |sum, player| {
                    deadline.check()?;
                    Ok(sum + self.exact(player, cell))
                })
            };
            let first = sum(0)?;
            for cell in 1..self.cells() {
                if sum(cell)? != first {
                    return Ok(None);
                }
            }
            return Ok(Some(rational::to_f64(&first)));
        }
        let sum = |cell| (0..self.players.len()).map(|player| self.payoffs(player)[cell]).sum::<f64>();
        let rounding = 1e-12 * self.payoffs.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        Ok((1..self.cells()).all(|cell| (sum(cell) - sum(0)).abs() <= rounding).then(|| sum(0)))
    }
}

impl FiniteGame for NormalForm {
    fn players(&self) -> usize {
        self.players.len()
    }
    fn actions(&self, _state: usize, player: usize) -> usize {
        self.shape[player]
    }
    fn outcome(&self, _state: usize, joint: &[usize], rewards: &mut [f64], _next: &mut Next) {
        let cell = index(joint, &self.shape);
        for (player, reward) in rewards.iter_mut().enumerate() {
            *reward = self.payoffs(player)[cell];
        }
    }
    fn normal_form(&self) -> Option<&NormalForm> {
        Some(self)
    }
    fn player_name(&self, player: usize) -> String {
        self.players[player].clone()
    }
    fn action_name(&self, _state: usize, player: usize, action: usize) -> String {
        self.strategies[player][action].clone()
    }
}

/// That payoffs and names fit in memory.
fn check_size(shape: &[usize]) -> Result<(), TheoryError> {
    let cells = shape.iter().fold(1u128, |product, n| product.saturating_mul(*n as u128));
    let names = shape.iter().map(|n| NAME * *n as u128).sum::<u128>();
    let bytes = cells.saturating_mul(8 * shape.len() as u128).saturating_add(names);
    let limit = memory::limit();
    if bytes <= limit as u128 {
        return Ok(());
    }
    let (bytes, limit) = (bytes.div_ceil(1 << 20), limit >> 20);
    let what = format!(
        "the game has {} players and {cells} cells: payoffs of at least {bytes} MiB; the limit is {limit} MiB, so take \
         fewer players or strategies",
        shape.len()
    );
    Err(TheoryError::TooLarge(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_stay_exact_and_numbers_are_the_nearest() {
        let mut form = NormalForm::with_shape(&[2, 1]).unwrap();
        let third = Rational::new(1.into(), 3.into());
        form.set(0, 1, &third);
        form.set(1, 0, &Rational::new((-5).into(), 4.into()));
        assert_eq!((form.payoffs(0), form.payoffs(1)), (&[0.0, 1.0 / 3.0][..], &[-1.25, 0.0][..]));
        assert_eq!(form.exact(0, 1), third);
        assert!(form.is_exact() && form.constant_sum().is_none());
        form.set(1, 0, &third);
        assert_eq!(form.constant_sum(), Some(1.0 / 3.0));
    }

    #[test]
    fn a_sum_over_many_players_is_broken_off_within_a_cell() {
        let form = NormalForm::with_shape(&[1; 300]).unwrap();
        assert_eq!(form.constant_sum(), Some(0.0));
        assert_eq!(form.constant_sum_within(Duration::ZERO), Err(TheoryError::Late));
    }

    #[test]
    fn tables_give_back_the_game() {
        let mut form = NormalForm::with_shape(&[2, 3]).unwrap();
        form.set_rounded((0..12).map(f64::from).collect());
        let table = TabularGame::new(&form).unwrap();
        assert!(table.is_one_shot());
        assert_eq!(table.rewards(1, 0), form.payoffs(1));
        assert!(Arc::ptr_eq(&form.payoffs, table.all_rewards()));
        assert_eq!(NormalForm::of_table(&table).unwrap(), form);
        assert!(NormalForm::with_shape(&[]).is_err() && NormalForm::with_shape(&[2, 0]).is_err());
    }

    #[test]
    fn what_no_memory_holds_is_refused_with_its_size() {
        for (shape, cells) in [(&[1 << 50][..], "1125899906842624 cells"), (&[2; 60], "1152921504606846976 cells")] {
            let error = NormalForm::with_shape(shape).unwrap_err();
            assert!(matches!(&error, TheoryError::TooLarge(what) if what.contains(cells)), "{error}");
        }
    }
}
