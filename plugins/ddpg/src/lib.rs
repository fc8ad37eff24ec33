//! DDPG: deep deterministic policy gradient, every player on its own.
//!
//! Lillicrap et al. 2016, "Continuous control with deep reinforcement learning", Algorithm 1. Each player has a critic
//! Q(o, a) of its own observation and action and a deterministic actor mu(o); the other players are part of the
//! environment.
//!
//! Where actions are choices, the policy is categorical and learns by the Gumbel-softmax relaxation, as in MADDPG (Lowe et
//! al. 2017; see `equiflow_neural::choice_actor`), and evaluations play the likeliest choice.
//!
//! Deviations from the paper: nothing is learned in the first `warmup` steps; no batch
//! normalisation, no weight decay; actions enter the critic with the observation, not at its second layer. The defaults
//! are those of the published results on differential games (the program of Wen et al. 2019), but that its exploration goes
//! with the size of the box and with the steps, and that it clips gradients to a norm of 0.5 (`runs/differential_game.ron`
//! has all of it). They are not those of the paper's own benchmarks (hidden 400-300, step sizes 1e-4 and 1e-3, soft updates
//! of 0.001, batch 64, noise sigma 0.2), which a run file can set.

use equiflow::prelude::*;
use equiflow_neural::{
    ActorParams, AdamParams, Exclusive, Head, LastLayer, Learner, Mlp, Noise, Pass, Policy, Real, Schedule, Step,
    WarmupPlay, check_learner, check_penalty, check_positive, check_sampled, join, td_target, told,
};

params! {
    /// DDPG (Lillicrap et al. 2016): a deterministic actor and a critic per player, each player for itself.
    pub struct DdpgParams {
        /// Width of each hidden layer, for actor and critic; ReLU between them.
        hidden: Vec<usize> = vec![100, 100],
        /// Adam's step size for the actor.
        actor_learning_rate: f64 = 1e-2,
        /// Adam's step size for the critic.
        critic_learning_rate: f64 = 1e-2,
        /// What both step sizes are multiplied by: falling, it quiets the policy in the end. `constant(..)`,
        /// `geometric(from: .., hold: .., to: .., at: ..)`, `decay(floor: .., scale: .., rate: .., after: ..)` or
        /// `stages([(0, ..), (1000, ..)])`.
        learning_rate_factor: Schedule = Schedule::Constant(1.0),
        /// Largest gradient norm of a network and seed; a larger gradient is scaled down. None: no limit.
        max_grad_norm: Option<f64> = None,
        /// Discount of the next step's value.
        discount: f64 = 0.95,
        /// Share of the way that the target networks go towards the networks per update.
        target_rate: f64 = 0.01,
        /// Transitions that an update learns from.
        batch: usize = 512,
        /// Transitions that are remembered, per seed. The players of an environment share a memory, of the largest size that
        /// one of them asks for.
        buffer: usize = 1_000_000,
        /// Environment steps before anything is learned.
        warmup: u64 = 1_000,
        /// How it plays in them: `policy` (its initial one, with noise) or `uniform`.
        warmup_play: WarmupPlay = WarmupPlay::Policy,
        /// Environment steps between two updates.
        learn_every: u64 = 1,
        /// Exploration around a policy in a box (choices are drawn from the policy):
        /// `ornstein_uhlenbeck(theta: .., sigma: .., dt: .., restart: ..)` or `gaussian(sigma: ..)`, sigma in units of the
        /// action.
        noise: Noise = Noise::default(),
        /// What the noise is multiplied by: a schedule like `learning_rate_factor`.
        noise_factor: Schedule = Schedule::Constant(1.0),
        /// True: the policy starts at the centre of its box, or uniform over its choices (last layer zero). False: where random
        /// weights put it.
        start_at_centre: bool = false,
        /// Of a policy over choices: penalty on the mean of its squared logits.
        regulariser: f64 = 1e-3,
    }
}

/// A player who learns by DDPG, in all seeds of a lane.
#[derive(Component, Debug)]
pub struct Ddpg {
    params: DdpgParams,
    player: usize,
    networks: Exclusive<Networks>,
    /// The last update's, per seed.
    losses: Vec<(f64, f64)>,
}

#[derive(Debug)]
struct Networks<T = f32> {
    actor: Policy<T>,
    /// Of the actions.
    head: Head,
    critic: Learner<T>,
    critic_target: Mlp<T>,
    buffers: Buffers<T>,
}

/// What an update computes on its way, kept so that nothing is allocated.
#[derive(Debug, Default)]
struct Buffers<T> {
    /// What the target policy does at the next observations, `[S, B, width]`.
    next_action: Vec<T>,
    /// What a critic reads, `[S, B, sum of widths]`.
    input: Vec<T>,
    /// The critic's targets, `[S, B]`.
    y: Vec<T>,
    /// Of the target critic.
    pass: Pass<T>,
    /// Of the policy's choices, `[S, B, n]`; see [`Policy::noise`].
    noise: Vec<f64>,
}

/// What an update learns from: `[S, B, width]`, rewards and ends `[S, B]`; a choice as one number per choice.
struct Transitions<'a, T = f32> {
    observation: &'a [T],
    action: &'a [T],
    reward: &'a [T],
    terminated: &'a [T],
    next_observation: &'a [T],
}

