//! GPI: generative policy inference, a soft actor-critic whose policy reckons with what the opponents will do.
//!
//! "A generative model for game theory with flow equilibrium", Algorithm 2. Each player has a policy pi(a|s,b) that is
//! shown the predicted actions b of its opponents, a critic Q(s,a,b) with a slowly moving target, and a model rho(b|s) of
//! each opponent with a prior pihat(b|s). The models are entities of their own; any kind can be named by the parameter
//! `opponent_model`. With `variational(reward: own_value)` this is ROMMEO (Tian et al. 2019), with `empirical()` a soft
//! actor-critic that best-responds to what it has seen.
//!
//! Deviations from the paper: its appendix with Algorithm 3 and the hyper-parameters is not available, so the opponent
//! model's step is a reconstruction (see the plugin `opponents`) and the defaults are our own, measured ones. The paper has
//! a temperature of 1 (`temperature: constant(1.0)`), infers the opponent's reward (`variational(reward: inferred)`) and has
//! no warm-up; the defaults are annealed, observed and 1,000 steps in which critics, priors and rewards learn but policies and
//! variational models do not.
//! Means and sigmas are held near their start by a small penalty. Choices are averaged over exactly, not sampled. Eq. 12's
//! factor 1/2 is left out: losses are of the squared difference. Its temperature stands before log pi only, not before the
//! log-ratio of model and prior.

mod networks;

use equiflow::prelude::*;
use equiflow_neural::{
    AdamParams, Density, Exclusive, Head, Learner, Mlp, PerSeed, Schedule, Step, WarmupPlay, check_learner,
    check_penalty, check_positive, check_sampled,
};

use networks::{Networks, Room, Settings, Transitions, all_choices};

params! {
    /// GPI, generative policy inference: a soft actor-critic whose policy is shown what its opponent models predict.
    pub struct GpiParams {
        /// The kind of model that it has of each opponent, such as `exact()`, `empirical()` or
        /// `variational(reward: observed)`.
        opponent_model: Choice = Choice::new("variational()"),
        /// Width of each hidden layer, for policy and critic; ReLU between them.
        hidden: Vec<usize> = vec![100, 100],
        /// Adam's step size for the policy.
        policy_learning_rate: f64 = 3e-3,
        /// Adam's step size for the critic.
        critic_learning_rate: f64 = 3e-3,
        /// What both step sizes are multiplied by: falling, it quiets the policy in the end. `constant(..)`,
        /// `geometric(from: .., hold: .., to: .., at: ..)`, `decay(floor: .., scale: .., rate: .., after: ..)` or
        /// `stages([(0, ..), (1000, ..)])`.
        learning_rate_factor: Schedule = Schedule::Constant(1.0),
        /// Largest gradient norm of a network and seed; a larger gradient is scaled down. None: no limit.
        max_grad_norm: Option<f64> = None,
        /// What rewards are multiplied by before the critic learns of them (Haarnoja et al. 2018); the temperature is in these
        /// units, and so are the values that a model with `reward: own_value` reads. Where rewards differ by little, a larger
        /// scale lifts what the critic says above the noise of its steps.
        reward_scale: f64 = 1.0,
        /// Discount of the next step's value.
        discount: f64 = 0.95,
        /// Share of the way that the target critic goes towards the critic per update.
        target_rate: f64 = 0.01,
        /// Transitions that an update learns from.
        batch: usize = 64,
        /// Transitions that are remembered, per seed. The players of an environment share a memory, of the largest size that
        /// one of them asks for.
        buffer: usize = 1_000_000,
        /// Environment steps before anything is learned.
        learn_from: u64 = 100,
        /// Environment steps before policies and variational models learn; critics, priors, rewards and empirical models
        /// learn from `learn_from` on.
        warmup: u64 = 1_000,
        /// How it plays in them: `policy` (its initial, wide one) or `uniform`.
        warmup_play: WarmupPlay = WarmupPlay::Policy,
        /// Environment steps between two updates.
        learn_every: u64 = 1,
        /// What entropy is worth: a schedule like `learning_rate_factor`.
        temperature: Schedule = Schedule::Geometric { from: 5.0, hold: 1_000, to: 0.1, at: 2_500 },
        /// Least standard deviation of its play, before the squashing into the box: `constant(..)` or another schedule. What
        /// stays wide shows the critic what other actions are worth, also where entropy is worth next to nothing.
        min_sigma: Schedule = Schedule::Constant(0.01),
        /// Whether the policy is shown what the opponents are predicted to do.
        conditional: bool = true,
        /// Penalty on the squared outputs of the policy's network.
        regulariser: f64 = 5e-4,
    }
}

/// A player who learns by GPI, in all seeds of a lane.
#[derive(Component, Debug)]
pub struct Gpi {
    params: GpiParams,
    networks: Exclusive<Networks>,
    player: usize,
    space: Space,
    /// Width of what it sees.
    observation: usize,
    /// One per seed: what it does, what it would do when asked, and what it imagines while it learns.
    streams: [Vec<Stream>; 3],
    /// Of the last update, per seed.
    losses: (PerSeed, PerSeed),
    temperature: f64,
    min_sigma: f64,
}

