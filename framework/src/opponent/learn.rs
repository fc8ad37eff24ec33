//! The systems by which opponent models and their agents learn together, each step that the agent learns in: models
//! predict the batch and propose, agents answer, models learn.

use std::borrow::Cow;

use bevy_ecs::prelude::*;
use smallvec::SmallVec;

use super::exchange::Rows;
use super::predict::{ReadsPolicy, opponent};
use super::{BatchPrediction, Exchange, ModelLesson, ModelOf, Models, OpponentModel, Proposals, Question};
use crate::agent::{Action, Agent, BatchRequest, Faults, PlaysIn};
use crate::algorithm::Algorithm;
use crate::environment::{Busy, Clock, Health, Live, Players};
use crate::learn::{attempt, batch_predictions, nobody_learns};
use crate::replay::{Batch, Recent};
use crate::workers::{Pace, Workers};

/// What an agent's own policy does in the transitions of the batch, on agents whose policy some model reads.
#[derive(Component, Default)]
pub(crate) struct BatchPolicySample {
    now: Vec<f32>,
    next: Vec<f32>,
}

/// What models predict in the transitions of the batch, whichever player learns from it: another's model may read the
/// agent's policy. And what they propose, if their agent learns.
pub(crate) fn predict<M: OpponentModel>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Batch, &Players, &Health)>,
    agents: Query<(&PlaysIn, &Agent, &BatchRequest)>,
    requests: Query<&BatchRequest>,
    actions: Query<&Action<Live>>,
    mut models: Query<
        (&mut M, &ModelOf, &mut BatchPrediction, &mut Proposals, &mut Faults, &mut Busy),
        Without<ReadsPolicy>,
    >,
) {
    workers.for_each(
        &mut pace,
        models.iter_mut(),
        |(mut model, of, mut prediction, mut proposals, mut faults, mut busy)| {
            let Ok((plays_in, agent, request)) = agents.get(of.agent) else { return };
            let Ok((batch, players, health)) = environments.get(plays_in.0) else { return };
            let Ok(action) = actions.get(players.agents()[of.opponent]) else { return };
            if nobody_learns(players, &requests) {
                return;
            }
            attempt(health, &mut faults, &mut busy, || {
                let seen = &batch.players[agent.player];
                prediction.resize(batch.terminated.len(), action.width);
                let BatchPrediction { now, next, next_log_ratio } = &mut *prediction;
                model.sample(&seen.observation, now, None);
                model.sample(&seen.next_observation, next, Some(next_log_ratio));
                if request.0 > 0 {
                    model.propose(&seen.observation, batch.size, &mut proposals);
                    let at = Rows { seeds: health.seeds.len(), batch: batch.size };
                    proposals.draw_beliefs(&mut *model, seen, at, action.width);
                }
                Ok(())
            });
        },
    );
}

/// Before policies are read in the batch, the models that read them hold what was done there: the circle of two agents
/// that read each other begins with that.
pub(crate) fn presume(
    environments: Query<(&Batch, &Players)>,
    agents: Query<&PlaysIn>,
    requests: Query<&BatchRequest>,
    mut models: Query<(&ModelOf, &mut BatchPrediction), With<ReadsPolicy>>,
) {
    for (of, mut prediction) in &mut models {
        let Ok((batch, players)) = agents.get(of.agent).and_then(|plays_in| environments.get(plays_in.0)) else {
            continue;
        };
        if nobody_learns(players, &requests) {
            continue;
        }
        let (done, rows) = (&batch.players[of.opponent].action, batch.terminated.len());
        prediction.resize(rows, done.len() / rows);
        prediction.now.copy_from_slice(done);
        prediction.next.copy_from_slice(done);
    }
}

/// Agents whose policy is read say what it does in the transitions of the batch.
pub(crate) fn publish<A: Algorithm>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Batch, &Players, &Health)>,
    requests: Query<&BatchRequest>,
    models: Query<&BatchPrediction>,
    mut agents: Query<(
        (&mut A, &mut BatchPolicySample, &mut Faults, &mut Busy),
        (&Agent, &PlaysIn, &Action<Live>, Option<&Models>),
    )>,
) {
    workers.for_each(&mut pace, agents.iter_mut(), |((mut algorithm, mut published, mut faults, mut busy), fixed)| {
        let (agent, plays_in, action, of) = fixed;
        let Ok((batch, players, health)) = environments.get(plays_in.0) else { return };
        if nobody_learns(players, &requests) {
            return;
        }
        let predictions = batch_predictions(of, &models);
        let BatchPolicySample { now, next } = &mut *published;
        // Others read it, whatever becomes of this agent.
        for sample in [&mut *now, &mut *next] {
            sample.resize(batch.terminated.len() * action.width, 0.0);
        }
        attempt(health, &mut faults, &mut busy, || {
            let seen = &batch.players[agent.player];
            algorithm.sample_policy(&seen.observation, &actions(&predictions, |at| &at.now), now);
            algorithm.sample_policy(&seen.next_observation, &actions(&predictions, |at| &at.next), next);
            Ok(())
        });
    });
}

