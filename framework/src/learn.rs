//! The systems of the algorithms' side of a step, one set per algorithm of the run: act, ask for a batch, publish
//! target actions, learn, report figures.

use std::borrow::Cow;

use bevy_ecs::prelude::*;
use smallvec::SmallVec;

use crate::agent::{Action, Agent, BatchRequest, Faults, Observation, PlaysIn, TargetAction};
use crate::algorithm::{Algorithm, Fault, Lesson, Turn};
use crate::environment::{Busy, Clock, Environment, Health, Lane, Live, Outcome, Players, Trial};
use crate::game::Space;
use crate::opponent::predict::predictions;
use crate::opponent::{BatchPrediction, Models, Prediction};
use crate::policy::Policies;
use crate::record::{Records, Row};
use crate::replay::{Batch, first_rows};
use crate::workers::{Pace, Workers, fence, fenced};

/// Runs an agent's or a model's part of a stage, unless its lane is lost already. Says whether it came to its end. What
/// has befallen single seeds in this step does not keep the others of the lane from going on.
pub(crate) fn attempt(
    health: &Health,
    faults: &mut Faults,
    busy: &mut Busy,
    work: impl FnOnce() -> Result<(), Fault>,
) -> bool {
    /// Compiled once, whatever the work.
    fn attempt(
        health: &Health,
        faults: &mut Faults,
        busy: &mut Busy,
        work: &mut dyn FnMut() -> Result<(), Fault>,
    ) -> bool {
        if is_out(health, faults) {
            return false;
        }
        match fenced(busy, || Ok(work())) {
            Ok(Ok(())) => return true,
            Ok(Err(fault)) => faults.0.extend(fault.seeds.into_iter().map(|(seed, what)| (Some(seed), what))),
            Err(what) => faults.0.push((None, what)),
        }
        false
    }
    let mut work = Some(work);
    attempt(health, faults, busy, &mut || work.take().map_or(Ok(()), |work| work()))
}

/// Whether an agent or a model takes no more part: its lane is lost already, or is by what has befallen it in this step.
fn is_out(health: &Health, faults: &Faults) -> bool {
    health.is_lost() || faults.0.iter().any(|(seed, _)| seed.is_none())
}

/// Asks an agent or a model for its figures, unless its lane is lost already; a panic there is the end of the lane.
pub(crate) fn ask_figures(health: &mut Health, clock: &Clock, who: &str, ask: impl FnOnce(&Health)) {
    if health.is_lost() {
        return;
    }
    if let Err(what) = fence(|| ask(health)) {
        health.fail(None, clock.step, &format!("{who}: its metrics {what}"));
    }
}

/// Marks environments in which some player reads the others' target actions.
#[derive(Component)]
pub(crate) struct SharesTargets;

/// Observation to action, exploring.
pub(crate) fn act<A: Algorithm>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Environment, &Clock, &Outcome<Live>, &Health)>,
    models: Query<&Prediction<Live>>,
    mut agents: Query<(
        (&mut A, &mut Action<Live>, &mut Faults, &mut Busy),
        (&Agent, &PlaysIn, &Observation<Live>, Option<&Models>),
    )>,
) {
    workers.for_each(&mut pace, agents.iter_mut(), |((mut algorithm, mut action, mut faults, mut busy), fixed)| {
        let (agent, plays_in, seen, of) = fixed;
        let Ok((environment, clock, outcome, health)) = environments.get(plays_in.0) else { return };
        let predictions = &predictions(of, &models);
        let acted = attempt(health, &mut faults, &mut busy, || {
            let turn = Turn { observation: &seen.values, fresh: &outcome.fresh, step: clock.step, predictions };
            algorithm.act(&turn, &mut action.values);
            Ok(())
        });
        let space = &environment.spec.players[agent.player].action;
        check_rows(acted, ("action", "its algorithm"), space, &mut action.values, health, &mut faults);
    });
}

