//! The policy that DDPG and its kin learn: deterministic in a box, categorical over choices.

use std::ops::Range;

use equiflow::prelude::*;

use crate::actor::{Actor, ActorParams};
use crate::choice_actor::ChoiceActor;
use crate::learner::{Learner, Step};
use crate::mlp::Mlp;
use crate::real::Real;

/// A policy with its target network, for all seeds of a lane.
#[derive(Debug)]
pub enum Policy<T = f32> {
    /// In a bounded box.
    Box(Box<Actor<T>>),
    /// Over choices.
    Choices(Box<ChoiceActor<T>>),
}

impl<T: Real> Policy<T> {
    /// The policy of a seat whose actions are choices or lie in a bounded box.
    pub fn new(seat: &Seat, params: &ActorParams) -> Self {
        match seat.action() {
            Space::Box { .. } => Self::Box(Box::new(Actor::new(seat, params))),
            Space::Discrete(_) => Self::Choices(Box::new(ChoiceActor::new(seat, params))),
        }
    }

    /// What evaluation plays, without exploration: observations `[S, B, O]` to actions `[S, B, A]`, any `B`.
    pub fn mean_action(&mut self, observation: &[T], action: &mut [T]) {
        match self {
            Self::Box(actor) => actor.mean_action(observation, action),
            Self::Choices(actor) => actor.mean_action(observation, action),
        }
    }

    /// What the target network would play, in the same way.
    pub fn target_action(&mut self, observation: &[T], action: &mut [T]) {
        match self {
            Self::Box(actor) => actor.target_action(observation, action),
            Self::Choices(actor) => actor.target_action(observation, action),
        }
    }

    /// What it plays by itself: draws from a policy over choices, the action of a deterministic one.
    pub fn sample_policy(&mut self, observation: &[T], action: &mut [T]) {
        match self {
            Self::Box(actor) => actor.mean_action(observation, action),
            Self::Choices(actor) => actor.sample_policy(observation, action),
        }
    }

    /// The noise that a step with `batch` rows per seed needs: see [`ChoiceActor::noise`]. None in a box.
    pub fn noise(&mut self, batch: usize, out: &mut Vec<f64>) {
        match self {
            Self::Box(_) => out.clear(),
            Self::Choices(actor) => actor.noise(batch, out),
        }
    }

    /// A step up the mean over the batch of `Q(input)` with this policy's actions in the columns `own`: see
    /// [`Learner::ascend`] and [`ChoiceActor::ascend`]. With the soft update of the target network by `target_rate`.
    pub fn ascend(
        &mut self,
        observation: &[T],
        critic: &mut Learner<T>,
        input: &mut [T],
        own: Range<usize>,
        noise: &[f64],
        target_rate: f64,
    ) -> Step {
        match self {
            Self::Box(actor) => {
                let target = Some(actor.target.follow(target_rate));
                actor.online.ascend(&actor.bounds, observation, critic, input, own, target)
            }
            Self::Choices(actor) => actor.ascend(observation, critic, input, own, noise, target_rate),
        }
    }

    /// Takes steps of `factor` times the step size from now on.
    ///
    /// # Panics
    ///
    /// If the factor is not above 0 and finite.
    pub fn scale_learning_rate(&mut self, factor: f64) {
        match self {
            Self::Box(actor) => actor.online.adam.scale_learning_rate(factor),
            Self::Choices(actor) => actor.online.learner.adam.scale_learning_rate(factor),
        }
    }

    /// The network that learns.
    pub fn net(&self) -> &Mlp<T> {
        match self {
            Self::Box(actor) => &actor.online.net,
            Self::Choices(actor) => &actor.online.learner.net,
        }
    }

    /// The network that follows it.
    pub fn target(&self) -> &Mlp<T> {
        match self {
            Self::Box(actor) => &actor.target,
            Self::Choices(actor) => &actor.target,
        }
    }

    /// Puts other networks in the place of its own.
    pub fn set_networks(&mut self, online: Learner<T>, target: Mlp<T>) {
        match self {
            Self::Box(actor) => (actor.online, actor.target) = (online, target),
            Self::Choices(actor) => (actor.online.learner, actor.target) = (online, target),
        }
    }
}

impl Policy {
    /// Actions of a step in which it explores: noise around a deterministic policy, draws from one over choices. Rows
    /// `[S * instances, A]`.
    pub fn explore(&mut self, turn: &Turn, action: &mut [f32]) {
        match self {
            Self::Box(actor) => actor.explore(turn, action),
            Self::Choices(actor) => actor.explore(turn, action),
        }
    }
}

impl<T: Real> Checkpoint for Policy<T> {
    fn save(&self, to: &mut Snapshot) {
        match self {
            Self::Box(actor) => actor.save(to),
            Self::Choices(actor) => actor.save(to),
        }
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        match self {
            Self::Box(actor) => actor.restore(from),
            Self::Choices(actor) => actor.restore(from),
        }
    }
}
