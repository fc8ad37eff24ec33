//! The networks of a player and one update of Algorithm 2.

use equiflow_neural::{
    Block, Density, Head, Learner, Mlp, Pass, PerSeed, Real, Step, regularise, side_by_side, td_target,
};

#[derive(Debug)]
pub struct Networks<T = f32> {
    pub policy: Density<T>,
    pub critic: Learner<T>,
    pub critic_target: Mlp<T>,
    /// Of the opponents' actions, in the order of the players.
    pub opponents: Vec<Head>,
    pub conditional: bool,
    pub room: Room<T>,
}

/// Room for what an update computes.
#[derive(Debug, Default)]
pub struct Room<T> {
    pub input: Vec<T>,
    pub target_pass: Pass<T>,
    pub latent: Vec<f64>,
    pub log_density: Vec<f64>,
    pub probabilities: Vec<f64>,
    pub action: Vec<T>,
    pub value: Vec<T>,
    pub target: Vec<T>,
    pub gradient: Vec<T>,
    pub row_loss: Vec<f64>,
}

/// What an update learns from: `[S, B, width]`, of each opponent in the order of the players; rewards, ends and
/// log-ratios `[S, B]`.
pub struct Transitions<'a, T> {
    pub observation: &'a [T],
    pub action: &'a [T],
    pub opponents: &'a [&'a [T]],
    pub reward: &'a [T],
    pub terminated: &'a [T],
    pub next_observation: &'a [T],
    /// b ~ rho(.|s).
    pub predicted: &'a [&'a [T]],
    /// b' ~ rho(.|s').
    pub next_predicted: &'a [&'a [T]],
    /// log rho(b'|s') - log pihat(b'|s'), summed over the opponents.
    pub next_log_ratio: &'a [T],
}

/// The settings of an update.
#[derive(Clone, Copy)]
pub struct Settings {
    pub discount: f64,
    pub target_rate: f64,
    pub temperature: f64,
    pub regulariser: f64,
    pub policy_learns: bool,
}

impl<T: Real> Networks<T> {
    /// What the policy sees.
    pub fn policy_input(&self, observation: &[T], width: usize, predicted: &[&[T]], out: &mut Vec<T>) {
        let mut blocks = vec![Block::new(observation, width)];
        if self.conditional {
            blocks.extend(self.opponents.iter().zip(predicted).map(|(head, actions)| Block::actions(head, actions)));
        }
        side_by_side(&blocks, out);
    }

    /// What the critic sees, with `times` actions of its own for each row of the rest.
    pub fn critic_input(
        &self,
        observation: &[T],
        width: usize,
        action: &[T],
        opponents: &[&[T]],
        times: usize,
        out: &mut Vec<T>,
    ) {
        let own = Block::actions(&self.policy.head, action);
        let mut blocks = vec![Block::new(observation, width).times(times), own];
        let others = self.opponents.iter().zip(opponents);
        blocks.extend(others.map(|(head, actions)| Block::actions(head, actions).times(times)));
        side_by_side(&blocks, out);
    }

    /// One update of Algorithm 2: critic and its target, policy. The noise is of a' and of a, `[S, B, width]`.
    pub fn update(&mut self, batch: &Transitions<T>, noise: [&[f64]; 2], settings: &Settings) -> (Step, Option<Step>) {
        let width = batch.observation.len() / batch.reward.len();
        let mut room = std::mem::take(&mut self.room);
        // Eq. 12: y = r + gamma V(s').
        self.next_value(batch, noise[0], settings.temperature, &mut room);
        td_target(batch.reward, batch.terminated, settings.discount, &room.value, &mut room.target);
        // Critic: down the mean of (Q(s, a, b) - y)^2.
        self.critic_input(batch.observation, width, batch.action, batch.opponents, 1, &mut room.input);
        let target = self.critic_target.follow(settings.target_rate);
        let critic = self.critic.regress(&room.input, &room.target, Some(target));
        // Policy, Eqs. 11 and 13: down the mean of tau log pi(a|s,b) - Q(s, a, b), b ~ rho, a ~ pi.
        let policy = settings.policy_learns.then(|| {
            self.policy_input(batch.observation, width, batch.predicted, &mut room.input);
            let input = std::mem::take(&mut room.input);
            let step = match self.policy.head {
                Head::Gaussian { .. } => self.ascend(batch, &input, noise[1], settings, &mut room),
                Head::Categorical(n) => self.ascend_exactly(batch, &input, n, settings, &mut room),
            };
            room.input = input;
            step
        });
        self.room = room;
        (critic, policy)
    }

