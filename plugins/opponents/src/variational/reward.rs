//! The opponent's reward, inferred from what it did: Eqs. 8 to 10, which is maximum-entropy inverse reinforcement learning.
//!
//! The model explains an action b by pihat(b|s) exp(E_a Q(s, a, b)) / E_{b~pihat} exp(E_a Q(s, a, b)): the normaliser of
//! Eq. 6, not the one that Eq. 8 prints. What it explains best is the logarithm of how the opponent acts, plus anything
//! that does not depend on b: behaviour alone does not say what the true reward is.

use equiflow_neural::{PerSeed, Real, Step};

use super::learn::Networks;
use super::value::Answered;

impl<T: Real> Networks<T> {
    /// One step of the reward down -E_data[r(s, a, b)] + E_{b~weights}[E_a r(s, a, b)]: what was done `[S, W, width]`
    /// against what the model holds likely, proposals with weights `[S, rows]` that sum to 1 for each state.
    ///
    /// The loss of the step is the difference itself; its gradient is that of the negative log-likelihood where Q is r.
    /// None where the reward is not inferred.
    pub fn explain(&mut self, seen: &[T], actions: &[&[T]], asked: &Answered<T>, weight: &[f64]) -> Option<Step> {
        let mut reward = self.reward.take()?;
        let seeds = reward.net.seeds();
        let mut room = std::mem::take(&mut self.room);
        // Both parts in one batch, seed by seed.
        let (mut done, mut proposed) = (Vec::new(), Vec::new());
        self.value_input(seen, actions[0], &actions[1..], 1, &mut done);
        self.value_input(asked.observation, asked.action, asked.opponents, asked.count, &mut proposed);
        room.input.clear();
        room.gradient.clear();
        let width = reward.net.sizes()[0];
        let count = done.len() / width / seeds;
        let states = weight.len() / asked.per_state / seeds;
        let joint = weight.iter().zip(asked.weight.chunks_exact(asked.count));
        let joint: Vec<f64> =
            joint.flat_map(|(weight, answers)| answers.iter().map(move |w| weight * w.to_f64())).collect();
        for seed in 0..seeds {
            let part = |values: &'_ [T]| values.len() / seeds;
            room.input.extend_from_slice(&done[seed * part(&done)..][..part(&done)]);
            room.input.extend_from_slice(&proposed[seed * part(&proposed)..][..part(&proposed)]);
            room.gradient.extend((0..count).map(|_| T::from_f64(-1.0 / count as f64)));
            let own = &joint[seed * joint.len() / seeds..][..joint.len() / seeds];
            room.gradient.extend(own.iter().map(|weight| T::from_f64(weight / states as f64)));
        }
        let values = reward.forward(&room.input);
        let terms: Vec<f64> = values.iter().zip(&room.gradient).map(|(r, g)| r.to_f64() * g.to_f64()).collect();
        let loss: PerSeed = terms.chunks_exact(terms.len() / seeds).map(|terms| terms.iter().sum()).collect();
        let step = reward.descend(&loss, &room.gradient);
        self.reward = Some(reward);
        self.room = room;
        Some(step)
    }
}
