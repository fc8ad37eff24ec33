//! Max of two: a broad hill at (-5, -5) that gradients find, and a narrow higher one at (5, 5).

use equiflow::prelude::*;

/// How the broad hill is written. The paper's text and the programs that it builds on differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Version {
    /// As the paper prints it: ((a + 5) / 3)^2.
    #[serde(alias = "Printed")]
    Printed,
    /// As the programs have it: (a + 5)^2 / 3, a steeper hill, lower far from its top.
    #[serde(alias = "Unsquared")]
    Unsquared,
}

impl Version {
    /// The common reward of a joint action: the higher of the two hills.
    #[inline]
    pub fn payoff(self, a1: f32, a2: f32) -> f32 {
        let divisor = match self {
            Self::Printed => 9.0,
            Self::Unsquared => 3.0,
        };
        let broad = -0.8 * ((a1 + 5.0) * (a1 + 5.0) + (a2 + 5.0) * (a2 + 5.0)) / divisor;
        let narrow = 10.0 - (a1 - 5.0) * (a1 - 5.0) - (a2 - 5.0) * (a2 - 5.0);
        broad.max(narrow)
    }
}

/// When an episode ends by the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Terminal {
    /// After every step, as in the programs that introduced the game: learners bootstrap from nothing.
    #[serde(alias = "EveryStep")]
    EveryStep,
    /// Never; the run's step limit cuts episodes, and learners bootstrap through it.
    #[serde(alias = "Horizon")]
    Horizon,
}

params! {
    /// Max of two (Wei et al. 2018): both players get the higher of two hills, a broad one of height 0 at (-5, -5) and
    /// a narrow one of height 10 at (5, 5). Actions in [-10, 10]; the same stage every step; nothing to see.
    pub struct MaxOfTwo {
        /// `printed` or `unsquared`: how the broad hill is written.
        version: Version = Version::Printed,
        /// `horizon` (the run's step limit cuts episodes) or `every_step` (each step is an episode).
        terminal: Terminal = Terminal::Horizon,
    }
}

impl Game for MaxOfTwo {
    type Params = Self;
    type State = ();

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }

    fn spec(&self) -> GameSpec {
        let best = BestKnown {
            value: 10.0,
            tolerance: 0.5,
            both_sides: false,
            source: "the top of the narrow hill, (5, 5)".to_owned(),
            place: Some(Place { action: vec![vec![5.0], vec![5.0]], within: 0.5 }),
        };
        GameSpec {
            common_reward: true,
            best_known: Some(best),
            ..GameSpec::repeated(vec![Player::blind(Space::cube(1, -10.0, 10.0)); 2])
        }
    }

    fn reset(&self, _: &mut Stream) {}

    fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
        out[0] = 1.0;
    }

    fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        rewards.fill(self.version.payoff(actions.scalar(0), actions.scalar(1)));
        match self.terminal {
            Terminal::EveryStep => Status::Terminal,
            Terminal::Horizon => Status::Running,
        }
    }

    /// On each hill the best is to stand below its top, wherever the other stands.
    fn best_return(&self, player: usize, episode: &Episode<Self>) -> Option<f64> {
        Some(episode.per_step(|actions| {
            let other = actions.scalar(1 - player);
            f64::from(self.version.payoff(-5.0, other).max(self.version.payoff(5.0, other)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payoffs_are_those_of_the_formulas() {
        let close = |x: f32, y: f32| assert!((x - y).abs() < 1e-4, "{x} is not {y}");
        for version in [Version::Printed, Version::Unsquared] {
            close(version.payoff(5.0, 5.0), 10.0);
            close(version.payoff(-5.0, -5.0), 0.0);
        }
        close(Version::Printed.payoff(0.0, 0.0), -40.0 / 9.0);
        close(Version::Unsquared.payoff(0.0, 0.0), -40.0 / 3.0);
        // The least values over the box.
        close(Version::Printed.payoff(10.0, 10.0), -40.0);
        close(Version::Unsquared.payoff(-10.0, 10.0), -0.8 * (25.0 + 225.0) / 3.0);
    }

    #[test]
    fn the_mean_under_uniform_play_is_the_integral() {
        // A midpoint rule of 400 x 400 points; the values are NumPy's in float64 with 4,000 x 4,000.
        for (version, mean) in [(Version::Printed, -6.90014), (Version::Unsquared, -17.60755)] {
            let points = 400;
            let at = |k: usize| -10.0 + 20.0 * (k as f32 + 0.5) / points as f32;
            let sum: f64 =
                (0..points * points).map(|k| f64::from(version.payoff(at(k % points), at(k / points)))).sum();
            let found = sum / (points * points) as f64;
            assert!((found - mean).abs() < 1e-3, "{version:?}: {found}, expected {mean}");
        }
    }
}
