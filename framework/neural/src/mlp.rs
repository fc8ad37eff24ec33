//! A multi-layer perceptron, one per seed of a lane, all in one flat parameter tensor.
//!
//! ReLU between the layers, nothing after the last. The parameters of a network are one leaf tensor `[S, P]`: one Adam
//! update with its soft update and one gradient for all layers and seeds. There are two ways through a network: by hand over
//! slices ([`Mlp::predict_for_gradient`], [`Mlp::backward`]), by which all learners of this workspace go, and through autograd's
//! graph ([`Mlp::forward`]), for losses whose gradient nobody has written down, and as the first one's test.

use crate::convert::{restore_array, save_array};
use crate::kernel::Flat;
use crate::pass::{Gradient, Layers, Pass};
use crate::real::Real;
use crate::threads::pin;
use equiflow::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use tch::Tensor;

/// How the last layer of a network starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastLayer {
    /// Like the other layers.
    #[default]
    Same,
    /// Uniform in ±bound, weights and bias (Lillicrap et al. 2016, section 7: 3e-3).
    Uniform(f64),
    /// All zero: a squashed policy starts at the centre of the action box, whatever it observes.
    Zeros,
}

/// A multi-layer perceptron for each of the `S` seeds.
///
/// Order of the parameters of one seed: layer by layer, the weight `[in, out]` row-major, then the bias `[out]`.
#[derive(Debug)]
pub struct Mlp<T = f32> {
    sizes: Vec<usize>,
    /// `[S, P]`
    parameters: Flat<T>,
}

impl<T: Real> Mlp<T> {
    /// A network with layers of the given sizes, e.g. `[in, 100, 100, out]`, for `streams.len()` seeds.
    ///
    /// Weights and biases are uniform in ±1/sqrt(fan in), as in PyTorch's `Linear`; for the last layer see [`LastLayer`].
    /// Seed `k` is drawn from `streams[k]` alone, in the order of the parameters.
    pub fn new<R: Rng>(sizes: &[usize], last: LastLayer, streams: &mut [R]) -> Self {
        pin();
        let mut values = Vec::new();
        for stream in streams.iter_mut() {
            for (layer, pair) in sizes.windows(2).enumerate() {
                let same = 1.0 / (pair[0] as f64).sqrt();
                let bound = match last {
                    LastLayer::Uniform(bound) if layer + 2 == sizes.len() => bound,
                    LastLayer::Zeros if layer + 2 == sizes.len() => 0.0,
                    _ => same,
                };
                let count = pair[0] * pair[1] + pair[1];
                values.extend((0..count).map(|_| bound * (2.0 * stream.random::<f64>() - 1.0)));
            }
        }
        let parameters = Tensor::from_slice(&values).view([streams.len() as i64, -1]).to_kind(T::KIND);
        Mlp::with(sizes, parameters)
    }

    /// A network with a copy of the given parameters `[S, P]`, in the order of the type's documentation.
    ///
    /// # Panics
    ///
    /// If `P` is not the number of parameters of a network of these sizes, or if the tensor is not of `T`.
    pub fn from_parameters(sizes: &[usize], parameters: &Tensor) -> Self {
        pin();
        Mlp::with(sizes, parameters.detach().copy())
    }

    fn with(sizes: &[usize], parameters: Tensor) -> Self {
        let count: i64 = pieces(sizes).iter().sum();
        assert_eq!(parameters.size2().ok().map(|size| size.1), Some(count), "parameters of {sizes:?}");
        Mlp { sizes: sizes.to_vec(), parameters: Flat::new(parameters) }
    }

    /// A critic of the usual make: `input` numbers in, one value out, as PyTorch would start it.
    pub fn critic<R: Rng>(input: usize, hidden: &[usize], streams: &mut [R]) -> Self {
        let sizes: Vec<_> = [&[input], hidden, &[1]].concat();
        Mlp::new(&sizes, LastLayer::Same, streams)
    }

