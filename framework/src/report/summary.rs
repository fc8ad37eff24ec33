//! The run in one line per entry: final returns, share of seeds that reached the best known return, speed.
//!
//! Holds the numbers of `summary.json` and their exact definitions; `table.rs` prints them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    error::ReportError,
    manifest::{BestKnown, EntryManifest, FailedSeed, Manifest, Moment, Outcome, replace},
    records::{EntryRecords, Point, Records, SeedRecords},
    stats::{Bootstrap, Interval, iqm, wilson_interval},
};

/// The summary's name in a results folder.
pub const SUMMARY_FILE: &str = "summary.json";

/// What came out of a run; `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The run's name.
    pub run: String,
    /// The results folder's name.
    pub id: String,
    /// How the run stands; unless it is `done`, the numbers are those of the records so far.
    pub outcome: Outcome,
    /// When the run started.
    pub created: Moment,
    /// When the run ended, if it did.
    pub finished: Option<Moment>,
    /// In the run file's order.
    pub entries: Vec<EntrySummary>,
    /// What was left out of the records and why, and which seeds end on a cycle, one sentence each.
    pub notes: Vec<String>,
}

/// What came out of one entry. All returns are averaged over the players, in the unit of `return_label`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntrySummary {
    /// The curve's label.
    pub label: String,
    /// The algorithm of each player.
    pub algorithms: Vec<String>,
    /// The game with its parameters.
    pub game: String,
    /// What a return is.
    pub return_label: String,
    /// How many seeds the run has, failed ones included.
    pub seeds: usize,
    /// The seeds that failed. They have no part in `final_return` and `sampled_return`, and count as not having reached.
    pub failed_seeds: Vec<FailedSeed>,
    /// Training episodes that every seed that did not fail has completed according to the records; 0 without records.
    pub episodes: u32,
    /// Over the seeds that did not fail, the last `mean_action_return` of each: the return of the last evaluation, in
    /// which every player acts by its policy's mean.
    pub final_return: Estimate,
    /// Over the seeds that did not fail, the mean `sampled_return` over the last tenth of each seed's training episodes,
    /// rounded up (so at least one): the return while exploring.
    pub sampled_return: Estimate,
    /// The best return known for the game.
    pub best_known: Option<BestKnown>,
    /// How many seeds end with a final return of at least `best_known.value - best_known.tolerance`; `None` without a
    /// best known return, or when no seed was evaluated and none failed.
    pub reached: Option<Share>,
    /// Environment steps per second of this entry's own time, over all its seeds.
    pub steps_per_second: Option<f64>,
}

/// A mean over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Interquartile mean over the seeds ([`iqm`]); `None` when `n` is 0.
    pub iqm: Option<f64>,
    /// Its 95% percentile bootstrap interval ([`Bootstrap`]); `None` when `n` is below 2.
    pub interval: Option<Interval>,
    /// The number of seeds it is over: those that did not fail and whose value is finite.
    pub n: usize,
    /// How many seeds that did not fail are left out because their value is NaN or infinite.
    pub not_finite: usize,
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

impl Summary {
    /// Summarises a run's records.
    pub fn new(manifest: &Manifest, records: &Records) -> Self {
        let mut bootstrap = Bootstrap::default();
        let entries = manifest.entries.iter().zip(&records.entries);
        Self {
            run: manifest.run.clone(),
            id: manifest.id.clone(),
            outcome: manifest.outcome,
            created: manifest.created.clone(),
            finished: manifest.finished.clone(),
            entries: entries.map(|(entry, records)| EntrySummary::new(entry, records, &mut bootstrap)).collect(),
            notes: records.notes.clone(),
        }
    }

    /// Writes `summary.json` into the results folder `dir`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), ReportError> {
        let path = dir.join(SUMMARY_FILE);
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from);
        text.and_then(|text| replace(&path, format!("{text}\n").as_bytes()))
            .map_err(ReportError::io("write the summary", &path))
    }
}

impl EntrySummary {
    fn new(entry: &EntryManifest, records: &EntryRecords, bootstrap: &mut Bootstrap) -> Self {
        let running: Vec<&SeedRecords> = records.seeds.iter().filter(|seed| !seed.failed).collect();
        let finals: Vec<f64> = running.iter().filter_map(|seed| Some(seed.mean_action.mean.last()?.value)).collect();
        let sampled: Vec<f64> = running.iter().filter_map(|seed| mean_of_last_tenth(&seed.sampled.mean)).collect();
        let last = |seed: &&SeedRecords| {
            let last_of = |points: &[Point]| points.last().map_or(0, |point| point.episode);
            last_of(&seed.sampled.mean).max(last_of(&seed.mean_action.mean))
        };
        let reached = entry.best_known.as_ref().filter(|_| !finals.is_empty() || running.len() < records.seeds.len());
        let reached = reached.and_then(|best| {
            let enough = |value: &&f64| value.is_finite() && **value >= best.value - best.tolerance;
            let (count, of) = (finals.iter().filter(enough).count() as u64, records.seeds.len() as u64);
            Some(Share { count, of, share: count as f64 / of as f64, interval: wilson_interval(count, of)? })
        });
        Self {
            label: entry.label.clone(),
            algorithms: entry.algorithms.clone(),
            game: entry.game.clone(),
            return_label: entry.return_label.clone(),
            seeds: records.seeds.len(),
            failed_seeds: entry.failed_seeds.clone(),
            episodes: running.iter().map(last).min().unwrap_or(0),
            final_return: Estimate::new(&finals, bootstrap),
            sampled_return: Estimate::new(&sampled, bootstrap),
            best_known: entry.best_known.clone(),
            reached,
            steps_per_second: entry.steps_per_second.filter(|speed| speed.is_finite()),
        }
    }
}

