//! The paper's graphical model for game (section 4): the augmented graph of a finite game, the distribution over its
//! terminating vertices and the return functions that this distribution is compared with.
//!
//! A vertex is (t, s, z, p) as in section 4.2, and t, which the paper leaves out: without it the return could not be
//! read off z, and the graph could have cycles. All players share one graph, so z and p have one number per player:
//!
//! * z_0 = 0, z_{t+1} = r + z_t / gamma, so that the return is gamma^(T-1) z_T;
//! * p_0 = 1, p_{t+1} = p_t pi^-i(a^-i|s) P(s'|s, a).
//!
//! Paths that meet in a vertex add up, in P_T and in the return function: only so does Eq. 2 hold.

use std::collections::HashMap;

use super::error::TheoryError;
use super::profile::Profile;
use super::tabular::{TabularGame, advance};

/// Most vertices of a graph.
pub const LIMIT: usize = 1_000_000;

/// The return function R^i of a terminating vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnFunction {
    /// exp(Ret^i / tau): a function of the vertex alone, as in section 4.1.
    Plain,
    /// p_T exp(Ret^i / tau): the others' policies and chance as a factor in front, with which Eq. 2 holds. (The paper
    /// prints p_T inside of the exponential, and then leaves it out.)
    Weighted,
}

/// A vertex (t, s, z, p).
#[derive(Clone, Debug, PartialEq)]
pub struct Vertex {
    /// Steps taken.
    pub time: usize,
    /// The state; `None` when the game is over.
    pub state: Option<usize>,
    /// z of each player.
    pub z: Vec<f64>,
    /// p of each player.
    pub p: Vec<f64>,
    /// The probability that the profile comes by.
    pub probability: f64,
    /// How many paths lead here.
    pub paths: f64,
}

/// The augmented graph of a game under a profile, layer by layer.
#[derive(Clone, Debug)]
pub struct Graph {
    players: usize,
    discount: f64,
    horizon: usize,
    /// Per time, the vertices of that time.
    layers: Vec<Vec<Vertex>>,
}

impl Graph {
    /// The graph of `game` over `horizon` steps from its start, all actions included, also those that are never taken.
    ///
    /// # Errors
    /// There would be more than [`LIMIT`] vertices; or the discount is 0, which allows one step only.
    pub fn new(game: &TabularGame, profile: &Profile, horizon: usize) -> Result<Self, TheoryError> {
        Self::build(game, profile, horizon, true)
    }

    /// The same with a vertex per path: where P(path; pi) lives.
    ///
    /// # Errors
    /// See [`Graph::new`].
    pub fn tree(game: &TabularGame, profile: &Profile, horizon: usize) -> Result<Self, TheoryError> {
        Self::build(game, profile, horizon, false)
    }

    fn build(game: &TabularGame, profile: &Profile, horizon: usize, merge: bool) -> Result<Self, TheoryError> {
        if horizon == 0 || (horizon > 1 && game.discount() == 0.0) {
            let what = format!(
                "the graph is asked for {horizon} steps of a game of discount {}; expected at least one step, and \
                 no more with a discount of 0, by which z is divided",
                game.discount()
            );
            return Err(TheoryError::Invalid(what));
        }
        let players = game.players();
        let first: Vec<_> = (game.start().iter().enumerate())
            .filter(|(_, probability)| **probability > 0.0)
            .map(|(state, &probability)| Vertex {
                time: 0,
                state: Some(state),
                z: vec![0.0; players],
                p: vec![probability; players],
                probability,
                paths: 1.0,
            })
            .collect();
        let mut graph = Self { players, discount: game.discount(), horizon, layers: vec![first] };
        for time in 0..horizon {
            let next = graph.step(game, profile, time, merge)?;
            graph.layers.push(next);
        }
        Ok(graph)
    }

