//! Adam over flat parameters, with gradient clipping per seed.

use crate::convert::{restore_array, save_array};
use crate::kernel::elementwise::{Descent, sum_of_squares};
use crate::losses::PerSeed;
use crate::real::Real;
use equiflow::checkpoint::{Checkpoint, Snapshot, SnapshotError};

/// The settings of [`Adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamParams {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the gradient's running mean.
    pub beta1: f64,
    /// Decay of the squared gradient's running mean.
    pub beta2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// Largest Euclidean norm of one seed's gradient; longer gradients are scaled down to it.
    pub max_grad_norm: Option<f64>,
}

impl AdamParams {
    /// The settings of Kingma & Ba 2015, algorithm 1, without clipping.
    pub fn new(learning_rate: f64) -> Self {
        AdamParams { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, max_grad_norm: None }
    }

    /// The same with gradients clipped to `max_norm`.
    pub fn clip(self, max_norm: Option<f64>) -> Self {
        AdamParams { max_grad_norm: max_norm, ..self }
    }
}

/// Adam (Kingma & Ba 2015, algorithm 1, with bias correction) over flat parameters `[S, P]`; the same numbers as
/// PyTorch's `torch.optim.Adam`, and as its `clip_grad_norm_` applied to each seed by itself.
#[derive(Debug)]
pub struct Adam<T = f32> {
    params: AdamParams,
    /// What the step size is multiplied by.
    factor: f64,
    /// Number of steps taken.
    steps: i64,
    seeds: usize,
    /// Running mean of the gradient, `[S, P]`.
    mean: Vec<T>,
    /// Running mean of the squared gradient, `[S, P]`.
    square: Vec<T>,
}

impl<T: Real> Adam<T> {
    /// An optimiser of `length` parameters, those of `seeds` seeds side by side.
    pub fn new(params: AdamParams, seeds: usize, length: usize) -> Self {
        Adam {
            params,
            factor: 1.0,
            steps: 0,
            seeds,
            mean: vec![T::default(); length],
            square: vec![T::default(); length],
        }
    }

    /// Takes steps of `factor` times the step size from now on.
    ///
    /// # Panics
    ///
    /// If the factor is not above 0 and finite.
    pub fn scale_learning_rate(&mut self, factor: f64) {
        assert!(factor > 0.0 && factor.is_finite(), "a factor of {factor}");
        self.factor = factor;
    }

    /// One step of `parameters` `[S, P]` down `gradient` `[S, P]`; returns the gradient's norm per seed before clipping. A
    /// target `[S, P]` goes the given share of the way to what the parameters are after the step.
    ///
    /// A seed with a non-finite gradient ends with non-finite parameters; the others are not affected.
    ///
    /// # Panics
    ///
    /// If the lengths are not that of [`Adam::new`].
    pub fn step(&mut self, parameters: &mut [T], gradient: &[T], target: Option<(&mut [T], f64)>) -> PerSeed {
        let length = self.mean.len();
        assert!(parameters.len() == length && gradient.len() == length, "{length} parameters and as long a gradient");
        assert!(target.as_ref().is_none_or(|(target, _)| target.len() == length), "as long a target");
        let AdamParams { learning_rate, beta1, beta2, epsilon, max_grad_norm } = self.params;
        self.steps += 1;
        let correction1 = 1.0 - beta1.powi(self.steps as i32);
        let correction2 = 1.0 - beta2.powi(self.steps as i32);
        // parameters -= learning_rate / correction1 * mean / (sqrt(square / correction2) + epsilon), where the step size
        // goes into the denominator.
        let scale = -correction1 / (self.factor * learning_rate);
        let number = T::from_f64;

        let per_seed = length / self.seeds;
        let (target, share) = target.unwrap_or_default();
        let mut targets = target.chunks_exact_mut(per_seed);
        let moments = self.mean.chunks_exact_mut(per_seed).zip(self.square.chunks_exact_mut(per_seed));
        let seeds = parameters.chunks_exact_mut(per_seed).zip(gradient.chunks_exact(per_seed)).zip(moments);
        let step = |((parameters, gradient), (mean, square)): ((&mut [T], &[T]), (&mut [T], &mut [T]))| {
            let norm = sum_of_squares(gradient).sqrt();
            // The 1e-6 is PyTorch's.
            let clip = number(max_grad_norm.map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0)));
            let (new, old_square, new_square) = (number(1.0 - beta1), number(beta2), number(1.0 - beta2));
            let (root, epsilon) = (number(scale / correction2.sqrt()), number(scale * epsilon));
            T::descend(Descent {
                parameters,
                gradient,
                mean,
                square,
                clip,
                new,
                old_square,
                new_square,
                root,
                epsilon,
                target: targets.next().unwrap_or_default(),
                share: number(share),
            });
            norm
        };
        seeds.map(step).collect()
    }
}

impl<T: Real> Checkpoint for Adam<T> {
    fn save(&self, to: &mut Snapshot) {
        to.put("adam.steps", &self.steps);
        to.put("adam.factor", &self.factor);
        save_array(to, "adam.mean", self.seeds, &self.mean);
        save_array(to, "adam.square", self.seeds, &self.square);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.steps = from.get("adam.steps")?;
        self.factor = from.get("adam.factor")?;
        restore_array(from, "adam.mean", self.seeds, &mut self.mean)?;
        restore_array(from, "adam.square", self.seeds, &mut self.square)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_steps_are_those_of_a_smaller_step_size() {
        let gradient = [0.3, -2.0, 0.0, 1e-4];
        let (mut parameters, mut smaller) = ([1.0; 4], [1.0; 4]);
        let mut adam = Adam::<f64>::new(AdamParams::new(0.25), 1, 4);
        let mut other = Adam::<f64>::new(AdamParams::new(0.125), 1, 4);
        adam.scale_learning_rate(0.5);
        for _ in 0..3 {
            adam.step(&mut parameters, &gradient, None);
            other.step(&mut smaller, &gradient, None);
        }
        assert_eq!(parameters, smaller);
        adam.scale_learning_rate(1.0);
        adam.step(&mut parameters, &gradient, None);
        other.step(&mut smaller, &gradient, None);
        let moved = |end: [f64; 4]| (0.625 - end[0]).abs();
        assert!((moved(parameters) / moved(smaller) - 2.0).abs() < 1e-6, "{parameters:?} {smaller:?}");
    }
}
