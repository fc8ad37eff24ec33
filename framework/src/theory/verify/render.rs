//! Findings as Markdown and as JSON.

use std::fmt::Write;

use serde_json::{Value, json as object};

use super::{Finding, Overall, Verdict};

/// A document: a table of all verdicts, then every statement with its checks.
pub fn markdown(findings: &[Finding]) -> String {
    let mut text =
        String::from("# What holds of the paper, by computation\n\n| statement | | verdict |\n|---|---|---|\n");
    for finding in findings {
        let statement = finding.statement;
        // A bar inside of a cell would end it.
        let verdict = verdict(finding).replace('|', "\\|");
        let _ = writeln!(text, "| {} | {} | {verdict} |", statement.name, statement.title);
    }
    for finding in findings {
        let statement = finding.statement;
        let _ = write!(text, "\n## {}: {}\n\n*Claim.* {}\n\n", statement.name, statement.title, statement.claim);
        let _ = writeln!(text, "*Verdict.* {}.", verdict(finding));
        for check in &finding.checks {
            let reading = check.reading.map_or("As printed".to_owned(), |reading| format!("Read as \"{reading}\""));
            let word = match check.verdict {
                Verdict::Holds => "holds",
                Verdict::Fails => "fails",
                Verdict::Vacuous => "vacuous",
            };
            let _ = writeln!(text, "\n* **{reading}: {word}.** {}", check.how);
            if let Some(witness) = &check.witness {
                let _ = writeln!(text, "  * Witness: {witness}");
            }
            for figure in &check.figures {
                let _ = writeln!(text, "  * {}: {}", figure.name, number(figure.value));
            }
            let _ = writeln!(text, "  * On: {}", check.games.join("; "));
        }
    }
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
