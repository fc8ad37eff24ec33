//! The networks of a variational model, and the order in which they learn.

use equiflow::prelude::*;
use equiflow_neural::{AdamParams, Density, Head, Learner, Mlp, Pass, Real, Step, seed_rows};

use super::value::{Answered, Transitions};
use super::{Fit, Reward, VariationalParams};

/// The networks of a model of one opponent, for `S` seeds.
#[derive(Debug)]
pub(super) struct Networks<T = f32> {
    /// pihat(b|s), before smoothing.
    pub prior: Density<T>,
    /// rho(b|s).
    pub model: Density<T>,
    /// The opponent's soft value Q(s, a, b) of the agent's action and those of all its opponents.
    pub value: Learner<T>,
    pub value_target: Mlp<T>,
    /// The inferred reward r(s, a, b), where it is inferred.
    pub reward: Option<Learner<T>>,
    /// Of the agent's actions, and of its opponents' in the order of the players.
    pub agent: Head,
    pub opponents: Vec<Head>,
    /// Which of them is predicted.
    pub number: usize,
    /// Share of the uniform distribution in the prior.
    pub smoothing: f64,
    /// The players: the agent, then its opponents.
    pub players: Vec<usize>,
    /// What was proposed last.
    pub proposed: Proposed,
    pub room: Room<T>,
}

/// Latents of proposals `[S, states, per_state, width]`, and the noise that they were drawn with.
#[derive(Debug, Default)]
pub(super) struct Proposed {
    pub latent: Vec<f64>,
    pub noise: Vec<f64>,
}

/// Room for what an update computes.
#[derive(Debug, Default)]
pub(super) struct Room<T> {
    pub input: Vec<T>,
    pub target: Vec<T>,
    pub pass: Pass<T>,
    pub weight: Vec<f64>,
    pub log_prior: Vec<f64>,
    pub gradient: Vec<T>,
}

impl Networks {
    pub fn new(params: &VariationalParams, seat: &ModelSeat) -> Self {
        let (space, blind) = (seat.action(), seat.agent.observation().is_single());
        let seen = seat.agent.observation().width();
        let adam = AdamParams::new(params.learning_rate);
        let density = |name: &str| {
            Density::new(space, seen, &params.hidden, adam, &mut seat.streams(name)).with_constant_input(blind)
        };
        let places = &seat.agent.game.players;
        let mut players: Vec<_> = (0..places.len()).filter(|player| *player != seat.agent.player).collect();
        let number = players.iter().position(|player| *player == seat.opponent).unwrap_or_default();
        let opponents: Vec<_> = players.iter().map(|player| Head::new(&places[*player].action)).collect();
        players.insert(0, seat.agent.player);
        let agent = Head::new(seat.agent.action());
        let width = seen + agent.features() + opponents.iter().map(Head::features).sum::<usize>();
        let critic = |name: &str| Mlp::critic(width, &params.hidden, &mut seat.streams(name));
        let value = critic("value weights");
        let inferred = params.reward == Reward::Inferred;
        Self {
            prior: density("prior weights"),
            model: density("model weights"),
            value_target: value.twin(),
            value: Learner::new(value, adam),
            reward: inferred.then(|| Learner::new(critic("reward weights"), adam)),
            agent,
            opponents,
            number,
            smoothing: params.smoothing,
            players,
            proposed: Proposed::default(),
            room: Room::default(),
        }
    }

    /// All choices, or as many as the fit wants.
    fn proposals_per_state(&self, params: &VariationalParams) -> usize {
        match (&self.prior.head, params.fit) {
            (Head::Categorical(n), _) => *n,
            (_, Fit::Resampling) => params.proposals,
            (_, Fit::ReverseKl) => 1,
        }
    }

