//! `equiflow run`: from a run file to records, table and plots.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use super::progress::Progress;
use super::{FileArgs, Global, bad_input, failed, print_mistakes, resolve};
use crate::app::App;
use crate::loader::Plugins;
use crate::plugin::BUILD_ID;
use crate::profile;
use crate::record::{EntryName, Sink, short_slug};
use crate::report::manifest::{BestKnown, EntryManifest, FailedSeed, Host, Manifest, Moment, Outcome, PluginManifest};
use crate::report::{drawings, table, write_all};
use crate::run::Run;
use crate::simulation::{Failure, Simulation};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The run file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    changes: FileArgs,
    /// Where the run's own folder is made
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// Threads that seeds are spread over; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Also say where the time goes: per stage of a step, and how fast the networks are multiplied
    #[arg(long)]
    profile: bool,
}

pub(super) fn run(args: &RunArgs, global: &Global) -> ExitCode {
    let mut plugins = global.discover();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut app = App::new(args.threads.map_or(cores, usize::from));
    let run = match resolve(&args.file, &args.changes, &mut app, &mut plugins) {
        Ok(run) => run,
        Err(mistakes) => {
            print_mistakes(&mistakes);
            return bad_input();
        }
    };
    if args.profile {
        app.add_plugin(profile::install);
    }
    let folder = match results_folder(&args.out, &run.name) {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("error: no folder for the results can be made in `{}`: {error}", args.out.display());
            eprintln!("  help: name a folder that can be written with --out");
            return bad_input();
        }
    };
    match Recorded::start(&folder, run, app, &plugins).and_then(|recorded| recorded.play(global)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: writing the results to `{}` failed: {error}", folder.display());
            eprintln!("  help: what was written until then is there; make room or choose another folder with --out");
            failed()
        }
    }
}

/// A folder of the run's own: `<out>/<run>/<time>`, with a number behind it when that is taken.
pub(super) fn results_folder(out: &Path, name: &str) -> io::Result<PathBuf> {
    let parent = out.join(short_slug(name, "run"));
    std::fs::create_dir_all(&parent)?;
    let time: String = Moment::now().utc.chars().filter(|c| c.is_ascii_digit()).collect();
    let (day, clock) = time.split_at(8);
    for number in 1..10_000 {
        let id = if number == 1 { format!("{day}-{clock}") } else { format!("{day}-{clock}-{number}") };
        match std::fs::create_dir(parent.join(&id)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|()| parent.join(id)),
        }
    }
    Err(io::Error::other("there are ten thousand results of this second already"))
}

/// A run whose results are written to a folder.
pub(super) struct Recorded {
    folder: PathBuf,
    manifest: Manifest,
    pub(super) sink: Sink,
    pub(super) simulation: Simulation,
}

impl Recorded {
    pub(super) fn start(folder: &Path, run: Run, app: App, plugins: &Plugins) -> io::Result<Self> {
        std::fs::write(folder.join("run.ron"), run.to_ron())?;
        let manifest = manifest(folder, &run, plugins);
        manifest.write(folder).map_err(io::Error::other)?;
        let names = run.entries.iter().map(|entry| EntryName {
            label: entry.label.clone(),
            algorithm: entry.algorithms(),
            game: entry.game_name.clone(),
        });
        let sink = Sink::create(folder, names.collect())?;
        Ok(Self { folder: folder.to_owned(), manifest, sink, simulation: Simulation::new(app, run) })
    }