/// Observation to mean action, in evaluation episodes.
pub(crate) fn act_in_trial<A: Algorithm>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Environment, &Health)>,
    models: Query<&Prediction<Trial>>,
    mut agents: Query<(
        (&mut A, &mut Action<Trial>, &mut Faults, &mut Busy),
        (&Agent, &PlaysIn, &Observation<Trial>, Option<&Models>),
    )>,
) {
    workers.for_each(&mut pace, agents.iter_mut(), |((mut algorithm, mut action, mut faults, mut busy), fixed)| {
        let (agent, plays_in, seen, of) = fixed;
        let Ok((environment, health)) = environments.get(plays_in.0) else { return };
        let predictions = predictions(of, &models);
        let acted = attempt(health, &mut faults, &mut busy, || {
            algorithm.mean_action(&seen.values, &predictions, &mut action.values);
            Ok(())
        });
        let space = &environment.spec.players[agent.player].action;
        check_rows(acted, ("action", "its algorithm"), space, &mut action.values, health, &mut faults);
    });
}

/// An action, or the prediction of one, that is outside of its space, such as NaN, is the end of its seed: from then on
/// there are zeros that nobody counts. `(what, owner)` says what it is and whose fault it would be; `made` whether there
/// is anything.
pub(crate) fn check_rows(
    made: bool,
    (what, owner): (&str, &str),
    space: &Space,
    actions: &mut [f32],
    health: &Health,
    faults: &mut Faults,
) {
    if !made {
        actions.fill(0.0);
        return;
    }
    if space.contains_rows(actions) {
        return;
    }
    let per_seed = actions.len() / health.seeds.len();
    for (seed, rows) in actions.chunks_exact_mut(per_seed).enumerate() {
        if let Some(bad) = rows.chunks_exact(space.width()).find(|row| !space.contains(row)) {
            if health.is_well(seed) {
                let diverged = bad.iter().any(|x| !x.is_finite());
                let why = if diverged { format!("{owner} has diverged") } else { format!("a bug of {owner}") };
                faults.0.push((Some(seed), format!("the {what} {bad:?} is not in {space}: {why}")));
            }
            rows.fill(0.0);
        }
    }
}

/// Every learner says how large a batch it wants after this step; in a lane that is lost nobody wants any.
pub(crate) fn request<A: Algorithm>(
    environments: Query<(&Clock, &Health)>,
    mut agents: Query<(&A, &PlaysIn, &mut BatchRequest, &mut Faults)>,
) {
    for (algorithm, plays_in, mut request, mut faults) in &mut agents {
        let Ok((clock, health)) = environments.get(plays_in.0) else { continue };
        request.0 = 0;
        if is_out(health, &faults) {
            continue;
        }
        // Not timed: looking at the clock takes longer.
        match fence(|| algorithm.batch_at(clock.step)) {
            Ok(size) => request.0 = size,
            Err(what) => faults.0.push((None, what)),
        }
    }
}

/// For `run_if`: whether anyone in the world learns in this step.
pub(crate) fn somebody_learns(requests: Query<&BatchRequest>) -> bool {
    requests.iter().any(|request| request.0 > 0)
}

/// Whether no player of an environment learns in this step, so that there is no batch.
pub(crate) fn nobody_learns(players: &Players, requests: &Query<&BatchRequest>) -> bool {
    requests.iter_many(players.agents()).flatten().all(|request| request.0 == 0)
}

/// Every agent says what its target policy does at the batch's next observations, where some player reads that.
pub(crate) fn target<A: Algorithm>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Batch, &Players, &Health), With<SharesTargets>>,
    requests: Query<&BatchRequest>,
    models: Query<&BatchPrediction>,
    mut agents: Query<(
        (&mut A, &mut TargetAction, &mut Faults, &mut Busy),
        (&Agent, &PlaysIn, &Action<Live>, Option<&Models>),
    )>,
) {
    workers.for_each(&mut pace, agents.iter_mut(), |((mut algorithm, mut target, mut faults, mut busy), fixed)| {
        let (agent, plays_in, action, of) = fixed;
        let Ok((batch, players, health)) = environments.get(plays_in.0) else { return };
        if nobody_learns(players, &requests) {
            return;
        }
        let predictions: SmallVec<[&[f32]; 8]> =
            batch_predictions(of, &models).iter().map(|prediction| &prediction.next[..]).collect();
        // Others read it, whatever becomes of this agent.
        target.values.resize(batch.terminated.len() * action.width, 0.0);
        attempt(health, &mut faults, &mut busy, || {
            let seen = &batch.players[agent.player].next_observation;
            algorithm.target_action(seen, &predictions, &mut target.values);
            Ok(())
        });
    });
}

