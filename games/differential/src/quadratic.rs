//! One player and a hill: the least that a learner of continuous actions must master.

use equiflow::prelude::*;

params! {
    /// Quadratic: one player, reward -(a - target)^2 in [-10, 10]. A check for learners.
    pub struct Quadratic {
        /// Where the top is.
        target: f32 = 3.0,
    }
}

impl Game for Quadratic {
    type Params = Self;
    type State = ();

    fn new(params: Self) -> Result<Self, Invalid> {
        if (-10.0..=10.0).contains(&params.target) {
            Ok(params)
        } else {
            Err(Invalid::new("target", format!("{} cannot be played; expected -10 to 10", params.target)))
        }
    }

    fn spec(&self) -> GameSpec {
        let best = BestKnown {
            value: 0.0,
            tolerance: 0.05,
            both_sides: false,
            source: "the top of the hill".to_owned(),
            place: None,
        };
        GameSpec {
            common_reward: true,
            best_known: Some(best),
            ..GameSpec::repeated(vec![Player::blind(Space::cube(1, -10.0, 10.0))])
        }
    }

    fn reset(&self, _: &mut Stream) {}

    fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
        out[0] = 1.0;
    }

    fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        let off = actions.scalar(0) - self.target;
        rewards[0] = -off * off;
        Status::Running
    }

    fn best_return(&self, _player: usize, _episode: &Episode<Self>) -> Option<f64> {
        Some(0.0)
    }
}
