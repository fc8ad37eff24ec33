//! The games that statements are tested on, and profiles drawn from a named stream.

use crate::stream::Stream;
use crate::theory::games::{
    Congestion, Repair, Rewards, Spread, Tables, TwoLink, TwoState, free_or_bound, safe_or_match,
};
use crate::theory::{FiniteGame, Profile, TabularGame, TheoryError};

/// A game under its name.
pub struct Named {
    /// The name.
    pub name: &'static str,
    /// The game.
    pub game: TabularGame,
}

fn named(name: &'static str, game: &dyn FiniteGame) -> Result<Named, TheoryError> {
    Ok(Named { name, game: TabularGame::new(game)? })
}

/// Two terminals that two players value the other way round: R^1 = (1, 2), R^2 = (2, 1). One of them moves.
pub fn opposed_terminals() -> Result<Named, TheoryError> {
    let ln2 = 2.0f64.ln();
    named("two terminals, R1 = (1, 2), R2 = (2, 1)", &Tables::one_shot(&[2, 1], &[&[0.0, ln2], &[ln2, 0.0]]))
}

/// The one-shot game of identical interest in which the conditional reading ends far from Nash.
pub fn crossed() -> Result<Named, TheoryError> {
    named("common [[-3, 3], [2, 0]]", &Tables::common(&[[-3.0, 3.0], [2.0, 0.0]]))
}

/// One-shot potential games.
pub fn one_shot_potential_games() -> Result<Vec<Named>, TheoryError> {
    let dilemma = Tables::one_shot(&[2, 2], &[&[3.0, 0.0, 5.0, 1.0], &[3.0, 5.0, 0.0, 1.0]]);
    let crowd = Congestion { players: 3, penalty: 0.0, discount: 0.0, ..Congestion::default() };
    Ok(vec![
        named("common [[1, 0], [0, 0.5]]", &Tables::common(&[[1.0, 0.0], [0.0, 0.5]]))?,
        named("common [[4, 3.6], [-4, 4]]", &Tables::common(&[[4.0, 3.6], [-4.0, 4.0]]))?,
        crossed()?,
        named("climbing game / 10", &Tables::common(&[[1.1, -3.0, 0.0], [-3.0, 0.7, 0.6], [0.0, 0.0, 0.5]]))?,
        named("prisoner's dilemma", &dilemma)?,
        named("one-shot congestion, 3 players", &one_shot(&crowd)?)?,
    ])
}

/// The first state of a game as a game of its own.
fn one_shot(game: &dyn FiniteGame) -> Result<Tables, TheoryError> {
    let table = TabularGame::new(game)?;
    let payoffs: Vec<_> = (0..table.players()).map(|player| table.rewards(player, 0)).collect();
    Ok(Tables::one_shot(table.shape(0), &payoffs))
}

/// Markov games of identical interest, where players steer the state.
pub fn team_games() -> Result<Vec<Named>, TheoryError> {
    let congestion = Congestion { players: 2, rewards: Rewards::Team, discount: 0.9, ..Congestion::default() };
    let links = TwoLink { players: 3, rewards: Rewards::Team, discount: 0.9, ..TwoLink::default() };
    Ok(vec![
        two_state()?,
        named("two states x 5", &TwoState { scale: 5.0, ..TwoState::default() })?,
        named("safe or match", &safe_or_match(0.9))?,
        named("free or bound", &free_or_bound(0.3))?,
        named("team congestion, 2 players", &congestion)?,
        named("team two-link routing, 3 players", &links)?,
    ])
}

/// Two states of identical interest.
pub fn two_state() -> Result<Named, TheoryError> {
    named("two states", &TwoState::default())
}

/// Markov games with everyone's own reward, whose state nobody steers.
pub fn uncontrolled_games() -> Result<Vec<Named>, TheoryError> {
    let transitions = Spread::Chance { distancing: 0.5 };
    let congestion = Congestion { players: 2, transitions, discount: 0.9, ..Congestion::default() };
    let transitions = Repair::Chance { safe: 0.5 };
    let links = TwoLink { players: 3, transitions, discount: 0.9, ..TwoLink::default() };
    Ok(vec![
        named("congestion by chance, 2 players", &congestion)?,
        named("two-link routing by chance, 3 players", &links)?,
    ])
}

/// Markov games as published: everyone's own reward, and everyone steers the state. No potential games.
pub fn published_games() -> Result<Vec<Named>, TheoryError> {
    let congestion = Congestion { players: 2, spread: Some(1.0), discount: 0.9, ..Congestion::default() };
    let links = TwoLink { players: 3, discount: 0.9, ..TwoLink::default() };
    Ok(vec![named("congestion, 2 players", &congestion)?, named("two-link routing, 3 players", &links)?])
}

/// All exact potential games, in rewards.
pub fn potential_games() -> Result<Vec<Named>, TheoryError> {
    let mut games = one_shot_potential_games()?;
    games.extend(team_games()?);
    games.extend(uncontrolled_games()?);
    Ok(games)
}

/// Matching pennies.
pub fn pennies() -> Result<Named, TheoryError> {
    named("matching pennies", &Tables::one_shot(&[2, 2], &[&[1.0, -1.0, -1.0, 1.0], &[-1.0, 1.0, 1.0, -1.0]]))
}

/// The same game with rewards of at most 1 in size, which some statements ask for.
pub fn scaled(named: &Named) -> Result<Named, TheoryError> {
    let game = &named.game;
    let rewards = |player| (0..game.states()).flat_map(move |state| game.rewards(player, state));
    let most = (0..game.players()).flat_map(rewards).fold(0.0, |most: f64, reward| most.max(reward.abs()));
    let tables = Tables {
        shape: game.shape(0).to_vec(),
        rewards: (0..game.players())
            .map(|i| (0..game.states()).map(|s| game.rewards(i, s).iter().map(|r| r / most).collect()).collect())
            .collect(),
        next: (0..game.states()).map(|state| game.rows(state).map(|row| game.next(row).to_vec()).collect()).collect(),
        discount: game.discount(),
        start: game.start().to_vec(),
    };
    Ok(Named { name: named.name, game: TabularGame::new(&tables)? })
}

/// Numbers for random cases; the same for the same purpose.
pub fn stream(purpose: &str) -> Stream {
    Stream::new(0, 0, "verify", purpose)
}

/// A uniform number in [low, high).
pub fn between(rng: &mut Stream, low: f64, high: f64) -> f64 {
    low + (high - low) * f64::from(rng.unit())
}

/// Logits between -2 and 2, so that no policy is near the edge.
pub fn logits(rng: &mut Stream, length: usize) -> Vec<f64> {
    (0..length).map(|_| between(rng, -2.0, 2.0)).collect()
}

/// A profile with such logits.
pub fn profile(rng: &mut Stream, game: &TabularGame) -> Profile {
    Profile::softmax(game.layout(), &logits(rng, game.layout().len()))
}
