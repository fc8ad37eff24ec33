//! The environment entity: one entry of a run played in one lane of seeds. Its players are agents, entities of their
//! own.

use std::marker::PhantomData;

use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use crate::game::{GameSpec, Returns};
use crate::stream::Stream;

/// Which of the two sets of instances a component is about: those that are learned from, or those of the evaluation.
pub trait Phase: Send + Sync + 'static {
    /// Whether agents learn from it.
    const LEARNS: bool;
}

/// The instances that agents explore in and learn from, [`Lane::instances`] per seed.
#[derive(Debug)]
pub struct Live;

/// The instances of evaluation episodes, one per seed, in which agents play their mean action.
#[derive(Debug)]
pub struct Trial;

impl Phase for Live {
    const LEARNS: bool = true;
}

impl Phase for Trial {
    const LEARNS: bool = false;
}

/// An entry of the run in one lane.
#[derive(Component, Debug)]
pub struct Environment {
    /// Index of the entry in the run.
    pub entry: usize,
    /// What the game says of itself.
    pub spec: GameSpec,
}

/// The agents that play in an environment, player 0 first.
#[derive(Component, Debug)]
#[relationship_target(relationship = crate::agent::PlaysIn, linked_spawn)]
pub struct Players(Vec<Entity>);

impl Players {
    /// The agents, player 0 first.
    pub fn agents(&self) -> &[Entity] {
        &self.0
    }
}

/// A group of seeds that advance together: the leading axis of every buffer and of every parameter tensor.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Lane {
    /// The seed of the run, the first part of every stream's name.
    pub run_seed: u64,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Instances of the game per seed, all of which feed the same learners.
    pub instances: usize,
}

impl Lane {
    /// Rows of a live buffer: seeds x instances, the instances of a seed side by side.
    pub fn rows(&self) -> usize {
        self.seeds.len() * self.instances
    }

    /// One stream per seed.
    pub fn streams(&self, role: &str, purpose: &str) -> Vec<Stream> {
        self.seeds.iter().map(|&seed| Stream::new(self.run_seed, seed, role, purpose)).collect()
    }
}

/// How far an environment has come.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Environment steps done, per instance.
    pub step: u64,
    /// Steps after which an instance's episode is cut (truncated: the value of the next state still counts).
    pub limit: u32,
}

impl Clock {
    /// Training episodes done: blocks of [`Clock::limit`] steps.
    pub fn episode(&self) -> u64 {
        self.step / u64::from(self.limit)
    }

    /// Whether a block of steps has just been completed.
    pub fn at_boundary(&self) -> bool {
        self.step > 0 && self.step.is_multiple_of(u64::from(self.limit))
    }
}

/// The clocks and returns of the instances' episodes.
#[derive(Component, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episodes<P: Phase> {
    /// Steps of the running episode, per row.
    age: Vec<u32>,
    /// Rewards of the running episode: [rows, players].
    sum: Vec<f64>,
    /// Summed returns of the episodes that ended since the last record: [seeds, players].
    ended: Vec<f64>,
    /// How many ended, per seed.
    count: Vec<u32>,
    #[serde(skip)]
    phase: PhantomData<P>,
}

impl<P: Phase> Episodes<P> {
    pub(crate) fn new(rows: usize, seeds: usize, players: usize) -> Self {
        Self {
            age: vec![0; rows],
            sum: vec![0.0; rows * players],
            ended: vec![0.0; seeds * players],
            count: vec![0; seeds],
            phase: PhantomData,
        }
    }

    /// Adds a step of the rows of seed number `seed`, with their `rewards` [rows of the seed, players]. Writes to `over` whose
    /// episode is over, by the rules (`ends`) or because it has lasted `limit` steps.
    pub(crate) fn add(
        &mut self,
        seed: usize,
        rewards: &[f32],
        ends: &[bool],
        over: &mut [bool],
        limit: u32,
        how: Returns,
    ) {
        let players = self.ended.len() / self.count.len();
        let rows = seed * over.len()..(seed + 1) * over.len();
        let (sums, ages) = (&mut self.sum[rows.start * players..rows.end * players], &mut self.age[rows]);
        sums.iter_mut().zip(rewards).for_each(|(sum, reward)| *sum += f64::from(*reward));
        for ((age, over), ends) in ages.iter_mut().zip(&mut *over).zip(ends) {
            *age += 1;
            *over = *ends || *age >= limit;
        }
        let ended = ages.iter_mut().zip(sums.chunks_exact_mut(players)).zip(over).filter(|(_, over)| **over);
        for ((age, sums), _) in ended {
            for (ended, sum) in self.ended[seed * players..].iter_mut().zip(sums) {
                *ended += how.of(*sum, *age as usize);
                *sum = 0.0;
            }
            *age = 0;
            self.count[seed] += 1;
        }
    }

    /// Mean return of `player` over the episodes of seed number `seed` that ended; `None` when none did.
    pub fn mean_return(&self, seed: usize, player: usize) -> Option<f64> {
        let players = self.ended.len() / self.count.len();
        (self.count[seed] > 0).then(|| self.ended[seed * players + player] / f64::from(self.count[seed]))
    }

