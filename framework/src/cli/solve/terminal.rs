//! The solution as text for a terminal.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table};

use super::analysis::{Analysis, Dominance, Examined, Lqre, OneShot, PotentialFound};
use crate::report::table::RULES;

/// Larger tables and longer lists are cut.
const MOST_ROWS: usize = 20;
const MOST_COLUMNS: usize = 8;

/// Everything, ends with a line end.
pub(super) fn text(analysis: &Analysis) -> String {
    let mut text = String::new();
    head(&mut text, analysis);
    if let Some(one_shot) = &analysis.one_shot {
        payoffs(&mut text, analysis, one_shot);
        dominance(&mut text, one_shot);
        equilibria(&mut text, analysis, one_shot);
        potential(&mut text, &one_shot.potential);
    }
    // Writing to a String cannot fail, here and below.
    for cycles in &analysis.policy_cycles {
        let verdict = match cycles.violation {
            0.0 => "none of them with a sum other than 0".to_owned(),
            violation => {
                format!("no potential: a sum of {violation:.6} ({:.1}% of the values' range)", 100.0 * cycles.relative)
            }
        };
        let _ = writeln!(text, "policy cycles, values of {}: {} tried, {verdict}", cycles.values, cycles.cycles);
    }
    match &analysis.optimum {
        Ok(optimum) => {
            let _ = write!(text, "social optimum: welfare {}", number(optimum.welfare));
            if let [actions] = &optimum.actions[..] {
                let _ = write!(text, " at ({})", actions.join(", "));
            }
            let _ = writeln!(text, ", residual {:.1e}", optimum.residual);
        }
        Err(what) => {
            let _ = writeln!(text, "social optimum: {what}");
        }
    }
    text += "\nprofiles\n";
    text += &table(analysis, &["profile"], analysis.profiles.iter().map(|one| (vec![one.name.clone()], one)));
    match &analysis.lqre {
        Ok(found) => lqre(&mut text, analysis, found),
        Err(what) => {
            let _ = writeln!(text, "\nlogit equilibria: {what}");
        }
    }
    text
}

fn head(text: &mut String, analysis: &Analysis) {
    let _ = writeln!(text, "{}", analysis.name);
    if !analysis.title.is_empty() {
        let _ = writeln!(text, "{}", analysis.title);
    }
    let sizes: Vec<_> = analysis.players.iter().map(|player| player.actions[0].len().to_string()).collect();
    match analysis.one_shot {
        Some(_) => {
            let _ = writeln!(text, "one-shot game of {} players, {} strategies", sizes.len(), sizes.join(" x "));
        }
        None => {
            let states = analysis.states.len();
            let _ = writeln!(
                text,
                "Markov game of {} players, {states} states, discount {}",
                sizes.len(),
                analysis.discount
            );
        }
    }
}

fn payoffs(text: &mut String, analysis: &Analysis, one_shot: &OneShot) {
    let (names, players) = (|player: usize| &analysis.players[player].actions[0], analysis.players.len());
    match &one_shot.payoffs {
        Some(payoffs) if players == 2 && names(0).len() <= MOST_ROWS && names(1).len() <= MOST_COLUMNS => {
            let mut table = plain();
            table.set_header(std::iter::once(String::new()).chain(names(1).iter().cloned()));
            for (row, name) in names(0).iter().enumerate() {
                let cell = |column: usize| {
                    let at = row * names(1).len() + column;
                    format!("{}, {}", payoffs[0][at], payoffs[1][at])
                };
                table.add_row(std::iter::once(name.clone()).chain((0..names(1).len()).map(cell)));
            }
            let _ = writeln!(
                text,
                "\npayoffs ({}, {})\n{}\n",
                analysis.players[0].name,
                analysis.players[1].name,
                table.trim_fmt()
            );
        }
        _ => {
            let _ = writeln!(text, "{} payoffs (--json has them up to 10,000)\n", analysis.payoff_count);
        }
    }
    let kind = if one_shot.exact { "exact" } else { "rounded" };
    let sum = one_shot.constant_sum.map_or("no constant sum".to_owned(), |sum| format!("constant sum {}", number(sum)));
    let _ = writeln!(text, "payoffs: {kind}, {sum}");
}

fn dominance(text: &mut String, one_shot: &OneShot) {
    let list = |found: &[Dominance], rounds: bool| {
        let one = |found: &Dominance| {
            let round = if rounds { format!(" in round {}", found.round) } else { String::new() };
            format!("{}: {} by {}{round}", found.player, found.strategy, found.by)
        };
        if found.is_empty() { "none".to_owned() } else { cut(found.iter().map(one), "; ") }
    };
    let _ = writeln!(text, "strictly dominated (by pure strategies): {}", list(&one_shot.strictly_dominated, true));
    let _ = writeln!(text, "weakly dominated (by pure strategies): {}", list(&one_shot.weakly_dominated, false));
}

