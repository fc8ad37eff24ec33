//! The closing table of a run in the terminal: per game, a line per entry, and what a reader of it must know.
//!
//! Holds layout and words; every number is from `summary.rs`. The details are in the Markdown summary (`markdown.rs`).

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle, Width,
};

use super::{
    distinct,
    format::{NONE, count, estimate, share_if_any, thousands},
    grid::Map,
    manifest::{BestKnown, Outcome},
    stats::RESAMPLES,
    summary::{EntrySummary, NashConv, Summary},
};
use crate::profile::Profile;

/// The terminal table's width in columns.
const WIDTH: u16 = 110;

/// Horizontal rules only, as in the tables of papers.
pub(crate) const RULES: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('─'))
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// A table per game and one per map with the lines that define their columns; ends with a line end. At most 110 columns
/// wide, unless the numbers alone take more than about 90. The cells of a grid are on its map only.
///
/// Long labels are wrapped within their cell. Widths are those of a terminal, so that any script stays aligned.
pub fn terminal(summary: &Summary) -> String {
    let mut tables = Vec::new();
    for game in &summary.games {
        let is_on_map = |entry: &&EntrySummary| entry.cell.is_some() && entry.best_known.is_some();
        let entries: Vec<_> = summary.entries_of(game).filter(|entry| !is_on_map(entry)).collect();
        if !entries.is_empty() {
            let name = if summary.games.len() > 1 { format!(" {}\n", game.name) } else { String::new() };
            tables.push(name + &table(&entries));
        }
    }
    tables.extend(summary.maps.iter().map(map_table));
    tables.extend(summary.profile.as_ref().map(profile_table));
    // A table of one column wraps the lines below at the same width.
    let mut below = Table::new();
    below.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    for line in lines(summary) {
        below.add_row([line]);
    }
    format!("{}{}\n", tables.join("\n"), below.trim_fmt())
}

/// The entries of one game.
fn table(entries: &[&EntrySummary]) -> String {
    let mut table = Table::new();
    // NashConv says more than the return while exploring, where there is one; the width is not enough for both.
    let nash_conv = nash_conv_header(entries);
    let fifth = nash_conv.unwrap_or("sampled return");
    table.set_header(["entry", "seeds", "success", "from step", "final return", fifth, "steps/s"]);
    for entry in entries {
        let fifth = match nash_conv {
            Some(_) => entry.nash_conv.as_ref().map_or_else(|| NONE.to_owned(), |conv| estimate(&conv.estimate)),
            None => estimate(&entry.sampled_return),
        };
        table.add_row([
            entry.label.clone(),
            seeds(entry),
            share_if_any(entry.success.as_ref()),
            median_steps(entry),
            estimate(&entry.final_return),
            fifth,
            speed(entry),
        ]);
    }
    ruled(table)
}

/// The seeds in success over a grid.
fn map_table(map: &Map) -> String {
    let mut table = Table::new();
    table.set_header(std::iter::once(map.corner()).chain(map.columns.values.iter().cloned()));
    for (name, cells) in map.named_rows() {
        let cells = cells.iter().map(|cell| cell.map_or_else(|| NONE.to_owned(), |cell| count(&cell)));
        table.add_row(std::iter::once(name.to_owned()).chain(cells));
    }
    ruled(table)
}

/// Where the time went.
fn profile_table(profile: &Profile) -> String {
    let mut table = Table::new();
    table.set_header(Profile::COLUMNS);
    table.add_rows(profile.rows());
    ruled(table)
}

/// The table in the common style, with its line end.
fn ruled(mut table: Table) -> String {
    table.load_style(RULES).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    // Only the label is wrapped: numbers in two lines are misread.
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((1, 0));
        if at == 0 {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(10)));
        } else {
            column.set_constraint(ColumnConstraint::ContentWidth).set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{}\n", table.trim_fmt())
}

/// The name of the column of NashConv; `None` when no entry has any.
pub(super) fn nash_conv_header(entries: &[&EntrySummary]) -> Option<&'static str> {
    let of: Vec<&NashConv> = entries.iter().filter_map(|entry| entry.nash_conv.as_ref()).collect();
    match of.iter().any(|conv| conv.is_bound) {
        _ if of.is_empty() => None,
        true => Some("NashConv (lower bound)"),
        false => Some("NashConv"),
    }
}

