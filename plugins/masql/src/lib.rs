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
//! * f_i goes along the Stein variational gradient of its samples (eqs. 13 and 14), see `stein.rs`.
//!
//! Particles live in half ranges of the box, from -1 to 1 in each dimension, so the volume is 2^D.
//!
//! As in the published programs (Haarnoja et al.; Wen et al. 2019), the density that f_i samples has an additional factor
//! prod (1 - x^2), which keeps particles from the edges of the box, and a player's networks read its own observation alone.
//! Deviations from those programs: every state has particles of its own, not one set for a whole batch; log volume is
//! multiplied by tau, as eq. 10 has it; gradients are means, not sums, over states and particles, which Adam does not
//! notice; the critic reads actions in the game's units, as those of the other algorithms here. Wen et al. use a discount
//! of 0.99 and a target step at every tenth update for this algorithm alone; here it has the same as the others.
//! They evaluate with samples; here evaluation plays the best of some, see `greedy_particles`. Their temperature is
//! `decay(floor: 0.1, scale: 500.0, rate: 0.1, after: 10.0)`, over before the warm-up is; the default is that of GPI.

mod networks;
mod stein;

use equiflow::prelude::*;
use equiflow_neural::{
    Exclusive, PerSeed, Schedule, Step, WarmupPlay, check_box, check_count, check_learner, check_positive, check_range,
};

use networks::{Networks, Noise, Settings, Transitions, draw_normal, joint_space};

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
        /// What both step sizes are multiplied by: falling, it quiets the policy in the end. `constant(..)`,
        /// `geometric(from: .., hold: .., to: .., at: ..)`, `decay(floor: .., scale: .., rate: .., after: ..)` or
        /// `stages([(0, ..), (1000, ..)])`.
        learning_rate_factor: Schedule = Schedule::Constant(1.0),
        /// Largest gradient norm of a network and seed; a larger gradient is scaled down. None: no limit.
        max_grad_norm: Option<f64> = None,
        /// Discount of the next step's value.
        discount: f64 = 0.95,
        /// Share of the way that the target critic goes towards the critic per update.
        target_rate: f64 = 0.01,
        /// Transitions that an update learns from.
        batch: usize = 512,
        /// Transitions that are remembered, per seed. The players of an environment share a memory, of the largest size that
        /// one of them asks for.
        buffer: usize = 1_000_000,
        /// Environment steps before anything is learned.
        warmup: u64 = 1_000,
        /// How it plays in them: `policy` (samples of its initial sampler) or `uniform`.
        warmup_play: WarmupPlay = WarmupPlay::Policy,
        /// Environment steps between two updates.
        learn_every: u64 = 1,
        /// What entropy is worth: a schedule like `learning_rate_factor`.
        temperature: Schedule = Schedule::Geometric { from: 5.0, hold: 1_000, to: 0.1, at: 2_500 },
        /// Joint actions per state over which the next value is averaged, uniform over the box.
        value_particles: usize = 16,
        /// Sampled joint actions per state that say where the others have to go.
        fixed_particles: usize = 16,
        /// Sampled joint actions per state that are moved.
        moved_particles: usize = 16,
        /// Evaluation plays the sample with the highest Q among this many. Their noise never changes and the first has none:
        /// 1 plays what the sampler does without noise.
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
        check_positive("sampler_learning_rate", params.sampler_learning_rate)?;
        check_positive("critic_learning_rate", params.critic_learning_rate)?;
        check_positive("max_grad_norm", params.max_grad_norm.unwrap_or(1.0))?;
        params.learning_rate_factor.check("learning_rate_factor")?;
        check_learner(
            &params.hidden,
            (params.discount, params.target_rate),
            (params.batch, params.buffer, params.learn_every),
        )?;
        params.temperature.check("temperature")?;
        check_count("value_particles", params.value_particles)?;
        // The bandwidth divides by the logarithm of their number.
        let (fixed, moved) = (params.fixed_particles, params.moved_particles);
        check_range("fixed_particles", fixed, (2..=1_000).contains(&fixed), "2 to 1000")?;
        check_range("moved_particles", moved, (1..=1_000).contains(&moved), "1 to 1000")?;
        check_count("greedy_particles", params.greedy_particles)
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
            self.space.sample_shares(&mut self.streams[0], action);
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
        let (networks, factor) = (self.networks.get(), params.learning_rate_factor.at(lesson.step));
        networks.sampler.adam.scale_learning_rate(factor);
        networks.critic.adam.scale_learning_rate(factor);
        let update = networks.update(&batch, &self.noise, &settings);
        let checked = Step::check([("critic", &update.critic), ("sampler", &update.sampler)]);
        self.losses = [update.critic.loss, update.sampler.loss, update.value];
        checked
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