    /// The vertices after those of `time`.
    fn step(
        &self,
        game: &TabularGame,
        profile: &Profile,
        time: usize,
        merge: bool,
    ) -> Result<Vec<Vertex>, TheoryError> {
        let mut layer = Vec::new();
        let mut places = HashMap::new();
        let before: usize = self.layers.iter().map(Vec::len).sum();
        let mut chances = Vec::new();
        for vertex in &self.layers[time] {
            let Some(state) = vertex.state else { continue };
            let mut joint = vec![0; self.players];
            for (at, row) in game.rows(state).enumerate() {
                let z: Vec<_> = (vertex.z.iter().enumerate())
                    // z_0 is 0, and stays so where the discount is 0 too.
                    .map(|(i, z)| game.rewards(i, state)[at] + if *z == 0.0 { 0.0 } else { z / self.discount })
                    .collect();
                let each: Vec<_> = (0..self.players).map(|i| profile.of(i, state)[joint[i]]).collect();
                chances.clear();
                chances.extend(game.next(row).iter().map(|(to, probability)| (Some(*to), *probability)));
                let end = 1.0 - chances.iter().map(|(_, probability)| probability).sum::<f64>();
                // What is missing to 1 by rounding is no end.
                if end > 1e-9 {
                    chances.push((None, end));
                }
                for &(to, chance) in &chances {
                    let others = |i: usize| each.iter().enumerate().filter(move |(j, _)| *j != i).map(|(_, q)| q);
                    let p: Vec<_> =
                        (0..self.players).map(|i| vertex.p[i] * others(i).product::<f64>() * chance).collect();
                    let probability = vertex.probability * each.iter().product::<f64>() * chance;
                    // Without merging the number of the path is part of its key.
                    let path = if merge { 0 } else { layer.len() };
                    let key = (to, coarse(&z), coarse(&p), path);
                    let place = *places.entry(key).or_insert_with(|| {
                        layer.push(Vertex { time: time + 1, state: to, z: z.clone(), p, probability: 0.0, paths: 0.0 });
                        layer.len() - 1
                    });
                    let reached: &mut Vertex = &mut layer[place];
                    reached.probability += probability;
                    reached.paths += vertex.paths;
                }
                if before + layer.len() > LIMIT {
                    return Err(TheoryError::TooLarge(format!(
                        "the graph has {} vertices after {} of {} steps and goes on; the limit is {LIMIT}, so take \
                         fewer steps, states or actions",
                        before + layer.len(),
                        time + 1,
                        self.horizon
                    )));
                }
                advance(&mut joint, game.shape(state));
            }
        }
        Ok(layer)
    }

    /// All vertices, those of time 0 first.
    pub fn vertices(&self) -> impl Iterator<Item = &Vertex> {
        self.layers.iter().flatten()
    }

    /// The terminating vertices, where P_T lives: the game is over, or the horizon is reached.
    pub fn terminals(&self) -> impl Iterator<Item = &Vertex> {
        self.vertices().filter(|vertex| vertex.state.is_none() || vertex.time == self.horizon)
    }

    /// The return of `player` at a terminating vertex, read off z.
    pub fn outcome(&self, vertex: &Vertex, player: usize) -> f64 {
        vertex.z[player] * self.discount.powi(vertex.time as i32 - 1)
    }

    /// log R^i of a terminating vertex, all its paths added up; minus infinity where p is 0.
    fn log_return(&self, vertex: &Vertex, player: usize, returns: ReturnFunction, temperature: f64) -> f64 {
        let weight = match returns {
            ReturnFunction::Plain => 0.0,
            ReturnFunction::Weighted => vertex.p[player].ln(),
        };
        weight + vertex.paths.ln() + self.outcome(vertex, player) / temperature
    }

    /// KL(P_T || R^i / Z^i) of `player`, 0 where Def. 4.1 holds for it.
    pub fn divergence(&self, player: usize, returns: ReturnFunction, temperature: f64) -> f64 {
        let logs: Vec<_> =
            (self.terminals().map(|vertex| self.log_return(vertex, player, returns, temperature))).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_z = most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln();
        (self.terminals().zip(&logs))
            .filter(|(vertex, _)| vertex.probability > 0.0)
            .map(|(vertex, log)| vertex.probability * (vertex.probability.ln() - log + log_z))
            .sum()
    }

    /// The flow residual sum_i KL(P_T || R^i / Z^i): 0 at a flow equilibrium (Def. 4.1) and nowhere else.
    pub fn residual(&self, returns: ReturnFunction, temperature: f64) -> f64 {
        (0..self.players).map(|player| self.divergence(player, returns, temperature)).sum()
    }

    /// What Theorem 4.3 says of a flow equilibrium with this graph.
    pub fn nash_bound(&self) -> NashBound {
        let vertices = (0..self.players)
            .map(|i| {
                let keys = self.vertices().map(|v| (v.time, v.state, coarse(&v.z[i..=i]), coarse(&v.p[i..=i])));
                keys.collect::<std::collections::HashSet<_>>().len()
            })
            .max()
            .unwrap_or(0);
        let returns = |i: usize| self.terminals().map(move |vertex| self.outcome(vertex, i));
        let all = || (0..self.players).flat_map(returns);
        let most = all().fold(f64::NEG_INFINITY, f64::max);
        let second = all().filter(|outcome| *outcome < most - 1e-12 * most.abs()).fold(f64::NEG_INFINITY, f64::max);
        let gap = most - second;
        let spread = |i: usize| returns(i).fold(f64::NEG_INFINITY, f64::max) - returns(i).fold(f64::INFINITY, f64::min);
        let possible = (0..self.players).map(spread).fold(0.0, f64::max);
        let epsilon = 2.0 * vertices as f64 * most * (-gap).exp();
        NashBound { vertices, most, least: all().fold(f64::INFINITY, f64::min), gap, epsilon, possible }
    }
}