/// How many seeds there are, and how many of them did not fail.
pub(super) fn seeds(entry: &EntrySummary) -> String {
    match entry.failed_seeds.len() {
        0 => entry.seeds.to_string(),
        failed => format!("{} of {}", entry.seeds.saturating_sub(failed), entry.seeds),
    }
}

/// The median step from which on the seeds that succeed do.
pub(super) fn median_steps(entry: &EntrySummary) -> String {
    let median = entry.steps_to_success.as_ref().and_then(|steps| steps.median);
    median.map_or_else(|| NONE.to_owned(), thousands)
}

/// Environment steps per second.
pub(super) fn speed(entry: &EntrySummary) -> String {
    entry.steps_per_second.map_or_else(|| NONE.to_owned(), thousands)
}

/// The lines that define the columns, and what a reader of the numbers must know.
pub(super) fn lines(summary: &Summary) -> Vec<String> {
    let entries = &summary.entries;
    let returns = distinct(entries.iter().map(|entry| entry.return_label.as_str())).join(", ");
    let mut lines = vec![format!(
        "final return ({returns}, mean over the players): last evaluation, every player acting by its policy's mean. \
             sampled return: last tenth of the training episodes. Both are interquartile means over the seeds that did \
             not fail [95% percentile bootstrap interval, {} resamples].",
        thousands(RESAMPLES as f64)
    )];
    let best_known = distinct(entries.iter().filter_map(|entry| entry.best_known.as_ref()));
    for &best in &best_known {
        let of = if best_known.len() == 1 {
            String::new()
        } else {
            let games = summary
                .games
                .iter()
                .filter(|game| summary.entries_of(game).any(|entry| entry.best_known.as_ref() == Some(best)));
            format!(" in {}", games.map(|game| game.name.as_str()).collect::<Vec<_>>().join(", "))
        };
        lines.push(format!("success{of}: {}", criterion(best)));
    }
    if !best_known.is_empty() {
        lines.push(
            "from step: median, over the seeds that succeed, of the environment step from which on every evaluation is \
             a success."
                .to_owned(),
        );
    }
    if let Some(what) = nash_conv_header(&entries.iter().collect::<Vec<_>>()) {
        lines.push(format!(
            "{what}: what the players could gain at the last evaluation, each by itself, summed over the players; \
             interquartile mean over the seeds that did not fail."
        ));
        if entries.iter().filter_map(|entry| entry.nash_conv.as_ref()).any(|conv| conv.is_bound) {
            lines.push(format!(
                "lower bound: a grid and a local search, {} actions tried for each player (and step, where the game \
                 repeats one).",
                thousands(summary.budget.best_response as f64)
            ));
        }
    }
    for entry in entries {
        for failed in entry.failed_seeds.iter().take(3) {
            lines.push(format!(
                "failed: {}, seed {}, episode {}: {}",
                entry.label, failed.seed, failed.episode, failed.what
            ));
        }
        if entry.failed_seeds.len() > 3 {
            lines.push(format!("failed: {}, {} more seeds", entry.label, entry.failed_seeds.len() - 3));
        }
        for (name, value) in [("final", &entry.final_return), ("sampled", &entry.sampled_return)] {
            if value.not_finite > 0 {
                let seeds = if value.not_finite == 1 { "1 seed" } else { &format!("{} seeds", value.not_finite) };
                lines
                    .push(format!("{}: {seeds} left out of the {name} return, which is NaN or infinite.", entry.label));
            }
        }
    }
    if summary.outcome != Outcome::Done {
        let least = entries.iter().map(|entry| entry.episodes).min().unwrap_or(0);
        let outcome = summary.outcome.word();
        lines.push(format!(
            "The run's outcome is `{outcome}`; every seed that did not fail has at least {least} episodes."
        ));
    }
    lines.extend(summary.notes.iter().cloned());
    lines.extend(summary.profile.iter().map(Profile::sentence).filter(|sentence| !sentence.is_empty()));
    lines
}

