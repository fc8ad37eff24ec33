//! A stochastic policy, or a model of one: a network with its optimiser whose outputs are a distribution over actions.

use std::borrow::Cow;

use equiflow::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use equiflow::game::Space;
use equiflow::stream::Stream;

use crate::adam::AdamParams;
use crate::head::Head;
use crate::learner::{Learner, Step};
use crate::losses::PerSeed;
use crate::mlp::{LastLayer, Mlp};
use crate::pass::Pass;
use crate::real::Real;

/// A distribution over one player's actions given an input, for each of `S` seeds.
#[derive(Debug)]
pub struct Density<T = f32> {
    /// From outputs to the distribution.
    pub head: Head,
    /// The network and its optimiser.
    pub learner: Learner<T>,
    /// Whether all rows of its input are the same.
    constant: bool,
    pass: Pass<T>,
    noise: Vec<f64>,
    latent: Vec<f64>,
    log_density: Vec<f64>,
    weight: Vec<f64>,
    gradient: Vec<T>,
}

impl<T: Real> Density<T> {
    /// A density over the actions of `space` given `input` numbers. Its last layer starts at zero: at first it is the same
    /// wide distribution whatever the input, squashed normal with a sigma of about 1 or uniform over the choices.
    pub fn new(space: &Space, input: usize, hidden: &[usize], adam: AdamParams, streams: &mut [Stream]) -> Self {
        let head = Head::new(space);
        let sizes: Vec<_> = [&[input], hidden, &[head.outputs()]].concat();
        Self::with(head, Learner::new(Mlp::new(&sizes, LastLayer::Zeros, streams), adam))
    }

    /// A density whose network is given.
    pub fn with(head: Head, learner: Learner<T>) -> Self {
        Self {
            head,
            learner,
            constant: false,
            pass: Pass::default(),
            noise: Vec::new(),
            latent: Vec::new(),
            log_density: Vec::new(),
            weight: Vec::new(),
            gradient: Vec::new(),
        }
    }

    /// Says that all rows of its input are the same, as for a player who sees nothing: then most of what it does goes
    /// through the network with one row of each seed.
    pub fn with_constant_input(mut self, constant: bool) -> Self {
        self.constant = constant;
        self
    }

    /// The rows of the input `[S, B, in]` that have to go through the network: `[S, B, in]`, or `[S, 1, in]` where all are
    /// the same; a [`Head`] takes several latents of one row of outputs.
    fn distinct<'a>(&self, input: &'a [T]) -> Cow<'a, [T]> {
        let (seeds, width) = (self.learner.net.seeds(), self.learner.net.sizes()[0]);
        if !self.constant || input.len() <= seeds * width {
            return Cow::Borrowed(input);
        }
        debug_assert!(input.chunks_exact(width).all(|row| *row == input[..width]), "an input that is always the same");
        Cow::Owned(input[..width].repeat(seeds))
    }

    /// Outputs for the inputs `[S, B, in]`, outside of any gradient step.
    pub fn outputs(&mut self, input: &[T]) -> &[T] {
        self.learner.net.predict(input, &mut self.pass)
    }

    /// Draws actions `[S, B, width]` for the inputs `[S, B, in]`, seed `k` from `streams[k]`. Returns the latents, see
    /// [`Head`]; [`Density::last_outputs`] has what they were drawn from.
    pub fn sample(&mut self, input: &[T], streams: &mut [Stream], actions: &mut [T]) -> &[f64] {
        let outputs = self.learner.net.predict(&self.distinct(input), &mut self.pass);
        let rows = actions.len() / self.head.width() / streams.len();
        self.head.noise(streams, rows, &mut self.noise);
        self.head.latent(outputs, &self.noise, &mut self.latent);
        self.head.actions(&self.latent, actions);
        &self.latent
    }

    /// The outputs of the last [`Density::sample`] or [`Density::outputs`]: `[S, B, out]`, or `[S, 1, out]` of a sample whose
    /// input is constant.
    pub fn last_outputs(&self) -> &[T] {
        self.pass.output()
    }

    /// Writes the mean actions, or the likeliest choices, `[S, B, width]`.
    pub fn mean(&mut self, input: &[T], actions: &mut [T]) {
        self.head.mean(self.learner.net.predict(input, &mut self.pass), &mut self.latent);
        self.head.actions(&self.latent, actions);
    }

    /// The logarithm of the density of latents `[S, B, times, width]` given the inputs `[S, B, in]`: `[S, B, times]`.
    pub fn log_density(&mut self, input: &[T], latent: &[f64]) -> &[f64] {
        let outputs = self.learner.net.predict(&self.distinct(input), &mut self.pass);
        self.head.log_density(outputs, latent, &mut self.log_density);
        &self.log_density
    }

    /// A step of maximum likelihood: down the mean over all latents of `-weight * log density(latent)`, plus `regulariser`
    /// times the mean over the batch of the summed squares of the outputs. Latents `[S, B, times, width]` of inputs
    /// `[S, B, in]`, weights `[S, B, times]`; none are ones.
    pub fn fit(&mut self, input: &[T], latent: &[f64], weight: Option<&[f64]>, regulariser: f64) -> Step {
        let seeds = self.learner.net.seeds();
        let count = latent.len() / self.head.width() / seeds;
        let input = self.distinct(input);
        let outputs = self.learner.forward(&input);
        let batch = outputs.len() / self.head.outputs() / seeds;
        self.head.log_density(outputs, latent, &mut self.log_density);
        self.weight.clear();
        match weight {
            Some(weight) => self.weight.extend(weight.iter().map(|weight| weight / count as f64)),
            None => self.weight.resize(seeds * count, 1.0 / count as f64),
        }
        self.head.likelihood_gradient(outputs, latent, &self.weight, &mut self.gradient);
        let penalty = regularise(outputs, seeds, batch, regulariser, &mut self.gradient);
        let pairs = self.weight.chunks_exact(count).zip(self.log_density.chunks_exact(count));
        let sums = pairs.map(|(weight, log)| -weight.iter().zip(log).map(|(w, x)| w * x).sum::<f64>());
        let loss: PerSeed = sums.zip(penalty).map(|(sum, penalty)| sum + penalty).collect();
        self.learner.descend(&loss, &self.gradient, None)
    }
}

