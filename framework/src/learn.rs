//! The systems of the algorithms' side of a step, one set per registered algorithm: act, ask for a batch, publish
//! target actions, learn, report figures.

use bevy_ecs::prelude::*;
use smallvec::SmallVec;

use crate::agent::{Action, Agent, BatchRequest, Faults, Observation, PlaysIn, TargetAction};
use crate::algorithm::{Algorithm, Lesson, Turn};
use crate::environment::{Busy, Clock, Environment, Health, Lane, Live, Outcome, Players, Trial};
use crate::game::Space;
use crate::policy::Policies;
use crate::record::{Records, Row};
use crate::replay::Batch;
use crate::workers::{Workers, fenced};

/// Marks environments in which some player reads the others' target actions.
#[derive(Component)]
pub(crate) struct SharesTargets;

/// Observation to action, exploring.
pub(crate) fn act<A: Algorithm>(
    workers: Res<Workers>,
    environments: Query<(&Environment, &Clock, &Outcome<Live>, &Health)>,
    mut agents: Query<(&mut A, &Agent, &PlaysIn, &Observation<Live>, &mut Action<Live>, &mut Faults, &mut Busy)>,
) {
    workers.for_each(agents.iter_mut(), |(mut algorithm, agent, plays_in, seen, mut action, mut faults, mut busy)| {
        let Ok((environment, clock, outcome, health)) = environments.get(plays_in.0) else { return };
        if health.is_lost() || !faults.0.is_empty() {
            return;
        }
        let result = fenced(&mut busy, || {
            let turn = Turn { observation: &seen.values, fresh: &outcome.fresh, step: clock.step };
            algorithm.act(&turn, &mut action.values);
            Ok(())
        });
        check_actions(result, &environment.spec.players[agent.player].action, &mut action.values, health, &mut faults);
    });
}

/// Observation to mean action, in evaluation episodes.
pub(crate) fn act_in_trial<A: Algorithm>(
    workers: Res<Workers>,
    environments: Query<(&Environment, &Health)>,
    mut agents: Query<(&mut A, &Agent, &PlaysIn, &Observation<Trial>, &mut Action<Trial>, &mut Faults, &mut Busy)>,
) {
    workers.for_each(agents.iter_mut(), |(mut algorithm, agent, plays_in, seen, mut action, mut faults, mut busy)| {
        let Ok((environment, health)) = environments.get(plays_in.0) else { return };
        if health.is_lost() || !faults.0.is_empty() {
            return;
        }
        let result = fenced(&mut busy, || {
            algorithm.mean_action(&seen.values, &mut action.values);
            Ok(())
        });
        check_actions(result, &environment.spec.players[agent.player].action, &mut action.values, health, &mut faults);
    });
}

/// An action outside of its space, such as NaN, is the end of its seed: from then on it plays zeros that nobody counts.
fn check_actions(result: Result<(), String>, space: &Space, actions: &mut [f32], health: &Health, faults: &mut Faults) {
    if let Err(what) = result {
        actions.fill(0.0);
        faults.0.push((None, what));
        return;
    }
    let per_seed = actions.len() / health.seeds.len();
    for (seed, rows) in actions.chunks_exact_mut(per_seed).enumerate() {
        if let Some(bad) = rows.chunks_exact(space.width()).find(|row| !space.contains(row)) {
            if health.is_well(seed) {
                let diverged = bad.iter().any(|x| !x.is_finite());
                let why = if diverged { "its algorithm has diverged" } else { "a bug of its algorithm" };
                faults.0.push((Some(seed), format!("the action {bad:?} is not in {space}: {why}")));
            }
            rows.fill(0.0);
        }
    }
}

/// Every learner says how large a batch it wants after this step.
pub(crate) fn request<A: Algorithm>(environments: Query<&Clock>, mut agents: Query<(&A, &PlaysIn, &mut BatchRequest)>) {
    for (algorithm, plays_in, mut request) in &mut agents {
        let Ok(clock) = environments.get(plays_in.0) else { continue };
        request.0 = algorithm.batch_at(clock.step);
    }
}

/// Every agent says what its target policy does at the batch's next observations, where some player reads that.
pub(crate) fn target<A: Algorithm>(
    workers: Res<Workers>,
    environments: Query<(&Batch, &Lane, &Players, &Health), With<SharesTargets>>,
    requests: Query<&BatchRequest>,
    mut agents: Query<(&mut A, &Agent, &PlaysIn, &Action<Live>, &mut TargetAction, &mut Faults, &mut Busy)>,
) {
    workers.for_each(
        agents.iter_mut(),
        |(mut algorithm, agent, plays_in, action, mut target, mut faults, mut busy)| {
            let Ok((batch, lane, players, health)) = environments.get(plays_in.0) else { return };
            let nobody_learns = requests.iter_many(players.agents()).flatten().all(|request| request.0 == 0);
            if nobody_learns || health.is_lost() || !faults.0.is_empty() {
                return;
            }
            let result = fenced(&mut busy, || {
                target.values.resize(lane.seeds.len() * batch.size * action.width, 0.0);
                algorithm.target_action(&batch.players[agent.player].next_observation, &mut target.values);
                Ok(())
            });
            if let Err(what) = result {
                faults.0.push((None, what));
            }
        },
    );
}

/// Every learner that asked for a batch learns from it.
pub(crate) fn update<A: Algorithm>(
    workers: Res<Workers>,
    environments: Query<(&Batch, &Clock, &Players, &Health)>,
    targets: Query<&TargetAction>,
    policies: Query<Option<&Policies>>,
    mut agents: Query<(&mut A, &BatchRequest, &PlaysIn, &mut Faults, &mut Busy)>,
) {
    workers.for_each(agents.iter_mut(), |(mut algorithm, request, plays_in, mut faults, mut busy)| {
        let Ok((batch, clock, players, health)) = environments.get(plays_in.0) else { return };
        if request.0 == 0 || health.is_lost() || !faults.0.is_empty() {
            return;
        }
        let target_actions: SmallVec<[&[f32]; 8]> =
            targets.iter_many(players.agents()).flatten().map(|target| &target.values[..]).collect();
        let policies: SmallVec<[&[f64]; 8]> = policies
            .iter_many(players.agents())
            .map(|policies| policies.ok().flatten().map_or(&[][..], |policies| &policies.0))
            .collect();
        let lesson = Lesson { step: clock.step, batch, target_actions: &target_actions, policies: &policies };
        let result = fenced(&mut busy, || Ok(algorithm.learn(&lesson)));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => faults.0.push((fault.seed, fault.what)),
            Err(what) => faults.0.push((None, what)),
        }
    });
}

/// The policies that are played from now on, for others to read.
pub(crate) fn publish<A: Algorithm>(mut agents: Query<(&A, &mut Policies)>) {
    for (algorithm, mut published) in &mut agents {
        if let Some(policies) = algorithm.policies() {
            published.0.copy_from_slice(policies);
        }
    }
}

/// What algorithms say of themselves, for the records.
pub(crate) fn metrics<A: Algorithm>(
    mut records: ResMut<Records>,
    environments: Query<(&Environment, &Lane, &Clock, &Health)>,
    agents: Query<(&A, &Agent, &PlaysIn)>,
) {
    for (algorithm, agent, plays_in) in &agents {
        let Ok((environment, lane, clock, health)) = environments.get(plays_in.0) else { continue };
        algorithm.metrics(&mut |metric, seed, value| {
            if health.is_well(seed) {
                records.push(Row::new(environment, clock, Some(agent.player), lane.seeds[seed], metric, value));
            }
        });
    }
}
