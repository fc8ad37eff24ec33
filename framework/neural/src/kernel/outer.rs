//! Sums of outer products over a batch: the gradient with respect to a weight matrix.
//!
//! `sum over b of h[k, b] g[n, b]` for all `k` and `n`. With vectors along the batch each sum would have to be added up
//! across a vector in the end, and two loads would feed little more than one multiplication. Instead, a vector holds
//! products of a few `k` with a group of `n`, four or eight: little padding, since widths are multiples of 4 as a rule, and
//! no sums across. For that the panels are interleaved first: the features of a group side by side, for a group of four
//! `[width / 4, columns, 4]`.

#![expect(unsafe_code, reason = "tiles are read and written by vectors")]

use super::panel::{PANEL, Row};
use super::vector::{MOST_GROUP, MOST_LANES, Vector};
use crate::real::Real;

/// Columns of a tile's sums in one go of a loop.
const UNROLLED: usize = 4;

/// Groups that are summed up side by side.
const SUMS: usize = 4;

/// Rows of 32 numbers that so many panels of some width take when they are interleaved.
pub fn interleaved<V: Vector>(panels: usize, width: usize) -> usize {
    panels * width.next_multiple_of(V::GROUP)
}

/// Interleaves `panels` panels `[width, 32]` into `[width / GROUP rounded up, panels * 32, GROUP]`, the last group filled up
/// with zeros. The order of the columns within a panel may be another one, but is the same for all features.
#[inline(always)]
pub fn interleave<V: Vector>(width: usize, from: &[Row<V::Element>], to: &mut [Row<V::Element>]) {
    let (panels, groups) = (from.len() / width, width.div_ceil(V::GROUP));
    let fits = from.len() == panels * width && to.len() == interleaved::<V>(panels, width);
    assert!(fits, "{panels} panels of {width} features");
    for group in 0..groups {
        let features = V::GROUP * group..(V::GROUP * (group + 1)).min(width);
        for panel in 0..panels {
            let rows = &from[panel * width..][features.clone()];
            let out = to[(group * panels + panel) * V::GROUP..][..V::GROUP].as_mut_ptr().cast::<V::Element>();
            for column in (0..PANEL).step_by(V::LANES) {
                // SAFETY: a row holds 32 numbers and `out` GROUP times as many; `column` leaves room for a vector.
                unsafe {
                    let mut vectors = [V::splat(V::Element::default()); MOST_GROUP];
                    if rows.len() == V::GROUP {
                        // As many as the compiler knows, so that they stay in registers.
                        for (i, vector) in vectors[..V::GROUP].iter_mut().enumerate() {
                            *vector = V::load(rows.as_ptr().add(i).cast::<V::Element>().add(column));
                        }
                    } else {
                        for (vector, row) in vectors.iter_mut().zip(rows) {
                            *vector = V::load(row.0.as_ptr().add(column));
                        }
                    }
                    let turned = V::transpose(vectors);
                    for (i, vector) in turned[..V::GROUP].iter().enumerate() {
                        vector.store(out.add(V::GROUP * column + i * V::LANES));
                    }
                }
            }
        }
    }
}

/// Writes to `weight` `[in, out]` the sum over the columns of the outer products of `h` (`in` features) and `g` (`out`
/// features), both interleaved, and to `bias` `[out]` the sum of `g`; or adds it to what is there.
#[inline(always)]
pub fn sum<V: Vector>(
    h: &[Row<V::Element>],
    g: &[Row<V::Element>],
    weight: &mut [V::Element],
    bias: &mut [V::Element],
    add: bool,
) {
    let outputs = bias.len();
    let inputs = weight.len() / outputs;
    let stride = g.len() / outputs.div_ceil(V::GROUP) * PANEL;
    let fits = |features: usize, rows: usize| rows * PANEL == features.div_ceil(V::GROUP) * stride;
    let fits = weight.len() == inputs * outputs && fits(inputs, h.len()) && fits(outputs, g.len());
    assert!(fits, "panels of {inputs} and {outputs} features");
    let (h, g) = (h.as_ptr().cast::<V::Element>(), g.as_ptr().cast::<V::Element>());
    // SAFETY: h and g have `stride` numbers for each group of features, as was just seen.
    unsafe {
        if outputs == 1 {
            // The other way round, or a group would hold one output.
            products::<V>(Features { h: g, g: h, stride, inputs: 1, outputs: inputs, add }, weight);
        } else {
            products::<V>(Features { h, g, stride, inputs, outputs, add }, weight);
        }
    }
    if !add {
        bias.fill(V::Element::default());
    }
    // Several groups side by side, since each addition waits for the one before.
    for (first, bias) in bias.chunks_mut(SUMS * V::GROUP).enumerate() {
        let mut sums = [V::splat(V::Element::default()); SUMS];
        let last = outputs.div_ceil(V::GROUP) - 1;
        for place in (0..stride).step_by(V::LANES) {
            for (i, sum) in sums.iter_mut().enumerate() {
                let group = (SUMS * first + i).min(last);
                // SAFETY: as above; the stride is a multiple of a panel's GROUP * 32 numbers.
                *sum = sum.add(unsafe { V::load(g.add(group * stride + place)) });
            }
        }
        for (sum, bias) in sums.into_iter().zip(bias.chunks_mut(V::GROUP)) {
            let mut all = [V::Element::default(); MOST_GROUP];
            // SAFETY: each of the vector's groups is added to the same numbers.
            unsafe { sum.add_to_rows(all.as_mut_ptr(), 0) };
            bias.iter_mut().zip(all).for_each(|(bias, sum)| *bias += sum);
        }
    }
}

