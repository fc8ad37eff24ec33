//! Sums of outer products over a batch: the gradient with respect to a weight matrix.

#![expect(unsafe_code, reason = "rows are read and written by vectors")]

use super::rows::{Rows, WORD, transpose_bits};
use super::tile::{add_rows, tiles, with_count};
use super::vector::Vector;
use crate::real::Real;
use std::ops::Range;

/// A tile of fewer vectors takes as long as one of so many, since each addition waits for the one before.
const LATENCY: usize = 8;

/// Sums up the outer products of some rows of `h` (`in` features) and as many first rows of `g` (`out` features), all
/// [marked](Rows::mark): `[in, out]`, or transposed. Returns whether it is, and how many multiplications it took. `bits` is room
/// for the bits of 64 rows.
///
/// Feature by feature of one of the two, the rows of the other are multiplied and added, but those where the feature is zero,
/// which does not change the sums (see [`affine`](super::affine)). The one with less to do is chosen; behind a ReLU that is `g` as
/// a rule.
#[inline(always)]
pub fn sum<V: Vector>(
    h: &Rows<V::Element>,
    rows: Range<usize>,
    g: &Rows<V::Element>,
    bits: &mut Vec<[u64; WORD]>,
    sums: &mut Rows<V::Element>,
) -> (bool, usize) {
    let count = rows.len();
    assert!(rows.end <= h.len() && count <= g.len(), "rows {rows:?} and {count}");
    let work = |factors: usize, width: usize| factors * width.div_ceil(V::LANES).max(LATENCY);
    let transposed = work(g.count(0..count), h.width()) < work(h.count(rows.clone()), g.width());
    let (factors, others) = if transposed { (g, h) } else { (h, g) };
    let first = if transposed { (0, rows.start) } else { (rows.start, 0) };
    sums.shape(factors.width(), others.width());
    for start in (0..count).step_by(WORD) {
        let some = start..(start + WORD).min(count);
        columns(factors, first.0 + some.start..first.0 + some.end, bits);
        let mut products = Products {
            factors,
            others,
            first: (first.0 + start, first.1 + start),
            bits: bits.as_flattened(),
            add: start > 0,
            sums,
        };
        for vectors in tiles(others.width().div_ceil(V::LANES)) {
            let column = vectors.start * V::LANES;
            // SAFETY: the rows are there, as was just seen, and a row is a whole number of vectors long.
            unsafe { with_count!(vectors.len(), V, products.tile(column)) }
        }
    }
    (transposed, factors.count(first.0..first.0 + count) * others.width())
}

/// Writes the sum of the first rows to `to` `[width]`, or adds it to what is there.
#[inline(always)]
pub fn column_sums<V: Vector>(rows: &Rows<V::Element>, count: usize, add: bool, to: &mut [V::Element]) {
    assert!(count <= rows.len() && to.len() == rows.width(), "{count} rows");
    let mut sums = Sums { rows, count, add, to };
    for vectors in tiles(rows.width().div_ceil(V::LANES)) {
        let column = vectors.start * V::LANES;
        // SAFETY: the rows are there, and a row is a whole number of vectors long.
        unsafe { with_count!(vectors.len(), V, sums.tile(column)) }
    }
}

/// The bits of up to 64 rows by features: a word for each, a bit for each row.
#[inline(always)]
fn columns<T: Real>(rows: &Rows<T>, some: Range<usize>, bits: &mut Vec<[u64; WORD]>) {
    let words = rows.words();
    bits.resize(words.max(bits.len()), [0; WORD]);
    let nonzero = rows.nonzero(some);
    for (word, square) in bits[..words].iter_mut().enumerate() {
        square.fill(0);
        for (bits, row) in square.iter_mut().zip(nonzero.chunks_exact(words)) {
            *bits = u64::from_le(row[word]);
        }
        transpose_bits(square);
    }
}

/// What is multiplied for up to 64 rows, and where the sums go.
struct Products<'a, 'o, T> {
    /// The rows that factors are taken from, feature by feature.
    factors: &'a Rows<T>,
    /// The rows that are multiplied and added.
    others: &'a Rows<T>,
    /// The first row of each.
    first: (usize, usize),
    /// By the features of the factors: which rows they are not zero in.
    bits: &'a [u64],
    /// To what is there.
    add: bool,
    sums: &'o mut Rows<T>,
}

impl<T: Real> Products<'_, '_, T> {
    /// The sums of `COUNT` vectors of the others' features, with all features of the factors.
    ///
    /// # Safety
    /// The rows that bits are set for are there, and so many vectors from `column` on in each.
    #[inline(always)]
    unsafe fn tile<V: Vector<Element = T>, const COUNT: usize>(&mut self, column: usize) {
        let (factors, others, sums) = (self.factors.stride(), self.others.stride(), self.sums.view());
        let (bits, add) = (&self.bits[..self.factors.width()], self.add);
        // SAFETY: all rows and vectors are there, as the caller says; there is a row of sums for each feature.
        unsafe {
            let factor = self.factors.numbers().add(self.first.0 * factors);
            let other = self.others.numbers().add(self.first.1 * others + column);
            for (feature, bits) in bits.iter().enumerate() {
                let place = sums.numbers.add(feature * sums.stride + column);
                let mut vectors = [V::splat(T::default()); COUNT];
                if add {
                    for (i, vector) in vectors.iter_mut().enumerate() {
                        *vector = V::load(place.add(i * V::LANES));
                    }
                }
                add_rows(&mut vectors, *bits, (factor.add(feature), factors), (other, others));
                for (i, vector) in vectors.into_iter().enumerate() {
                    vector.store(place.add(i * V::LANES));
                }
            }
        }
    }
}

/// The first rows, and where their sum goes.
struct Sums<'a, 'o, T> {
    rows: &'a Rows<T>,
    count: usize,
    /// To what is there.
    add: bool,
    to: &'o mut [T],
}

impl<T: Real> Sums<'_, '_, T> {
    /// The sums of `COUNT` vectors.
    ///
    /// # Safety
    /// So many rows are there, and so many vectors from `column` on in each.
    #[inline(always)]
    unsafe fn tile<V: Vector<Element = T>, const COUNT: usize>(&mut self, column: usize) {
        let (numbers, stride) = (self.rows.numbers(), self.rows.stride());
        let mut sums = [V::splat(T::default()); COUNT];
        for row in 0..self.count {
            for (i, sum) in sums.iter_mut().enumerate() {
                // SAFETY: as the caller says.
                *sum = sum.add(unsafe { V::load(numbers.add(row * stride + column + i * V::LANES)) });
            }
        }
        for (sum, to) in sums.into_iter().zip(self.to[column..].chunks_mut(V::LANES)) {
            for (to, lane) in to.iter_mut().zip(sum.lanes()) {
                *to = if self.add { *to + lane } else { lane };
            }
        }
    }
}
