//! Products of a batch's rows and a weight matrix: a layer's outputs on the way forward, its inputs' gradient on the way
//! back.
//!
//! Some vectors of a row's outputs are summed up in registers, term by term, but only the terms whose factor in the row is
//! not zero (see [`rows`](super::rows)); all terms where the outputs fit in one vector. Sums have the same order everywhere,
//! and a term that is left out would not change them: they are equal to those of all terms, bit for bit but for the sign of a
//! zero. (Where a weight is infinite or no number, they are not: zero times such a weight is left out too.)

#![expect(unsafe_code, reason = "rows are read and written by vectors")]

use super::rows::{Rows, WORD};
use super::tile::{add_rows, tiles, with_count};
use super::vector::{MOST_GROUP, Vector};
use crate::real::Real;
use std::ops::Range;

/// Bytes of weights that stay in the first cache, beside the rows.
const CACHED: usize = 24 << 10;

/// Rows that are summed up side by side where they have one vector of outputs, since each addition waits for the one before.
const NARROW: usize = 8;

/// Vectors of rows that are summed up side by side where they have one output, for the same reason.
const DOTS: usize = 4;

/// What is done to a product's sums.
#[derive(Clone, Copy)]
pub enum Epilogue<'a, T> {
    /// Nothing.
    None,
    /// Zero instead of what is below zero.
    Relu,
    /// Zero where the row so much further on in these is not above zero.
    Mask(&'a Rows<T>, usize),
}

/// `out = x weight` for some rows of x to the rows of `out` from `to` on, both [marked](Rows::mark). Where the weight has a row
/// more than x is wide, it is added. Returns how many multiplications it took.
#[inline(always)]
pub fn product<V: Vector>(
    x: &Rows<V::Element>,
    rows: Range<usize>,
    weight: &Rows<V::Element>,
    epilogue: Epilogue<V::Element>,
    out: &mut Rows<V::Element>,
    to: usize,
) -> usize {
    let (inner, outputs) = (x.width(), out.width());
    let biased = weight.len() == inner + 1;
    assert!(weight.width() == outputs && (biased || weight.len() == inner), "a layer of {inner} to {outputs}");
    assert!(rows.end <= x.len() && to + rows.len() <= out.len(), "rows {rows:?} to {to}");
    if let Epilogue::Mask(mask, first) = epilogue {
        assert!(mask.width() == outputs && first + rows.len() <= mask.len(), "a mask of {outputs} from {first} on");
    }
    let (vectors, words) = (outputs.div_ceil(V::LANES), x.words());
    let mut product = Product { x, weight, bias: biased.then_some(inner), epilogue, out };
    // SAFETY: all rows are there, as was just seen, and a row is a whole number of vectors long.
    unsafe {
        if vectors == 1 {
            // With one output a vector has a row in each lane, where the vectors' squares are as wide as they are.
            let together = DOTS * V::LANES;
            let dots = if outputs == 1 && V::GROUP == V::LANES { rows.len() / together * together } else { 0 };
            for row in (0..dots).step_by(together) {
                product.dots::<V>(rows.start + row, to + row, row);
            }
            let whole = dots + (rows.len() - dots) / NARROW * NARROW;
            for row in (dots..whole).step_by(NARROW) {
                product.narrow::<V, NARROW>(rows.start + row, to + row, row);
            }
            for row in whole..rows.len() {
                product.narrow::<V, 1>(rows.start + row, to + row, row);
            }
            return rows.len() * inner * outputs;
        }
        for vectors in tiles(vectors) {
            // The weights of a tile that go together stay in the first cache.
            let column = vectors.start * V::LANES;
            let fits = inner * vectors.len() * size_of::<V>() <= CACHED;
            let together = if fits { words } else { 1 };
            for word in (0..words).step_by(together) {
                let terms = word..(word + together).min(words);
                with_count!(vectors.len(), V, product.tile(column, terms, rows.clone(), to));
            }
        }
    }
    x.count(rows) * outputs
}

/// A product's matrices.
struct Product<'a, 'o, T> {
    x: &'a Rows<T>,
    weight: &'a Rows<T>,
    /// The weight's row that is added.
    bias: Option<usize>,
    epilogue: Epilogue<'a, T>,
    out: &'o mut Rows<T>,
}

