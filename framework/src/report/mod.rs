//! The report of a run: table, summary and figures, computed from the records on disk and from nothing else.
//!
//! # Layout
//!
//! A report is made in this order, which is also the order to read in: [`manifest`] says what the run is,
//! [`records`] reads its returns, [`stats`] has the statistics, [`summary`] reduces each entry to one line, [`table`]
//! prints that, [`curves`] reduces the seeds to learning curves, [`plot`] draws them. `axis` and `canvas` serve `plot`.
//! [`drawings`] lets games draw pictures of their own.
//!
//! A report is deliberately no part of a running world: the same folder gives the same report, byte for byte, whoever
//! asks and whenever.

mod axis;
mod canvas;
pub mod curves;
pub mod drawings;
mod error;
pub mod manifest;
pub mod plot;
pub mod records;
pub mod stats;
pub mod summary;
pub mod table;

#[cfg(test)]
mod example;

use std::path::Path;

pub use error::ReportError;
use manifest::{Manifest, replace};
use plot::Figure;
use records::Records;
use stats::Bootstrap;
pub use summary::Summary;

/// Makes the report of the results folder `dir` from its `manifest.json` and `metrics.csv`: writes `summary.json`,
/// `summary.md`, `learning_curve.svg` and `.png` (return of the mean actions, by evaluation) and `sampled_return.svg`
/// and `.png` (return of the training episodes). Replaces the files of an earlier report. [`table::terminal`] is the
/// summary as text.
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
    write_figures(dir, &manifest, &records)?;
    let path = dir.join(table::MARKDOWN_FILE);
    replace(&path, table::markdown(&summary).as_bytes()).map_err(ReportError::io("write the summary", &path))?;
    Ok(summary)
}

fn write_figures(dir: &Path, manifest: &Manifest, records: &Records) -> Result<(), ReportError> {
    let mut bootstrap = Bootstrap::default();
    let mean_action = curves::mean_action(records, &mut bootstrap);
    let (sampled, bin) = curves::sampled(records, &mut bootstrap);
    let best_known: Vec<f64> =
        distinct(manifest.entries.iter().filter_map(|entry| Some(entry.best_known.as_ref()?.value)));
    let y_label = match distinct(manifest.entries.iter().map(|entry| entry.return_label.as_str()))[..] {
        [label] => label,
        _ => "return",
    };
    let games = distinct(manifest.entries.iter().map(|entry| entry.game.as_str()));
    let title = match games[..] {
        [game] if game != manifest.run => format!("{}: {game}", manifest.run),
        _ => manifest.run.clone(),
    };
    let means = "Line: interquartile mean over n seeds; band: pointwise 95% bootstrap interval.";
    let caption = format!("Evaluation of mean actions. {means}");
    Figure { title: &title, y_label, curves: &mean_action, best_known: &best_known, caption: &caption }
        .write(&dir.join("learning_curve"))?;
    let bins = if bin > 1 { format!(" Each point averages {bin} successive episodes.") } else { String::new() };
    let caption = format!("Training, actions sampled. {means}{bins}");
    Figure { title: &title, y_label, curves: &sampled, best_known: &best_known, caption: &caption }
        .write(&dir.join("sampled_return"))?;
    Ok(())
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
            let summary = write_all(dir.path()).unwrap();
            (dir, summary)
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
        let (first, summary) = make();
        let (second, _) = make();
        write_all(second.path()).unwrap();
        let (first, second) = (files(first.path()), files(second.path()));
        let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
        let figures = ["learning_curve.png", "learning_curve.svg"];
        let rest =
            ["manifest.json", "metrics.csv", "sampled_return.png", "sampled_return.svg", "summary.json", "summary.md"];
        assert_eq!(names, [&figures[..], &rest].concat());
        assert!(first == second, "files differ between two reports of the same records");
        let markdown = String::from_utf8(first[7].1.clone()).unwrap();
        assert_eq!(markdown, table::markdown(&summary));
        assert!(markdown.contains("](learning_curve.svg)"), "{markdown}");
    }
}
