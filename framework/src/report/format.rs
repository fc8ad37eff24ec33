//! Numbers as the tables have them: a value with its interval, with the digits that matter.

use super::{
    estimate::{Estimate, Share},
    stats::Interval,
};

/// What stands for a number that there is not.
pub(super) const NONE: &str = "-";

/// A mean over seeds as [`number`].
pub(super) fn estimate(estimate: &Estimate) -> String {
    number(estimate.iqm, estimate.interval)
}

/// `9.87 [9.50, 9.99]`: all three with the decimals that show two digits of a third of the interval's width, and at most
/// four digits of the largest; without an interval, or with an empty one, those four. `-` without a value.
pub(super) fn number(value: Option<f64>, interval: Option<Interval>) -> String {
    let Some(mean) = value else { return NONE.to_owned() };
    let Interval { low, high } = interval.unwrap_or(Interval { low: mean, high: mean });
    let size = mean.abs().max(low.abs()).max(high.abs());
    let power = |value: f64| if value > 0.0 { value.log10().floor() } else { 0.0 };
    let most = 3.0 - power(size).max(0.0);
    let decimals = if high > low { most.min(1.0 - power((high - low) / 3.0)) } else { most }.max(0.0) as usize;
    let text = |value: f64| {
        if size != 0.0 && !(1e-3..1e5).contains(&size) {
            return format!("{value:.2e}");
        }
        let text = format!("{value:.decimals$}");
        // What rounds to zero has no sign.
        let zero = text.bytes().all(|byte| b"-0.".contains(&byte));
        if zero { text.replace('-', "") } else { text }
    };
    match interval {
        Some(_) => format!("{} [{}, {}]", text(mean), text(low), text(high)),
        None => text(mean),
    }
}

/// `18/20 90% [70, 97]`.
pub(super) fn share(share: &Share) -> String {
    let Interval { low, high } = share.interval;
    format!("{} [{:.0}, {:.0}]", count(share), 100.0 * low, 100.0 * high)
}

/// `18/20 90%`.
pub(super) fn count(share: &Share) -> String {
    format!("{}/{} {:.0}%", share.count, share.of, 100.0 * share.share)
}

/// A share as [`share`], `-` without one.
pub(super) fn share_if_any(of: Option<&Share>) -> String {
    of.map_or_else(|| NONE.to_owned(), share)
}

/// A probability, `0.93 [0.85, 0.98]`.
pub(super) fn probability(probability: f64, interval: Option<Interval>) -> String {
    match interval {
        Some(Interval { low, high }) => format!("{probability:.2} [{low:.2}, {high:.2}]"),
        None => format!("{probability:.2}"),
    }
}

/// A whole number with a comma before each group of three digits.
pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let groups = digits.as_bytes().rchunks(3).rev();
    sign.to_owned() + &groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let shown = |mean: f64, low: f64, high: f64| {
            estimate(&Estimate { iqm: Some(mean), interval: Some(Interval { low, high }), n: 2, not_finite: 0 })
        };
        assert_eq!(shown(9.8734, 9.5, 9.99), "9.87 [9.50, 9.99]");
        assert_eq!(shown(-1234.5, -2000.0, 3.0), "-1234 [-2000, 3]");
        assert_eq!(shown(10.0, 10.0, 10.0), "10.00 [10.00, 10.00]");
        assert_eq!(shown(-0.001, -0.3, 0.2), "0.00 [-0.30, 0.20]");
        assert_eq!(shown(123.456, 123.455, 123.457), "123.5 [123.5, 123.5]");
        assert_eq!(shown(-3.2e9, -4e9, 1.0), "-3.20e9 [-4.00e9, 1.00e0]");
        assert_eq!(shown(2e-7, 1e-7, 3e-7), "2.00e-7 [1.00e-7, 3.00e-7]");
        assert_eq!(estimate(&Estimate { iqm: Some(0.5), interval: None, n: 1, not_finite: 0 }), "0.500");
        assert_eq!(estimate(&Estimate { iqm: None, interval: None, n: 0, not_finite: 3 }), "-");
        assert_eq!(probability(0.93, Some(Interval { low: 0.8, high: 1.0 })), "0.93 [0.80, 1.00]");
        assert_eq!([thousands(0.4), thousands(999.6), thousands(-1234567.0)], ["0", "1,000", "-1,234,567"]);
    }
}
