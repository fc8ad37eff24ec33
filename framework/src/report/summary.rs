//! What came out of a run: per entry returns, successes, spread and speed; per game who improves on whom and what is set
//! differently; per grid its map.
//!
//! Holds the numbers of `summary.json` and says which records each is of; `estimate.rs` has their definitions, `table.rs`
//! and `markdown.rs` print them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    distinct,
    error::ReportError,
    estimate::{Estimate, Share, Spread, StepsToSuccess},
    grid::{Map, maps},
    manifest::{BestKnown, EntryManifest, FailedSeed, Manifest, Moment, Outcome, replace},
    records::{EntryRecords, Point, Records, SeedRecords},
    settings::{Settings, short_names},
    stats::{Bootstrap, Interval},
    success::{evaluations, steps_to_success},
};
use crate::profile::Profile;
use crate::run::Cell;

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
    /// What every seed of every entry may use.
    pub budget: Budget,
    /// In the run file's order.
    pub entries: Vec<EntrySummary>,
    /// In the order in which the entries name them.
    pub games: Vec<GameSummary>,
    /// Of all grids of the run.
    pub maps: Vec<Map>,
    /// What was left out of the records and why, and which seeds end on a cycle, one sentence each.
    pub notes: Vec<String>,
    /// Where the time went, if it was measured.
    pub profile: Option<Profile>,
}

/// How much every seed of every entry may play: it is the same for all entries of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Training episodes.
    pub episodes: u32,
    /// Environment steps of an episode, at most.
    pub steps: u32,
    /// Instances of the game, each of which does all of them.
    pub instances: usize,
    /// Training episodes between evaluations.
    pub evaluate_every: u64,
    /// Strategies that a search for a best response tries: see [`BestResponse`](crate::nash::BestResponse).
    pub best_response: usize,
}

impl Budget {
    /// Environment steps of one instance.
    pub fn all_steps(&self) -> u64 {
        u64::from(self.episodes) * u64::from(self.steps)
    }
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
    /// Where in a grid it lies, if it does.
    pub cell: Option<Cell>,
    /// What a return is.
    pub return_label: String,
    /// How many seeds the run has, failed ones included.
    pub seeds: usize,
    /// The seeds that failed. They have no part in means, and count as no success.
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
    /// How many seeds end in success: whose last evaluation has its mean joint action in the place of `best_known`, or,
    /// where that has none, a return of at least `best_known.value - best_known.tolerance` (and with `both_sides` at most so
    /// far above it). `None` without a best known return, or when no seed was evaluated and none failed.
    pub success: Option<Share>,
    /// From which step on they do; `None` when `success` is.
    pub steps_to_success: Option<StepsToSuccess>,
    /// How much the mean-action returns of the seeds that did not fail vary, along a run and across them.
    pub spread: Spread,
    /// NashConv at the last evaluation, over the seeds that did not fail; `None` when it was not recorded.
    pub nash_conv: Option<NashConv>,
    /// Environment steps per second of this entry's own time, over all its seeds.
    pub steps_per_second: Option<f64>,
}

/// NashConv of the joint policies at the end: what the players could gain, each by itself, summed over them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NashConv {
    /// Whether it is a lower bound, found by search, and not exact.
    pub is_bound: bool,
    /// Over the seeds.
    pub estimate: Estimate,
}

/// The comparison of the entries that play one game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GameSummary {
    /// The game with its parameters.
    pub game: String,
    /// Its name with what tells it from the run's other games.
    pub name: String,
    /// Every ordered pair of its entries, those of grids left out, in the order of the rows of a matrix. Of final
    /// returns; a seed that failed or ended at NaN is below every number.
    pub improvement: Vec<Improvement>,
    /// What its entries set differently.
    pub settings: Settings,
}

/// How probable it is that a seed of one entry ends above one of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Improvement {
    /// The label of X.
    pub entry: String,
    /// The label of Y.
    pub over: String,
    /// P(X > Y) + P(X = Y) / 2 ([`Bootstrap::improvement`]).
    pub probability: f64,
    /// Its 95% bootstrap interval; `None` with one seed.
    pub interval: Option<Interval>,
}

