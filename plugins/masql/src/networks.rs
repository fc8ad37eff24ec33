//! The networks of a player, and one update of critic, sampler and target.

use std::ops::Range;

use equiflow::prelude::*;
use equiflow_neural::{
    ActionBox, AdamParams, Block, LastLayer, Learner, Mlp, Pass, PerSeed, Real, Step, join, side_by_side, tanh,
    td_target,
};
use rand_distr::{Distribution, StandardNormal};

use super::MasqlParams;
use super::stein::Stein;

/// Added to 1 - x^2 in the slope of its logarithm, as in the authors' program.
const EDGE: f64 = 1e-6;

#[derive(Debug)]
pub struct Networks<T = f32> {
    /// f(o, xi), before it is squashed.
    pub sampler: Learner<T>,
    pub critic: Learner<T>,
    pub critic_target: Mlp<T>,
    /// Of joint actions.
    pub bounds: ActionBox<T>,
    /// Where the player's own action stands in a joint one.
    pub own: Range<usize>,
    /// Width of what it sees.
    pub observation: usize,
    /// The noise of the samples among which evaluation chooses, `[S, K, D]`.
    pub greedy: Vec<T>,
    pub room: Room<T>,
}

/// Room for what an update computes, so that nothing is allocated once it is warm.
#[derive(Debug, Default)]
pub struct Room<T> {
    pub latent: Vec<T>,
    pub input: Vec<T>,
    /// Joint actions, in the game's units.
    pub action: Vec<T>,
    pub value: Vec<T>,
    pub target: Vec<T>,
    pub gradient: Vec<T>,
    /// Of passes that nothing goes back through.
    pub pass: Pass<T>,
    /// Fixed and moved particles in half ranges, the slope of the log-density at the fixed ones, and where the moved ones
    /// have to go.
    pub fixed: Vec<f64>,
    pub moved: Vec<f64>,
    pub score: Vec<f64>,
    pub direction: Vec<f64>,
    pub stein: Stein,
}

/// What an update learns from: `[S, B, width]`, actions of every player; rewards and ends `[S, B]`.
pub struct Transitions<'a, T> {
    pub observation: &'a [T],
    pub actions: &'a [&'a [T]],
    pub reward: &'a [T],
    pub terminated: &'a [T],
    pub next_observation: &'a [T],
}

/// What an update draws, `[S, B, K, D]`, each with a K of its own.
#[derive(Debug, Default)]
pub struct Noise<T = f32> {
    /// Joint actions, uniform over the box.
    pub uniform: Vec<T>,
    /// Standard normal, of the particles that stay and of those that are moved.
    pub fixed: Vec<T>,
    pub moved: Vec<T>,
}

/// The settings of an update.
#[derive(Clone, Copy)]
pub struct Settings {
    pub discount: f64,
    pub target_rate: f64,
    pub temperature: f64,
}

/// What an update found.
pub struct Update {
    pub critic: Step,
    /// Its loss is the mean squared length of the Stein variational gradient, in half ranges: 0 where the samples are
    /// those of the density.
    pub sampler: Step,
    /// Mean Q of the samples.
    pub value: PerSeed,
}

impl<T: Real> Networks<T> {
    pub fn new(params: &MasqlParams, seat: &Seat) -> Self {
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

    /// One update: critic and its target, sampler.
    pub fn update(&mut self, batch: &Transitions<T>, noise: &Noise<T>, settings: &Settings) -> Update {
        let mut room = std::mem::take(&mut self.room);
        // y = r + gamma V(o')
        self.next_value(batch, &noise.uniform, settings.temperature, &mut room);
        td_target(batch.reward, batch.terminated, settings.discount, &room.value, &mut room.target);
        // Critic: down the mean of (Q(o, a) - y)^2. With its target's: theta' <- tau theta + (1 - tau) theta'.
        join(batch.reward.len(), [batch.observation].iter().chain(batch.actions).copied(), &mut room.input);
        let target = self.critic_target.follow(settings.target_rate);
        let critic = self.critic.regress(&room.input, &room.target, Some(target));
        let (sampler, value) = self.follow_density(batch, noise, settings.temperature, &mut room);
        self.room = room;
        Update { critic, sampler, value }
    }

    /// V(o') by the target critic into `room.value`, `[S, B]`.
    pub fn next_value(&mut self, batch: &Transitions<T>, uniform: &[T], temperature: f64, room: &mut Room<T>) {
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
        (self.sampler.descend(&loss, &room.gradient, None), value)
    }

    /// The player's own part of joint actions sampled with the given noise `[rows, D]`.
    pub fn sample(&mut self, observation: &[T], noise: &[T], action: &mut [T]) {
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
    pub fn greedy(&mut self, observation: &[T], action: &mut [T]) {
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
pub fn joint_space(game: &GameSpec) -> Space {
    let (mut lows, mut highs) = (Vec::new(), Vec::new());
    for place in &game.players {
        let Space::Box { low, high } = &place.action else { panic!("joint actions are sampled in a box") };
        lows.extend(low);
        highs.extend(high);
    }
    Space::Box { low: lows, high: highs }
}

/// Particles in half ranges of the box.
pub fn unit_box<T: Real>(raw: &[T], out: &mut Vec<f64>) {
    out.clear();
    out.extend(raw.iter().map(|raw| raw.to_f64()));
    tanh(out);
}

/// `tau log mean exp(q / tau) + tau log 2^dims` for values `q` of uniform particles in a box of volume `2^dims`.
pub fn soft_value<T: Real>(q: &[T], temperature: f64, dims: usize) -> f64 {
    let greatest = q.iter().fold(f64::NEG_INFINITY, |greatest, q| greatest.max(q.to_f64()));
    let sum: f64 = q.iter().map(|q| ((q.to_f64() - greatest) / temperature).exp()).sum();
    greatest + temperature * ((sum / q.len() as f64).ln() + dims as f64 * std::f64::consts::LN_2)
}

/// Draws `count` standard normal numbers per seed.
pub fn draw_normal<T: Real>(streams: &mut [Stream], count: usize, out: &mut Vec<T>) {
    out.clear();
    for stream in streams {
        out.extend((0..count).map(|_| T::from_f64(StandardNormal.sample(stream))));
    }
}
