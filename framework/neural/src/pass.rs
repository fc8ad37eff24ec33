//! The forward and backward pass of a network by hand, outside autograd's graph.
//!
//! Both go seed by seed, so that a seed's bits do not depend on the others, and panel by panel (see
//! [`kernel`](crate::kernel)): 32 columns of a batch go through all layers while they are in the first cache. A batch of
//! very few rows goes forward row by row.

use crate::kernel::{MOST_GROUP, PANEL, Row, Vector, Work, affine, outer, panel, yardstick};
use crate::real::Real;
use equiflow::profile::count_products;
use std::ops::Range;

/// Panels that go back together: as many columns are summed up before a gradient is added to.
const BLOCK: usize = 8;

/// A batch of so many rows goes row by row.
const FEW: usize = 4;

/// What a forward pass leaves for the backward passes after it, in buffers that are used again and again: once warm,
/// nothing is allocated.
#[derive(Clone, Debug, Default)]
pub struct Pass<T = f32> {
    /// Rows per seed of the last forward pass.
    batch: usize,
    /// Whether a backward pass can follow.
    kept: bool,
    /// The input of each layer: `[S, panels, width, 32]`, or that of the panel at hand where nothing is kept.
    inputs: Vec<Vec<Row<T>>>,
    /// The output of the last layer of one panel.
    last: Vec<Row<T>>,
    /// A layer's input and output, where a batch goes row by row.
    row: [Vec<T>; 2],
    /// `[S, B, out]`
    output: Vec<T>,
    /// Of the backward pass of a block: the gradients with respect to a layer's output and input, `[panels, width, 32]`,
    /// and a layer's input and output gradient interleaved.
    gradients: [Vec<Row<T>>; 2],
    interleaved: [Vec<Row<T>>; 2],
}

/// A network's parameters as the passes see them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layers<'a, T> {
    pub(crate) sizes: &'a [usize],
    pub(crate) seeds: usize,
    /// `[S, P]`
    pub(crate) parameters: &'a [T],
}

impl<'a, T> Layers<'a, T> {
    /// The parameters of one seed.
    fn seed(&self, seed: usize) -> &'a [T] {
        let count = self.parameters.len() / self.seeds;
        &self.parameters[seed * count..][..count]
    }

    /// Number of layers.
    fn count(&self) -> usize {
        self.sizes.len() - 1
    }

    /// Numbers in the weights of the layers from the given one on.
    fn weights_from(&self, layer: usize) -> usize {
        self.sizes[layer..].windows(2).map(|pair| pair[0] * pair[1]).sum()
    }

    /// Width of the widest layer.
    fn widest(&self) -> usize {
        self.sizes.iter().copied().max().unwrap_or_default()
    }
}

/// Which gradients a backward pass is for.
pub(crate) enum Gradient<'a, T> {
    /// That with respect to the parameters, `[S, P]`.
    Parameters(&'a mut [T]),
    /// That with respect to some columns of the input, `[S, B, columns]`.
    Input(Range<usize>, &'a mut [T]),
}

impl<T: Real> Pass<T> {
    /// The output of the last forward pass, `[S, B, out]`.
    pub fn output(&self) -> &[T] {
        &self.output
    }

    /// The forward pass for the input `x` `[S, B, in]`; with `keep`, backward passes can follow. Without, a panel's numbers
    /// take the place of the last one's, in the first cache.
    pub(crate) fn forward(&mut self, layers: Layers<T>, x: &[T], keep: bool) {
        let (seeds, width) = (layers.seeds, layers.sizes[0]);
        let rows = x.len() / width;
        assert!(x.len() == rows * width && rows.is_multiple_of(seeds), "an input of [{seeds}, B, {width}]");
        self.batch = rows / seeds;
        self.kept = keep;
        let panels = if keep { seeds * self.batch.div_ceil(PANEL) } else { 1 };
        self.inputs.resize_with(layers.count(), Vec::new);
        for (input, width) in self.inputs.iter_mut().zip(layers.sizes) {
            input.resize(panels * width, Row::default());
        }
        let out = layers.sizes[layers.count()];
        self.last.resize(out, Row::default());
        self.output.resize(rows * out, T::default());
        count_products(2 * (rows * layers.weights_from(0)) as u64, yardstick);
        T::forward(Forward { pass: self, layers, x });
    }

    /// The backward pass for the last forward pass, given the gradient with respect to its output, `[S, B, out]`. The
    /// parameters have to be the same as then.
    pub(crate) fn backward(&mut self, layers: Layers<T>, output_gradient: &[T], gradient: Gradient<T>) {
        let (seeds, batch, out) = (layers.seeds, self.batch, layers.sizes[layers.count()]);
        assert!(self.kept, "a way back needs a forward pass that kept what it computed");
        assert_eq!(output_gradient.len(), seeds * batch * out, "an output gradient of [{seeds}, {batch}, {out}]");
        let numbers = match &gradient {
            Gradient::Parameters(gradient) => (gradient.len(), layers.parameters.len()),
            Gradient::Input(columns, out) => (out.len(), seeds * batch * columns.len()),
        };
        assert_eq!(numbers.0, numbers.1, "the length of a gradient");
        // Through all layers but the first, and what is wanted in the end.
        let wanted = match &gradient {
            Gradient::Parameters(_) => layers.weights_from(0),
            Gradient::Input(columns, _) => columns.len() * layers.sizes[1],
        };
        count_products(2 * (seeds * batch * (layers.weights_from(1) + wanted)) as u64, yardstick);
        let widest = layers.widest();
        for buffer in &mut self.gradients {
            buffer.resize((BLOCK * widest).max(buffer.len()), Row::default());
        }
        for buffer in &mut self.interleaved {
            buffer.resize((BLOCK * widest.next_multiple_of(MOST_GROUP)).max(buffer.len()), Row::default());
        }
        T::backward(Backward { pass: self, layers, output_gradient, gradient });
    }
}

/// A forward pass, with room for all that it writes.
pub struct Forward<'a, T> {
    pass: &'a mut Pass<T>,
    layers: Layers<'a, T>,
    x: &'a [T],
}

