//! The program's commands, one file each. Exit codes: 0 done, 1 some part failed, 2 bad input.

/// Prints to standard output, as `print!` does, but see [`print`].
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::print(format_args!($($text)*)) };
}

mod bench;
mod check;
mod describe;
mod doctor;
mod list;
mod progress;
mod run;
mod solve;
mod verify;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::App;
use crate::loader::Plugins;
use crate::run::{Mistake, Run, RunFile};

/// Multi-agent game learning: games and algorithms as plugins in an ECS world.
#[derive(Debug, Parser)]
#[command(name = "equiflow", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Args)]
struct Global {
    /// Also search this folder for plugins (as EQUIFLOW_PLUGINS does, a list like PATH)
    #[arg(long, value_name = "DIR", global = true)]
    plugins: Vec<PathBuf>,
    /// How progress and warnings are written
    #[arg(long, value_enum, default_value = "text", global = true)]
    log: Log,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Log {
    /// Bars on a terminal, plain lines elsewhere
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a run file
    Run(run::RunArgs),
    /// Time a run, records included, and print one line of figures
    Bench(bench::BenchArgs),
    /// Find every mistake of run files without running them
    Check(check::CheckArgs),
    /// List plugins, games, algorithms and opponent models
    List,
    /// Show a game or an algorithm: parameters with defaults, spaces, players
    Describe(describe::DescribeArgs),
    /// Compute the equilibria and other facts of a finite game exactly
    Solve(solve::SolveArgs),
    /// Test the paper's statements by computation: what holds, in which reading, and what fails
    Verify(verify::VerifyArgs),
    /// Check the installation: plugins, libtorch, machine
    Doctor,
}

/// Which run file, and what is changed in it.
#[derive(Debug, Args)]
struct FileArgs {
    /// Change a value of the run file, such as episodes=10 or game.version=unsquared or entries.0.batch=64
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The seeds: how many (20), a range (5..8) or a list (3,5,9)
    #[arg(long, value_name = "SEEDS", value_parser = parse_seeds)]
    seeds: Option<Seeds>,
}

#[derive(Clone, Debug)]
struct Seeds(Vec<u64>);

fn parse_seeds(text: &str) -> Result<Seeds, String> {
    crate::run::parse_seeds(text).map(Seeds)
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.global.log);
    if let Some(folder) = cli.global.plugins.iter().find(|folder| !folder.is_dir()) {
        eprintln!("error: plugins are to be searched in `{}`, which is no folder", folder.display());
        eprintln!("  help: name the folder that holds them with --plugins, such as `target/release`");
        return bad_input();
    }
    match cli.command {
        Command::Run(args) => run::run(&args, &cli.global),
        Command::Bench(args) => bench::bench(&args, &cli.global),
        Command::Check(args) => check::check(&args, &cli.global),
        Command::List => list::list(&cli.global),
        Command::Describe(args) => describe::describe(&args, &cli.global),
        Command::Solve(args) => solve::solve(&args, &cli.global),
        Command::Verify(args) => verify::verify(&args),
        Command::Doctor => doctor::doctor(&cli.global),
    }
}

/// Prints to standard output. A reader who has seen enough (`| head`) is no mistake; anything else ends the program.
fn print(text: std::fmt::Arguments) {
    match std::io::stdout().write_fmt(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("error: writing to standard output failed: {error}");
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Some part failed.
fn failed() -> ExitCode {
    ExitCode::from(1)
}

/// The input is wrong.
fn bad_input() -> ExitCode {
    ExitCode::from(2)
}

fn start_log(log: Log) {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::INFO);
    match log {
        Log::Json => lines.json().flatten_event(true).with_target(false).init(),
        Log::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.without_time().with_target(false).with_ansi(colour).compact().init();
        }
    }
}

impl Global {
    /// Reads the manifests of all plugins; says which files cannot be used.
    fn discover(&self) -> Plugins {
        let plugins = Plugins::discover(&Plugins::folders(&self.plugins));
        print_problems(&plugins);
        plugins
    }
}

/// All plugin files that cannot be used, in one go.
fn print_problems(plugins: &Plugins) {
    if plugins.problems.is_empty() {
        return;
    }
    let count = plugins.problems.len();
    eprintln!("error: {count} plugin file{} cannot be used", if count == 1 { "" } else { "s" });
    for problem in &plugins.problems {
        eprintln!("  {problem}");
    }
}

fn print_mistakes(mistakes: &[Mistake]) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for mistake in mistakes {
        eprintln!("{}", mistake.render(colour));
    }
    let count = mistakes.len();
    eprintln!("{count} mistake{} found", if count == 1 { "" } else { "s" });
}

/// Reads and resolves a run file.
fn resolve(path: &std::path::Path, args: &FileArgs, app: &mut App, plugins: &mut Plugins) -> Result<Run, Vec<Mistake>> {
    let mut file = RunFile::read(path, &args.set)?;
    if let Some(seeds) = &args.seeds {
        file.seeds.clone_from(&seeds.0);
    }
    Run::resolve(&file, app, plugins)
}
