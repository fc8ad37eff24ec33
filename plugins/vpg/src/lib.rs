//! VPG: variational policy gradient, tabular.
//!
//! "A generative model for game theory with flow equilibrium", section 5.1, Algorithm 1. Each player improves a table of
//! policies by Eq. 7, pi <- pi^(1 - alpha tau) exp(alpha Q) / Z with alpha = eta / (1 - gamma), against a model of its
//! opponents. The mathematics is in [`equiflow::theory::vpg`], where `equiflow verify` tests it.
//!
//! Deviations from the paper:
//! * `reading: marginal` (the default) keeps pi(a|s) and its mean action values, which is what Eq. 11 minimises and what
//!   comes to rest at a Markov logit quantal response equilibrium. `conditional` is the paper to the letter, pi(a|s, b): what
//!   it executes, the mean over the opponent model, is neither that nor near a Nash equilibrium in general.
//! * eta is a parameter: with the paper's 1 / L of Lemma 5.4 nothing would move in any run (both are recorded).
//! * A temperature tau (the paper: 1).
//! * The variational model knows the opponents' rewards; the paper infers them (section 5.2).
//! * Values of the marginal reading hold the player's own entropy only, as Eq. 11 has it; Def. 4.4's -tau KL(rho || pihat) in
//!   the steps to come is in those of the conditional reading.
//!
//! Recorded of each player: `logit_distance`, the largest difference of a probability to softmax(Qbar / tau) before the last
//! update, which is 0 at a logit quantal response equilibrium of lambda = 1 / tau (Qbar being the player's own, by its own
//! model and values); `cycle_period`, after how many updates its policies come back, 0 when they do not; `eta`, and
//! `eta_of_lemma_5_4` = 1 / L. The framework adds `exact_nash_conv`, `exact_potential`, `exact_gain` and `exact_value`.

mod belief;
mod sampled;

use std::sync::Arc;

use equiflow::prelude::*;
use equiflow::record::CYCLE_PERIOD;
use equiflow::theory::vpg::conditional::{execute, improve_table, soft_values};
use equiflow::theory::vpg::marginal::asymmetric_start;
use equiflow::theory::vpg::{Conditional, CycleDetector, Vpg as Exact, discount, improve, smoothness_of, step_size};
use equiflow::theory::{Profile, profile::softmax};

use belief::{Belief, Model, Prior};
use sampled::SampledQ;

/// What stands for the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Reading {
    /// pi(a|s).
    Marginal,
    /// pi(a|s, b), executed as its mean over the opponent model.
    Conditional,
}

/// Where action values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Values {
    /// The game's tables.
    Exact,
    /// Remembered transitions.
    Sampled,
}

/// Who updates when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Order {
    /// All at once.
    Simultaneous,
    /// One player per update, in turn.
    Sequential,
}

/// The policies before the first update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Start {
    /// Every action equally likely.
    Uniform,
    /// pi^i(a|s) proportional to 1 + (a + i + s) mod |A_i|, so that no symmetry hides an instability.
    Asymmetric,
    /// Softmax of logits between -1 and 1, drawn per seed.
    Random,
}

params! {
    /// VPG (the paper's Algorithm 1): tables of policies improved by Eq. 7 against an opponent model. Finite games only.
    pub struct VpgParams {
        /// `marginal`: pi(a|s); `conditional`: pi(a|s, b), as printed, which may end far from every equilibrium.
        reading: Reading = Reading::Marginal,
        /// Action values from the game's tables (`exact`) or from remembered transitions (`sampled`).
        values: Values = Values::Exact,
        /// The model of the opponents: `exact` (reads their policies), `empirical` (shares of their actions in a batch of
        /// remembered transitions) or `variational` (Prop. 4.7).
        opponent_model: Model = Model::Exact,
        /// The variational model's prior: `uniform` or `empirical`.
        prior: Prior = Prior::Uniform,
        /// What each count of the empirical model is raised by.
        smoothing: f64 = 1.0,
        /// tau: what a nat of the player's entropy is worth.
        temperature: f64 = 1.0,
        /// The step size eta. None: 0.1 (1 - discount) / max(tau, 1), with which every potential game tried came to rest.
        eta: Option<f64> = None,
        /// `simultaneous`, or `sequential`: one player per update, in turn.
        order: Order = Order::Simultaneous,
        /// The first policies: `uniform`, `asymmetric` or `random`.
        start: Start = Start::Uniform,
        /// Environment steps between two updates.
        learn_every: u64 = 1,
        /// Transitions that an update learns from, where it samples.
        batch: usize = 64,
        /// Transitions that are remembered, per seed; batches, those of the empirical model too, are drawn from them. The
        /// players of an environment share a memory, of the largest size that one of them asks for.
        buffer: usize = 10_000,
        /// Share of the way that sampled action values go towards their targets.
        value_rate: f64 = 0.1,
    }
}

