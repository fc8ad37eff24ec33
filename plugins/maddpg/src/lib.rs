//! MADDPG: deterministic actors with centralised critics.
//!
//! Lowe et al. 2017, "Multi-agent actor-critic for mixed cooperative-competitive environments", section 4.1. Each player
//! has a deterministic actor mu_i(o_i) of its own observation and a critic Q_i(o_1..o_N, a_1..a_N) of everything, used in
//! training only. Of the others, every player's losses use the networks from before the step: players learn at the same time.
//!
//! The others' next actions come from their target policies, whatever algorithm they learn with. Not done: inferring
//! the others' policies (section 4.2) and policy ensembles (section 4.3).
//!
//! Where actions are choices, the policy is categorical and learns by the Gumbel-softmax relaxation as in the paper
//! (`equiflow_neural::choice_actor` says how), and evaluations play the likeliest choice. A player of choices and one of a
//! box can meet.
//!
//! Deviations from the paper: nothing is learned in the first `warmup` steps. The defaults are those of the published
//! results on differential games (the program of Wen et al. 2019), but that its exploration goes with the size of the box and
//! with the steps, and that it clips gradients to a norm of 0.5 (`runs/differential_game.ron` has all of it). The authors' own
//! program on particle worlds has hidden 64-64, batch 1024, an update every 100 steps and a gradient norm of at most 0.5,
//! which a run file can set.

use equiflow::prelude::*;
use equiflow_neural::{
    ActorParams, AdamParams, Exclusive, Head, LastLayer, Learner, Mlp, Noise, Pass, Policy, Real, Schedule, Step,
    WarmupPlay, check_learner, check_penalty, check_positive, check_sampled, join, td_target, told,
};
use smallvec::SmallVec;

params! {
    /// MADDPG (Lowe et al. 2017): a deterministic actor per player, whose critic sees all observations and actions.
    pub struct MaddpgParams {
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

/// A player who learns by MADDPG, in all seeds of a lane.
#[derive(Component, Debug)]
pub struct Maddpg {
    params: MaddpgParams,
    networks: Exclusive<Networks>,
    /// The last update's, per seed.
    losses: Vec<(f64, f64)>,
}

#[derive(Debug)]
struct Networks<T = f32> {
    player: usize,
    actor: Policy<T>,
    /// Of all players' actions.
    heads: Vec<Head>,
    critic: Learner<T>,
    critic_target: Mlp<T>,
    buffers: Buffers<T>,
}

/// What an update computes on its way, kept so that nothing is allocated.
#[derive(Debug, Default)]
struct Buffers<T> {
    /// What a critic reads, `[S, B, sum of widths]`.
    input: Vec<T>,
    /// The critic's targets, `[S, B]`.
    y: Vec<T>,
    /// Of the target critic.
    pass: Pass<T>,
    /// Of the policy's choices, `[S, B, n]`; see [`Policy::noise`].
    noise: Vec<f64>,
}

/// A slice of each player.
type PerPlayer<'a, T> = SmallVec<[&'a [T]; 8]>;

/// What an update learns from. Per player `[S, B, width]`, rewards and ends `[S, B]`; a choice as one number per choice.
struct Transitions<'a, T = f32> {
    observations: PerPlayer<'a, T>,
    actions: PerPlayer<'a, T>,
    reward: &'a [T],
    terminated: &'a [T],
    next_observations: PerPlayer<'a, T>,
    /// What the players' target policies do at the next observations.
    next_actions: PerPlayer<'a, T>,
}

impl<T: Real> Networks<T> {
    fn new(params: &MaddpgParams, seat: &Seat) -> Self {
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
        let heads: Vec<_> = seat.game.players.iter().map(|player| Head::new(&player.action)).collect();
        let seen: usize = seat.game.players.iter().map(|player| player.observation.width()).sum();
        let input = seen + heads.iter().map(Head::features).sum::<usize>();
        let critic = Mlp::critic(input, &params.hidden, &mut seat.streams("critic weights"));
        let critic_target = critic.twin();
        let critic = Learner::new(critic, adam(params.critic_learning_rate));
        Self { player: seat.player, actor, heads, critic, critic_target, buffers: Buffers::default() }
    }

    /// One update of the algorithm in the paper's appendix: critic, actor, targets. The noise is that of [`Policy::noise`].
    fn update(&mut self, batch: &Transitions<T>, noise: &[f64], discount: f64, target_rate: f64) -> (Step, Step) {
        let Self { player, actor, heads, critic, critic_target, buffers: Buffers { input, y, pass, .. } } = self;
        // Eq. 6: y = r_i + gamma Q'_i(o', mu'_1(o'_1) .. mu'_N(o'_N))
        joint(&batch.next_observations, &batch.next_actions, batch.reward.len(), input);
        let q_next = critic_target.predict(input, pass);
        td_target(batch.reward, batch.terminated, discount, q_next, y);
        // Critic: down the mean of (Q_i(o, a) - y)^2. Each step has its target's: theta' <- tau theta + (1 - tau) theta'.
        joint(&batch.observations, &batch.actions, batch.reward.len(), input);
        let critic_step = critic.regress(input, y, Some(critic_target.follow(target_rate)));
        // Actor, Eq. 5: up the mean of Q_i(o, a) with a_i = mu_i(o_i), the others' actions as they were played.
        let width = |parts: &[&[T]]| parts.iter().map(|part| part.len() / batch.reward.len()).sum::<usize>();
        let start = width(&batch.observations) + width(&batch.actions[..*player]);
        let own = start..start + heads[*player].features();
        let actor_step = actor.ascend(batch.observations[*player], critic, input, own, noise, target_rate);
        (critic_step, actor_step)
    }
}

/// What a centralised critic reads: all observations, then all actions, `[rows, sum of widths]`.
fn joint<T: Real>(observations: &[&[T]], actions: &[&[T]], rows: usize, out: &mut Vec<T>) {
    join(rows, observations.iter().chain(actions).copied(), out);
}

impl Algorithm for Maddpg {
    type Params = MaddpgParams;

    fn check(params: &MaddpgParams, game: &GameSpec, player: usize) -> Result<(), Invalid> {
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

    fn new(params: &MaddpgParams, seat: &Seat) -> Self {
        let networks = Exclusive::new(Networks::new(params, seat));
        Self { params: params.clone(), networks, losses: Vec::new() }
    }

    fn memory(params: &MaddpgParams) -> Option<Memory> {
        Some(Memory { capacity: params.buffer, reads_others: true })
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
        let (networks, players) = (self.networks.get(), &lesson.batch.players);
        let heads = || networks.heads.iter();
        let actions: SmallVec<[_; 8]> = heads().zip(players).map(|(head, player)| told(head, &player.action)).collect();
        let next_actions: SmallVec<[_; 8]> =
            heads().zip(lesson.target_actions).map(|(head, actions)| told(head, actions)).collect();
        let batch = Transitions {
            observations: players.iter().map(|player| &player.observation[..]).collect(),
            actions: actions.iter().map(|actions| &actions[..]).collect(),
            reward: &players[networks.player].reward,
            terminated: &lesson.batch.terminated,
            next_observations: players.iter().map(|player| &player.next_observation[..]).collect(),
            next_actions: next_actions.iter().map(|actions| &actions[..]).collect(),
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

impl Checkpoint for Maddpg {
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
    algorithms { maddpg: Maddpg }
}

#[cfg(test)]
mod tests;
