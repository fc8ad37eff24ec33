//! A finite game written out: rewards and transitions of every joint action, checked, in the order that solvers read.

use std::ops::Range;
use std::sync::Arc;

use super::error::TheoryError;
use super::finite_game::{FiniteGame, Next};
use super::profile::Layout;

/// Sums of probabilities may be off by this much.
const ROUNDING: f64 = 1e-9;

/// Largest table, in bytes, that is made without being asked for more.
pub const MEMORY_LIMIT: usize = 4 << 30;

/// A finite game as tables. A *row* is a joint action in a state: the rows of a state stand side by side, the actions of
/// the last player run fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct TabularGame {
    layout: Arc<Layout>,
    discount: f64,
    /// [states].
    start: Vec<f64>,
    /// The number of actions: [states, players].
    shapes: Vec<usize>,
    /// The first row of each state, and behind it how many rows there are: [states + 1].
    first_row: Vec<usize>,
    /// [players, rows].
    rewards: Vec<f64>,
    /// The first transition of each row, and behind it how many there are: [rows + 1]. Empty when no row has any.
    first_next: Vec<usize>,
    /// Next states with their probabilities, row by row.
    next: Vec<(usize, f64)>,
    player_names: Vec<String>,
    /// [states].
    state_names: Vec<String>,
    /// In the profile's layout.
    action_names: Vec<String>,
}

impl TabularGame {
    /// Writes a game out, in tables of at most [`MEMORY_LIMIT`].
    ///
    /// # Errors
    /// The tables would be larger, or the rules contradict what [`FiniteGame`] asks.
    pub fn new(game: &dyn FiniteGame) -> Result<Self, TheoryError> {
        Self::within(game, MEMORY_LIMIT)
    }

    /// Writes a game out, in tables of at most `limit` bytes.
    ///
    /// # Errors
    /// See [`TabularGame::new`].
    pub fn within(game: &dyn FiniteGame, limit: usize) -> Result<Self, TheoryError> {
        let (players, states) = (game.players(), game.states());
        if players == 0 || states == 0 {
            let what = format!("the game has {players} players and {states} states; expected at least one of each");
            return Err(TheoryError::Invalid(what));
        }
        // A state has a row at least.
        let least = states as u128 * (players as u128 + 1) * 8;
        let rows = if least > limit as u128 { states as u128 } else { count_rows(game)? };
        // A reward per player, the place of the transitions, and as a rule one transition at least.
        let bytes = rows.saturating_mul(8 * (players as u128 + 1) + if states > 1 { 16 } else { 0 });
        if bytes > limit as u128 {
            return Err(too_large(players, states, rows, bytes, limit));
        }
        let rows = rows as usize;
        let mut table = Self::empty(game, rows);
        table.check_facts()?;
        table.fill(game, rows, limit)?;
        Ok(table)
    }

    /// Everything but rewards and transitions.
    fn empty(game: &dyn FiniteGame, rows: usize) -> Self {
        let (players, states) = (game.players(), game.states());
        let shapes: Vec<_> = (0..states * players).map(|at| game.actions(at / players, at % players)).collect();
        let mut first_row = vec![0; states + 1];
        for state in 0..states {
            let shape = &shapes[state * players..(state + 1) * players];
            first_row[state + 1] = first_row[state] + shape.iter().product::<usize>();
        }
        let places = || (0..players).flat_map(|player| (0..states).map(move |state| (player, state)));
        Self {
            layout: Arc::new(Layout::new(players, states, |state, player| shapes[state * players + player])),
            discount: game.discount(),
            start: (0..states).map(|state| game.start(state)).collect(),
            action_names: places()
                .flat_map(|(player, state)| (0..game.actions(state, player)).map(move |a| (player, state, a)))
                .map(|(player, state, action)| game.action_name(state, player, action))
                .collect(),
            shapes,
            first_row,
            rewards: vec![0.0; rows * players],
            first_next: Vec::new(),
            next: Vec::new(),
            player_names: (0..players).map(|player| game.player_name(player)).collect(),
            state_names: (0..states).map(|state| game.state_name(state)).collect(),
        }
    }

    fn check_facts(&self) -> Result<(), TheoryError> {
        if !(0.0..=1.0).contains(&self.discount) {
            return Err(TheoryError::Invalid(format!("the discount is {}; expected 0 to 1", self.discount)));
        }
        let sum: f64 = self.start.iter().sum();
        if self.start.iter().any(|p| p.is_nan() || *p < 0.0) || (sum - 1.0).abs() > ROUNDING {
            let what =
                format!("the probabilities to start in a state sum to {sum}; expected none below 0, and 1 in all");
            return Err(TheoryError::Invalid(what));
        }
        Ok(())
    }

