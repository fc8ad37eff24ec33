//! Vectors of AVX-512 and AVX2.
//!
//! Nobody but [`dispatch`](super::dispatch) names these types, and only inside of functions for which the instructions are
//! enabled, on processors that have them. All functions are inlined into those; there are no closures, for which that cannot
//! be asked.

#![expect(unsafe_code, reason = "the processor's instructions")]

use super::vector::{MOST_GROUP, Vector};
use std::arch::x86_64::*;

/// Adds blocks of four numbers to what lies `stride` numbers apart.
///
/// # Safety
/// There are four numbers at each of these places.
#[inline(always)]
unsafe fn add_rows<const N: usize>(rows: [__m128; N], to: *mut f32, stride: usize) {
    for (i, row) in rows.into_iter().enumerate() {
        // SAFETY: the memory is as the caller promises; every processor of this kind has the instructions.
        unsafe {
            let to = to.add(i * stride);
            _mm_storeu_ps(to, _mm_add_ps(_mm_loadu_ps(to), row));
        }
    }
}

/// Writes blocks of four numbers `stride` numbers apart.
///
/// # Safety
/// There is room for four numbers at each of these places.
#[inline(always)]
unsafe fn store_rows<const N: usize>(rows: [__m128; N], to: *mut f32, stride: usize) {
    for (i, row) in rows.into_iter().enumerate() {
        // SAFETY: the memory is as the caller promises; every processor of this kind has the instructions.
        unsafe { _mm_storeu_ps(to.add(i * stride), row) }
    }
}

/// 16 numbers in one of 32 registers. A row of 100 is a tile of 7 vectors.
#[derive(Clone, Copy)]
pub struct Avx512(__m512);

impl Avx512 {
    /// Its blocks of four numbers.
    #[inline(always)]
    fn rows(self) -> [__m128; 4] {
        // SAFETY: the instructions are enabled.
        unsafe {
            [
                _mm512_extractf32x4_ps::<0>(self.0),
                _mm512_extractf32x4_ps::<1>(self.0),
                _mm512_extractf32x4_ps::<2>(self.0),
                _mm512_extractf32x4_ps::<3>(self.0),
            ]
        }
    }
}

// SAFETY: 16 numbers, squares of four of them, and reads and writes of as many.
unsafe impl Vector for Avx512 {
    type Element = f32;
    const LANES: usize = 16;
    const GROUP: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the memory is as the caller promises; the instructions are enabled.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the memory is as the caller promises; the instructions are enabled.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: the instructions are enabled.
        Self(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn add_to_rows(self, to: *mut f32, stride: usize) {
        // SAFETY: the memory is as the caller promises.
        unsafe { add_rows(self.rows(), to, stride) }
    }

    #[inline(always)]
    unsafe fn store_rows(self, to: *mut f32, stride: usize) {
        // SAFETY: the memory is as the caller promises.
        unsafe { store_rows(self.rows(), to, stride) }
    }

    #[inline(always)]
    fn transpose([a, b, c, d, e, f, g, h]: [Self; MOST_GROUP]) -> [Self; MOST_GROUP] {
        // SAFETY: the instructions are enabled.
        unsafe {
            let low = (_mm512_unpacklo_ps(a.0, b.0), _mm512_unpacklo_ps(c.0, d.0));
            let high = (_mm512_unpackhi_ps(a.0, b.0), _mm512_unpackhi_ps(c.0, d.0));
            let low = (_mm512_castps_pd(low.0), _mm512_castps_pd(low.1));
            let high = (_mm512_castps_pd(high.0), _mm512_castps_pd(high.1));
            let a = Self(_mm512_castpd_ps(_mm512_unpacklo_pd(low.0, low.1)));
            let b = Self(_mm512_castpd_ps(_mm512_unpackhi_pd(low.0, low.1)));
            let c = Self(_mm512_castpd_ps(_mm512_unpacklo_pd(high.0, high.1)));
            let d = Self(_mm512_castpd_ps(_mm512_unpackhi_pd(high.0, high.1)));
            [a, b, c, d, e, f, g, h]
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: the instructions are enabled.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: the instructions are enabled.
        Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    fn at_least(self, floor: Self) -> Self {
        // With NaN the instruction returns its second operand.
        // SAFETY: the instructions are enabled.
        Self(unsafe { _mm512_max_ps(floor.0, self.0) })
    }

    #[inline(always)]
    fn where_positive(self, x: Self) -> Self {
        // SAFETY: the instructions are enabled.
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x.0, _mm512_setzero_ps());
            Self(_mm512_maskz_mov_ps(positive, self.0))
        }
    }

    #[inline(always)]
    fn nonzero(self) -> u16 {
        // SAFETY: the instructions are enabled.
        unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, _mm512_setzero_ps()) }
    }
}

