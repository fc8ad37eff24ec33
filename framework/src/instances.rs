//! The instances of a game as the systems play them: whatever the game, the systems are the same, so that each is compiled
//! once and a step runs it once. What a step does per game is here.

use std::marker::PhantomData;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use crate::environment::Phase;
use crate::game::{Game, GameSpec, Joint, Status};
use crate::nash::{self, Put};
use crate::stream::Stream;
use crate::tape::Tape;

/// The instances of an environment's game, in rows: those of a seed side by side, as many for each.
#[derive(Component)]
pub struct Instances<P: Phase> {
    pub(crate) inner: Box<dyn AnyInstances>,
    phase: PhantomData<P>,
}

impl<P: Phase> Instances<P> {
    pub(crate) fn new(inner: Box<dyn AnyInstances>) -> Self {
        Self { inner, phase: PhantomData }
    }
}

impl<P: Phase> Checkpoint for Instances<P> {
    fn save(&self, to: &mut Snapshot) {
        self.inner.save(to);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.inner.restore(from)
    }
}

/// Instances of a game, its type forgotten.
pub trait AnyInstances: Checkpoint + Send + Sync {
    /// What `player` sees, to `out`: [rows, width].
    fn observe(&self, player: usize, out: &mut [f32]);

    /// Plays the joint action in every row of seed number `seed`. `actions` are per player those of all rows, with the
    /// width of one; `rewards` [rows of the seed, players] and `terminated` [rows of the seed] are written.
    fn step(&mut self, seed: usize, actions: &[(&[f32], usize)], rewards: &mut [f32], terminated: &mut [bool]);

    /// A new episode in each row of seed number `seed` that is `over` [rows of the seed].
    fn reset(&mut self, seed: usize, over: &[bool]);

    /// Begins anew with one row per stream.
    fn begin(&mut self, streams: Vec<Stream>);

    /// A copy of all of it.
    fn copy(&self) -> Box<dyn AnyInstances>;

    /// What the episode of seed number `seed` on the tape shows, which began in these states: see [`nash`].
    fn examine(&self, spec: &GameSpec, tape: &Tape, seed: usize, budget: usize, put: &mut Put);
}

/// Instances of `G`.
pub(crate) struct InstancesOf<G: Game> {
    game: Arc<G>,
    /// One per row.
    states: Vec<G::State>,
    /// One per seed.
    streams: Vec<Stream>,
}

impl<G: Game> InstancesOf<G> {
    /// Fresh instances of `game`, `each` of them per stream.
    pub(crate) fn new(game: Arc<G>, mut streams: Vec<Stream>, each: usize) -> Self {
        let mut states = Vec::with_capacity(streams.len() * each);
        for rng in &mut streams {
            states.extend((0..each).map(|_| game.reset(rng)));
        }
        Self { game, states, streams }
    }
}

impl<G: Game> AnyInstances for InstancesOf<G> {
    fn observe(&self, player: usize, out: &mut [f32]) {
        let width = out.len() / self.states.len();
        for (state, out) in self.states.iter().zip(out.chunks_exact_mut(width)) {
            self.game.observe(state, player, out);
        }
    }

    fn step(&mut self, seed: usize, actions: &[(&[f32], usize)], rewards: &mut [f32], terminated: &mut [bool]) {
        let (first, players) = (seed * terminated.len(), actions.len());
        let states = self.states[first..].iter_mut().zip(rewards.chunks_exact_mut(players)).zip(terminated);
        for (row, ((state, rewards), terminated)) in (first..).zip(states) {
            let status = self.game.step(state, &Joint::new(actions, row), &mut self.streams[seed], rewards);
            *terminated = status == Status::Terminal;
        }
    }

    fn reset(&mut self, seed: usize, over: &[bool]) {
        let rows = self.states[seed * over.len()..].iter_mut().zip(over).filter(|(_, over)| **over);
        for (state, _) in rows {
            *state = self.game.reset(&mut self.streams[seed]);
        }
    }

    fn begin(&mut self, streams: Vec<Stream>) {
        *self = Self::new(Arc::clone(&self.game), streams, 1);
    }

    fn copy(&self) -> Box<dyn AnyInstances> {
        let (states, streams) = (self.states.clone(), self.streams.clone());
        Box::new(Self { game: Arc::clone(&self.game), states, streams })
    }

    fn examine(&self, spec: &GameSpec, tape: &Tape, seed: usize, budget: usize, put: &mut Put) {
        let episode = tape.episode(seed, &self.states[seed], &self.streams[seed]);
        nash::examine(&*self.game, spec, &episode, tape.totals(seed), budget, put);
    }
}

impl<G: Game> Checkpoint for InstancesOf<G> {
    fn save(&self, to: &mut Snapshot) {
        to.put("states", &self.states);
        to.put("streams", &self.streams);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.states = from.get("states")?;
        self.streams = from.get("streams")?;
        Ok(())
    }
}
