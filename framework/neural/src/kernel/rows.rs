//! The layout in which networks compute: matrices row by row, and where a row is not zero.
//!
//! A row starts on a cache line, so that vectors go along its features, the last one over its end. Behind a ReLU about half
//! of the numbers of a row are zero, and so is the gradient on its way back: a bit for each number says which are not, and
//! products leave out the others.

#![expect(unsafe_code, reason = "rows are read and written by vectors")]

use super::vector::{MOST_GROUP, MOST_LANES, Vector};
use crate::real::Real;
use std::ops::Range;

/// Bits of a word.
pub const WORD: usize = 64;

/// As many numbers as a row's length is a multiple of.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line<T>([T; MOST_LANES]);

/// Rows of so many numbers, in memory that is used again and again.
#[derive(Clone, Debug, Default)]
pub struct Rows<T> {
    rows: usize,
    width: usize,
    lines: Vec<Line<T>>,
    /// For each row a bit for each number: whether it is not zero. In words of 64, as bytes the lowest first.
    nonzero: Vec<u64>,
}

impl<T: Real> Rows<T> {
    /// Makes room for so many rows. What they hold is left over from before, and their bits are of no meaning until they are
    /// [marked](Rows::mark).
    pub fn shape(&mut self, rows: usize, width: usize) {
        let changed = self.width != width;
        (self.rows, self.width) = (rows, width);
        let (lines, words) = (rows * self.stride() / MOST_LANES, rows * self.words());
        if self.lines.len() < lines {
            self.lines.resize(lines, Line([T::default(); MOST_LANES]));
        }
        if changed {
            // Words are written vector by vector, and not past the last one.
            self.nonzero.fill(0);
        }
        if self.nonzero.len() < words {
            self.nonzero.resize(words, 0);
        }
    }

    /// Numbers of a row.
    #[inline(always)]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// From a row to the next: an odd number of [`Line`]s, since rows that are a power of two apart crowd in few places of a
    /// cache.
    #[inline(always)]
    pub fn stride(&self) -> usize {
        (self.width.div_ceil(MOST_LANES) | 1) * MOST_LANES
    }

    /// Words of bits of a row.
    #[inline(always)]
    pub fn words(&self) -> usize {
        self.width.div_ceil(WORD)
    }

    /// Where the rows and their bits stand, for loops that keep these places in registers.
    #[inline(always)]
    pub fn view(&mut self) -> View<T> {
        View {
            numbers: self.lines.as_mut_ptr().cast(),
            stride: self.stride(),
            bits: self.nonzero.as_mut_ptr(),
            words: self.words(),
            width: self.width,
        }
    }

    /// Where the rows start, [`Rows::stride`] numbers each. What is past a row's width is of no meaning.
    #[inline(always)]
    pub fn numbers(&self) -> *const T {
        self.lines.as_ptr().cast()
    }

    /// The bits of some rows, [`Rows::words`] for each. A bit past the width is never set.
    #[inline(always)]
    pub fn nonzero(&self, rows: Range<usize>) -> &[u64] {
        &self.nonzero[rows.start * self.words()..rows.end * self.words()]
    }

    /// How many numbers of some rows are not zero.
    #[inline(always)]
    pub fn count(&self, rows: Range<usize>) -> usize {
        self.nonzero(rows).iter().map(|bits| bits.count_ones() as usize).sum()
    }

    /// Copies numbers `[rows, width]` to the rows from `first` on, which have to be marked again.
    #[inline(always)]
    pub fn fill<V: Vector<Element = T>>(&mut self, first: usize, from: &[T]) {
        let (width, stride, rows) = (self.width, self.stride(), from.len() / self.width);
        assert!(from.len() == rows * width && first + rows <= self.rows, "{rows} rows from {first} on");
        // SAFETY: so many rows are there and in `from`.
        unsafe { copy::<V>((from.as_ptr(), width), (self.view().numbers.add(first * stride), stride), rows, width) }
    }

