//! Adam over one flat parameter tensor, with gradient clipping per seed.

use crate::convert::{per_seed, restore_tensor, save_tensor};
use crate::threads::pin;
use equiflow::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use tch::Tensor;

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

/// Adam (Kingma & Ba 2015, algorithm 1, with bias correction) over a tensor `[S, P]`; the same numbers as PyTorch's
/// `torch.optim.Adam`, and as its `clip_grad_norm_` applied to each seed by itself.
#[derive(Debug)]
pub struct Adam {
    params: AdamParams,
    /// Number of steps taken.
    steps: i64,
    /// Running mean of the gradient, `[S, P]`.
    mean: Tensor,
    /// Running mean of the squared gradient, `[S, P]`.
    square: Tensor,
    /// Space for one intermediate result, `[S, P]`.
    scratch: Tensor,
}

impl Adam {
    /// An optimiser for a parameter tensor `[S, P]`.
    pub fn new(params: AdamParams, parameters: &Tensor) -> Self {
        pin();
        let zeros = || parameters.detach().zeros_like();
        Adam { params, steps: 0, mean: zeros(), square: zeros(), scratch: zeros() }
    }

    /// One step. `gradient` is clipped in place; returns its norm per seed, `[S]`, before clipping.
    ///
    /// A seed with a non-finite gradient ends with non-finite parameters; the others are not affected.
    pub fn step(&mut self, parameters: &mut Tensor, gradient: &mut Tensor) -> Vec<f64> {
        pin();
        let _guard = tch::no_grad_guard();
        let AdamParams { learning_rate, beta1, beta2, epsilon, max_grad_norm } = self.params;
        let norm = gradient.norm_scalaropt_dim(2, [1i64].as_slice(), true);
        if let Some(max_norm) = max_grad_norm {
            // The 1e-6 is PyTorch's.
            let _ = gradient.g_mul_(&(max_norm / (&norm + 1e-6)).clamp_max_(1.0));
        }
        self.steps += 1;
        let correction1 = 1.0 - beta1.powi(self.steps as i32);
        let correction2 = 1.0 - beta2.powi(self.steps as i32);
        let _ = self.mean.lerp_(gradient, 1.0 - beta1);
        let _ = gradient.mul_scalar_out(&self.scratch, 1.0 - beta2);
        let _ = self.square.g_mul_scalar_(beta2).addcmul_(gradient, &self.scratch);
        // parameters -= learning_rate / correction1 * mean / (sqrt(square / correction2) + epsilon), where the step size
        // goes into the denominator, since tch has no scale for addcdiv.
        let scale = -correction1 / learning_rate;
        let _ = self.square.sqrt_out(&self.scratch);
        let _ = self.scratch.g_mul_scalar_(scale / correction2.sqrt()).g_add_scalar_(scale * epsilon);
        let _ = parameters.addcdiv_(&self.mean, &self.scratch);
        per_seed(&norm)
    }
}

impl Checkpoint for Adam {
    fn save(&self, to: &mut Snapshot) {
        to.put("adam.steps", &self.steps);
        save_tensor(to, "adam.mean", &self.mean);
        save_tensor(to, "adam.square", &self.square);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.steps = from.get("adam.steps")?;
        restore_tensor(from, "adam.mean", &mut self.mean)?;
        restore_tensor(from, "adam.square", &mut self.square)
    }
}
