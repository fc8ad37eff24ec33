//! The actor of DDPG and its kin where actions are choices: a categorical policy that learns through the gradient of its
//! critic, by the Gumbel-softmax relaxation.
//!
//! Jang et al. 2017, "Categorical reparameterization with Gumbel-softmax"; Lowe et al. 2017 (MADDPG), whose particle worlds
//! are played so. With logits l and Gumbel noise g the choice is arg max (l + g), which is a draw from softmax(l). On the way
//! forward the critic reads it one-hot, as it reads what was played; on the way back its derivative is that of
//! softmax((l + g) / temperature) (straight-through), the temperature being 1. As in the authors' program the mean of the
//! squared logits is penalised, so that they do not run away. As in that of Iqbal and Sha (2019, MAAC; its MADDPG) target
//! actions are the likeliest choices; the authors' own program reads relaxed samples instead, in both places.

use std::ops::Range;

use equiflow::prelude::*;

use crate::actor::{ActorParams, WarmupPlay};
use crate::density::{Density, regularise};
use crate::head::Head;
use crate::learner::{Learner, Step};
use crate::losses::policy_loss;
use crate::mlp::Mlp;
use crate::pass::Pass;
use crate::real::Real;

/// A categorical policy with its target network, for all seeds of a lane.
#[derive(Debug)]
pub struct ChoiceActor<T = f32> {
    /// The policy.
    pub online: Density<T>,
    /// The network that follows it.
    pub target: Mlp<T>,
    /// Penalty on the mean of the squared logits.
    regulariser: f64,
    /// Of the target.
    pass: Pass<T>,
    latent: Vec<f64>,
    /// What the choices of a step are made of: softmax(l + g), `[S, B, n]`.
    relaxed: Vec<f64>,
    gradient: Vec<T>,
    space: Space,
    /// Steps of uniform play.
    uniform_until: u64,
    /// One per seed: what it plays, what it would play when asked, and what it imagines while it learns.
    streams: [Vec<Stream>; 3],
}

impl<T: Real> ChoiceActor<T> {
    /// The actor of a seat whose actions are choices.
    pub fn new(seat: &Seat, params: &ActorParams) -> Self {
        let head = Head::new(seat.action());
        let sizes = [&[seat.observation().width()], params.hidden, &[head.outputs()]].concat();
        let net = Mlp::new(&sizes, params.last, &mut seat.streams("actor weights"));
        Self {
            target: net.twin(),
            online: Density::with(head, Learner::new(net, params.adam)),
            regulariser: params.regulariser,
            pass: Pass::default(),
            latent: Vec::new(),
            relaxed: Vec::new(),
            gradient: Vec::new(),
            space: seat.action().clone(),
            uniform_until: if params.warmup_play == WarmupPlay::Uniform { params.warmup } else { 0 },
            streams: ["exploration", "answers", "learning"].map(|purpose| seat.streams(purpose)),
        }
    }

    /// The likeliest choices: observations `[S, B, O]` to choices `[S, B, 1]`, any `B`.
    pub fn mean_action(&mut self, observation: &[T], action: &mut [T]) {
        self.online.mean(observation, action);
    }

    /// The target policy's likeliest choices, in the same way.
    pub fn target_action(&mut self, observation: &[T], action: &mut [T]) {
        self.online.head.mean(self.target.predict(observation, &mut self.pass), &mut self.latent);
        self.online.head.actions(&self.latent, action);
    }

    /// Draws choices from the policy, for who asks: observations `[S, B, O]` to choices `[S, B, 1]`.
    pub fn sample_policy(&mut self, observation: &[T], action: &mut [T]) {
        self.online.sample(observation, &mut self.streams[1], action);
    }

    /// Gumbel noise of `batch` rows per seed, `[S, batch, n]`.
    pub fn noise(&mut self, batch: usize, out: &mut Vec<f64>) {
        let count = batch * self.online.head.outputs();
        out.clear();
        for stream in &mut self.streams[2] {
            // A unit of 0 would be infinite.
            out.extend((0..count).map(|_| -(-f64::from(stream.unit()).max(1e-9).ln()).ln()));
        }
    }

    /// A step up the mean over the batch of `Q(input)`, where this actor's choices for `observation` `[S, B, O]` and Gumbel
    /// noise `[S, B, n]` are put, one-hot, into the columns `own` of the critic's input `[S, B, in]`; less the penalty. The
    /// critic's network is unchanged. With the soft update of the target network by `target_rate`.
    ///
    /// # Panics
    /// If the noise is that of another batch.
    pub fn ascend(
        &mut self,
        observation: &[T],
        critic: &mut Learner<T>,
        input: &mut [T],
        own: Range<usize>,
        noise: &[f64],
        target_rate: f64,
    ) -> Step {
        let Self { online: Density { learner, .. }, target, relaxed, gradient, .. } = self;
        let (seeds, n, width) = (learner.net.seeds(), own.len(), critic.net.sizes()[0]);
        let logits = learner.forward(observation);
        assert_eq!(logits.len(), noise.len(), "logits and their noise");
        relaxed.clear();
        relaxed.extend(logits.iter().zip(noise).map(|(logit, noise)| logit.to_f64() + noise));
        for (row, relaxed) in input.chunks_exact_mut(width).zip(relaxed.chunks_exact_mut(n)) {
            let chosen = (1..n).fold(0, |best, k| if relaxed[k] > relaxed[best] { k } else { best });
            row[own.clone()].fill(T::default());
            row[own.start + chosen] = T::from_f64(1.0);
            equiflow::theory::profile::softmax(relaxed);
        }
        let mut loss = policy_loss(seeds, critic.forward(input), gradient);
        let by_choice = critic.input_gradient(gradient, own);
        gradient.clear();
        for (relaxed, by_choice) in relaxed.chunks_exact(n).zip(by_choice.chunks_exact(n)) {
            let mean: f64 = relaxed.iter().zip(by_choice).map(|(p, slope)| p * slope.to_f64()).sum();
            let slopes = relaxed.iter().zip(by_choice);
            gradient.extend(slopes.map(|(p, slope)| T::from_f64(p * (slope.to_f64() - mean))));
        }
        let (batch, logits) = (logits.len() / n / seeds, logits.to_vec());
        let penalty = regularise(&logits, seeds, batch, self.regulariser / n as f64, gradient);
        loss.iter_mut().zip(penalty).for_each(|(loss, penalty)| *loss += penalty);
        learner.descend(&loss, gradient, Some(target.follow(target_rate)))
    }
}

impl ChoiceActor {
    /// Choices of a step in which it explores: drawn from the policy, uniform in a warm-up that asks for it. Rows
    /// `[S * instances, 1]`.
    pub fn explore(&mut self, turn: &Turn, action: &mut [f32]) {
        if turn.step < self.uniform_until {
            self.space.sample_shares(&mut self.streams[0], action);
        } else {
            self.online.sample(turn.observation, &mut self.streams[0], action);
        }
    }
}

impl<T: Real> Checkpoint for ChoiceActor<T> {
    fn save(&self, to: &mut Snapshot) {
        to.nest_of("online", &self.online);
        to.nest_of("target", &self.target);
        to.put("streams", &self.streams);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.online.restore(&from.nested("online"))?;
        self.target.restore(&from.nested("target"))?;
        self.streams = from.get("streams")?;
        Ok(())
    }
}
