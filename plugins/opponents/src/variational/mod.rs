//! What the opponent would do for its own good, not far from what it did: Proposition 4.7.
//!
//! rho(b|s) is proportional to pihat(b|s) exp(E_a Q(s, a, b)), where pihat is the prior, fitted by maximum likelihood to the
//! opponent's latest actions, a is what the agent would do, and Q is the opponent's soft value (temperature 1). The paper's
//! Algorithm 3, by which rho is fitted, is not available; this is a reconstruction:
//!
//! * `resampling`: actions are proposed by the prior (in part uniformly, see `smoothing`), weighed by the softmax of
//!   E_a Q, and rho is fitted to them by weighted maximum likelihood. Over choices all are proposed and weighed exactly.
//! * `reverse_kl`: down E_{b~rho}[log rho(b|s) - log pihat(b|s) - Q(s, a, b)] by reparameterised gradients, in which the
//!   agent's answers a are held fixed.
//!
//! The prior in both, and in the log-ratio that the agent subtracts (Eq. 12), is the smoothed one. The expectation over a in
//! Proposition 4.7 is by the agent's marginal policy, the mean of pi(.|s, b) over what the model predicts, estimated by
//! `answers` draws of b, the same for all proposals in a state. Where the agent acts upon what it predicts, a ~ pi(.|s, b) as in
//! Algorithm 2, the opponent can count on its answer, and the expectation is by the policy given b: `conditional`, the
//! default, as the policy's own is, where the opponent's reward is known.

mod fit;
mod learn;
mod reward;
mod value;

use equiflow::prelude::*;
use equiflow_neural::{
    Exclusive, PerSeed, Step, check_count, check_hidden, check_penalty, check_positive, check_range, check_sampled,
    check_share,
};

use learn::Networks;

/// Where the opponent's reward comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Reward {
    /// It is observed: the agent is told what its opponent got.
    Observed,
    /// It is inferred from what the opponent did (Eqs. 8 to 10): maximum-entropy inverse reinforcement learning.
    Inferred,
    /// The opponent is taken to want what the agent wants; the agent's own Q stands for the opponent's (Tian et al. 2019).
    OwnValue,
}

/// How the model is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Fit {
    /// To proposals of the prior, weighed by their value.
    Resampling,
    /// Down the Kullback-Leibler divergence from what it should be.
    ReverseKl,
}

params! {
    /// What the opponent would do for its own good, not far from what it did (Proposition 4.7).
    pub struct VariationalParams {
        /// Where the opponent's reward comes from: `observed`, `inferred` or `own_value`.
        reward: Reward = Reward::Observed,
        /// How it is fitted: `resampling` or `reverse_kl`.
        fit: Fit = Fit::Resampling,
        /// Width of each hidden layer.
        hidden: Vec<usize> = vec![100, 100],
        /// Adam's step size, for all of its networks.
        learning_rate: f64 = 3e-3,
        /// Discount of the next step's value.
        discount: f64 = 0.95,
        /// Share of the way that the target of the opponent's value goes towards it per update.
        target_rate: f64 = 0.01,
        /// The latest transitions that the prior is fitted to, per seed.
        window: usize = 512,
        /// Share of the uniform distribution in the prior.
        smoothing: f64 = 0.1,
        /// Transitions per update for which actions are proposed.
        states: usize = 8,
        /// Proposals per transition, where they cannot be enumerated.
        proposals: usize = 64,
        /// Actions of the agent per proposal, where they cannot be enumerated; of its marginal policy, predictions that it
        /// answers.
        answers: usize = 4,
        /// Whether the agent answers the proposal, or as it would anyway (its marginal policy). With an inferred reward always
        /// the latter: how the opponent would like an answer does not show in what it does.
        conditional: bool = true,
        /// Penalty on the squared outputs of prior and model.
        regulariser: f64 = 5e-4,
    }
}

/// What learns, in this order.
const NETWORKS: [&str; 4] = ["prior", "opponent's reward", "opponent's value", "model"];

/// A variational model.
#[derive(Component, Debug)]
pub struct Variational {
    params: VariationalParams,
    networks: Exclusive<Networks>,
    /// One per seed: for acting, for samples in the batch, for proposals, and for inferring the reward.
    streams: [Vec<Stream>; 4],
    latent: Vec<f64>,
    /// Of the last update, per seed, in the order of [`NETWORKS`].
    losses: [PerSeed; 4],
}

impl OpponentModel for Variational {
    type Params = VariationalParams;

