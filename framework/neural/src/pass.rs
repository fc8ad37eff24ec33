//! The forward and backward pass of a network by hand, outside autograd's graph.
//!
//! Both go seed by seed, so that a seed's bits do not depend on the others, and block by block: a block's rows go through all
//! layers while they are in the caches. Products leave out what is multiplied by zero (see [`kernel`](crate::kernel)). A
//! batch of very few rows goes forward row by row. What is of no use after a pass is computed in buffers that all networks of a
//! thread share, so that it stays in the caches too.

use crate::kernel::affine::{self, Epilogue};
use crate::kernel::{Rows, Vector, WORD, Work, outer, yardstick};
use crate::real::Real;
use equiflow::profile::count_products;
use std::ops::Range;

/// Rows that go forward together.
const FORWARD_ROWS: usize = WORD;

/// Rows that go back together: as many are summed up before a gradient is added to.
const BACKWARD_ROWS: usize = 4 * WORD;

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
    /// The input of each layer, `[S * B, width]`, if a backward pass can follow.
    inputs: Vec<Rows<T>>,
    /// `[S, B, out]`
    output: Vec<T>,
}

/// What a pass needs while it lasts, in buffers of a thread.
#[derive(Debug, Default)]
pub struct Scratch<T> {
    /// The input of each layer for the block at hand, where nothing is kept.
    inputs: Vec<Rows<T>>,
    /// The output of the last layer of one block.
    last: Rows<T>,
    /// A layer's input and output, where a batch goes row by row.
    row: [Vec<T>; 2],
    /// The layers of a seed: forward `[in + 1, out]`, the bias last; on the way back the weight transposed, `[out, in]`.
    weights: Vec<Rows<T>>,
    /// Of the backward pass of a block: the gradients with respect to a layer's output and input.
    gradients: [Rows<T>; 2],
    /// A layer's gradient, of a block.
    sums: Rows<T>,
    /// The bits of a block, feature by feature.
    bits: Vec<[u64; WORD]>,
}

/// A network's parameters as the passes see them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layers<'a, T> {
    pub(crate) sizes: &'a [usize],
    pub(crate) seeds: usize,
    /// `[S, P]`
    pub(crate) parameters: &'a [T],
}

impl<'a, T: Real> Layers<'a, T> {
    /// The parameters of one seed.
    fn seed(&self, seed: usize) -> &'a [T] {
        let count = self.parameters.len() / self.seeds;
        &self.parameters[seed * count..][..count]
    }

    /// Number of layers.
    fn count(&self) -> usize {
        self.sizes.len() - 1
    }

    /// Numbers in all weights of a seed.
    fn weights(&self) -> usize {
        self.sizes.windows(2).map(|pair| pair[0] * pair[1]).sum()
    }

    /// The layers of a seed, each with its bias as its last row.
    #[inline(always)]
    fn pack<V: Vector<Element = T>>(&self, seed: usize, to: &mut [Rows<T>]) {
        let mut rest = self.seed(seed);
        for (to, size) in to.iter_mut().zip(self.sizes.windows(2)) {
            let (layer, after) = rest.split_at((size[0] + 1) * size[1]);
            to.shape(size[0] + 1, size[1]);
            to.fill::<V>(0, layer);
            rest = after;
        }
    }

    /// The weights of a seed transposed, but those of the first layer: of these, some rows.
    #[inline(always)]
    fn pack_transposed<V: Vector<Element = T>>(&self, seed: usize, inputs: Range<usize>, to: &mut [Rows<T>]) {
        let mut rest = self.seed(seed);
        for (layer, (to, size)) in to.iter_mut().zip(self.sizes.windows(2)).enumerate() {
            let (parameters, after) = rest.split_at((size[0] + 1) * size[1]);
            let rows = if layer == 0 { inputs.clone() } else { 0..size[0] };
            to.shape(size[1], rows.len());
            to.fill_transposed::<V>(&parameters[rows.start * size[1]..rows.end * size[1]]);
            rest = after;
        }
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

    /// The forward pass for the input `x` `[S, B, in]`; with `keep`, backward passes can follow. Without, a block's numbers
    /// take the place of the last one's.
    pub(crate) fn forward(&mut self, layers: Layers<T>, x: &[T], keep: bool) {
        let (seeds, width) = (layers.seeds, layers.sizes[0]);
        let rows = x.len() / width;
        assert!(x.len() == rows * width && rows.is_multiple_of(seeds), "an input of [{seeds}, B, {width}]");
        self.batch = rows / seeds;
        self.kept = keep;
        let (out, block) = (layers.sizes[layers.count()], FORWARD_ROWS.min(self.batch));
        self.output.resize(rows * out, T::default());
        T::scratch(|scratch| {
            let (inputs, held) = if keep { (&mut self.inputs, rows) } else { (&mut scratch.inputs, block) };
            for (input, width) in room(layers.count(), inputs).iter_mut().zip(layers.sizes) {
                input.shape(held, *width);
            }
            scratch.last.shape(block, out);
            T::forward(Forward { pass: self, scratch, layers, x });
        });
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
        T::scratch(|scratch| T::backward(Backward { pass: self, scratch, layers, output_gradient, gradient }));
    }
}

/// A forward pass, with room for all that it writes.
pub struct Forward<'a, T> {
    pass: &'a mut Pass<T>,
    scratch: &'a mut Scratch<T>,
    layers: Layers<'a, T>,
    x: &'a [T],
}

