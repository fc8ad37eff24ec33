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

    /// Appends the bytes, little-endian.
    fn put_bytes(self, to: &mut Vec<u8>);

    /// A number from the bytes that [`Real::put_bytes`] appended.
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! real {
    ($type:ident, $kind:ident, $tanh:path) => {
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

real!(f32, Float, tanh_f32);
real!(f64, Double, f64::tanh);

/// Hyperbolic tangent to 0.51 units in the last place, without a branch, so that a loop over it becomes one of vectors.
#[inline(always)]
fn tanh_f32(x: f32) -> f32 {
    // tanh(x) = m / (m + 2) with m = e^2x - 1, in double precision. From 10 on it is 1 in single precision.
    let power = 2.0 * f64::from(x.clamp(-10.0, 10.0)) * std::f64::consts::LOG2_E;
    // e^2x = 2^whole e^rest. Adding 1.5 * 2^52 rounds to a whole number, which is in the lowest bits then.
    let shifted = power + 6_755_399_441_055_744.0;
    let whole = shifted - 6_755_399_441_055_744.0;
    let rest = (power - whole) * std::f64::consts::LN_2;
    // e^rest - 1 by Taylor's series; the rest is at most ln(2) / 2.
    let series = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
    let small = rest * series.iter().fold(1.0 / 40320.0, |sum, factor| sum * rest + factor);
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let m = scale * small + (scale - 1.0);
    (m / (m + 2.0)) as f32
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
}
