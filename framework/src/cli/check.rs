//! `equiflow check`: every mistake of run files, without running them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{FileArgs, Global, bad_input, print_mistakes, resolve};
use crate::app::App;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The run files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    changes: FileArgs,
}

pub(super) fn check(args: &CheckArgs, global: &Global) -> ExitCode {
    let mut plugins = global.discover();
    let mut app = App::default();
    let mut mistakes = Vec::new();
    for path in &args.files {
        match resolve(path, &args.changes, &mut app, &mut plugins) {
            Ok(run) => say!(
                "{}: all well; {} entries x {} seeds x {} episodes x {} steps\n",
                path.display(),
                run.entries.len(),
                run.seeds.len(),
                run.episodes,
                run.steps
            ),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() {
        return ExitCode::SUCCESS;
    }
    print_mistakes(&mistakes);
    bad_input()
}
