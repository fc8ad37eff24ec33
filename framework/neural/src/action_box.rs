//! From a network's output to an action within bounds.

use crate::kernel::elementwise::tanh;
use crate::real::Real;

/// The bounds of a continuous action, one pair for each of its `A` dimensions.
#[derive(Clone, Debug)]
pub struct ActionBox<T = f32> {
    /// `[A]` each.
    low: Vec<T>,
    high: Vec<T>,
    centre: Vec<T>,
    half_range: Vec<T>,
}

impl<T: Real> ActionBox<T> {
    /// The box between two corners `[A]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ or if a lower bound is not below its upper bound, both finite.
    pub fn new(low: &[f32], high: &[f32]) -> Self {
        assert_eq!(low.len(), high.len(), "bounds of different lengths");
        for (low, high) in low.iter().zip(high) {
            assert!(low < high && low.is_finite() && high.is_finite(), "[{low}, {high}] is no range of an action");
        }
        let all = |bounds: &[f32]| bounds.iter().map(|&x| T::from_f64(x.into())).collect();
        let halves = |sign: f64| {
            let half = low.iter().zip(high).map(|(&low, &high)| 0.5 * (f64::from(high) + sign * f64::from(low)));
            half.map(T::from_f64).collect()
        };
        ActionBox { low: all(low), high: all(high), centre: halves(1.0), half_range: halves(-1.0) }
    }

    /// `centre + half_range * tanh(raw)`, from `[.., A]` to `[.., A]`.
    pub fn squash(&self, raw: &[T], action: &mut [T]) {
        let a = self.dims();
        assert!(raw.len() == action.len() && raw.len().is_multiple_of(a), "raw and squashed actions of {a} numbers");
        action.copy_from_slice(raw);
        tanh(action);
        let scale = self.centre.iter().zip(&self.half_range);
        let bounds = scale.zip(self.low.iter().zip(&self.high)).cycle();
        for (x, ((centre, half_range), (low, high))) in action.iter_mut().zip(bounds) {
            *x = *centre + *half_range * *x;
            // Rounding may leave the box by one bit. (NaN stays NaN.)
            *x = if *x < *low { *low } else { *x };
            *x = if *x > *high { *high } else { *x };
        }
    }

    /// The way back through [`ActionBox::squash`]: turns `raw` into the gradient with respect to it, given that with
    /// respect to the action; both `[.., A]`.
    pub fn squash_backward(&self, raw: &mut [T], by_action: &[T]) {
        let (a, one) = (self.dims(), T::from_f64(1.0));
        assert!(raw.len() == by_action.len() && raw.len().is_multiple_of(a), "raw actions, gradients of {a} numbers");
        tanh(raw);
        for ((x, by_action), half_range) in raw.iter_mut().zip(by_action).zip(self.half_range.iter().cycle()) {
            *x = *by_action * *half_range * (one - *x * *x);
        }
    }

    /// Number of dimensions `A`.
    pub fn dims(&self) -> usize {
        self.low.len()
    }

    /// Half the distance between the bounds, `[A]`: what a step of 1 between -1 and 1 is in the game's units.
    pub fn half_range(&self) -> &[T] {
        &self.half_range
    }

    /// Lower bounds, in the game's units.
    pub fn low(&self) -> &[T] {
        &self.low
    }

    /// Upper bounds, in the game's units.
    pub fn high(&self) -> &[T] {
        &self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_reached_and_the_origin_is_the_centre() {
        let bounds = ActionBox::<f32>::new(&[-10.0, 0.0], &[10.0, 4.0]);
        let mut action = [0.0; 4];
        bounds.squash(&[0.0, 0.0, 50.0, -50.0], &mut action);
        assert_eq!(action, [0.0, 2.0, 10.0, 0.0]);
    }
}
