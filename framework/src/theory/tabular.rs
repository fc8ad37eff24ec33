//! A finite game written out: rewards and transitions of every joint action, checked, in the order that solvers read.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::error::TheoryError;
use super::finite_game::FiniteGame;
use super::memory;
use super::moves::{Moves, Next};
use super::profile::Layout;

/// Sums of probabilities may be off by this much.
const ROUNDING: f64 = 1e-9;

/// What the name of an action takes, in bytes, as a rule.
pub(super) const NAME: u128 = 48;

/// A finite game as tables. A *row* is a joint action in a state: the rows of a state stand side by side, the actions of
/// the last player run fastest. A clone shares the large tables.
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
    rewards: Arc<Vec<f64>>,
    /// Of each row.
    moves: Arc<Moves>,
    player_names: Vec<String>,
    /// [states].
    state_names: Vec<String>,
    /// In the profile's layout.
    action_names: Arc<Vec<String>>,
}

impl TabularGame {
    /// Writes a game out, in tables of at most [`memory::limit`] bytes. Of a game that is written out already the tables are
    /// shared, and so are the payoffs of a normal form.
    ///
    /// # Errors
    /// The tables would be larger, or the rules contradict what [`FiniteGame`] asks.
    pub fn new(game: &dyn FiniteGame) -> Result<Self, TheoryError> {
        match game.table() {
            Some(table) => Ok(table.clone()),
            None => Self::within(game, memory::limit()),
        }
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
        // A state has a row and an action of each player at least: that is seen before any are counted.
        let least = (states as u128).saturating_mul(players as u128).saturating_mul(NAME + 8);
        if least > limit as u128 {
            return Err(too_large(players, states, states as u128, least, limit));
        }
        let (actions, rows) = count_actions_and_rows(game)?;
        // A reward per player, as a rule the number of a list of transitions, and names.
        let row = 8 * players as u128 + if states > 1 { 4 } else { 0 };
        let bytes = rows.saturating_mul(row).saturating_add(actions.saturating_mul(NAME));
        if bytes > limit as u128 {
            return Err(too_large(players, states, rows, bytes, limit));
        }
        let mut table = Self::empty(game);
        table.check_facts()?;
        match game.normal_form() {
            Some(form) => {
                table.rewards = Arc::clone(form.all_payoffs());
                table.check_rewards()?;
            }
            None => table.fill(game, rows as usize, bytes, limit)?,
        }
        Ok(table)
    }

    /// Everything but rewards and transitions.
    fn empty(game: &dyn FiniteGame) -> Self {
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
            action_names: Arc::new(
                places()
                    .flat_map(|(player, state)| (0..game.actions(state, player)).map(move |a| (player, state, a)))
                    .map(|(player, state, action)| game.action_name(state, player, action))
                    .collect(),
            ),
            shapes,
            first_row,
            rewards: Arc::default(),
            moves: Arc::default(),
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

    /// Writes rewards and transitions; `bytes` are those of the tables without the lists of transitions.
    fn fill(&mut self, game: &dyn FiniteGame, rows: usize, bytes: u128, limit: usize) -> Result<(), TheoryError> {
        let (players, states) = (self.players(), self.states());
        let mut joint = vec![0; players];
        let mut row_rewards = vec![0.0; players];
        let mut rewards = vec![0.0; rows * players];
        let mut next = Next::new();
        let mut moves = Moves::with_capacity(if states > 1 { rows } else { 0 });
        // The number of a list by its hash: equal lists are kept once.
        let (hasher, mut numbers) = (RandomState::new(), HashMap::new());
        for state in 0..states {
            joint.fill(0);
            for row in self.rows(state) {
                row_rewards.fill(f64::NAN);
                next.clear();
                game.outcome(state, &joint, &mut row_rewards, &mut next);
                self.check_row(state, &joint, &row_rewards, &next)?;
                for (player, reward) in row_rewards.iter().enumerate() {
                    rewards[player * rows + row] = *reward;
                }
                next.retain(|(_, probability)| *probability > 0.0);
                let key = hasher.hash_one(next.iter().map(|(to, p)| (*to, p.to_bits())).collect::<SmallVec<[_; 8]>>());
                match numbers.get(&key).filter(|list| moves.list(**list) == next) {
                    Some(list) => moves.push_again(*list),
                    None => {
                        let list = moves.push(next.iter().copied());
                        let bytes = bytes + moves.list_bytes() as u128;
                        let list = list.filter(|_| bytes <= limit as u128);
                        let list = list.ok_or_else(|| too_large(players, states, rows as u128, bytes, limit))?;
                        numbers.insert(key, list);
                    }
                }
                advance(&mut joint, self.shape(state));
            }
        }
        self.rewards = Arc::new(rewards);
        self.moves = Arc::new(if moves.is_empty() { Moves::default() } else { moves });
        Ok(())
    }

    fn check_rewards(&self) -> Result<(), TheoryError> {
        match self.rewards.iter().find(|reward| !reward.is_finite()) {
            Some(wrong) => Err(TheoryError::Invalid(format!("a reward is {wrong}; expected finite numbers"))),
            None => Ok(()),
        }
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
        self.moves.of(row)
    }

    /// Where all rows lead.
    pub(super) fn moves(&self) -> &Arc<Moves> {
        &self.moves
    }

    /// The rewards of all players, [players, rows].
    pub(super) fn all_rewards(&self) -> &Arc<Vec<f64>> {
        &self.rewards
    }

    /// Whether nothing ever follows a step from a game of one state.
    pub fn is_one_shot(&self) -> bool {
        self.states() == 1 && self.moves.is_empty()
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
    fn table(&self) -> Option<&TabularGame> {
        Some(self)
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

/// All actions of all players in all states, and all joint actions of all states.
fn count_actions_and_rows(game: &dyn FiniteGame) -> Result<(u128, u128), TheoryError> {
    let (mut all, mut rows) = (0u128, 0u128);
    for state in 0..game.states() {
        let mut product = 1u128;
        for player in 0..game.players() {
            let actions = game.actions(state, player);
            if actions == 0 {
                let what = format!("player {player} has no action in state {state}; expected at least one");
                return Err(TheoryError::Invalid(what));
            }
            all = all.saturating_add(actions as u128);
            product = product.saturating_mul(actions as u128);
        }
        rows = rows.saturating_add(product);
    }
    Ok((all, rows))
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
        // Written out again it is the same, and new shares what is there.
        assert_eq!(TabularGame::within(&table, 1 << 20).unwrap(), table);
        assert!(Arc::ptr_eq(&TabularGame::new(&table).unwrap().rewards, &table.rewards));
        // Six rows lead the same way, the other four nowhere.
        assert_eq!(table.moves.lists(), 2);
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
        // Transitions count too, once they are known: here 9 names, 10 rows of 20 bytes, and a list of 8.
        let of = |next: Next, limit| TabularGame::within(&Numbered { actions: 2, next }, limit);
        assert!(of(vec![], 700).is_ok() && of(vec![(0, 0.1); 8], 1000).is_ok());
        assert!(matches!(of(vec![(0, 0.1); 8], 700), Err(TheoryError::TooLarge(_))));
    }
}
