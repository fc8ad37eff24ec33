//! Learning curves: the records of many seeds reduced to one line and one band per entry.
//!
//! Holds the numbers that `plot.rs` draws; knows nothing of pixels.

use std::collections::BTreeMap;

use super::{
    estimate::Share,
    manifest::Manifest,
    records::{Point, Records, SeedRecords, Track},
    stats::{Bootstrap, Interval, iqm},
    success::evaluations,
};

/// A curve of training episodes is binned to at most this many points.
pub const MOST_BINS: usize = 200;

/// One entry's curve: of means over its seeds that did not fail, or of shares of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The entry's label.
    pub label: String,
    /// How many seeds have records in the curve; of a share, all seeds; 0 for one that is no mean over seeds.
    pub seeds: usize,
    /// Ascending in `x`.
    pub points: Vec<CurvePoint>,
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Environment steps done, mean over the seeds; games whose episodes differ in length reach an episode at different
    /// steps.
    pub x: f64,
    /// Interquartile mean over the seeds whose value is finite; `None`, a gap in the line, when none is. Or a share of
    /// all seeds.
    pub y: Option<f64>,
    /// Pointwise 95% interval of `y`, of a mean by bootstrap; `None` with fewer than two values. Wilson's of a share.
    pub band: Option<Interval>,
}

/// The curves of `mean_action_return`, a point per evaluation, in the entries' order.
pub fn mean_action(records: &Records, bootstrap: &mut Bootstrap) -> Vec<Curve> {
    curves(records, |seed| &seed.mean_action, 1, bootstrap)
}

/// The curves of `sampled_return`, and the number of successive training episodes that each point is the mean of: the
/// least that leaves at most [`MOST_BINS`] points. Within a bin, a seed's value is the mean over its finite returns.
pub fn sampled(records: &Records, bootstrap: &mut Bootstrap) -> (Vec<Curve>, usize) {
    let seeds = records.entries.iter().flat_map(|entry| &entry.seeds);
    let longest = seeds.map(|seed| seed.sampled.mean.len()).max().unwrap_or(0);
    let bin = longest.div_ceil(MOST_BINS).max(1);
    (curves(records, |seed| &seed.sampled, bin, bootstrap), bin)
}

/// The share of all seeds whose evaluation is a success, a point per evaluation; of the entries in whose game success is
/// defined, in their order.
pub fn successes(records: &Records, manifest: &Manifest) -> Vec<Curve> {
    let curve = |(entry, best): (&super::records::EntryRecords, _)| {
        // By episode: the sum of the steps, how many seeds have them, how many succeed.
        let mut sums: BTreeMap<u32, (f64, f64, usize)> = BTreeMap::new();
        for (point, success) in entry.seeds.iter().flat_map(|seed| evaluations(seed, best)) {
            let (steps, count, successes) = sums.entry(point.episode).or_default();
            *steps += point.step as f64;
            *count += 1.0;
            *successes += usize::from(success);
        }
        let points = sums.into_values().map(|(steps, count, successes)| {
            let share = Share::new(successes, entry.seeds.len());
            CurvePoint { x: steps / count, y: share.map(|it| it.share), band: share.map(|it| it.interval) }
        });
        Curve { label: entry.label.clone(), seeds: entry.seeds.len(), points: points.collect() }
    };
    let entries = records.entries.iter().zip(&manifest.entries);
    entries.filter_map(|(records, entry)| Some((records, entry.best_known.as_ref()?))).map(curve).collect()
}

fn curves(
    records: &Records,
    track: impl Fn(&SeedRecords) -> &Track,
    bin: usize,
    bootstrap: &mut Bootstrap,
) -> Vec<Curve> {
    let curve = |entry: &super::records::EntryRecords| {
        let running = entry.seeds.iter().filter(|seed| !seed.failed);
        let seeds: Vec<&[Point]> =
            running.map(|seed| track(seed).mean.as_slice()).filter(|points| !points.is_empty()).collect();
        let points = binned(&seeds, bin).into_iter().map(|(x, values)| CurvePoint {
            x,
            y: iqm(&values),
            band: bootstrap.interval(&[&values]),
        });
        Curve { label: entry.label.clone(), seeds: seeds.len(), points: points.collect() }
    };
    records.entries.iter().map(curve).collect()
}

