//! The systems of the game's side of a step: observe, play, receive, remember, sample.

use bevy_ecs::prelude::*;
use smallvec::SmallVec;

use crate::agent::{Action, Agent, BatchRequest, Faults, Observation, PlaysIn, Reward};
use crate::environment::{Busy, Clock, Environment, Episodes, Health, Lane, Live, Outcome, Phase, Players, Trial};
use crate::instances::Instances;
use crate::opponent::ModelOf;
use crate::replay::{Batch, Part, Recent, Replay, Window};
use crate::stream::Stream;
use crate::tape::Tape;
use crate::workers::{Pace, Workers, fence, fenced};

/// Game state to what each player sees.
pub(crate) fn observe<P: Phase>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    environments: Query<(&Instances<P>, &Health)>,
    mut agents: Query<(&Agent, &PlaysIn, &mut Observation<P>, &mut Faults, &mut Busy)>,
) {
    workers.for_each(&mut pace, agents.iter_mut(), |(agent, plays_in, mut observation, mut faults, mut busy)| {
        let Ok((instances, health)) = environments.get(plays_in.0) else { return };
        if health.is_lost() {
            return;
        }
        let result = fenced(&mut busy, || {
            instances.inner.observe(agent.player, &mut observation.values);
            Ok(())
        });
        if let Err(what) = result {
            faults.0.push((None, format!("the game's observe {what}")));
        }
    });
}

/// Joint action to rewards and next state; episodes that are over start again.
pub(crate) fn play<P: Phase>(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    mut environments: Query<(
        (&Environment, &Lane, &Clock, &Players, Has<Replay>),
        (&mut Instances<P>, &mut Episodes<P>, &mut Outcome<P>, &mut Health, &mut Busy),
    )>,
    agents: Query<&Action<P>>,
) {
    workers.for_each(&mut pace, environments.iter_mut(), |(fixed, changing)| {
        let (environment, lane, clock, players, remembers) = fixed;
        let (mut instances, mut episodes, mut outcome, mut health, mut busy) = changing;
        if health.is_lost() {
            return;
        }
        let actions: SmallVec<[(&[f32], usize); 8]> =
            agents.iter_many(players.agents()).flatten().map(|action| (&action.values[..], action.width)).collect();
        let result = fenced(&mut busy, || {
            let (instances, outcome) = (&mut instances.inner, &mut *outcome);
            let (count, returns) = (environment.spec.players.len(), environment.spec.returns);
            let per_seed = outcome.terminated.len() / lane.seeds.len();
            let rows = |seed: usize| seed * per_seed..(seed + 1) * per_seed;
            let rewards = |seed: usize| rows(seed).start * count..rows(seed).end * count;
            let well = |seed: &usize| health.is_well(*seed);
            for seed in (0..lane.seeds.len()).filter(well) {
                let (rewards, terminated) = (&mut outcome.rewards[rewards(seed)], &mut outcome.terminated[rows(seed)]);
                instances.step(seed, &actions, rewards, terminated);
            }
            if P::LEARNS && remembers {
                // What a value is bootstrapped from: before any reset.
                for (player, out) in outcome.next_observations.iter_mut().enumerate() {
                    instances.observe(player, out);
                }
            }
            for seed in (0..lane.seeds.len()).filter(well) {
                let (terminated, over) = (&outcome.terminated[rows(seed)], &mut outcome.fresh[rows(seed)]);
                episodes.add(seed, &outcome.rewards[rewards(seed)], terminated, over, clock.limit, returns);
                instances.reset(seed, over);
            }
            Ok(())
        });
        if let Err(what) = result {
            health.fail(None, clock.step, &format!("the game's step {what}"));
        }
    });
}

/// Fresh instances for an evaluation, which depend on the seed and the episode only: evaluating more or less often
/// changes nothing else.
pub(crate) fn begin_trial(
    mut environments: Query<(&Lane, &Clock, &mut Instances<Trial>, &mut Outcome<Trial>, &mut Tape, &mut Health)>,
) {
    for (lane, clock, mut instances, mut outcome, mut tape, mut health) in &mut environments {
        if health.is_lost() {
            continue;
        }
        let purpose = format!("evaluation after episode {}", clock.episode());
        let streams = lane.seeds.iter().map(|&seed| Stream::new(lane.run_seed, seed, "environment", &purpose));
        let fresh = fence(|| {
            instances.inner.begin(streams.collect());
            instances.inner.copy()
        });
        match fresh {
            Ok(starts) => tape.begin(starts),
            Err(what) => health.fail(None, clock.step, &format!("the game's reset {what}")),
        }
        outcome.fresh.fill(true);
    }
}

