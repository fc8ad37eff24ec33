//! How an entry enters the world: its environment in one lane, with its agents and their opponent models.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::agent::{Action, Agent, BatchRequest, Faults, Observation, PlaysIn, Reward, TargetAction};
use crate::algorithm::Seat;
use crate::environment::{Busy, Clock, Environment, Episodes, Health, Lane, Live, Outcome, Trial};
use crate::evaluate::ActionSum;
use crate::instances::Instances;
use crate::learn::SharesTargets;
use crate::opponent::learn::BatchPolicySample;
use crate::opponent::predict::{PolicySample, ReadsPolicy};
use crate::opponent::score::Score;
use crate::opponent::{BatchPrediction, Exchange, ModelOf, ModelSeat, Prediction, Proposals};
use crate::policy::Tables;
use crate::replay::{Batch, Recent, Replay, Window};
use crate::run::{Entry, Run};
use crate::tape::Tape;
use crate::workers::fence;

/// The environment of an entry in one lane, with its agents and their opponent models.
pub(crate) fn spawn(world: &mut World, run: &Run, index: usize, entry: &Entry, lane: Lane) {
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
    let fresh = |each| entry.game.instances(lane.streams("environment", "game"), each);
    match fence(|| (fresh(lane.instances), fresh(1), fresh(1))) {
        Ok((live, trial, starts)) => {
            let tape = Tape::new(starts, spec.players.iter().map(|player| player.action.width()), seeds);
            world.entity_mut(environment).insert((Instances::<Live>::new(live), Instances::<Trial>::new(trial), tape));
        }
        Err(what) => give_up(world, environment, &format!("the game's reset {what}")),
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
