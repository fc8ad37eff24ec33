//! Tells when updates go round in circles.

use std::collections::VecDeque;

/// Longest period that is looked for.
const LONGEST: usize = 64;
/// A change of a probability below this is rest.
const REST: f64 = 1e-7;
/// How much nearer a policy must come to an earlier one than a step is long.
const RETURNED: f64 = 1e-3;

/// Remembers the last policies and finds the present one among them. A run that spirals in so slowly that a turn brings it
/// no nearer than by a thousandth of a step counts as going round too.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CycleDetector {
    /// The newest first.
    recent: VecDeque<Vec<f64>>,
}

impl CycleDetector {
    /// Adds a policy; the period, where it is on a cycle of at least two.
    pub fn push(&mut self, policy: &[f64]) -> Option<usize> {
        let distance =
            |other: &Vec<f64>| other.iter().zip(policy).fold(0.0, |most: f64, (x, y)| most.max((x - y).abs()));
        let moved = self.recent.front().map_or(0.0, distance);
        let back = |limit: f64| self.recent.iter().position(|other| distance(other) < limit).map(|at| at + 1);
        let period = if moved > REST { back(RETURNED * moved) } else { None };
        let mut place =
            if self.recent.len() == LONGEST { self.recent.pop_back().unwrap_or_default() } else { Vec::new() };
        place.clear();
        place.extend_from_slice(policy);
        self.recent.push_front(place);
        period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last answer after so many policies.
    fn last(steps: usize, policy: impl Fn(usize) -> f64) -> Option<usize> {
        let mut detector = CycleDetector::default();
        (0..steps).map(|t| detector.push(&[policy(t), 1.0 - policy(t)])).last().flatten()
    }

    #[test]
    fn a_cycle_is_told_from_rest_drift_and_spirals() {
        assert_eq!(last(100, |t| [0.2, 0.7, 0.4][t % 3]), Some(3));
        assert_eq!(
            last(100, |t| 0.5 + 0.3 * (if t % 2 == 0 { 1.0 } else { -1.0 }) * (1.0 + 0.5f64.powi(t as i32))),
            Some(2)
        );
        assert_eq!(last(100, |_| 0.3), None);
        assert_eq!(last(100, |t| 0.9 * t as f64 / 100.0), None);
        assert_eq!(last(100, |t| 0.5 + 0.4 * (t as f64).cos() * 0.95f64.powi(t as i32)), None);
    }
}