/// What is multiplied: interleaved features.
#[derive(Clone, Copy)]
struct Features<T> {
    h: *const T,
    g: *const T,
    /// Numbers of a group of features.
    stride: usize,
    inputs: usize,
    outputs: usize,
    /// To what is there.
    add: bool,
}

/// The gradient by tiles.
///
/// # Safety
/// There are as many numbers in `h` and `g` as all their groups have.
#[inline(always)]
unsafe fn products<V: Vector>(features: Features<V::Element>, weight: &mut [V::Element]) {
    let units = features.inputs.div_ceil(V::LANES / V::GROUP);
    let groups = features.outputs.div_ceil(V::GROUP);
    let wide = groups.div_ceil(V::SIDES.1);
    for j in 0..wide {
        let columns = j * groups / wide..(j + 1) * groups / wide;
        let tall = units.div_ceil(if columns.len() == 1 { V::TALL } else { V::SIDES.0 });
        for i in 0..tall {
            let rows = i * units / tall..(i + 1) * units / tall;
            let at = Tile { features, first: (rows.start, columns.start) };
            macro_rules! sides {
                ($(($rows:literal, $columns:literal))*) => {
                    match (rows.len(), columns.len()) {
                        // Arms that this vector has no use for are constant, so that nothing is compiled for them.
                        $(
                            ($rows, $columns)
                                if $rows <= V::SIDES.0 && $columns <= V::SIDES.1 || $rows <= V::TALL && $columns == 1 =>
                            {
                                at.compute::<V, $rows, $columns>(weight)
                            }
                        )*
                        sides => unreachable!("a tile of {sides:?}"),
                    }
                };
            }
            // SAFETY: the tile's vectors lie in the features' groups.
            unsafe {
                sides!((1, 1)(2, 1)(3, 1)(4, 1)(5, 1)(6, 1)(7, 1)(8, 1)(9, 1)(10, 1)(1, 2)(2, 2)(3, 2)(4, 2)(5, 2)(
                    1, 3
                )(2, 3)(3, 3)(4, 3)(5, 3)(1, 4)(2, 4)(3, 4)(4, 4)(5, 4)(1, 5)(2, 5)(3, 5)(4, 5)(
                    5, 5
                ));
            }
        }
    }
}

/// A tile of the gradient: some vectors by some groups of outputs.
struct Tile<T> {
    features: Features<T>,
    /// The first vector and the first group.
    first: (usize, usize),
}

impl<T: Real> Tile<T> {
    /// # Safety
    /// `ROWS` vectors and `COLUMNS` groups from the first on are inside of `h` and `g`.
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>, const ROWS: usize, const COLUMNS: usize>(self, weight: &mut [T]) {
        let Features { h, g, stride, inputs, outputs, add } = self.features;
        let per_vector = V::LANES / V::GROUP;
        let mut sums = [[V::splat(T::default()); COLUMNS]; ROWS];
        // SAFETY: all places are inside of h and g, as the caller says.
        unsafe {
            // A vector of `h` is all or part of a group.
            let mut rows = [h; ROWS];
            for (i, row) in rows.iter_mut().enumerate() {
                let feature = (self.first.0 + i) * per_vector;
                *row = h.add(feature / V::GROUP * stride + feature % V::GROUP);
            }
            let g = g.add(self.first.1 * stride);
            // As in `affine`. There is a whole number of panels.
            for first in (0..stride).step_by(UNROLLED * V::GROUP) {
                for i in 0..UNROLLED {
                    let b = first + i * V::GROUP;
                    let mut columns = [V::splat(T::default()); COLUMNS];
                    for (j, column) in columns.iter_mut().enumerate() {
                        *column = V::repeat(g.add(j * stride + b));
                    }
                    for (row, sums) in rows.iter().zip(&mut sums) {
                        let h = V::each(row.add(b));
                        for (sum, g) in sums.iter_mut().zip(columns) {
                            *sum = sum.add_product(h, g);
                        }
                    }
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                let (row, column) = ((self.first.0 + i) * per_vector, (self.first.1 + j) * V::GROUP);
                if row + per_vector <= inputs && column + V::GROUP <= outputs {
                    // SAFETY: the block lies in the matrix.
                    unsafe {
                        let place = weight.as_mut_ptr().add(row * outputs + column);
                        if add {
                            sum.add_to_rows(place, outputs);
                        } else {
                            sum.store_rows(place, outputs);
                        }
                    }
                    continue;
                }
                const { assert!(V::LANES <= MOST_LANES) };
                let mut all = [T::default(); MOST_LANES];
                // SAFETY: the lanes fit, as is asserted.
                unsafe { sum.store(all.as_mut_ptr()) };
                let width = (outputs - column).min(V::GROUP);
                for (row, group) in (row..inputs).zip(all[..V::LANES].chunks_exact(V::GROUP)) {
                    let place = &mut weight[row * outputs + column..][..width];
                    let old = |x: T| if add { x } else { T::default() };
                    place.iter_mut().zip(group).for_each(|(x, sum)| *x = old(*x) + *sum);
                }
            }
        }
    }
}