impl<T: Real> Product<'_, '_, T> {
    /// Adds some words of terms to `COUNT` vectors of each row's outputs.
    ///
    /// # Safety
    /// The rows are in x, in the output from `to` on and in the mask; so many vectors from `column` on are in each, and the
    /// words in x.
    #[inline(always)]
    unsafe fn tile<V: Vector<Element = T>, const COUNT: usize>(
        &mut self,
        column: usize,
        terms: Range<usize>,
        rows: Range<usize>,
        to: usize,
    ) {
        let (words, stride) = (self.x.words(), self.weight.stride());
        let (weight, x, x_stride) = (self.weight.numbers(), self.x.numbers(), self.x.stride());
        let (out, nonzero) = (self.out.view(), self.x.nonzero(rows.clone()).as_ptr());
        let (first, last) = (terms.start == 0, terms.end == words);
        // SAFETY: the rows are in the mask, as the caller says.
        let epilogue = unsafe { self.epilogue.at() };
        let bias = if first { self.bias } else { None };
        let ends = out.lanes::<V>(column + (COUNT - 1) * V::LANES);
        for (index, row) in rows.enumerate() {
            // SAFETY: all places are inside of the matrices, as the caller says; bits are set within a row's width only.
            unsafe {
                let weight = weight.add(column);
                let x = x.add(row * x_stride);
                let to = to + index;
                let place = out.numbers.add(to * out.stride + column);
                let mut sums = [V::splat(T::default()); COUNT];
                if let Some(bias) = bias {
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = V::load(weight.add(bias * stride + i * V::LANES));
                    }
                } else if !first {
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = V::load(place.add(i * V::LANES));
                    }
                }
                for word in terms.clone() {
                    let bits = u64::from_le(*nonzero.add(index * words + word));
                    let first = word * WORD;
                    add_rows(&mut sums, bits, (x.add(first), 1), (weight.add(first * stride), stride));
                }
                if last {
                    epilogue.apply(&mut sums, index, column);
                    for (i, sum) in sums.into_iter().enumerate() {
                        let lanes = if i + 1 == COUNT { ends } else { u16::MAX };
                        out.mark(sum, to, column + i * V::LANES, lanes);
                    }
                }
                for (i, sum) in sums.into_iter().enumerate() {
                    sum.store(place.add(i * V::LANES));
                }
            }
        }
    }

    /// The one vector of outputs of `ROWS` rows, side by side, by all terms. The first is so many rows after that which the mask
    /// begins with.
    ///
    /// # Safety
    /// The rows are in x, in the output from `to` on and in the mask.
    #[inline(always)]
    unsafe fn narrow<V: Vector<Element = T>, const ROWS: usize>(&mut self, row: usize, to: usize, index: usize) {
        let (weight, stride) = (self.weight.numbers(), self.weight.stride());
        let x_stride = self.x.stride();
        // SAFETY: all places are inside of the matrices, as the caller says.
        unsafe {
            let start = match self.bias {
                Some(bias) => V::load(weight.add(bias * stride)),
                None => V::splat(T::default()),
            };
            let mut sums = [start; ROWS];
            let x = self.x.numbers().add(row * x_stride);
            for k in 0..self.x.width() {
                let weight = V::load(weight.add(k * stride));
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add_product(weight, V::splat(*x.add(i * x_stride + k)));
                }
            }
            self.finish(sums, to, index);
        }
    }

    /// The one output of [`DOTS`] vectors of rows, a row in each lane, by all terms: squares of x are transposed, which have to
    /// be as wide as a vector for that. The first row is so many after that which the mask begins with.
    ///
    /// # Safety
    /// The rows are in x, in the output from `to` on and in the mask.
    #[inline(always)]
    unsafe fn dots<V: Vector<Element = T>>(&mut self, row: usize, to: usize, index: usize) {
        debug_assert_eq!(V::GROUP, V::LANES, "a vector of rows is a square");
        let (weight, stride) = (self.weight.numbers(), self.weight.stride());
        let (x_stride, width) = (self.x.stride(), self.x.width());
        // SAFETY: all places are inside of the matrices, as the caller says; a row is a whole number of vectors long.
        unsafe {
            let mut sums = [V::splat(self.bias.map_or_else(T::default, |bias| *weight.add(bias * stride))); DOTS];
            let x = self.x.numbers().add(row * x_stride);
            for first in (0..width).step_by(V::LANES) {
                let terms = (width - first).min(V::LANES);
                for (i, sum) in sums.iter_mut().enumerate() {
                    let mut square = [V::splat(T::default()); MOST_GROUP];
                    for (j, vector) in square[..V::GROUP].iter_mut().enumerate() {
                        *vector = V::load(x.add((i * V::LANES + j) * x_stride + first));
                    }
                    for (k, column) in V::transpose(square)[..terms].iter().enumerate() {
                        *sum = sum.add_product(*column, V::splat(*weight.add((first + k) * stride)));
                    }
                }
            }
            for (i, sum) in sums.into_iter().enumerate() {
                for (j, sum) in sum.lanes()[..V::LANES].iter().enumerate() {
                    let row = i * V::LANES + j;
                    self.finish([V::splat(*sum)], to + row, index + row);
                }
            }
        }
    }

    /// Puts the one vector of outputs of rows where it belongs. The first is so many rows after that which the mask begins with.
    ///
    /// # Safety
    /// The rows are in the output from `to` on and in the mask.
    #[inline(always)]
    unsafe fn finish<V: Vector<Element = T>, const ROWS: usize>(&mut self, sums: [V; ROWS], to: usize, index: usize) {
        let out = self.out.view();
        // SAFETY: as the caller says.
        unsafe {
            let epilogue = self.epilogue.at();
            for (i, sum) in sums.into_iter().enumerate() {
                let mut sum = [sum];
                epilogue.apply(&mut sum, index + i, 0);
                out.mark(sum[0], to + i, 0, out.lanes::<V>(0));
                sum[0].store(out.numbers.add((to + i) * out.stride));
            }
        }
    }
}

