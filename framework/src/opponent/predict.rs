//! The systems by which agents hear what their opponents will do in this step, in training and in evaluation.

use std::marker::PhantomData;

use bevy_ecs::prelude::*;
use smallvec::SmallVec;

use super::{ModelOf, Models, OpponentModel, Prediction};
use crate::agent::{Faults, Observation, PlaysIn};
use crate::algorithm::Algorithm;
use crate::environment::{Busy, Environment, Health, Lane, Live, Phase, Players, Trial};
use crate::learn::{attempt, check_rows};
use crate::workers::{Pace, Workers};

/// Marks models that are the opponent's true policy.
#[derive(Component)]
pub(crate) struct ReadsPolicy;

/// What an agent's own policy does here, on agents whose policy some model reads: [rows, width].
#[derive(Component)]
pub(crate) struct PolicySample<P: Phase> {
    values: Vec<f32>,
    phase: PhantomData<P>,
}

impl<P: Phase> PolicySample<P> {
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        Self { values: vec![0.0; rows * width], phase: PhantomData }
    }
}

/// A sample of what each opponent does in this step.
pub(crate) fn predict<M: OpponentModel>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Environment, &Health)>,
    agents: Query<(&PlaysIn, &Observation<Live>)>,
    mut models: Query<(&mut M, &ModelOf, &mut Prediction<Live>, &mut Faults, &mut Busy), Without<ReadsPolicy>>,
) {
    workers.for_each(&mut pace, models.iter_mut(), |(mut model, of, mut prediction, mut faults, mut busy)| {
        let Ok((plays_in, seen)) = agents.get(of.agent) else { return };
        let Ok((environment, health)) = environments.get(plays_in.0) else { return };
        let predicted = attempt(health, &mut faults, &mut busy, || {
            model.predict(&seen.values, &mut prediction.values);
            Ok(())
        });
        let space = &environment.spec.players[of.opponent].action;
        check_rows(predicted, ("prediction", "the model"), space, &mut prediction.values, health, &mut faults);
    });
}

/// The mean of what each opponent does, in evaluation episodes.
pub(crate) fn predict_mean<M: OpponentModel>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Environment, &Health)>,
    agents: Query<(&PlaysIn, &Observation<Trial>)>,
    mut models: Query<(&mut M, &ModelOf, &mut Prediction<Trial>, &mut Faults, &mut Busy), Without<ReadsPolicy>>,
) {
    workers.for_each(&mut pace, models.iter_mut(), |(mut model, of, mut prediction, mut faults, mut busy)| {
        let Ok((plays_in, seen)) = agents.get(of.agent) else { return };
        let Ok((environment, health)) = environments.get(plays_in.0) else { return };
        let predicted = attempt(health, &mut faults, &mut busy, || {
            model.mean(&seen.values, &mut prediction.values);
            Ok(())
        });
        let space = &environment.spec.players[of.opponent].action;
        check_rows(predicted, ("prediction", "the model"), space, &mut prediction.values, health, &mut faults);
    });
}

/// What the models of an agent predict, in the order of the players.
pub(crate) fn predictions<'a, P: Phase>(
    of: Option<&Models>,
    models: &'a Query<&Prediction<P>>,
) -> SmallVec<[&'a [f32]; 8]> {
    let entities = of.map_or(&[][..], Models::of_opponents);
    models.iter_many(entities).flatten().map(|prediction| &prediction.values[..]).collect()
}

/// Agents whose policy is read say what it does. Where two read each other, each is shown what the other did last.
pub(crate) fn publish<A: Algorithm, P: Phase>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<&Health>,
    models: Query<&Prediction<P>>,
    mut agents: Query<(
        (&mut A, &mut PolicySample<P>, &mut Faults, &mut Busy),
        (&PlaysIn, &Observation<P>, Option<&Models>),
    )>,
) {
    workers.for_each(
        &mut pace,
        agents.iter_mut(),
        |((mut algorithm, mut sample, mut faults, mut busy), (plays_in, seen, of))| {
            let Ok(health) = environments.get(plays_in.0) else { return };
            let predictions = predictions(of, &models);
            attempt(health, &mut faults, &mut busy, || {
                match P::LEARNS {
                    true => algorithm.sample_policy(&seen.values, &predictions, &mut sample.values),
                    false => algorithm.mean_action(&seen.values, &predictions, &mut sample.values),
                }
                Ok(())
            });
        },
    );
}

/// Models that are the opponent's true policy take what it published.
pub(crate) fn read_policies<P: Phase>(
    environments: Query<&Players>,
    agents: Query<&PlaysIn>,
    published: Query<&PolicySample<P>>,
    mut models: Query<(&ModelOf, &mut Prediction<P>), With<ReadsPolicy>>,
) {
    for (of, mut prediction) in &mut models {
        if let Some(sample) = opponent(of, &agents, &environments).and_then(|entity| published.get(entity).ok()) {
            prediction.values.copy_from_slice(&sample.values);
        }
    }
}

/// In an evaluation, policies that read each other begin with what they last read in play: an evaluation does not depend
/// on the ones before it.
pub(crate) fn begin_trial(
    lanes: Query<&Lane>,
    agents: Query<&PlaysIn>,
    mut models: Query<(&ModelOf, &Prediction<Live>, &mut Prediction<Trial>), With<ReadsPolicy>>,
) {
    for (of, live, mut trial) in &mut models {
        let Ok(lane) = agents.get(of.agent).and_then(|plays_in| lanes.get(plays_in.0)) else { continue };
        let width = trial.values.len() / lane.seeds.len();
        let seeds = live.values.chunks_exact(lane.instances * width).zip(trial.values.chunks_exact_mut(width));
        seeds.for_each(|(live, trial)| trial.copy_from_slice(&live[..width]));
    }
}

/// The entity of the player that a model predicts.
pub(super) fn opponent(of: &ModelOf, agents: &Query<&PlaysIn>, environments: &Query<&Players>) -> Option<Entity> {
    let players = environments.get(agents.get(of.agent).ok()?.0).ok()?;
    players.agents().get(of.opponent).copied()
}