/// The clock of every environment goes on by one step.
pub(crate) fn tick(mut clocks: Query<&mut Clock>) {
    for mut clock in &mut clocks {
        clock.step += 1;
    }
}

/// Rewards to the agents that they are for.
pub(crate) fn receive(environments: Query<&Outcome<Live>>, mut agents: Query<(&Agent, &PlaysIn, &mut Reward)>) {
    for (agent, plays_in, mut reward) in &mut agents {
        let Ok(outcome) = environments.get(plays_in.0) else { continue };
        let players = outcome.rewards.len() / reward.values.len();
        let mine = outcome.rewards.iter().skip(agent.player).step_by(players);
        reward.values.iter_mut().zip(mine).for_each(|(place, reward)| *place = *reward);
    }
}

/// The transition of every row to the environment's replay memory.
pub(crate) fn remember(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    mut environments: Query<(&mut Replay, &Lane, &Players, &Outcome<Live>, &Health, &mut Busy)>,
    agents: Query<(&Observation<Live>, &Action<Live>, &Reward)>,
) {
    workers.for_each(&mut pace, environments.iter_mut(), |(mut replay, lane, players, outcome, health, mut busy)| {
        let agents: SmallVec<[_; 8]> = agents.iter_many(players.agents()).flatten().collect();
        let rows = |values: &'_ [f32]| values.len() / lane.rows();
        let result = fenced(&mut busy, || {
            for seed in (0..lane.seeds.len()).filter(|&seed| health.is_well(seed)) {
                for row in seed * lane.instances..(seed + 1) * lane.instances {
                    let parts = agents.iter().enumerate().map(|(player, (observation, action, reward))| {
                        let width = rows(&observation.values);
                        Part {
                            observation: &observation.values[row * width..][..width],
                            action: &action.values[row * action.width..][..action.width],
                            reward: reward.values[row],
                            next_observation: &outcome.next_observations[player][row * width..][..width],
                        }
                    });
                    replay.push(seed, parts, outcome.terminated[row]);
                }
            }
            Ok(())
        });
        // The framework's own code: a panic here is a bug of ours, not a fault of a seed.
        result.unwrap_or_else(|what| panic!("remembering a transition {what}"));
    });
}

/// The batch that the environment's players learn from: as large as the largest that one of them asked for. With it the
/// latest transitions, where opponent models look back.
pub(crate) fn sample(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    mut environments: Query<(
        (&mut Replay, &mut Batch, Option<(&Window, &mut Recent)>, &mut Busy),
        (&Players, &Health),
    )>,
    agents: Query<&BatchRequest>,
) {
    workers.for_each(
        &mut pace,
        environments.iter_mut(),
        |((mut replay, mut batch, recent, mut busy), (players, health))| {
            let size = agents.iter_many(players.agents()).flatten().map(|request| request.0).max().unwrap_or(0);
            if size == 0 || health.is_lost() {
                return;
            }
            let result = fenced(&mut busy, || {
                replay.sample(size, &mut batch);
                if let Some((window, mut recent)) = recent {
                    replay.latest(window.0, &mut recent.0);
                }
                Ok(())
            });
            result.unwrap_or_else(|what| panic!("drawing a batch {what}"));
        },
    );
}

/// What went wrong with agents and their opponent models in this step becomes the failure of their seeds.
pub(crate) fn collect_faults(
    mut environments: Query<(&Clock, &mut Health)>,
    agents: Query<(&Agent, &PlaysIn)>,
    mut faults: Query<(Entity, &mut Faults, Option<&ModelOf>)>,
) {
    for (entity, mut faults, model) in &mut faults {
        if faults.0.is_empty() {
            continue;
        }
        let Ok((agent, plays_in)) = agents.get(model.map_or(entity, |model| model.agent)) else { continue };
        let Ok((clock, mut health)) = environments.get_mut(plays_in.0) else { continue };
        let who = match model {
            None => format!("player {}", agent.player),
            Some(model) => format!("player {}'s model of player {}", agent.player, model.opponent),
        };
        for (seed, what) in faults.0.drain(..) {
            health.fail(seed, clock.step, &format!("{who}: {what}"));
        }
    }
}
