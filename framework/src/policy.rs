//! Tables of policies in finite games: what agents publish of them, and what they are worth exactly.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, PlaysIn};
use crate::environment::{Clock, Environment, Health, Lane, Players};
use crate::record::{Records, Row};
use crate::theory::known_potential::potential_game;
use crate::theory::{Objective, Profile, TabularGame, TheoryError, nash_conv, values};

/// The policies that an agent plays in every state, by seed: [seeds, states, actions], as its place in a profile.
#[derive(Component, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policies(pub Vec<f64>);

/// The tables of an environment's game.
#[derive(Component, Clone, Debug)]
pub struct Tables {
    /// The game.
    pub game: Arc<TabularGame>,
    /// The game of its potential, where one is known.
    potential: Option<TabularGame>,
}

impl Tables {
    pub(crate) fn new(game: Arc<TabularGame>) -> Self {
        // A potential that is too large to write down is not recorded; the game itself is there.
        let potential = potential_game(&game).ok().flatten();
        Self { game, potential }
    }
}

/// At evaluations, what the profile of all players is worth, where all have published their policies: `exact_nash_conv` and
/// (where one is known) `exact_potential` of the game, `exact_gain` and `exact_value` of each player, from the start
/// distribution. (Without `exact_`, the same names stand for the actions of an evaluation episode: see [`crate::nash`].)
pub(crate) fn record_policies(
    mut records: ResMut<Records>,
    environments: Query<(&Environment, &Tables, &Lane, &Clock, &Players, &Health)>,
    agents: Query<(&Agent, &Policies), With<PlaysIn>>,
) {
    for (environment, tables, lane, clock, players, health) in &environments {
        let published: Vec<_> = agents.iter_many(players.agents()).flatten().collect();
        if published.len() < players.agents().len() {
            continue;
        }
        for (number, &seed) in lane.seeds.iter().enumerate().filter(|(number, _)| health.is_well(*number)) {
            let mut profile = Profile::uniform(tables.game.layout());
            profile.values.clear();
            for (_, policies) in &published {
                let own = policies.0.len() / lane.seeds.len();
                profile.values.extend_from_slice(&policies.0[number * own..][..own]);
            }
            let mut put = |player, metric: &'static str, value| {
                records.push(Row::new(environment, clock, player, seed, metric, value));
            };
            // What has no value, as with discount 1, is not recorded.
            let Ok((found, potential)) = judge(tables, &profile) else { continue };
            put(None, "exact_nash_conv", found.total());
            if let Some(potential) = potential {
                put(None, "exact_potential", potential);
            }
            for (agent, _) in &published {
                put(Some(agent.player), "exact_gain", found.gains[agent.player]);
                put(Some(agent.player), "exact_value", found.values.of_start[agent.player]);
            }
        }
    }
}

fn judge(tables: &Tables, profile: &Profile) -> Result<(crate::theory::NashConv, Option<f64>), TheoryError> {
    let found = nash_conv(&tables.game, profile)?;
    let potential = tables.potential.as_ref().map(|game| values(game, profile, Objective::default())).transpose()?;
    Ok((found, potential.map(|values| values.of_start[0])))
}
