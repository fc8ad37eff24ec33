//! What is said of an entry's seeds together: means, shares, spreads, steps to success, each with its interval.
//!
//! Holds the definitions of these numbers, one value per seed in, one number out; `summary.rs` says of which values.

use serde::{Deserialize, Serialize};

use super::{
    records::Point,
    stats::{Bootstrap, Interval, iqm, median, standard_deviation, wilson_interval},
};

/// A mean over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Interquartile mean over the seeds ([`iqm`]); `None` when `n` is 0.
    pub iqm: Option<f64>,
    /// Its 95% percentile bootstrap interval ([`Bootstrap`]); `None` when `n` is below 2. An entry plays one game, so
    /// its seeds are the only stratum.
    pub interval: Option<Interval>,
    /// The number of seeds it is over: those that did not fail and whose value is finite.
    pub n: usize,
    /// How many seeds that did not fail are left out because their value is NaN or infinite.
    pub not_finite: usize,
}

impl Estimate {
    /// Over one value per seed.
    pub(super) fn new(values: &[f64], bootstrap: &mut Bootstrap) -> Self {
        let finite = finite(values);
        Self {
            iqm: iqm(&finite),
            interval: bootstrap.interval(&[&finite]),
            n: finite.len(),
            not_finite: values.len() - finite.len(),
        }
    }
}

/// A share of the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Of how many: all seeds of the run, with those that failed, were not evaluated or ended at NaN.
    pub of: u64,
    /// `count / of`.
    pub share: f64,
    /// Its 95% Wilson score interval ([`wilson_interval`]).
    pub interval: Interval,
}

impl Share {
    /// `None` of no seeds.
    pub(super) fn new(count: usize, of: usize) -> Option<Self> {
        let (count, of) = (count as u64, of as u64);
        Some(Self { count, of, share: count as f64 / of as f64, interval: wilson_interval(count, of)? })
    }
}

/// When the seeds of an entry began to succeed for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepsToSuccess {
    /// Per seed in the manifest's order, the environment step of the first evaluation from which on every later one is
    /// a success; `None` when the last is none. As fine as evaluations are frequent.
    pub by_seed: Vec<Option<u64>>,
    /// Median over the seeds that succeed; `None` when none does.
    pub median: Option<f64>,
    /// The share of all seeds that hold success from a step on, at each quarter of the run that an evaluation follows.
    pub holds_from: Vec<Held>,
}

/// The share of the seeds that hold success from `step` on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The environment step.
    pub step: u64,
    /// How many of all seeds have every evaluation from that step on a success.
    pub share: Share,
}

impl StepsToSuccess {
    /// Of seeds that succeed from these steps on, in a run of `steps` steps with evaluations at the steps `evaluated`,
    /// ascending.
    pub(super) fn new(by_seed: Vec<Option<u64>>, evaluated: &[u64], steps: u64) -> Self {
        let found: Vec<f64> = by_seed.iter().flatten().map(|&step| step as f64).collect();
        let holds_from = (1..=4).filter_map(|quarter| {
            let step = steps * quarter / 4;
            let first = evaluated.iter().find(|evaluated| **evaluated >= step)?;
            let count = by_seed.iter().flatten().filter(|from| *from <= first).count();
            Some(Held { step, share: Share::new(count, by_seed.len())? })
        });
        Self { median: median(&found), holds_from: holds_from.collect(), by_seed }
    }
}

/// How much an entry's mean-action returns vary, along its runs and across them; in the unit of the return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Along: of each seed the total variation of its curve, sum over t of |y(t + 1) - y(t)| over its evaluations. The
    /// smoother, the smaller; no less than the way from its start to its end.
    pub total_variation: Estimate,
    /// Along: of each seed the standard deviation over the second half of its evaluations.
    pub along: Estimate,
    /// Across: the standard deviation of the final returns over the seeds; `None` with fewer than two.
    pub across: Option<f64>,
    /// The 95% bootstrap interval of `across`.
    pub across_interval: Option<Interval>,
}

