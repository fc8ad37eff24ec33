//! MASQL: multiagent soft Q-learning.
//!
//! Wei et al. 2018, "Multiagent soft Q-learning", which takes soft Q-learning (Haarnoja et al. 2017, "Reinforcement learning
//! with deep energy-based policies") to joint actions. Each player has a soft value Q_i(o_i, a_1..a_N) of the *joint*
//! action and a network f_i(o_i, xi), xi normal noise as wide as the joint action, whose outputs, squashed into the box,
//! are samples of the density exp(Q_i / tau). A player imagines a joint action and plays its own part of it; a high
//! temperature lets the samples cover all hills of Q_i, a falling one lets all players settle on the highest.
//!
//! With particles a_k drawn uniformly over the box,
//!
//! * V_i(o) = tau log E_k exp(Q_i(o, a_k) / tau) + tau log volume (Haarnoja et al., eq. 10, importance-corrected), in the
//!   target y = r_i + gamma V_i(o') of Q_i, by a target network;
//! * f_i goes along the Stein variational gradient of its samples (eqs. 13 and 14), see [`stein`].
//!
//! Particles live in half ranges of the box, from -1 to 1 in each dimension, so the volume is 2^D.
//!
//! As in the published programs (Haarnoja et al.; Wen et al. 2019), the density that f_i samples has an additional factor
//! prod (1 - x^2), which keeps particles from the edges of the box, and a player's networks read its own observation alone.
//! Deviations from those programs: every state has particles of its own, not one set for a whole batch; log volume is
//! multiplied by tau, as eq. 10 has it; gradients are means, not sums, over states and particles, which Adam does not
//! notice; the critic reads actions in the game's units, as those of the other algorithms here; and where Wen et al. have
//! for this algorithm alone a discount of 0.99 and a target step at every tenth update, it has the defaults of the others.
//! They evaluate with samples; here evaluation plays the best of some, see `greedy_particles`. Their temperature is
//! `decay(floor: 0.1, scale: 500.0, rate: 0.1, after: 10.0)`, over before the warm-up is; the default is that of GPI.

mod stein;

use std::ops::Range;

use equiflow::prelude::*;
use equiflow_neural::{
    ActionBox, AdamParams, Block, Exclusive, LastLayer, Learner, Mlp, Pass, PerSeed, Real, Step, Temperature,
    WarmupPlay, check_box, check_positive, check_range, join, side_by_side, td_target,
};
use rand_distr::{Distribution, StandardNormal};

use stein::Stein;

/// Added to 1 - x^2 in the slope of its logarithm, as in the authors' program.
const EDGE: f64 = 1e-6;

params! {
    /// MASQL (Wei et al. 2018): soft Q-learning over joint actions with an amortised Stein sampler; each player plays its
    /// part of the joint action that it samples.
    pub struct MasqlParams {
        /// Width of each hidden layer, for sampler and critic; ReLU between them.
        hidden: Vec<usize> = vec![100, 100],
        /// Adam's step size for the sampler.
        sampler_learning_rate: f64 = 3e-4,
        /// Adam's step size for the critic.
        critic_learning_rate: f64 = 3e-4,
        /// Largest gradient norm of a network and seed; a larger gradient is scaled down. None: no limit.
        max_grad_norm: Option<f64> = None,
        /// Discount of the next step's value.
        discount: f64 = 0.95,
        /// Share of the way that the target critic goes towards the critic per update.
        target_rate: f64 = 0.01,
        /// Transitions that an update learns from.
        batch: usize = 512,
        /// Transitions that are remembered, per seed.
        buffer: usize = 1_000_000,
        /// Environment steps before anything is learned.
        warmup: u64 = 1_000,
        /// How it plays in them: `policy` (samples of its initial sampler) or `uniform`.
        warmup_play: WarmupPlay = WarmupPlay::Policy,
        /// Environment steps between two updates.
        learn_every: u64 = 1,
        /// What entropy is worth: `constant(..)`, `geometric(from: .., hold: .., to: .., at: ..)` or
        /// `decay(floor: .., scale: .., rate: .., after: ..)`.
        temperature: Temperature = Temperature::Geometric { from: 5.0, hold: 1_000, to: 0.1, at: 2_500 },
        /// Joint actions per state over which the next value is averaged, uniform over the box.
        value_particles: usize = 16,
        /// Sampled joint actions per state that say where the others have to go.
        fixed_particles: usize = 16,
        /// Sampled joint actions per state that are moved.
        moved_particles: usize = 16,
        /// Evaluation plays the sample of highest Q among this many, always of the same noise, the first of none; with 1
        /// what the sampler does without noise.
        greedy_particles: usize = 32,
    }
}

