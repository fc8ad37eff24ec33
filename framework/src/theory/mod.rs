//! Exact game theory of finite games.
//!
//! # Layout
//!
//! A game says what happens after each joint action ([`finite_game`]) and is written out as tables ([`tabular`]).
//! Policies are product profiles ([`profile`]). Such a game plays in the world too ([`playing`]). Everything here is computed, never sampled, and nothing here knows of
//! the world, of plugins or of networks. What cannot be computed is refused with the reason ([`error`]).

pub mod best_response;
pub mod contract;
mod decision;
pub mod entropy;
pub mod error;
pub mod evaluate;
pub mod finite_game;
pub mod flow;
pub mod games;
pub mod gmg;
pub mod minimise;
pub mod nash_conv;
pub mod opponent_model;
pub mod playing;
pub mod profile;
pub mod tabular;
pub mod vpg;

pub use error::TheoryError;
pub use finite_game::{FiniteGame, Next};
pub use profile::{Layout, Profile};
pub use tabular::TabularGame;
