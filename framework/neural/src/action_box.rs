//! From a network's output to an action within bounds.

use crate::mlp::Mlp;
use crate::threads::pin;
use tch::{Kind, Tensor};

/// The bounds of a continuous action, one pair for each dimension.
#[derive(Debug)]
pub struct ActionBox {
    low: Vec<f32>,
    high: Vec<f32>,
    /// `[A]`
    centre: Tensor,
    /// `[A]`
    pub(crate) half_range: Tensor,
}

impl ActionBox {
    /// Bounds for networks of the given kind.
    ///
    /// # Panics
    ///
    /// If the lengths differ or if a lower bound is not below its upper bound, both finite.
    pub fn new(low: &[f32], high: &[f32], kind: Kind) -> Self {
        pin();
        assert_eq!(low.len(), high.len(), "bounds of different lengths");
        for (low, high) in low.iter().zip(high) {
            assert!(low < high && low.is_finite() && high.is_finite(), "[{low}, {high}] is no range of an action");
        }
        let halves = |sign: f64| -> Tensor {
            let half = low.iter().zip(high).map(|(&low, &high)| 0.5 * (f64::from(high) + sign * f64::from(low)));
            Tensor::from_slice(&half.collect::<Vec<_>>()).to_kind(kind)
        };
        ActionBox { low: low.to_vec(), high: high.to_vec(), centre: halves(1.0), half_range: halves(-1.0) }
    }

    /// `centre + half_range * tanh(raw)`, any shape that ends in `A`.
    pub fn squash(&self, raw: &Tensor) -> Tensor {
        self.scale(&raw.tanh())
    }

    /// `centre + half_range * unit`, for `unit` in [-1, 1].
    pub(crate) fn scale(&self, unit: &Tensor) -> Tensor {
        self.centre.addcmul(&self.half_range, unit)
    }

    /// The deterministic action of an actor, outside the graph: observations `[S, B, obs]` to actions `[S, B, A]`.
    pub fn act(&self, net: &Mlp, observation: &Tensor) -> Tensor {
        let _guard = tch::no_grad_guard();
        self.squash(&net.predict(observation))
    }

    /// Number of dimensions `A`.
    pub fn dims(&self) -> usize {
        self.low.len()
    }

    /// Lower bounds, in the game's units.
    pub fn low(&self) -> &[f32] {
        &self.low
    }

    /// Upper bounds, in the game's units.
    pub fn high(&self) -> &[f32] {
        &self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{tensor, write_into};

    #[test]
    fn the_bounds_are_reached_and_the_origin_is_the_centre() {
        let bounds = ActionBox::new(&[-10.0, 0.0], &[10.0, 4.0], Kind::Float);
        let raw = tensor(&[0.0, 0.0, 50.0, -50.0], &[1, 2, 2], Kind::Float);
        let mut action = [0.0; 4];
        write_into(&bounds.squash(&raw), &mut action);
        assert_eq!(action, [0.0, 2.0, 10.0, 0.0]);
    }
}
