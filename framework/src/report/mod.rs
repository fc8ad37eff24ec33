//! The report of a run: table, summary and figures, computed from the records on disk and from nothing else.
//!
//! # Layout
//!
//! A report is made in this order, which is also the order to read in: [`manifest`] says what the run is,
//! [`records`] reads its figures, [`success`] says which evaluations are one; [`stats`] has the statistics, [`estimate`]
//! what they are used for, [`settings`] what entries set differently, [`grid`] the maps of grids; [`summary`] puts them
//! together, [`table`] and `markdown` print that; [`curves`] reduces the seeds to learning curves, `figures` says which
//! figures there are, [`plot`] and `map` draw them. `format`, `axis` and `canvas` serve these.
//! [`drawings`] lets games draw pictures of their own.
//!
//! A report is deliberately no part of a running world: the same folder gives the same report, byte for byte, whoever
//! asks and whenever.

mod axis;
mod canvas;
pub mod curves;
pub mod drawings;
mod error;
pub mod estimate;
mod figures;
mod format;
pub mod grid;
pub mod manifest;
mod map;
mod markdown;
pub mod plot;
pub mod records;
pub mod settings;
pub mod stats;
pub mod success;
pub mod summary;
pub mod table;

#[cfg(test)]
mod example;

use std::path::Path;

pub use error::ReportError;
use manifest::{Manifest, replace};
use markdown::MARKDOWN_FILE;
use records::Records;
pub use summary::Summary;

/// Makes the report of the results folder `dir` from its `manifest.json` and `metrics.csv`: writes `summary.json`,
/// `summary.md`, and as SVG and PNG, per game, `learning_curve` (return of the mean actions, by evaluation),
/// `sampled_return` (return of the training episodes) and `successes` (share of the seeds), and `success_map` of all
/// grids. Replaces the files of an earlier report. [`table::terminal`] is the summary as text.
///
/// Works at any time after the run's start; unless its outcome is `done`, the report says so.
///
/// # Errors
/// When the manifest or the records cannot be read ([`Manifest::read`], [`Records::read`]) or a file cannot be written.
pub fn write_all(dir: &Path) -> Result<Summary, ReportError> {
    let manifest = Manifest::read(dir)?;
    let records = Records::read(dir, &manifest)?;
    let summary = Summary::new(&manifest, &records);
    summary.write(dir)?;
    let drawn = figures::write(dir, &manifest, &records, &summary)?;
    let path = dir.join(MARKDOWN_FILE);
    replace(&path, markdown::markdown(&summary, &drawn).as_bytes())
        .map_err(ReportError::io("write the summary", &path))?;
    Ok(summary)
}

/// The items, each different one once, in their order.
fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{example::Metrics, *};
    use crate::run::Cell;

    #[test]
    fn the_same_records_give_the_same_files_whatever_was_there_before() {
        let manifest = example::manifest(&[1, 2, 3], &["gpi", "ddpg"]);
        let mut metrics = Metrics::new();
        for seed in 1..=3 {
            for episode in 1..=20 {
                let value = f64::from(episode).sqrt() * seed as f64;
                metrics.add("gpi", seed, episode, "sampled_return", value);
                metrics.add("ddpg", seed, episode, "mean_action_return", -value);
            }
        }
        let make = || {
            let dir = tempfile::tempdir().unwrap();
            manifest.write(dir.path()).unwrap();
            metrics.write(dir.path());
            write_all(dir.path()).unwrap();
            dir
        };
        let files = |dir: &Path| {
            let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(dir)
                .unwrap()
                .map(|file| file.unwrap().path())
                .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
                .collect();
            files.sort();
            files
        };
        let first = make();
        let second = make();
        write_all(second.path()).unwrap();
        let (first, second) = (files(first.path()), files(second.path()));
        let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
        let curves = ["learning_curve.png", "learning_curve.svg"];
        let rest = ["manifest.json", "metrics.csv", "sampled_return.png", "sampled_return.svg"];
        let successes = ["successes.png", "successes.svg", "summary.json", "summary.md"];
        assert_eq!(names, [&curves[..], &rest, &successes].concat());
        assert!(first == second, "files differ between two reports of the same records");
        let markdown = String::from_utf8(first[9].1.clone()).unwrap();
        for figure in ["learning_curve", "sampled_return", "successes"] {
            assert!(markdown.contains(&format!("]({figure}.svg)")), "{markdown}");
        }
    }

    #[test]
    fn each_game_has_figures_and_grids_have_their_map() {
        let mut manifest = example::manifest(&[1, 2], &["gpi", "gpi unsquared", "g batch=64", "g batch=512"]);
        manifest.entries[1].game = "max_of_two(version:unsquared)".to_owned();
        let mut metrics = Metrics::new();
        for (at, entry) in manifest.entries.iter_mut().enumerate() {
            if let Some(("g", value)) = entry.label.split_once(" batch=") {
                entry.cell = Some(Cell { grid: "g".to_owned(), at: vec![("batch".to_owned(), value.to_owned())] });
            }
            for (seed, episode) in [(1, 5), (2, 5), (1, 10), (2, 10)] {
                metrics.add(&entry.label, seed, episode, "mean_action_return", at as f64);
            }
        }
        let dir = tempfile::tempdir().unwrap();
        manifest.write(dir.path()).unwrap();
        metrics.write(dir.path());
        write_all(dir.path()).unwrap();
        let markdown = fs::read_to_string(dir.path().join(MARKDOWN_FILE)).unwrap();
        for stem in
            ["learning_curve-max_of_two-version-printed", "successes-max_of_two-version-unsquared", "success_map"]
        {
            assert!(markdown.contains(&format!("]({stem}.svg)")), "{markdown}");
            assert!(dir.path().join(format!("{stem}.svg")).exists() && dir.path().join(format!("{stem}.png")).exists());
        }
        let figure = fs::read_to_string(dir.path().join("learning_curve-max_of_two-version-printed.svg")).unwrap();
        assert!(figure.contains("gpi (n = 2)") && !figure.contains("batch") && !figure.contains("gpi unsquared"));
    }
}
