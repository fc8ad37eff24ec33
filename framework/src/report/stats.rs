//! The statistics of the report: interquartile mean, bootstrap interval, Wilson score interval, probability of
//! improvement.
//!
//! All intervals are 95 percent. None of the functions returns NaN, and none reads a clock or a global generator:
//! the same values give the same interval on every machine.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The intervals' coverage.
pub const LEVEL: f64 = 0.95;

/// How many resamples a bootstrap draws unless told otherwise.
pub const RESAMPLES: usize = 2_000;

/// 0.975 quantile of the standard normal distribution, for [`wilson_interval`].
const Z: f64 = 1.959_963_984_540_054;

/// Seed of the bootstrap's generator. Any fixed number will do; this one is arbitrary.
const BOOTSTRAP_SEED: u64 = 0x0E91_F10B;

/// A closed interval; `low <= high`, both finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Interquartile mean of `values`: the mean of the middle half, after Agarwal et al., "Deep Reinforcement Learning at
/// the Edge of the Statistical Precipice", NeurIPS 2021.
///
/// With the values sorted and each given a weight of one, a weight of `n / 4` is cut from either end. Where `n` is not a
/// multiple of 4 the values at the two cuts keep the fraction that is left of their weight, so that always exactly half
/// of the weight remains: n = 5 has weights 0, 0.75, 1, 0.75, 0. (scipy's `trim_mean`, which the paper's own code
/// calls, cuts whole values, `floor(n / 4)`; the two agree where `n` is a multiple of 4.) n = 1 gives the value itself,
/// n = 2 and n = 3 a mean in which the middle value of three weighs four times the others.
///
/// `None` when there are no values, or when one of them or their sum is not finite.
pub fn iqm(values: &[f64]) -> Option<f64> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    middle_mean(sorted.iter().map(|&value| (value, 1)), values.len())
}

/// The interquartile mean of ascending values that occur `count` times each, `n` in all.
fn middle_mean(ascending: impl Iterator<Item = (f64, u32)>, n: usize) -> Option<f64> {
    let (from, to) = (n as f64 / 4.0, n as f64 * 3.0 / 4.0);
    let (mut below, mut sum) = (0.0, 0.0);
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    for (value, count) in ascending {
        let above = below + f64::from(count);
        let weight = above.min(to) - f64::max(below, from);
        if weight > 0.0 {
            sum += value * weight;
            (least, greatest) = (least.min(value), greatest.max(value));
        }
        below = above;
        if below >= to {
            break;
        }
    }
    // The clamp takes back what rounding adds: the mean of equal values is that value.
    let mean = sum / (to - from);
    (n > 0 && mean.is_finite()).then(|| mean.clamp(least, greatest))
}

/// Percentile bootstrap.
///
/// A resample draws, from each stratum, as many values as the stratum has, with replacement; its estimate is the
/// statistic, such as the interquartile mean, of all drawn values together. The interval reaches from the 0.025 to the 0.975 quantile of the
/// estimates (linear interpolation between order statistics, type 7 of Hyndman and Fan 1996, numpy's default).
/// Drawing is from a ChaCha8 stream with a fixed seed, anew for each set of stratum sizes: results do not depend on
/// what was computed before.
pub struct Bootstrap {
    resamples: usize,
    /// By stratum sizes: how often each resample draws each value, `[resamples, values]`. The points of a curve share it.
    draws: HashMap<Vec<usize>, Vec<u32>>,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self::new(RESAMPLES)
    }
}

impl Bootstrap {
    /// A bootstrap with that many resamples, at least one.
    pub fn new(resamples: usize) -> Self {
        Self { resamples: resamples.max(1), draws: HashMap::new() }
    }

    /// 95% interval of the interquartile mean of all `strata` together. One stratum makes it the plain bootstrap; with
    /// several (one per game, say) each keeps its share in every resample.
    ///
    /// `None` when no stratum has two values, since nothing can then vary, or when [`iqm`] would be `None`.
    pub fn interval(&mut self, strata: &[&[f64]]) -> Option<Interval> {
        let values = strata.concat();
        if strata.iter().all(|stratum| stratum.len() < 2) || iqm(&values).is_none() {
            return None;
        }
        let n = values.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
        let sizes = strata.iter().map(|stratum| stratum.len()).collect();
        self.percentiles(sizes, |counts| middle_mean(order.iter().map(|&at| (values[at], counts[at])), n))
    }

