//! The opponent's true policy, read from the opponent itself: what opponent modelling can reach at best.

use equiflow::prelude::*;

params! {
    /// The opponent's true policy: the framework asks the opponent's own algorithm for a sample of it (for its mean action
    /// in evaluations). Where two players read each other, each is shown what the other did last.
    pub struct ExactParams {}
}

/// Has nothing of its own: see [`OpponentModel::READS_POLICY`].
#[derive(Component, Debug)]
pub struct Exact;

impl OpponentModel for Exact {
    type Params = ExactParams;

    const READS_POLICY: bool = true;

    fn check(_: &ExactParams, _: &GameSpec, _agent: usize, _opponent: usize) -> Result<(), Invalid> {
        Ok(())
    }

    fn new(_: &ExactParams, _: &ModelSeat) -> Self {
        Self
    }

    // The framework never asks a model that reads the policy.
    fn predict(&mut self, _: &[f32], _: &mut [f32]) {}
    fn sample(&mut self, _: &[f32], _: &mut [f32], _: Option<&mut [f32]>) {}
    fn mean(&mut self, _: &[f32], _: &mut [f32]) {}
    fn log_likelihood(&mut self, _: &[f32], _: &[f32], _: &mut [f64]) {}
    fn learn(&mut self, _: &ModelLesson) -> Result<(), Fault> {
        Ok(())
    }
}

impl Checkpoint for Exact {
    fn save(&self, _: &mut Snapshot) {}

    fn restore(&mut self, _: &Snapshot) -> Result<(), SnapshotError> {
        Ok(())
    }
}
