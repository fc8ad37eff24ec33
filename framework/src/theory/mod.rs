//! Exact game theory of finite games.
//!
//! # Layout
//!
//! A game says what happens after each joint action ([`finite_game`]) and is written out as tables ([`tabular`]), as large
//! as fits in memory ([`memory`]);
//! one-shot games have names and exact payoffs ([`normal_form`], [`rational`]) and Gambit's file format ([`nfg`]).
//! Policies are product profiles ([`profile`]). Such a game plays in the world too ([`playing`]).
//!
//! What a profile is worth ([`evaluate`], [`entropy`]), what a player can do against it ([`best_response`]) and how far it
//! is from a Nash equilibrium ([`nash_conv`]) is exact up to rounding. Logit quantal response equilibria are followed as a
//! path ([`lqre`]). Of one-shot games there are pure and mixed equilibria ([`pure_nash`], [`mixed`]), dominated strategies
//! ([`dominance`]) and exact potentials ([`potential`]); Markov games are tested for one by cycles of policies
//! ([`markov_potential`]), and where one can be written down it is ([`known_potential`]).
//!
//! The paper's own constructions: the graphical model for game ([`gmg`]) with flow and KL equilibria ([`flow`]), tabular
//! variational policy gradient ([`vpg`]) and opponent models ([`opponent_model`]), and the games that its statements are
//! tested on ([`games`]). Every statement is an entry of [`verify`].
//!
//! Everything here is computed, never sampled, and nothing here knows of the world, of plugins or of networks. What
//! cannot be computed is refused with the reason ([`error`]).

pub mod best_response;
mod contract;
mod deadline;
mod decision;
pub mod dominance;
pub mod entropy;
pub mod error;
pub mod evaluate;
pub mod finite_game;
pub mod flow;
pub mod games;
pub mod gmg;
pub mod known_potential;
pub mod lqre;
mod lu;
pub mod markov_potential;
pub mod memory;
pub mod minimise;
pub mod mixed;
mod moves;
pub mod nash_conv;
pub mod nfg;
pub mod normal_form;
pub mod opponent_model;
pub mod playing;
pub mod potential;
pub mod profile;
pub mod pure_nash;
pub mod rational;
pub mod tabular;
pub mod verify;
pub mod vpg;

pub use best_response::best_response;
pub use decision::Optimum;
pub use entropy::{Entropy, Objective};
pub use error::TheoryError;
pub use evaluate::{Values, action_values, values};
pub use finite_game::{FiniteGame, Next};
pub use nash_conv::{NashConv, nash_conv, social_optimum};
pub use normal_form::NormalForm;
pub use profile::{Layout, Profile};
pub use rational::Rational;
pub use tabular::TabularGame;
