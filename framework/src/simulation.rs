//! A run as a world: environments and agents of every entry and lane, and the steps that they take together.

use std::ops::ControlFlow;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::agent::{Action, Agent, BatchRequest, Faults, Observation, PlaysIn, Reward, TargetAction};
use crate::algorithm::Seat;
use crate::app::App;
use crate::environment::{Busy, Clock, Environment, Episodes, Health, Lane, Live, Outcome, Players, Trial};
use crate::evaluate::{ActionSum, EvaluateEvery, evaluate};
use crate::learn::SharesTargets;
use crate::nash::BestResponse;
use crate::opponent::learn::BatchPolicySample;
use crate::opponent::predict::{PolicySample, ReadsPolicy};
use crate::opponent::score::Score;
use crate::opponent::{BatchPrediction, Exchange, ModelOf, ModelSeat, Models, Prediction, Proposals};
use crate::policy::Tables;
use crate::record::{Records, Row};
use crate::replay::{Batch, Recent, Replay, Window};
use crate::run::{Entry, Run};
use crate::schedule::Step;
use crate::workers::{Workers, fence};

/// A run under way.
pub struct Simulation {
    app: App,
    run: Run,
    step: u64,
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
    /// Sets up the world of a run whose games and algorithms are registered in `app`.
    pub fn new(mut app: App, run: Run) -> Self {
        app.world.insert_resource(EvaluateEvery(run.evaluate_every));
        app.world.insert_resource(BestResponse { budget: run.best_response });
        for (index, entry) in run.entries.iter().enumerate() {
            for seeds in run.seeds.chunks(run.lane_width) {
                let lane = Lane { run_seed: run.seed, seeds: seeds.to_vec(), instances: run.instances };
                spawn(&mut app.world, &run, index, entry, lane);
            }
        }
        Self { app, run, step: 0 }
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The world with its schedules.
    pub fn app(&mut self) -> &mut App {
        &mut self.app
    }

    /// Environment steps of the whole run, per instance.
    pub fn steps(&self) -> u64 {
        self.run.episodes * u64::from(self.run.steps)
    }

    /// Takes back a state that [`App::save`] gave on a simulation of the same run.
    ///
    /// # Errors
    /// What is missing or does not fit.
    pub fn restore(&mut self, snapshot: &crate::checkpoint::Snapshot) -> Result<(), crate::checkpoint::SnapshotError> {
        self.app.restore(snapshot)?;
        self.step = self.app.world.query::<&Clock>().iter(&self.app.world).map(|clock| clock.step).max().unwrap_or(0);
        Ok(())
    }

    /// Runs to the end, the first evaluation before the first step. After every step `watch` is shown the rows that it
    /// brought (none inside an episode) and may break off. With several threads, all of it happens on those of [`Workers`].
    pub fn play(&mut self, mut watch: impl FnMut(&mut Self, Vec<Row>) -> ControlFlow<()> + Send) -> ControlFlow<()> {
        let workers = self.app.world.resource::<Workers>().clone();
        workers.host(|| {
            if self.step == 0 {
                evaluate(&mut self.app.world);
            }
            while self.step < self.steps() {
                self.advance();
                let rows = self.app.world.resource_mut::<Records>().take();
                watch(self, rows)?;
            }
            ControlFlow::Continue(())
        })
    }

    /// One environment step of every lane.
    pub fn advance(&mut self) {
        self.app.world.run_schedule(Step);
        self.step += 1;
    }

    /// The episode that is under way, from 0.
    pub fn episode(&self) -> u64 {
        self.step / u64::from(self.run.steps)
    }

    /// Seeds that were given up, by entry and seed.
    pub fn failures(&mut self) -> Vec<Failure> {
        let world = &mut self.app.world;
        let mut failures = Vec::new();
        for (environment, lane, health) in world.query::<(&Environment, &Lane, &Health)>().iter(world) {
            for (&seed, fault) in lane.seeds.iter().zip(&health.seeds) {
                if let Some(fault) = fault {
                    let (entry, step, what) = (environment.entry, fault.step, fault.what.clone());
                    failures.push(Failure { entry, seed, step, what });
                }
            }
        }
        failures.sort_by_key(|failure| (failure.entry, failure.seed));
        failures
    }

    /// Core-seconds that each entry's environments, agents and opponent models have taken.
    pub fn busy_seconds(&mut self) -> Vec<f64> {
        let world = &mut self.app.world;
        let mut seconds = vec![0.0; self.run.entries.len()];
        for (environment, players, busy) in world.query::<(&Environment, &Players, &Busy)>().iter(world) {
            let models = players.agents().iter().filter_map(|agent| world.get::<Models>(*agent));
            let models = models.flat_map(Models::of_opponents);
            let others = players.agents().iter().chain(models).filter_map(|entity| world.get::<Busy>(*entity));
            seconds[environment.entry] += busy.0 + others.map(|busy| busy.0).sum::<f64>();
        }
        seconds
    }
}

/// The environment of an entry in one lane, with its agents and their opponent models.
fn spawn(world: &mut World, run: &Run, index: usize, entry: &Entry, lane: Lane) {
    let spec = &entry.spec;
    let (rows, seeds, players) = (lane.rows(), lane.seeds.len(), spec.players.len());
    let environment = world
        .spawn((
            (Environment { entry: index, spec: spec.clone() }, lane.clone(), Clock { step: 0, limit: run.steps }),
            (Episodes::<Live>::new(rows, seeds, players), Episodes::<Trial>::new(seeds, seeds, players)),
            (Outcome::<Live>::new(rows, spec), Outcome::<Trial>::new(seeds, spec)),
            (Health { seeds: vec![None; seeds] }, Busy::default()),
        ))
        .id();
    if let Err(what) = fence(|| entry.game.furnish(&mut world.entity_mut(environment), &lane)) {
        give_up(world, environment, &format!("the game's reset {what}"));
    }
    if let Some(tables) = &entry.tables {
        world.entity_mut(environment).insert(Tables::new(Arc::clone(tables)));
    }
    let memories: Vec<_> = entry.players.iter().filter_map(|cast| cast.algorithm.memory()).collect();
    if let Some(capacity) = memories.iter().map(|memory| memory.capacity).max() {
        let replay = Replay::new(spec, capacity, lane.streams("environment", "replay"));
        world.entity_mut(environment).insert((replay, Batch::default()));
    }
    if memories.iter().any(|memory| memory.reads_others) {
        world.entity_mut(environment).insert(SharesTargets);
    }
    if let Some(window) = entry.players.iter().filter_map(|cast| Some(cast.opponent_model.as_ref()?.1.window())).max() {
        world.entity_mut(environment).insert((Window(window), Recent::default()));
    }
    let mut agents = Vec::new();
    for (player, (cast, place)) in entry.players.iter().zip(&spec.players).enumerate() {
        let (seen, done) = (place.observation.width(), place.action.width());
        let agent = world
            .spawn((
                (Agent { player }, PlaysIn(environment), Busy::default(), Faults::default()),
                (Observation::<Live>::new(rows, seen), Observation::<Trial>::new(seeds, seen)),
                (Action::<Live>::new(rows, done), Action::<Trial>::new(seeds, done)),
                (Reward { values: vec![0.0; rows] }, BatchRequest::default(), TargetAction::default()),
                ActionSum::default(),
            ))
            .id();
        let seat = Seat { lane: &lane, game: spec, player, tables: entry.tables.as_ref() };
        if let Err(what) = fence(|| cast.algorithm.furnish(&mut world.entity_mut(agent), &seat)) {
            give_up(world, environment, &format!("player {player}: setting up `{}` {what}", cast.name));
        }
        agents.push(agent);
    }
    for (player, cast) in entry.players.iter().enumerate() {
        let Some((name, model)) = &cast.opponent_model else { continue };
        let seat = Seat { lane: &lane, game: spec, player, tables: entry.tables.as_ref() };
        world.entity_mut(agents[player]).insert(Exchange::default());
        for (opponent, place) in spec.players.iter().enumerate().filter(|(opponent, _)| *opponent != player) {
            let width = place.action.width();
            let entity = world
                .spawn((
                    (ModelOf { agent: agents[player], opponent }, Busy::default(), Faults::default(), Score::default()),
                    (Prediction::<Live>::new(rows, width), Prediction::<Trial>::new(seeds, width)),
                    (BatchPrediction::default(), Proposals::default()),
                ))
                .id();
            if model.reads_policy() {
                world.entity_mut(entity).insert(ReadsPolicy);
                let published = (PolicySample::<Live>::new(rows, width), PolicySample::<Trial>::new(seeds, width));
                world.entity_mut(agents[opponent]).insert((published, BatchPolicySample::default()));
            }
            let seat = ModelSeat { agent: seat, opponent };
            if let Err(what) = fence(|| model.furnish(&mut world.entity_mut(entity), &seat)) {
                give_up(
                    world,
                    environment,
                    &format!("player {player}: setting up `{name}` for player {opponent} {what}"),
                );
            }
        }
    }
}

/// The environment cannot even start: its seeds are lost, the other entries go on.
fn give_up(world: &mut World, environment: Entity, what: &str) {
    if let Some(mut health) = world.get_mut::<Health>(environment) {
        health.fail(None, 0, what);
    }
}