impl<T: Real> Work<T> for Forward<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        if self.pass.batch <= FEW {
            return self.row_by_row::<V>();
        }
        let Self { pass: Pass { batch, kept, inputs, last, output, .. }, layers, x } = self;
        let (batch, panels, count) = (*batch, batch.div_ceil(PANEL), layers.count());
        let (width, out) = (layers.sizes[0], layers.sizes[count]);
        for seed in 0..layers.seeds {
            for block in 0..panels {
                let (index, rows) = (if *kept { seed * panels + block } else { 0 }, rows_of(seed, batch, block));
                panel::fill(&mut inputs[0][index * width..][..width], &x[rows.start * width..rows.end * width]);
                let mut rest = layers.seed(seed);
                for layer in 0..count {
                    let (k, n) = (layers.sizes[layer], layers.sizes[layer + 1]);
                    let (weight, after) = rest.split_at(k * n);
                    let (bias, after) = after.split_at(n);
                    rest = after;
                    let (input, next) = inputs[layer..].split_at_mut(1);
                    let (to, relu) = match next.first_mut() {
                        Some(next) => (&mut next[index * n..][..n], true),
                        None => (&mut last[..], false),
                    };
                    affine::forward::<V>(weight, bias, &input[0][index * k..][..k], relu, to);
                }
                panel::spill(last, &mut output[rows.start * out..rows.end * out]);
            }
        }
    }
}

impl<T: Real> Forward<'_, T> {
    /// The same for a batch that fits in few columns of a panel.
    #[inline(always)]
    fn row_by_row<V: Vector<Element = T>>(self) {
        let Self { pass: Pass { batch, kept, inputs, output, row: [from, to], .. }, layers, x } = self;
        let (width, out) = (layers.sizes[0], layers.sizes[layers.count()]);
        for (index, (x, output)) in x.chunks_exact(width).zip(output.chunks_exact_mut(out)).enumerate() {
            let (seed, column) = (index / *batch, index % *batch);
            from.clear();
            from.extend_from_slice(x);
            let mut rest = layers.seed(seed);
            for (layer, input) in inputs.iter_mut().enumerate() {
                if *kept {
                    let panel = &mut input[seed * from.len()..][..from.len()];
                    for (row, x) in panel.iter_mut().zip(&*from) {
                        if column == 0 {
                            *row = Row::default();
                        }
                        row.0[column] = *x;
                    }
                }
                let n = layers.sizes[layer + 1];
                let (weight, after) = rest.split_at(from.len() * n);
                let (bias, after) = after.split_at(n);
                rest = after;
                to.resize(n, T::default());
                affine::row::<V>(weight, bias, from, layer + 1 < layers.count(), to);
                std::mem::swap(from, to);
            }
            output.copy_from_slice(from);
        }
    }
}

/// A backward pass, with room for all that it writes.
pub struct Backward<'a, T> {
    pass: &'a mut Pass<T>,
    layers: Layers<'a, T>,
    output_gradient: &'a [T],
    gradient: Gradient<'a, T>,
}