/// What counts as a success, and what it is a share of.
fn criterion(best: &BestKnown) -> String {
    let BestKnown { value, tolerance, both_sides, source, place } = best;
    // Through f32's digits, so that 0.6 - 0.1 is 0.5 and not 0.49999999999999994.
    let (least, most) = ((value - tolerance) as f32, (value + tolerance) as f32);
    let what = match place {
        Some(place) => format!("whose last evaluation has every player's mean action {place}"),
        None if *both_sides => format!("with a final return between {least} and {most}"),
        None => format!("with a final return of at least {least}"),
    };
    format!("share of all seeds {what} [95% Wilson interval]; best known return {value} ({source}).")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{estimate::Share, example, grid::MapAxis},
        *,
    };
    use crate::run::Cell;

    #[test]
    fn the_terminal_table_is_aligned_and_at_most_110_wide() {
        // Each of the two characters of 算法 takes two columns.
        let long = "maddpg with a critic of four hundred and three hundred units, wide";
        let text = terminal(&example::summary(&["gpi", "算法", long]));
        let width = |line: &str| line.chars().map(|c| if c > '\u{2fff}' { 2 } else { 1 }).sum::<usize>();
        let rule = text.lines().next().unwrap();
        assert!(width(rule) <= 110, "{text}");
        for line in text.lines() {
            assert!(width(line) <= 110, "{text}");
        }
        let ends = |start: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(start)).unwrap();
            width(&line[..line.find("12,346").unwrap()])
        };
        assert_eq!(ends("gpi"), ends("算法"), "{text}");
        for expected in [
            "19 of 20",
            "9.8 [6.3, 9.8]",
            "17/20 85% [64, 95]",
            "5,000",
            "at least 9.5",
            "maximum of the reward",
            "seed 20",
        ] {
            assert!(text.contains(expected), "no {expected} in\n{text}");
        }
    }

    #[test]
    fn the_cells_of_a_grid_are_on_its_map_only() {
        let mut summary = example::summary(&["gpi", "cell"]);
        let axis = |parameter: &str, values: &[&str]| MapAxis {
            parameter: parameter.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        summary.entries[1].cell = Some(Cell { grid: "g".to_owned(), at: Vec::new() });
        summary.maps.push(Map {
            title: "g".to_owned(),
            rows: Some(axis("batch", &["64", "512"])),
            columns: axis("rate", &["0.01", "0.1"]),
            cells: vec![vec![Share::new(9, 10), None], vec![Share::new(0, 10), Share::new(10, 10)]],
        });
        let text = terminal(&summary);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for expected in [
            "g: batch by rate      0.01         0.1",
            "64                9/10 90%           -",
            "512                0/10 0%  10/10 100%",
        ] {
            assert!(lines.contains(&expected), "no {expected} in\n{text}");
        }
        assert!(!text.contains("cell "), "{text}");
    }

    #[test]
    fn each_game_has_a_table_and_its_own_criterion() {
        let mut summary = example::summary(&["a", "b"]);
        summary.games.push(summary.games[0].clone());
        for (game, name) in summary.games.iter_mut().zip(["one", "two"]) {
            game.name = name.to_owned();
        }
        summary.games[1].game = "other".to_owned();
        summary.entries[1].game = "other".to_owned();
        summary.entries[1].best_known = Some(example::at_five());
        let text = terminal(&summary);
        assert!(text.contains("success in one: share of all seeds with a final return of at least 9.5"), "{text}");
        assert!(text.contains("success in two: ") && text.contains("within 0.5 of (5, 5)"), "{text}");
        assert_eq!(text.matches("from step ").count(), 2, "{text}");
        let equilibrium = BestKnown { both_sides: true, place: None, ..example::at_five() };
        assert!(criterion(&equilibrium).contains("with a final return between 9.5 and 10.5"));
    }

    #[test]
    fn a_bound_of_nash_conv_is_told_with_what_was_spent_on_it() {
        let mut summary = example::summary(&["a", "b"]);
        assert!(!terminal(&summary).contains("lower bound"));
        let estimate = summary.entries[0].final_return.clone();
        summary.entries[0].nash_conv = Some(NashConv { is_bound: true, estimate });
        let text = terminal(&summary);
        assert!(text.contains("NashConv (lower bound)"), "{text}");
        assert!(text.contains("lower bound: a grid and a local search, 256 actions tried for each player"), "{text}");
    }
}
