//! A multi-layer perceptron, one per seed of a lane, all in one flat parameter tensor.
//!
//! ReLU between the layers, nothing after the last. The parameters of a network are one leaf tensor `[S, P]`: one Adam
//! update, one soft update and one gradient for all layers and seeds. The forward pass looks at the layers through views
//! of it, and the backward pass joins their gradients again.

use crate::backward::Tape;
use crate::convert::{restore_tensor, save_tensor};
use crate::threads::pin;
use equiflow::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

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
pub struct Mlp {
    sizes: Vec<usize>,
    /// Lengths of the pieces of the flat tensor: weight, bias, weight, bias, ...
    pieces: Vec<i64>,
    /// `[S, P]`
    parameters: Tensor,
    /// Views of the parameters for use outside the graph. With one seed they are `[in, out]` and `[1, out]`: libtorch's
    /// plain products are faster than its batched ones.
    views: Layers,
}

/// Weight and bias of each layer.
pub(crate) type Layers = Vec<(Tensor, Tensor)>;

impl Mlp {
    /// A network with layers of the given sizes, e.g. `[in, 100, 100, out]`, for `streams.len()` seeds.
    ///
    /// Weights and biases are uniform in ±1/sqrt(fan in), as in PyTorch's `Linear`; for the last layer see [`LastLayer`].
    /// Seed `k` is drawn from `streams[k]` alone, in the order of the parameters.
    pub fn new<R: Rng>(sizes: &[usize], last: LastLayer, kind: Kind, streams: &mut [R]) -> Self {
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
        let parameters = Tensor::from_slice(&values).view([streams.len() as i64, -1]).to_kind(kind);
        Mlp::with_views(sizes, parameters)
    }

    /// A network with a copy of the given parameters `[S, P]`, in the order of the type's documentation.
    ///
    /// # Panics
    ///
    /// If `P` is not the number of parameters of a network of these sizes.
    pub fn from_parameters(sizes: &[usize], parameters: &Tensor) -> Self {
        pin();
        Mlp::with_views(sizes, parameters.detach().copy())
    }

    fn with_views(sizes: &[usize], parameters: Tensor) -> Self {
        let pieces = pieces(sizes);
        assert_eq!(parameters.size2().ok().map(|size| size.1), Some(pieces.iter().sum()), "parameters of {sizes:?}");
        let mut net = Mlp { sizes: sizes.to_vec(), pieces, parameters, views: vec![] };
        net.views = net.views_of(&net.parameters);
        net
    }

    /// A critic of the usual make: `input` numbers in, one value out, as PyTorch would start it, in [`Kind::Float`].
    pub fn critic<R: Rng>(input: usize, hidden: &[usize], streams: &mut [R]) -> Self {
        let sizes: Vec<_> = [&[input], hidden, &[1]].concat();
        Mlp::new(&sizes, LastLayer::Same, Kind::Float, streams)
    }

    /// A copy, such as the target network of an online network. It never asks for gradients.
    pub fn twin(&self) -> Mlp {
        Mlp::from_parameters(&self.sizes, &self.parameters)
    }

    /// Inputs `[S, B, in]` to outputs `[S, B, out]`. Part of autograd's graph; see [`Mlp::predict`].
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

    /// Inputs `[S, B, in]` to outputs `[S, B, out]`, outside the graph: faster than [`Mlp::forward`].
    pub fn predict(&self, x: &Tensor) -> Tensor {
        Tape::record(self, x).output(self)
    }

    /// Views of the layers: weight `[S, in, out]` and bias `[S, 1, out]`.
    pub fn layers(&self) -> Vec<(Tensor, Tensor)> {
        let pieces = self.parameters.split_with_sizes(&self.pieces, 1);
        let pairs = pieces.chunks_exact(2).zip(self.sizes.windows(2));
        pairs.map(|(p, size)| (p[0].view([-1, size[0] as i64, size[1] as i64]), p[1].unsqueeze(1))).collect()
    }

    /// The layers' views of any flat tensor of this network's shape, such as its gradient, outside the graph.
    pub(crate) fn views_of(&self, flat: &Tensor) -> Layers {
        let pieces = flat.detach().split_with_sizes(&self.pieces, 1);
        let pairs = pieces.chunks_exact(2).zip(self.sizes.windows(2));
        let layers = pairs.map(|(p, size)| (p[0].view([-1, size[0] as i64, size[1] as i64]), p[1].unsqueeze(1)));
        layers.map(|(weight, bias)| (self.narrow_seeds(&weight), self.narrow_seeds(&bias))).collect()
    }

