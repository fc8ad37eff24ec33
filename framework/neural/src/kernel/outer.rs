//! Sums of outer products over a batch: the gradient with respect to a weight matrix.
//!
//! `sum over b of h[k, b] g[n, b]` for all `k` and `n`. With vectors along the batch each sum would have to be added up
//! across a vector in the end, and two loads would feed little more than one multiplication. Instead, a vector holds
//! products of a few `k` with four `n`: no padding, since widths are multiples of 4 as a rule, and no sums across. For
//! that the panels are interleaved first: four features of a column side by side, `[width / 4, columns, 4]`.

#![expect(unsafe_code, reason = "tiles are read and written by vectors")]

use super::panel::{PANEL, Row};
use super::vector::{MOST_LANES, Vector};
use crate::real::Real;

/// Interleaves `panels` panels `[width, 32]` into `[width / 4 rounded up, panels * 32, 4]`, the last group filled up with
/// zeros. The order of the columns within a panel is another one, but the same for all features.
#[inline(always)]
pub fn interleave<V: Vector>(width: usize, from: &[Row<V::Element>], to: &mut [Row<V::Element>]) {
    let (panels, groups) = (from.len() / width, width.div_ceil(4));
    assert!(from.len() == panels * width && to.len() == groups * panels * 4, "{panels} panels of {width} features");
    for group in 0..groups {
        for panel in 0..panels {
            let rows = &from[panel * width + 4 * group..(panel * width + 4 * group + 4).min((panel + 1) * width)];
            let out = to[(group * panels + panel) * 4..][..4].as_mut_ptr().cast::<V::Element>();
            for column in (0..PANEL).step_by(V::LANES) {
                // SAFETY: a row holds 32 numbers and `out` four times as many; `column` leaves room for a vector.
                unsafe {
                    let row = |i: usize| match rows.get(i) {
                        Some(row) => V::load(row.0.as_ptr().add(column)),
                        None => V::splat(V::Element::default()),
                    };
                    let turned = V::transpose4([row(0), row(1), row(2), row(3)]);
                    for (i, vector) in turned.into_iter().enumerate() {
                        vector.store(out.add(4 * column + i * V::LANES));
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
    let (h_groups, g_groups) = (inputs.div_ceil(4), outputs.div_ceil(4));
    let stride = g.len() / g_groups * PANEL;
    let fits = weight.len() == inputs * outputs && g.len() * PANEL == g_groups * stride;
    assert!(fits && h.len() * PANEL == h_groups * stride, "panels of {inputs} and {outputs} features");
    let (h, g) = (h.as_ptr().cast::<V::Element>(), g.as_ptr().cast::<V::Element>());

    // A vector is `LANES / 4` inputs by 4 outputs.
    let per_vector = V::LANES / 4;
    let units = inputs.div_ceil(per_vector);
    let (tall, wide) = (units.div_ceil(V::SIDES.0), g_groups.div_ceil(V::SIDES.1));
    for i in 0..tall {
        let rows = i * units / tall..(i + 1) * units / tall;
        for j in 0..wide {
            let columns = j * g_groups / wide..(j + 1) * g_groups / wide;
            let at = Tile { h, g, stride, first: (rows.start, columns.start), inputs, outputs, add };
            macro_rules! sides {
                ($($rows:literal)*) => {
                    match (rows.len(), columns.len()) {
                        $(
                            ($rows, 1) => at.compute::<V, $rows, 1>(weight),
                            ($rows, 2) => at.compute::<V, $rows, 2>(weight),
                            ($rows, 3) => at.compute::<V, $rows, 3>(weight),
                            ($rows, 4) => at.compute::<V, $rows, 4>(weight),
                            ($rows, 5) => at.compute::<V, $rows, 5>(weight),
                        )*
                        sides => unreachable!("a tile of {sides:?}"),
                    }
                };
            }
            // SAFETY: h and g have `stride` numbers for each group of features, and the tile's vectors lie in them.
            unsafe { sides!(1 2 3 4 5) };
        }
    }
    if !add {
        bias.fill(V::Element::default());
    }
    for (group, bias) in bias.chunks_mut(4).enumerate() {
        let mut sum = V::splat(V::Element::default());
        for place in (0..stride).step_by(V::LANES) {
            // SAFETY: as above; the stride is a multiple of a panel's 4 * 32 numbers.
            sum = sum.add(unsafe { V::load(g.add(group * stride + place)) });
        }
        let mut four = [V::Element::default(); 4];
        // SAFETY: each block of four lanes is added to the four numbers.
        unsafe { sum.add_to_rows(four.as_mut_ptr(), 0) };
        bias.iter_mut().zip(four).for_each(|(bias, sum)| *bias += sum);
    }
}

/// A tile of the gradient: some vectors by some groups of four.
struct Tile<T> {
    h: *const T,
    g: *const T,
    /// Numbers of a group of features.
    stride: usize,
    /// The first vector and the first group.
    first: (usize, usize),
    inputs: usize,
    outputs: usize,
    /// To what is there.
    add: bool,
}

impl<T: Real> Tile<T> {
    /// # Safety
    /// `ROWS` vectors and `COLUMNS` groups from the first on are inside of `h` and `g`.
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>, const ROWS: usize, const COLUMNS: usize>(self, weight: &mut [T]) {
        let per_vector = V::LANES / 4;
        let mut sums = [[V::splat(T::default()); COLUMNS]; ROWS];
        // SAFETY: all places are inside of h and g, as the caller says.
        unsafe {
            // A vector of `h` is all or part of a group of four.
            let h: [_; ROWS] = std::array::from_fn(|i| {
                let feature = (self.first.0 + i) * per_vector;
                self.h.add(feature / 4 * self.stride + feature % 4)
            });
            let g = self.g.add(self.first.1 * self.stride);
            for b in (0..self.stride).step_by(4) {
                let g: [_; COLUMNS] = std::array::from_fn(|j| V::repeat4(g.add(j * self.stride + b)));
                for (h, sums) in h.iter().zip(&mut sums) {
                    let h = V::each4(h.add(b));
                    for (sum, g) in sums.iter_mut().zip(g) {
                        *sum = sum.add_product(h, g);
                    }
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                let (row, column) = ((self.first.0 + i) * per_vector, (self.first.1 + j) * 4);
                if row + per_vector <= self.inputs && column + 4 <= self.outputs {
                    // SAFETY: the block lies in the matrix.
                    unsafe {
                        let place = weight.as_mut_ptr().add(row * self.outputs + column);
                        if self.add {
                            sum.add_to_rows(place, self.outputs);
                        } else {
                            sum.store_rows(place, self.outputs);
                        }
                    }
                    continue;
                }
                const { assert!(V::LANES <= MOST_LANES) };
                let mut all = [T::default(); MOST_LANES];
                // SAFETY: the lanes fit, as is asserted.
                unsafe { sum.store(all.as_mut_ptr()) };
                let width = (self.outputs - column).min(4);
                for (row, four) in (row..self.inputs).zip(all[..V::LANES].chunks_exact(4)) {
                    let place = &mut weight[row * self.outputs + column..][..width];
                    let old = |x: T| if self.add { x } else { T::default() };
                    place.iter_mut().zip(four).for_each(|(x, sum)| *x = old(*x) + *sum);
                }
            }
        }
    }
}
