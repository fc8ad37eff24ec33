//! Max of two as a game of several steps: players walk over the hills.

use equiflow::prelude::*;

use crate::Version;

params! {
    /// Sequential max of two: each player moves its own number, x' = clip(x + u, -10, 10), starting from 0; both get
    /// the payoff of max of two at the new place. Both see the whole place.
    pub struct Sequential {
        /// `printed` or `unsquared`: how the broad hill is written.
        version: Version = Version::Printed,
        /// How far a player can move in one step.
        reach: f32 = 1.0,
    }
}

impl Game for Sequential {
    type Params = Self;
    /// Where each player stands.
    type State = [f32; 2];

    fn new(params: Self) -> Result<Self, Invalid> {
        if params.reach > 0.0 && params.reach.is_finite() {
            Ok(params)
        } else {
            Err(Invalid::new("reach", format!("{} lets nobody move; expected more than 0", params.reach)))
        }
    }

    fn spec(&self) -> GameSpec {
        let action = Space::cube(1, -self.reach, self.reach);
        let player = Player { observation: Space::cube(2, -10.0, 10.0), action };
        GameSpec { common_reward: true, ..GameSpec::sequential(vec![player; 2]) }
    }

    fn reset(&self, _: &mut Stream) -> [f32; 2] {
        [0.0; 2]
    }

    fn observe(&self, place: &[f32; 2], _player: usize, out: &mut [f32]) {
        out.copy_from_slice(place);
    }

    fn step(&self, place: &mut [f32; 2], actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        for (player, x) in place.iter_mut().enumerate() {
            *x = (*x + actions.scalar(player)).clamp(-10.0, 10.0);
        }
        rewards.fill(self.version.payoff(place[0], place[1]));
        Status::Running
    }
}
