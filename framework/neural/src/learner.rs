//! A network with its optimiser: one gradient step at a time.
//!
//! [`Learner::step`] takes any loss, by autograd; no learner of this workspace needs it. The others go by hand: [`Learner::forward`] and [`Learner::descend`] for
//! a loss whose gradient with respect to the network's outputs the caller computes, and the two steps that DDPG and
//! MADDPG consist of: [`Learner::regress`] for critics, [`Learner::ascend`] for deterministic actors.

use crate::action_box::ActionBox;
use crate::adam::{Adam, AdamParams};
use crate::convert::numbers;
use crate::losses::{PerSeed, mse, policy_loss};
use crate::mlp::{Follower, Mlp};
use crate::pass::Pass;
use crate::real::Real;
use crate::threads::pin;
use equiflow::algorithm::Fault;
use equiflow::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use std::collections::BTreeMap;
use std::ops::Range;
use tch::Tensor;

/// What one gradient step found, for each seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Loss before the step, `[S]`.
    pub loss: PerSeed,
    /// Euclidean norm of the gradient before clipping, `[S]`.
    pub gradient_norm: PerSeed,
}

impl Step {
    /// The seeds whose loss or gradient was not finite. Their parameters are worthless from now on; the others' are not
    /// affected.
    pub fn failed(&self) -> impl Iterator<Item = usize> {
        let finite = self.loss.iter().zip(&self.gradient_norm).map(|(loss, norm)| loss.is_finite() && norm.is_finite());
        finite.enumerate().filter(|(_, finite)| !finite).map(|(seed, _)| seed)
    }

    /// That no seed failed in any of the steps of an update, given with the names of their networks. In a discrete game
    /// nothing else tells: a network of NaN still chooses.
    ///
    /// # Errors
    /// All that did.
    pub fn check<'a>(steps: impl IntoIterator<Item = (&'a str, &'a Self)>) -> Result<(), Fault> {
        let mut failed: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (name, step) in steps {
            step.failed().for_each(|seed| failed.entry(seed).or_default().push(name));
        }
        let told = failed.into_iter().map(|(seed, names)| {
            let verb = if names.len() == 1 { "has" } else { "have" };
            (seed, format!("its {} {verb} diverged: a loss or gradient is not finite", names.join(" and ")))
        });
        Fault::of(told.collect())
    }
}

/// A network and its optimiser, with room for what a step computes: nothing is allocated once it is warm.
#[derive(Debug)]
pub struct Learner<T = f32> {
    /// The network.
    pub net: Mlp<T>,
    /// Its optimiser.
    pub adam: Adam<T>,
    pass: Pass<T>,
    /// The gradients of the step at hand, with respect to the parameters `[S, P]`, the outputs `[S, B, out]` and some
    /// columns of the input `[S, B, columns]`.
    gradient: Vec<T>,
    output_gradient: Vec<T>,
    input_gradient: Vec<T>,
}

impl<T: Real> Learner<T> {
    /// A learner that starts from the given network.
    pub fn new(mut net: Mlp<T>, params: AdamParams) -> Self {
        net.require_gradient();
        let length = net.values().len();
        Learner {
            adam: Adam::new(params, net.seeds(), length),
            net,
            pass: Pass::default(),
            gradient: vec![T::default(); length],
            output_gradient: Vec::new(),
            input_gradient: Vec::new(),
        }
    }

    /// Inputs `[S, B, in]` to outputs `[S, B, out]`; [`Learner::descend`] and [`Learner::input_gradient`] go back through
    /// the last forward pass.
    pub fn forward(&mut self, x: &[T]) -> &[T] {
        self.net.predict_for_gradient(x, &mut self.pass)
    }

    /// The last forward pass's gradient with respect to some columns of its input, `[S, B, columns]`, given that with
    /// respect to its outputs, `[S, B, out]`.
    pub fn input_gradient(&mut self, output_gradient: &[T], columns: Range<usize>) -> &[T] {
        let rows = output_gradient.len() / self.net.sizes().last().expect("a network has layers");
        self.input_gradient.resize(rows * columns.len(), T::default());
        self.net.input_gradient(&mut self.pass, output_gradient, columns, &mut self.input_gradient);
        &self.input_gradient
    }