/// A player who learns by MASQL, in all seeds of a lane.
#[derive(Component, Debug)]
pub struct Masql {
    params: MasqlParams,
    networks: Exclusive<Networks>,
    player: usize,
    space: Space,
    joint: Space,
    /// One per seed: what it does, what it would do when asked, and what it imagines while it learns.
    streams: [Vec<Stream>; 3],
    noise: Noise,
    /// Of the last update, per seed: the critic's loss, the sampler's, and the mean Q of samples.
    losses: [PerSeed; 3],
    temperature: f64,
}

#[derive(Debug)]
struct Networks<T = f32> {
    /// f(o, xi), before it is squashed.
    sampler: Learner<T>,
    critic: Learner<T>,
    critic_target: Mlp<T>,
    /// Of joint actions.
    bounds: ActionBox<T>,
    /// Where the player's own action stands in a joint one.
    own: Range<usize>,
    /// Width of what it sees.
    observation: usize,
    /// The noise of the samples among which evaluation chooses, `[S, K, D]`.
    greedy: Vec<T>,
    room: Room<T>,
}

/// Room for what an update computes, so that nothing is allocated once it is warm.
#[derive(Debug, Default)]
struct Room<T> {
    latent: Vec<T>,
    input: Vec<T>,
    /// Joint actions, in the game's units.
    action: Vec<T>,
    value: Vec<T>,
    target: Vec<T>,
    gradient: Vec<T>,
    /// Of passes that nothing goes back through.
    pass: Pass<T>,
    /// Fixed and moved particles in half ranges, the slope of the log-density at the fixed ones, and where the moved ones
    /// have to go.
    fixed: Vec<f64>,
    moved: Vec<f64>,
    score: Vec<f64>,
    direction: Vec<f64>,
    stein: Stein,
}

/// What an update learns from: `[S, B, width]`, actions of every player; rewards and ends `[S, B]`.
struct Transitions<'a, T> {
    observation: &'a [T],
    actions: &'a [&'a [T]],
    reward: &'a [T],
    terminated: &'a [T],
    next_observation: &'a [T],
}

/// What an update draws, `[S, B, K, D]`, each with a K of its own.
#[derive(Debug, Default)]
struct Noise<T = f32> {
    /// Joint actions, uniform over the box.
    uniform: Vec<T>,
    /// Standard normal, of the particles that stay and of those that are moved.
    fixed: Vec<T>,
    moved: Vec<T>,
}

/// The settings of an update.
#[derive(Clone, Copy)]
struct Settings {
    discount: f64,
    target_rate: f64,
    temperature: f64,
}

/// What an update found.
struct Update {
    critic: Step,
    /// Its loss is the mean squared length of the Stein variational gradient, in half ranges: 0 where the samples are
    /// those of the density.
    sampler: Step,
    /// Mean Q of the samples.
    value: PerSeed,
}