impl Estimate {
    /// Over one value per seed.
    fn new(values: &[f64], bootstrap: &mut Bootstrap) -> Self {
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        Self {
            iqm: iqm(&finite),
            interval: bootstrap.interval(&[&finite]),
            n: finite.len(),
            not_finite: values.len() - finite.len(),
        }
    }
}

/// The mean over the last tenth of the points, rounded up; `None` without points.
fn mean_of_last_tenth(points: &[Point]) -> Option<f64> {
    let tail = &points[points.len() - points.len().div_ceil(10)..];
    (!tail.is_empty()).then(|| tail.iter().map(|point| point.value).sum::<f64>() / tail.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::{
        super::example::{self, Metrics},
        *,
    };

    /// The summary of a run with these records.
    fn summary(manifest: &Manifest, metrics: &Metrics) -> Summary {
        let dir = tempfile::tempdir().unwrap();
        metrics.write(dir.path());
        Summary::new(manifest, &Records::read(dir.path(), manifest).unwrap())
    }

    #[test]
    fn final_values_are_the_last_evaluation_and_the_last_tenth_of_the_episodes() {
        let (manifest, mut metrics) = (example::manifest(&[1, 2, 3, 4], &["a"]), Metrics::new());
        for (seed, end) in [(1, 9.4), (2, 9.5), (3, 10.0), (4, 2.0)] {
            metrics.add("a", seed, 0, "mean_action_return", 99.0);
            metrics.add("a", seed, 25, "mean_action_return", end);
            for episode in 1..=25 {
                // Of 25 episodes the last 3 count: 0, 3, 6 have the mean 3.
                let value = if episode > 22 { f64::from(episode - 23) * 3.0 } else { 99.0 };
                metrics.add("a", seed, episode, "sampled_return", value);
            }
        }
        let entry = summary(&manifest, &metrics).entries.remove(0);
        assert_eq!((entry.seeds, entry.episodes, entry.final_return.n), (4, 25, 4));
        let middle = entry.final_return.iqm.unwrap();
        assert!((middle - 9.45).abs() < 1e-12, "{middle}");
        let interval = entry.final_return.interval.unwrap();
        assert!(interval.low < 9.4 && interval.high > 9.5 && interval.high <= 10.0, "{interval:?}");
        assert_eq!(entry.sampled_return.iqm, Some(3.0));
        // 9.5 is 10 less the tolerance of 0.5: it counts, 9.4 does not.
        let reached = entry.reached.unwrap();
        assert_eq!((reached.count, reached.of, reached.share), (2, 4, 0.5));
        assert_eq!(Some(reached.interval), wilson_interval(2, 4));
    }

    #[test]
    fn failed_and_diverged_seeds_count_as_not_reached_and_have_no_part_in_the_means() {
        let (mut manifest, mut metrics) = (example::manifest(&[1, 2, 3, 4], &["a"]), Metrics::new());
        manifest.entries[0].failed_seeds.push(example::failed(2));
        for (seed, end) in [(1, 10.0), (2, 1e9), (3, f64::NAN), (4, f64::INFINITY)] {
            metrics.add("a", seed, 5, "mean_action_return", end);
        }
        let entry = summary(&manifest, &metrics).entries.remove(0);
        assert_eq!((entry.seeds, entry.failed_seeds.len()), (4, 1));
        let expected = Estimate { iqm: Some(10.0), interval: None, n: 1, not_finite: 2 };
        assert_eq!(entry.final_return, expected);
        assert_eq!(entry.sampled_return, Estimate { iqm: None, interval: None, n: 0, not_finite: 0 });
        let reached = entry.reached.unwrap();
        assert_eq!((reached.count, reached.of), (1, 4));
    }

    #[test]
    fn nothing_is_said_about_reaching_without_a_best_known_return_or_an_evaluation() {
        let (mut manifest, mut metrics) = (example::manifest(&[1], &["a", "b"]), Metrics::new());
        manifest.entries[0].best_known = None;
        metrics.add("a", 1, 5, "mean_action_return", 10.0);
        metrics.add("b", 1, 5, "sampled_return", 10.0);
        let summary = summary(&manifest, &metrics);
        assert_eq!((summary.entries[0].reached, summary.entries[1].reached), (None, None));
    }

    #[test]
    fn the_file_holds_the_summary() {
        let (manifest, mut metrics) = (example::manifest(&[1, 2], &["a", "b"]), Metrics::new());
        metrics.add("a", 1, 5, "mean_action_return", 0.1 + 0.2);
        metrics.add("a", 2, 5, "mean_action_return", 1e-300);
        let summary = summary(&manifest, &metrics);
        let dir = tempfile::tempdir().unwrap();
        summary.write(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(SUMMARY_FILE)).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    }
}
