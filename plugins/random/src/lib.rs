//! Uniformly random play: a baseline, an opponent, and the measure of what the schedule itself costs.

use equiflow::prelude::*;

params! {
    /// Plays uniformly over its space and learns nothing. In evaluations it plays the centre of a box, or the first
    /// choice.
    pub struct RandomParams {}
}

/// A player who plays uniformly.
#[derive(Component, Debug)]
pub struct Random {
    space: Space,
    /// One per seed.
    streams: Vec<Stream>,
    /// For those who ask what it is going to do.
    forecasts: Vec<Stream>,
}

impl Algorithm for Random {
    type Params = RandomParams;

    fn check(_: &RandomParams, game: &GameSpec, player: usize) -> Result<(), Invalid> {
        match &game.players[player].action {
            Space::Box { low, high } if low.iter().chain(high).any(|bound| !bound.is_finite()) => {
                Err(Invalid { field: None, what: "the action space has no bounds; expected a bounded one".to_owned() })
            }
            _ => Ok(()),
        }
    }

    fn new(_: &RandomParams, seat: &Seat) -> Self {
        let (streams, forecasts) = (seat.streams("actions"), seat.streams("forecasts"));
        Self { space: seat.action().clone(), streams, forecasts }
    }

    fn act(&mut self, _: &Turn, action: &mut [f32]) {
        self.space.sample_shares(&mut self.streams, action);
    }

    fn mean_action(&mut self, _observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        match &self.space {
            Space::Discrete(_) => action.fill(0.0),
            Space::Box { low, high } => {
                for row in action.chunks_exact_mut(low.len()) {
                    for ((x, low), high) in row.iter_mut().zip(low).zip(high) {
                        *x = (low + high) / 2.0;
                    }
                }
            }
        }
    }

    fn target_action(&mut self, _observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        self.space.sample_shares(&mut self.forecasts, action);
    }

    fn sample_policy(&mut self, _observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        self.space.sample_shares(&mut self.forecasts, action);
    }
}

impl Checkpoint for Random {
    fn save(&self, to: &mut Snapshot) {
        to.put("streams", &(&self.streams, &self.forecasts));
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        (self.streams, self.forecasts) = from.get("streams")?;
        Ok(())
    }
}

equiflow::export_plugin! {
    algorithms { random: Random }
}