impl<T: Real> Networks<T> {
    fn new(params: &MasqlParams, seat: &Seat) -> Self {
        let adam = |rate| AdamParams::new(rate).clip(params.max_grad_norm);
        let Space::Box { low, high } = joint_space(seat.game) else { unreachable!("it is made as a box") };
        let (observation, dims) = (seat.observation().width(), low.len());
        let sizes: Vec<_> = [&[observation + dims], &params.hidden[..], &[dims]].concat();
        let sampler = Mlp::new(&sizes, LastLayer::Same, &mut seat.streams("sampler weights"));
        let critic = Mlp::critic(observation + dims, &params.hidden, &mut seat.streams("critic weights"));
        let before = seat.game.players[..seat.player].iter().map(|place| place.action.width()).sum();
        let mut greedy = Vec::new();
        draw_normal(&mut seat.streams("evaluation"), params.greedy_particles * dims, &mut greedy);
        greedy.chunks_exact_mut(params.greedy_particles * dims).for_each(|seed| seed[..dims].fill(T::default()));
        Self {
            sampler: Learner::new(sampler, adam(params.sampler_learning_rate)),
            critic_target: critic.twin(),
            critic: Learner::new(critic, adam(params.critic_learning_rate)),
            bounds: ActionBox::new(&low, &high),
            own: before..before + seat.action().width(),
            observation,
            greedy,
            room: Room::default(),
        }
    }

    /// One update: critic, sampler, target.
    fn update(&mut self, batch: &Transitions<T>, noise: &Noise<T>, settings: &Settings) -> Update {
        let mut room = std::mem::take(&mut self.room);
        // y = r + gamma V(o')
        self.next_value(batch, &noise.uniform, settings.temperature, &mut room);
        td_target(batch.reward, batch.terminated, settings.discount, &room.value, &mut room.target);
        // Critic: down the mean of (Q(o, a) - y)^2.
        join(batch.reward.len(), [batch.observation].iter().chain(batch.actions).copied(), &mut room.input);
        let critic = self.critic.regress(&room.input, &room.target);
        let (sampler, value) = self.follow_density(batch, noise, settings.temperature, &mut room);
        // Target: theta' <- tau theta + (1 - tau) theta'.
        self.critic_target.soft_update(&self.critic.net, settings.target_rate);
        self.room = room;
        Update { critic, sampler, value }
    }

    /// V(o') by the target critic into `room.value`, `[S, B]`.
    fn next_value(&mut self, batch: &Transitions<T>, uniform: &[T], temperature: f64, room: &mut Room<T>) {
        let (rows, dims) = (batch.reward.len(), self.bounds.dims());
        room.value.clear();
        if batch.terminated.iter().all(|end| *end == T::from_f64(1.0)) {
            // Nothing follows anywhere.
            room.value.resize(rows, T::default());
            return;
        }
        let times = uniform.len() / dims / rows;
        let seen = Block::new(batch.next_observation, self.observation).times(times);
        side_by_side(&[seen, Block::new(uniform, dims)], &mut room.input);
        let q = self.critic_target.predict(&room.input, &mut room.pass);
        room.value.extend(q.chunks_exact(times).map(|q| T::from_f64(soft_value(q, temperature, dims))));
    }

