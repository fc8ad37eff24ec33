//! Small made-up runs for the tests of the report.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use super::{
    manifest::{BestKnown, EntryManifest, FailedSeed, Host, Manifest, Moment, Outcome, PluginManifest},
    records::{Records, SeedRecords, Track},
    summary::Summary,
};
use crate::game::Place;
use crate::record::{COLUMNS, METRICS_FILE};

/// A finished run with these seeds and entry labels. Every entry plays a game whose best known return is 10.
pub fn manifest(seeds: &[u64], labels: &[&str]) -> Manifest {
    let entry = |label: &&str| EntryManifest {
        label: (*label).to_owned(),
        algorithms: vec!["gpi".to_owned(); 2],
        parameters: vec!["(batch:512)".to_owned(); 2],
        game: "max_of_two(version:printed)".to_owned(),
        cell: None,
        return_label: "return per step".to_owned(),
        best_known: Some(BestKnown {
            value: 10.0,
            tolerance: 0.5,
            both_sides: false,
            source: "maximum of the reward".to_owned(),
            place: None,
        }),
        failed_seeds: Vec::new(),
        steps_per_second: Some(12_345.6),
        busy_seconds: 8.1,
    };
    Manifest {
        run: "differential game".to_owned(),
        id: "2026-01-31-090500".to_owned(),
        created: Moment::from_unix(1_769_850_300),
        finished: Some(Moment::from_unix(1_769_850_400)),
        outcome: Outcome::Done,
        version: "0.1.0".to_owned(),
        build: "0123abcd".to_owned(),
        host: Host { cores: 2, os: "linux x86_64".to_owned() },
        run_seed: 1,
        seeds: seeds.to_vec(),
        episodes: 200,
        steps: 25,
        instances: 1,
        evaluate_every: 5,
        best_response: 256,
        command: vec!["equiflow".to_owned(), "run".to_owned(), "runs/differential_game.ron".to_owned()],
        plugins: vec![PluginManifest { name: "gpi".into(), file: "libgpi.so".into(), build: "4567cdef".into() }],
        entries: labels.iter().map(entry).collect(),
        profile: None,
    }
}

/// A best known return of 10 at (5, 5), each player within 0.5.
pub fn at_five() -> BestKnown {
    let place = Some(Place { action: vec![vec![5.0]; 2], within: 0.5 });
    BestKnown { value: 10.0, tolerance: 0.5, both_sides: false, source: "the top of the hill".to_owned(), place }
}

/// A seed without records.
pub fn seed(seed: u64) -> SeedRecords {
    SeedRecords {
        seed,
        failed: false,
        sampled: Track::default(),
        mean_action: Track::default(),
        nash_conv: Track::default(),
        nash_conv_bound: Track::default(),
        joint_actions: BTreeMap::new(),
    }
}

/// A failure of `seed`.
pub fn failed(seed: u64) -> FailedSeed {
    FailedSeed { seed, episode: 3, step: 75, what: "the critic's loss is NaN".to_owned() }
}

/// `metrics.csv`, made row by row.
pub struct Metrics(String);

impl Metrics {
    pub fn new() -> Self {
        Self(COLUMNS.join(",") + "\n")
    }

    /// One value of both players of (entry, seed) after `episode` episodes of 25 steps.
    pub fn add(&mut self, entry: &str, seed: u64, episode: u32, metric: &str, value: f64) {
        for player in 0..2 {
            let step = episode * 25;
            writeln!(self.0, "\"{entry}\",gpi,game,{player},{seed},{episode},{step},{metric},{value}").unwrap();
        }
    }

    /// One value of all players together.
    pub fn add_joint(&mut self, entry: &str, seed: u64, episode: u32, metric: &str, value: f64) {
        let step = episode * 25;
        writeln!(self.0, "\"{entry}\",gpi,game,,{seed},{episode},{step},{metric},{value}").unwrap();
    }

    pub fn write(&self, dir: &Path) {
        fs::write(dir.join(METRICS_FILE), &self.0).unwrap();
    }
}

/// The summary of a run of 20 seeds with these entries, of which the first has a failed seed: each ends 10 lower than
/// the one before, but for two seeds that end far below.
pub fn summary(labels: &[&str]) -> Summary {
    let seeds: Vec<u64> = (1..=20).collect();
    let (mut manifest, mut metrics) = (manifest(&seeds, labels), Metrics::new());
    manifest.entries[0].failed_seeds.push(failed(20));
    for (at, label) in labels.iter().enumerate() {
        for &seed in &seeds {
            let end = if seed > 2 { 9.8 - 10.0 * at as f64 } else { -123.456 };
            metrics.add(label, seed, 200, "mean_action_return", end);
            metrics.add(label, seed, 200, "sampled_return", end / 2.0);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    metrics.write(dir.path());
    Summary::new(&manifest, &Records::read(dir.path(), &manifest).unwrap())
}