impl<T: Real> Work<T> for Backward<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        let Self { pass: Pass { batch, inputs, gradients, interleaved, .. }, layers, output_gradient, mut gradient } =
            self;
        let (batch, panels, count) = (*batch, batch.div_ceil(PANEL), layers.count());
        let out = layers.sizes[count];
        let [g, before] = gradients;
        let [h_interleaved, g_interleaved] = interleaved;
        for seed in 0..layers.seeds {
            for start in (0..panels).step_by(BLOCK) {
                let block = start..(start + BLOCK).min(panels);
                for (i, number) in block.clone().enumerate() {
                    let rows = rows_of(seed, batch, number);
                    panel::fill(&mut g[i * out..][..out], &output_gradient[rows.start * out..rows.end * out]);
                }
                let parameters = layers.seed(seed);
                let mut end = parameters.len();
                for layer in (0..count).rev() {
                    let (k, n) = (layers.sizes[layer], layers.sizes[layer + 1]);
                    let first = end - (k + 1) * n;
                    let weight = &parameters[first..end - n];
                    let input = &inputs[layer][(seed * panels + block.start) * k..][..block.len() * k];
                    if let Gradient::Parameters(gradient) = &mut gradient {
                        let (by_weight, by_bias) = gradient[seed * parameters.len()..][first..end].split_at_mut(k * n);
                        let h = &mut h_interleaved[..outer::interleaved::<V>(block.len(), k)];
                        let own = &mut g_interleaved[..outer::interleaved::<V>(block.len(), n)];
                        outer::interleave::<V>(k, input, h);
                        outer::interleave::<V>(n, &g[..block.len() * n], own);
                        outer::sum::<V>(h, own, by_weight, by_bias, start > 0);
                    }
                    end = first;
                    if layer > 0 {
                        let panels = g.chunks_exact(n).zip(before.chunks_exact_mut(k)).zip(input.chunks_exact(k));
                        for ((g, before), input) in panels {
                            affine::backward::<V>(weight, g, Some(input), before);
                        }
                        std::mem::swap(g, before);
                    } else if let Gradient::Input(columns, by_input) = &mut gradient {
                        let width = columns.len();
                        let weight = &weight[columns.start * n..columns.end * n];
                        for (g, number) in g.chunks_exact(n).zip(block.clone()) {
                            let rows = rows_of(seed, batch, number);
                            affine::backward::<V>(weight, g, None, &mut before[..width]);
                            panel::spill(&before[..width], &mut by_input[rows.start * width..rows.end * width]);
                        }
                    }
                }
            }
        }
    }
}

/// The rows of a `[S, B, ..]` buffer that are in a seed's panel.
fn rows_of(seed: usize, batch: usize, panel: usize) -> Range<usize> {
    let start = seed * batch;
    start + panel * PANEL..start + ((panel + 1) * PANEL).min(batch)
}

#[cfg(test)]
mod tests {
    use crate::convert::{numbers, tensor};
    use crate::kernel::dispatch::{Instructions, with};
    use crate::{LastLayer, Mlp, Pass, Tensor};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// Numbers without a pattern in them.
    fn batch(count: usize) -> Vec<f32> {
        (1..=count).map(|i| (2.0 * (i as f64).sin()) as f32).collect()
    }