    /// The sampler's step along the Stein variational gradient of its samples; also the mean Q of the fixed ones.
    fn follow_density(
        &mut self,
        batch: &Transitions<T>,
        noise: &Noise<T>,
        temperature: f64,
        room: &mut Room<T>,
    ) -> (Step, PerSeed) {
        let (seeds, dims, rows) = (self.critic.net.seeds(), self.bounds.dims(), batch.reward.len());
        let [fixed, moved] = [&noise.fixed, &noise.moved].map(|noise| noise.len() / dims / rows);
        let (seen, columns) = (Block::new(batch.observation, self.observation), self.observation..);
        // The fixed particles, and at each of them the slope of log p = Q / tau + sum log(1 - x^2).
        side_by_side(&[seen.times(fixed), Block::new(&noise.fixed, dims)], &mut room.input);
        let raw = self.sampler.net.predict(&room.input, &mut room.pass);
        unit_box(raw, &mut room.fixed);
        room.action.resize(raw.len(), T::default());
        self.bounds.squash(raw, &mut room.action);
        side_by_side(&[seen.times(fixed), Block::new(&room.action, dims)], &mut room.input);
        let q = self.critic.forward(&room.input);
        let sum = |q: &[T]| q.iter().map(|q| q.to_f64()).sum::<f64>();
        let value = q.chunks_exact(q.len() / seeds).map(|seed| sum(seed) / seed.len() as f64).collect();
        room.gradient.clear();
        room.gradient.resize(rows * fixed, T::from_f64(1.0));
        let by_action = self.critic.input_gradient(&room.gradient, columns.start..columns.start + dims);
        let half_range = self.bounds.half_range().iter().cycle();
        let slopes = room.fixed.iter().zip(by_action).zip(half_range);
        room.score.clear();
        room.score.extend(slopes.map(|((x, by_action), half_range)| {
            half_range.to_f64() * by_action.to_f64() / temperature - 2.0 * x / (1.0 - x * x + EDGE)
        }));
        // The moved particles, and where they have to go.
        side_by_side(&[seen.times(moved), Block::new(&noise.moved, dims)], &mut room.input);
        unit_box(self.sampler.forward(&room.input), &mut room.moved);
        room.direction.resize(room.moved.len(), 0.0);
        for row in 0..rows {
            let [still, going] = [fixed, moved].map(|count| row * count * dims..(row + 1) * count * dims);
            let (x, score, y) = (&room.fixed[still.clone()], &room.score[still], &room.moved[going.clone()]);
            room.stein.direction(x, score, y, dims, &mut room.direction[going]);
        }
        let per_seed = rows / seeds * moved;
        let squares = |seed: &[f64]| seed.iter().map(|x| x * x).sum::<f64>() / per_seed as f64;
        let loss: PerSeed = room.direction.chunks_exact(per_seed * dims).map(squares).collect();
        // Eq. 14: the sampler's parameters go where the particles go, through the squashing.
        let back = room.direction.iter().zip(&room.moved).map(|(phi, y)| -phi * (1.0 - y * y) / per_seed as f64);
        room.gradient.clear();
        room.gradient.extend(back.map(T::from_f64));
        (self.sampler.descend(&loss, &room.gradient), value)
    }

    /// The player's own part of joint actions sampled with the given noise `[rows, D]`.
    fn sample(&mut self, observation: &[T], noise: &[T], action: &mut [T]) {
        let (room, dims) = (&mut self.room, self.bounds.dims());
        side_by_side(&[Block::new(observation, self.observation), Block::new(noise, dims)], &mut room.input);
        let raw = self.sampler.net.predict(&room.input, &mut room.pass);
        room.action.resize(raw.len(), T::default());
        self.bounds.squash(raw, &mut room.action);
        for (action, joint) in action.chunks_exact_mut(self.own.len()).zip(room.action.chunks_exact(dims)) {
            action.copy_from_slice(&joint[self.own.clone()]);
        }
    }

    /// The player's own part of the sample of highest Q, among those of the noise kept for it.
    fn greedy(&mut self, observation: &[T], action: &mut [T]) {
        let (seeds, dims) = (self.critic.net.seeds(), self.bounds.dims());
        let (rows, per_seed) = (observation.len() / self.observation, self.greedy.len() / seeds);
        let (room, times) = (&mut self.room, per_seed / dims);
        room.latent.clear();
        for noise in self.greedy.chunks_exact(per_seed) {
            (0..rows / seeds).for_each(|_| room.latent.extend_from_slice(noise));
        }
        let seen = Block::new(observation, self.observation).times(times);
        side_by_side(&[seen, Block::new(&room.latent, dims)], &mut room.input);
        let raw = self.sampler.net.predict(&room.input, &mut room.pass);
        room.action.resize(raw.len(), T::default());
        self.bounds.squash(raw, &mut room.action);
        side_by_side(&[seen, Block::new(&room.action, dims)], &mut room.input);
        let q = self.critic.net.predict(&room.input, &mut room.pass);
        let particles = q.chunks_exact(times).zip(room.action.chunks_exact(per_seed));
        for (action, (q, particles)) in action.chunks_exact_mut(self.own.len()).zip(particles) {
            let best = q.iter().enumerate().fold(0, |best, (k, value)| if *value > q[best] { k } else { best });
            action.copy_from_slice(&particles[best * dims..][self.own.clone()]);
        }
    }
}