/// The predicted actions, opponent by opponent.
fn actions<'a>(
    predictions: &[&'a BatchPrediction],
    which: impl Fn(&'a BatchPrediction) -> &'a [f32],
) -> SmallVec<[&'a [f32]; 8]> {
    predictions.iter().map(|prediction| which(prediction)).collect()
}

/// Models that are the opponent's true policy take what it published for the batch.
pub(crate) fn read_policies(
    environments: Query<&Players>,
    agents: Query<&PlaysIn>,
    requests: Query<&BatchRequest>,
    published: Query<&BatchPolicySample>,
    mut models: Query<(&ModelOf, &mut BatchPrediction), With<ReadsPolicy>>,
) {
    for (of, mut prediction) in &mut models {
        let Ok(players) = agents.get(of.agent).and_then(|plays_in| environments.get(plays_in.0)) else { continue };
        if nobody_learns(players, &requests) {
            continue;
        }
        if let Some(sample) = opponent(of, &agents, &environments).and_then(|entity| published.get(entity).ok()) {
            prediction.now.copy_from_slice(&sample.now);
            prediction.next.copy_from_slice(&sample.next);
        }
    }
}

/// Every agent answers the proposals of its models, and says to those that propose what it would do at the next
/// observations.
pub(crate) fn answer<A: Algorithm>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Batch, &Clock, &Health)>,
    models: Query<(&Proposals, &BatchPrediction)>,
    mut agents: Query<(
        (&mut A, &mut Exchange, &mut Faults, &mut Busy),
        (&Agent, &PlaysIn, &Action<Live>, &BatchRequest, &Models),
    )>,
) {
    workers.for_each(&mut pace, agents.iter_mut(), |((mut algorithm, mut exchange, mut faults, mut busy), fixed)| {
        let (agent, plays_in, action, request, of) = fixed;
        let Ok((batch, clock, health)) = environments.get(plays_in.0) else { return };
        if request.0 == 0 {
            return;
        }
        let models: SmallVec<[_; 8]> = models.iter_many(of.of_opponents()).flatten().collect();
        attempt(health, &mut faults, &mut busy, || {
            let exchange = &mut *exchange;
            exchange.policies_learn = algorithm.policies_learn(clock.step);
            let (seen, at) = (&batch.players[agent.player], Rows { seeds: health.seeds.len(), batch: batch.size });
            exchange.questions.resize_with(models.len(), Question::default);
            for (asking, question) in exchange.questions.iter_mut().enumerate() {
                // Not every model proposes.
                if !models[asking].0.actions.is_empty() {
                    question.ask((&mut *algorithm, action.width), asking, &models, seen, at);
                }
            }
            exchange.ask_next((&mut *algorithm, action.width), &models, seen, at);
            Ok(())
        });
    });
}

/// Every model learns whose agent learns.
pub(crate) fn fit<M: OpponentModel>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Batch, &Recent, &Health)>,
    agents: Query<(&PlaysIn, &BatchRequest, &Models, &Exchange)>,
    predictions: Query<&BatchPrediction>,
    mut models: Query<(Entity, &mut M, &ModelOf, &mut Faults, &mut Busy), Without<ReadsPolicy>>,
) {
    workers.for_each(&mut pace, models.iter_mut(), |(entity, mut model, of, mut faults, mut busy)| {
        let Ok((plays_in, request, siblings, exchange)) = agents.get(of.agent) else { return };
        let Ok((batch, recent, health)) = environments.get(plays_in.0) else { return };
        let number = siblings.of_opponents().iter().position(|sibling| *sibling == entity);
        let Some(question) = number.and_then(|number| exchange.questions.get(number)) else { return };
        if request.0 == 0 {
            return;
        }
        attempt(health, &mut faults, &mut busy, || {
            // As in `crate::learn::update`: what the agent asked for.
            let rows = batch.terminated.len();
            let predictions: SmallVec<[Cow<BatchPrediction>; 8]> = (batch_predictions(Some(siblings), &predictions))
                .into_iter()
                .map(|prediction| prediction.first(rows, batch.size, request.0))
                .collect();
            model.learn(&ModelLesson {
                batch: &batch.first(request.0),
                recent: &recent.0,
                policies_learn: exchange.policies_learn,
                predictions: &predictions.iter().map(|prediction| &**prediction).collect::<SmallVec<[_; 8]>>(),
                question,
                next: &exchange.next.first(rows, batch.size, request.0),
            })
        });
    });
}
