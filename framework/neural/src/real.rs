//! The number types of networks.

use crate::kernel::Kernels;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};
use tch::Kind;

/// `f32`, in which networks learn, or `f64`, in which tests compare them with other programs.
pub trait Real:
    Kernels
    + Copy
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + Send
    + Sync
    + 'static
{
    /// The same type in libtorch.
    const KIND: Kind;
    /// Its name in a checkpoint.
    const NAME: &'static str;

    /// The nearest number to an `f64`.
    fn from_f64(x: f64) -> Self;

    /// As an `f64`, exactly.
    fn to_f64(self) -> f64;

    /// Square root.
    fn sqrt(self) -> Self;

    /// Hyperbolic tangent.
    fn tanh(self) -> Self;

    /// The exponential, but at least the smallest and at most about the greatest number that is not subnormal.
    fn exp(self) -> Self;

    /// Appends the bytes, little-endian.
    fn put_bytes(self, to: &mut Vec<u8>);

    /// A number from the bytes that [`Real::put_bytes`] appended.
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! real {
    ($type:ident, $kind:ident, $tanh:path, $exp:path) => {
        impl Real for $type {
            const KIND: Kind = Kind::$kind;
            const NAME: &'static str = stringify!($type);

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $type
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }

            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }

            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }

            fn put_bytes(self, to: &mut Vec<u8>) {
                to.extend(self.to_le_bytes());
            }

            fn from_bytes(bytes: &[u8]) -> Self {
                let mut all = [0; size_of::<$type>()];
                all.copy_from_slice(bytes);
                $type::from_le_bytes(all)
            }
        }
    };
}

real!(f32, Float, tanh_f32, exp_f32);
real!(f64, Double, tanh_f64, exp_f64);

/// The factors of Taylor's series of `(e^x - 1) / x`, the highest power first, for what is left of a number in single and in
/// double precision.
const SINGLE: [f64; 8] = [1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
const DOUBLE: [f64; 13] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40320.0,
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
];

/// `(a, b)` with `e^x = a (1 + b)`, where `a` is a power of 2 and `b` near 0, without a branch, so that a loop over it becomes
/// one of vectors. x is between the logarithms of the least normal and the greatest number.
#[inline(always)]
fn exponential<const N: usize>(x: f64, series: &[f64; N]) -> (f64, f64) {
    let power = x * std::f64::consts::LOG2_E;
    // e^x = 2^whole e^rest. Adding 1.5 * 2^52 rounds to a whole number, which is in the lowest bits then.
    let shifted = power + 6_755_399_441_055_744.0;
    let whole = shifted - 6_755_399_441_055_744.0;
    // At most ln(2) / 2.
    let rest = (power - whole) * std::f64::consts::LN_2;
    let small = rest * series[1..].iter().fold(series[0], |sum, factor| sum * rest + factor);
    (f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52), small)
}

/// Hyperbolic tangent to 0.51 units in the last place. tanh(x) = m / (m + 2) with m = e^2x - 1, in double precision. From 10 on
/// it is 1 in single precision.
#[inline(always)]
fn tanh_f32(x: f32) -> f32 {
    let (scale, small) = exponential(2.0 * f64::from(x.clamp(-10.0, 10.0)), &SINGLE);
    let m = scale * small + (scale - 1.0);
    (m / (m + 2.0)) as f32
}

/// Hyperbolic tangent to some units in the last place; from 20 on it is 1.
#[inline(always)]
fn tanh_f64(x: f64) -> f64 {
    let (scale, small) = exponential(2.0 * x.clamp(-20.0, 20.0), &DOUBLE);
    let m = scale * small + (scale - 1.0);
    m / (m + 2.0)
}

#[inline(always)]
fn exp_f32(x: f32) -> f32 {
    let (scale, small) = exponential(f64::from(x.clamp(-87.0, 88.0)), &SINGLE);
    (scale * small + scale) as f32
}

/// To about |x| units in the last place, and a few.
#[inline(always)]
fn exp_f64(x: f64) -> f64 {
    let (scale, small) = exponential(x.clamp(-708.0, 709.0), &DOUBLE);
    scale * small + scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_right_to_the_last_place_but_half_a_unit() {
        // Every 9,973rd number from 0 to infinity.
        for bits in (0..=f32::INFINITY.to_bits()).step_by(9_973) {
            let x = f32::from_bits(bits);
            let exact = f64::from(x).tanh();
            let unit = f64::from((exact as f32).next_up()) - f64::from(exact as f32);
            for (ours, exact) in [(tanh_f32(x), exact), (tanh_f32(-x), -exact)] {
                assert!((f64::from(ours) - exact).abs() <= 0.51 * unit, "tanh({x}) = {ours}, expected {exact}");
            }
        }
        assert_eq!([f32::INFINITY, f32::NEG_INFINITY].map(tanh_f32), [1.0, -1.0]);
        assert!(tanh_f32(f32::NAN).is_nan());
    }

    #[test]
    fn double_precision_is_that_of_the_standard_library_but_for_rounding() {
        for k in -200_000i32..=200_000 {
            let x = 1e-7 * f64::from(k) * f64::from(k.abs()).sqrt();
            let close = |found: f64, expected: f64, by: f64| {
                assert!((found - expected).abs() <= by * expected.abs(), "at {x}: {found:e}, expected {expected:e}");
            };
            close(tanh_f64(x), x.tanh(), 4e-15);
            close(exp_f64(80.0 * x), (80.0 * x).clamp(-708.0, 709.0).exp(), 1e-12);
            close(exp_f64(x), x.exp(), 4e-15);
            close(f64::from(exp_f32(x as f32)), f64::from(x as f32).exp(), 1.2e-7);
        }
        assert_eq!([f64::INFINITY, f64::NEG_INFINITY, 0.0].map(tanh_f64), [1.0, -1.0, 0.0]);
        assert!(tanh_f64(f64::NAN).is_nan() && exp_f64(f64::NAN).is_nan() && exp_f32(f32::NAN).is_nan());
        assert!(exp_f64(f64::NEG_INFINITY) < 1e-300 && exp_f64(f64::INFINITY) > 1e300);
    }
}