impl Summary {
    /// Summarises a run's records.
    pub fn new(manifest: &Manifest, records: &Records) -> Self {
        let mut bootstrap = Bootstrap::default();
        let Manifest { episodes, steps, instances, evaluate_every, best_response, .. } = *manifest;
        let budget = Budget { episodes, steps, instances, evaluate_every, best_response };
        let pairs = || manifest.entries.iter().zip(&records.entries);
        // All are evaluated at the same steps, until they fail.
        let curves = records.entries.iter().flat_map(|entry| &entry.seeds).map(|seed| &seed.mean_action.mean);
        let longest = curves.max_by_key(|curve| curve.len());
        let evaluated: Vec<u64> = longest.into_iter().flatten().map(|point| point.step).collect();
        let entries: Vec<_> = pairs()
            .map(|(entry, records)| EntrySummary::new(entry, records, budget, &evaluated, &mut bootstrap))
            .collect();
        let games = distinct(manifest.entries.iter().map(|entry| entry.game.as_str()));
        let named = games.iter().zip(short_names(&games));
        let games = named.map(|(game, name)| {
            let of: Vec<_> = pairs().filter(|(entry, _)| entry.game == **game).collect();
            let improvement = improvements(&of, &mut bootstrap);
            let settings = Settings::new(&of.iter().map(|(entry, _)| *entry).collect::<Vec<_>>());
            GameSummary { game: (*game).to_owned(), name, improvement, settings }
        });
        Self {
            run: manifest.run.clone(),
            id: manifest.id.clone(),
            outcome: manifest.outcome,
            created: manifest.created.clone(),
            finished: manifest.finished.clone(),
            budget,
            games: games.collect(),
            maps: maps(&entries),
            entries,
            notes: records.notes.clone(),
            profile: manifest.profile.clone(),
        }
    }

    /// The entries that play a game, in their order.
    pub fn entries_of<'a>(&'a self, game: &'a GameSummary) -> impl Iterator<Item = &'a EntrySummary> {
        self.entries.iter().filter(|entry| entry.game == game.game)
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
    /// `evaluated` are the steps of the run's evaluations.
    fn new(
        entry: &EntryManifest,
        records: &EntryRecords,
        budget: Budget,
        evaluated: &[u64],
        bootstrap: &mut Bootstrap,
    ) -> Self {
        let running: Vec<&SeedRecords> = records.seeds.iter().filter(|seed| !seed.failed).collect();
        let curves: Vec<&[Point]> = running.iter().map(|seed| seed.mean_action.mean.as_slice()).collect();
        let finals: Vec<f64> = curves.iter().filter_map(|curve| Some(curve.last()?.value)).collect();
        let sampled: Vec<f64> = running.iter().filter_map(|seed| mean_of_last_tenth(&seed.sampled.mean)).collect();
        let last = |seed: &&SeedRecords| {
            let last_of = |points: &[Point]| points.last().map_or(0, |point| point.episode);
            last_of(&seed.sampled.mean).max(last_of(&seed.mean_action.mean))
        };
        let judged = entry.best_known.as_ref().filter(|_| !finals.is_empty() || running.len() < records.seeds.len());
        let steps_to_success = judged.map(|best| {
            let of_seed = |seed: &SeedRecords| steps_to_success(&evaluations(seed, best));
            StepsToSuccess::new(records.seeds.iter().map(of_seed).collect(), evaluated, budget.all_steps())
        });
        let success = steps_to_success
            .as_ref()
            .and_then(|steps| Share::new(steps.by_seed.iter().flatten().count(), records.seeds.len()));
        Self {
            label: entry.label.clone(),
            algorithms: entry.algorithms.clone(),
            game: entry.game.clone(),
            cell: entry.cell.clone(),
            return_label: entry.return_label.clone(),
            seeds: records.seeds.len(),
            failed_seeds: entry.failed_seeds.clone(),
            episodes: running.iter().map(last).min().unwrap_or(0),
            final_return: Estimate::new(&finals, bootstrap),
            sampled_return: Estimate::new(&sampled, bootstrap),
            best_known: entry.best_known.clone(),
            success,
            steps_to_success,
            spread: Spread::new(&curves, bootstrap),
            nash_conv: NashConv::new(&running, bootstrap),
            steps_per_second: entry.steps_per_second.filter(|speed| speed.is_finite()),
        }
    }
}

impl NashConv {
    fn new(seeds: &[&SeedRecords], bootstrap: &mut Bootstrap) -> Option<Self> {
        let ends = |points: fn(&SeedRecords) -> &[Point]| -> Vec<f64> {
            seeds.iter().filter_map(|seed| Some(points(seed).last()?.value)).collect()
        };
        let exact = ends(|seed| &seed.nash_conv.mean);
        let bound = ends(|seed| &seed.nash_conv_bound.mean);
        let is_bound = exact.is_empty();
        let values = if is_bound { bound } else { exact };
        (!values.is_empty()).then(|| Self { is_bound, estimate: Estimate::new(&values, bootstrap) })
    }
}

/// Of every ordered pair of entries that lie in no grid; a grid's cells are compared on its map.
fn improvements(entries: &[(&EntryManifest, &EntryRecords)], bootstrap: &mut Bootstrap) -> Vec<Improvement> {
    let ranked = |seed: &SeedRecords| match seed.mean_action.mean.last() {
        Some(point) if !seed.failed && !point.value.is_nan() => Some(point.value),
        None if !seed.failed => None,
        _ => Some(f64::NEG_INFINITY),
    };
    let single = entries.iter().filter(|(entry, _)| entry.cell.is_none());
    let finals: Vec<(&str, Vec<f64>)> = single
        .map(|(entry, records)| (entry.label.as_str(), records.seeds.iter().filter_map(ranked).collect()))
        .collect();
    let mut all = Vec::new();
    for (entry, x) in &finals {
        for (over, y) in finals.iter().filter(|(over, _)| over != entry) {
            if let Some((probability, interval)) = bootstrap.improvement(x, y) {
                all.push(Improvement { entry: (*entry).to_owned(), over: (*over).to_owned(), probability, interval });
            }
        }
    }
    all
}

/// The mean over the last tenth of the points, rounded up; `None` without points.
fn mean_of_last_tenth(points: &[Point]) -> Option<f64> {
    let tail = &points[points.len() - points.len().div_ceil(10)..];
    (!tail.is_empty()).then(|| tail.iter().map(|point| point.value).sum::<f64>() / tail.len() as f64)
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
        let success = entry.success.unwrap();
        assert_eq!((success.count, success.of, success.share), (2, 4, 0.5));
        assert_eq!(Some(success.interval), wilson_interval(2, 4));
    }