impl Spread {
    /// Of the evaluations of each seed that did not fail.
    pub(super) fn new(curves: &[&[Point]], bootstrap: &mut Bootstrap) -> Self {
        let variation = |curve: &[Point]| curve.windows(2).map(|pair| (pair[1].value - pair[0].value).abs()).sum();
        let late = |curve: &[Point]| {
            let half: Vec<f64> = curve[curve.len() / 2..].iter().map(|point| point.value).collect();
            (half.len() > 1).then(|| standard_deviation(&half).unwrap_or(f64::NAN))
        };
        let long = || curves.iter().copied().filter(|curve| curve.len() > 1);
        let ends: Vec<f64> = curves.iter().filter_map(|curve| Some(curve.last()?.value)).collect();
        let ends = finite(&ends);
        Self {
            total_variation: Estimate::new(&long().map(variation).collect::<Vec<_>>(), bootstrap),
            along: Estimate::new(&long().filter_map(late).collect::<Vec<_>>(), bootstrap),
            across: standard_deviation(&ends),
            across_interval: bootstrap.interval_of_deviation(&ends),
        }
    }
}

fn finite(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|value| value.is_finite()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(values: &[f64]) -> Vec<Point> {
        let point = |(at, &value): (usize, &f64)| Point { episode: at as u32, step: 25 * at as u64, value };
        values.iter().enumerate().map(point).collect()
    }

    #[test]
    fn what_holds_from_a_step_on_is_counted_over_all_seeds() {
        let evaluated = [0, 1_000, 2_500, 2_600, 5_000];
        let steps = StepsToSuccess::new(vec![Some(2_500), None, Some(0), Some(2_600), Some(5_000)], &evaluated, 5_000);
        assert_eq!(steps.median, Some(2_550.0));
        let held: Vec<_> = steps.holds_from.iter().map(|held| (held.step, held.share.count, held.share.of)).collect();
        // The first evaluation after 1,250 is that of 2,500, the first after 3,750 that of 5,000.
        assert_eq!(held, [(1_250, 2, 5), (2_500, 2, 5), (3_750, 4, 5), (5_000, 4, 5)]);
        let interrupted = StepsToSuccess::new(vec![None], &[0, 1_000, 2_500], 5_000);
        assert_eq!((interrupted.median, interrupted.holds_from.len()), (None, 2));
    }

    #[test]
    fn variation_along_and_across_runs_by_hand() {
        // Seed 1 goes up 4, down 1, up 1; seed 2 stays.
        let curves = [curve(&[0.0, 4.0, 3.0, 4.0]), curve(&[2.0; 4])];
        let curves: Vec<&[Point]> = curves.iter().map(Vec::as_slice).collect();
        let spread = Spread::new(&curves, &mut Bootstrap::default());
        assert_eq!((spread.total_variation.iqm, spread.total_variation.n), (Some(3.0), 2), "the mean of 6 and 0");
        // The second half of seed 1 is 3, 4 with a deviation of sqrt(1/2); the ends are 4 and 2, sqrt(2).
        assert!((spread.along.iqm.unwrap() - 0.5f64.sqrt() / 2.0).abs() < 1e-12);
        assert!((spread.across.unwrap() - 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(spread.across_interval.unwrap().low, 0.0, "a resample may draw one seed twice");
    }

    #[test]
    fn a_curve_that_diverges_is_counted_not_averaged_and_a_point_has_no_variation() {
        let curves = [curve(&[0.0, f64::NAN]), curve(&[1.0, 1.5, 2.0]), curve(&[7.0])];
        let curves: Vec<&[Point]> = curves.iter().map(Vec::as_slice).collect();
        let spread = Spread::new(&curves, &mut Bootstrap::default());
        let Estimate { iqm, n, not_finite, .. } = spread.total_variation;
        assert_eq!((iqm, n, not_finite), (Some(1.0), 1, 1));
    }
}
