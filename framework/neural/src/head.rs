//! From a network's outputs to a distribution over actions: normal and squashed into a box, or over choices.
//!
//! Rows are independent. A *latent* is what is drawn: in a box the number before the squashing, `u = mean + sigma noise`,
//! else the choice. There may be several latents for each row of outputs, those of a row side by side: `[rows, times,
//! width]`; what follows from the outputs alone is computed once then. The mathematics of a row is in `f64`; only the
//! batches are in the networks' type.

use std::f64::consts::{LN_2, PI};

use equiflow::game::Space;
use equiflow::params::Invalid;
use equiflow::stream::Stream;
use rand_distr::{Distribution, StandardNormal};
use smallvec::SmallVec;

use crate::kernel::elementwise::tanh;
use crate::real::Real;

/// Least standard deviation before the squashing, where a head is not given another.
const MIN_SIGMA: f64 = 0.01;
/// Greatest value of the output that sigma is the exponential of: 7.4 saturates any squashing.
const MAX_LOG_SIGMA: f64 = 2.0;
/// Actions nearer than this to the edge of the box, in half ranges, count as that near when they are unsquashed.
const EDGE: f64 = 1e-6;

/// A kind of distribution over one player's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum Head {
    /// `centre + half_range tanh(u)`, `u` normal. `2 A` outputs: the means, then the logarithms of `sigma - min_sigma`.
    Gaussian {
        /// `[A]`
        centre: Vec<f64>,
        /// `[A]`
        half_range: Vec<f64>,
        /// Least standard deviation of `u`.
        min_sigma: f64,
    },
    /// One of `n`. `n` outputs: unnormalised log-probabilities.
    Categorical(usize),
}

/// Mean, sigma and the derivative of sigma by its output, of one dimension.
fn normal<T: Real>(outputs: &[T], dim: usize, min_sigma: f64) -> (f64, f64, f64) {
    let dims = outputs.len() / 2;
    let raw = outputs[dims + dim].to_f64();
    let scale = raw.min(MAX_LOG_SIGMA).exp();
    (outputs[dim].to_f64(), min_sigma + scale, if raw < MAX_LOG_SIGMA { scale } else { 0.0 })
}

/// The same of all dimensions.
fn normals<T: Real>(outputs: &[T], min_sigma: f64) -> SmallVec<[(f64, f64, f64); 4]> {
    (0..outputs.len() / 2).map(|dim| normal(outputs, dim, min_sigma)).collect()
}

/// `ln(1 - tanh(u)^2)`, without cancellation.
fn ln_slope(u: f64) -> f64 {
    let u = u.abs();
    2.0 * (LN_2 - u - (-2.0 * u).exp().ln_1p())
}

/// Whether actions can be sampled as a [`Head`] does: choices, or a bounded box.
///
/// # Errors
/// What they are instead; `what` says whose they are.
pub fn check_sampled(space: &Space, what: &str) -> Result<(), Invalid> {
    match space {
        Space::Box { low, high } if low.iter().chain(high).any(|bound| !bound.is_finite()) => {
            let what = format!("{what} are {space}; expected choices or a bounded box of real numbers");
            Err(Invalid { field: None, what })
        }
        _ => Ok(()),
    }
}

impl Head {
    /// For the actions of a space; a box has to be bounded.
    pub fn new(space: &Space) -> Self {
        match space {
            Space::Discrete(n) => Self::Categorical(*n),
            Space::Box { low, high } => {
                let both = || low.iter().zip(high).map(|(low, high)| (f64::from(*low), f64::from(*high)));
                Self::Gaussian {
                    centre: both().map(|(low, high)| 0.5 * (low + high)).collect(),
                    half_range: both().map(|(low, high)| 0.5 * (high - low)).collect(),
                    min_sigma: MIN_SIGMA,
                }
            }
        }
    }

    /// Sets the least standard deviation before the squashing; choices have none.
    pub fn set_min_sigma(&mut self, least: f64) {
        if let Self::Gaussian { min_sigma, .. } = self {
            *min_sigma = least;
        }
    }

    /// Numbers in an action, a latent or its noise.
    pub fn width(&self) -> usize {
        match self {
            Self::Gaussian { centre, .. } => centre.len(),
            Self::Categorical(_) => 1,
        }
    }

