//! How good a model is: how likely it held what its opponent then did, and how far its mean is from the true one.

use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use super::predict::{ReadsPolicy, opponent};
use super::{ModelOf, OpponentModel, Prediction};
use crate::agent::{Action, Agent, Faults, Observation, PlaysIn};
use crate::environment::{Busy, Clock, Environment, Health, Lane, Live, Players, Trial};
use crate::game::Space;
use crate::learn::{ask_figures, attempt};
use crate::record::{Records, Row};
use crate::workers::{Pace, Workers};

/// How well a model has predicted since the last record.
#[derive(Component, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Score {
    /// Summed log-likelihood of what the opponent did, each before the model could learn from it; per seed.
    log_likelihood: Vec<f64>,
    steps: u32,
    /// Summed distance between the predicted and the true mean action in the evaluation; per seed.
    distance: Vec<f64>,
    trial_steps: u32,
}

impl Score {
    /// Forgets the last evaluation.
    pub fn forget_trial(&mut self) {
        self.distance.clear();
        self.trial_steps = 0;
    }
}

/// How likely each model held what its opponent has just done: held out, since it has not learned from that yet.
pub(crate) fn score<M: OpponentModel>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Players, &Health)>,
    agents: Query<(&PlaysIn, &Observation<Live>)>,
    actions: Query<&Action<Live>>,
    mut models: Query<(&mut M, &ModelOf, &mut Score, &mut Faults, &mut Busy), Without<ReadsPolicy>>,
) {
    workers.for_each(&mut pace, models.iter_mut(), |(mut model, of, mut score, mut faults, mut busy)| {
        let Ok((plays_in, seen)) = agents.get(of.agent) else { return };
        let Ok((players, health)) = environments.get(plays_in.0) else { return };
        let Ok(done) = actions.get(players.agents()[of.opponent]) else { return };
        attempt(health, &mut faults, &mut busy, || {
            let rows = done.values.len() / done.width;
            let mut each: SmallVec<[f64; 64]> = smallvec![0.0; rows];
            model.log_likelihood(&seen.values, &done.values, &mut each);
            let per_seed = rows / health.seeds.len();
            score.log_likelihood.resize(health.seeds.len(), 0.0);
            for (sum, rows) in score.log_likelihood.iter_mut().zip(each.chunks_exact(per_seed)) {
                *sum += rows.iter().sum::<f64>() / per_seed as f64;
            }
            score.steps += 1;
            Ok(())
        });
    });
}

/// How far the predicted mean action is from the true one (Euclidean), in evaluation episodes of continuous games.
pub(crate) fn compare(
    environments: Query<&Environment>,
    players: Query<&Players>,
    agents: Query<&PlaysIn>,
    actions: Query<&Action<Trial>>,
    mut models: Query<(&ModelOf, &Prediction<Trial>, &mut Score)>,
) {
    for (of, prediction, mut score) in &mut models {
        let Ok(environment) = agents.get(of.agent).and_then(|plays_in| environments.get(plays_in.0)) else { continue };
        let done = opponent(of, &agents, &players).and_then(|entity| actions.get(entity).ok());
        let (Some(done), Space::Box { .. }) = (done, &environment.spec.players[of.opponent].action) else { continue };
        let rows = prediction.values.chunks_exact(done.width).zip(done.values.chunks_exact(done.width));
        score.distance.resize(done.values.len() / done.width, 0.0);
        for (sum, (predicted, done)) in score.distance.iter_mut().zip(rows) {
            *sum += predicted.iter().zip(done).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>().sqrt();
        }
        score.trial_steps += 1;
    }
}

/// Writes the scores down when evaluations take place, and begins anew.
pub(crate) fn record_scores(
    mut records: ResMut<Records>,
    environments: Query<(&Environment, &Lane, &Clock, &Health)>,
    agents: Query<(&Agent, &PlaysIn)>,
    mut models: Query<(&ModelOf, &mut Score)>,
) {
    for (of, mut score) in &mut models {
        let Ok((agent, plays_in)) = agents.get(of.agent) else { continue };
        let Ok((environment, lane, clock, health)) = environments.get(plays_in.0) else { continue };
        let score = std::mem::take(&mut *score);
        for (metric, sums, count) in [
            ("model_log_likelihood", score.log_likelihood, score.steps),
            ("model_distance", score.distance, score.trial_steps),
        ] {
            for (number, sum) in sums.iter().enumerate().filter(|(number, _)| health.is_well(*number)) {
                let (metric, value) = (format!("{metric}[{}]", of.opponent), sum / f64::from(count));
                records.push(Row::new(environment, clock, Some(agent.player), lane.seeds[number], metric, value));
            }
        }
    }
}

/// Figures that models give of themselves, for the records.
pub(crate) fn metrics<M: OpponentModel>(
    mut records: ResMut<Records>,
    mut environments: Query<(&Environment, &Lane, &Clock, &mut Health)>,
    agents: Query<(&Agent, &PlaysIn)>,
    models: Query<(&M, &ModelOf)>,
) {
    for (model, of) in &models {
        let Ok((agent, plays_in)) = agents.get(of.agent) else { continue };
        let Ok((environment, lane, clock, mut health)) = environments.get_mut(plays_in.0) else { continue };
        let who = format!("player {}'s model of player {}", agent.player, of.opponent);
        ask_figures(&mut health, clock, &who, |health| {
            model.metrics(&mut |metric, seed, value| {
                if health.is_well(seed) {
                    let metric = format!("{metric}[{}]", of.opponent);
                    records.push(Row::new(environment, clock, Some(agent.player), lane.seeds[seed], metric, value));
                }
            });
        });
    }
}