    /// Puts forward actions of the opponent for the first transitions of the batch: drawn from the smoothed prior for
    /// resampling, from the model for the reverse divergence; all choices of a discrete space.
    pub fn propose(
        &mut self,
        params: &VariationalParams,
        observation: &[f32],
        batch: usize,
        streams: &mut [Stream],
        proposals: &mut Proposals,
    ) {
        let (seeds, states) = (streams.len(), params.states.min(batch));
        let seen = seed_rows(observation, seeds, batch, 0..states);
        let per_state = self.proposals_per_state(params);
        let mut proposed = std::mem::take(&mut self.proposed);
        let head = self.prior.head.clone();
        proposals.actions.resize(seeds * states * per_state * head.width(), 0.0);
        if let (Head::Gaussian { .. }, Fit::ReverseKl) = (&head, params.fit) {
            head.noise(streams, states, &mut proposed.noise);
            head.latent(self.model.outputs(&seen), &proposed.noise, &mut proposed.latent);
        } else {
            self.draw_prior(&seen, streams, per_state, &mut proposed);
        }
        head.actions(&proposed.latent, &mut proposals.actions);
        proposals.states = states;
        proposals.per_state = per_state;
        proposals.samples = params.answers;
        proposals.valued = params.reward == Reward::OwnValue;
        proposals.conditional = params.conditional && params.reward != Reward::Inferred;
        self.proposed = proposed;
    }

    /// Draws `per_state` latents from the smoothed prior in each of the states `[S, states, width]`; of choices all.
    pub fn draw_prior(&mut self, seen: &[f32], streams: &mut [Stream], per_state: usize, drawn: &mut Proposed) {
        let head = self.prior.head.clone();
        let states = seen.len() / self.prior.learner.net.sizes()[0];
        if let Head::Categorical(n) = head {
            drawn.latent.clear();
            drawn.latent.extend((0..states * n).map(|row| (row % n) as f64));
            return;
        }
        head.noise(streams, states / streams.len() * per_state, &mut drawn.noise);
        head.latent(self.prior.outputs(seen), &drawn.noise, &mut drawn.latent);
        smooth(&head, streams, self.smoothing, &mut drawn.latent);
    }

    /// One update: prior, reward, value, model. Returns the step of each, none of those that did not learn. An inferred
    /// reward draws from `streams`.
    pub fn learn(
        &mut self,
        params: &VariationalParams,
        lesson: &ModelLesson,
        streams: &mut [Stream],
    ) -> [Option<Step>; 4] {
        let (batch, recent, seeds) = (lesson.batch, lesson.recent, self.value.net.seeds());
        // Prior: maximum likelihood of the opponent's latest actions.
        let window = recent.size - params.window.min(recent.size)..recent.size;
        let late = |player: usize| &recent.players[player];
        let [agent, opponent] = [self.players[0], self.players[1 + self.number]];
        let seen = seed_rows(&late(agent).observation, seeds, recent.size, window.clone());
        let done = seed_rows(&late(opponent).action, seeds, recent.size, window.clone());
        let mut latent = Vec::new();
        self.prior.head.latent_of(&done, &mut latent);
        let prior = self.prior.fit(&seen, &latent, None, params.regulariser);

        let question = lesson.question;
        let opponents: Vec<&[f32]> = question.opponents.iter().map(Vec::as_slice).collect();
        let asked = Answered {
            per_state: self.proposals_per_state(params),
            observation: &question.observation,
            opponents: &opponents,
            action: &question.answers.actions,
            weight: &question.answers.weights,
            own_value: &question.answers.values,
            count: question.answers.count,
        };
        // Reward (Eqs. 8 to 10), where it is inferred: it is to explain what was done of late.
        let reward = self.reward.is_some().then(|| self.infer(params, recent, window, streams));
        // The opponent's value: y = r + gamma E_a' Q'(s', a', b') - (log rho(b'|s') - log pihat(b'|s')).
        let value = (params.reward != Reward::OwnValue).then(|| {
            let actions: Vec<_> = self.players.iter().map(|player| &batch.players[*player].action[..]).collect();
            let next: Vec<_> = lesson.predictions.iter().map(|prediction| &prediction.next[..]).collect();
            let transitions = Transitions {
                observation: &batch.players[agent].observation,
                actions: &actions,
                reward: &batch.players[opponent].reward,
                terminated: &batch.terminated,
                next_observation: &batch.players[agent].next_observation,
                next_action: &lesson.next.actions,
                next_weight: &lesson.next.weights,
                next_count: lesson.next.count,
                next_opponents: &next,
                next_log_ratio: &lesson.predictions[self.number].next_log_ratio,
            };
            self.value_step(&transitions, params.discount, params.target_rate)
        });
        // Model: towards pihat(b|s) exp(E_a Q(s, a, b)).
        let proposed = std::mem::take(&mut self.proposed);
        let model = lesson.policies_learn.then(|| match params.fit {
            Fit::Resampling => self.resample(&asked, &proposed.latent, params.regulariser),
            Fit::ReverseKl => self.reverse_kl(&asked, &proposed.latent, &proposed.noise, params.regulariser),
        });
        self.proposed = proposed;
        [Some(prior), reward.flatten(), value, model]
    }
}

