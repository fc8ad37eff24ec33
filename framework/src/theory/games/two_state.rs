//! A small game of identical interest whose players steer the state together.

use crate::params;
use crate::params::Invalid;
use crate::theory::{FiniteGame, Next};

/// What both players get: [state][action of player 0][action of player 1].
const REWARD: [[[f64; 2]; 2]; 2] = [[[1.0, 0.0], [0.0, 0.5]], [[0.0, 0.2], [0.6, 0.0]]];

/// The probability that the next state is 0, in the same order.
const TO_STATE_0: [[[f64; 2]; 2]; 2] = [[[0.8, 0.1], [0.1, 0.8]], [[0.1, 0.1], [0.7, 0.1]]];

params! {
    /// Two states, two players with two actions each, identical interest: state 0 asks for the same action, state 1 for
    /// different ones, and doing so leads to state 0, where more is to be had. Small enough to check by hand.
    pub struct TwoState {
        /// What multiplies all rewards; the largest is 1.
        scale: f64 = 1.0,
        /// Discount of the next step's value.
        discount: f64 = 0.9,
    }
}

impl TwoState {
    /// Whether the parameters make sense.
    ///
    /// # Errors
    /// The one that does not.
    pub fn check(&self) -> Result<(), Invalid> {
        if !self.scale.is_finite() {
            return Err(Invalid::new("scale", format!("it is {}; expected a finite number", self.scale)));
        }
        if !(0.0..=1.0).contains(&self.discount) {
            return Err(Invalid::new("discount", format!("it is {}; expected 0 to 1", self.discount)));
        }
        Ok(())
    }
}

impl FiniteGame for TwoState {
    fn players(&self) -> usize {
        2
    }
    fn states(&self) -> usize {
        2
    }
    fn actions(&self, _state: usize, _player: usize) -> usize {
        2
    }
    fn discount(&self) -> f64 {
        self.discount
    }
    fn start(&self, _state: usize) -> f64 {
        0.5
    }
    fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
        rewards.fill(self.scale * REWARD[state][joint[0]][joint[1]]);
        let stay = TO_STATE_0[state][joint[0]][joint[1]];
        next.extend([(0, stay), (1, 1.0 - stay)]);
    }
}