    /// Copies the first rows to numbers `[rows, width]`.
    #[inline(always)]
    pub fn spill<V: Vector<Element = T>>(&self, to: &mut [T]) {
        let (width, rows) = (self.width, to.len() / self.width);
        assert!(to.len() == rows * width && rows <= self.rows, "{rows} rows of {}", self.rows);
        // SAFETY: so many rows are there and in `to`.
        unsafe { copy::<V>((self.numbers(), self.stride()), (to.as_mut_ptr(), width), rows, width) }
    }

    /// Copies the transpose of a matrix `[width, rows]`.
    #[inline(always)]
    pub fn fill_transposed<V: Vector<Element = T>>(&mut self, from: &[T]) {
        let (width, stride, rows) = (self.width, self.stride(), self.rows);
        assert_eq!(from.len(), width * rows, "a matrix of {width} by {rows}");
        // SAFETY: so many numbers are there and in `from`.
        unsafe { transpose::<V>((from.as_ptr(), rows), (width, rows), (self.view().numbers, stride), false) }
    }

    /// Copies all rows to a matrix `[rows, width]`, or `transposed`, to `[width, rows]`; or adds them to what is there.
    #[inline(always)]
    pub fn write_or_add<V: Vector<Element = T>>(&self, transposed: bool, add: bool, to: &mut [T]) {
        let (width, rows) = (self.width, self.rows);
        assert_eq!(to.len(), width * rows, "a matrix of {rows} by {width}");
        if transposed {
            // SAFETY: so many numbers are there and in `to`.
            unsafe { transpose::<V>((self.numbers(), self.stride()), (rows, width), (to.as_mut_ptr(), rows), add) }
        } else if add {
            for (row, to) in to.chunks_exact_mut(width).enumerate() {
                for (column, to) in to.iter_mut().enumerate() {
                    // SAFETY: the row is there.
                    *to += unsafe { *self.numbers().add(row * self.stride() + column) };
                }
            }
        } else {
            self.spill::<V>(to);
        }
    }

    /// Finds out which numbers of some rows are not zero.
    #[inline(always)]
    pub fn mark<V: Vector<Element = T>>(&mut self, rows: Range<usize>) {
        assert!(rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        let view = self.view();
        for row in rows {
            for column in (0..view.width).step_by(V::LANES) {
                // SAFETY: the row is there, and is a whole number of vectors long.
                unsafe {
                    let vector = V::load(view.numbers.add(row * view.stride + column));
                    view.mark(vector, row, column, view.lanes::<V>(column));
                }
            }
        }
    }
}

/// Where rows and their bits stand. All of it is the rows' own memory.
pub struct View<T> {
    /// The numbers of the first row.
    pub numbers: *mut T,
    /// From a row to the next.
    pub stride: usize,
    /// The bits of the first row.
    bits: *mut u64,
    /// From a row's bits to the next's.
    words: usize,
    width: usize,
}

impl<T: Real> View<T> {
    /// A bit for each lane of a vector that is in a row from `column` on: whether it is within the width.
    #[inline(always)]
    pub fn lanes<V: Vector>(&self, column: usize) -> u16 {
        debug_assert!(column < self.width, "column {column} of {}", self.width);
        let left = self.width - column;
        if left < V::LANES { (1 << left) - 1 } else { u16::MAX }
    }