/// Adds the gradient of `strength` times the mean over the batch of the summed squares of the outputs `[S, B, out]`;
/// returns that penalty per seed. It keeps means from the edge of a box and sigmas from the ends of their range.
pub fn regularise<T: Real>(outputs: &[T], seeds: usize, batch: usize, strength: f64, gradient: &mut [T]) -> PerSeed {
    let scale = T::from_f64(2.0 * strength / batch as f64);
    gradient.iter_mut().zip(outputs).for_each(|(gradient, x)| *gradient += scale * *x);
    let squares = |seed: &[T]| seed.iter().map(|x| x.to_f64().powi(2)).sum::<f64>();
    outputs.chunks_exact(outputs.len() / seeds).map(|seed| strength * squares(seed) / batch as f64).collect()
}

impl<T: Real> Checkpoint for Density<T> {
    fn save(&self, to: &mut Snapshot) {
        self.learner.save(to);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.learner.restore(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maximum_likelihood_finds_the_distribution_of_the_data() {
        let space = Space::cube(1, -2.0, 2.0);
        let mut streams = [Stream::new(0, 0, "test", "density")];
        let mut density = Density::<f64>::new(&space, 1, &[16], AdamParams::new(1e-2), &mut streams);
        // Latents of mean 0.5 x and sigma 0.3, at x = 1 and x = -1.
        let mut noise = Vec::new();
        density.head.noise(&mut streams, 512, &mut noise);
        let input: Vec<f64> = (0..512).map(|k| if k % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let latent: Vec<f64> = input.iter().zip(&noise).map(|(x, noise)| 0.5 * x + 0.3 * noise).collect();
        let losses: Vec<f64> = (0..600).map(|_| density.fit(&input, &latent, None, 0.0).loss[0]).collect();
        assert!(losses[599] < losses[0]);
        let mut mean = [0.0; 2];
        density.mean(&[1.0, -1.0], &mut mean);
        for (mean, expected) in mean.iter().zip([0.5f64, -0.5]) {
            assert!((mean - 2.0 * expected.tanh()).abs() < 0.06, "{mean}");
        }
        let sigma = density.last_outputs()[1].exp() + 0.01;
        assert!((sigma - 0.3).abs() < 0.04, "{sigma}");
    }

    #[test]
    fn several_latents_of_a_row_count_as_rows_that_are_alike() {
        for (space, sizes) in [(Space::cube(2, -1.0, 3.0), [2, 8, 4]), (Space::Discrete(3), [2, 8, 3])] {
            let new = || {
                let mut streams = [0, 1].map(|seed| Stream::new(0, seed, "test", "density"));
                let learner =
                    Learner::new(Mlp::<f64>::new(&sizes, LastLayer::Same, &mut streams), AdamParams::new(1e-2));
                Density::with(Head::new(&space), learner)
            };
            let (mut few, mut many) = (new(), new());
            // Two seeds of three rows with five latents each.
            let numbers = |count: usize| (1..=count).map(|i| (7.0 * i as f64).sin());
            let (input, weight): (Vec<f64>, Vec<f64>) =
                (numbers(2 * 3 * 2).collect(), numbers(30).map(|x| x * x).collect());
            let latent: Vec<f64> = match few.head {
                Head::Gaussian { .. } => numbers(2 * 30).collect(),
                Head::Categorical(n) => (0..30).map(|i| (i * i % n) as f64).collect(),
            };
            let repeated: Vec<f64> = input.chunks_exact(2).flat_map(|row| row.repeat(5)).collect();
            for _ in 0..3 {
                let steps =
                    [few.fit(&input, &latent, Some(&weight), 0.1), many.fit(&repeated, &latent, Some(&weight), 0.1)];
                let [few_found, many_found] = steps.map(|step| [step.loss, step.gradient_norm].concat());
                assert!(
                    few_found.iter().zip(&many_found).all(|(x, y)| (x - y).abs() < 1e-12),
                    "{few_found:?} {many_found:?}"
                );
            }
            let pairs = few.learner.net.values().iter().zip(many.learner.net.values());
            pairs.for_each(|(x, y)| assert!((x - y).abs() < 1e-10, "{x} {y}"));
        }
    }

    /// What one row of each seed would do for all, to the rounding of sums.
    #[test]
    fn a_constant_input_goes_through_once_and_changes_nothing() {
        for space in [Space::cube(2, -1.0, 3.0), Space::Discrete(3)] {
            let streams = || [0, 1].map(|seed| Stream::new(0, seed, "test", "density"));
            let [mut once, mut always] = [true, false].map(|constant| {
                let sizes = [2, 8, Head::new(&space).outputs()];
                let net = Mlp::<f64>::new(&sizes, LastLayer::Same, &mut streams());
                Density::with(Head::new(&space), Learner::new(net, AdamParams::new(1e-2))).with_constant_input(constant)
            });
            // Two seeds of 40 rows.
            let (input, width) = ([0.3, -1.0].repeat(2 * 40), once.head.width());
            let mut actions = [vec![0.0; 80 * width], vec![0.0; 80 * width]];
            let latent = once.sample(&input, &mut streams(), &mut actions[0]).to_vec();
            assert_eq!(latent, always.sample(&input, &mut streams(), &mut actions[1]));
            assert_eq!(actions[0], actions[1]);
            assert_eq!(
                (once.last_outputs().len(), always.last_outputs().len()),
                (2 * once.head.outputs(), 80 * once.head.outputs())
            );
            assert_eq!(once.log_density(&input, &latent), always.log_density(&input, &latent));
            let weight: Vec<f64> = (0..80).map(|row| f64::from(row % 7)).collect();
            for weight in [None, Some(&weight[..])] {
                let [ours, theirs] = [&mut once, &mut always]
                    .map(|density| density.fit(&input, &latent, weight, 0.1))
                    .map(|step| [step.loss, step.gradient_norm].concat());
                assert!(ours.iter().zip(&theirs).all(|(x, y)| (x - y).abs() < 1e-12), "{ours:?} {theirs:?}");
            }
            let pairs = once.learner.net.values().iter().zip(always.learner.net.values());
            pairs.for_each(|(x, y)| assert!((x - y).abs() < 1e-10, "{x} {y}"));
        }
    }

    #[test]
    fn weights_say_which_rows_count() {
        let mut streams = [Stream::new(0, 0, "test", "density")];
        let mut density = Density::<f32>::new(&Space::Discrete(3), 1, &[8], AdamParams::new(1e-2), &mut streams);
        for _ in 0..1500 {
            density.fit(&[1.0; 3], &[0.0, 1.0, 2.0], Some(&[0.6, 1.8, 0.6]), 0.0);
        }
        let mut p = Vec::new();
        let head = density.head.clone();
        head.all_probabilities(density.outputs(&[1.0]), &mut p);
        assert!((p[1] - 0.6).abs() < 0.01 && (p[0] - 0.2).abs() < 0.01, "{p:?}");
    }
}