    /// Outputs that a network needs.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Gaussian { centre, .. } => 2 * centre.len(),
            Self::Categorical(n) => *n,
        }
    }

    /// Numbers by which a network is told an action: the action itself, or one number per choice.
    pub fn features(&self) -> usize {
        match self {
            Self::Gaussian { centre, .. } => centre.len(),
            Self::Categorical(n) => *n,
        }
    }

    /// Draws the noise of `rows` rows per seed, `[seeds, rows, width]`: standard normal for a box, uniform in [0, 1) for
    /// choices.
    pub fn noise(&self, streams: &mut [Stream], rows: usize, out: &mut Vec<f64>) {
        out.clear();
        let count = rows * self.width();
        for stream in streams {
            match self {
                Self::Gaussian { .. } => out.extend((0..count).map(|_| -> f64 { StandardNormal.sample(stream) })),
                Self::Categorical(_) => out.extend((0..count).map(|_| f64::from(stream.unit()))),
            }
        }
    }

    /// Rows of outputs, each with its latents or their noise, `[rows, times, width]`.
    ///
    /// # Panics
    /// If there is no whole number of latents for each row.
    fn rows<'a, T>(&self, outputs: &'a [T], latent: &'a [f64]) -> impl Iterator<Item = (&'a [T], &'a [f64])> {
        let rows = outputs.len() / self.outputs();
        let own = latent.len() / rows.max(1);
        assert!(latent.len() == rows * own && own.is_multiple_of(self.width()), "latents of {rows} rows");
        outputs.chunks_exact(self.outputs()).zip(latent.chunks_exact(own.max(1)))
    }

    /// The latents that the noise `[rows, times, width]` makes of the outputs.
    pub fn latent<T: Real>(&self, outputs: &[T], noise: &[f64], out: &mut Vec<f64>) {
        out.clear();
        for (outputs, noise) in self.rows(outputs, noise) {
            match self {
                Self::Gaussian { min_sigma, .. } => {
                    let normals = normals(outputs, *min_sigma);
                    let all = noise.iter().zip(normals.iter().cycle());
                    out.extend(all.map(|(noise, (mean, sigma, _))| mean + sigma * noise));
                }
                Self::Categorical(_) => out.extend(noise.iter().map(|noise| choose(outputs, *noise) as f64)),
            }
        }
    }

    /// The latents of the means: those of the normal distribution, or the likeliest choices.
    pub fn mean<T: Real>(&self, outputs: &[T], out: &mut Vec<f64>) {
        out.clear();
        for outputs in outputs.chunks_exact(self.outputs()) {
            match self {
                Self::Gaussian { centre, .. } => out.extend(outputs[..centre.len()].iter().map(|mean| mean.to_f64())),
                Self::Categorical(_) => {
                    let best =
                        outputs.iter().enumerate().fold(0, |best, (k, x)| if *x > outputs[best] { k } else { best });
                    out.push(best as f64);
                }
            }
        }
    }

    /// Latents to actions, `[rows, width]` both.
    ///
    /// # Panics
    /// If there are not as many of both.
    pub fn actions<T: Real>(&self, latent: &[f64], actions: &mut [T]) {
        assert_eq!(latent.len(), actions.len(), "latents and actions");
        actions.iter_mut().zip(latent).for_each(|(action, latent)| *action = T::from_f64(*latent));
        if let Self::Gaussian { centre, half_range, .. } = self {
            tanh(actions);
            for actions in actions.chunks_exact_mut(centre.len()) {
                for ((action, centre), half_range) in actions.iter_mut().zip(centre).zip(half_range) {
                    *action = T::from_f64(centre + half_range * action.to_f64());
                }
            }
        }
    }

    /// Actions to the latents that they came from.
    pub fn latent_of<T: Real>(&self, actions: &[T], out: &mut Vec<f64>) {
        out.clear();
        match self {
            Self::Gaussian { centre, half_range, .. } => {
                for actions in actions.chunks_exact(centre.len()) {
                    out.extend(actions.iter().enumerate().map(|(dim, action)| {
                        let y = (action.to_f64() - centre[dim]) / half_range[dim];
                        y.clamp(EDGE - 1.0, 1.0 - EDGE).atanh()
                    }));
                }
            }
            Self::Categorical(_) => out.extend(actions.iter().map(|action| action.to_f64())),
        }
    }

    /// The logarithm of the probability, or of the density in units of the action, of each latent: `[rows, times]`.
    pub fn log_density<T: Real>(&self, outputs: &[T], latent: &[f64], out: &mut Vec<f64>) {
        out.clear();
        for (outputs, latent) in self.rows(outputs, latent) {
            match self {
                Self::Gaussian { half_range, min_sigma, .. } => {
                    let normals = normals(outputs, *min_sigma);
                    let scales = normals.iter().zip(half_range).map(|((_, sigma, _), half)| sigma * half);
                    let peak: f64 = scales.map(|scale| -0.5 * (2.0 * PI).ln() - scale.ln()).sum();
                    out.extend(latent.chunks_exact(half_range.len()).map(|latent| {
                        let terms = latent.iter().zip(&normals).map(|(u, (mean, sigma, _))| {
                            let z = (u - mean) / sigma;
                            -0.5 * z * z - ln_slope(*u)
                        });
                        peak + terms.sum::<f64>()
                    }));
                }
                Self::Categorical(_) => {
                    let normaliser = log_normaliser(outputs);
                    out.extend(latent.iter().map(|choice| outputs[*choice as usize].to_f64() - normaliser));
                }
            }
        }
    }

    /// In a box: the gradient of the log density of each latent's action with respect to the latent, `[rows, A]`. That with
    /// respect to the action would be infinite at the edge.
    ///
    /// # Panics
    /// For choices.
    pub fn log_density_slope<T: Real>(&self, outputs: &[T], latent: &[f64], out: &mut Vec<f64>) {
        let Self::Gaussian { half_range, min_sigma, .. } = self else { panic!("choices have no gradient") };
        let dims = half_range.len();
        out.clear();
        for (outputs, latent) in outputs.chunks_exact(2 * dims).zip(latent.chunks_exact(dims)) {
            out.extend(latent.iter().enumerate().map(|(dim, u)| {
                let (mean, sigma, _) = normal(outputs, dim, *min_sigma);
                (mean - u) / (sigma * sigma) + 2.0 * u.tanh()
            }));
        }
    }

    /// The logarithm of the density, or of the probability, of the uniform distribution.
    pub fn log_uniform(&self) -> f64 {
        match self {
            Self::Gaussian { half_range, .. } => -half_range.iter().map(|half| (2.0 * half).ln()).sum::<f64>(),
            Self::Categorical(n) => -(*n as f64).ln(),
        }
    }

    /// The gradient of `-sum over latents of weight * log density(latent)` with respect to the outputs, `[rows, outputs]`.
    /// Weights `[rows, times]`.
    pub fn likelihood_gradient<T: Real>(&self, outputs: &[T], latent: &[f64], weight: &[f64], out: &mut Vec<T>) {
        out.clear();
        out.resize(outputs.len(), T::default());
        let (n, width) = (self.outputs(), self.width());
        let times = weight.len() / (outputs.len() / n).max(1);
        let rows = self.rows(outputs, latent).zip(weight.chunks_exact(times.max(1)));
        for (((outputs, latent), weight), out) in rows.zip(out.chunks_exact_mut(n)) {
            let pairs = || latent.chunks_exact(width).zip(weight);
            match self {
                Self::Gaussian { min_sigma, .. } => {
                    for (dim, (mean, sigma, slope)) in normals(outputs, *min_sigma).into_iter().enumerate() {
                        let (mut by_mean, mut by_sigma) = (0.0, 0.0);
                        for (latent, weight) in pairs() {
                            let z = (latent[dim] - mean) / sigma;
                            by_mean -= weight * z;
                            by_sigma += weight * (1.0 - z * z);
                        }
                        out[dim] = T::from_f64(by_mean / sigma);
                        out[width + dim] = T::from_f64(by_sigma / sigma * slope);
                    }
                }
                Self::Categorical(_) => {
                    let all: f64 = weight.iter().sum();
                    for (k, (p, out)) in probabilities(outputs).zip(out).enumerate() {
                        let own = pairs().filter(|(choice, _)| choice[0] as usize == k).map(|(_, weight)| weight);
                        *out = T::from_f64(all * p - own.sum::<f64>());
                    }
                }
            }
        }
    }

    /// In a box: the gradient of `scale * sum over rows of (temperature * log density(action) - Q(action) - f(latent))` with
    /// respect to the outputs, where the noise is held fixed (reparameterised), `by_action` `[rows, A]` is the gradient of Q and
    /// `by_latent` that of f, empty where there is none.
    ///
    /// # Panics
    /// For choices, which have [`Head::expected_gradient`].
    pub fn pathwise_gradient<T: Real>(
        &self,
        outputs: &[T],
        noise: &[f64],
        (by_action, by_latent): (&[T], &[f64]),
        temperature: f64,
        scale: f64,
        out: &mut Vec<T>,
    ) {
        let Self::Gaussian { half_range, min_sigma, .. } = self else { panic!("choices have no gradient") };
        let dims = half_range.len();
        out.clear();
        out.resize(outputs.len(), T::default());
        let rows = outputs.chunks_exact(2 * dims).zip(noise.chunks_exact(dims)).zip(by_action.chunks_exact(dims));
        for (row, (((outputs, noise), by_action), out)) in rows.zip(out.chunks_exact_mut(2 * dims)).enumerate() {
            for dim in 0..dims {
                let (mean, sigma, slope) = normal(outputs, dim, *min_sigma);
                let y = (mean + sigma * noise[dim]).tanh();
                // d log density / du = 2 tanh(u), da/du = half (1 - tanh(u)^2); sigma itself adds -1/sigma.
                let through_action = by_action[dim].to_f64() * half_range[dim] * (1.0 - y * y);
                let by_u = temperature * 2.0 * y - through_action - by_latent.get(row * dims + dim).unwrap_or(&0.0);
                out[dim] = T::from_f64(scale * by_u);
                out[dims + dim] = T::from_f64(scale * (by_u * noise[dim] - temperature / sigma) * slope);
            }
        }
    }

    /// For choices: the gradient of `scale * sum over rows of sum_k p_k (temperature * log p_k - q_k)` with respect to the
    /// outputs, `q` `[rows, n]`; and that loss of each row, unscaled.
    ///
    /// # Panics
    /// For a box.
    pub fn expected_gradient<T: Real>(
        &self,
        outputs: &[T],
        q: &[T],
        temperature: f64,
        scale: f64,
        loss: &mut Vec<f64>,
        out: &mut Vec<T>,
    ) {
        let Self::Categorical(n) = self else { panic!("a box has no probabilities") };
        out.clear();
        out.resize(outputs.len(), T::default());
        loss.clear();
        let rows = outputs.chunks_exact(*n).zip(q.chunks_exact(*n));
        for ((outputs, q), out) in rows.zip(out.chunks_exact_mut(*n)) {
            let normaliser = log_normaliser(outputs);
            let cost = |k: usize| temperature * (outputs[k].to_f64() - normaliser) - q[k].to_f64();
            let mean: f64 = probabilities(outputs).enumerate().map(|(k, p)| p * cost(k)).sum();
            for (k, (p, out)) in probabilities(outputs).zip(out).enumerate() {
                *out = T::from_f64(scale * p * (cost(k) - mean));
            }
            loss.push(mean);
        }
    }

    /// For choices: all probabilities, `[rows, n]`.
    ///
    /// # Panics
    /// For a box.
    pub fn all_probabilities<T: Real>(&self, outputs: &[T], out: &mut Vec<f64>) {
        let Self::Categorical(n) = self else { panic!("a box has no probabilities") };
        out.clear();
        outputs.chunks_exact(*n).for_each(|outputs| out.extend(probabilities(outputs)));
    }
}

/// The probabilities of the choices.
fn probabilities<T: Real>(outputs: &[T]) -> impl Iterator<Item = f64> {
    let normaliser = log_normaliser(outputs);
    outputs.iter().map(move |x| (x.to_f64() - normaliser).exp())
}

/// The choice that a number in [0, 1) falls on.
fn choose<T: Real>(outputs: &[T], noise: f64) -> usize {
    let mut left = noise;
    for (k, p) in probabilities(outputs).enumerate() {
        left -= p;
        if left < 0.0 {
            return k;
        }
    }
    outputs.len() - 1
}

/// The logarithm of the sum of exponentials.
fn log_normaliser<T: Real>(outputs: &[T]) -> f64 {
    let most = outputs.iter().map(|x| x.to_f64()).fold(f64::NEG_INFINITY, f64::max);
    most + outputs.iter().map(|x| (x.to_f64() - most).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests;
