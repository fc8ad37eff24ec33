//! Products of a weight matrix and a panel: a layer's outputs on the way forward, its inputs' gradient on the way back.
//!
//! A tile of some rows by two vectors of columns is summed up in registers; the rows of a product are split as evenly as
//! possible into tiles of at most [`Vector::ROWS`]. Bias, ReLU and the mask of the way back are part of the tile.
//!
//! A batch of few rows, such as the one observation that somebody acts on, would leave most of a panel empty. [`row`] goes
//! through a layer with vectors along its outputs instead; sums have the same order there, so that they have the same bits.

#![expect(unsafe_code, reason = "tiles are read and written by vectors")]

use super::panel::{PANEL, Row};
use super::vector::{MOST_LANES, Vector};

/// Terms of a tile's sums in one go of a loop.
const UNROLLED: usize = 4;

/// `out = weight^T x + bias` for a weight `[in, out]`, then ReLU with `relu`: panels `[in, 32]` to `[out, 32]`.
#[inline(always)]
pub fn forward<V: Vector>(
    weight: &[V::Element],
    bias: &[V::Element],
    x: &[Row<V::Element>],
    relu: bool,
    out: &mut [Row<V::Element>],
) {
    assert!(weight.len() == x.len() * out.len() && bias.len() == out.len(), "a layer of {} to {}", x.len(), out.len());
    product::<V, false>(weight, x, out, Some(bias), relu, None);
}

/// The same as [`forward`] for one row of a batch: `[in]` to `[out]`.
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
    const { assert!(V::LANES <= MOST_LANES) };
    let outputs = out.len();
    for (j, out) in out.iter_mut().enumerate() {
        let mut sum = V::splat(bias[j]);
        for (x, weight) in x.iter().zip(weight.chunks_exact(outputs)) {
            sum = sum.add_product(V::splat(weight[j]), V::splat(*x));
        }
        let sum = if relu { sum.at_least(V::splat(V::Element::default())) } else { sum };
        let mut lanes = [V::Element::default(); MOST_LANES];
        // SAFETY: the lanes fit, as is asserted.
        unsafe { sum.store(lanes.as_mut_ptr()) };
        *out = lanes[0];
    }
}

/// `out = weight g`, rows of a weight `[rows, out]`, and zero where `output`, what the layer below has put out, is not
/// above zero: panels `[out, 32]` to `[rows, 32]`.
#[inline(always)]
pub fn backward<V: Vector>(
    weight: &[V::Element],
    g: &[Row<V::Element>],
    output: Option<&[Row<V::Element>]>,
    out: &mut [Row<V::Element>],
) {
    assert!(weight.len() == g.len() * out.len(), "a layer of {} to {}", out.len(), g.len());
    assert!(output.is_none_or(|output| output.len() == out.len()), "a mask of {} rows", out.len());
    product::<V, true>(weight, g, out, None, false, output);
}

/// The product by tiles: of a weight `[inner, rows]`, or with `TURNED` `[rows, inner]`.
#[inline(always)]
fn product<V: Vector, const TURNED: bool>(
    weight: &[V::Element],
    x: &[Row<V::Element>],
    out: &mut [Row<V::Element>],
    bias: Option<&[V::Element]>,
    relu: bool,
    mask: Option<&[Row<V::Element>]>,
) {
    let (rows, inner) = (out.len(), x.len());
    let tiles = rows.div_ceil(V::ROWS);
    let mut start = 0;
    for tile in 0..tiles {
        let end = (tile + 1) * rows / tiles;
        for column in (0..PANEL).step_by(2 * V::LANES) {
            // SAFETY: the weight has rows times inner numbers, the bias and the mask one each for a row (asserted by the
            // callers), `start..end` is a range of rows and `column` leaves room for two vectors in a row of a panel.
            unsafe {
                let at = Tile {
                    weight: weight.as_ptr().add(if TURNED { start * inner } else { start }),
                    stride: if TURNED { inner } else { rows },
                    inner,
                    x: x.as_ptr().cast::<V::Element>().add(column),
                    bias: bias.map(|bias| bias.as_ptr().add(start)),
                    relu,
                    mask: mask.map(|mask| mask.as_ptr().add(start).cast::<V::Element>().add(column)),
                    out: out.as_mut_ptr().add(start).cast::<V::Element>().add(column),
                };
                macro_rules! rows {
                    ($($rows:literal)*) => {
                        match end - start {
                            // Arms that this vector has no use for are constant, so that nothing is compiled for them.
                            $($rows if $rows <= V::ROWS => at.compute::<V, $rows, TURNED>(),)*
                            rows => unreachable!("a tile of {rows} rows"),
                        }
                    };
                }
                rows!(1 2 3 4 5 6 7 8 9 10);
            }
        }
        start = end;
    }
}

