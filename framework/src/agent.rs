//! The agent entity: one player of an environment. The component of the algorithm that plays it stands beside these.

use std::marker::PhantomData;

use bevy_ecs::prelude::*;

use crate::environment::Phase;

/// A player of an environment.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its index among the players, from 0.
    pub player: usize,
}

/// The environment in which an agent plays.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[relationship(relationship_target = crate::environment::Players)]
pub struct PlaysIn(pub Entity);

/// What the agent sees: [rows, width of its observation].
#[derive(Component, Debug)]
pub struct Observation<P: Phase> {
    /// The numbers, row by row.
    pub values: Vec<f32>,
    phase: PhantomData<P>,
}

/// What the agent does: [rows, width of its action].
#[derive(Component, Debug)]
pub struct Action<P: Phase> {
    /// The numbers, row by row.
    pub values: Vec<f32>,
    /// Numbers in a row.
    pub width: usize,
    phase: PhantomData<P>,
}

impl<P: Phase> Observation<P> {
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        Self { values: vec![0.0; rows * width], phase: PhantomData }
    }
}

impl<P: Phase> Action<P> {
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        Self { values: vec![0.0; rows * width], width, phase: PhantomData }
    }
}

/// What the agent got in the last step, per row.
#[derive(Component, Debug)]
pub struct Reward {
    /// The numbers.
    pub values: Vec<f32>,
}

/// How many transitions the agent wants to learn from in this step; 0 when it does not learn.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchRequest(pub usize);

/// What the agent's target policy does at the next observations of the environment's batch: [seeds, batch, width].
/// Empty unless some player of the environment reads the others' (a centralised critic does).
#[derive(Component, Clone, Debug, Default)]
pub struct TargetAction {
    /// The numbers.
    pub values: Vec<f32>,
}

/// What went wrong with the agent in this step: the number of the seed (`None`: the whole lane) and what happened.
#[derive(Component, Clone, Debug, Default)]
pub struct Faults(pub Vec<(Option<usize>, String)>);