    /// V(s') = Q'(s',a',b') - tau log pi(a'|s',b') - (log rho(b'|s') - log pihat(b'|s')) into `room.value`, `[S, B]`;
    /// exactly averaged over choices a'.
    pub fn next_value(&mut self, batch: &Transitions<T>, noise: &[f64], temperature: f64, room: &mut Room<T>) {
        room.value.clear();
        if batch.terminated.iter().all(|end| *end == T::from_f64(1.0)) {
            // Nothing follows anywhere.
            room.value.resize(batch.reward.len(), T::default());
            return;
        }
        let width = batch.observation.len() / batch.reward.len();
        self.policy_input(batch.next_observation, width, batch.next_predicted, &mut room.input);
        let head = self.policy.head.clone();
        let outputs = self.policy.outputs(&room.input);
        let times = match head {
            Head::Gaussian { .. } => {
                head.latent(outputs, noise, &mut room.latent);
                head.log_density(outputs, &room.latent, &mut room.log_density);
                room.probabilities.clear();
                room.probabilities.resize(batch.reward.len(), 1.0);
                1
            }
            Head::Categorical(n) => {
                all_choices(n, batch.reward.len(), &mut room.latent);
                head.all_probabilities(outputs, &mut room.probabilities);
                room.log_density.clear();
                room.log_density.extend(room.probabilities.iter().map(|p| p.ln()));
                n
            }
        };
        room.action.resize(room.latent.len(), T::default());
        head.actions(&room.latent, &mut room.action);
        let next = batch.next_observation;
        self.critic_input(next, width, &room.action, batch.next_predicted, times, &mut room.input);
        let q = self.critic_target.predict(&room.input, &mut room.target_pass);
        let soft = q.iter().zip(&room.log_density).map(|(q, log)| q.to_f64() - temperature * log);
        let weighted: Vec<f64> =
            soft.zip(&room.probabilities).map(|(soft, p)| if *p > 0.0 { p * soft } else { 0.0 }).collect();
        let means = weighted.chunks_exact(times).map(|row| row.iter().sum::<f64>());
        room.value.extend(means.zip(batch.next_log_ratio).map(|(mean, ratio)| T::from_f64(mean - ratio.to_f64())));
    }

    /// The policy's step in a box, through the gradient of Q.
    fn ascend(
        &mut self,
        batch: &Transitions<T>,
        input: &[T],
        noise: &[f64],
        settings: &Settings,
        room: &mut Room<T>,
    ) -> Step {
        let (seeds, rows) = (self.critic.net.seeds(), batch.reward.len());
        let (size, width) = (rows / seeds, batch.observation.len() / rows);
        let head = self.policy.head.clone();
        let outputs = self.policy.learner.forward(input);
        head.latent(outputs, noise, &mut room.latent);
        head.log_density(outputs, &room.latent, &mut room.log_density);
        room.action.resize(room.latent.len(), T::default());
        head.actions(&room.latent, &mut room.action);
        let outputs = outputs.to_vec();
        self.critic_input(batch.observation, width, &room.action, batch.predicted, 1, &mut room.input);
        let q = self.critic.forward(&room.input);
        room.row_loss.clear();
        let losses = q.iter().zip(&room.log_density).map(|(q, log)| settings.temperature * log - q.to_f64());
        room.row_loss.extend(losses);
        room.value.clear();
        room.value.resize(rows, T::from_f64(1.0));
        let by_action = self.critic.input_gradient(&room.value, width..width + head.width());
        let scale = 1.0 / size as f64;
        head.pathwise_gradient(&outputs, noise, (by_action, &[]), settings.temperature, scale, &mut room.gradient);
        self.descend(&outputs, size, settings, room)
    }

    /// The policy's step over choices, through Q of every one.
    fn ascend_exactly(
        &mut self,
        batch: &Transitions<T>,
        input: &[T],
        n: usize,
        settings: &Settings,
        room: &mut Room<T>,
    ) -> Step {
        let (seeds, rows) = (self.critic.net.seeds(), batch.reward.len());
        let (size, width) = (rows / seeds, batch.observation.len() / rows);
        all_choices(n, rows, &mut room.latent);
        room.action.clear();
        room.action.extend(room.latent.iter().map(|choice| T::from_f64(*choice)));
        self.critic_input(batch.observation, width, &room.action, batch.predicted, n, &mut room.input);
        let q = self.critic.forward(&room.input);
        let outputs = self.policy.learner.forward(input).to_vec();
        let (temperature, scale) = (settings.temperature, 1.0 / size as f64);
        let Room { row_loss, gradient, .. } = room;
        self.policy.head.expected_gradient(&outputs, q, temperature, scale, row_loss, gradient);
        self.descend(&outputs, size, settings, room)
    }

    /// Down the policy's gradient in `room`, with the penalty on its outputs.
    fn descend(&mut self, outputs: &[T], size: usize, settings: &Settings, room: &mut Room<T>) -> Step {
        let seeds = self.critic.net.seeds();
        let penalty = regularise(outputs, seeds, size, settings.regulariser, &mut room.gradient);
        let means = room.row_loss.chunks_exact(size).map(|rows| rows.iter().sum::<f64>() / size as f64);
        let loss: PerSeed = means.zip(penalty).map(|(mean, penalty)| mean + penalty).collect();
        self.policy.learner.descend(&loss, &room.gradient, None)
    }
}

/// All choices of `rows` rows: `[rows, n]`.
pub fn all_choices(n: usize, rows: usize, out: &mut Vec<f64>) {
    out.clear();
    out.extend((0..rows).flat_map(|_| (0..n).map(|choice| choice as f64)));
}
