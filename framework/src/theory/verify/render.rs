//! Findings as Markdown and as JSON.

use std::fmt::Write;

use serde_json::{Value, json as object};

use super::{Finding, Overall};

/// A document: a table of all verdicts, then every statement with its checks.
pub fn markdown(findings: &[Finding]) -> String {
    let mut text = String::from(
        "# What holds of \"A generative model for game theory with flow equilibrium\", by computation\n\n\
         | statement | | verdict |\n|---|---|---|\n",
    );
    for finding in findings {
        let statement = finding.statement;
        // A bar inside of a cell would end it.
        let verdict = verdict(finding).replace('|', "\\|");
        let _ = writeln!(text, "| {} | {} | {verdict} |", statement.name, statement.title);
    }
    for finding in findings {
        text += "\n";
        text += &section(finding);
    }
    text
}

/// One statement with its checks, as a section of the document.
pub fn section(finding: &Finding) -> String {
    let statement = finding.statement;
    let mut text = format!("## {}: {}\n\n*Claim.* {}\n\n", statement.name, statement.title, statement.claim);
    let _ = writeln!(text, "*Verdict.* {}.", verdict(finding));
    for check in &finding.checks {
        let reading = check.reading.map_or("As printed".to_owned(), |reading| format!("Read as \"{reading}\""));
        let _ = writeln!(text, "\n* **{reading}: {}.** {}", check.verdict, check.how);
        if let Some(witness) = &check.witness {
            let _ = writeln!(text, "  * Witness: {witness}");
        }
        for figure in &check.figures {
            let _ = writeln!(text, "  * {}: {}", figure.name, number(figure.value));
        }
        let _ = writeln!(text, "  * On: {}", check.games.join("; "));
    }
    text
}

/// For the terminal: the verdict of every check, with its witness or its first figure, and the sum of it all.
pub fn overview(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{:<16}{}", finding.statement.name, finding.statement.title);
        for check in &finding.checks {
            let reading = check.reading.unwrap_or("as printed");
            let found = match (&check.witness, check.figures.first()) {
                (Some(witness), _) => format!("; {witness}"),
                (None, Some(figure)) => format!("; {} {}", figure.name, number(figure.value)),
                (None, None) => String::new(),
            };
            let _ = writeln!(text, "    {:<8}{reading}{found}", check.verdict.to_string());
        }
    }
    let count = |is: fn(&Overall) -> bool| findings.iter().filter(|finding| is(&finding.overall())).count();
    let _ = writeln!(
        text,
        "\n{} statements: {} hold as printed, {} in another reading only, {} in none; {} say nothing in places.\n\
         `equiflow verify STATEMENT` shows how one is tested and on what; --markdown and --json write everything.",
        findings.len(),
        count(|overall| *overall == Overall::Holds),
        count(|overall| matches!(overall, Overall::HoldsAsRead(_))),
        count(|overall| *overall == Overall::Fails),
        findings.iter().filter(|finding| finding.is_vacuous_somewhere()).count(),
    );
    text
}

/// The same for programs.
pub fn json(findings: &[Finding]) -> Value {
    let list = findings.iter().map(|finding| {
        let statement = finding.statement;
        let (word, readings) = match finding.overall() {
            Overall::Holds => ("holds", Vec::new()),
            Overall::HoldsAsRead(readings) => ("holds_as_read", readings),
            Overall::Fails => ("fails", Vec::new()),
        };
        object!({
            "statement": statement.name,
            "title": statement.title,
            "claim": statement.claim,
            "verdict": word,
            "readings": readings,
            "vacuous_somewhere": finding.is_vacuous_somewhere(),
            "checks": finding.checks,
        })
    });
    Value::Array(list.collect())
}

/// The verdict in words.
pub fn verdict(finding: &Finding) -> String {
    let words = match finding.overall() {
        Overall::Holds => "holds".to_owned(),
        Overall::HoldsAsRead(readings) => format!("fails as printed; holds read as: {}", readings.join(" / ")),
        Overall::Fails => "fails".to_owned(),
    };
    if finding.is_vacuous_somewhere() { words + "; vacuous in places" } else { words }
}

/// Few digits, the same on every machine up to rounding in the last place.
pub fn number(x: f64) -> String {
    match x.abs() {
        size if size == 0.0 || (1e-3..1e6).contains(&size) => {
            let text = format!("{x:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{x:.2e}"),
    }
}
