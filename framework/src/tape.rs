//! The tape that evaluation episodes are cut from.

use bevy_ecs::prelude::*;

use crate::agent::Action;
use crate::environment::{Environment, Health, Lane, Outcome, Players, Trial};
use crate::episode::Episode;
use crate::game::{Game, GameSpec};
use crate::instances::AnyInstances;
use crate::nash::{Finding, Put};
use crate::stream::Stream;

/// The first evaluation episode of every seed. (The steps of an evaluation can hold several; where neither the game nor
/// the mean actions are random they are all the same.)
#[derive(Component)]
pub struct Tape {
    /// Per seed, where it started.
    starts: Box<dyn AnyInstances>,
    /// Per player its actions [steps, seeds, width], and the width.
    actions: Vec<(Vec<f32>, usize)>,
    /// Per seed, the rewards of the episode: [seeds, players].
    totals: Vec<f64>,
    /// Steps of the episode, per seed.
    lengths: Vec<usize>,
    /// Whether the episode is over, per seed.
    over: Vec<bool>,
    /// What was found out about the episodes and is not recorded yet.
    pub(crate) findings: Vec<Finding>,
}

impl Tape {
    /// A tape of episodes without a step, of as many players as `widths`, the widths of their actions, and of `seeds` seeds.
    pub(crate) fn new(starts: Box<dyn AnyInstances>, widths: impl Iterator<Item = usize>, seeds: usize) -> Self {
        let actions: Vec<_> = widths.map(|width| (Vec::new(), width)).collect();
        Self {
            starts,
            totals: vec![0.0; seeds * actions.len()],
            lengths: vec![0; seeds],
            over: vec![false; seeds],
            findings: Vec::new(),
            actions,
        }
    }

    /// Begins anew, one episode per row of `starts`.
    pub(crate) fn begin(&mut self, starts: Box<dyn AnyInstances>) {
        self.starts = starts;
        self.actions.iter_mut().for_each(|(values, _)| values.clear());
        self.totals.fill(0.0);
        self.lengths.fill(0);
        self.over.fill(false);
    }

    /// What the episode of seed number `seed` shows: see [`nash`](crate::nash).
    pub(crate) fn examine(&self, spec: &GameSpec, seed: usize, budget: usize, put: &mut Put) {
        self.starts.examine(spec, self, seed, budget, put);
    }

    /// The episode of seed number `seed`, which began in `start` with the game's random numbers `rng` after the reset.
    pub(crate) fn episode<'a, G: Game>(&'a self, seed: usize, start: &'a G::State, rng: &'a Stream) -> Episode<'a, G> {
        let actions = self.actions.iter().map(|(values, width)| (&values[..], *width));
        Episode::among(start, rng, actions, seed, self.lengths.len(), self.lengths[seed])
    }

    /// The rewards of the episode of seed number `seed`, summed per player.
    pub(crate) fn totals(&self, seed: usize) -> &[f64] {
        let players = self.actions.len();
        &self.totals[seed * players..(seed + 1) * players]
    }
}

/// Adds the step that was just played to the episodes that are not over.
pub(crate) fn record_step(
    mut environments: Query<(&mut Tape, &Outcome<Trial>, &Lane, &Players, &Health), With<Environment>>,
    agents: Query<&Action<Trial>>,
) {
    for (mut tape, outcome, lane, players, health) in &mut environments {
        let tape = &mut *tape;
        if health.is_lost() || tape.over.iter().all(|over| *over) {
            continue;
        }
        for ((values, _), action) in tape.actions.iter_mut().zip(agents.iter_many(players.agents()).flatten()) {
            values.extend_from_slice(&action.values);
        }
        let count = tape.actions.len();
        for seed in (0..lane.seeds.len()).filter(|seed| health.is_well(*seed)) {
            if tape.over[seed] {
                continue;
            }
            let rewards = &outcome.rewards[seed * count..(seed + 1) * count];
            tape.totals[seed * count..].iter_mut().zip(rewards).for_each(|(sum, reward)| *sum += f64::from(*reward));
            tape.lengths[seed] += 1;
            tape.over[seed] = outcome.fresh[seed];
        }
    }
}