    /// 95% interval of the standard deviation of `values` ([`standard_deviation`]); `None` when that is.
    pub fn interval_of_deviation(&mut self, values: &[f64]) -> Option<Interval> {
        standard_deviation(values)?;
        self.percentiles(vec![values.len()], |counts| {
            let drawn = values.iter().zip(counts).flat_map(|(&value, &count)| (0..count).map(move |_| value));
            standard_deviation(&drawn.collect::<Vec<_>>())
        })
    }

    /// Probability of improvement of x over y with its 95% interval: the share of the pairs of one value each in which
    /// that of x is the greater, equal ones counting one half, P(X > Y) + P(X = Y) / 2 (Agarwal et al. 2021, section
    /// 4.3; the Mann-Whitney U of x over the number of pairs). A resample draws from x and from y, each for itself.
    ///
    /// Values may be infinite. `None` without a pair or with a NaN; the interval is `None` when neither side has two
    /// values.
    pub fn improvement(&mut self, x: &[f64], y: &[f64]) -> Option<(f64, Option<Interval>)> {
        let values = [x, y].concat();
        if x.is_empty() || y.is_empty() || values.iter().any(|value| value.is_nan()) {
            return None;
        }
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
        let ties: Vec<&[usize]> = order.chunk_by(|&a, &b| values[a] == values[b]).collect();
        let share = |counts: &[u32]| {
            let (mut pairs, mut below) = (0.0, 0.0);
            for tie in &ties {
                let drawn = |of_x: bool| tie.iter().filter(move |at| (**at < x.len()) == of_x).map(|at| counts[*at]);
                let (mine, others) = (f64::from(drawn(true).sum::<u32>()), f64::from(drawn(false).sum::<u32>()));
                pairs += mine * (below + others / 2.0);
                below += others;
            }
            pairs / (x.len() * y.len()) as f64
        };
        let interval = (x.len() > 1 || y.len() > 1)
            .then(|| self.percentiles(vec![x.len(), y.len()], |counts| Some(share(counts))))
            .flatten();
        Some((share(&vec![1; values.len()]), interval))
    }

    /// 95% interval of a statistic, `None` when it is `None` for some resample. The statistic gets how often a resample
    /// draws each value, the strata of these sizes one after the other.
    fn percentiles(&mut self, sizes: Vec<usize>, statistic: impl Fn(&[u32]) -> Option<f64>) -> Option<Interval> {
        let (n, resamples) = (sizes.iter().sum(), self.resamples);
        let draws = self.draws.entry(sizes).or_insert_with_key(|sizes| draw(sizes, resamples));
        let mut estimates: Vec<f64> = draws.chunks_exact(n).map(statistic).collect::<Option<_>>()?;
        estimates.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - LEVEL) / 2.0;
        Some(Interval { low: quantile(&estimates, tail), high: quantile(&estimates, 1.0 - tail) })
    }
}

/// Standard deviation of at least two values, from the unbiased variance (divided by n - 1); `None` when one of them
/// or the result is not finite.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let deviation = (squares / (n - 1.0)).sqrt();
    (values.len() > 1 && deviation.is_finite()).then_some(deviation)
}

/// The middle one of the values, or the mean of the middle two; `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| quantile(&sorted, 0.5))
}

/// How often each of `resamples` resamples draws each value of strata of these sizes, `[resamples, values]`.
fn draw(sizes: &[usize], resamples: usize) -> Vec<u32> {
    let n: usize = sizes.iter().sum();
    let mut rng = ChaCha8Rng::seed_from_u64(BOOTSTRAP_SEED);
    let mut counts = vec![0; resamples * n];
    for resample in counts.chunks_exact_mut(n) {
        let mut rest = resample;
        for &size in sizes {
            let (stratum, after) = rest.split_at_mut(size);
            for _ in 0..size {
                stratum[rng.random_range(0..size)] += 1;
            }
            rest = after;
        }
    }
    counts
}

/// The `share` quantile of at least one ascending value, interpolated linearly.
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let at = share * (ascending.len() - 1) as f64;
    let (low, high) = (ascending[at.floor() as usize], ascending[at.ceil() as usize]);
    // Written as a weighted mean: `high - low` could overflow.
    (low * (1.0 - at.fract()) + high * at.fract()).clamp(low, high)
}

