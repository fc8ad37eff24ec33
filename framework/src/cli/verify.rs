//! `equiflow verify`: tests the paper's statements by computation.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{bad_input, failed};
use crate::run::suggest;
use crate::theory::verify::{STATEMENTS, Statement, json, markdown, overview, section};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The statements, such as thm-4.2; all when none is named
    #[arg(value_name = "STATEMENT")]
    statements: Vec<String>,
    /// Write everything as Markdown to this file (- is the standard output)
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write everything as JSON to this file (- is the standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Prints the verdicts. A statement that fails is a result, not a failure of the program.
pub(super) fn verify(args: &VerifyArgs) -> ExitCode {
    let names: Vec<_> = STATEMENTS.iter().map(|statement| statement.name).collect();
    let mut chosen: Vec<&Statement> = Vec::new();
    let mut unknown = false;
    for name in &args.statements {
        match STATEMENTS.iter().find(|statement| statement.name.eq_ignore_ascii_case(name)) {
            Some(statement) => chosen.push(statement),
            None => {
                eprintln!("error: there is no statement `{name}`; {}", suggest(name, "statements are", &names));
                unknown = true;
            }
        }
    }
    if unknown {
        return bad_input();
    }
    if chosen.is_empty() {
        chosen.extend(STATEMENTS);
    }
    for file in [&args.markdown, &args.json].into_iter().flatten().filter(|file| file.as_os_str() != "-") {
        if let Err(error) = std::fs::File::options().append(true).create(true).open(file) {
            eprintln!("error: {} cannot be written: {error}", file.display());
            eprintln!("  help: name a file in a folder that is there and can be written");
            return bad_input();
        }
    }
    let to_stdout = |file: &Option<PathBuf>| file.as_ref().is_some_and(|file| file.as_os_str() == "-");
    let mut findings = Vec::new();
    for statement in chosen {
        match statement.verify() {
            Ok(finding) => findings.push(finding),
            Err(error) => {
                eprintln!("error: {} could not be tested: {error}", statement.name);
                return failed();
            }
        }
    }
    if !to_stdout(&args.markdown) && !to_stdout(&args.json) {
        if args.statements.is_empty() {
            say!("{}", overview(&findings));
        } else {
            say!("{}", findings.iter().map(section).collect::<Vec<_>>().join("\n"));
        }
    }
    let json_text = || serde_json::to_string_pretty(&json(&findings)).map(|text| text + "\n");
    let documents =
        [(&args.markdown, Ok(markdown(&findings))), (&args.json, json_text().map_err(|error| error.to_string()))];
    for (file, text) in documents {
        let Some(file) = file else { continue };
        let written = text.and_then(|text| {
            if file.as_os_str() == "-" {
                say!("{text}");
                return Ok(());
            }
            std::fs::write(file, text).map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            eprintln!("error: {} cannot be written: {error}", file.display());
            return failed();
        }
    }
    ExitCode::SUCCESS
}