    /// That no difference is above `1e-6` of the greatest number, and that there is one.
    fn assert_near(found: &[f32], expected: &Tensor, what: &str) {
        let expected = numbers::<f64>(expected);
        assert_eq!(found.len(), expected.len(), "{what}");
        let greatest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        let differences = found.iter().zip(&expected).map(|(found, expected)| (f64::from(*found) - expected).abs());
        let difference = differences.fold(0.0, f64::max);
        assert!(greatest > 0.0 && difference <= 1e-6 * greatest, "{what}: {difference:e} of {greatest:e}");
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_among_many() {
        for (sizes, set) in [&[1, 100, 100, 1][..], &[3, 5, 7, 2], &[33, 17, 9, 64, 5], &[4, 160, 21]]
            .into_iter()
            .flat_map(|sizes| Instructions::ALL.into_iter().filter(|set| set.exist()).map(move |set| (sizes, set)))
        {
            let net = Mlp::<f32>::new(sizes, LastLayer::Same, &mut [ChaCha8Rng::seed_from_u64(5)]);
            let (input, out) = (sizes[0], sizes[sizes.len() - 1]);
            let x = batch(40 * input);
            let (mut many, mut alone) = (Pass::default(), Pass::default());
            with(set, || {
                net.predict(&x, &mut many);
                for (row, expected) in x.chunks_exact(input).zip(many.output().chunks_exact(out)) {
                    assert_eq!(net.predict(row, &mut alone), expected, "{sizes:?} by {set:?}");
                }
            });
        }
    }

    #[test]
    fn a_pass_serves_networks_and_batches_in_turn() {
        let net = |sizes: &[usize]| Mlp::<f32>::new(sizes, LastLayer::Same, &mut [ChaCha8Rng::seed_from_u64(7)]);
        let (small, large) = (net(&[3, 20, 1]), net(&[5, 40, 30, 2]));
        let gradient = |net: &Mlp<f32>, rows: usize, pass: &mut Pass| {
            let (x, slopes) = (batch(rows * net.sizes()[0]), batch(rows * net.sizes()[net.sizes().len() - 1]));
            let mut gradient = vec![f32::NAN; net.values().len()];
            net.predict_for_gradient(&x, pass);
            net.backward(pass, &slopes, &mut gradient);
            gradient
        };
        let mut pass = Pass::default();
        for (net, rows) in [(&large, 70), (&small, 3), (&large, 2), (&small, 40), (&large, 1), (&small, 70)] {
            assert_eq!(gradient(net, rows, &mut pass), gradient(net, rows, &mut Pass::default()), "{rows} rows");
            large.predict(&batch(5 * rows), &mut pass);
        }
    }

    #[test]
    #[should_panic(expected = "kept what it computed")]
    fn there_is_no_way_back_from_a_prediction() {
        let net = Mlp::<f32>::new(&[2, 1], LastLayer::Same, &mut [ChaCha8Rng::seed_from_u64(7)]);
        let mut pass = Pass::default();
        net.predict(&[1.0, 2.0], &mut pass);
        net.backward(&mut pass, &[1.0], &mut [0.0; 3]);
    }

    /// Single precision, by every set of instructions that this processor has, against autograd in double precision.
    #[test]
    fn all_instructions_give_autograds_outputs_and_gradients() {
        let networks: [&[usize]; 5] =
            [&[1, 100, 100, 1], &[4, 100, 100, 1], &[3, 5, 7, 2], &[6, 2], &[33, 17, 9, 64, 5]];
        let sets = || Instructions::ALL.into_iter().filter(|set| set.exist());
        for (sizes, rows, seeds) in networks.iter().flat_map(|sizes| {
            [(1, 1), (3, 2), (7, 2), (32, 3), (33, 1), (64, 2), (300, 1)].map(|(rows, seeds)| (*sizes, rows, seeds))
        }) {
            let mut streams: Vec<_> = (0..seeds as u64).map(ChaCha8Rng::seed_from_u64).collect();
            let net = Mlp::<f32>::new(sizes, LastLayer::Same, &mut streams);
            let (input, out) = (sizes[0], sizes[sizes.len() - 1]);
            let x = batch(seeds * rows * input);
            // All of one sign, as a policy's: no sum comes out small by cancelling.
            let by_output: Vec<_> = batch(seeds * rows * out).into_iter().map(|x| x * x).collect();
            let exactly = |values: &[f32], width: usize| {
                let values: Vec<_> = values.iter().map(|x| f64::from(*x)).collect();
                tensor(&values, &[seeds as i64, rows as i64, width as i64])
            };
            let exact = Mlp::<f64>::from_parameters(sizes, &net.parameters().to_kind(tch::Kind::Double));
            let leaves = [exact.leaf().set_requires_grad(true), exactly(&x, input).set_requires_grad(true)];
            let output = exact.forward(&leaves[1]);
            let sum = (&output * exactly(&by_output, out)).sum(tch::Kind::Double);
            let gradients = Tensor::run_backward(&[sum], &leaves, false, false);
            // Some columns of the input, but the first.
            let columns = input / 2..input;
            let by_input = gradients[1].narrow(2, columns.start as i64, columns.len() as i64).contiguous();
            for set in sets() {
                let (mut pass, mut gradient) = (Pass::default(), vec![f32::NAN; net.values().len()]);
                let mut slopes = vec![f32::NAN; seeds * rows * columns.len()];
                with(set, || {
                    net.predict(&x, &mut pass);
                    let alone = pass.output().to_vec();
                    assert_eq!(net.predict_for_gradient(&x, &mut pass), alone);
                    net.backward(&mut pass, &by_output, &mut gradient);
                    net.input_gradient(&mut pass, &by_output, columns.clone(), &mut slopes);
                });
                let what = |what: &str| format!("{what} of {sizes:?}, {seeds} seeds of {rows} rows, by {set:?}");
                assert_near(pass.output(), &output, &what("output"));
                assert_near(&gradient, &gradients[0], &what("gradient"));
                assert_near(&slopes, &by_input, &what("input's gradient"));
            }
        }
    }
}