    #[test]
    fn failed_and_diverged_seeds_count_as_no_success_and_have_no_part_in_the_means() {
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
        let success = entry.success.unwrap();
        assert_eq!((success.count, success.of), (1, 4));
    }

    #[test]
    fn nothing_is_said_about_success_without_a_best_known_return_or_an_evaluation() {
        let (mut manifest, mut metrics) = (example::manifest(&[1], &["a", "b"]), Metrics::new());
        manifest.entries[0].best_known = None;
        metrics.add("a", 1, 5, "mean_action_return", 10.0);
        metrics.add("b", 1, 5, "sampled_return", 10.0);
        let summary = summary(&manifest, &metrics);
        assert_eq!((summary.entries[0].success, summary.entries[1].success), (None, None));
    }

    #[test]
    fn the_place_decides_and_steps_to_success_are_those_of_the_evaluations() {
        let (mut manifest, mut metrics) = (example::manifest(&[1, 2, 3], &["a"]), Metrics::new());
        manifest.entries[0].best_known = Some(example::at_five());
        // Seed 1 is there from episode 10 on, seed 2 loses it, seed 3 has the return but not the place.
        for (seed, at) in [(1, [0.0, 5.2, 4.8]), (2, [5.0, 5.0, 0.0]), (3, [0.0, 0.0, 0.0])] {
            for (episode, action) in (5..).step_by(5).zip(at) {
                metrics.add("a", seed, episode, "mean_action_return", 10.0);
                metrics.add("a", seed, episode, "mean_action[0]", action);
            }
        }
        let entry = summary(&manifest, &metrics).entries.remove(0);
        let success = entry.success.unwrap();
        assert_eq!((success.count, success.of), (1, 3));
        assert_eq!(entry.steps_to_success.unwrap().by_seed, [Some(250), None, None]);
    }

    #[test]
    fn a_seed_that_failed_is_below_every_number() {
        let (mut manifest, mut metrics) = (example::manifest(&[1, 2], &["a", "b", "cell"]), Metrics::new());
        manifest.entries[0].failed_seeds.push(example::failed(2));
        manifest.entries[2].cell = Some(Cell { grid: "g".to_owned(), at: Vec::new() });
        for (entry, seed, end) in [("a", 1, 3.0), ("a", 2, 99.0), ("b", 1, 2.0), ("b", 2, f64::NAN), ("cell", 1, 0.0)] {
            metrics.add(entry, seed, 5, "mean_action_return", end);
        }
        let games = summary(&manifest, &metrics).games;
        let found = games[0].improvement.iter().map(|pair| (pair.entry.as_str(), pair.over.as_str(), pair.probability));
        // 3 is above both of b; the lost seeds tie: 2.5 of 4 pairs.
        assert_eq!(found.collect::<Vec<_>>(), [("a", "b", 0.625), ("b", "a", 0.375)]);
    }

    #[test]
    fn nash_conv_is_that_of_the_last_evaluation_and_a_bound_is_called_one() {
        let (manifest, mut metrics) = (example::manifest(&[1, 2], &["exact", "bound", "none"]), Metrics::new());
        for seed in [1, 2] {
            metrics.add_joint("exact", seed, 5, "nash_conv", 9.0);
            metrics.add_joint("exact", seed, 10, "nash_conv", seed as f64);
            metrics.add_joint("bound", seed, 10, "nash_conv_bound", 0.5);
        }
        let entries = summary(&manifest, &metrics).entries;
        let found = |at: usize| entries[at].nash_conv.as_ref().map(|conv| (conv.is_bound, conv.estimate.iqm));
        assert_eq!([found(0), found(1), found(2)], [Some((false, Some(1.5))), Some((true, Some(0.5))), None]);
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