    /// The views of the parameters.
    pub(crate) fn views(&self) -> &Layers {
        &self.views
    }

    /// `[1, ...]` to `[...]` if there is one seed.
    pub(crate) fn narrow_seeds(&self, x: &Tensor) -> Tensor {
        if self.seeds() == 1 { x.squeeze_dim(0) } else { x.shallow_clone() }
    }

    /// Undoes [`Mlp::narrow_seeds`].
    pub(crate) fn widen_seeds(&self, x: &Tensor) -> Tensor {
        if self.seeds() == 1 { x.unsqueeze(0) } else { x.shallow_clone() }
    }

    /// All parameters, `[S, P]`.
    pub fn parameters(&self) -> &Tensor {
        &self.parameters
    }

    /// All parameters, for the optimiser.
    pub(crate) fn parameters_mut(&mut self) -> &mut Tensor {
        &mut self.parameters
    }

    /// Sizes of the layers, first the input, last the output.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Number of seeds `S`.
    pub fn seeds(&self) -> i64 {
        self.parameters.size()[0]
    }

    /// Element type.
    pub fn kind(&self) -> Kind {
        self.parameters.kind()
    }

    /// `self <- self + tau (online - self)` (Lillicrap et al. 2016, algorithm 1).
    pub fn soft_update(&mut self, online: &Mlp, tau: f64) {
        pin();
        let _guard = tch::no_grad_guard();
        let _ = self.parameters.lerp_(&online.parameters, tau);
    }
}

impl Checkpoint for Mlp {
    fn save(&self, to: &mut Snapshot) {
        save_tensor(to, "parameters", &self.parameters);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        restore_tensor(from, "parameters", &mut self.parameters)
    }
}

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
        let together = Mlp::new(&[3, 8, 2], LastLayer::Same, Kind::Float, &mut streams(&[1, 2, 3]));
        let alone = Mlp::new(&[3, 8, 2], LastLayer::Same, Kind::Float, &mut streams(&[2]));
        assert!(together.parameters().narrow(0, 1, 1).equal(alone.parameters()));
    }

    #[test]
    fn layers_start_within_their_bounds() {
        for (last, bound) in [(LastLayer::Same, 0.1), (LastLayer::Uniform(3e-3), 3e-3), (LastLayer::Zeros, 0.0)] {
            let net = Mlp::new(&[4, 100, 5], last, Kind::Double, &mut streams(&[7]));
            let layers = net.layers();
            let extent = |x: &Tensor| x.abs().max().double_value(&[]);
            assert!((0.49..=0.5).contains(&extent(&layers[0].0)));
            let (weight, bias) = (extent(&layers[1].0), extent(&layers[1].1));
            assert!(weight <= bound && weight >= 0.98 * bound && bias <= bound, "{last:?}: {weight} {bias}");
        }
    }

    #[test]
    fn a_checkpoint_restores_every_bit() {
        let net = Mlp::new(&[3, 8, 2], LastLayer::Same, Kind::Float, &mut streams(&[1, 2]));
        let mut other = Mlp::new(&[3, 8, 2], LastLayer::Same, Kind::Float, &mut streams(&[3, 4]));
        other.restore(&Snapshot::of(&net)).unwrap();
        assert_eq!(Snapshot::of(&other), Snapshot::of(&net));
        let mut wider = Mlp::new(&[3, 9, 2], LastLayer::Same, Kind::Float, &mut streams(&[3, 4]));
        assert!(wider.restore(&Snapshot::of(&net)).is_err());
    }

    #[test]
    fn a_soft_update_goes_the_fraction_tau_of_the_way() {
        let online = Mlp::new(&[1, 1], LastLayer::Same, Kind::Double, &mut streams(&[1]));
        let mut target = Mlp::new(&[1, 1], LastLayer::Zeros, Kind::Double, &mut streams(&[1]));
        target.soft_update(&online, 0.25);
        assert!(target.parameters().allclose(&(online.parameters() * 0.25), 1e-15, 0.0, false));
        assert!(!target.parameters().requires_grad());
    }
}