impl<T: Real> Networks<T> {
    fn new(params: &DdpgParams, seat: &Seat) -> Self {
        let adam = |rate| AdamParams::new(rate).clip(params.max_grad_norm);
        let actor = Policy::new(
            seat,
            &ActorParams {
                hidden: &params.hidden,
                last: if params.start_at_centre { LastLayer::Zeros } else { LastLayer::Same },
                adam: adam(params.actor_learning_rate),
                noise: params.noise,
                noise_factor: &params.noise_factor,
                warmup: params.warmup,
                warmup_play: params.warmup_play,
                regulariser: params.regulariser,
            },
        );
        let head = Head::new(seat.action());
        let input = seat.observation().width() + head.features();
        let critic = Mlp::critic(input, &params.hidden, &mut seat.streams("critic weights"));
        let critic_target = critic.twin();
        let critic = Learner::new(critic, adam(params.critic_learning_rate));
        Self { actor, head, critic, critic_target, buffers: Buffers::default() }
    }

    /// One update of Algorithm 1: critic, actor, targets. The noise is that of [`Policy::noise`].
    fn update(&mut self, batch: &Transitions<T>, noise: &[f64], discount: f64, target_rate: f64) -> (Step, Step) {
        let Self { actor, head, critic, critic_target, buffers: Buffers { next_action, input, y, pass, .. } } = self;
        let rows = batch.reward.len();
        // y = r + gamma Q'(o', mu'(o'))
        next_action.resize(rows * head.width(), T::default());
        actor.target_action(batch.next_observation, next_action);
        join(rows, [batch.next_observation, &told(head, next_action)].into_iter(), input);
        let q_next = critic_target.predict(input, pass);
        td_target(batch.reward, batch.terminated, discount, q_next, y);
        // Critic: down the mean of (Q(o, a) - y)^2. Each step has its target's: theta' <- tau theta + (1 - tau) theta'.
        join(rows, [batch.observation, batch.action].into_iter(), input);
        let critic_step = critic.regress(input, y, Some(critic_target.follow(target_rate)));
        // Actor: up the mean of Q(o, mu(o)).
        let seen = batch.observation.len() / rows;
        let own = seen..seen + head.features();
        let actor_step = actor.ascend(batch.observation, critic, input, own, noise, target_rate);
        (critic_step, actor_step)
    }
}

impl Algorithm for Ddpg {
    type Params = DdpgParams;

    fn check(params: &DdpgParams, game: &GameSpec, player: usize) -> Result<(), Invalid> {
        check_sampled(&game.players[player].action, "its actions")?;
        check_positive("actor_learning_rate", params.actor_learning_rate)?;
        check_positive("critic_learning_rate", params.critic_learning_rate)?;
        check_positive("max_grad_norm", params.max_grad_norm.unwrap_or(1.0))?;
        params.learning_rate_factor.check("learning_rate_factor")?;
        check_learner(
            &params.hidden,
            (params.discount, params.target_rate),
            (params.batch, params.buffer, params.learn_every),
        )?;
        params.noise.check("noise")?;
        params.noise_factor.check("noise_factor")?;
        check_penalty("regulariser", params.regulariser)
    }

    fn new(params: &DdpgParams, seat: &Seat) -> Self {
        let networks = Exclusive::new(Networks::new(params, seat));
        Self { params: params.clone(), player: seat.player, networks, losses: Vec::new() }
    }

    fn memory(params: &DdpgParams) -> Option<Memory> {
        Some(Memory { capacity: params.buffer, reads_others: false })
    }

    fn act(&mut self, turn: &Turn, action: &mut [f32]) {
        self.networks.get().actor.explore(turn, action);
    }

    fn mean_action(&mut self, observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        self.networks.get().actor.mean_action(observation, action);
    }

    fn target_action(&mut self, observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        self.networks.get().actor.target_action(observation, action);
    }

    fn sample_policy(&mut self, observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        self.networks.get().actor.sample_policy(observation, action);
    }

    fn batch_at(&self, step: u64) -> usize {
        let due = step > self.params.warmup && step.is_multiple_of(self.params.learn_every);
        if due { self.params.batch } else { 0 }
    }

    fn learn(&mut self, lesson: &Lesson) -> Result<(), Fault> {
        let (networks, own) = (self.networks.get(), &lesson.batch.players[self.player]);
        let batch = Transitions {
            observation: &own.observation,
            action: &told(&networks.head, &own.action),
            reward: &own.reward,
            terminated: &lesson.batch.terminated,
            next_observation: &own.next_observation,
        };
        let mut noise = std::mem::take(&mut networks.buffers.noise);
        networks.actor.noise(self.params.batch, &mut noise);
        let factor = self.params.learning_rate_factor.at(lesson.step);
        networks.actor.scale_learning_rate(factor);
        networks.critic.adam.scale_learning_rate(factor);
        let (critic, actor) = networks.update(&batch, &noise, self.params.discount, self.params.target_rate);
        networks.buffers.noise = noise;
        let checked = Step::check([("critic", &critic), ("actor", &actor)]);
        self.losses.clear();
        self.losses.extend(critic.loss.into_iter().zip(actor.loss));
        checked
    }

    fn metrics(&self, put: &mut dyn FnMut(&'static str, usize, f64)) {
        for (seed, (critic, actor)) in self.losses.iter().enumerate() {
            put("critic_loss", seed, *critic);
            put("actor_loss", seed, *actor);
        }
    }
}

impl Checkpoint for Ddpg {
    fn save(&self, to: &mut Snapshot) {
        let networks = self.networks.lock();
        to.nest_of("actor", &networks.actor);
        to.nest_of("critic", &networks.critic);
        to.nest_of("critic target", &networks.critic_target);
        to.put("losses", &self.losses);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        let networks = self.networks.get();
        networks.actor.restore(&from.nested("actor"))?;
        networks.critic.restore(&from.nested("critic"))?;
        networks.critic_target.restore(&from.nested("critic target"))?;
        self.losses = from.get("losses")?;
        Ok(())
    }
}

equiflow::export_plugin! {
    algorithms { ddpg: Ddpg }
}

#[cfg(test)]
mod tests;