/// 8 numbers in one of 16 registers. A row of 100 is two tiles, of 6 and of 7 vectors.
#[derive(Clone, Copy)]
pub struct Avx2(__m256);

/// Four rows, in each of whose halves a matrix of four by four is transposed.
#[inline(always)]
fn transpose_halves([a, b, c, d]: [Avx2; 4]) -> [Avx2; 4] {
    // SAFETY: the instructions are enabled.
    unsafe {
        let low = (_mm256_unpacklo_ps(a.0, b.0), _mm256_unpacklo_ps(c.0, d.0));
        let high = (_mm256_unpackhi_ps(a.0, b.0), _mm256_unpackhi_ps(c.0, d.0));
        let low = (_mm256_castps_pd(low.0), _mm256_castps_pd(low.1));
        let high = (_mm256_castps_pd(high.0), _mm256_castps_pd(high.1));
        [
            Avx2(_mm256_castpd_ps(_mm256_unpacklo_pd(low.0, low.1))),
            Avx2(_mm256_castpd_ps(_mm256_unpackhi_pd(low.0, low.1))),
            Avx2(_mm256_castpd_ps(_mm256_unpacklo_pd(high.0, high.1))),
            Avx2(_mm256_castpd_ps(_mm256_unpackhi_pd(high.0, high.1))),
        ]
    }
}

// SAFETY: 8 numbers, squares of all of them, and reads and writes of as many.
unsafe impl Vector for Avx2 {
    type Element = f32;
    const LANES: usize = 8;
    const GROUP: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the memory is as the caller promises; the instructions are enabled.
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the memory is as the caller promises; the instructions are enabled.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: the instructions are enabled.
        Self(unsafe { _mm256_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn add_to_rows(self, to: *mut f32, _stride: usize) {
        // SAFETY: the memory is as the caller promises.
        unsafe { Self::load(to).add(self).store(to) }
    }

    #[inline(always)]
    unsafe fn store_rows(self, to: *mut f32, _stride: usize) {
        // SAFETY: the memory is as the caller promises.
        unsafe { self.store(to) }
    }

    #[inline(always)]
    fn transpose([a, b, c, d, e, f, g, h]: [Self; MOST_GROUP]) -> [Self; MOST_GROUP] {
        let ([a, b, c, d], [e, f, g, h]) = (transpose_halves([a, b, c, d]), transpose_halves([e, f, g, h]));
        // SAFETY: the instructions are enabled.
        unsafe {
            [
                Self(_mm256_permute2f128_ps::<0x20>(a.0, e.0)),
                Self(_mm256_permute2f128_ps::<0x20>(b.0, f.0)),
                Self(_mm256_permute2f128_ps::<0x20>(c.0, g.0)),
                Self(_mm256_permute2f128_ps::<0x20>(d.0, h.0)),
                Self(_mm256_permute2f128_ps::<0x31>(a.0, e.0)),
                Self(_mm256_permute2f128_ps::<0x31>(b.0, f.0)),
                Self(_mm256_permute2f128_ps::<0x31>(c.0, g.0)),
                Self(_mm256_permute2f128_ps::<0x31>(d.0, h.0)),
            ]
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: the instructions are enabled.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: the instructions are enabled.
        Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    fn at_least(self, floor: Self) -> Self {
        // With NaN the instruction returns its second operand.
        // SAFETY: the instructions are enabled.
        Self(unsafe { _mm256_max_ps(floor.0, self.0) })
    }

    #[inline(always)]
    fn where_positive(self, x: Self) -> Self {
        // SAFETY: the instructions are enabled.
        unsafe { Self(_mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_GT_OQ>(x.0, _mm256_setzero_ps()))) }
    }

    #[inline(always)]
    fn nonzero(self) -> u16 {
        // SAFETY: the instructions are enabled.
        (unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(self.0, _mm256_setzero_ps())) }) as u16
    }
}
