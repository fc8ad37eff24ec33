//! The number types of networks.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};
use tch::Kind;

/// `f32`, in which networks learn, or `f64`, in which tests compare them with other programs.
pub trait Real:
    sealed::Sealed
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

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

macro_rules! real {
    ($type:ident, $kind:ident) => {
        impl Real for $type {
            const KIND: Kind = Kind::$kind;
            const NAME: &'static str = stringify!($type);

            fn from_f64(x: f64) -> Self {
                x as $type
            }

            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }

            fn tanh(self) -> Self {
                $type::tanh(self)
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

real!(f32, Float);
real!(f64, Double);
