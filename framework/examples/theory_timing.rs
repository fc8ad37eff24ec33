//! How long exact answers take, as JSON lines for `benches/peers/theory.py` and `benches/players.py`.
//!
//! `theory_timing FILE.nfg ..`: NashConv of profiles and the path of logit equilibria of each Gambit file.
//! `theory_timing two_link N` or `theory_timing congestion N`: the exact evaluation of a Markov game of N players.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use equiflow::theory::games::{Congestion, TwoLink};
use equiflow::theory::lqre::{self, Options};
use equiflow::theory::{FiniteGame, NormalForm, Profile, TabularGame, nash_conv, nfg};
use serde_json::json;

/// Profiles of which NashConv is timed, and where logit equilibria are wanted: `theory.py` has the same.
const PROFILES: usize = 50;
const LAMBDAS: [f64; 5] = [0.1, 0.5, 1.0, 2.0, 5.0];
/// Runs of which the median counts, how long one of them repeats its work at least, and with how much time spent no other
/// is begun.
const RUNS: usize = 5;
const LEAST: Duration = Duration::from_millis(100);
const MOST_SECONDS: f64 = 10.0;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [game, players] if game == "two_link" => {
            let game = TwoLink { players: players.parse()?, ..TwoLink::default() };
            evaluation(|| Box::new(game.clone()))
        }
        [game, players] if game == "congestion" => {
            let game = Congestion { players: players.parse()?, ..Congestion::default() };
            evaluation(|| Box::new(game.clone()))
        }
        [] => Err("expected Gambit files, or the name of a game and a number of players".into()),
        files => files.iter().try_for_each(|file| one_shot(&nfg::open(Path::new(file))?, file)),
    }
}

/// The median time of one call.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times = Vec::new();
    while times.len() < RUNS && times.iter().sum::<f64>() < MOST_SECONDS {
        let (clock, began, mut calls) = (Clock::start(), Instant::now(), 0);
        while calls == 0 || began.elapsed() < LEAST {
            work();
            calls += 1;
        }
        times.push(clock.seconds() / f64::from(calls));
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Time of the processor, where Linux tells it, so that what else a machine does is not counted; else time on the wall.
struct Clock {
    began: Instant,
    on_processor: Option<f64>,
}

impl Clock {
    fn start() -> Self {
        Self { began: Instant::now(), on_processor: Self::on_processor() }
    }

    fn seconds(&self) -> f64 {
        let spent = self.on_processor.zip(Self::on_processor()).map(|(from, to)| to - from);
        spent.unwrap_or_else(|| self.began.elapsed().as_secs_f64())
    }

    /// What this process, which has one thread, has spent on the processor.
    fn on_processor() -> Option<f64> {
        let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
        let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
        Some(nanoseconds / 1e9)
    }
}

fn one_shot(form: &NormalForm, file: &str) -> Result<(), Box<dyn Error>> {
    let table = TabularGame::new(form)?;
    let profiles: Vec<Profile> = (0..PROFILES).map(|number| profile(&table, number)).collect();
    let mut total = 0.0;
    for profile in &profiles {
        total += nash_conv(&table, profile)?.total();
    }
    let one = median(|| {
        for profile in &profiles {
            // What can fail has succeeded above with the same game.
            let _ = black_box(nash_conv(black_box(&table), profile));
        }
    });
    let options = Options { lambdas: LAMBDAS.to_vec(), max_lambda: 0.0, ..Options::default() };
    let path = lqre::trace(&table, &options)?;
    let seconds = median(|| {
        let _ = black_box(lqre::trace(black_box(&table), &options));
    });
    let found: Vec<_> = path.equilibria.iter().filter(|one| one.passes == 0).collect();
    let residual = found.iter().fold(0.0, |most: f64, one| most.max(one.residual));
    let profiles: Vec<_> = found.iter().map(|one| &one.profile.values).collect();
    let payoffs: Vec<_> = (0..table.players()).map(|player| form.payoffs(player)).collect();
    let line = json!({
        "file": file, "shape": form.shape(), "payoffs": payoffs,
        "nash_conv_seconds": one / PROFILES as f64, "nash_conv_total": total,
        "path_seconds": seconds, "points": path.points.len(), "residual": residual, "profiles": profiles,
    });
    println!("{line}");
    Ok(())
}

/// Probabilities in the proportion of 1 + (7 player + 3 strategy + 11 number) mod 13.
fn profile(table: &TabularGame, number: usize) -> Profile {
    let mut profile = Profile::uniform(table.layout());
    profile.each(|player, _, part| {
        part.iter_mut().enumerate().for_each(|(a, p)| *p = (1 + (7 * player + 3 * a + 11 * number) % 13) as f64);
        let sum: f64 = part.iter().sum();
        part.iter_mut().for_each(|p| *p /= sum);
    });
    profile
}

/// Writing the game out as tables, and values, best responses and NashConv of a profile.
fn evaluation(game: impl Fn() -> Box<dyn FiniteGame>) -> Result<(), Box<dyn Error>> {
    // What can fail fails here; the tables are dropped before others are made.
    drop(TabularGame::new(&*game())?);
    let table_seconds = median(|| {
        let _ = black_box(TabularGame::new(&*game()));
    });
    let table = TabularGame::new(&*game())?;
    let profile = profile(&table, 1);
    let residual = nash_conv(&table, &profile)?.residual();
    let seconds = median(|| {
        let _ = black_box(nash_conv(black_box(&table), &profile));
    });
    let joint_actions = table.rows(table.states() - 1).end;
    let line = json!({
        "players": table.players(), "joint_actions": joint_actions, "table_seconds": table_seconds,
        "seconds": seconds, "residual": residual,
    });
    println!("{line}");
    Ok(())
}