/// The box of joint actions, in the order of the players; all of theirs have to be boxes.
fn joint_space(game: &GameSpec) -> Space {
    let (mut lows, mut highs) = (Vec::new(), Vec::new());
    for place in &game.players {
        let Space::Box { low, high } = &place.action else { panic!("joint actions are sampled in a box") };
        lows.extend(low);
        highs.extend(high);
    }
    Space::Box { low: lows, high: highs }
}

/// Particles in half ranges of the box.
fn unit_box<T: Real>(raw: &[T], out: &mut Vec<f64>) {
    out.clear();
    out.extend(raw.iter().map(|raw| raw.to_f64().tanh()));
}

/// `tau log mean exp(q / tau) + tau log 2^dims` for values `q` of uniform particles in a box of volume `2^dims`.
fn soft_value<T: Real>(q: &[T], temperature: f64, dims: usize) -> f64 {
    let greatest = q.iter().fold(f64::NEG_INFINITY, |greatest, q| greatest.max(q.to_f64()));
    let sum: f64 = q.iter().map(|q| ((q.to_f64() - greatest) / temperature).exp()).sum();
    greatest + temperature * ((sum / q.len() as f64).ln() + dims as f64 * std::f64::consts::LN_2)
}

/// Draws `count` standard normal numbers per seed.
fn draw_normal<T: Real>(streams: &mut [Stream], count: usize, out: &mut Vec<T>) {
    out.clear();
    for stream in streams {
        out.extend((0..count).map(|_| T::from_f64(StandardNormal.sample(stream))));
    }
}

impl Masql {
    /// Plays a sample drawn from one kind of streams.
    fn play(&mut self, kind: usize, observation: &[f32], action: &mut [f32]) {
        let (networks, streams) = (self.networks.get(), &mut self.streams[kind]);
        let per_seed = action.len() / networks.own.len() / streams.len();
        let mut latent = std::mem::take(&mut networks.room.latent);
        draw_normal(streams, per_seed * networks.bounds.dims(), &mut latent);
        networks.sample(observation, &latent, action);
        networks.room.latent = latent;
    }
}

impl Algorithm for Masql {
    type Params = MasqlParams;

    fn check(params: &MasqlParams, game: &GameSpec, player: usize) -> Result<(), Invalid> {
        check_box(game, player)?;
        for other in 0..game.players.len() {
            check_box(game, other).map_err(|invalid| Invalid {
                what: format!("it samples joint actions; of player {other}, {}", invalid.what),
                ..invalid
            })?;
        }
        check_range("hidden", format!("{:?}", params.hidden), !params.hidden.contains(&0), "widths of at least 1")?;
        check_positive("sampler_learning_rate", params.sampler_learning_rate)?;
        check_positive("critic_learning_rate", params.critic_learning_rate)?;
        check_positive("max_grad_norm", params.max_grad_norm.unwrap_or(1.0))?;
        check_range("discount", params.discount, (0.0..=1.0).contains(&params.discount), "0 to 1")?;
        check_range("target_rate", params.target_rate, (0.0..=1.0).contains(&params.target_rate), "0 to 1")?;
        check_range("batch", params.batch, params.batch > 0, "at least 1")?;
        check_range("buffer", params.buffer, params.buffer > 0, "at least 1")?;
        check_range("learn_every", params.learn_every, params.learn_every > 0, "at least 1")?;
        params.temperature.check("temperature")?;
        check_range("value_particles", params.value_particles, params.value_particles > 0, "at least 1")?;
        // The bandwidth divides by the logarithm of their number.
        check_range("fixed_particles", params.fixed_particles, params.fixed_particles > 1, "at least 2")?;
        check_range("moved_particles", params.moved_particles, params.moved_particles > 0, "at least 1")?;
        check_range("greedy_particles", params.greedy_particles, params.greedy_particles > 0, "at least 1")
    }

    fn new(params: &MasqlParams, seat: &Seat) -> Self {
        Self {
            params: params.clone(),
            networks: Exclusive::new(Networks::new(params, seat)),
            player: seat.player,
            space: seat.action().clone(),
            joint: joint_space(seat.game),
            streams: ["exploration", "answers", "learning"].map(|purpose| seat.streams(purpose)),
            noise: Noise::default(),
            losses: Default::default(),
            temperature: params.temperature.at(0),
        }
    }