/// What the models of an agent predict in the batch, in the order of the players.
pub(crate) fn batch_predictions<'a>(
    of: Option<&Models>,
    models: &'a Query<&BatchPrediction>,
) -> SmallVec<[&'a BatchPrediction; 8]> {
    models.iter_many(of.map_or(&[][..], Models::of_opponents)).flatten().collect()
}

/// Every learner that asked for a batch learns from it.
pub(crate) fn update<A: Algorithm>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Batch, &Clock, &Players, &Health)>,
    targets: Query<&TargetAction>,
    policies: Query<Option<&Policies>>,
    models: Query<&BatchPrediction>,
    mut agents: Query<((&mut A, &mut Faults, &mut Busy), (&BatchRequest, &PlaysIn, Option<&Models>))>,
) {
    workers.for_each(
        &mut pace,
        agents.iter_mut(),
        |((mut algorithm, mut faults, mut busy), (request, plays_in, of))| {
            let Ok((batch, clock, players, health)) = environments.get(plays_in.0) else { return };
            if request.0 == 0 {
                return;
            }
            attempt(health, &mut faults, &mut busy, || {
                // The batch is as large as the largest that a player asked for; this one gets what it asked for.
                let (own, rows) = (batch.first(request.0), batch.terminated.len());
                let target_actions: SmallVec<[Cow<[f32]>; 8]> = (targets.iter_many(players.agents()).flatten())
                    .map(|target| first_rows(&target.values, rows, batch.size, request.0))
                    .collect();
                let target_actions: SmallVec<[&[f32]; 8]> = target_actions.iter().map(|actions| &actions[..]).collect();
                let predictions: SmallVec<[Cow<BatchPrediction>; 8]> = (batch_predictions(of, &models).into_iter())
                    .map(|prediction| prediction.first(rows, batch.size, request.0))
                    .collect();
                let predictions: SmallVec<[&BatchPrediction; 8]> =
                    predictions.iter().map(|prediction| &**prediction).collect();
                let policies: SmallVec<[&[f64]; 8]> = policies
                    .iter_many(players.agents())
                    .map(|policies| policies.ok().flatten().map_or(&[][..], |policies| &policies.0))
                    .collect();
                algorithm.learn(&Lesson {
                    step: clock.step,
                    batch: &own,
                    target_actions: &target_actions,
                    policies: &policies,
                    predictions: &predictions,
                })
            });
        },
    );
}

/// The policies that are played from now on, for others to read.
pub(crate) fn publish<A: Algorithm>(
    environments: Query<&Health>,
    mut agents: Query<(&A, &PlaysIn, &mut Policies, &mut Faults, &mut Busy)>,
) {
    for (algorithm, plays_in, mut published, mut faults, mut busy) in &mut agents {
        let Ok(health) = environments.get(plays_in.0) else { continue };
        attempt(health, &mut faults, &mut busy, || {
            if let Some(policies) = algorithm.policies() {
                published.0.copy_from_slice(policies);
            }
            Ok(())
        });
    }
}

/// What algorithms say of themselves, for the records.
pub(crate) fn metrics<A: Algorithm>(
    mut records: ResMut<Records>,
    mut environments: Query<(&Environment, &Lane, &Clock, &mut Health)>,
    agents: Query<(&A, &Agent, &PlaysIn)>,
) {
    for (algorithm, agent, plays_in) in &agents {
        let Ok((environment, lane, clock, mut health)) = environments.get_mut(plays_in.0) else { continue };
        ask_figures(&mut health, clock, &format!("player {}", agent.player), |health| {
            algorithm.metrics(&mut |metric, seed, value| {
                if health.is_well(seed) {
                    records.push(Row::new(environment, clock, Some(agent.player), lane.seeds[seed], metric, value));
                }
            });
        });
    }
}