    /// A copy, such as the target network of an online network. It never asks for gradients.
    pub fn twin(&self) -> Mlp<T> {
        Mlp::from_parameters(&self.sizes, self.parameters.tensor())
    }

    /// Inputs `[S, B, in]` to outputs `[S, B, out]`, as part of autograd's graph; see [`Mlp::predict`].
    pub fn forward(&self, x: &Tensor) -> Tensor {
        pin();
        let layers = self.layers();
        let (last, hidden) = layers.split_last().expect("a network has a layer");
        let mut h = x.shallow_clone();
        for (weight, bias) in hidden {
            h = bias.baddbmm(&h, weight, 1.0, 1.0).relu_();
        }
        last.1.baddbmm(&h, &last.0, 1.0, 1.0)
    }

    /// Inputs `[S, B, in]` to outputs `[S, B, out]`, outside the graph; the batch `B` follows from the length.
    ///
    /// # Panics
    ///
    /// If the input is no whole number of rows of each seed.
    pub fn predict<'a>(&self, x: &[T], pass: &'a mut Pass<T>) -> &'a [T] {
        pass.forward(self.slices(), x, false);
        pass.output()
    }

    /// The same, where [`Mlp::backward`] or [`Mlp::input_gradient`] is to follow: `pass` keeps what they need.
    ///
    /// # Panics
    ///
    /// As [`Mlp::predict`].
    pub fn predict_for_gradient<'a>(&self, x: &[T], pass: &'a mut Pass<T>) -> &'a [T] {
        pass.forward(self.slices(), x, true);
        pass.output()
    }

    /// Writes the gradient with respect to the parameters, `[S, P]`, given that with respect to the outputs `[S, B, out]`
    /// of the last [`Mlp::predict_for_gradient`] into `pass`. Since then the parameters have to be unchanged.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit, or `pass` kept nothing.
    pub fn backward(&self, pass: &mut Pass<T>, output_gradient: &[T], gradient: &mut [T]) {
        pass.backward(self.slices(), output_gradient, Gradient::Parameters(gradient));
    }

    /// Writes the gradient with respect to some columns of the input, `[S, B, columns]`; otherwise as [`Mlp::backward`].
    ///
    /// # Panics
    ///
    /// If the lengths do not fit, or `pass` kept nothing.
    pub fn input_gradient(&self, pass: &mut Pass<T>, output_gradient: &[T], columns: Range<usize>, out: &mut [T]) {
        pass.backward(self.slices(), output_gradient, Gradient::Input(columns, out));
    }

    fn slices(&self) -> Layers<'_, T> {
        Layers { sizes: &self.sizes, seeds: self.seeds(), parameters: self.parameters.values() }
    }

    /// Views of the layers in autograd's graph: weight `[S, in, out]` and bias `[S, 1, out]`.
    fn layers(&self) -> Vec<(Tensor, Tensor)> {
        let pieces = self.parameters.tensor().split_with_sizes(pieces(&self.sizes), 1);
        let pairs = pieces.chunks_exact(2).zip(self.sizes.windows(2));
        pairs.map(|(p, size)| (p[0].view([-1, size[0] as i64, size[1] as i64]), p[1].unsqueeze(1))).collect()
    }

    /// A copy of all parameters, `[S, P]`.
    pub fn parameters(&self) -> Tensor {
        pin();
        self.leaf().detach().copy()
    }

    /// All parameters, `[S, P]`, as autograd's graphs have them. An operator that changed them would change [`Mlp::values`],
    /// so they do not leave this crate.
    pub(crate) fn leaf(&self) -> &Tensor {
        self.parameters.tensor()
    }

    /// All parameters, `[S, P]`, as numbers.
    pub fn values(&self) -> &[T] {
        self.parameters.values()
    }

    /// All parameters, for the optimiser.
    pub(crate) fn values_mut(&mut self) -> &mut [T] {
        self.parameters.values_mut()
    }

    /// Makes the parameters a leaf of autograd's graphs.
    pub(crate) fn require_gradient(&mut self) {
        self.parameters = Flat::new(self.parameters.tensor().set_requires_grad(true));
    }

    /// Sizes of the layers, first the input, last the output.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Number of seeds `S`.
    pub fn seeds(&self) -> usize {
        self.parameters.seeds()
    }

    /// The soft update of this target network, for the step of a [`Learner`](crate::Learner) that it belongs to.
    pub fn follow(&mut self, rate: f64) -> Follower<'_, T> {
        Follower { target: self, rate }
    }
}

