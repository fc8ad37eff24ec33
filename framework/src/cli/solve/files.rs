//! The path of logit equilibria as CSV and as a figure, and the whole solution as JSON.

use std::io;
use std::path::Path;

use super::analysis::{Analysis, Lqre};
use crate::report::curves::{Curve, CurvePoint};
use crate::report::plot::Figure;

/// Most lines of the figure.
const LINES: usize = 14;

/// Writes the files into the folder, which is made.
pub(super) fn write(folder: &Path, analysis: &Analysis) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("solution.json"), format!("{:#}\n", serde_json::json!(analysis)))?;
    let Ok(lqre) = &analysis.lqre else { return Ok(()) };
    csv(&folder.join("lqre.csv"), analysis, lqre)?;
    figure(&folder.join("lqre"), analysis, lqre)
}

/// The actions in the profile's order: player, state, action.
fn actions(analysis: &Analysis) -> impl Iterator<Item = (&str, &str, &str)> {
    analysis.players.iter().flat_map(|player| {
        let states = analysis.states.iter().zip(&player.actions);
        states.flat_map(|(state, actions)| {
            actions.iter().map(|action| (player.name.as_str(), state.as_str(), action.as_str()))
        })
    })
}

/// One row per point of the path and action.
fn csv(path: &Path, analysis: &Analysis, lqre: &Lqre) -> io::Result<()> {
    let mut file = csv::Writer::from_path(path)?;
    file.write_record(["point", "lambda", "player", "state", "action", "probability"])?;
    for (number, point) in lqre.path.points.iter().enumerate() {
        for ((player, state, action), probability) in actions(analysis).zip(&point.profile.values) {
            let (number, lambda) = (number.to_string(), point.lambda.to_string());
            file.write_record([&number, &lambda, player, state, action, &probability.to_string()])?;
        }
    }
    file.flush()
}

fn figure(stem: &Path, analysis: &Analysis, lqre: &Lqre) -> io::Result<()> {
    let one_state = analysis.states.len() == 1;
    let label = |(player, state, action): (&str, &str, &str)| match one_state {
        true => format!("{player}: {action}"),
        false => format!("{player} in {state}: {action}"),
    };
    let all = actions(analysis).count();
    let curve = |(at, action)| Curve {
        label: label(action),
        seeds: 0,
        points: (lqre.path.points.iter())
            .map(|point| CurvePoint { x: point.lambda, y: Some(point.profile.values[at]), band: None })
            .collect(),
    };
    let curves: Vec<_> = actions(analysis).enumerate().take(LINES).map(curve).collect();
    let mut caption = format!("Logit equilibria on the path from lambda 0; {}.", lqre.end);
    if all > curves.len() {
        caption += &format!(" The first {LINES} of {all} actions; lqre.csv has all.");
    }
    for (what, lambdas) in [("Folds", &lqre.folds), ("Other branches cross", &lqre.bifurcations)] {
        if !lambdas.is_empty() {
            let lambdas: Vec<_> = lambdas.iter().map(|lambda| format!("{lambda:.4}")).collect();
            caption += &format!(" {what} at lambda {}.", lambdas.join(", "));
        }
    }
    let title = if analysis.title.is_empty() { &analysis.name } else { &analysis.title };
    let figure = Figure {
        title,
        x_label: "lambda",
        y_label: "probability",
        curves: &curves,
        best_known: Vec::new(),
        y_range: None,
        caption,
    };
    figure.write(stem).map_err(io::Error::other).map(|_| ())
}
