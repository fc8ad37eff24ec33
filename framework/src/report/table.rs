//! The closing table: the summary as text for the terminal, and as Markdown (`summary.md`).
//!
//! Holds the layout and the words; every number is from `summary.rs`.

use std::fmt::Write;

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle, Width,
};

use super::{
    distinct,
    manifest::{BestKnown, Outcome},
    stats::{Interval, RESAMPLES},
    summary::{EntrySummary, Estimate, Share, Summary},
};

/// The Markdown summary's name in a results folder.
pub const MARKDOWN_FILE: &str = "summary.md";

/// The terminal table's width in columns.
const WIDTH: u16 = 100;

const HEADER: [&str; 6] = ["entry", "seeds", "final return", "sampled return", "reached", "steps/s"];

/// Horizontal rules only, as in the tables of papers.
pub(crate) const RULES: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('─'))
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// The table with the lines that define its columns; ends with a line end. At most 100 columns wide, unless the numbers
/// alone take more than about 80.
///
/// Long labels are wrapped within their cell. Widths are those of a terminal, so that any script stays aligned.
pub fn terminal(summary: &Summary) -> String {
    let mut table = Table::new();
    table.load_style(RULES).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(HEADER);
    for entry in &summary.entries {
        table.add_row(row(entry));
    }
    // Only the label is wrapped: numbers in two lines are misread.
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((1, 0));
        if at == 0 {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(10)));
        } else {
            column.set_constraint(ColumnConstraint::ContentWidth).set_cell_alignment(CellAlignment::Right);
        }
    }
    // A table of one column wraps the lines below at the same width.
    let mut below = Table::new();
    below.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    for line in lines(summary) {
        below.add_row([line]);
    }
    format!("{}\n{}\n", table.trim_fmt(), below.trim_fmt())
}

/// The same as Markdown, under the run's name and above its plots.
pub fn markdown(summary: &Summary) -> String {
    let mut text = format!("# {}\n\n", escape(&summary.run));
    let finished = summary.finished.as_ref().map_or(String::new(), |at| format!(", finished {}", at.utc));
    let Summary { id, created, outcome, .. } = summary;
    let outcome = outcome.word();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "Run `{id}`, started {}{finished}, {outcome}.\n", created.utc);
    let _ = writeln!(text, "| {} |\n|:---|---:|---:|---:|---:|---:|", HEADER.join(" | "));
    for entry in &summary.entries {
        let _ = writeln!(text, "| {} |", row(entry).map(|cell| escape(&cell)).join(" | "));
    }
    for line in lines(summary) {
        let _ = write!(text, "\n{}\n", escape(&line));
    }
    text += "\n![Return of the mean actions](learning_curve.svg)\n\n![Return while sampling](sampled_return.svg)\n";
    text
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

fn row(entry: &EntrySummary) -> [String; 6] {
    let seeds = match entry.failed_seeds.len() {
        0 => entry.seeds.to_string(),
        failed => format!("{} of {}", entry.seeds.saturating_sub(failed), entry.seeds),
    };
    [
        entry.label.clone(),
        seeds,
        estimate(&entry.final_return),
        estimate(&entry.sampled_return),
        entry.reached.as_ref().map_or_else(|| "-".to_owned(), share),
        entry.steps_per_second.map_or_else(|| "-".to_owned(), thousands),
    ]
}

/// The lines that define the columns, and what a reader of the numbers must know.
fn lines(summary: &Summary) -> Vec<String> {
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
            let labels = entries.iter().filter(|entry| entry.best_known.as_ref() == Some(best));
            format!(" for {}", labels.map(|entry| entry.label.as_str()).collect::<Vec<_>>().join(", "))
        };
        let BestKnown { value, tolerance, source } = best;
        lines.push(format!(
            "reached{of}: share of all seeds with a final return of at least {} [95% Wilson interval]; \
             best known {} ({source}), tolerance {}.",
            // Through f32's digits, so that 0.6 - 0.1 is 0.5 and not 0.49999999999999994.
            (value - tolerance) as f32,
            value,
            tolerance
        ));
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
    lines
}