    fn fill(&mut self, game: &dyn FiniteGame, rows: usize, limit: usize) -> Result<(), TheoryError> {
        let (players, states) = (self.players(), self.states());
        let mut joint = vec![0; players];
        let mut rewards = vec![0.0; players];
        let mut next = Next::new();
        let mut first_next = Vec::with_capacity(rows + 1);
        first_next.push(0);
        for state in 0..states {
            joint.fill(0);
            for row in self.rows(state) {
                rewards.fill(f64::NAN);
                next.clear();
                game.outcome(state, &joint, &mut rewards, &mut next);
                self.check_row(state, &joint, &rewards, &next)?;
                for (player, reward) in rewards.iter().enumerate() {
                    self.rewards[player * rows + row] = *reward;
                }
                self.next.extend(next.iter().filter(|(_, probability)| *probability > 0.0));
                first_next.push(self.next.len());
                let bytes = 8 * rows as u128 * (players as u128 + 1) + 16 * self.next.len() as u128;
                if bytes > limit as u128 {
                    return Err(too_large(players, states, rows as u128, bytes, limit));
                }
                advance(&mut joint, self.shape(state));
            }
        }
        if !self.next.is_empty() {
            self.first_next = first_next;
        }
        Ok(())
    }

    fn check_row(&self, state: usize, joint: &[usize], rewards: &[f64], next: &Next) -> Result<(), TheoryError> {
        let at = || format!("after the actions {joint:?} in state {state}");
        if rewards.iter().any(|reward| !reward.is_finite()) {
            return Err(TheoryError::Invalid(format!("{} the rewards are {rewards:?}; expected finite numbers", at())));
        }
        let sum: f64 = next.iter().map(|(_, probability)| probability).sum();
        if next.iter().any(|(to, p)| *to >= self.states() || p.is_nan() || *p < 0.0) || sum > 1.0 + ROUNDING {
            let what = format!(
                "{} the next states with their probabilities are {next:?}; expected states below {}, none below 0, and \
                 at most 1 in all",
                at(),
                self.states()
            );
            return Err(TheoryError::Invalid(what));
        }
        Ok(())
    }

    /// Where the numbers of a profile of this game stand.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// How many players.
    pub fn players(&self) -> usize {
        self.layout.players()
    }

    /// How many states.
    pub fn states(&self) -> usize {
        self.layout.states()
    }

    /// The discount.
    pub fn discount(&self) -> f64 {
        self.discount
    }

    /// The probability to start in each state.
    pub fn start(&self) -> &[f64] {
        &self.start
    }

    /// The number of actions of each player in `state`.
    #[inline]
    pub fn shape(&self, state: usize) -> &[usize] {
        &self.shapes[state * self.players()..][..self.players()]
    }

    /// The rows of `state`: its joint actions, those of the last player fastest.
    #[inline]
    pub fn rows(&self, state: usize) -> Range<usize> {
        self.first_row[state]..self.first_row[state + 1]
    }

    /// The rewards of `player` in `state`: a tensor of the shape [`TabularGame::shape`], last axis fastest.
    #[inline]
    pub fn rewards(&self, player: usize, state: usize) -> &[f64] {
        let all = self.first_row[self.states()];
        &self.rewards[player * all..][self.rows(state)]
    }

    /// Where a row leads, with probabilities; what is missing to 1 is the end.
    #[inline]
    pub fn next(&self, row: usize) -> &[(usize, f64)] {
        match self.first_next.get(row..row + 2) {
            Some(ends) => &self.next[ends[0]..ends[1]],
            None => &[],
        }
    }

    /// Whether nothing ever follows a step from a game of one state.
    pub fn is_one_shot(&self) -> bool {
        self.states() == 1 && self.next.is_empty()
    }

    /// What a person calls the players.
    pub fn player_names(&self) -> &[String] {
        &self.player_names
    }

    /// What a person calls the states.
    pub fn state_names(&self) -> &[String] {
        &self.state_names
    }

    /// What a person calls the actions of `player` in `state`.
    pub fn action_names(&self, player: usize, state: usize) -> &[String] {
        &self.action_names[self.layout.range(player, state)]
    }
}

