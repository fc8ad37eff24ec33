//! A run as worlds, and the steps that they take.
//!
//! Every lane of seeds has a world of its own, in which the environments and agents of all entries are side by side. Nothing
//! passes from seed to seed, so worlds advance by many steps without waiting for each other, and what a seed learns with stays
//! in the caches meanwhile. Numbers and records do not depend on how the seeds are dealt out. With fewer lanes than threads
//! there is one world, whose systems share out the entries and agents of a step.

use std::ops::ControlFlow;
use std::time::Instant;

use bevy_ecs::prelude::*;

use crate::app::App;
use crate::checkpoint::{Snapshot, SnapshotError};
use crate::environment::{Busy, Clock, Environment, Health, Lane, Players};
use crate::evaluate::{Evaluations, evaluate};
use crate::nash::BestResponse;
use crate::opponent::Models;
use crate::record::{Records, Row};
use crate::run::Run;
use crate::schedule::Step;
use crate::spawn::spawn;
use crate::workers::Workers;

/// At most so many worlds, if there are not more threads, since each takes some memory (about 0.3 MiB) and a moment to set up;
/// beyond that, lanes share them.
const MOST_WORLDS: usize = 128;

/// Seconds between two looks at what has been recorded and at whether to stop, if steps take as long as before.
const ROUND: f64 = 0.5;

/// Steps between two looks at most: when learning begins, a step may take a thousand times as long as before.
const MOST_STEPS: u64 = 64;

/// A run under way.
pub struct Simulation {
    worlds: Vec<App>,
    /// The threads that the worlds are spread over; with a single world, those that its systems share.
    workers: Workers,
    run: Run,
    step: u64,
    /// What a step took of late.
    seconds_per_step: f64,
}

/// A seed that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Index of the entry.
    pub entry: usize,
    /// The seed.
    pub seed: u64,
    /// Environment steps done by then.
    pub step: u64,
    /// What happened.
    pub what: String,
}

impl Simulation {
    /// Sets up the worlds of a run whose games and algorithms are registered in `app`.
    ///
    /// # Panics
    /// When there are to be several worlds and something was registered other than by [`App::add_plugin`].
    pub fn new(app: App, run: Run) -> Self {
        let workers = app.world.resource::<Workers>().clone();
        let lanes = run.seeds.len().div_ceil(run.lane_width);
        let mut worlds = vec![app];
        if lanes > 1 && lanes >= workers.threads() {
            worlds[0].world.insert_resource(Workers::new(1));
            while worlds.len() < lanes.min(MOST_WORLDS.max(workers.threads())) {
                worlds.push(worlds[0].fork());
            }
        }
        for app in &mut worlds {
            app.install(&run);
            app.world.insert_resource(Evaluations { every: run.evaluate_every, end: run.episodes });
            app.world.insert_resource(BestResponse { budget: run.best_response });
        }
        let count = worlds.len();
        for (number, seeds) in run.seeds.chunks(run.lane_width).enumerate() {
            let world = &mut worlds[number % count].world;
            for (index, entry) in run.entries.iter().enumerate() {
                let lane = Lane { run_seed: run.seed, seeds: seeds.to_vec(), instances: run.instances };
                spawn(world, &run, index, entry, lane);
            }
        }
        Self { worlds, workers, run, step: 0, seconds_per_step: ROUND }
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The first world with its schedules: the only one of a run of one seed, or of one lane.
    pub fn app(&mut self) -> &mut App {
        &mut self.worlds[0]
    }

    /// All worlds with their schedules.
    pub fn worlds(&mut self) -> &mut [App] {
        &mut self.worlds
    }

    /// How many worlds advance at the same time.
    pub fn at_once(&self) -> usize {
        self.worlds.len().min(self.workers.threads())
    }

    /// Environment steps of the whole run, per instance.
    pub fn steps(&self) -> u64 {
        self.run.episodes * u64::from(self.run.steps)
    }

    /// All that decides the future of the run, the same whatever the number of threads.
    pub fn save(&mut self) -> Snapshot {
        let mut all = Snapshot::default();
        self.worlds.iter_mut().for_each(|app| all.merge(app.save()));
        all
    }

    /// Takes back a state that [`Simulation::save`] gave on a simulation of the same run.
    ///
    /// # Errors
    /// What is missing or does not fit.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let mut step = 0;
        for app in &mut self.worlds {
            app.restore(snapshot)?;
            let clocks = app.world.query::<&Clock>().iter(&app.world).map(|clock| clock.step).max();
            step = step.max(clocks.unwrap_or(0));
        }
        self.step = step;
        Ok(())
    }

