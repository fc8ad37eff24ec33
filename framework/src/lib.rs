//! Equiflow is a plugin-based simulation framework for multi-agent game learning. An ECS world holds agents,
//! opponent models and environments as components, and every seed has such a world; games, algorithms and kinds of opponent
//! models are plugins; a RON file describes a run.
//!
//! # Layout
//!
//! A run file ([`run`]) is resolved against the plugins ([`plugin`], [`loader`], [`registry`]) into worlds
//! ([`simulation`], [`app`]) of environments and agents ([`environment`], [`agent`]) that play a [`game`] by an
//! [`algorithm`], with a model of each [`opponent`] where it wants one. The step schedule ([`schedule`]) runs their
//! systems over and over; what happens is recorded ([`record`]), and reports ([`report`]) are computed from the records
//! on disk. What can be computed exactly of finite games is in [`theory`], which knows nothing of the rest.
//!
//! A new game needs [`prelude`] only; see [`game::Game`] for a whole one.

extern crate self as equiflow;

pub mod run;

pub mod app;
pub mod loader;
pub mod plugin;
pub mod registry;

pub mod profile;
pub mod schedule;
pub mod simulation;
mod spawn;

pub mod game;
pub mod params;
pub mod stream;

pub mod agent;
pub mod algorithm;
pub mod environment;
pub mod episode;
pub mod evaluate;
mod instances;
mod learn;
pub mod nash;
pub mod opponent;
mod play;
pub mod policy;
pub mod replay;
mod tape;
pub mod workers;

pub mod checkpoint;
pub mod record;
pub mod report;

pub mod theory;

pub mod testing;

pub mod cli;

pub use {bevy_ecs, serde};

/// What a game or an algorithm needs.
pub mod prelude {
    pub use crate::algorithm::{Algorithm, Fault, Lesson, Memory, Seat, Turn};
    pub use crate::app::App;
    pub use crate::checkpoint::{Array, Checkpoint, Snapshot, SnapshotError};
    pub use crate::episode::Episode;
    pub use crate::game::{BestKnown, Game, GameSpec, Joint, Place, Player, Returns, Space, Status};
    pub use crate::opponent::{Answers, Inquiry, ModelLesson, ModelSeat, OpponentModel, Proposals};
    pub use crate::params::{Choice, Invalid};
    pub use crate::schedule::{Step, StepSystems};
    pub use crate::stream::Stream;
    pub use crate::theory::{FiniteGame, Next, TabularGame, TheoryError};
    pub use crate::{export_plugin, params};
    pub use bevy_ecs;
    pub use bevy_ecs::prelude::{Component, IntoScheduleConfigs, Query, Res, ResMut, Resource};
    pub use serde::{Deserialize, Serialize};
}