    /// One step down a loss `[S]` whose gradient with respect to the outputs of the last forward pass, `[S, B, out]`, is
    /// given: each seed's the gradient of its own loss. With the soft update of a target network.
    ///
    /// # Panics
    /// If the target is of other sizes or another number of seeds.
    pub fn descend(&mut self, loss: &[f64], output_gradient: &[T], target: Option<Follower<T>>) -> Step {
        self.net.backward(&mut self.pass, output_gradient, &mut self.gradient);
        let target = target.map(|target| target.of(self.net.sizes()));
        let gradient_norm = self.adam.step(self.net.values_mut(), &self.gradient, target);
        Step { loss: loss.into(), gradient_norm }
    }

    /// One step down any loss `[S]` that was computed with this network, each seed's from that seed's network alone.
    /// No other network that took part gets a gradient. With the soft update of a target network.
    ///
    /// # Panics
    /// As [`Learner::descend`].
    pub fn step(&mut self, loss: &Tensor, target: Option<Follower<T>>) -> Step {
        pin();
        let gradients = Tensor::run_backward(&[loss], &[self.net.leaf()], false, false);
        let target = target.map(|target| target.of(self.net.sizes()));
        let gradient_norm = self.adam.step(self.net.values_mut(), &numbers(&gradients[0]), target);
        Step { loss: numbers(loss).into(), gradient_norm }
    }

    /// A critic's step: down the mean over the batch of `(net(input) - y)^2`. Input `[S, B, in]`, `y` `[S, B, out]`. With the
    /// soft update of its target network.
    ///
    /// # Panics
    /// As [`Learner::descend`].
    pub fn regress(&mut self, input: &[T], y: &[T], target: Option<Follower<T>>) -> Step {
        let mut output_gradient = std::mem::take(&mut self.output_gradient);
        let loss = mse(self.net.seeds(), self.forward(input), y, &mut output_gradient);
        let step = self.descend(&loss, &output_gradient, target);
        self.output_gradient = output_gradient;
        step
    }

    /// A deterministic actor's step: up the mean over the batch of `Q(input)`, where this actor's action for
    /// `observation` `[S, B, obs]` is put into the columns `own` of the critic's input `[S, B, in]`. The critic's
    /// network is unchanged. With the soft update of the actor's target network.
    ///
    /// Source: Lillicrap et al. 2016, eq. 6; Lowe et al. 2017, eq. 5, where the other columns hold all observations and
    /// the other agents' actions from the batch.
    ///
    /// # Panics
    /// As [`Learner::descend`].
    pub fn ascend(
        &mut self,
        bounds: &ActionBox<T>,
        observation: &[T],
        critic: &mut Learner<T>,
        input: &mut [T],
        own: Range<usize>,
        target: Option<Follower<T>>,
    ) -> Step {
        let (seeds, width) = (self.net.seeds(), critic.net.sizes()[0]);
        let mut gradient = std::mem::take(&mut self.output_gradient);
        let raw = self.forward(observation);
        gradient.resize(raw.len(), T::default());
        bounds.squash(raw, &mut gradient);
        let rows = input.chunks_exact_mut(width).zip(gradient.chunks_exact(own.len()));
        rows.for_each(|(row, action)| row[own.clone()].copy_from_slice(action));
        let loss = policy_loss(seeds, critic.forward(input), &mut gradient);
        let by_action = critic.input_gradient(&gradient, own);
        gradient.clear();
        gradient.extend_from_slice(self.pass.output());
        bounds.squash_backward(&mut gradient, by_action);
        let step = self.descend(&loss, &gradient, target);
        self.output_gradient = gradient;
        step
    }
}