/// Theorem 4.3's epsilon and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NashBound {
    /// |X|: the most vertices (t, s, z^i, p^i) of a player's graph.
    pub vertices: usize,
    /// Ret_max: the largest return of any player on any path.
    pub most: f64,
    /// The least return.
    pub least: f64,
    /// delta: Ret_max less the next smaller return of any player; infinite when there is none.
    pub gap: f64,
    /// 2 |X| Ret_max exp(-delta).
    pub epsilon: f64,
    /// The most that any player could gain in any profile: the spread of its returns.
    pub possible: f64,
}

impl NashBound {
    /// Whether the bound says nothing, since nobody could gain more than it allows.
    pub fn is_vacuous(&self) -> bool {
        self.epsilon >= self.possible
    }

    /// Whether |Ret| <= Ret_max, which the proof needs and the statement does not ask.
    pub fn bounds_the_size(&self) -> bool {
        self.least >= -self.most
    }
}

/// Numbers up to a relative error of about 1e-11, to tell whether two paths meet.
fn coarse(values: &[f64]) -> Vec<u64> {
    // Adding 0 makes -0 the same as 0.
    values.iter().map(|value| ((value + 0.0).to_bits() + (1 << 15)) >> 16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::FiniteGame;
    use crate::theory::games::{Tables, TwoState};

    fn graph(game: &dyn FiniteGame, horizon: usize) -> Graph {
        let table = TabularGame::new(game).unwrap();
        Graph::new(&table, &Profile::uniform(table.layout()), horizon).unwrap()
    }

    #[test]
    fn vertices_hold_time_state_return_and_the_others_part() {
        let game = Tables::one_shot(&[2, 2], &[&[1.0, 2.0, 3.0, 4.0], &[0.0; 4]]);
        let graph = graph(&game, 1);
        let last: Vec<_> = graph.terminals().collect();
        assert_eq!(graph.vertices().count(), 5);
        assert_eq!(last.iter().map(|v| graph.outcome(v, 0)).collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0]);
        assert!(last.iter().all(|v| v.p == [0.5, 0.5] && v.probability == 0.25 && v.state.is_none()));
    }

    #[test]
    fn returns_are_read_off_z_and_paths_that_meet_add_up() {
        let game = TwoState { scale: 1.0, discount: 0.5 };
        let graph = graph(&game, 3);
        assert!((graph.terminals().map(|vertex| vertex.probability).sum::<f64>() - 1.0).abs() < 1e-12);
        // Two starts, and in each of three steps four joint actions with two next states.
        assert_eq!(graph.terminals().map(|vertex| vertex.paths).sum::<f64>(), 2.0 * 8.0f64.powi(3));
        // Ways of the same reward and chance meet.
        assert!(graph.terminals().count() < 1024);
        // The expected return is that of two steps by hand: the mean rewards are 0.375 and 0.2, and from either state
        // the next is state 0 with 0.45 and 0.25.
        let value = |graph: &Graph| graph.terminals().map(|v| v.probability * graph.outcome(v, 1)).sum::<f64>();
        let two = super::tests::graph(&game, 2);
        let by_hand =
            0.5 * (0.375 + 0.5 * (0.45 * 0.375 + 0.55 * 0.2)) + 0.5 * (0.2 + 0.5 * (0.25 * 0.375 + 0.75 * 0.2));
        assert!((value(&two) - by_hand).abs() < 1e-12, "{} {by_hand}", value(&two));
    }

    #[test]
    fn a_graph_that_grows_too_large_is_refused_with_its_size() {
        let table = TabularGame::new(&TwoState { scale: 1.0, discount: 0.9 }).unwrap();
        let mut profile = Profile::uniform(table.layout());
        profile.each(|player, state, part| part.copy_from_slice(&[0.3 + 0.1 * (player + 2 * state) as f64, 0.0]));
        profile.each(|_, _, part| part[1] = 1.0 - part[0]);
        let error = Graph::new(&table, &profile, 100).unwrap_err();
        assert!(matches!(error, TheoryError::TooLarge(_)) && error.what().contains("vertices after"), "{error}");
    }
}