    /// Takes down which numbers are not zero of a vector that is in a row from a column on, of some of its lanes.
    ///
    /// # Safety
    /// There is such a row, the column is a multiple of the vector's length, and all lanes that are set are [within the
    /// width](View::lanes): products read what bits are set for.
    #[inline(always)]
    pub unsafe fn mark<V: Vector<Element = T>>(&self, vector: V, row: usize, column: usize, lanes: u16) {
        let bits = vector.nonzero() & lanes;
        // SAFETY: the row's words have a bit for each of its columns, eight of them in a byte, the lowest first.
        unsafe {
            let place = self.bits.add(row * self.words).cast::<u8>().add(column / 8);
            if V::LANES == 8 {
                place.write(bits as u8);
            } else {
                place.cast::<u16>().write(bits.to_le());
            }
        }
    }
}

/// Copies rows of so many numbers from where they stand so far apart to where they shall stand so far apart.
///
/// # Safety
/// So many rows can be read and written there.
#[inline(always)]
unsafe fn copy<V: Vector>(
    (from, from_stride): (*const V::Element, usize),
    (to, to_stride): (*mut V::Element, usize),
    rows: usize,
    width: usize,
) {
    // SAFETY: as the caller says; the last vector of a row begins so far before its end that it fits.
    unsafe {
        if width < V::LANES {
            for column in 0..width {
                for row in 0..rows {
                    *to.add(row * to_stride + column) = *from.add(row * from_stride + column);
                }
            }
            return;
        }
        for row in 0..rows {
            let (from, to) = (from.add(row * from_stride), to.add(row * to_stride));
            for column in (0..width - V::LANES).step_by(V::LANES) {
                V::load(from.add(column)).store(to.add(column));
            }
            V::load(from.add(width - V::LANES)).store(to.add(width - V::LANES));
        }
    }
}

/// Transposes a matrix of so many rows and columns, from where its rows stand so far apart to where its columns shall stand so
/// far apart; or adds the transpose there.
///
/// # Safety
/// So many numbers can be read, and written.
#[inline(always)]
unsafe fn transpose<V: Vector>(
    (from, from_stride): (*const V::Element, usize),
    (rows, columns): (usize, usize),
    (to, to_stride): (*mut V::Element, usize),
    add: bool,
) {
    // What is left on the right and below, number by number: squares over the edge could not be added.
    let (whole, wide) =
        if columns < V::LANES { (0, 0) } else { (rows / V::GROUP * V::GROUP, columns / V::LANES * V::LANES) };
    // SAFETY: as the caller says.
    unsafe {
        for row in (0..whole).step_by(V::GROUP) {
            for column in (0..wide).step_by(V::LANES) {
                let mut vectors = [V::splat(V::Element::default()); MOST_GROUP];
                for (i, vector) in vectors[..V::GROUP].iter_mut().enumerate() {
                    *vector = V::load(from.add((row + i) * from_stride + column));
                }
                for (i, vector) in V::transpose(vectors)[..V::GROUP].iter().enumerate() {
                    let to = to.add((column + i) * to_stride + row);
                    if add {
                        vector.add_to_rows(to, V::GROUP * to_stride);
                    } else {
                        vector.store_rows(to, V::GROUP * to_stride);
                    }
                }
            }
        }
        for row in 0..rows {
            for column in if row < whole { wide } else { 0 }..columns {
                let (x, to) = (*from.add(row * from_stride + column), to.add(column * to_stride + row));
                *to = if add { *to + x } else { x };
            }
        }
    }
}

/// Transposes a square of bits: bit `j` of word `i` becomes bit `i` of word `j` (Warren 2012, section 7-3).
#[inline(always)]
pub fn transpose_bits(square: &mut [u64; WORD]) {
    let (mut width, mut mask) = (WORD / 2, u64::MAX >> (WORD / 2));
    while width > 0 {
        for i in (0..WORD).filter(|i| i & width == 0) {
            let other = (square[i] >> width ^ square[i + width]) & mask;
            square[i] ^= other << width;
            square[i + width] ^= other;
        }
        width /= 2;
        mask ^= mask << width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_of_bits_is_transposed() {
        let square: [u64; WORD] = std::array::from_fn(|i| (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut transposed = square;
        transpose_bits(&mut transposed);
        for (i, word) in square.into_iter().enumerate() {
            for (j, other) in transposed.into_iter().enumerate() {
                assert_eq!(other >> i & 1, word >> j & 1, "bit {j} of word {i}");
            }
        }
    }
}