impl FiniteGame for TabularGame {
    fn players(&self) -> usize {
        self.layout.players()
    }
    fn states(&self) -> usize {
        self.layout.states()
    }
    fn actions(&self, state: usize, player: usize) -> usize {
        self.shape(state)[player]
    }
    fn discount(&self) -> f64 {
        self.discount
    }
    fn start(&self, state: usize) -> f64 {
        self.start[state]
    }
    fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
        let row = self.rows(state).start + index(joint, self.shape(state));
        let all = self.first_row[self.states()];
        for (player, reward) in rewards.iter_mut().enumerate() {
            *reward = self.rewards[player * all + row];
        }
        next.extend_from_slice(self.next(row));
    }
    fn player_name(&self, player: usize) -> String {
        self.player_names[player].clone()
    }
    fn state_name(&self, state: usize) -> String {
        self.state_names[state].clone()
    }
    fn action_name(&self, state: usize, player: usize, action: usize) -> String {
        self.action_names(player, state)[action].clone()
    }
}

/// The place of a joint action among all of its shape, last axis fastest.
#[inline]
pub fn index(joint: &[usize], shape: &[usize]) -> usize {
    joint.iter().zip(shape).fold(0, |at, (choice, n)| at * n + choice)
}

/// The next joint action in that order; after the last comes the first.
#[inline]
pub fn advance(joint: &mut [usize], shape: &[usize]) {
    for (choice, n) in joint.iter_mut().zip(shape).rev() {
        *choice += 1;
        if *choice < *n {
            return;
        }
        *choice = 0;
    }
}

/// All joint actions of all states.
fn count_rows(game: &dyn FiniteGame) -> Result<u128, TheoryError> {
    let mut rows = 0u128;
    for state in 0..game.states() {
        let mut product = 1u128;
        for player in 0..game.players() {
            let actions = game.actions(state, player);
            if actions == 0 {
                let what = format!("player {player} has no action in state {state}; expected at least one");
                return Err(TheoryError::Invalid(what));
            }
            product = product.saturating_mul(actions as u128);
        }
        rows = rows.saturating_add(product);
    }
    Ok(rows)
}

fn too_large(players: usize, states: usize, rows: u128, bytes: u128, limit: usize) -> TheoryError {
    let mib = |bytes: u128| bytes.div_ceil(1 << 20);
    TheoryError::TooLarge(format!(
        "the game has {players} players, {states} states and {rows} joint actions over all states: tables of at least {} \
         MiB; the limit is {} MiB, so take fewer players, actions or states",
        mib(bytes),
        mib(limit as u128)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two players, two states; player 1 has a third action in state 1. Every reward tells its place.
    struct Numbered {
        actions: usize,
        next: Next,
    }

    impl FiniteGame for Numbered {
        fn players(&self) -> usize {
            2
        }
        fn states(&self) -> usize {
            2
        }
        fn actions(&self, state: usize, player: usize) -> usize {
            self.actions + state * player
        }
        fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
            for (player, reward) in rewards.iter_mut().enumerate() {
                *reward = (1000 * player + 100 * state + 10 * joint[0] + joint[1]) as f64;
            }
            if state == 1 {
                next.extend_from_slice(&self.next);
            }
        }
    }

    #[test]
    fn rows_stand_in_order_and_give_back_the_rules() {
        let game = Numbered { actions: 2, next: vec![(0, 0.5), (1, 0.25), (1, 0.0)] };
        let table = TabularGame::new(&game).unwrap();
        assert_eq!(table.rewards(0, 0), [0.0, 1.0, 10.0, 11.0]);
        assert_eq!(table.rewards(1, 1), [1100.0, 1101.0, 1102.0, 1110.0, 1111.0, 1112.0]);
        assert_eq!((table.rows(1), table.shape(1)), (4..10, &[2, 3][..]));
        assert_eq!((table.next(3), table.next(9)), (&[][..], &[(0, 0.5), (1, 0.25)][..]));
        assert!(!table.is_one_shot());
        // Written out again, it is the same.
        assert_eq!(TabularGame::new(&table).unwrap(), table);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (actions, next) in [(0, vec![]), (2, vec![(2, 0.5)]), (2, vec![(0, -0.1)]), (2, vec![(0, 0.7), (1, 0.7)])] {
            let error = TabularGame::new(&Numbered { actions, next: next.clone() }).unwrap_err();
            assert!(matches!(error, TheoryError::Invalid(_)), "{actions} {next:?}: {error}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused_with_its_size() {
        let huge = Numbered { actions: 1 << 40, next: vec![] };
        let error = TabularGame::new(&huge).unwrap_err();
        assert!(matches!(error, TheoryError::TooLarge(_)), "{error}");
        let rows = (1u128 << 80) + (1u128 << 40) * ((1 << 40) + 1);
        assert!(error.what().contains(&format!("{rows} joint actions")), "{error}");
        // Transitions count too, once they are known.
        let game = Numbered { actions: 2, next: vec![(0, 0.1); 8] };
        assert!(TabularGame::within(&game, 2000).is_ok());
        assert!(matches!(TabularGame::within(&game, 800), Err(TheoryError::TooLarge(_))));
    }
}
