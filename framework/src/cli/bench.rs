//! `equiflow bench`: times a run as a whole, records included, and prints a line `RESULT {json}` that other programs print
//! of the same work, so that one script compares them all (`framework/benches/peers/training.py`).

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bevy_ecs::prelude::*;
use clap::Args;
use serde::Serialize;

use super::run::{Recorded, results_folder};
use super::{FileArgs, Global, bad_input, failed, print_mistakes, resolve};
use crate::agent::{BatchRequest, PlaysIn};
use crate::app::App;
use crate::environment::Lane;
use crate::record::Row;
use crate::schedule::{Step, StepSystems};

/// Episodes at the end over which the return is averaged.
const LAST_EPISODES: u64 = 20;

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// The run file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    changes: FileArgs,
    /// Threads that seeds are spread over
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// How often it is run; the median counts
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    reps: u16,
}

/// The line that is printed. Seconds are those of the median run.
#[derive(Serialize)]
struct Figures {
    peer: &'static str,
    /// The labels of the entries.
    alg: String,
    /// Transitions of the largest batch.
    batch: usize,
    seeds: usize,
    steps: u64,
    threads: u16,
    /// From the first step to the last record, warm-up included.
    train_s: f64,
    /// What comes before: reading, loading plugins, setting up.
    compile_s: f64,
    /// Agents that learned, over all steps and seeds.
    updates: usize,
    /// Updates a second.
    ups: f64,
    /// `train_s` of every run.
    runs: Vec<f64>,
    /// The most memory that the process has had, where the system says.
    rss_mb: Option<u64>,
    /// Sampled return of the last episodes, mean over players and seeds.
    ret: f64,
    /// Core-seconds of the process, where the system says.
    cpu_s: Option<f64>,
    /// Seeds of entries that were given up.
    failed_seeds: usize,
}

pub(super) fn bench(args: &BenchArgs, global: &Global) -> ExitCode {
    let mut all = Vec::new();
    for _ in 0..args.reps {
        match once(args, global) {
            Ok(Some(figures)) => all.push(figures),
            Ok(None) => return bad_input(),
            Err(error) => {
                eprintln!("error: writing the records to `{}` failed: {error}", std::env::temp_dir().display());
                eprintln!("  help: make room there, or name another folder in TMPDIR");
                return failed();
            }
        }
    }
    let runs = all.iter().map(|figures| figures.train_s).collect();
    all.sort_by(|a, b| a.train_s.total_cmp(&b.train_s));
    let middle = (all.len() - 1) / 2;
    let figures = Figures { runs, rss_mb: peak_memory(), ..all.swap_remove(middle) };
    match serde_json::to_string(&figures) {
        Ok(line) => say!("RESULT {line}\n"),
        Err(error) => {
            eprintln!("error: the figures cannot be written as JSON: {error}");
            return failed();
        }
    }
    if figures.failed_seeds > 0 { failed() } else { ExitCode::SUCCESS }
}

/// One run, in worlds of its own. `None` when the run file is wrong, which has been said then.
fn once(args: &BenchArgs, global: &Global) -> io::Result<Option<Figures>> {
    let start = Instant::now();
    let mut plugins = global.discover();
    let mut app = App::new(usize::from(args.threads));
    app.add_plugin(count_updates);
    let run = match resolve(&args.file, &args.changes, &mut app, &mut plugins) {
        Ok(run) => run,
        Err(mistakes) => {
            print_mistakes(&mistakes);
            return Ok(None);
        }
    };
    let labels: Vec<_> = run.entries.iter().map(|entry| entry.label.clone()).collect();
    let seeds = run.seeds.len();
    let root = std::env::temp_dir().join(format!("equiflow-bench-{}", std::process::id()));
    let folder = results_folder(&root, &run.name)?;
    let Recorded { mut sink, mut simulation, .. } = Recorded::start(&folder, run, app, &plugins)?;
    let (steps, episodes) = (simulation.steps(), simulation.run().episodes);
    let (mut returns, mut written) = (Vec::new(), Ok(()));
    let compile_s = start.elapsed().as_secs_f64();
    let (start, cpu) = (Instant::now(), core_seconds());
    let _ = simulation.play(|_, rows| {
        let late = |row: &&Row| row.metric == "sampled_return" && row.episode + LAST_EPISODES > episodes;
        returns.extend(rows.iter().filter(late).map(|row| row.value));
        if !rows.is_empty() {
            written = sink.write(&rows).and_then(|()| sink.flush());
        }
        if written.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    written?;
    let train_s = start.elapsed().as_secs_f64();
    let (mut updates, mut batch) = (0, 0);
    for app in simulation.worlds() {
        let learned = app.world.resource::<Learned>();
        updates += learned.updates;
        batch = batch.max(learned.batch);
    }
    let cpu_s = core_seconds().zip(cpu).map(|(now, before)| now - before);
    let failures = simulation.failures();
    for failure in &failures {
        tracing::error!("seed {} failed at step {}: {}", failure.seed, failure.step, failure.what);
    }
    drop(sink);
    std::fs::remove_dir_all(&root)?;
    Ok(Some(Figures {
        peer: "equiflow",
        alg: labels.join("+"),
        batch,
        seeds,
        steps,
        threads: args.threads,
        train_s,
        compile_s,
        updates,
        ups: updates as f64 / train_s,
        runs: Vec::new(),
        rss_mb: None,
        ret: returns.iter().sum::<f64>() / returns.len().max(1) as f64,
        cpu_s,
        failed_seeds: failures.len(),
    }))
}

/// What a world's agents have learned.
#[derive(Resource, Default)]
struct Learned {
    /// Agents that learned, over all steps and seeds.
    updates: usize,
    /// Transitions of the largest batch.
    batch: usize,
}

/// The plugin that counts updates.
fn count_updates(app: &mut App) {
    app.world.init_resource::<Learned>();
    app.systems(Step, |step| {
        step.add_systems(count.in_set(StepSystems::Last));
    });
}

fn count(mut learned: ResMut<Learned>, learners: Query<(&BatchRequest, &PlaysIn)>, lanes: Query<&Lane>) {
    for (request, plays_in) in learners.iter().filter(|(request, _)| request.0 > 0) {
        learned.updates += lanes.get(plays_in.0).map_or(0, |lane| lane.seeds.len());
        learned.batch = learned.batch.max(request.0);
    }
}

/// Core-seconds that the process has taken, to a hundredth; on Linux.
fn core_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may hold anything, come 11 fields and then user and system time.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    // The kernel counts in hundredths of a second here, whatever its own clock does.
    Some((ticks()? + ticks()?) / 100.0)
}

/// The most memory that the process has had, in MiB; on Linux.
fn peak_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}
