//! `equiflow solve`: what can be computed exactly of a finite game. Payoffs, dominance, equilibria, the path of logit
//! equilibria, potential, and how far given profiles are from equilibrium; nothing without its residual.

mod analysis;
mod files;
mod input;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use self::analysis::Analysis;
use super::{FileArgs, Global, bad_input, failed, print_mistakes};
use crate::record::short_slug;

#[derive(Debug, Args)]
pub(super) struct SolveArgs {
    /// A Gambit file (`.nfg`), or a run file: all its games that are finite
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    changes: FileArgs,
    /// Where logit equilibria are wanted
    #[arg(long, value_name = "LAMBDAS", value_delimiter = ',', default_value = "0.1,0.5,1,2,5")]
    lambda: Vec<f64>,
    /// How far their path is followed, at least
    #[arg(long, value_name = "LAMBDA", default_value = "10")]
    max_lambda: f64,
    /// In games of several states: values for logit equilibria count rewards only, not the player's own entropy
    #[arg(long)]
    no_entropy: bool,
    /// A profile to be examined: all probabilities, player by player (and state by state), such as "1/2,1/2; 1,0"
    #[arg(long, value_name = "PROFILE")]
    profile: Vec<String>,
    /// Most seconds for each solver
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u64).range(1..))]
    time: u64,
    /// Write the path of logit equilibria to this folder: `lqre.csv`, `lqre.svg`, `lqre.png`, and `solution.json`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

pub(super) fn solve(args: &SolveArgs, global: &Global) -> ExitCode {
    let games = match input::games(args, global) {
        Ok(games) => games,
        Err(mistakes) => {
            print_mistakes(&mistakes);
            return bad_input();
        }
    };
    if let Some(out) = &args.out
        && let Err(error) = std::fs::create_dir_all(out)
    {
        eprintln!("error: the folder `{}` cannot be made: {error}", out.display());
        eprintln!("  help: name a folder that can be written with --out");
        return bad_input();
    }
    let limit = Duration::from_secs(args.time);
    let (mut analyses, mut refused) = (Vec::new(), Vec::new());
    for (number, game) in games.iter().enumerate() {
        match Analysis::new(game, args, limit) {
            Ok(analysis) => analyses.push((number, analysis)),
            Err(mistake) => refused.push(mistake),
        }
    }
    if !refused.is_empty() {
        print_mistakes(&refused);
        if analyses.is_empty() {
            return bad_input();
        }
    }
    if args.json {
        let found: Vec<_> = analyses.iter().map(|(_, analysis)| analysis).collect();
        say!("{:#}\n", serde_json::json!({ "games": found }));
    }
    for (at, (number, analysis)) in analyses.iter().enumerate() {
        if !args.json {
            say!("{}{}", if at > 0 { "\n" } else { "" }, terminal::text(analysis));
        }
        let Some(out) = &args.out else { continue };
        let folder = match games.len() {
            1 => out.clone(),
            _ => out.join(short_slug(&analysis.name, &format!("game-{}", number + 1))),
        };
        match files::write(&folder, analysis) {
            Ok(()) if !args.json => say!("path and solution in {}\n", folder.display()),
            Ok(()) => {}
            Err(error) => {
                eprintln!("error: writing to `{}` failed: {error}", folder.display());
                eprintln!("  help: name a folder that can be written with --out");
                return failed();
            }
        }
    }
    if refused.is_empty() && analyses.iter().all(|(_, analysis)| analysis.is_complete()) {
        ExitCode::SUCCESS
    } else {
        failed()
    }
}
