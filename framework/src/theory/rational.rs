//! Exact payoffs: fractions of whole numbers of any size.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};

/// A fraction in lowest terms.
pub type Rational = BigRational;

/// The fraction that a finite number stands for; 0 for others.
pub fn of(value: f64) -> Rational {
    Rational::from_float(value).unwrap_or_else(Rational::zero)
}

/// The nearest number; infinite where none is near.
pub fn to_f64(value: &Rational) -> f64 {
    value.to_f64().unwrap_or(f64::NAN)
}

/// `digits` x 10^`exponent`. An empty text of digits is 0.
///
/// # Panics
/// When there is something else among the digits.
pub(super) fn decimal(negative: bool, digits: &str, exponent: i32) -> Rational {
    let digits = if digits.is_empty() { "0" } else { digits };
    let whole: BigInt = digits.parse().expect("the caller has found digits only");
    let whole = if negative { -whole } else { whole };
    let power = BigInt::from(10).pow(exponent.unsigned_abs());
    if exponent < 0 { Rational::new(whole, power) } else { Rational::new(whole * power, BigInt::one()) }
}
