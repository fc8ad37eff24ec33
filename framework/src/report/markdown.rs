//! `summary.md`: the summary with its tables and figures, in a form that can be quoted.
//!
//! Holds layout and words; every number is from `summary.rs`.

use std::fmt::Write;

use super::{
    figures::Drawn,
    format::{NONE, estimate, number, probability, share, share_if_any, thousands},
    grid::Map,
    stats::RESAMPLES,
    summary::{Budget, EntrySummary, GameSummary, Improvement, Summary},
    table::{lines, median_steps, nash_conv_header, seeds, speed},
};
use crate::profile::Profile;

/// The Markdown summary's name in a results folder.
pub const MARKDOWN_FILE: &str = "summary.md";

/// The summary under the run's name, and the figures that were drawn of it.
pub(super) fn markdown(summary: &Summary, figures: &[Drawn]) -> String {
    let Summary { run, id, created, outcome, budget, .. } = summary;
    let finished = summary.finished.as_ref().map_or(String::new(), |at| format!(", finished {}", at.utc));
    let mut text = format!("# {}\n\n", escape(run));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "Run `{id}`, started {}{finished}, {}.\n", created.utc, outcome.word());
    let _ = writeln!(text, "{}", budget_line(budget));
    for (at, game) in summary.games.iter().enumerate() {
        if summary.games.len() > 1 {
            let _ = write!(text, "\n## {}\n", escape(&game.name));
        }
        let entries: Vec<&EntrySummary> = summary.entries_of(game).collect();
        text += &results(&entries);
        text += &successes(&entries);
        text += &spreads(&entries);
        text += &improvements(&entries, &game.improvement);
        text += &settings(game);
        for drawn in figures.iter().filter(|drawn| drawn.game == Some(at)) {
            text += &figure(drawn);
        }
    }
    if !summary.maps.is_empty() {
        text += "\n## Successes over grids\n";
        text += &summary.maps.iter().map(map).collect::<String>();
        for drawn in figures.iter().filter(|drawn| drawn.game.is_none()) {
            text += &figure(drawn);
        }
    }
    if let Some(profile) = &summary.profile {
        text += "\n## Where the time went\n";
        text += &table(&Profile::COLUMNS, profile.rows().into_iter().map(Vec::from));
    }
    text += "\n## What the numbers are\n";
    for line in lines(summary).into_iter().chain(further_lines()) {
        let _ = write!(text, "\n* {}\n", escape(&line));
    }
    text
}

fn figure(drawn: &Drawn) -> String {
    format!("\n![{}]({}.svg)\n", drawn.what, drawn.stem)
}

fn budget_line(budget: &Budget) -> String {
    let Budget { episodes, steps, instances, evaluate_every, .. } = budget;
    let instances = if *instances == 1 { String::new() } else { format!(" in each of {instances} instances") };
    format!(
        "The same for every entry: {} episodes of {steps} steps per seed, that is {} environment steps{instances}; an \
         evaluation every {evaluate_every} episodes.",
        thousands(f64::from(*episodes)),
        thousands(budget.all_steps() as f64),
    )
}

/// A table with the first column to the left and the others to the right.
fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let row = |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut text = format!("\n{}", row(&mut header.iter().map(|cell| escape(cell))));
    text += &format!("|:---|{}\n", "---:|".repeat(header.len() - 1));
    for cells in rows {
        text += &row(&mut cells.iter().map(|cell| escape(cell)));
    }
    text
}

fn results(entries: &[&EntrySummary]) -> String {
    let mut header = vec!["entry", "seeds", "success", "final return", "sampled return"];
    let nash_conv = nash_conv_header(entries);
    header.extend(nash_conv);
    header.push("steps/s");
    let row = |entry: &&EntrySummary| {
        let mut cells = vec![
            entry.label.clone(),
            seeds(entry),
            share_if_any(entry.success.as_ref()),
            estimate(&entry.final_return),
            estimate(&entry.sampled_return),
        ];
        if nash_conv.is_some() {
            cells.push(entry.nash_conv.as_ref().map_or_else(|| NONE.to_owned(), |conv| estimate(&conv.estimate)));
        }
        cells.push(speed(entry));
        cells
    };
    table(&header, entries.iter().map(row))
}

/// From which steps on success holds; nothing for games that do not define it.
fn successes(entries: &[&EntrySummary]) -> String {
    let Some(steps) = entries.iter().find_map(|entry| entry.steps_to_success.as_ref()) else { return String::new() };
    let holds = steps.holds_from.iter().map(|held| format!("holds from {}", thousands(held.step as f64)));
    let header: Vec<String> = ["entry", "median step"].map(str::to_owned).into_iter().chain(holds).collect();
    let row = |entry: &&EntrySummary| {
        let held = entry.steps_to_success.iter().flat_map(|steps| &steps.holds_from).map(|held| share(&held.share));
        let mut cells: Vec<String> = [entry.label.clone(), median_steps(entry)].into_iter().chain(held).collect();
        cells.resize(header.len(), NONE.to_owned());
        cells
    };
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    format!("\nSteps to success\n{}", table(&header, entries.iter().map(row)))
}

