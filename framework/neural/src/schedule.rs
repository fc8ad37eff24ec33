//! A setting that changes with the steps of a run, such as the temperature of a soft learner.

use equiflow::prelude::*;

use crate::actor::check_range;

/// How a setting goes with the environment steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The same all the time.
    Constant(f64),
    /// `from` until step `hold`, then by equal factors to `to` at step `at`, then that.
    Geometric {
        /// Its value at first.
        from: f64,
        /// The step at which it begins to fall.
        hold: u64,
        /// Its value in the end.
        to: f64,
        /// The step at which it gets there.
        at: u64,
    },
    /// `floor + scale exp(-rate (step - after))` (Tian et al. 2019 have 0.1 + 500 exp(-0.1 (step - 10))).
    Decay {
        /// What is left in the end.
        floor: f64,
        /// What is added at step `after`.
        scale: f64,
        /// How fast that goes, per step.
        rate: f64,
        /// The step that it is counted from.
        after: f64,
    },
    /// From each of these steps on that value, such as `[(0, 5.0), (1000, 1.0)]`; the first step is 0.
    Stages(Vec<(u64, f64)>),
}

impl Schedule {
    /// The value at an environment step of a schedule that [`Schedule::check`] finds right.
    pub fn at(&self, step: u64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            &Self::Geometric { from, hold, to, at } => {
                let share = step.saturating_sub(hold) as f64 / at.saturating_sub(hold).max(1) as f64;
                from * (to / from).powf(share.min(1.0))
            }
            &Self::Decay { floor, scale, rate, after } => floor + scale * (-rate * (step as f64 - after)).exp(),
            Self::Stages(stages) => {
                let begun = stages.partition_point(|(first, _)| *first <= step);
                stages[begun.saturating_sub(1)].1
            }
        }
    }

    /// Whether it is above 0 and finite throughout.
    ///
    /// # Errors
    /// What it is instead.
    pub fn check(&self, field: &'static str) -> Result<(), Invalid> {
        let above = |x: f64| x > 0.0 && x.is_finite();
        let fits = match self {
            Self::Constant(value) => above(*value),
            &Self::Geometric { from, to, hold, at } => above(from) && above(to) && above(to / from) && hold <= at,
            // It is greatest at the start, long before `after` perhaps.
            &Self::Decay { floor, scale, rate, after } => {
                let finite = [scale, rate, after].iter().all(|x| x.is_finite());
                above(floor) && scale >= 0.0 && rate >= 0.0 && finite && above(self.at(0))
            }
            Self::Stages(stages) => {
                let begins = stages.first().is_some_and(|(first, _)| *first == 0);
                begins && stages.is_sorted_by(|a, b| a.0 < b.0) && stages.iter().all(|(_, value)| above(*value))
            }
        };
        check_range(field, format!("{self:?}"), fits, "finite numbers above 0 from step 0 on, and steps in their order")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_fall_as_they_say() {
        let geometric = Schedule::Geometric { from: 5.0, hold: 1000, to: 0.05, at: 3000 };
        let close = |x: f64, y: f64| assert!((x - y).abs() < 1e-12 * y, "{x} is not {y}");
        for (step, y) in [(0, 5.0), (1000, 5.0), (2000, 0.5), (3000, 0.05), (9000, 0.05)] {
            close(geometric.at(step), y);
        }
        close(Schedule::Decay { floor: 0.1, scale: 500.0, rate: 0.1, after: 10.0 }.at(10), 500.1);
        close(Schedule::Constant(0.3).at(7), 0.3);
        let stages = Schedule::Stages(vec![(0, 5.0), (1000, 1.0), (1667, 0.1)]);
        for (step, y) in [(0, 5.0), (999, 5.0), (1000, 1.0), (1666, 1.0), (1667, 0.1), (9000, 0.1)] {
            close(stages.at(step), y);
        }
        assert!(stages.check("noise_factor").is_ok());
        for wrong in [vec![], vec![(1, 1.0)], vec![(0, 1.0), (0, 2.0)], vec![(0, 1.0), (5, 0.0)]] {
            let refused = Schedule::Stages(wrong).check("noise_factor").unwrap_err();
            assert!(refused.what.contains("from step 0 on"), "{}", refused.what);
        }
        assert!(geometric.check("temperature").is_ok());
        assert!(Schedule::Constant(0.0).check("temperature").is_err());
        let early = Schedule::Decay { floor: 0.1, scale: 1.0, rate: 1.0, after: 1000.0 };
        assert!(!early.at(0).is_finite() && early.check("temperature").is_err());
        assert!(Schedule::Geometric { from: 1e-300, hold: 0, to: 1e300, at: 8 }.check("temperature").is_err());
        assert!(Schedule::Geometric { from: 1.0, hold: 9, to: 1.0, at: 8 }.check("temperature").is_err());
    }
}