impl Algorithm for Gpi {
    type Params = GpiParams;

    const VALUES: bool = true;

    fn check(params: &GpiParams, game: &GameSpec, player: usize) -> Result<(), Invalid> {
        check_sampled(&game.players[player].action, "its actions")?;
        check_positive("policy_learning_rate", params.policy_learning_rate)?;
        check_positive("critic_learning_rate", params.critic_learning_rate)?;
        check_positive("max_grad_norm", params.max_grad_norm.unwrap_or(1.0))?;
        check_positive("reward_scale", params.reward_scale)?;
        check_learner(
            &params.hidden,
            (params.discount, params.target_rate),
            (params.batch, params.buffer, params.learn_every),
        )?;
        check_penalty("regulariser", params.regulariser)?;
        params.learning_rate_factor.check("learning_rate_factor")?;
        params.min_sigma.check("min_sigma")?;
        params.temperature.check("temperature")
    }

    fn new(params: &GpiParams, seat: &Seat) -> Self {
        let adam = |rate| AdamParams::new(rate).clip(params.max_grad_norm);
        let others = seat.game.players.iter().enumerate().filter(|(player, _)| *player != seat.player);
        let opponents: Vec<_> = others.map(|(_, place)| Head::new(&place.action)).collect();
        let told: usize = opponents.iter().map(Head::features).sum();
        let (space, observation) = (seat.action(), seat.observation().width());
        let input = observation + if params.conditional { told } else { 0 };
        let adam_policy = adam(params.policy_learning_rate);
        let mut policy = Density::new(space, input, &params.hidden, adam_policy, &mut seat.streams("policy weights"));
        policy.head.set_min_sigma(params.min_sigma.at(0));
        let width = observation + policy.head.features() + told;
        let critic = Mlp::critic(width, &params.hidden, &mut seat.streams("critic weights"));
        let networks = Networks {
            policy,
            critic_target: critic.twin(),
            critic: Learner::new(critic, adam(params.critic_learning_rate)),
            opponents,
            conditional: params.conditional,
            room: Room::default(),
        };
        Self {
            params: params.clone(),
            networks: Exclusive::new(networks),
            player: seat.player,
            space: space.clone(),
            observation,
            streams: ["exploration", "answers", "learning"].map(|purpose| seat.streams(purpose)),
            losses: Default::default(),
            temperature: params.temperature.at(0),
            min_sigma: params.min_sigma.at(0),
        }
    }

    fn memory(params: &GpiParams) -> Option<Memory> {
        Some(Memory { capacity: params.buffer, reads_others: false })
    }

    fn opponent_model(params: &GpiParams) -> Option<&Choice> {
        Some(&params.opponent_model)
    }

    fn act(&mut self, turn: &Turn, action: &mut [f32]) {
        if self.params.warmup_play == WarmupPlay::Uniform && turn.step < self.params.warmup {
            self.space.sample_shares(&mut self.streams[0], action);
            return;
        }
        let networks = self.networks.get();
        let mut input = std::mem::take(&mut networks.room.input);
        networks.policy_input(turn.observation, self.observation, turn.predictions, &mut input);
        networks.policy.sample(&input, &mut self.streams[0], action);
        networks.room.input = input;
    }

    fn mean_action(&mut self, observation: &[f32], predictions: &[&[f32]], action: &mut [f32]) {
        let networks = self.networks.get();
        let mut input = std::mem::take(&mut networks.room.input);
        networks.policy_input(observation, self.observation, predictions, &mut input);
        networks.policy.mean(&input, action);
        networks.room.input = input;
    }

    fn sample_policy(&mut self, observation: &[f32], predictions: &[&[f32]], action: &mut [f32]) {
        let networks = self.networks.get();
        let mut input = std::mem::take(&mut networks.room.input);
        networks.policy_input(observation, self.observation, predictions, &mut input);
        networks.policy.sample(&input, &mut self.streams[1], action);
        networks.room.input = input;
    }

    fn answer(&mut self, inquiry: &Inquiry, answers: &mut Answers) {
        let networks = self.networks.get();
        let mut room = std::mem::take(&mut networks.room);
        networks.policy_input(inquiry.observation, self.observation, inquiry.shown, &mut room.input);
        let (rows, width) = (inquiry.observation.len() / self.observation, networks.policy.head.width());
        let per_seed = rows / self.streams[1].len();
        match networks.policy.head.clone() {
            head @ Head::Gaussian { .. } => {
                answers.resize(rows, inquiry.samples, width);
                head.noise(&mut self.streams[1], per_seed * inquiry.samples, &mut room.row_loss);
                head.latent(networks.policy.outputs(&room.input), &room.row_loss, &mut room.latent);
                head.actions(&room.latent, &mut answers.actions);
            }
            head @ Head::Categorical(n) => {
                answers.resize(rows, n, width);
                head.all_probabilities(networks.policy.outputs(&room.input), &mut room.probabilities);
                all_choices(n, rows, &mut room.latent);
                head.actions(&room.latent, &mut answers.actions);
                answers.weights.iter_mut().zip(&room.probabilities).for_each(|(weight, p)| *weight = *p as f32);
            }
        }
        networks.room = room;
    }

