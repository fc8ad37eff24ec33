//! The few operations that the kernels need of a processor's vectors.

#![expect(unsafe_code, reason = "vectors are read and written at pointers")]

use crate::real::Real;

/// As many numbers as the longest vector holds.
pub const MOST_LANES: usize = 16;

/// As many numbers as the longest group holds.
pub const MOST_GROUP: usize = 8;

/// A vector register of numbers. Every function is inlined into one that the processor's instructions are enabled for.
pub trait Vector: Copy {
    /// What it holds.
    type Element: Real;
    /// How many of them; a multiple of 4 that divides [`PANEL`](super::PANEL) / 2.
    const LANES: usize;
    /// Rows of the largest tile of a product that the registers hold with two vectors a row.
    const ROWS: usize;
    /// How many features of a column stand side by side in a sum of outer products; it divides [`Vector::LANES`].
    const GROUP: usize;
    /// Vectors on each side of the largest tile of a sum of outer products that the registers hold.
    const SIDES: (usize, usize);
    /// Vectors of a tile of one group.
    const TALL: usize;

    /// The numbers at `from`.
    ///
    /// # Safety
    /// So many numbers can be read there.
    unsafe fn load(from: *const Self::Element) -> Self;

    /// Writes the numbers to `to`.
    ///
    /// # Safety
    /// So many numbers can be written there.
    unsafe fn store(self, to: *mut Self::Element);

    /// One number in all lanes.
    fn splat(x: Self::Element) -> Self;

    /// The group at `from`, over and over.
    ///
    /// # Safety
    /// So many numbers can be read there.
    unsafe fn repeat(from: *const Self::Element) -> Self;

    /// The `LANES / GROUP` numbers at `from`, each `GROUP` times.
    ///
    /// # Safety
    /// So many numbers can be read there.
    unsafe fn each(from: *const Self::Element) -> Self;

    /// Adds each group of lanes to the numbers at `to`, at `to + stride`, ...
    ///
    /// # Safety
    /// These numbers can be read and written.
    unsafe fn add_to_rows(self, to: *mut Self::Element, stride: usize);

    /// Writes each group of lanes to the numbers at `to`, at `to + stride`, ...
    ///
    /// # Safety
    /// These numbers can be written.
    unsafe fn store_rows(self, to: *mut Self::Element, stride: usize);

    /// The first `GROUP` vectors, in each of whose groups of lanes a square matrix is transposed.
    fn transpose(rows: [Self; MOST_GROUP]) -> [Self; MOST_GROUP];

    /// `self + other`.
    fn add(self, other: Self) -> Self;

    /// `self + a b`.
    fn add_product(self, a: Self, b: Self) -> Self;

    /// The larger one of `self` and `floor`; NaN stays.
    fn at_least(self, floor: Self) -> Self;

    /// `self` where `x` is above 0, elsewhere 0.
    fn where_positive(self, x: Self) -> Self;
}

/// Four numbers, for processors without vectors that are written for here. The compiler makes of them what there is.
#[derive(Clone, Copy)]
pub struct Portable<T>([T; 4]);

impl<T: Real> Vector for Portable<T> {
    type Element = T;
    const LANES: usize = 4;
    const ROWS: usize = 4;
    const GROUP: usize = 4;
    const SIDES: (usize, usize) = (4, 2);
    const TALL: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: as the caller says.
        Self(unsafe { from.cast::<[T; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as the caller says.
        unsafe { to.cast::<[T; 4]>().write(self.0) };
    }

    #[inline(always)]
    fn splat(x: T) -> Self {
        Self([x; 4])
    }

    #[inline(always)]
    unsafe fn repeat(from: *const T) -> Self {
        // SAFETY: as the caller says.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn each(from: *const T) -> Self {
        // SAFETY: as the caller says.
        Self::splat(unsafe { from.read() })
    }

    #[inline(always)]
    unsafe fn add_to_rows(self, to: *mut T, _stride: usize) {
        // SAFETY: as the caller says.
        unsafe { Self::load(to).add(self).store(to) };
    }

    #[inline(always)]
    unsafe fn store_rows(self, to: *mut T, _stride: usize) {
        // SAFETY: as the caller says.
        unsafe { self.store(to) };
    }

    #[inline(always)]
    fn transpose(mut rows: [Self; MOST_GROUP]) -> [Self; MOST_GROUP] {
        for i in 0..Self::GROUP {
            for j in 0..i {
                (rows[i].0[j], rows[j].0[i]) = (rows[j].0[i], rows[i].0[j]);
            }
        }
        rows
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self([0, 1, 2, 3].map(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        Self([0, 1, 2, 3].map(|i| self.0[i] + a.0[i] * b.0[i]))
    }

    #[inline(always)]
    fn at_least(self, floor: Self) -> Self {
        Self([0, 1, 2, 3].map(|i| if self.0[i] < floor.0[i] { floor.0[i] } else { self.0[i] }))
    }

    #[inline(always)]
    fn where_positive(self, x: Self) -> Self {
        Self([0, 1, 2, 3].map(|i| if x.0[i] > T::default() { self.0[i] } else { T::default() }))
    }
}
