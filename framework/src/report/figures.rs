//! Which figures a report has: per game the learning curves, and one of all grids.
//!
//! Holds names, titles and captions; `curves.rs` and `grid.rs` have the numbers, `plot.rs` and `map.rs` draw them.

use std::path::Path;

use super::{
    curves::{self, Curve},
    distinct,
    error::ReportError,
    manifest::{EntryManifest, Manifest},
    map,
    plot::Figure,
    records::Records,
    stats::Bootstrap,
    summary::Summary,
};
use crate::record::short_slug;

/// A figure that was written.
pub(super) struct Drawn {
    /// Index of the game among the summary's; `None` for the maps of the grids.
    pub(super) game: Option<usize>,
    /// The file without its ending: there is an SVG and a PNG.
    pub(super) stem: String,
    /// What it shows.
    pub(super) what: &'static str,
}

/// Writes the figures into the results folder `dir`. Curves are of the entries that lie in no grid: those of a grid are
/// too many to be told apart, and have the map.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn write(
    dir: &Path,
    manifest: &Manifest,
    records: &Records,
    summary: &Summary,
) -> Result<Vec<Drawn>, ReportError> {
    let mut bootstrap = Bootstrap::default();
    let (sampled, bin) = curves::sampled(records, &mut bootstrap);
    let means = "Line: interquartile mean over n seeds; band: pointwise 95% bootstrap interval.";
    let bins = if bin > 1 { format!(" Each point averages {bin} successive episodes.") } else { String::new() };
    let shares = "Line: share of all n seeds whose evaluation is a success; band: pointwise 95% Wilson interval.";
    let kinds = [
        Kind {
            stem: "learning_curve",
            what: "Return of the mean actions",
            curves: curves::mean_action(records, &mut bootstrap),
            caption: format!("Evaluation of mean actions. {means}"),
            is_share: false,
        },
        Kind {
            stem: "sampled_return",
            what: "Return while sampling",
            curves: sampled,
            caption: format!("Training, actions sampled. {means}{bins}"),
            is_share: false,
        },
        Kind {
            stem: "successes",
            what: "Share of the seeds in success",
            curves: curves::successes(records, manifest),
            caption: format!("Evaluation of mean actions. {shares}"),
            is_share: true,
        },
    ];
    let mut drawn = Vec::new();
    for (at, game) in summary.games.iter().enumerate() {
        let is_shown = |entry: &&EntryManifest| entry.game == game.game && entry.cell.is_none();
        let entries: Vec<&EntryManifest> = manifest.entries.iter().filter(is_shown).collect();
        let (title, end) = match summary.games.len() {
            1 if game.game == manifest.run => (manifest.run.clone(), String::new()),
            1 => (format!("{}: {}", manifest.run, game.game), String::new()),
            _ => (
                format!("{}: {}", manifest.run, game.name),
                format!("-{}", short_slug(&game.name, &format!("game-{}", at + 1))),
            ),
        };
        for kind in &kinds {
            let of = |curve: &&Curve| entries.iter().any(|entry| entry.label == curve.label);
            let curves: Vec<Curve> = kind.curves.iter().filter(of).cloned().collect();
            if !curves.is_empty() {
                let stem = format!("{}{end}", kind.stem);
                kind.figure(&title, &entries, &curves, manifest.instances).write(&dir.join(&stem))?;
                drawn.push(Drawn { game: Some(at), stem, what: kind.what });
            }
        }
    }
    if !summary.maps.is_empty() {
        let stem = "success_map".to_owned();
        map::write(&dir.join(&stem), &manifest.run, &summary.maps)?;
        drawn.push(Drawn { game: None, stem, what: "Successes over grids of settings" });
    }
    Ok(drawn)
}

/// What all figures of one kind have in common.
struct Kind {
    stem: &'static str,
    what: &'static str,
    /// Of all entries of which there are any.
    curves: Vec<Curve>,
    caption: String,
    is_share: bool,
}

impl Kind {
    fn figure<'a>(
        &'a self,
        title: &'a str,
        entries: &[&'a EntryManifest],
        curves: &'a [Curve],
        instances: usize,
    ) -> Figure<'a> {
        let y_label = match distinct(entries.iter().map(|entry| entry.return_label.as_str()))[..] {
            _ if self.is_share => "share of seeds in success",
            [label] => label,
            _ => "return",
        };
        let best_known = distinct(entries.iter().filter_map(|entry| Some(entry.best_known.as_ref()?.value)));
        let note =
            if instances > 1 { format!(" Steps are those of each of {instances} instances.") } else { String::new() };
        Figure {
            title,
            x_label: "environment steps per seed",
            y_label,
            curves,
            best_known: if self.is_share { Vec::new() } else { best_known },
            y_range: self.is_share.then_some((0.0, 1.0)),
            caption: format!("{}{note}", self.caption),
        }
    }
}