    /// Forgets everything, the running episodes too.
    pub(crate) fn restart(&mut self) {
        self.age.fill(0);
        self.sum.fill(0.0);
        self.clear();
    }

    /// Forgets the episodes that ended.
    pub(crate) fn clear(&mut self) {
        self.ended.fill(0.0);
        self.count.fill(0);
    }
}

/// What the last step brought, by row.
#[derive(Component, Debug)]
pub struct Outcome<P: Phase> {
    /// Rewards: [rows, players].
    pub rewards: Vec<f32>,
    /// Whether the rules ended the episode, per row.
    pub terminated: Vec<bool>,
    /// Whether the row now stands at the start of an episode, because the last one was terminated or cut.
    pub fresh: Vec<bool>,
    /// What each player saw after the step and before any reset, which is what a value is bootstrapped from:
    /// per player [rows, width]. Written only where transitions are remembered.
    pub next_observations: Vec<Vec<f32>>,
    phase: PhantomData<P>,
}

impl<P: Phase> Outcome<P> {
    pub(crate) fn new(rows: usize, spec: &GameSpec) -> Self {
        let players = spec.players.len();
        Self {
            rewards: vec![0.0; rows * players],
            terminated: vec![false; rows],
            fresh: vec![true; rows],
            next_observations: spec.players.iter().map(|p| vec![0.0; rows * p.observation.width()]).collect(),
            phase: PhantomData,
        }
    }
}

impl<P: Phase> Checkpoint for Outcome<P> {
    /// The next step sees of the last one only which rows begin an episode.
    fn save(&self, to: &mut Snapshot) {
        to.put("fresh", &self.fresh);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.fresh = from.get("fresh")?;
        Ok(())
    }
}

/// Seeds that had to be given up. They take no more part in the run; the others go on.
#[derive(Component, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Why, per seed; `None` for one that is well.
    pub seeds: Vec<Option<Fault>>,
}

/// Why a seed was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Environment steps done by then.
    pub step: u64,
    /// What happened.
    pub what: String,
}

impl Health {
    /// Whether seed number `seed` of the lane is still in the run.
    pub fn is_well(&self, seed: usize) -> bool {
        self.seeds[seed].is_none()
    }

    /// Whether no seed is left.
    pub fn is_lost(&self) -> bool {
        self.seeds.iter().all(Option::is_some)
    }

    /// Gives up a seed, or all with `None`; the first reason stays.
    pub fn fail(&mut self, seed: Option<usize>, step: u64, what: &str) {
        for (number, place) in self.seeds.iter_mut().enumerate() {
            if seed.is_none_or(|seed| seed == number) && place.is_none() {
                *place = Some(Fault { step, what: what.to_owned() });
            }
        }
    }
}

/// Core-seconds spent on an entity, for steps per second.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Busy(pub f64);

#[cfg(test)]
mod tests {
    use super::*;

    /// Two seeds of two rows each and two players; the first seed's second row ends by the rules, all others by the limit.
    #[test]
    fn episodes_end_by_the_rules_or_by_the_limit_and_count_for_their_seed() {
        for (how, first, second) in
            [(Returns::Total, [3.0, -3.0], [9.0, 0.0]), (Returns::PerStep, [1.5, -1.5], [3.0, 0.0])]
        {
            let mut episodes = Episodes::<Live>::new(4, 2, 2);
            let mut over = [true; 2];
            let mut step = |seed, rewards: [f32; 4], ends: [bool; 2]| {
                episodes.add(seed, &rewards, &ends, &mut over, 3, how);
                over
            };
            assert_eq!(step(0, [1.0, 0.0, 2.0, -1.0], [false; 2]), [false; 2]);
            assert_eq!(step(1, [3.0, 0.0, 3.0, 0.0], [false; 2]), [false; 2]);
            assert_eq!(step(0, [1.0, 0.0, 1.0, -2.0], [false, true]), [false, true]);
            assert_eq!(step(1, [3.0, 0.0, 3.0, 0.0], [false; 2]), [false; 2]);
            assert_eq!(step(1, [3.0, 0.0, 3.0, 0.0], [false; 2]), [true; 2]);
            let mean = |seed| [0, 1].map(|player| episodes.mean_return(seed, player));
            assert_eq!(mean(0), first.map(Some), "{how:?}");
            assert_eq!(mean(1), second.map(Some), "{how:?}");

            // The row that went on is one step short of the limit, the one that began anew two.
            episodes.clear();
            episodes.add(0, &[1.0, 0.0, 5.0, 5.0], &[false; 2], &mut over, 3, how);
            assert_eq!(over, [true, false]);
            let whole = if how == Returns::Total { 3.0 } else { 1.0 };
            assert_eq!(episodes.mean_return(0, 0), Some(whole));
            assert_eq!(episodes.mean_return(1, 0), None);
        }
    }
}