fn spreads(entries: &[&EntrySummary]) -> String {
    let row = |entry: &&EntrySummary| {
        let spread = &entry.spread;
        vec![
            entry.label.clone(),
            estimate(&spread.total_variation),
            estimate(&spread.along),
            number(spread.across, spread.across_interval),
        ]
    };
    let header = ["entry", "total variation along a run", "deviation along a run", "deviation across runs"];
    format!("\nSmoothness of the mean-action return\n{}", table(&header, entries.iter().map(row)))
}

/// The matrix of a game; nothing for fewer than two entries to compare.
fn improvements(entries: &[&EntrySummary], pairs: &[Improvement]) -> String {
    let compared = |label: &str| pairs.iter().any(|pair| pair.entry == label);
    let labels: Vec<&str> = entries.iter().map(|entry| entry.label.as_str()).filter(|label| compared(label)).collect();
    if labels.is_empty() {
        return String::new();
    }
    let cell = |entry: &str, over: &str| {
        let pair = pairs.iter().find(|pair| pair.entry == entry && pair.over == over);
        pair.map_or_else(String::new, |pair| probability(pair.probability, pair.interval))
    };
    let row = |entry: &&str| {
        let cells = labels.iter().map(|over| cell(entry, over));
        std::iter::once((*entry).to_owned()).chain(cells).collect()
    };
    let header: Vec<&str> = std::iter::once("row over column").chain(labels.iter().copied()).collect();
    format!("\nProbability of improvement\n{}", table(&header, labels.iter().map(row)))
}

fn settings(game: &GameSummary) -> String {
    let settings = &game.settings;
    let mut text = String::new();
    if !settings.different.is_empty() {
        let header: Vec<&str> = std::iter::once("setting").chain(settings.columns.iter().map(String::as_str)).collect();
        let rows = settings.different.iter();
        let rows = rows.map(|row| std::iter::once(&row.name).chain(&row.values).cloned().collect());
        text += &format!("\nSettings that differ\n{}", table(&header, rows));
    }
    if !settings.alike.is_empty() {
        let alike = settings.alike.iter().map(|(name, value)| format!("{name} {value}"));
        let whose = if settings.columns.len() > 1 { "The same in all" } else { "Settings" };
        text += &format!("\n{whose}: {}.\n", escape(&alike.collect::<Vec<_>>().join(", ")));
    }
    text
}

fn map(map: &Map) -> String {
    let corner = map.corner();
    let header: Vec<&str> =
        std::iter::once(corner.as_str()).chain(map.columns.values.iter().map(String::as_str)).collect();
    let rows = map.named_rows().map(|(name, cells)| {
        std::iter::once(name.to_owned()).chain(cells.iter().map(|cell| share_if_any(cell.as_ref()))).collect()
    });
    table(&header, rows)
}

/// The lines that define what the terminal does not show.
fn further_lines() -> [String; 3] {
    let resamples = thousands(RESAMPLES as f64);
    [
        "holds from: share of all seeds of which every evaluation from that environment step on is a success [95% Wilson \
         interval]."
            .to_owned(),
        format!(
            "total variation along a run: sum of the absolute differences between successive evaluations of a seed; \
             deviation along a run: standard deviation over the second half of a seed's evaluations; both as \
             interquartile means over the seeds. deviation across runs: standard deviation of the final returns over the \
             seeds [95% percentile bootstrap intervals, {resamples} resamples]."
        ),
        format!(
            "probability of improvement: P(X > Y) + P(X = Y) / 2 of the final returns X of a seed of the row and Y of one \
             of the column; a seed that failed is below every number [95% percentile bootstrap interval, {resamples} \
             resamples]. Entries of grids are left out."
        ),
    ]
}

/// Keeps text from being read as Markdown or HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => escaped.push(' '),
            '|' | '*' | '_' | '`' | '<' | '>' | '\\' | '[' | ']' | '#' | '~' => escaped.extend(['\\', character]),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{super::example, *};

    #[test]
    fn tables_have_a_cell_per_column_whatever_the_label() {
        let text = markdown(&example::summary(&["a|b *c* <d>", "plain"]), &[]);
        for part in text.split("\n\n").filter(|part| part.contains("|:---|")) {
            let counts: Vec<_> = part
                .lines()
                .filter(|line| line.starts_with('|'))
                .map(|row| row.replace("\\|", "").matches('|').count())
                .collect();
            assert!(counts.len() >= 4 || part.contains("setting"), "{part}");
            assert!(counts.iter().all(|count| *count == counts[0]), "{part}");
        }
        assert!(text.contains("a\\|b \\*c\\* \\<d\\>"));
    }

    #[test]
    fn the_whole_summary_reads_like_this() {
        let mut summary = example::summary(&["gpi", "ddpg"]);
        summary.games[0].settings.different.push(super::super::settings::Setting {
            name: "opponent_reward".to_owned(),
            values: vec!["observed".to_owned(), "-".to_owned()],
        });
        let drawn = Drawn { game: Some(0), stem: "learning_curve".to_owned(), what: "Return" };
        insta::assert_snapshot!(markdown(&summary, &[drawn]));
    }
}