    fn play(mut self, global: &Global) -> io::Result<ExitCode> {
        let stop = stop_on_ctrl_c();
        let mut progress = Progress::new(self.simulation.run(), global.log);
        let mut told: Vec<Failure> = Vec::new();
        let (mut written, mut writing, mut nobody) = (Ok(()), Duration::ZERO, false);
        let sink = &mut self.sink;
        let flow = self.simulation.play(|simulation, rows| {
            let start = Instant::now();
            if !rows.is_empty() {
                written = sink.write(&rows).and_then(|()| sink.flush());
            }
            let failures = simulation.failures();
            if failures.len() > told.len() {
                let new: Vec<_> = failures.iter().filter(|failure| !told.contains(failure)).cloned().collect();
                progress.failures(&new);
                told = failures;
            }
            if !rows.is_empty() {
                progress.episode(simulation.episode(), &rows);
            }
            writing += start.elapsed();
            let run = simulation.run();
            nobody = told.len() == run.entries.len() * run.seeds.len();
            if written.is_err() || nobody || stop.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        progress.finish();
        written?;
        // Where no seed is left there is nothing to break off.
        self.finish(flow.is_break() && !nobody, writing)
    }

    /// The manifest with what became of the run, then the report from what is on disk.
    fn finish(mut self, interrupted: bool, writing: Duration) -> io::Result<ExitCode> {
        let failures = self.simulation.failures();
        self.sink.flush()?;
        let busy = self.simulation.busy_seconds();
        let run = self.simulation.run();
        let (limit, done) = (u64::from(run.steps), self.simulation.step());
        for (index, entry) in self.manifest.entries.iter_mut().enumerate() {
            let mine = failures.iter().filter(|failure| failure.entry == index);
            let missing: u64 = mine.clone().map(|failure| done.saturating_sub(failure.step)).sum();
            let played = (run.seeds.len() as u64 * done - missing) * run.instances as u64;
            entry.busy_seconds = busy[index];
            entry.steps_per_second = (busy[index] > 0.0).then(|| played as f64 / busy[index]);
            entry.failed_seeds = mine.map(|failure| failed_seed(failure, limit)).collect();
        }
        // While the records are written no world advances.
        let all_wait = writing * u32::try_from(self.simulation.at_once()).unwrap_or(u32::MAX);
        self.manifest.profile = profile::take(self.simulation.worlds(), all_wait);
        self.manifest.finished = Some(Moment::now());
        self.manifest.outcome = match (interrupted, failures.is_empty()) {
            (true, _) => Outcome::Interrupted,
            (false, false) => Outcome::Failed,
            (false, true) => Outcome::Done,
        };
        self.manifest.write(&self.folder).map_err(io::Error::other)?;
        let summary = write_all(&self.folder).map_err(io::Error::other)?;
        say!("{}results in {}\n", table::terminal(&summary), self.folder.display());
        let drawn = drawings::write(&self.folder, self.simulation.run());
        if let Err(error) = &drawn {
            eprintln!("error: {error}; all else is written");
        }
        if interrupted {
            let (done, all) = (self.simulation.episode(), self.simulation.run().episodes);
            tracing::warn!("interrupted after {done} of {all} episodes");
        }
        Ok(if self.manifest.outcome == Outcome::Done && drawn.is_ok() { ExitCode::SUCCESS } else { failed() })
    }
}

fn failed_seed(failure: &Failure, limit: u64) -> FailedSeed {
    let episode = u32::try_from(failure.step / limit).unwrap_or(u32::MAX);
    FailedSeed { seed: failure.seed, episode, step: failure.step, what: failure.what.clone() }
}

/// The first Ctrl-C asks the run to stop after the present steps, the second ends the program.
fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let handler = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        tracing::warn!("stopping after the present steps; press Ctrl-C again to stop at once");
    });
    if let Err(error) = handler {
        tracing::warn!("Ctrl-C will end the program at once: {error}");
    }
    stop
}

fn manifest(folder: &Path, run: &Run, plugins: &Plugins) -> Manifest {
    let entries = run.entries.iter().map(|entry| EntryManifest {
        label: entry.label.clone(),
        algorithms: entry.players.iter().map(|cast| cast.name.clone()).collect(),
        parameters: entry.players.iter().map(|cast| cast.parameters()).collect(),
        game: entry.game_text(),
        cell: entry.cell.clone(),
        return_label: entry.spec.returns.label().to_owned(),
        best_known: entry.spec.best_known.as_ref().map(|best| BestKnown {
            value: best.value,
            tolerance: best.tolerance,
            both_sides: best.both_sides,
            source: best.source.clone(),
            place: best.place.clone(),
        }),
        failed_seeds: Vec::new(),
        steps_per_second: None,
        busy_seconds: 0.0,
    });
    let loaded = plugins.files.iter().filter(|file| file.is_loaded()).map(|file| PluginManifest {
        name: file.manifest.name.clone(),
        file: file.path.display().to_string(),
        build: file.manifest.build.clone(),
    });
    Manifest {
        run: run.name.clone(),
        id: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        created: Moment::now(),
        finished: None,
        outcome: Outcome::Running,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: BUILD_ID.to_owned(),
        host: Host {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        },
        run_seed: run.seed,
        seeds: run.seeds.clone(),
        episodes: u32::try_from(run.episodes).unwrap_or(u32::MAX),
        steps: run.steps,
        instances: run.instances,
        evaluate_every: run.evaluate_every,
        best_response: run.best_response,
        command: std::env::args().collect(),
        plugins: loaded.collect(),
        entries: entries.collect(),
        profile: None,
    }
}