impl VpgParams {
    fn eta(&self, game: &TabularGame) -> f64 {
        self.eta.unwrap_or_else(|| 0.1 * (1.0 - discount(game)) / self.temperature.max(1.0))
    }

    /// Whether updates look at transitions at all.
    fn samples(&self) -> bool {
        let counts = self.opponent_model == Model::Empirical
            || (self.opponent_model == Model::Variational && self.prior == Prior::Empirical);
        self.values == Values::Sampled || counts
    }
}

/// A player who learns by VPG, in all seeds of a lane.
#[derive(Component, Debug)]
pub struct Vpg {
    params: VpgParams,
    game: Arc<TabularGame>,
    player: usize,
    /// [`step_size`].
    alpha: f64,
    seeds: Vec<Seed>,
    /// What it plays: [seeds, states, actions].
    policies: Vec<f64>,
    /// Where its actions come from, one per seed.
    streams: Vec<Stream>,
    updates: u64,
}

/// What one seed has learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde")]
struct Seed {
    /// pi(a|s, b) by row, in the conditional reading.
    table: Vec<f64>,
    /// Q(s, a, b) by row, where it is sampled.
    q: SampledQ,
    cycles: CycleDetector,
    /// The length of the cycle that the last policies are on; 0 for none.
    period: usize,
    /// The largest distance of a probability to softmax(Qbar / tau), before the last update.
    distance: f64,
}

impl Vpg {
    /// The profile of all players where this one plays as it does and nothing is known of the others.
    fn own_profile(&self, seed: usize) -> Profile {
        let mut profile = Profile::uniform(self.game.layout());
        let place = self.place();
        profile.values[place.clone()].copy_from_slice(&self.policies[seed * place.len()..][..place.len()]);
        profile
    }

    /// Where the player's policies stand in a profile.
    fn place(&self) -> std::ops::Range<usize> {
        self.game.layout().of_player(self.player)
    }

    /// The state that an observation shows: finite games show it one-hot.
    fn state(observation: &[f32]) -> usize {
        observation.iter().position(|x| *x > 0.5).unwrap_or(0)
    }

    /// Calls `choose(policy, row in the seed)` for every row and writes what it says.
    fn choose(
        &mut self,
        observation: &[f32],
        action: &mut [f32],
        mut choose: impl FnMut(&[f64], &mut Stream) -> usize,
    ) {
        let (seeds, own) = (self.seeds.len(), self.place().len());
        let width = observation.len() / action.len();
        let per_seed = action.len() / seeds;
        let first = self.place().start;
        for (row, (seen, action)) in observation.chunks_exact(width).zip(action).enumerate() {
            let seed = row / per_seed;
            let part = self.game.layout().range(self.player, Self::state(seen));
            let policy = &self.policies[seed * own + part.start - first..][..part.len()];
            *action = choose(policy, &mut self.streams[seed]) as f32;
        }
    }