    fn value(&mut self, observation: &[f32], opponents: &[&[f32]], answers: &mut Answers) {
        let networks = self.networks.get();
        let mut room = std::mem::take(&mut networks.room);
        let (actions, times) = (&answers.actions, answers.count);
        networks.critic_input(observation, self.observation, actions, opponents, times, &mut room.input);
        answers.values.extend_from_slice(networks.critic.net.predict(&room.input, &mut room.target_pass));
        networks.room = room;
    }

    fn batch_at(&self, step: u64) -> usize {
        let due = step > self.params.learn_from && step.is_multiple_of(self.params.learn_every);
        if due { self.params.batch } else { 0 }
    }

    fn policies_learn(&self, step: u64) -> bool {
        step > self.params.warmup
    }

    fn learn(&mut self, lesson: &Lesson) -> Result<(), Fault> {
        let networks = self.networks.get();
        let (batch, own) = (lesson.batch, &lesson.batch.players[self.player]);
        let others = batch.players.iter().enumerate().filter(|(player, _)| *player != self.player);
        let opponents: Vec<_> = others.map(|(_, player)| &player.action[..]).collect();
        let predicted: Vec<_> = lesson.predictions.iter().map(|prediction| &prediction.now[..]).collect();
        let next_predicted: Vec<_> = lesson.predictions.iter().map(|prediction| &prediction.next[..]).collect();
        let reward: Vec<f32> = own.reward.iter().map(|reward| reward * self.params.reward_scale as f32).collect();
        let ratio = |row: usize| lesson.predictions.iter().map(|prediction| prediction.next_log_ratio[row]).sum();
        let transitions = Transitions {
            observation: &own.observation,
            action: &own.action,
            opponents: &opponents,
            reward: &reward,
            terminated: &batch.terminated,
            next_observation: &own.next_observation,
            predicted: &predicted,
            next_predicted: &next_predicted,
            next_log_ratio: &(0..batch.terminated.len()).map(ratio).collect::<Vec<f32>>(),
        };
        self.min_sigma = self.params.min_sigma.at(lesson.step);
        networks.policy.head.set_min_sigma(self.min_sigma);
        let mut noise = [Vec::new(), Vec::new()];
        // Choices are averaged over exactly.
        if let Head::Gaussian { .. } = networks.policy.head {
            noise.iter_mut().for_each(|n| networks.policy.head.noise(&mut self.streams[2], self.params.batch, n));
        }
        self.temperature = self.params.temperature.at(lesson.step);
        let factor = self.params.learning_rate_factor.at(lesson.step);
        networks.policy.learner.adam.scale_learning_rate(factor);
        networks.critic.adam.scale_learning_rate(factor);
        let settings = Settings {
            discount: self.params.discount,
            target_rate: self.params.target_rate,
            temperature: self.temperature,
            regulariser: self.params.regulariser,
            policy_learns: self.policies_learn(lesson.step),
        };
        let (critic, policy) = self.networks.get().update(&transitions, [&noise[0], &noise[1]], &settings);
        let checked =
            Step::check([("critic", &critic)].into_iter().chain(policy.as_ref().map(|policy| ("policy", policy))));
        self.losses = (critic.loss, policy.map_or_else(PerSeed::new, |step| step.loss));
        checked
    }

    fn metrics(&self, put: &mut dyn FnMut(&'static str, usize, f64)) {
        for (name, losses) in [("critic_loss", &self.losses.0), ("policy_loss", &self.losses.1)] {
            losses.iter().enumerate().for_each(|(seed, loss)| put(name, seed, *loss));
        }
        (0..self.streams[0].len()).for_each(|seed| put("temperature", seed, self.temperature));
    }
}

impl Checkpoint for Gpi {
    fn save(&self, to: &mut Snapshot) {
        let networks = self.networks.lock();
        to.nest_of("policy", &networks.policy);
        to.nest_of("critic", &networks.critic);
        to.nest_of("critic target", &networks.critic_target);
        to.put("streams", &self.streams);
        to.put("losses", &[self.losses.0.to_vec(), self.losses.1.to_vec()]);
        to.put("temperature", &self.temperature);
        to.put("min_sigma", &self.min_sigma);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        let networks = self.networks.get();
        networks.policy.restore(&from.nested("policy"))?;
        networks.critic.restore(&from.nested("critic"))?;
        networks.critic_target.restore(&from.nested("critic target"))?;
        self.streams = from.get("streams")?;
        let [critic, policy]: [Vec<f64>; 2] = from.get("losses")?;
        self.losses = (critic.into(), policy.into());
        self.temperature = from.get("temperature")?;
        self.min_sigma = from.get("min_sigma")?;
        networks.policy.head.set_min_sigma(self.min_sigma);
        Ok(())
    }
}

equiflow::export_plugin! {
    algorithms { gpi: Gpi }
}

#[cfg(test)]
mod tests;
