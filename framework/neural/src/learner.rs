//! A network with its optimiser: one gradient step at a time.
//!
//! [`Learner::step`] takes any loss, by autograd. The two steps that DDPG and MADDPG consist of have a faster way of
//! their own: [`Learner::regress`] for critics, [`Learner::ascend`] for deterministic actors.

use crate::action_box::ActionBox;
use crate::adam::{Adam, AdamParams};
use crate::backward::Tape;
use crate::convert::per_seed;
use crate::losses::policy_loss;
use crate::mlp::{Layers, Mlp};
use crate::threads::pin;
use equiflow::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use std::ops::Range;
use tch::Tensor;

/// What one gradient step found, for each seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Loss before the step, `[S]`.
    pub loss: Vec<f64>,
    /// Euclidean norm of the gradient before clipping, `[S]`.
    pub gradient_norm: Vec<f64>,
}

impl Step {
    /// The seeds whose loss or gradient was not finite. Their parameters are worthless from now on; the others' are not
    /// affected.
    pub fn failed(&self) -> impl Iterator<Item = usize> {
        let finite = self.loss.iter().zip(&self.gradient_norm).map(|(loss, norm)| loss.is_finite() && norm.is_finite());
        finite.enumerate().filter(|(_, finite)| !finite).map(|(seed, _)| seed)
    }
}

/// A network and its optimiser.
#[derive(Debug)]
pub struct Learner {
    /// The network.
    pub net: Mlp,
    /// Its optimiser.
    pub adam: Adam,
    /// The gradient of the step at hand, `[S, P]`.
    gradient: Tensor,
    /// The layers in it.
    gradient_views: Layers,
}

impl Learner {
    /// A learner that starts from the given network.
    pub fn new(mut net: Mlp, params: AdamParams) -> Self {
        let adam = Adam::new(params, net.parameters());
        let gradient = net.parameters().zeros_like();
        let gradient_views = net.views_of(&gradient);
        let leaf = net.parameters_mut();
        *leaf = leaf.set_requires_grad(true);
        Learner { net, adam, gradient, gradient_views }
    }

    /// One step down any loss `[S]` that was computed with this network, each seed's from that seed's network alone.
    /// No other network that took part gets a gradient.
    pub fn step(&mut self, loss: &Tensor) -> Step {
        pin();
        let gradients = Tensor::run_backward(&[loss], &[self.net.parameters()], false, false);
        let [mut gradient] = <[Tensor; 1]>::try_from(gradients).expect("one gradient for one leaf");
        let gradient_norm = self.adam.step(self.net.parameters_mut(), &mut gradient);
        Step { loss: per_seed(loss), gradient_norm }
    }

    /// A critic's step: down the mean over the batch of `(net(input) - target)^2`. Input `[S, B, in]`, target
    /// `[S, B, out]`.
    pub fn regress(&mut self, input: &Tensor, target: &Tensor) -> Step {
        let _guard = tch::no_grad_guard();
        let tape = Tape::record(&self.net, input);
        let error = tape.output(&self.net) - target;
        let count = error.numel() as f64 / self.net.seeds() as f64;
        let loss = error.square().mean_dim([1i64, 2].as_slice(), false, None);
        tape.parameter_gradient(&self.net, &(error * (2.0 / count)), &self.gradient_views);
        self.descend(&loss)
    }

    /// A deterministic actor's step: up the mean over the batch of `Q(input)`, where the columns `own` of the critic's
    /// input `[S, B, in]` are replaced by this actor's action for `observation` `[S, B, obs]`. The critic is unchanged.
    ///
    /// Source: Lillicrap et al. 2016, eq. 6; Lowe et al. 2017, eq. 5, where the other columns hold all observations and
    /// the other agents' actions from the batch.
    pub fn ascend(
        &mut self,
        bounds: &ActionBox,
        observation: &Tensor,
        critic: &Mlp,
        input: &Tensor,
        own: Range<i64>,
    ) -> Step {
        let _guard = tch::no_grad_guard();
        let tape = Tape::record(&self.net, observation);
        let tanh = tape.output(&self.net).tanh();
        let input = input.copy();
        input.narrow(2, own.start, own.end - own.start).copy_(&bounds.scale(&tanh));
        let judged = Tape::record(critic, &input);
        let q = judged.output(critic);
        let loss = policy_loss(&q);
        let batch = q.size()[1] as f64;
        let by_action = judged.input_gradient(critic, &q.full_like(-1.0 / batch), own);
        let by_output = by_action * &bounds.half_range * (1.0 - tanh.square());
        tape.parameter_gradient(&self.net, &by_output, &self.gradient_views);
        self.descend(&loss)
    }

    fn descend(&mut self, loss: &Tensor) -> Step {
        let gradient_norm = self.adam.step(self.net.parameters_mut(), &mut self.gradient);
        Step { loss: per_seed(loss), gradient_norm }
    }
}

impl Checkpoint for Learner {
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
    use crate::losses::mse;
    use crate::mlp::LastLayer;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tch::Kind;

    fn network(sizes: &[usize], seeds: u64) -> Mlp {
        let mut streams: Vec<_> = (0..seeds).map(ChaCha8Rng::seed_from_u64).collect();
        Mlp::new(sizes, LastLayer::Same, Kind::Double, &mut streams)
    }

    /// Numbers without a pattern in them.
    fn batch(seeds: u64, dim: i64) -> Tensor {
        Tensor::arange(seeds as i64 * 7 * dim, (Kind::Double, tch::Device::Cpu)).sin().view([seeds as i64, 7, dim])
            * 2.0
    }

    fn assert_same(step: &Step, learner: &Learner, auto_step: &Step, auto: &Learner) {
        let difference = (learner.net.parameters() - auto.net.parameters()).abs().max().double_value(&[]);
        assert!(difference < 1e-11, "parameters differ by {difference:e}");
        let pairs =
            step.loss.iter().zip(&auto_step.loss).chain(step.gradient_norm.iter().zip(&auto_step.gradient_norm));
        pairs.for_each(|(ours, theirs)| assert!((ours - theirs).abs() < 1e-12, "{step:?} {auto_step:?}"));
    }

    #[test]
    fn steps_by_hand_are_those_of_autograd() {
        for (seeds, outputs) in [(1, 1), (3, 1), (1, 2), (3, 2)] {
            let params = AdamParams::new(1e-2).clip(Some(0.3));
            let new = |sizes: &[usize]| Learner::new(network(sizes, seeds), params);
            let (mut critic, mut auto) = (new(&[5, 8, 6, outputs]), new(&[5, 8, 6, outputs]));
            let (x, y) = (batch(seeds, 5), batch(seeds, outputs as i64));
            for _ in 0..3 {
                let step = critic.regress(&x, &y);
                let auto_step = auto.step(&mse(&auto.net.forward(&x), &y));
                assert_same(&step, &critic, &auto_step, &auto);
            }

            let critic = network(&[5, 8, 6, 1], seeds);
            let bounds = ActionBox::new(&[-1.0, 0.0], &[1.0, 5.0], Kind::Double);
            let (mut actor, mut auto) = (new(&[3, 8, 2]), new(&[3, 8, 2]));
            let observation = batch(seeds, 3);
            for _ in 0..3 {
                let step = actor.ascend(&bounds, &observation, &critic, &x, 2..4);
                let action = bounds.squash(&auto.net.forward(&observation));
                let input = Tensor::cat(&[x.narrow(2, 0, 2), action, x.narrow(2, 4, 1)], 2);
                let auto_step = auto.step(&policy_loss(&critic.forward(&input)));
                assert_same(&step, &actor, &auto_step, &auto);
            }
        }
    }
}