    /// Runs to the end, the first evaluation before the first step. Now and then, and at the end, `watch` is shown the rows
    /// that came meanwhile and may break off. With several threads, all of it happens on those of [`Workers`].
    pub fn play(&mut self, mut watch: impl FnMut(&mut Self, Vec<Row>) -> ControlFlow<()> + Send) -> ControlFlow<()> {
        let workers = self.workers.clone();
        workers.host(|| {
            if self.step == 0 {
                self.evaluate();
            }
            while self.step < self.steps() {
                self.round();
                let rows = self.take_rows();
                watch(self, rows)?;
            }
            ControlFlow::Continue(())
        })
    }

    /// As many steps as fit in a [`ROUND`]. All worlds end it at the same step, so the order of the records does not depend on
    /// how many those are.
    fn round(&mut self) {
        let most = MOST_STEPS.min(self.steps() - self.step);
        let steps = ((ROUND / self.seconds_per_step) as u64).clamp(1, most);
        let start = Instant::now();
        self.advance_by(steps);
        self.seconds_per_step = start.elapsed().as_secs_f64() / steps as f64;
    }

    /// One environment step of every lane.
    pub fn advance(&mut self) {
        self.advance_by(1);
    }

    /// So many environment steps of every lane, with the evaluations that fall due in them; not the one before the first step,
    /// see [`Simulation::play`]. Worlds do not wait for each other in between.
    pub fn advance_by(&mut self, steps: u64) {
        self.workers.each(&mut self.worlds, |app| {
            app.world.schedule_scope(Step, |world, step| (0..steps).for_each(|_| step.run(world)));
        });
        self.step += steps;
    }

    /// Plays the episodes of an evaluation in every lane and records what came out.
    pub fn evaluate(&mut self) {
        self.workers.each(&mut self.worlds, |app| evaluate(&mut app.world));
    }

    /// Takes the rows that were recorded since the last call, in the order of steps, entries and seeds: however the lanes were
    /// dealt out to worlds, and in which order those were done.
    pub fn take_rows(&mut self) -> Vec<Row> {
        let mut rows: Vec<_> =
            self.worlds.iter_mut().flat_map(|app| app.world.resource_mut::<Records>().take()).collect();
        rows.sort_by_key(|row| (row.step, row.entry, row.seed));
        rows
    }

    /// Environment steps done so far, per instance.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The episode that is under way, from 0.
    pub fn episode(&self) -> u64 {
        self.step / u64::from(self.run.steps)
    }

    /// Seeds that were given up, by entry and seed.
    pub fn failures(&mut self) -> Vec<Failure> {
        let mut failures = Vec::new();
        for App { world, .. } in &mut self.worlds {
            for (environment, lane, health) in world.query::<(&Environment, &Lane, &Health)>().iter(world) {
                for (&seed, fault) in lane.seeds.iter().zip(&health.seeds) {
                    if let Some(fault) = fault {
                        let (entry, step, what) = (environment.entry, fault.step, fault.what.clone());
                        failures.push(Failure { entry, seed, step, what });
                    }
                }
            }
        }
        failures.sort_by_key(|failure| (failure.entry, failure.seed));
        failures
    }

    /// Core-seconds that each entry's environments, agents and opponent models have taken.
    pub fn busy_seconds(&mut self) -> Vec<f64> {
        let mut seconds = vec![0.0; self.run.entries.len()];
        for App { world, .. } in &mut self.worlds {
            for (environment, players, busy) in world.query::<(&Environment, &Players, &Busy)>().iter(world) {
                let models = players.agents().iter().filter_map(|agent| world.get::<Models>(*agent));
                let models = models.flat_map(Models::of_opponents);
                let others = players.agents().iter().chain(models).filter_map(|entity| world.get::<Busy>(*entity));
                seconds[environment.entry] += busy.0 + others.map(|busy| busy.0).sum::<f64>();
            }
        }
        seconds
    }
}