    fn memory(params: &MasqlParams) -> Option<Memory> {
        Some(Memory { capacity: params.buffer, reads_others: false })
    }

    fn act(&mut self, turn: &Turn, action: &mut [f32]) {
        if self.params.warmup_play == WarmupPlay::Uniform && turn.step < self.params.warmup {
            let per_seed = action.len() / self.streams[0].len();
            for (stream, rows) in self.streams[0].iter_mut().zip(action.chunks_exact_mut(per_seed)) {
                self.space.sample(stream, rows);
            }
            return;
        }
        self.play(0, turn.observation, action);
    }

    fn mean_action(&mut self, observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        self.networks.get().greedy(observation, action);
    }

    fn sample_policy(&mut self, observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        self.play(1, observation, action);
    }

    fn batch_at(&self, step: u64) -> usize {
        let due = step > self.params.warmup && step.is_multiple_of(self.params.learn_every);
        if due { self.params.batch } else { 0 }
    }

    fn learn(&mut self, lesson: &Lesson) -> Result<(), Fault> {
        let (params, players) = (&self.params, &lesson.batch.players);
        let own = &players[self.player];
        let (seeds, dims) = (self.streams[2].len(), self.joint.width());
        self.noise.uniform.resize(seeds * params.batch * params.value_particles * dims, 0.0);
        let uniform = self.noise.uniform.chunks_exact_mut(params.batch * params.value_particles * dims);
        uniform.zip(&mut self.streams[2]).for_each(|(particles, stream)| self.joint.sample(stream, particles));
        draw_normal(&mut self.streams[2], params.batch * params.fixed_particles * dims, &mut self.noise.fixed);
        draw_normal(&mut self.streams[2], params.batch * params.moved_particles * dims, &mut self.noise.moved);
        let actions: Vec<_> = players.iter().map(|player| &player.action[..]).collect();
        let batch = Transitions {
            observation: &own.observation,
            actions: &actions,
            reward: &own.reward,
            terminated: &lesson.batch.terminated,
            next_observation: &own.next_observation,
        };
        self.temperature = params.temperature.at(lesson.step);
        let settings =
            Settings { discount: params.discount, target_rate: params.target_rate, temperature: self.temperature };
        let update = self.networks.get().update(&batch, &self.noise, &settings);
        self.losses = [update.critic.loss, update.sampler.loss, update.value];
        Ok(())
    }

    fn metrics(&self, put: &mut dyn FnMut(&'static str, usize, f64)) {
        for (name, losses) in ["critic_loss", "sampler_loss", "sampled_value"].into_iter().zip(&self.losses) {
            losses.iter().enumerate().for_each(|(seed, loss)| put(name, seed, *loss));
        }
        (0..self.streams[0].len()).for_each(|seed| put("temperature", seed, self.temperature));
    }
}

impl Checkpoint for Masql {
    fn save(&self, to: &mut Snapshot) {
        let networks = self.networks.lock();
        to.nest_of("sampler", &networks.sampler);
        to.nest_of("critic", &networks.critic);
        to.nest_of("critic target", &networks.critic_target);
        to.put("streams", &self.streams);
        to.put("losses", &self.losses.each_ref().map(|losses| losses.to_vec()));
        to.put("temperature", &self.temperature);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        let networks = self.networks.get();
        networks.sampler.restore(&from.nested("sampler"))?;
        networks.critic.restore(&from.nested("critic"))?;
        networks.critic_target.restore(&from.nested("critic target"))?;
        self.streams = from.get("streams")?;
        let losses: [Vec<f64>; 3] = from.get("losses")?;
        self.losses = losses.map(Into::into);
        self.temperature = from.get("temperature")?;
        Ok(())
    }
}

equiflow::export_plugin! {
    algorithms { masql: Masql }
}

#[cfg(test)]
mod tests;