/// The same, with the place of the mask's first row and from a row to the next, which stay in registers.
#[derive(Clone, Copy)]
enum EpilogueAt<T> {
    None,
    Relu,
    Mask(*const T, usize),
}

impl<T: Real> Epilogue<'_, T> {
    /// # Safety
    /// The mask has its first row.
    #[inline(always)]
    unsafe fn at(self) -> EpilogueAt<T> {
        match self {
            Epilogue::None => EpilogueAt::None,
            Epilogue::Relu => EpilogueAt::Relu,
            Epilogue::Mask(mask, first) => {
                // SAFETY: as the caller says.
                let first = unsafe { mask.numbers().add(first * mask.stride()) };
                EpilogueAt::Mask(first, mask.stride())
            }
        }
    }
}

impl<T: Real> EpilogueAt<T> {
    /// Does it to vectors of sums, in a row so many after the first, from a column on.
    ///
    /// # Safety
    /// The mask has so many rows, and in it so many vectors from the column on.
    #[inline(always)]
    unsafe fn apply<V: Vector<Element = T>, const COUNT: usize>(
        self,
        sums: &mut [V; COUNT],
        row: usize,
        column: usize,
    ) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = match self {
                EpilogueAt::None => *sum,
                EpilogueAt::Relu => sum.at_least(V::splat(T::default())),
                EpilogueAt::Mask(mask, stride) => {
                    // SAFETY: as the caller says.
                    let mask = unsafe { V::load(mask.add(row * stride + column + i * V::LANES)) };
                    sum.where_positive(mask)
                }
            };
        }
    }
}

/// A layer's outputs of one row, `[in]` to `[out]`, then ReLU with `relu`. For batches of few rows, for which it does not pay
/// to copy the weight.
#[inline(always)]
pub fn row<V: Vector>(
    weight: &[V::Element],
    bias: &[V::Element],
    x: &[V::Element],
    relu: bool,
    out: &mut [V::Element],
) {
    let (inner, outputs) = (x.len(), out.len());
    assert!(weight.len() == inner * outputs && bias.len() == outputs, "a layer of {inner} to {outputs}");
    // The last vectors begin so far before the end that they fit: what they share with those before is computed twice.
    let vectors = outputs / V::LANES;
    let mut start = 0;
    for count in [4, 1] {
        while start + count * V::LANES <= vectors * V::LANES {
            // SAFETY: so many vectors of outputs are left from `start` on.
            unsafe {
                match count {
                    4 => outputs_from::<V, 4>(weight, bias, x, relu, out, start),
                    _ => outputs_from::<V, 1>(weight, bias, x, relu, out, start),
                }
            }
            start += count * V::LANES;
        }
    }
    if start < outputs && vectors > 0 {
        // SAFETY: there are as many outputs as a vector holds, and these are the last.
        unsafe { outputs_from::<V, 1>(weight, bias, x, relu, out, outputs - V::LANES) };
    } else if start < outputs {
        narrow::<V>(weight, bias, x, relu, out);
    }
}

/// `COUNT` vectors of outputs of a row.
///
/// # Safety
/// There are so many outputs from `start` on.
#[inline(always)]
unsafe fn outputs_from<V: Vector, const COUNT: usize>(
    weight: &[V::Element],
    bias: &[V::Element],
    x: &[V::Element],
    relu: bool,
    out: &mut [V::Element],
    start: usize,
) {
    let stride = out.len();
    // SAFETY: the places are in the matrix, as the caller says.
    unsafe {
        let mut sums = [V::splat(V::Element::default()); COUNT];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = V::load(bias.as_ptr().add(start + i * V::LANES));
        }
        for (k, x) in x.iter().enumerate() {
            let x = V::splat(*x);
            for (i, sum) in sums.iter_mut().enumerate() {
                let w = V::load(weight.as_ptr().add(k * stride + start + i * V::LANES));
                *sum = sum.add_product(w, x);
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            let sum = if relu { sum.at_least(V::splat(V::Element::default())) } else { sum };
            sum.store(out.as_mut_ptr().add(start + i * V::LANES));
        }
    }
}

/// A row's outputs where they are fewer than a vector holds: one after the other, in all lanes alike.
#[inline(always)]
fn narrow<V: Vector>(weight: &[V::Element], bias: &[V::Element], x: &[V::Element], relu: bool, out: &mut [V::Element]) {
    let outputs = out.len();
    for (j, out) in out.iter_mut().enumerate() {
        let mut sum = V::splat(bias[j]);
        for (x, weight) in x.iter().zip(weight.chunks_exact(outputs)) {
            sum = sum.add_product(V::splat(weight[j]), V::splat(*x));
        }
        let sum = if relu { sum.at_least(V::splat(V::Element::default())) } else { sum };
        *out = sum.lanes()[0];
    }
}
