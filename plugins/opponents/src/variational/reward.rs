//! The opponent's reward, inferred from what it did: Eqs. 8 to 10, which is maximum-entropy inverse reinforcement learning.
//!
//! The model explains an action b by pihat(b|s) exp(Q(s, a, b)) / E_{b~pihat} exp(Q(s, a, b)): the normaliser of Eq. 6, not the
//! one that Eq. 8 prints. The agent's action a is the one that was played (the trajectories of Eq. 9 hold it, drawn from its
//! marginal policy), and what was done is compared with what could have been done in the same state, beside the same a: so
//! nothing that depends on s and a alone is learned. What explains best is the logarithm of how the opponent acts, plus
//! anything that does not depend on b: behaviour alone does not say what the true reward is.

use std::ops::Range;

use equiflow::prelude::*;
use equiflow::replay::Batch;
use equiflow_neural::{Head, PerSeed, Real, Step};

use super::VariationalParams;
use super::learn::{Networks, Proposed};
use super::value::Answered;

impl Networks {
    /// One step of [`Networks::explain`] in some of the latest transitions, those of `window`, drawn with replacement: `answers`
    /// times as many states as the model is fitted in, and so many times fewer proposals in each, since what was done there is
    /// one number a state and wants averaging.
    pub fn infer(
        &mut self,
        params: &VariationalParams,
        recent: &Batch,
        window: Range<usize>,
        streams: &mut [Stream],
    ) -> Option<Step> {
        let states = params.states * params.answers;
        let per_state = match self.prior.head {
            Head::Categorical(n) => n,
            Head::Gaussian { .. } => params.proposals.div_ceil(params.answers),
        };
        let chosen: Vec<usize> = (streams.iter_mut().enumerate())
            .flat_map(|(seed, stream)| {
                let first = seed * recent.size + window.start;
                (0..states).map(|_| first + stream.below(window.len())).collect::<Vec<_>>()
            })
            .collect();
        let rows = |values: &[f32]| -> Vec<f32> {
            let width = values.len() / recent.terminated.len();
            chosen.iter().flat_map(|row| &values[row * width..][..width]).copied().collect()
        };
        let seen = rows(&recent.players[self.players[0]].observation);
        let actions: Vec<_> = self.players.iter().map(|player| rows(&recent.players[*player].action)).collect();

        // What the opponent could have done instead.
        let mut drawn = Proposed::default();
        self.draw_prior(&seen, streams, per_state, &mut drawn);
        let spread = |values: &[f32]| -> Vec<f32> {
            values.chunks_exact(values.len() / chosen.len()).flat_map(|row| row.repeat(per_state)).collect()
        };
        let mut beside: Vec<_> = actions.iter().map(|actions| spread(actions)).collect();
        self.prior.head.actions(&drawn.latent, &mut beside[1 + self.number]);
        let beside: Vec<&[f32]> = beside.iter().map(Vec::as_slice).collect();
        let asked = Answered {
            per_state,
            observation: &spread(&seen),
            opponents: &beside[1..],
            action: beside[0],
            weight: &vec![1.0; chosen.len() * per_state],
            own_value: &[],
            count: 1,
        };
        let mut weight = Vec::new();
        self.weigh(&asked, &drawn.latent, &mut weight);
        self.explain(&seen, &actions.iter().map(Vec::as_slice).collect::<Vec<_>>(), &asked, &weight)
    }
}

impl<T: Real> Networks<T> {
    /// One step of the reward down -E_data[r(s, a, b)] + E_{b~weights}[E_a r(s, a, b)]: what was done `[S, W, width]`
    /// against what the model holds likely, proposals with weights `[S, rows]` that sum to 1 for each state.
    ///
    /// The loss of the step is the difference itself; its gradient is that of the negative log-likelihood where Q is r and both
    /// are of the same states. None where the reward is not inferred.
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
        let step = reward.descend(&loss, &room.gradient, None);
        self.reward = Some(reward);
        self.room = room;
        Some(step)
    }
}
