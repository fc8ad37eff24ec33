//! `cargo equiflow ...`: fetches libtorch once, builds the workspace, starts the program.
//!
//! In reading order: [`problem`] (how an error reads), [`release`] (which files libtorch consists of), [`python`] (pip
//! downloads, Python unpacks), [`stamp`] (is a folder complete), [`cache`] (the folder that all clones share),
//! [`libtorch`] (which libtorch this clone uses: the `.libtorch` link), [`workspace`] (cargo build, cargo test, the
//! program). Nothing here knows what the program does with its arguments, and nothing here depends on a crate: this is
//! what runs before anything else can be built.

mod cache;
mod libtorch;
mod problem;
mod python;
mod release;
mod stamp;
mod workspace;

use problem::Problem;
use std::{ffi::OsString, process::ExitCode};
use workspace::Workspace;

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).collect()) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// Returns only where a step ended the run: the last step replaces this process.
fn run(args: Vec<OsString>) -> Result<ExitCode, Problem> {
    let command = args.first().and_then(|arg| arg.to_str());
    let workspace = Workspace::find()?;
    if command != Some("setup") {
        workspace.check()?;
    }
    let libtorch = libtorch::prepare(&workspace.root)?;
    if command == Some("setup") {
        println!("libtorch {}: {}", release::VERSION, libtorch.display());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(failed) = workspace.build(&libtorch)? {
        return Ok(failed);
    }
    match command {
        Some("test") => workspace.test(&args[1..]),
        _ => workspace.start_program(&args),
    }
}
