//! The solution as text for a terminal.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table};

use super::analysis::{
    Analysis, Cycles, Dominance, DominatedStrategy, Examined, Lqre, Mixed, OneShot, PotentialFound, Pure,
};
use crate::report::table::RULES;
use crate::theory::tabular::advance;

/// Larger tables and longer lists are cut.
const MOST_ROWS: usize = 20;
const MOST_COLUMNS: usize = 8;
const MOST_CELLS: usize = 32;
/// How a list that a time limit cut short is marked.
const NOT_ALL: &str = "not all were looked at, the time was up";

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
    match &analysis.policy_cycles {
        Ok(kinds) => kinds.iter().for_each(|cycles| policy_cycles(&mut text, cycles)),
        Err(what) => {
            let _ = writeln!(text, "policy cycles: {what}");
        }
    }
    match &analysis.optimum {
        Ok(optimum) => {
            let _ = write!(text, "social optimum: welfare {}", number(optimum.welfare));
            if let [actions] = &optimum.actions[..] {
                let _ = write!(text, " at ({})", actions.join(", "));
            }
            let _ = writeln!(text, ", residual {}", small(optimum.residual));
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
    let all: Vec<_> = analysis.players.iter().map(|player| &player.actions[0]).collect();
    let names = analysis.players.iter().map(|player| player.name.as_str()).collect::<Vec<_>>().join(", ");
    let mut table = plain();
    match (&one_shot.payoffs, &all[..]) {
        (Some(payoffs), [rows, columns]) if rows.len() <= MOST_ROWS && columns.len() <= MOST_COLUMNS => {
            table.set_header(std::iter::once(String::new()).chain(columns.iter().cloned()));
            for (row, name) in rows.iter().enumerate() {
                let at = |column: usize| row * columns.len() + column;
                let cell = |column: usize| format!("{}, {}", payoffs[0][at(column)], payoffs[1][at(column)]);
                table.add_row(std::iter::once(name.clone()).chain((0..columns.len()).map(cell)));
            }
        }
        (Some(payoffs), _) if payoffs[0].len() <= MOST_CELLS && all.len() <= MOST_COLUMNS => {
            table.set_header(["strategies", "payoffs"]);
            let shape: Vec<_> = all.iter().map(|strategies| strategies.len()).collect();
            let mut choice = vec![0; all.len()];
            for cell in 0..payoffs[0].len() {
                let chosen = choice.iter().zip(&all).map(|(choice, strategies)| strategies[*choice].as_str());
                let paid = payoffs.iter().map(|payoffs| payoffs[cell].as_str());
                table.add_row([chosen.collect::<Vec<_>>().join(", "), paid.collect::<Vec<_>>().join(", ")]);
                advance(&mut choice, &shape);
            }
        }
        _ => {
            let listed = if one_shot.payoffs.is_some() { " (--json has them)" } else { "" };
            let _ = writeln!(text, "{} payoffs{listed}", analysis.payoff_count);
        }
    }
    if table.row_iter().len() > 0 {
        let _ = writeln!(text, "\npayoffs ({names})\n{}\n", table.trim_fmt());
    }
    let kind = if one_shot.exact { "exact" } else { "rounded" };
    let sum = match &one_shot.constant_sum {
        Ok(Some(sum)) => format!("constant sum {}", number(*sum)),
        Ok(None) => "no constant sum".to_owned(),
        Err(what) => format!("constant sum not known, {what}"),
    };
    let _ = writeln!(text, "payoffs: {kind}, {sum}");
}

fn dominance(text: &mut String, one_shot: &OneShot) {
    let list = |found: &Dominance, rounds: bool| {
        let one = |found: &DominatedStrategy| {
            let round = if rounds { format!(" in round {}", found.round) } else { String::new() };
            format!("{}: {} by {}{round}", found.player, found.strategy, found.by)
        };
        let none = found.strategies.is_empty();
        let list = if none { "none".to_owned() } else { cut(found.strategies.iter().map(one), "; ") };
        if found.complete { list } else { format!("{list}; {NOT_ALL}") }
    };
    let _ = writeln!(text, "strictly dominated (by pure strategies): {}", list(&one_shot.strictly_dominated, true));
    let _ = writeln!(text, "weakly dominated (by pure strategies): {}", list(&one_shot.weakly_dominated, false));
}

fn equilibria(text: &mut String, analysis: &Analysis, one_shot: &OneShot) {
    let list = match &one_shot.pure_equilibria {
        Ok(Pure { count: 0, .. }) => "none".to_owned(),
        Ok(Pure { count, listed }) => {
            let regret = listed.iter().fold(0.0, |most: f64, one| most.max(one.regret));
            let names = listed.iter().take(MOST_ROWS).map(|one| format!("({})", one.strategies.join(", ")));
            let more = if *count > MOST_ROWS { " ..." } else { "" };
            format!("{count}, regret {}: {}{more}", small(regret), names.collect::<Vec<_>>().join(" "))
        }
        Err(what) => what.clone(),
    };
    let _ = writeln!(text, "pure equilibria: {list}");
    match &one_shot.extreme_equilibria {
        Some(Mixed::Found { complete, equilibria }) => {
            let complete = if *complete { "all" } else { NOT_ALL };
            let _ = writeln!(text, "\nextreme equilibria, mixed or pure: {} ({complete})", equilibria.len());
            let numbered = equilibria.iter().enumerate().map(|(at, one)| (vec![(at + 1).to_string()], one));
            if !equilibria.is_empty() {
                *text += &table(analysis, &[""], numbered);
            }
        }
        Some(Mixed::Refused { error }) => {
            let _ = writeln!(text, "mixed equilibria: {error}");
        }
        None => {
            let _ = writeln!(text, "mixed equilibria: enumerated for two players only");
        }
    }
}

fn potential(text: &mut String, found: &PotentialFound) {
    let how = if found.exact { "" } else { " up to rounding" };
    let line = match (found.exists, &found.values, &found.witness) {
        (Some(true), Some(values), _) => format!("yes{how}, {}", cut(values.iter().map(|value| number(*value)), " ")),
        (_, _, Some(witness)) => {
            let cells: Vec<_> = witness.iter().map(|names| format!("({})", names.join(", "))).collect();
            let so_far = if found.complete { "" } else { "; not all cycles were looked at, the time was up" };
            format!("no; the gains along {} and back sum to {}{so_far}", cells.join(" "), number(found.violation))
        }
        (Some(true), None, _) => format!("yes{how}"),
        _ => format!("not known; {NOT_ALL}"),
    };
    let _ = writeln!(text, "exact potential: {line}");
}

fn policy_cycles(text: &mut String, cycles: &Cycles) {
    let verdict = match cycles.violation {
        0.0 => "none of them with a sum other than 0".to_owned(),
        violation => {
            format!("no potential: a sum of {violation:.6} ({:.1}% of the values' range)", 100.0 * cycles.relative)
        }
    };
    let so_far = if cycles.complete { "" } else { " before the time was up" };
    let _ = writeln!(text, "policy cycles, values of {}: {} tried{so_far}, {verdict}", cycles.values, cycles.cycles);
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
        (vec![lambda, small(one.logit_residual)], &one.examined)
    });
    *text += &table(analysis, &["lambda", "off the logit response"], rows);
    let list = |lambdas: &[f64]| match lambdas {
        [] => "none".to_owned(),
        some => cut(some.iter().map(|lambda| number(*lambda)), ", "),
    };
    if !found.missing.is_empty() {
        let _ = writeln!(text, "not found: lambda {}", list(&found.missing));
    }
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
    let layout = &analysis.layout;
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
        cells.extend([payoffs.join(" "), digits(one.nash_conv), small(one.residual)]);
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

/// A number that is rounding, as a rule.
fn small(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:.1e}") }
}

/// A number whose size is what matters: with decimals where they show it.
fn digits(value: f64) -> String {
    if value == 0.0 || value >= 1e-4 { number(value) } else { format!("{value:.1e}") }
}

/// The first items of a long list.
fn cut(items: impl Iterator<Item = String>, between: &str) -> String {
    let items: Vec<_> = items.collect();
    let shown = items.iter().take(MOST_ROWS).cloned().collect::<Vec<_>>().join(between);
    if items.len() > MOST_ROWS { format!("{shown}{between}... ({} in all)", items.len()) } else { shown }
}