/// A soft update that is done in the same pass as the optimiser's step, which waits for its divisions anyway:
/// `target <- target + rate (online - target)` (Lillicrap et al. 2016, algorithm 1), `online` as after the step.
#[derive(Debug)]
#[must_use = "the target moves with a learner's step only"]
pub struct Follower<'a, T = f32> {
    target: &'a mut Mlp<T>,
    rate: f64,
}

impl<'a, T: Real> Follower<'a, T> {
    /// The target's parameters, `[S, P]`, and the rate, for the step of a network of these sizes.
    pub(crate) fn of(self, sizes: &[usize]) -> (&'a mut [T], f64) {
        assert_eq!(self.target.sizes, sizes, "a target follows a network of its own sizes");
        (self.target.values_mut(), self.rate)
    }
}

impl<T: Real> Checkpoint for Mlp<T> {
    fn save(&self, to: &mut Snapshot) {
        save_array(to, "parameters", self.seeds(), self.values());
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        let seeds = self.seeds();
        restore_array(from, "parameters", seeds, self.values_mut())
    }
}

/// Lengths of the pieces of the flat parameters: weight, bias, weight, bias, ...
fn pieces(sizes: &[usize]) -> Vec<i64> {
    assert!(sizes.len() >= 2 && sizes.iter().all(|&size| size > 0), "{sizes:?} are no layer sizes");
    sizes.windows(2).flat_map(|pair| [(pair[0] * pair[1]) as i64, pair[1] as i64]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn streams(seeds: &[u64]) -> Vec<ChaCha8Rng> {
        seeds.iter().map(|&seed| ChaCha8Rng::seed_from_u64(seed)).collect()
    }

    #[test]
    fn a_seed_starts_the_same_whatever_runs_beside_it() {
        let together = Mlp::<f32>::new(&[3, 8, 2], LastLayer::Same, &mut streams(&[1, 2, 3]));
        let alone = Mlp::<f32>::new(&[3, 8, 2], LastLayer::Same, &mut streams(&[2]));
        assert!(together.parameters().narrow(0, 1, 1).equal(&alone.parameters()));
    }

    #[test]
    fn layers_start_within_their_bounds() {
        for (last, bound) in [(LastLayer::Same, 0.1), (LastLayer::Uniform(3e-3), 3e-3), (LastLayer::Zeros, 0.0)] {
            let net = Mlp::<f64>::new(&[4, 100, 5], last, &mut streams(&[7]));
            let layers = net.layers();
            let extent = |x: &Tensor| x.abs().max().double_value(&[]);
            assert!((0.49..=0.5).contains(&extent(&layers[0].0)));
            let (weight, bias) = (extent(&layers[1].0), extent(&layers[1].1));
            assert!(weight <= bound && weight >= 0.98 * bound && bias <= bound, "{last:?}: {weight} {bias}");
        }
    }

    #[test]
    fn a_checkpoint_restores_every_bit() {
        let net = Mlp::<f32>::new(&[3, 8, 2], LastLayer::Same, &mut streams(&[1, 2]));
        let mut other = Mlp::<f32>::new(&[3, 8, 2], LastLayer::Same, &mut streams(&[3, 4]));
        other.restore(&Snapshot::of(&net)).unwrap();
        assert_eq!(Snapshot::of(&other), Snapshot::of(&net));
        let mut wider = Mlp::<f32>::new(&[3, 9, 2], LastLayer::Same, &mut streams(&[3, 4]));
        assert!(wider.restore(&Snapshot::of(&net)).is_err());
    }
}
