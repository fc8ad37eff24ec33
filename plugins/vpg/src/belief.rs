//! What a player takes the others' policies to be.

use equiflow::prelude::*;
use equiflow::theory::Profile;
use equiflow::theory::opponent_model::{Counts, variational};

use crate::{Vpg, VpgParams};

/// The opponent model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Model {
    /// The others' published policies.
    Exact,
    /// The shares of their actions in the batch.
    Empirical,
    /// Prop. 4.7: what they would do if they were soft optimisers near a prior.
    Variational,
}

/// The prior of the variational model. It stays fixed while the model is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Prior {
    /// Every action equally likely.
    Uniform,
    /// The empirical model.
    Empirical,
}

/// Profiles in which the player plays as it does and the others as it thinks.
#[derive(Debug)]
pub struct Belief {
    /// Who plays how: rho for the others.
    pub profile: Profile,
    /// pihat for the others, which Def. 4.4 measures rho by. The model itself where there is no other.
    pub prior: Profile,
}

impl Belief {
    /// What seed number `number` of the lane thinks.
    pub fn new(
        params: &VpgParams,
        game: &TabularGame,
        player: usize,
        own: Profile,
        number: usize,
        lesson: &Lesson,
    ) -> Result<Self, String> {
        let others = (0..game.players()).filter(|other| *other != player);
        let mut profile = own;
        match params.opponent_model {
            Model::Exact => {
                for other in others {
                    let published = lesson.policies.get(other).copied().unwrap_or_default();
                    let place = game.layout().of_player(other);
                    let Some(theirs) = published.get(number * place.len()..(number + 1) * place.len()) else {
                        return Err(format!(
                            "player {other} publishes no policies that an exact opponent model could read; take \
                             `opponent_model: empirical`"
                        ));
                    };
                    profile.values[place].copy_from_slice(theirs);
                }
                Ok(Self { prior: profile.clone(), profile })
            }
            Model::Empirical => {
                empirical(params, game, player, number, lesson, &mut profile);
                Ok(Self { prior: profile.clone(), profile })
            }
            Model::Variational => {
                let mut prior = profile.clone();
                match params.prior {
                    Prior::Uniform => {
                        let uniform = Profile::uniform(game.layout());
                        others.clone().for_each(|other| take(game, other, &uniform, &mut prior));
                    }
                    Prior::Empirical => empirical(params, game, player, number, lesson, &mut prior),
                }
                profile = prior.clone();
                // With several opponents each model sees the ones of those before it.
                for other in others {
                    variational(game, &mut profile, &prior, other, params.temperature)
                        .map_err(|error| error.to_string())?;
                }
                Ok(Self { profile, prior })
            }
        }
    }
}

fn take(game: &TabularGame, player: usize, from: &Profile, to: &mut Profile) {
    for state in 0..game.states() {
        to.of_mut(player, state).copy_from_slice(from.of(player, state));
    }
}

/// Writes the shares of the others' actions in the batch to their places.
fn empirical(
    params: &VpgParams,
    game: &TabularGame,
    player: usize,
    number: usize,
    lesson: &Lesson,
    profile: &mut Profile,
) {
    let batch = lesson.batch;
    let mut counts = Counts::new(game);
    let rows = number * batch.size..(number + 1) * batch.size;
    for other in (0..game.players()).filter(|other| *other != player) {
        let part = &batch.players[other];
        let width = part.observation.len() / part.action.len();
        for row in rows.clone() {
            let state = Vpg::state(&part.observation[row * width..][..width]);
            let places = game.layout().range(other, state);
            let action = (part.action[row] as usize).min(places.len() - 1);
            counts.counts[places.start + action] += 1.0;
        }
        counts.write(other, params.smoothing, profile);
    }
}