    /// One update of one seed.
    fn update(&mut self, number: usize, belief: &Belief, lesson: &Lesson) -> Result<(), TheoryError> {
        let (player, alpha, tau) = (self.player, self.alpha, self.params.temperature);
        let game = Arc::clone(&self.game);
        let seed = &mut self.seeds[number];
        // Qbar of the executed policy, from tables or samples; the samples of either reading learn first.
        if self.params.values == Values::Sampled {
            let table = (self.params.reading == Reading::Conditional).then_some(&seed.table[..]);
            let rates = (self.params.value_rate, tau);
            seed.q.learn(&game, player, belief, table, rates, number, lesson.batch);
        }
        let q_bar = match self.params.values {
            Values::Exact => Exact::new(alpha, tau).action_values(&game, &belief.profile, player)?,
            Values::Sampled => seed.q.mean(&game, player, &belief.profile),
        };
        seed.distance = logit_distance(&game, &belief.profile, player, &q_bar, tau);
        let mut next = belief.profile.clone();
        match self.params.reading {
            Reading::Marginal => {
                let mut rest = &q_bar[..];
                for state in 0..game.states() {
                    let (q, after) = rest.split_at(game.shape(state)[player]);
                    improve(next.of_mut(player, state), q, alpha, tau);
                    rest = after;
                }
            }
            Reading::Conditional => {
                let exact;
                let q = match self.params.values {
                    Values::Exact => {
                        exact = soft_values(&game, player, &seed.table, &belief.profile, &belief.prior, tau)?.of_rows;
                        &exact
                    }
                    Values::Sampled => &seed.q.rows,
                };
                improve_table(&game, player, &mut seed.table, q, alpha, tau);
                execute(&game, player, &seed.table, &belief.profile, &mut next);
            }
        }
        let place = self.place();
        let own = &next.values[place.clone()];
        let seed = &mut self.seeds[number];
        seed.period = seed.cycles.push(own).unwrap_or(0);
        self.policies[number * place.len()..][..place.len()].copy_from_slice(own);
        Ok(())
    }
}

/// The largest difference of a probability to softmax(Qbar / tau).
fn logit_distance(game: &TabularGame, belief: &Profile, player: usize, q_bar: &[f64], tau: f64) -> f64 {
    let mut rest = q_bar;
    let mut most: f64 = 0.0;
    for state in 0..game.states() {
        let policy = belief.of(player, state);
        let (q, after) = rest.split_at(policy.len());
        let mut response: Vec<f64> = q.iter().map(|q| q / tau).collect();
        softmax(&mut response);
        most = response.iter().zip(policy).fold(most, |most, (x, y)| most.max((x - y).abs()));
        rest = after;
    }
    most
}

impl Algorithm for Vpg {
    type Params = VpgParams;

    const TABULAR: bool = true;

    fn check(params: &VpgParams, game: &GameSpec, player: usize) -> Result<(), Invalid> {
        let space = &game.players[player].action;
        if !matches!(space, Space::Discrete(_)) {
            let what = format!("its actions are {space}; expected a finite game, with discrete actions");
            return Err(Invalid { field: None, what });
        }
        let must = |field, holds: bool, found: String, expected: &str| {
            if holds { Ok(()) } else { Err(Invalid::new(field, format!("it is {found}; expected {expected}"))) }
        };
        let tau = params.temperature;
        must("temperature", tau > 0.0 && tau.is_finite(), tau.to_string(), "a number above 0")?;
        let smoothing = params.smoothing;
        must("smoothing", smoothing >= 0.0 && smoothing.is_finite(), smoothing.to_string(), "0 or more")?;
        must("learn_every", params.learn_every > 0, "0".to_owned(), "at least 1")?;
        must("batch", (1..=1_000_000).contains(&params.batch), params.batch.to_string(), "1 to 1000000")?;
        must("buffer", params.buffer > 0, "0".to_owned(), "at least 1")?;
        let rate = params.value_rate;
        must("value_rate", rate > 0.0 && rate <= 1.0, rate.to_string(), "above 0, at most 1")
    }

    fn check_tables(params: &VpgParams, game: &TabularGame, _: usize) -> Result<(), Invalid> {
        if discount(game) >= 1.0 {
            let what = "the game's discount is 1; expected one below 1: alpha = eta / (1 - discount)".to_owned();
            return Err(Invalid { field: None, what });
        }
        let alpha = step_size(params.eta(game), discount(game), params.temperature);
        alpha.map(|_| ()).map_err(|error| Invalid::new("eta", error.what()))
    }