fn equilibria(text: &mut String, analysis: &Analysis, one_shot: &OneShot) {
    let pure = one_shot.pure_equilibria.iter().map(|names| format!("({})", names.join(", ")));
    let list = if one_shot.pure_equilibria.is_empty() { "none".to_owned() } else { cut(pure, " ") };
    let _ = writeln!(text, "pure equilibria: {} {list}", one_shot.pure_equilibria.len());
    match &one_shot.extreme_equilibria {
        Ok(mixed) => {
            let complete = if mixed.complete { "all" } else { "not all, the time was up" };
            let _ = writeln!(text, "\nextreme equilibria, mixed or pure: {} ({complete})", mixed.equilibria.len());
            let numbered = mixed.equilibria.iter().enumerate().map(|(at, one)| (vec![(at + 1).to_string()], one));
            *text += &table(analysis, &[""], numbered);
        }
        Err(what) => {
            let _ = writeln!(text, "mixed equilibria: {what}");
        }
    }
}

fn potential(text: &mut String, found: &PotentialFound) {
    let how = if found.exact { "" } else { " up to rounding" };
    match (&found.values, &found.witness) {
        (Some(values), _) => {
            let values = values.iter().map(|value| number(*value));
            let _ = writeln!(text, "exact potential{how}: yes, {}", cut(values, " "));
        }
        (None, Some(witness)) => {
            let cells: Vec<_> = witness.iter().map(|names| format!("({})", names.join(", "))).collect();
            let _ = writeln!(
                text,
                "exact potential: no; the gains along {} and back sum to {}",
                cells.join(" "),
                number(found.violation)
            );
        }
        (None, None) => {}
    }
}

fn lqre(text: &mut String, analysis: &Analysis, found: &Lqre) {
    let values = match (analysis.one_shot.is_some(), found.own_entropy) {
        (true, _) => "",
        (false, true) => " (values with own entropy / lambda)",
        (false, false) => " (values of rewards)",
    };
    let _ = writeln!(text, "\nlogit equilibria{values}");
    let rows = found.equilibria.iter().map(|one| {
        let lambda = match one.passes {
            0 => one.lambda.to_string(),
            passes => format!("{} again ({passes})", one.lambda),
        };
        (vec![lambda, format!("{:.1e}", one.logit_residual)], &one.examined)
    });
    *text += &table(analysis, &["lambda", "off the logit response"], rows);
    let list = |lambdas: &[f64]| match lambdas {
        [] => "none".to_owned(),
        some => cut(some.iter().map(|lambda| format!("{lambda:.6}")), ", "),
    };
    let _ = writeln!(
        text,
        "path: {} points, {}; folds: {}; other branches cross at: {}",
        found.path.points.len(),
        found.end,
        list(&found.folds),
        list(&found.bifurcations)
    );
}

/// One row per profile: what is given first, then payoffs, NashConv, its residual, and the profile where it is short.
fn table<'a>(analysis: &Analysis, first: &[&str], rows: impl Iterator<Item = (Vec<String>, &'a Examined)>) -> String {
    let layout = analysis.table.layout();
    let wide = layout.len() > 12;
    let mut table = plain();
    let rest = ["payoffs", "NashConv", "residual"];
    let header = first.iter().chain(&rest).map(|name| (*name).to_owned());
    table.set_header(header.chain((!wide).then(|| "profile".to_owned())));
    let mut left = 0;
    for (number_of, (mut cells, one)) in rows.enumerate() {
        if number_of >= MOST_ROWS {
            left += 1;
            continue;
        }
        let payoffs: Vec<_> = one.payoffs.iter().take(MOST_COLUMNS).map(|payoff| number(*payoff)).collect();
        cells.extend([payoffs.join(" "), format!("{:.4e}", one.nash_conv), format!("{:.1e}", one.residual)]);
        if !wide {
            let part = |range: std::ops::Range<usize>| {
                one.profile[range].iter().map(|p| format!("{p:.4}")).collect::<Vec<_>>().join(" ")
            };
            let parts = (0..layout.players()).flat_map(|player| (0..layout.states()).map(move |state| (player, state)));
            let parts: Vec<_> = parts.map(|(player, state)| part(layout.range(player, state))).collect();
            cells.push(parts.join(" | "));
        }
        table.add_row(cells);
    }
    let more = if left > 0 { format!("and {left} more (--json has all)\n") } else { String::new() };
    format!("{}\n{more}", table.trim_fmt())
}

/// A table with rules; numbers to the right.
fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(RULES);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The first items of a long list.
fn cut(items: impl Iterator<Item = String>, between: &str) -> String {
    let items: Vec<_> = items.collect();
    let shown = items.iter().take(MOST_ROWS).cloned().collect::<Vec<_>>().join(between);
    if items.len() > MOST_ROWS { format!("{shown}{between}... ({} in all)", items.len()) } else { shown }
}