impl<T: Real> Networks<T> {
    /// The logarithm of the smoothed prior of latents `[rows, times, width]` in what is seen, `[rows, seen]`, into `out`.
    pub fn log_prior(&mut self, seen: &[T], latent: &[f64], out: &mut Vec<f64>) {
        // By logarithms: far from a narrow prior its density is too small for a number, and without smoothing all there is.
        let (own, uniform) = ((1.0 - self.smoothing).ln(), self.smoothing.ln() + self.prior.head.log_uniform());
        out.clear();
        out.extend(self.prior.log_density(seen, latent).iter().map(|log| {
            let (less, more) = (uniform.min(own + log), uniform.max(own + log));
            more + (less - more).exp().ln_1p()
        }));
    }

    /// log rho(b|s) - log pihat(b|s) of latents that were just drawn from the model.
    pub fn log_ratio(&mut self, observation: &[T], latent: &[f64], out: &mut [T]) {
        let mut log_prior = std::mem::take(&mut self.room.log_prior);
        self.log_prior(observation, latent, &mut log_prior);
        let log_model = &mut self.room.weight;
        self.model.head.log_density(self.model.last_outputs(), latent, log_model);
        for ((out, model), prior) in out.iter_mut().zip(log_model).zip(&log_prior) {
            *out = T::from_f64(*model - prior);
        }
        self.room.log_prior = log_prior;
    }
}

/// Replaces a share of the latents by those of uniform actions.
fn smooth(head: &Head, streams: &mut [Stream], share: f64, latent: &mut [f64]) {
    let (Head::Gaussian { centre, half_range, .. }, per_seed) = (head, latent.len() / streams.len()) else { return };
    let (mut action, mut uniform) = (vec![0.0; centre.len()], Vec::new());
    for (stream, rows) in streams.iter_mut().zip(latent.chunks_exact_mut(per_seed)) {
        for row in rows.chunks_exact_mut(centre.len()) {
            if f64::from(stream.unit()) < share {
                for (dim, action) in action.iter_mut().enumerate() {
                    *action = centre[dim] + half_range[dim] * f64::from(stream.uniform(-1.0, 1.0));
                }
                head.latent_of(&action, &mut uniform);
                row.copy_from_slice(&uniform);
            }
        }
    }
}

impl Checkpoint for Networks {
    fn save(&self, to: &mut Snapshot) {
        to.nest_of("prior", &self.prior);
        to.nest_of("model", &self.model);
        to.nest_of("value", &self.value);
        to.nest_of("value target", &self.value_target);
        if let Some(reward) = &self.reward {
            to.nest_of("reward", reward);
        }
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.prior.restore(&from.nested("prior"))?;
        self.model.restore(&from.nested("model"))?;
        self.value.restore(&from.nested("value"))?;
        self.value_target.restore(&from.nested("value target"))?;
        self.reward.as_mut().map_or(Ok(()), |reward| reward.restore(&from.nested("reward")))
    }
}