    fn new(params: &VpgParams, seat: &Seat) -> Self {
        let game = Arc::clone(seat.tables.expect("a tabular algorithm is given the game's tables"));
        let alpha = step_size(params.eta(&game), discount(&game), params.temperature).expect("eta was checked");
        let rows = game.rows(game.states() - 1).end;
        let mut policies = Vec::new();
        let mut seeds = Vec::new();
        let layout = game.layout();
        let place = layout.of_player(seat.player);
        for rng in &mut seat.streams("first policies") {
            let start = match params.start {
                Start::Uniform => Profile::uniform(layout),
                Start::Asymmetric => asymmetric_start(&game),
                Start::Random => {
                    let logits: Vec<_> = (0..layout.len()).map(|_| f64::from(rng.uniform(-1.0, 1.0))).collect();
                    Profile::softmax(layout, &logits)
                }
            };
            policies.extend_from_slice(&start.values[place.clone()]);
            let table = match params.reading {
                Reading::Marginal => Vec::new(),
                Reading::Conditional => Conditional::from_executed(&game, &start).tables.swap_remove(seat.player),
            };
            let q = SampledQ::new(if params.values == Values::Sampled { rows } else { 0 });
            seeds.push(Seed { table, q, cycles: CycleDetector::default(), period: 0, distance: f64::NAN });
        }
        let streams = seat.streams("actions");
        Self { params: params.clone(), game, player: seat.player, alpha, seeds, policies, streams, updates: 0 }
    }

    fn memory(params: &VpgParams) -> Option<Memory> {
        // Updates are asked for with a batch, be it of one transition that nobody looks at.
        Some(Memory { capacity: if params.samples() { params.buffer } else { 1 }, reads_others: false })
    }

    fn act(&mut self, turn: &Turn, action: &mut [f32]) {
        self.sample_policy(turn.observation, turn.predictions, action);
    }

    fn sample_policy(&mut self, observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        self.choose(observation, action, |policy, rng| {
            let mut left = f64::from(rng.unit());
            let chosen = policy.iter().position(|p| {
                left -= p;
                left < 0.0
            });
            chosen.unwrap_or(policy.len() - 1)
        });
    }

    /// The likeliest action; the exact figures are of the policies themselves.
    fn mean_action(&mut self, observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        self.choose(observation, action, |policy, _| {
            (1..policy.len()).fold(0, |best, a| if policy[a] > policy[best] { a } else { best })
        });
    }

    fn batch_at(&self, step: u64) -> usize {
        let due = step.is_multiple_of(self.params.learn_every);
        match (due, self.params.samples()) {
            (false, _) => 0,
            (true, true) => self.params.batch,
            (true, false) => 1,
        }
    }

    fn learn(&mut self, lesson: &Lesson) -> Result<(), Fault> {
        let turn = self.updates % self.game.players() as u64;
        self.updates += 1;
        if self.params.order == Order::Sequential && turn != self.player as u64 {
            return Ok(());
        }
        // A seed that fails does not keep the others from learning.
        let mut faults = Vec::new();
        for number in 0..self.seeds.len() {
            let own = self.own_profile(number);
            let learned = Belief::new(&self.params, &self.game, self.player, own, number, lesson)
                .and_then(|belief| self.update(number, &belief, lesson).map_err(|error| error.to_string()));
            faults.extend(learned.err().map(|what| (number, what)));
        }
        Fault::of(faults)
    }

    fn policies(&self) -> Option<&[f64]> {
        Some(&self.policies)
    }

    fn metrics(&self, put: &mut dyn FnMut(&'static str, usize, f64)) {
        let game = &self.game;
        for (number, seed) in self.seeds.iter().enumerate() {
            put("eta", number, self.params.eta(game));
            put("eta_of_lemma_5_4", number, 1.0 / smoothness_of(game));
            if seed.distance.is_finite() {
                put("logit_distance", number, seed.distance);
            }
            put(CYCLE_PERIOD, number, seed.period as f64);
        }
    }
}

impl Checkpoint for Vpg {
    fn save(&self, to: &mut Snapshot) {
        to.put("learned", &(&self.seeds, &self.policies, &self.updates));
        to.put("streams", &self.streams);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        (self.seeds, self.policies, self.updates) = from.get("learned")?;
        self.streams = from.get("streams")?;
        Ok(())
    }
}

equiflow::export_plugin! {
    algorithms { vpg: Vpg }
}
