//! Variational policy gradient (section 5.1, Algorithm 1) with exact values, in the two readings that the paper leaves
//! open.
//!
//! * [`marginal`]: pi^i(a|s), Qbar^i(s, a) = E_b Q^i(s, a, b), the player's own entropy. It is what Eq. 11 minimises; its
//!   fixed points are the Markov logit quantal response equilibria of lambda = 1 / tau, where nobody gains more than
//!   log|A_i| tau / (1 - gamma) by deviating.
//! * [`conditional`]: pi^i(a|s, b), as Def. 4.4, Eq. 4, Eq. 7 and Algorithm 1 print it. What is executed is the mean over
//!   the opponent model; it is neither a logit equilibrium nor near a Nash equilibrium in general.

pub mod conditional;
mod cycle;
pub mod marginal;

pub use conditional::Conditional;
pub use cycle::CycleDetector;
pub use marginal::{End, Order, Outcome, Vpg};

use super::error::TheoryError;
use super::profile::softmax;
use super::tabular::TabularGame;

/// The step size of Eq. 7, alpha = eta / (1 - gamma).
///
/// # Errors
/// eta, gamma or tau is out of its range, or alpha tau is above 1: the old policy's exponent 1 - alpha tau would be
/// negative, which turns the step around.
pub fn step_size(eta: f64, discount: f64, temperature: f64) -> Result<f64, TheoryError> {
    if !(eta > 0.0 && eta.is_finite()) {
        return Err(TheoryError::Invalid(format!("eta is {eta}; expected a number above 0")));
    }
    if !(0.0..1.0).contains(&discount) {
        return Err(TheoryError::Invalid(format!("the discount is {discount}; expected at least 0 and below 1")));
    }
    if !(temperature >= 0.0 && temperature.is_finite()) {
        return Err(TheoryError::Invalid(format!("the temperature is {temperature}; expected 0 or more")));
    }
    let alpha = eta / (1.0 - discount);
    if alpha * temperature > 1.0 + 1e-12 {
        // Without the digits that rounding brings, and never above what is allowed.
        let short = |x: f64| (x * 1e9 + 1e-3).floor() / 1e9;
        let what = format!(
            "eta {eta} with discount {discount} and temperature {temperature} makes alpha tau = {}; expected at most 1, \
             so an eta of at most {}",
            short(alpha * temperature),
            short((1.0 - discount) / temperature)
        );
        return Err(TheoryError::Invalid(what));
    }
    Ok(alpha)
}

/// The discount that counts: a one-shot game has no next step, whatever its discount is.
pub fn discount(game: &TabularGame) -> f64 {
    if game.is_one_shot() { 0.0 } else { game.discount() }
}

/// The smoothness constant L of Lemma 5.4, of which 1 / L would be the paper's eta: an upper bound that is far from tight.
pub fn smoothness(players: usize, discount: f64, most_actions: usize) -> f64 {
    let (n, rest) = (players as f64, 1.0 - discount);
    2.0 * (n + 1.0).powi(2) / rest.powi(3)
        + 2.0 * (n * n + n + 1.0) * (1.0 + (most_actions as f64).ln()) / rest.powi(2)
        + (3.0 * n + 2.0) / rest
}

/// The constant L of Lemma 5.4 for a game.
pub fn smoothness_of(game: &TabularGame) -> f64 {
    let most = (0..game.states()).flat_map(|state| game.shape(state)).copied().max().unwrap_or(1);
    smoothness(game.players(), discount(game), most)
}

/// Eq. 7 for one distribution: pi^(1 - alpha tau) exp(alpha q) / Z, in place.
pub fn improve(policy: &mut [f64], q: &[f64], alpha: f64, temperature: f64) {
    let kept = (1.0 - alpha * temperature).max(0.0);
    for (p, q) in policy.iter_mut().zip(q) {
        // Where nothing is kept, a probability of 0 comes back; elsewhere it stays, as in the formula.
        let old = if kept == 0.0 { 0.0 } else { kept * p.ln() };
        *p = old + alpha * q;
    }
    softmax(policy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_turn_around_are_refused() {
        assert_eq!(step_size(0.25, 0.5, 1.0), Ok(0.5));
        assert_eq!(step_size(0.5, 0.5, 1.0), Ok(1.0));
        for (eta, discount, temperature) in [(0.6, 0.5, 1.0), (0.0, 0.5, 1.0), (0.1, 1.0, 1.0), (0.1, 0.5, -1.0)] {
            assert!(step_size(eta, discount, temperature).is_err(), "{eta} {discount} {temperature}");
        }
    }

    #[test]
    fn the_update_is_the_formula() {
        let mut policy = [0.25, 0.75];
        improve(&mut policy, &[1.0, 0.5], 0.5, 0.8);
        let by_hand = [0.25f64.powf(0.6) * 0.5f64.exp(), 0.75f64.powf(0.6) * 0.25f64.exp()];
        assert!((policy[0] - by_hand[0] / (by_hand[0] + by_hand[1])).abs() < 1e-15);
        // alpha tau = 1 jumps to the logit response at once.
        improve(&mut policy, &[2.0, 0.0], 1.0, 1.0);
        assert!((policy[1] - 1.0 / (1.0 + 2.0f64.exp())).abs() < 1e-15);
    }
}