impl<T: Real> Checkpoint for Learner<T> {
    fn save(&self, to: &mut Snapshot) {
        self.net.save(to);
        self.adam.save(to);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.net.restore(from)?;
        self.adam.restore(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::tensor;
    use crate::mlp::LastLayer;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    const BATCH: usize = 7;

    fn network(sizes: &[usize], seeds: u64) -> Mlp<f64> {
        let mut streams: Vec<_> = (0..seeds).map(ChaCha8Rng::seed_from_u64).collect();
        Mlp::new(sizes, LastLayer::Same, &mut streams)
    }

    /// Numbers without a pattern in them, as a slice and as a tensor.
    fn batch(seeds: u64, dim: usize) -> (Vec<f64>, Tensor) {
        let values: Vec<_> = (0..seeds as usize * BATCH * dim).map(|i| 2.0 * (i as f64).sin()).collect();
        let there = tensor(&values, &[seeds as i64, BATCH as i64, dim as i64]);
        (values, there)
    }

    fn mean(x: &Tensor) -> Tensor {
        x.mean_dim([1i64, 2].as_slice(), false, None)
    }

    fn assert_same(step: &Step, learner: &Learner<f64>, auto_step: &Step, auto: &Learner<f64>) {
        let difference = (learner.net.parameters() - auto.net.parameters()).abs().max().double_value(&[]);
        assert!(difference < 1e-11, "parameters differ by {difference:e}");
        let pairs =
            step.loss.iter().zip(&auto_step.loss).chain(step.gradient_norm.iter().zip(&auto_step.gradient_norm));
        pairs.for_each(|(ours, theirs)| assert!((ours - theirs).abs() < 1e-12, "{step:?} {auto_step:?}"));
    }

    #[test]
    fn every_seed_that_failed_is_told() {
        let step =
            |loss: [f64; 3]| Step { loss: loss.into_iter().collect(), gradient_norm: [1.0; 3].into_iter().collect() };
        let (critic, actor) = (step([1.0, f64::NAN, 2.0]), step([f64::INFINITY, f64::NAN, 0.0]));
        let told = |names: &str| format!("its {names} diverged: a loss or gradient is not finite");
        let fault = Step::check([("critic", &critic), ("actor", &actor)]).unwrap_err();
        assert_eq!(fault.seeds, [(0, told("actor has")), (1, told("critic and actor have"))]);
        assert_eq!(Step::check([("critic", &step([1.0; 3]))]), Ok(()));
    }

    #[test]
    fn steps_by_hand_are_those_of_autograd() {
        for (seeds, outputs) in [(1, 1), (3, 1), (1, 2), (3, 2)] {
            let params = AdamParams::new(1e-2).clip(Some(0.3));
            let new = |sizes: &[usize]| Learner::new(network(sizes, seeds), params);
            let (mut critic, mut auto) = (new(&[5, 8, 6, outputs]), new(&[5, 8, 6, outputs]));
            let ((x, x_tensor), (y, y_tensor)) = (batch(seeds, 5), batch(seeds, outputs));
            for _ in 0..3 {
                let step = critic.regress(&x, &y, None);
                let auto_step = auto.step(&mean(&(auto.net.forward(&x_tensor) - &y_tensor).square()), None);
                assert_same(&step, &critic, &auto_step, &auto);
            }

            let mut critic = new(&[5, 8, 6, 1]);
            let bounds = ActionBox::new(&[-1.0, 0.0], &[1.0, 5.0]);
            let (mut actor, mut auto) = (new(&[3, 8, 2]), new(&[3, 8, 2]));
            let (observation, observation_tensor) = batch(seeds, 3);
            for _ in 0..3 {
                let step = actor.ascend(&bounds, &observation, &mut critic, &mut x.clone(), 2..4, None);
                let (centre, half) = (Tensor::from_slice(&[0.0, 2.5]), Tensor::from_slice(&[1.0, 2.5]));
                let action = auto.net.forward(&observation_tensor).tanh() * half + centre;
                let input = Tensor::cat(&[x_tensor.narrow(2, 0, 2), action, x_tensor.narrow(2, 4, 1)], 2);
                let auto_step = auto.step(&-mean(&critic.net.forward(&input)), None);
                assert_same(&step, &actor, &auto_step, &auto);
            }
        }
    }

    #[test]
    fn a_target_follows_the_network_as_it_is_after_the_step() {
        let mut learner = Learner::new(network(&[2, 3, 1], 1), AdamParams::new(0.1));
        let (mut target, before) = (network(&[2, 3, 1], 1), network(&[2, 3, 1], 1));
        learner.regress(&[1.0, 2.0], &[3.0], Some(target.follow(0.25)));
        for ((target, before), online) in target.values().iter().zip(before.values()).zip(learner.net.values()) {
            assert!((target - (0.75 * before + 0.25 * online)).abs() < 1e-15, "{before} to {target} by {online}");
        }
        assert!(!target.leaf().requires_grad());
    }

    #[test]
    #[should_panic(expected = "a target follows a network of its own sizes")]
    fn a_target_of_other_sizes_is_refused() {
        let mut learner = Learner::new(network(&[2, 3, 1], 1), AdamParams::new(0.1));
        learner.regress(&[1.0, 2.0], &[3.0], Some(network(&[2, 4, 1], 1).follow(0.25)));
    }
}
