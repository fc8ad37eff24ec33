//! Routing games: agents send divisible demands through a network whose edges get slower the more they carry.
//!
//! This is the *atomic splittable* routing game (Orda, Rom and Shimkin 1993): finitely many agents, each of which splits
//! its own demand over the ways from its source to its sink and counts what it costs itself. The paper plays "a
//! non-atomic routing game" after Mguni et al. 2021 without defining it; its definition is not available, and this is
//! our reading of it. As the demand falls to many small agents, the equilibrium tends to that of the non-atomic game
//! ([`wardrop`](equilibrium::wardrop)).
//!
//! # Layout
//!
//! A [`network`], one of the named ones of [`params`] or written in a run file, and who wants to go where make an
//! [`instance`] with its costs and its potential. [`equilibrium`] solves it: best responses, Nash equilibrium, social
//! optimum, Wardrop equilibrium. [`layers`] lays the network out in steps, [`game`] plays it, [`drawing`] draws it.

pub mod drawing;
pub mod equilibrium;
pub mod game;
pub mod instance;
pub mod layers;
pub mod network;
pub mod params;

equiflow::export_plugin! {
    games { routing: game::Routing }
}