/// `9.87 [9.50, 9.99]`: all three with the decimals that show two digits of a third of the interval's width, and at most four digits
/// of the largest; without an interval, or with an empty one, those four.
fn estimate(estimate: &Estimate) -> String {
    let Some(mean) = estimate.iqm else { return "-".to_owned() };
    let Interval { low, high } = estimate.interval.unwrap_or(Interval { low: mean, high: mean });
    let size = mean.abs().max(low.abs()).max(high.abs());
    let power = |value: f64| if value > 0.0 { value.log10().floor() } else { 0.0 };
    let most = 3.0 - power(size).max(0.0);
    let decimals = if high > low { most.min(1.0 - power((high - low) / 3.0)) } else { most }.max(0.0) as usize;
    let text = |value: f64| {
        if size != 0.0 && !(1e-3..1e5).contains(&size) {
            return format!("{value:.2e}");
        }
        let text = format!("{value:.decimals$}");
        // What rounds to zero has no sign.
        let zero = text.bytes().all(|byte| b"-0.".contains(&byte));
        if zero { text.replace('-', "") } else { text }
    };
    match estimate.interval {
        Some(_) => format!("{} [{}, {}]", text(mean), text(low), text(high)),
        None => text(mean),
    }
}

/// `18/20 90% [70, 97]`.
fn share(share: &Share) -> String {
    let Share { count, of, share, interval } = share;
    format!("{count}/{of} {:.0}% [{:.0}, {:.0}]", 100.0 * share, 100.0 * interval.low, 100.0 * interval.high)
}

/// A whole number with a comma before each group of three digits.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let groups = digits.as_bytes().rchunks(3).rev();
    sign.to_owned() + &groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            example::{self, Metrics},
            records::Records,
        },
        *,
    };

    fn summary(labels: &[&str]) -> Summary {
        let seeds: Vec<u64> = (1..=20).collect();
        let (mut manifest, mut metrics) = (example::manifest(&seeds, labels), Metrics::new());
        manifest.entries[0].failed_seeds.push(example::failed(20));
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

    #[test]
    fn the_terminal_table_is_aligned_and_at_most_100_wide() {
        // Each of the two characters of 算法 takes two columns.
        let long = "maddpg with a critic of four hundred and three hundred units, wide";
        let text = terminal(&summary(&["gpi", "算法", long]));
        let width = |line: &str| line.chars().map(|c| if c > '\u{2fff}' { 2 } else { 1 }).sum::<usize>();
        let rule = text.lines().next().unwrap();
        assert!(width(rule) <= 100, "{text}");
        for line in text.lines() {
            assert!(width(line) <= 100, "{text}");
        }
        let ends = |start: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(start)).unwrap();
            width(&line[..line.find("12,346").unwrap()])
        };
        assert_eq!(ends("gpi"), ends("算法"), "{text}");
        for expected in
            ["19 of 20", "9.8 [6.3, 9.8]", "17/20 85% [64, 95]", "at least 9.5", "maximum of the reward", "seed 20"]
        {
            assert!(text.contains(expected), "no {expected} in\n{text}");
        }
    }

    #[test]
    fn markdown_has_a_cell_per_column_whatever_the_label() {
        let text = markdown(&summary(&["a|b *c* <d>", "plain"]));
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 4);
        for row in rows {
            assert_eq!(row.replace("\\|", "").matches('|').count(), HEADER.len() + 1, "{row}");
        }
        assert!(text.contains("a\\|b \\*c\\* \\<d\\>"));
    }

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let shown = |mean: f64, low: f64, high: f64| {
            estimate(&Estimate { iqm: Some(mean), interval: Some(Interval { low, high }), n: 2, not_finite: 0 })
        };
        assert_eq!(shown(9.8734, 9.5, 9.99), "9.87 [9.50, 9.99]");
        assert_eq!(shown(-1234.5, -2000.0, 3.0), "-1234 [-2000, 3]");
        assert_eq!(shown(10.0, 10.0, 10.0), "10.00 [10.00, 10.00]");
        assert_eq!(shown(-0.001, -0.3, 0.2), "0.00 [-0.30, 0.20]");
        assert_eq!(shown(123.456, 123.455, 123.457), "123.5 [123.5, 123.5]");
        assert_eq!(shown(-3.2e9, -4e9, 1.0), "-3.20e9 [-4.00e9, 1.00e0]");
        assert_eq!(shown(2e-7, 1e-7, 3e-7), "2.00e-7 [1.00e-7, 3.00e-7]");
        assert_eq!(estimate(&Estimate { iqm: Some(0.5), interval: None, n: 1, not_finite: 0 }), "0.500");
        assert_eq!(estimate(&Estimate { iqm: None, interval: None, n: 0, not_finite: 3 }), "-");
        assert_eq!([thousands(0.4), thousands(999.6), thousands(-1234567.0)], ["0", "1,000", "-1,234,567"]);
    }
}