/// Wilson score interval, 95%, of the share `successes / trials`, without continuity correction (Wilson, "Probable
/// Inference, the Law of Succession, and Statistical Inference", JASA 1927). Lies within 0 and 1.
///
/// `None` when there are no trials, or more successes than trials.
pub fn wilson_interval(successes: u64, trials: u64) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (n, share) = (trials as f64, successes as f64 / trials as f64);
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // The ends of 0 of n and n of n are exactly 0 and 1; rounding would leave 1e-17 of them.
    Some(Interval {
        low: if successes == 0 { 0.0 } else { (centre - half).max(0.0) },
        high: if successes == trials { 1.0 } else { (centre + half).min(1.0) },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Made by scipy and statsmodels: `framework/tests/fixtures/stats/make.py`.
    fn reference(part: &str) -> Vec<Value> {
        let text = include_str!("../../tests/fixtures/stats/stats.json");
        serde_json::from_str::<Value>(text).unwrap()[part].as_array().unwrap().clone()
    }

    fn values(case: &Value) -> Vec<f64> {
        case["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    }

    fn close(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected} +- {tolerance}");
    }

    fn random(n: usize, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| 1.0 / rng.random_range(0.01..1.0) - 3.0).collect()
    }

    #[test]
    fn iqm_is_scipys_trimmed_mean() {
        for case in reference("samples") {
            let expected = case["iqm"].as_f64().unwrap();
            close(iqm(&values(&case)).unwrap(), expected, 1e-12 * expected.abs().max(1.0));
        }
    }

    #[test]
    fn iqm_does_not_depend_on_the_order_and_lies_among_the_values() {
        for n in 1..40 {
            let values = random(n, n as u64);
            let mean = iqm(&values).unwrap();
            let mut turned = values.clone();
            turned.reverse();
            turned.rotate_left(n / 3);
            assert_eq!(iqm(&turned), Some(mean));
            let inside = |&value: &f64| value <= mean;
            assert!(values.iter().any(inside) && values.iter().any(|value| !inside(value) || *value == mean));
        }
        assert_eq!(iqm(&[0.1; 7]), Some(0.1));
    }

    #[test]
    fn iqm_of_nothing_or_of_what_is_not_finite_is_none() {
        assert_eq!(iqm(&[]), None);
        assert_eq!(iqm(&[1.0, f64::NAN]), None);
        assert_eq!(iqm(&[f64::INFINITY; 4]), None);
        assert_eq!(iqm(&[f64::MAX; 9]), None, "the sum overflows");
    }

    #[test]
    fn bootstrap_is_scipys_up_to_the_noise_of_resampling() {
        for case in reference("intervals") {
            let (low, high) = (case["low"].as_f64().unwrap(), case["high"].as_f64().unwrap());
            let found = Bootstrap::new(20_000).interval(&[&values(&case)]).unwrap();
            // The standard error of a 0.025 quantile of 20,000 normal draws is 0.5% of the interval's width.
            close(found.low, low, 0.03 * (high - low));
            close(found.high, high, 0.03 * (high - low));
        }
    }

    #[test]
    fn the_interval_contains_the_mean_and_does_not_depend_on_history_or_order() {
        let mut used = Bootstrap::default();
        for n in 2..30 {
            let values = random(n, 100 + n as u64);
            let interval = used.interval(&[&values]).unwrap();
            let mean = iqm(&values).unwrap();
            assert!(interval.low <= mean && mean <= interval.high, "{interval:?} without {mean}");
            assert!(interval.low < interval.high);
            assert_eq!(Bootstrap::default().interval(&[&values]), Some(interval));
        }
    }

    #[test]
    fn strata_keep_their_shares() {
        // Two constant strata cannot vary; drawn from one pot they would.
        let (low, high) = ([0.0; 6], [1.0; 6]);
        let stratified = Bootstrap::default().interval(&[&low, &high]).unwrap();
        assert_eq!(stratified, Interval { low: 0.5, high: 0.5 });
        let pooled = Bootstrap::default().interval(&[&[low, high].concat()]).unwrap();
        assert!(pooled.low < 0.5 && pooled.high > 0.5);
    }

    #[test]
    fn improvement_is_the_share_of_pairs() {
        let mut bootstrap = Bootstrap::default();
        let mut share = |x: &[f64], y: &[f64]| bootstrap.improvement(x, y).map(|(share, _)| share);
        assert_eq!(share(&[3.0, 1.0], &[2.0]), Some(0.5));
        // 1 > 0; 1 = 1; 2 > 0; 2 > 1: 3 pairs and a half of 4.
        assert_eq!(share(&[1.0, 2.0], &[0.0, 1.0]), Some(0.875));
        assert_eq!(share(&[0.0, -0.0], &[0.0]), Some(0.5));
        let lost = f64::NEG_INFINITY;
        assert_eq!(share(&[lost, 1.0], &[lost, 0.0]), Some(0.625), "1 beats both, the lost ones tie");
        assert_eq!([share(&[], &[1.0]), share(&[1.0], &[]), share(&[f64::NAN], &[1.0])], [None; 3]);
    }

    #[test]
    fn improvement_is_scipys_mann_whitney_u_and_its_interval_scipys_bootstrap() {
        for case in reference("improvement") {
            let side = |name: &str| values(&json!({ "values": case[name] }));
            let (x, y) = (side("x"), side("y"));
            let (found, interval) = Bootstrap::new(20_000).improvement(&x, &y).unwrap();
            close(found, case["probability"].as_f64().unwrap(), 1e-12);
            let (interval, low, high) =
                (interval.unwrap(), case["low"].as_f64().unwrap(), case["high"].as_f64().unwrap());
            close(interval.low, low, 0.03 * (high - low) + 1e-12);
            close(interval.high, high, 0.03 * (high - low) + 1e-12);
            let (other, turned) = Bootstrap::new(20_000).improvement(&y, &x).unwrap();
            close(other, 1.0 - found, 1e-12);
            close(turned.unwrap().low, 1.0 - high, 0.03 * (high - low) + 1e-12);
        }
    }

    #[test]
    fn one_value_against_one_has_a_probability_but_no_interval() {
        assert_eq!(Bootstrap::default().improvement(&[2.0], &[1.0]), Some((1.0, None)));
    }

    #[test]
    fn deviation_is_numpys_and_its_interval_scipys_bootstrap() {
        for case in reference("deviations") {
            let (low, high) = (case["low"].as_f64().unwrap(), case["high"].as_f64().unwrap());
            let expected = case["deviation"].as_f64().unwrap();
            close(standard_deviation(&values(&case)).unwrap(), expected, 1e-12 * expected);
            let found = Bootstrap::new(20_000).interval_of_deviation(&values(&case)).unwrap();
            close(found.low, low, 0.03 * (high - low));
            close(found.high, high, 0.03 * (high - low));
        }
        assert_eq!([&[][..], &[1.0], &[1.0, f64::NAN]].map(standard_deviation), [None; 3]);
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_middle_two() {
        assert_eq!(
            [&[][..], &[3.0], &[4.0, 1.0], &[9.0, 1.0, 2.0]].map(median),
            [None, Some(3.0), Some(2.5), Some(2.0)]
        );
    }

    #[test]
    fn too_few_values_have_no_interval_and_equal_ones_an_empty_one() {
        let mut bootstrap = Bootstrap::default();
        assert_eq!(bootstrap.interval(&[]), None);
        assert_eq!(bootstrap.interval(&[&[]]), None);
        assert_eq!(bootstrap.interval(&[&[3.0]]), None);
        assert_eq!(bootstrap.interval(&[&[3.0, f64::NAN]]), None);
        assert_eq!(bootstrap.interval(&[&[0.1; 5]]), Some(Interval { low: 0.1, high: 0.1 }));
    }

    #[test]
    fn wilson_is_statsmodels() {
        for case in reference("wilson") {
            let found = wilson_interval(case["successes"].as_u64().unwrap(), case["trials"].as_u64().unwrap()).unwrap();
            close(found.low, case["low"].as_f64().unwrap(), 1e-12);
            close(found.high, case["high"].as_f64().unwrap(), 1e-12);
        }
        assert_eq!(wilson_interval(0, 0), None);
        assert_eq!(wilson_interval(2, 1), None);
        assert_eq!(wilson_interval(0, 5).unwrap().low, 0.0);
        assert_eq!(wilson_interval(5, 5).unwrap().high, 1.0);
    }
}
