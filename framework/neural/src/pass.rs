//! The forward and backward pass of a network by hand, outside autograd's graph, seed by seed.

use crate::kernel::{Matrix, product_into};
use crate::real::Real;
use std::ops::Range;

/// What a forward pass leaves for the backward passes after it, in buffers that are used again and again: once warm,
/// nothing is allocated.
#[derive(Clone, Debug, Default)]
pub struct Pass<T = f32> {
    /// Rows per seed of the last forward pass.
    batch: usize,
    /// The input of each layer, `[S, B, width]`.
    inputs: Vec<Vec<T>>,
    /// `[S, B, out]`
    output: Vec<T>,
    /// Gradients with respect to the layers' outputs of one seed, in turn.
    gradients: [Vec<T>; 2],
}

impl<T: Real> Pass<T> {
    /// The output of the last forward pass, `[S, B, out]`.
    pub fn output(&self) -> &[T] {
        &self.output
    }

    /// The forward pass of `parameters` `[S, P]` for the input `x` `[S, B, in]`.
    pub(crate) fn forward(&mut self, sizes: &[usize], parameters: &[T], seeds: usize, x: &[T]) {
        let (layers, rows) = (sizes.len() - 1, x.len() / sizes[0]);
        assert!(x.len() == rows * sizes[0] && rows.is_multiple_of(seeds), "an input of [{seeds}, B, {}]", sizes[0]);
        self.batch = rows / seeds;
        self.inputs.resize_with(layers, Vec::new);
        self.inputs[0].clear();
        self.inputs[0].extend_from_slice(x);
        for (input, width) in self.inputs.iter_mut().zip(sizes).skip(1) {
            input.resize(rows * width, T::default());
        }
        self.output.resize(rows * sizes[layers], T::default());
        for seed in 0..seeds {
            for (layer, (weight, bias)) in of_seed(sizes, parameters, seeds, seed) {
                let (input, after) = self.inputs[layer..].split_at_mut(1);
                let (k, n) = (sizes[layer], sizes[layer + 1]);
                let input = &input[0][seed * self.batch * k..][..self.batch * k];
                let whole = if layer + 1 < layers { &mut after[0] } else { &mut self.output };
                let out = &mut whole[seed * self.batch * n..][..self.batch * n];
                out.chunks_exact_mut(n).for_each(|row| row.copy_from_slice(bias));
                product_into(Matrix::new(input, self.batch, k), Matrix::new(weight, k, n), out, true);
                if layer + 1 < layers {
                    out.iter_mut().for_each(|x| *x = if *x > T::default() { *x } else { T::default() });
                }
            }
        }
    }

    /// The backward pass: writes the gradient with respect to the parameters `[S, P]`, if asked for, and that with respect
    /// to some columns of the input, `[S, B, columns]`, if asked for, given that with respect to the output.
    pub(crate) fn backward(
        &mut self,
        sizes: &[usize],
        parameters: &[T],
        seeds: usize,
        output_gradient: &[T],
        mut by_parameters: Option<&mut [T]>,
        mut by_input: Option<(Range<usize>, &mut [T])>,
    ) {
        let (layers, batch) = (sizes.len() - 1, self.batch);
        let out = sizes[layers];
        assert_eq!(output_gradient.len(), seeds * batch * out, "an output gradient of [{seeds}, {batch}, {out}]");
        let per_seed = parameters.len() / seeds;
        for seed in 0..seeds {
            let [mut g, mut before] = std::mem::take(&mut self.gradients);
            g.clear();
            g.extend_from_slice(&output_gradient[seed * batch * out..][..batch * out]);
            let mut end = per_seed;
            for layer in (0..layers).rev() {
                let (k, n) = (sizes[layer], sizes[layer + 1]);
                let start = end - (k + 1) * n;
                let weight = &parameters[seed * per_seed..][start..start + k * n];
                let input = &self.inputs[layer][seed * batch * k..][..batch * k];
                if let Some(gradient) = by_parameters.as_deref_mut() {
                    let (by_weight, by_bias) = gradient[seed * per_seed..][start..end].split_at_mut(k * n);
                    product_into(Matrix::new(input, batch, k).t(), Matrix::new(&g, batch, n), by_weight, false);
                    by_bias.fill(T::default());
                    for row in g.chunks_exact(n) {
                        by_bias.iter_mut().zip(row).for_each(|(sum, x)| *sum += *x);
                    }
                }
                if layer > 0 || by_input.is_some() {
                    before.resize(batch * k, T::default());
                    product_into(Matrix::new(&g, batch, n), Matrix::new(weight, k, n).t(), &mut before, false);
                }
                if layer > 0 {
                    // ReLU: nothing comes through where its output was zero.
                    let mask = |(g, x): (&mut T, &T)| *g = if *x > T::default() { *g } else { T::default() };
                    before.iter_mut().zip(input).for_each(mask);
                    std::mem::swap(&mut g, &mut before);
                }
                end = start;
            }
            if let Some((columns, out)) = &mut by_input {
                let out = out[seed * batch * columns.len()..][..batch * columns.len()].chunks_exact_mut(columns.len());
                for (out, row) in out.zip(before.chunks_exact(sizes[0])) {
                    out.copy_from_slice(&row[columns.clone()]);
                }
            }
            self.gradients = [g, before];
        }
    }
}

/// The weight and bias of each layer of a seed, with the layer's number.
fn of_seed<'a, T>(
    sizes: &'a [usize],
    parameters: &'a [T],
    seeds: usize,
    seed: usize,
) -> impl Iterator<Item = (usize, (&'a [T], &'a [T]))> {
    let per_seed = parameters.len() / seeds;
    let mut rest = &parameters[seed * per_seed..][..per_seed];
    sizes.windows(2).enumerate().map(move |(layer, pair)| {
        let (own, after) = rest.split_at((pair[0] + 1) * pair[1]);
        rest = after;
        (layer, own.split_at(pair[0] * pair[1]))
    })
}