/// By bin of `bin` successive episodes: the mean step, and one finite value for each seed that has any.
fn binned(seeds: &[&[Point]], bin: usize) -> Vec<(f64, Vec<f64>)> {
    let mut episodes: BTreeMap<u32, usize> =
        seeds.iter().flat_map(|points| points.iter().map(|point| (point.episode, 0))).collect();
    for (at, index) in episodes.values_mut().enumerate() {
        *index = at / bin;
    }
    let bins = episodes.values().last().map_or(0, |&last| last + 1);
    // Steps and their count over all seeds, and the seeds' values.
    let mut sums = vec![(0.0, 0.0, Vec::new()); bins];
    for points in seeds {
        for part in points.chunk_by(|a, b| episodes[&a.episode] == episodes[&b.episode]) {
            let (steps, count, values) = &mut sums[episodes[&part[0].episode]];
            *steps += part.iter().map(|point| point.step as f64).sum::<f64>();
            *count += part.len() as f64;
            let finite: Vec<f64> = part.iter().map(|point| point.value).filter(|value| value.is_finite()).collect();
            if !finite.is_empty() {
                values.push(finite.iter().sum::<f64>() / finite.len() as f64);
            }
        }
    }
    sums.into_iter().map(|(steps, count, values)| (steps / count, values)).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            example::{self, Metrics},
            stats::wilson_interval,
        },
        *,
    };

    fn records(manifest: &Manifest, metrics: &Metrics) -> Records {
        let dir = tempfile::tempdir().unwrap();
        metrics.write(dir.path());
        Records::read(dir.path(), manifest).unwrap()
    }

    #[test]
    fn a_point_is_the_interquartile_mean_over_the_seeds_that_did_not_fail() {
        let (mut manifest, mut metrics) = (example::manifest(&[1, 2, 3, 4, 5], &["a", "b"]), Metrics::new());
        manifest.entries[0].failed_seeds.push(example::failed(5));
        for (seed, value) in [(1, 0.0), (2, 4.0), (3, 5.0), (4, 100.0), (5, -1e9)] {
            metrics.add("a", seed, 2, "mean_action_return", value);
        }
        let curves = mean_action(&records(&manifest, &metrics), &mut Bootstrap::default());
        assert_eq!((curves[0].seeds, curves[1].seeds, curves[1].points.len()), (4, 0, 0));
        let point = curves[0].points[0];
        assert_eq!((point.x, point.y), (50.0, Some(4.5)));
        assert_eq!(point.band, Bootstrap::default().interval(&[&[0.0, 4.0, 5.0, 100.0]]));
    }

    #[test]
    fn what_is_not_finite_leaves_a_gap_only_where_no_seed_has_a_number() {
        let (manifest, mut metrics) = (example::manifest(&[1, 2], &["a"]), Metrics::new());
        for (episode, values) in [(1, [1.0, 3.0]), (2, [f64::NAN, 3.0]), (3, [f64::NAN, f64::INFINITY])] {
            for (seed, value) in [1, 2].into_iter().zip(values) {
                metrics.add("a", seed, episode, "mean_action_return", value);
            }
        }
        let points = &mean_action(&records(&manifest, &metrics), &mut Bootstrap::default())[0].points;
        assert_eq!(points.iter().map(|point| point.y).collect::<Vec<_>>(), [Some(2.0), Some(3.0), None]);
        assert_eq!(points.iter().map(|point| point.band.is_some()).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn successes_are_shares_of_all_seeds_those_that_failed_too() {
        let (mut manifest, mut metrics) = (example::manifest(&[1, 2, 3, 4], &["a", "b"]), Metrics::new());
        manifest.entries[0].failed_seeds.push(example::failed(4));
        manifest.entries[1].best_known = None;
        for (episode, ends) in [(5, [9.5, 9.4, 0.0, 10.0]), (10, [10.0, 10.0, f64::NAN, 10.0])] {
            for (seed, end) in (1..).zip(ends) {
                metrics.add("a", seed, episode, "mean_action_return", end);
            }
        }
        let curves = successes(&records(&manifest, &metrics), &manifest);
        assert_eq!(curves.len(), 1, "b's game does not say what success is");
        let points = curves[0].points.iter().map(|point| (point.x, point.y, point.band));
        let expected = [(125.0, Some(0.25), wilson_interval(1, 4)), (250.0, Some(0.5), wilson_interval(2, 4))];
        assert_eq!(points.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn long_training_is_binned_by_averaging_episodes() {
        let (manifest, mut metrics) = (example::manifest(&[1], &["a"]), Metrics::new());
        for episode in 1..=401 {
            metrics.add("a", 1, episode, "sampled_return", f64::from(episode));
        }
        let (curves, bin) = sampled(&records(&manifest, &metrics), &mut Bootstrap::default());
        let points = &curves[0].points;
        assert_eq!((bin, points.len()), (3, 134));
        assert_eq!((points[0].x, points[0].y), (50.0, Some(2.0)), "episodes 1, 2, 3");
        assert_eq!((points[133].x, points[133].y), (400.5 * 25.0, Some(400.5)), "episodes 400, 401");
    }
}
