//! Densities, draws and gradients of actions.

use super::*;

fn gaussian() -> Head {
    Head::new(&Space::Box { low: vec![-10.0, 0.0], high: vec![10.0, 1.0] })
}

/// The derivative of `loss` at each number of `at`, by central differences.
fn slopes(at: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let step = 1e-6;
    let moved = |k: usize, by: f64| {
        let mut x = at.to_vec();
        x[k] += by;
        loss(&x)
    };
    (0..at.len()).map(|k| (moved(k, step) - moved(k, -step)) / (2.0 * step)).collect()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{found:?}, expected {expected:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-7 * expected.abs().max(1.0), "{found} is not {expected}");
    }
}

#[test]
fn densities_integrate_to_one() {
    let head = Head::new(&Space::cube(1, -3.0, 5.0));
    let points = 200_000;
    let actions: Vec<f64> = (0..points).map(|k| -3.0 + 8.0 * (k as f64 + 0.5) / f64::from(points)).collect();
    let (mut latent, mut density) = (Vec::new(), Vec::new());
    head.latent_of(&actions, &mut latent);
    head.log_density(&[0.3, -0.5].repeat(actions.len()), &latent, &mut density);
    let mass: f64 = density.iter().map(|x| x.exp()).sum::<f64>() * 8.0 / f64::from(points);
    assert!((mass - 1.0).abs() < 1e-6, "{mass}");
    assert!((head.log_uniform() - (1.0f64 / 8.0).ln()).abs() < 1e-12);
}

#[test]
fn actions_and_latents_are_each_others_inverse() {
    let (head, latent) = (gaussian(), [0.3, -1.2, 2.0, 0.0]);
    let (mut actions, mut back) = ([0.0f64; 4], Vec::new());
    head.actions(&latent, &mut actions);
    assert!(actions[0] > 0.0 && (0.0..1.0).contains(&actions[1]) && actions[3] == 0.5);
    head.latent_of(&actions, &mut back);
    assert_close(&back, &latent);
}

#[test]
fn gradients_are_those_of_finite_differences() {
    gradients_match(gaussian());
    let mut wide = gaussian();
    wide.set_min_sigma(0.3);
    gradients_match(wide);
}

fn gradients_match(head: Head) {
    let outputs = [0.4, -0.2, 0.1, -1.0];
    let (latent, noise, by_action) = ([0.9, -0.7], [0.8, -1.1], [0.7, -2.0]);
    let mut gradient = Vec::new();
    head.likelihood_gradient(&outputs, &latent, &[1.7], &mut gradient);
    let log_density = |outputs: &[f64], latent: &[f64]| {
        let mut out = Vec::new();
        head.log_density(outputs, latent, &mut out);
        out[0]
    };
    assert_close(&gradient, &slopes(&outputs, |x| -1.7 * log_density(x, &latent)));

    let mut slope = Vec::new();
    head.log_density_slope(&outputs, &latent, &mut slope);
    assert_close(&slope, &slopes(&latent, |latent| log_density(&outputs, latent)));

    let by_latent = [0.3, -0.4];
    head.pathwise_gradient(&outputs, &noise, (&by_action, &by_latent), 0.6, 2.0, &mut gradient);
    let loss = |x: &[f64]| {
        let (mut latent, mut actions) = (Vec::new(), [0.0f64; 2]);
        head.latent(x, &noise, &mut latent);
        head.actions(&latent, &mut actions);
        let q: f64 = actions.iter().zip(&by_action).map(|(a, slope)| a * slope).sum();
        let f: f64 = latent.iter().zip(&by_latent).map(|(u, slope)| u * slope).sum();
        2.0 * (0.6 * log_density(x, &latent) - q - f)
    };
    assert_close(&gradient, &slopes(&outputs, loss));
}

#[test]
fn play_is_no_narrower_than_the_least_sigma() {
    let (mut head, outputs, mut latent) = (gaussian(), [0.4, -0.2, -30.0, -30.0], Vec::new());
    for least in [0.01, 0.25] {
        head.set_min_sigma(least);
        head.latent(&outputs, &[1.0, -1.0], &mut latent);
        assert_close(&latent, &[0.4 + least, -0.2 - least]);
    }
}

#[test]
fn gradients_of_choices_are_those_of_finite_differences() {
    let (head, outputs, q) = (Head::Categorical(3), [0.4, -0.2, 1.1], [1.0, 2.0, -0.5]);
    let (mut gradient, mut loss) = (Vec::new(), Vec::new());
    head.expected_gradient(&outputs, &q, 0.7, 1.5, &mut loss, &mut gradient);
    let expected = |x: &[f64]| -> f64 { probabilities(x).enumerate().map(|(k, p)| p * (0.7 * p.ln() - q[k])).sum() };
    assert_close(&loss, &[expected(&outputs)]);
    assert_close(&gradient, &slopes(&outputs, |x| 1.5 * expected(x)));

    head.likelihood_gradient(&outputs, &[2.0], &[0.3], &mut gradient);
    assert_close(&gradient, &slopes(&outputs, |x| -0.3 * (x[2] - log_normaliser(x))));
}

#[test]
fn choices_are_drawn_with_their_probabilities() {
    let (head, outputs) = (Head::Categorical(3), [0.0, 1.0, -1.0]);
    let mut streams = [Stream::new(0, 0, "test", "choices")];
    let (mut noise, mut drawn, mut counts) = (Vec::new(), Vec::new(), [0.0; 3]);
    let draws = 100_000;
    head.noise(&mut streams, draws, &mut noise);
    head.latent(&outputs.repeat(draws), &noise, &mut drawn);
    drawn.iter().for_each(|choice| counts[*choice as usize] += 1.0 / draws as f64);
    for (found, expected) in counts.iter().zip(probabilities(&outputs)) {
        assert!((found - expected).abs() < 0.01, "{counts:?}");
    }
}