/// Where a tile's numbers start.
struct Tile<T> {
    weight: *const T,
    /// From one row of the weight matrix to the next.
    stride: usize,
    /// Terms of each sum.
    inner: usize,
    x: *const T,
    bias: Option<*const T>,
    relu: bool,
    mask: Option<*const T>,
    out: *mut T,
}

impl<T: crate::real::Real> Tile<T> {
    /// # Safety
    /// As many rows as `ROWS` and two vectors of columns from there are inside of the matrices.
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>, const ROWS: usize, const TURNED: bool>(self) {
        // SAFETY: all places are inside of the matrices, as the caller says.
        unsafe {
            let zero = V::splat(T::default());
            let mut sums = [[zero; 2]; ROWS];
            if let Some(bias) = self.bias {
                for (i, sums) in sums.iter_mut().enumerate() {
                    *sums = [V::splat(*bias.add(i)); 2];
                }
            }
            // Where a row's weights stand side by side, a place for each row; else they stand side by side term by term.
            let mut rows = [self.weight; ROWS];
            if TURNED {
                rows.iter_mut().enumerate().for_each(|(i, row)| *row = self.weight.add(i * self.stride));
            }
            // A loop's own instructions cost something where another thread of the core takes half of those that can start.
            let whole = self.inner / UNROLLED * UNROLLED;
            for k in (0..whole).step_by(UNROLLED) {
                for i in 0..UNROLLED {
                    self.add_term::<V, ROWS, TURNED>(&rows, k + i, &mut sums);
                }
            }
            for k in whole..self.inner {
                self.add_term::<V, ROWS, TURNED>(&rows, k, &mut sums);
            }
            for (i, sums) in sums.into_iter().enumerate() {
                for (half, mut sum) in sums.into_iter().enumerate() {
                    let place = i * PANEL + half * V::LANES;
                    if self.relu {
                        sum = sum.at_least(zero);
                    }
                    if let Some(mask) = self.mask {
                        sum = sum.where_positive(V::load(mask.add(place)));
                    }
                    sum.store(self.out.add(place));
                }
            }
        }
    }

    /// Adds the products of the `k`-th term to a tile's sums.
    ///
    /// # Safety
    /// As for [`Tile::compute`]; `k` is below the number of terms.
    #[inline(always)]
    unsafe fn add_term<V: Vector<Element = T>, const ROWS: usize, const TURNED: bool>(
        &self,
        rows: &[*const T; ROWS],
        k: usize,
        sums: &mut [[V; 2]; ROWS],
    ) {
        // SAFETY: all places are inside of the matrices, as the caller says.
        unsafe {
            let x = self.x.add(k * PANEL);
            let x = [V::load(x), V::load(x.add(V::LANES))];
            for (i, (row, sums)) in rows.iter().zip(sums).enumerate() {
                let w = V::splat(*row.add(if TURNED { k } else { k * self.stride + i }));
                *sums = [sums[0].add_product(w, x[0]), sums[1].add_product(w, x[1])];
            }
        }
    }
}
