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

/// A number as people write it: `3`, `-0.25`, `1.5e-3` or `2/3`, exactly; none where it is something else, or has more than
/// 1,000 digits.
pub fn parse(text: &str) -> Option<Rational> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits = |text: &str| !text.is_empty() && text.len() <= 1000 && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((above, below)) = unsigned.split_once('/') {
        let below = digits(below).then(|| decimal(false, below, 0)).filter(|below| !below.is_zero())?;
        return digits(above).then(|| decimal(negative, above, 0) / below);
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent = exponent.parse::<i32>().ok().filter(|exponent| exponent.abs() <= 1000)?;
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    (digits(whole) && digits(part)).then(|| decimal(negative, &format!("{whole}{part}"), exponent - part.len() as i32))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        let fraction = |above: i64, below: i64| Some(Rational::new(above.into(), below.into()));
        for (text, expected) in [
            ("3", fraction(3, 1)),
            ("-0.25", fraction(-1, 4)),
            ("1.5e-3", fraction(3, 2000)),
            ("-4/6", fraction(-2, 3)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        for text in ["", "-", "1/0", "1/-2", ".5", "5.", "0x1", "1e", "1e9999", "inf", "1 2", "+1"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&0.1f64.to_string()), fraction(1, 10));
    }
}
