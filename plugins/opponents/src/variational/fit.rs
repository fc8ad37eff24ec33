//! The model's own step: towards pihat(b|s) exp(E_a Q(s, a, b)), Proposition 4.7.

use equiflow::theory::profile::softmax;
use equiflow_neural::{Head, PerSeed, Real, Step, regularise};

use super::learn::Networks;
use super::value::Answered;

impl<T: Real> Networks<T> {
    /// How likely each proposal is to be the opponent's action, among those of its state: the softmax of E_a Q, plus the
    /// logarithm of the prior where proposals are not drawn from it but are all choices. `[S, rows]`, into `out`.
    pub fn weigh(&mut self, asked: &Answered<T>, latent: &[f64], out: &mut Vec<f64>) {
        self.expected_values(asked, out);
        if let Head::Categorical(_) = self.prior.head {
            let mut log_prior = std::mem::take(&mut self.room.log_prior);
            self.log_prior(&asked.states(), latent, &mut log_prior);
            out.iter_mut().zip(&log_prior).for_each(|(value, log)| *value += log);
            self.room.log_prior = log_prior;
        }
        out.chunks_exact_mut(asked.per_state).for_each(softmax);
    }

    /// One step of weighted maximum likelihood of the proposals `latent` `[S, rows, width]`.
    pub fn resample(&mut self, asked: &Answered<T>, latent: &[f64], regulariser: f64) -> Step {
        let mut weight = std::mem::take(&mut self.room.weight);
        self.weigh(asked, latent, &mut weight);
        // The weights of a state sum to 1; a fit takes those of all rows to average 1.
        weight.iter_mut().for_each(|weight| *weight *= asked.per_state as f64);
        let step = self.model.fit(&asked.states(), latent, Some(&weight), regulariser);
        self.room.weight = weight;
        step
    }

    /// One step down E_{b~rho}[log rho(b|s) - log pihat(b|s) - E_a Q(s, a, b)]: exactly over choices, all of which are
    /// proposed; in a box with b reparameterised by `noise` `[S, rows, width]`, one proposal a state.
    pub fn reverse_kl(&mut self, asked: &Answered<T>, latent: &[f64], noise: &[f64], regulariser: f64) -> Step {
        let seeds = self.value.net.seeds();
        let (mut loss, mut gradient) = (Vec::new(), std::mem::take(&mut self.room.gradient));
        let head = self.model.head.clone();
        let outputs = match head {
            Head::Categorical(_) => {
                let (states, width) = (asked.states(), self.model.learner.net.sizes()[0]);
                let mut target = Vec::new();
                self.expected_values(asked, &mut target);
                let mut log_prior = Vec::new();
                self.log_prior(&states, latent, &mut log_prior);
                let target: Vec<T> = target.iter().zip(&log_prior).map(|(q, log)| T::from_f64(q + log)).collect();
                let scale = 1.0 / (states.len() / width / seeds) as f64;
                let outputs = self.model.learner.forward(&states).to_vec();
                head.expected_gradient(&outputs, &target, 1.0, scale, &mut loss, &mut gradient);
                outputs
            }
            Head::Gaussian { .. } => {
                let (rows, width) = (latent.len() / head.width(), head.width());
                let by_action = self.value_slopes(asked, width);
                self.expected_values(asked, &mut loss);
                let (mut log_prior, mut slope) = (Vec::new(), Vec::new());
                let prior = self.prior.outputs(asked.observation);
                head.log_density_slope(prior, latent, &mut slope);
                head.log_density(prior, latent, &mut log_prior);
                // Of the smoothed prior: the uniform part is flat, and counts for its share of the density.
                let uniform = self.smoothing.ln() + head.log_uniform();
                let own = (1.0 - self.smoothing).ln();
                let shares = log_prior.iter().map(|log| 1.0 / (1.0 + (uniform - own - log).exp()));
                for (slope, share) in slope.chunks_exact_mut(width).zip(shares) {
                    slope.iter_mut().for_each(|slope| *slope *= share);
                }
                self.log_prior(asked.observation, latent, &mut log_prior);
                let outputs = self.model.learner.forward(asked.observation).to_vec();
                let mut log_model = Vec::new();
                head.log_density(&outputs, latent, &mut log_model);
                let terms = log_model.iter().zip(&log_prior);
                loss.iter_mut().zip(terms).for_each(|(loss, (model, prior))| *loss = model - prior - *loss);
                let scale = seeds as f64 / rows as f64;
                head.pathwise_gradient(&outputs, noise, (&by_action, &slope), 1.0, scale, &mut gradient);
                outputs
            }
        };
        let states = loss.len() / seeds;
        let penalty = regularise(&outputs, seeds, states, regulariser, &mut gradient);
        let means = loss.chunks_exact(states).map(|rows| rows.iter().sum::<f64>() / states as f64);
        let loss: PerSeed = means.zip(penalty).map(|(mean, penalty)| mean + penalty).collect();
        let step = self.model.learner.descend(&loss, &gradient, None);
        self.room.gradient = gradient;
        step
    }

    /// The gradient of E_a Q(s, a, b) with respect to the proposed action b, `[S, rows, width]`.
    fn value_slopes(&mut self, asked: &Answered<T>, width: usize) -> Vec<T> {
        let rows = asked.weight.len() / asked.count;
        let column = self.own_column(asked.observation.len() / rows);
        let mut input = std::mem::take(&mut self.room.input);
        self.value_input(asked.observation, asked.action, asked.opponents, asked.count, &mut input);
        self.value.forward(&input);
        let slopes = self.value.input_gradient(asked.weight, column..column + width);
        let mut out = vec![T::default(); rows * width];
        for (slopes, out) in slopes.chunks_exact(asked.count * width).zip(out.chunks_exact_mut(width)) {
            for slopes in slopes.chunks_exact(width) {
                out.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += *slope);
            }
        }
        self.room.input = input;
        out
    }
}
