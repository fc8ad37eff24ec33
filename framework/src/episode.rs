//! An evaluation episode as it was played, and the tape that it is cut from. What is made of it (best responses,
//! figures) is in [`nash`](crate::nash).

use bevy_ecs::prelude::*;
use smallvec::SmallVec;

use crate::agent::Action;
use crate::environment::{Environment, Health, Lane, Outcome, Players, Trial};
use crate::game::{Game, GameSpec, Joint};
use crate::instances::AnyInstances;
use crate::nash::{Finding, Put};
use crate::stream::Stream;

/// One episode: where it started and what everybody did in each of its steps.
#[derive(Debug)]
pub struct Episode<'a, G: Game> {
    /// The state in which it started.
    pub start: &'a G::State,
    /// The game's random numbers as they stood after the reset: a clone of it gives every step the same chance again.
    pub rng: &'a Stream,
    /// Per player its actions, and how many numbers each has.
    actions: SmallVec<[(&'a [f32], usize); 8]>,
    /// The row of the first step's actions.
    first: usize,
    /// Rows from one step to the next.
    stride: usize,
    steps: usize,
}

impl<'a, G: Game> Episode<'a, G> {
    /// An episode of `steps` steps. `actions` gives per player its actions, [steps, width] with the width beside it.
    pub fn new(
        start: &'a G::State,
        rng: &'a Stream,
        actions: impl IntoIterator<Item = (&'a [f32], usize)>,
        steps: usize,
    ) -> Self {
        Self { start, rng, actions: actions.into_iter().collect(), first: 0, stride: 1, steps }
    }

    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The joint action of a step.
    pub fn joint(&self, step: usize) -> Joint<'_> {
        Joint::new(&self.actions, self.first + step * self.stride)
    }

    /// The joint actions, step by step.
    pub fn joints(&self) -> impl Iterator<Item = Joint<'_>> {
        (0..self.steps).map(|step| self.joint(step))
    }

    /// The mean over the steps of what `value` makes of the joint action: the return of a repeated game from the payoff
    /// of its stage.
    pub fn per_step(&self, value: impl FnMut(Joint) -> f64) -> f64 {
        self.joints().map(value).sum::<f64>() / self.steps as f64
    }
}

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
        Episode {
            start,
            rng,
            actions: self.actions.iter().map(|(values, width)| (&values[..], *width)).collect(),
            first: seed,
            stride: self.lengths.len(),
            steps: self.lengths[seed],
        }
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