    fn check(params: &VariationalParams, game: &GameSpec, agent: usize, opponent: usize) -> Result<(), Invalid> {
        let action = &game.players[opponent].action;
        check_sampled(action, "the opponent's actions")?;
        check_sampled(&game.players[agent].action, "the agent's actions")?;
        check_hidden(&params.hidden)?;
        check_positive("learning_rate", params.learning_rate)?;
        check_share("discount", params.discount)?;
        check_share("target_rate", params.target_rate)?;
        check_count("window", params.window)?;
        check_range("smoothing", params.smoothing, (0.0..1.0).contains(&params.smoothing), "0 up to 1, without 1")?;
        check_count("states", params.states)?;
        check_count("proposals", params.proposals)?;
        check_count("answers", params.answers)?;
        let rows = params.states.saturating_mul(params.proposals).saturating_mul(params.answers);
        check_range(
            "answers",
            params.answers,
            rows <= 100_000_000,
            "states x proposals x answers of at most 100000000",
        )?;
        check_penalty("regulariser", params.regulariser)?;
        if params.fit == Fit::ReverseKl && params.reward == Reward::OwnValue && matches!(action, Space::Box { .. }) {
            let what = "reverse_kl needs a gradient, which the agent's own values come without; expected `resampling`";
            return Err(Invalid::new("fit", what));
        }
        Ok(())
    }

    fn new(params: &VariationalParams, seat: &ModelSeat) -> Self {
        Self {
            params: params.clone(),
            networks: Exclusive::new(Networks::new(params, seat)),
            streams: ["predictions", "learning", "proposals", "reward"].map(|purpose| seat.streams(purpose)),
            latent: Vec::new(),
            losses: Default::default(),
        }
    }

    fn window(params: &VariationalParams) -> usize {
        params.window
    }

    fn reads_values(params: &VariationalParams) -> bool {
        params.reward == Reward::OwnValue
    }

    fn predict(&mut self, observation: &[f32], actions: &mut [f32]) {
        self.networks.get().model.sample(observation, &mut self.streams[0], actions);
    }

    fn sample(&mut self, observation: &[f32], actions: &mut [f32], log_ratio: Option<&mut [f32]>) {
        let networks = self.networks.get();
        let latent = networks.model.sample(observation, &mut self.streams[1], actions);
        let Some(log_ratio) = log_ratio else { return };
        self.latent.clear();
        self.latent.extend_from_slice(latent);
        networks.log_ratio(observation, &self.latent, log_ratio);
    }

    fn mean(&mut self, observation: &[f32], actions: &mut [f32]) {
        self.networks.get().model.mean(observation, actions);
    }

    fn log_likelihood(&mut self, observation: &[f32], actions: &[f32], out: &mut [f64]) {
        let model = &mut self.networks.get().model;
        model.head.latent_of(actions, &mut self.latent);
        out.copy_from_slice(model.log_density(observation, &self.latent));
    }

    fn propose(&mut self, observation: &[f32], batch: usize, proposals: &mut Proposals) {
        self.networks.get().propose(&self.params, observation, batch, &mut self.streams[2], proposals);
    }

    fn learn(&mut self, lesson: &ModelLesson) -> Result<(), Fault> {
        let steps = self.networks.get().learn(&self.params, lesson, &mut self.streams[3]);
        let learned = NETWORKS.into_iter().zip(&steps).filter_map(|(name, step)| Some((name, step.as_ref()?)));
        let checked = Step::check(learned);
        self.losses = steps.map(|step| step.map_or_else(PerSeed::new, |step| step.loss));
        checked
    }

    fn metrics(&self, put: &mut dyn FnMut(&'static str, usize, f64)) {
        let names = ["prior_loss", "opponent_reward_loss", "opponent_value_loss", "model_loss"];
        for (name, losses) in names.into_iter().zip(&self.losses) {
            losses.iter().enumerate().for_each(|(seed, loss)| put(name, seed, *loss));
        }
    }
}

impl Checkpoint for Variational {
    fn save(&self, to: &mut Snapshot) {
        to.nest_of("networks", &*self.networks.lock());
        to.put("streams", &self.streams);
        to.put("losses", &self.losses.iter().map(|losses| losses.to_vec()).collect::<Vec<_>>());
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.networks.get().restore(&from.nested("networks"))?;
        self.streams = from.get("streams")?;
        let losses: Vec<Vec<f64>> = from.get("losses")?;
        self.losses.iter_mut().zip(losses).for_each(|(place, losses)| *place = losses.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
