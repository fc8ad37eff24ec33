//! The few operations that the kernels need of a processor's vectors.

#![expect(unsafe_code, reason = "vectors are read and written at pointers")]

use crate::real::Real;

/// As many numbers as the longest vector holds.
pub const MOST_LANES: usize = 16;

/// Rows of the largest squares that are transposed.
pub const MOST_GROUP: usize = 8;

/// A vector register of numbers. Every function is inlined into one that the processor's instructions are enabled for.
///
/// # Safety
/// The constants are as said, and vectors are read and written at as many numbers as they hold: kernels rely on it.
pub unsafe trait Vector: Copy {
    /// What it holds.
    type Element: Real;
    /// How many of them: 8 or [`MOST_LANES`].
    const LANES: usize;
    /// Rows and columns of the squares that are [transposed](Vector::transpose): at most [`MOST_GROUP`], and a divisor of
    /// [`Vector::LANES`].
    const GROUP: usize;

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

    /// The number of each lane, and zeros behind them.
    #[inline(always)]
    fn lanes(self) -> [Self::Element; MOST_LANES] {
        const { assert!(Self::LANES <= MOST_LANES) };
        let mut lanes = [Self::Element::default(); MOST_LANES];
        // SAFETY: so many numbers fit.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }

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

    /// A bit for each lane, the lowest first: whether its number is not 0. NaN is not 0.
    fn nonzero(self) -> u16;
}

/// So many numbers, for processors without vectors that are written for here. The compiler makes of them what there is. (Tests
/// have vectors of the shape of AVX-512's.)
#[derive(Clone, Copy)]
pub struct Portable<T, const LANES: usize = 8, const GROUP: usize = 8>([T; LANES]);

// SAFETY: the constants are as asserted, and arrays are read and written as a whole.
unsafe impl<T: Real, const LANES: usize, const GROUP: usize> Vector for Portable<T, LANES, GROUP> {
    type Element = T;
    const LANES: usize = {
        assert!(LANES == 8 || LANES == MOST_LANES);
        LANES
    };
    const GROUP: usize = {
        assert!(GROUP <= MOST_GROUP && LANES.is_multiple_of(GROUP));
        GROUP
    };

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: as the caller says.
        Self(unsafe { from.cast::<[T; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as the caller says.
        unsafe { to.cast::<[T; LANES]>().write(self.0) };
    }

    #[inline(always)]
    fn splat(x: T) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    unsafe fn add_to_rows(self, to: *mut T, stride: usize) {
        for (i, x) in self.0.into_iter().enumerate() {
            // SAFETY: as the caller says.
            unsafe { *to.add(i / GROUP * stride + i % GROUP) += x };
        }
    }

    #[inline(always)]
    unsafe fn store_rows(self, to: *mut T, stride: usize) {
        for (i, x) in self.0.into_iter().enumerate() {
            // SAFETY: as the caller says.
            unsafe { *to.add(i / GROUP * stride + i % GROUP) = x };
        }
    }

    #[inline(always)]
    fn transpose(mut rows: [Self; MOST_GROUP]) -> [Self; MOST_GROUP] {
        for first in (0..LANES).step_by(GROUP) {
            for i in 0..GROUP {
                for j in 0..i {
                    (rows[i].0[first + j], rows[j].0[first + i]) = (rows[j].0[first + i], rows[i].0[first + j]);
                }
            }
        }
        rows
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }

    #[inline(always)]
    fn at_least(self, floor: Self) -> Self {
        Self(std::array::from_fn(|i| if self.0[i] < floor.0[i] { floor.0[i] } else { self.0[i] }))
    }

    #[inline(always)]
    fn where_positive(self, x: Self) -> Self {
        Self(std::array::from_fn(|i| if x.0[i] > T::default() { self.0[i] } else { T::default() }))
    }

    #[inline(always)]
    fn nonzero(self) -> u16 {
        let mut bits = 0;
        for (i, x) in self.0.iter().enumerate() {
            bits |= u16::from(*x != T::default()) << i;
        }
        bits
    }
}
