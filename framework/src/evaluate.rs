//! Evaluation: episodes in which every agent plays its mean action, on instances of their own. Nothing is learned from
//! them and no stream of the training is touched.

use bevy_ecs::prelude::*;

use crate::agent::{Action, Agent, PlaysIn};
use crate::environment::{Clock, Environment, Episodes, Health, Lane, Players, Trial};
use crate::game::Space;
use crate::opponent::score::Score;
use crate::record::{Records, Row};
use crate::schedule::{BeginTrial, EndTrial, Rollout};

/// When evaluations take place.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluations {
    /// Training episodes from one to the next.
    pub every: u64,
    /// Training episodes of the whole run: there is one at its end.
    pub end: u64,
}

/// The sum of an agent's actions over the evaluation, in boxes: [seeds, width].
#[derive(Component, Debug, Default)]
pub(crate) struct ActionSum {
    values: Vec<f64>,
    steps: u32,
}

/// Whether the present step ended with an evaluation.
#[derive(Resource, Debug, Default)]
pub(crate) struct EvaluationDue(bool);

/// For `run_if`: algorithms report their figures when evaluations take place.
pub(crate) fn evaluation_was_due(due: Res<EvaluationDue>) -> bool {
    due.0
}

/// Runs the evaluation where it is due: all environments of a world advance together, so all are due at once.
pub(crate) fn evaluate_when_due(world: &mut World, mut clocks: Local<Option<QueryState<&'static Clock>>>) {
    let Evaluations { every, end } = *world.resource();
    let clocks = clocks.get_or_insert_with(|| world.query::<&Clock>());
    let is_due = |episode: u64| episode.is_multiple_of(every) || episode == end;
    let due = clocks.iter(world).any(|clock| clock.at_boundary() && is_due(clock.episode()));
    world.resource_mut::<EvaluationDue>().0 = due;
    if due {
        evaluate(world);
    }
}

/// Plays the steps of one evaluation per seed in every environment of the world and records the mean-action return, the mean action,
/// what the best responses gain ([`nash`](crate::nash)) and the game's own figures.
pub fn evaluate(world: &mut World) {
    world.run_schedule(BeginTrial);
    let limit = world.query::<&Clock>().iter(world).map(|clock| clock.limit).max().unwrap_or(0);
    for _ in 0..limit {
        world.run_schedule(Rollout);
    }
    world.run_schedule(EndTrial);
}

/// Adds the step's actions to the sums.
pub(crate) fn sum_actions(mut agents: Query<(&Action<Trial>, &mut ActionSum)>) {
    for (action, mut sum) in &mut agents {
        sum.values.resize(action.values.len(), 0.0);
        sum.values.iter_mut().zip(&action.values).for_each(|(sum, x)| *sum += f64::from(*x));
        sum.steps += 1;
    }
}

/// Forgets what the last evaluation left.
pub(crate) fn clear_trial(
    mut environments: Query<&mut Episodes<Trial>>,
    mut sums: Query<&mut ActionSum>,
    mut scores: Query<&mut Score>,
) {
    environments.iter_mut().for_each(|mut episodes| episodes.restart());
    sums.iter_mut().for_each(|mut sum| *sum = ActionSum::default());
    scores.iter_mut().for_each(|mut score| score.forget_trial());
}

/// Records the mean-action returns and mean actions.
pub(crate) fn record_trial(
    mut records: ResMut<Records>,
    environments: Query<(&Environment, &Lane, &Clock, &Players, &Episodes<Trial>, &Health)>,
    agents: Query<(&Agent, &ActionSum), With<PlaysIn>>,
) {
    for (environment, lane, clock, players, episodes, health) in &environments {
        for (number, &seed) in lane.seeds.iter().enumerate().filter(|(number, _)| health.is_well(*number)) {
            for (agent, sum) in agents.iter_many(players.agents()).flatten() {
                let mut put = |metric: std::borrow::Cow<'static, str>, value| {
                    records.push(Row::new(environment, clock, Some(agent.player), seed, metric, value));
                };
                if let Some(value) = episodes.mean_return(number, agent.player) {
                    put("mean_action_return".into(), value);
                }
                // The mean of choices in a discrete space means nothing.
                let space = &environment.spec.players[agent.player].action;
                if matches!(space, Space::Box { .. }) && sum.steps > 0 {
                    let sums = &sum.values[number * space.width()..][..space.width()];
                    for (dim, total) in sums.iter().enumerate() {
                        put(format!("mean_action[{dim}]").into(), total / f64::from(sum.steps));
                    }
                }
            }
        }
    }
}