impl<T: Real> Work<T> for Forward<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        if self.pass.batch <= FEW {
            return self.row_by_row::<V>();
        }
        let Self { pass: Pass { batch, kept, inputs, output }, scratch, layers, x } = self;
        let Scratch { inputs: block, last, weights, .. } = scratch;
        let (batch, count) = (*batch, layers.count());
        let inputs = if *kept { &mut inputs[..count] } else { &mut block[..count] };
        let weights = room(count, weights);
        let (width, out) = (layers.sizes[0], layers.sizes[count]);
        let mut products = 0;
        for seed in 0..layers.seeds {
            layers.pack::<V>(seed, weights);
            for start in (0..batch).step_by(FORWARD_ROWS) {
                let rows = seed * batch + start..seed * batch + (start + FORWARD_ROWS).min(batch);
                let held = if *kept { rows.clone() } else { 0..rows.len() };
                inputs[0].fill::<V>(held.start, &x[rows.start * width..rows.end * width]);
                inputs[0].mark::<V>(held.clone());
                for (layer, weight) in weights.iter().enumerate() {
                    let (before, after) = inputs.split_at_mut(layer + 1);
                    let input = &before[layer];
                    let (epilogue, out, to) = match after.first_mut() {
                        Some(next) => (Epilogue::Relu, next, held.start),
                        None => (Epilogue::None, &mut *last, 0),
                    };
                    products += affine::product::<V>(input, held.clone(), weight, epilogue, out, to);
                }
                last.spill::<V>(&mut output[rows.start * out..rows.end * out]);
            }
        }
        count_products(2 * products as u64, yardstick);
    }
}

impl<T: Real> Forward<'_, T> {
    /// The same for a batch of few rows, for which it does not pay to copy the layers.
    #[inline(always)]
    fn row_by_row<V: Vector<Element = T>>(self) {
        let Self { pass: Pass { batch, kept, inputs, output }, scratch, layers, x } = self;
        let [from, to] = &mut scratch.row;
        let (width, out) = (layers.sizes[0], layers.sizes[layers.count()]);
        count_products(2 * (x.len() / width * layers.weights()) as u64, yardstick);
        for (index, (x, output)) in x.chunks_exact(width).zip(output.chunks_exact_mut(out)).enumerate() {
            from.clear();
            from.extend_from_slice(x);
            let mut rest = layers.seed(index / *batch);
            for (layer, size) in layers.sizes.windows(2).enumerate() {
                if *kept {
                    inputs[layer].fill::<V>(index, from);
                    inputs[layer].mark::<V>(index..index + 1);
                }
                let n = size[1];
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
    scratch: &'a mut Scratch<T>,
    layers: Layers<'a, T>,
    output_gradient: &'a [T],
    gradient: Gradient<'a, T>,
}

impl<T: Real> Work<T> for Backward<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        let Self { pass: Pass { batch, inputs, .. }, scratch, layers, output_gradient, mut gradient } = self;
        let Scratch { weights, gradients: [g, before], sums, bits, .. } = scratch;
        let (batch, count) = (*batch, layers.count());
        let (out, inputs, weights) = (layers.sizes[count], &inputs[..count], room(count, weights));
        let wanted = match &gradient {
            Gradient::Parameters(_) => 0..0,
            Gradient::Input(columns, _) => columns.clone(),
        };
        let mut products = 0;
        for seed in 0..layers.seeds {
            layers.pack_transposed::<V>(seed, wanted.clone(), weights);
            for start in (0..batch).step_by(BACKWARD_ROWS) {
                let rows = seed * batch + start..seed * batch + (start + BACKWARD_ROWS).min(batch);
                g.shape(rows.len(), out);
                g.fill::<V>(0, &output_gradient[rows.start * out..rows.end * out]);
                g.mark::<V>(0..rows.len());
                let mut end = layers.seed(seed).len();
                for (layer, input) in inputs.iter().enumerate().rev() {
                    let (k, n) = (layers.sizes[layer], layers.sizes[layer + 1]);
                    let first = end - (k + 1) * n;
                    if let Gradient::Parameters(gradient) = &mut gradient {
                        let layer = &mut gradient[seed * layers.seed(seed).len()..][first..end];
                        let (by_weight, by_bias) = layer.split_at_mut(k * n);
                        let (transposed, count) = outer::sum::<V>(input, rows.clone(), g, bits, sums);
                        sums.write_or_add::<V>(transposed, start > 0, by_weight);
                        outer::column_sums::<V>(g, rows.len(), start > 0, by_bias);
                        products += count;
                    }
                    end = first;
                    if layer > 0 {
                        before.shape(rows.len(), k);
                        let mask = Epilogue::Mask(input, rows.start);
                        products += affine::product::<V>(g, 0..rows.len(), &weights[layer], mask, before, 0);
                        std::mem::swap(g, before);
                    } else if let Gradient::Input(columns, by_input) = &mut gradient
                        && columns.start < columns.end
                    {
                        let width = columns.len();
                        before.shape(rows.len(), width);
                        products += affine::product::<V>(g, 0..rows.len(), &weights[0], Epilogue::None, before, 0);
                        before.spill::<V>(&mut by_input[rows.start * width..rows.end * width]);
                    }
                }
            }
        }
        count_products(2 * products as u64, yardstick);
    }
}

/// The first so many matrices; new ones where there are fewer.
fn room<T: Real>(count: usize, matrices: &mut Vec<Rows<T>>) -> &mut [Rows<T>] {
    if matrices.len() < count {
        matrices.resize_with(count, Rows::default);
    }
    &mut matrices[..count]
}

#[cfg(test)]
mod tests;
