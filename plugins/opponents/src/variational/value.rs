//! The opponent's soft value, and what proposals are worth to it.

use equiflow_neural::{Block, Real, Step, side_by_side, td_target};

use super::learn::Networks;

/// What the opponent's value learns from: `[S, B, width]`, rewards, ends and log-ratios `[S, B]`.
pub(super) struct Transitions<'a, T> {
    pub observation: &'a [T],
    /// Of the agent, then of its opponents.
    pub actions: &'a [&'a [T]],
    /// What the opponent got; where its reward is inferred it is put in its place.
    pub reward: &'a [T],
    pub terminated: &'a [T],
    pub next_observation: &'a [T],
    /// What the agent would do there: `[S, B, count, width]`, with weights `[S, B, count]`.
    pub next_action: &'a [T],
    pub next_weight: &'a [T],
    pub next_count: usize,
    /// b' ~ rho(.|s'), of all opponents.
    pub next_opponents: &'a [&'a [T]],
    /// log rho(b'|s') - log pihat(b'|s') of this one.
    pub next_log_ratio: &'a [T],
}

/// Proposals with the agent's answers. A row is a proposal; those of one state stand side by side.
#[derive(Clone, Copy)]
pub(super) struct Answered<'a, T> {
    /// Proposals per state.
    pub per_state: usize,
    /// `[S, rows, width]`
    pub observation: &'a [T],
    /// The opponents' actions, the proposed ones among them: `[S, rows, width]`.
    pub opponents: &'a [&'a [T]],
    /// The agent's: `[S, rows, count, width]`, with weights and, if it was asked, its own values: `[S, rows, count]`.
    pub action: &'a [T],
    pub weight: &'a [T],
    pub own_value: &'a [T],
    pub count: usize,
}

impl<T: Real> Answered<'_, T> {
    /// What the agent sees in each state, once: `[S, states, width]`.
    pub fn states(&self) -> Vec<T> {
        let rows = self.weight.len() / self.count;
        let width = self.observation.len() / rows;
        self.observation.chunks_exact(self.per_state * width).flat_map(|rows| &rows[..width]).copied().collect()
    }
}

impl<T: Real> Networks<T> {
    /// What value and reward see, with `times` actions of the agent for each row of the rest.
    pub fn value_input(&self, seen: &[T], action: &[T], opponents: &[&[T]], times: usize, out: &mut Vec<T>) {
        let rows = action.len() / self.agent.width() / times;
        let mut blocks = vec![Block::new(seen, seen.len() / rows).times(times), Block::actions(&self.agent, action)];
        let others = self.opponents.iter().zip(opponents);
        blocks.extend(others.map(|(head, actions)| Block::actions(head, actions).times(times)));
        side_by_side(&blocks, out);
    }

    /// The column of the predicted opponent's action among those of [`Networks::value_input`].
    pub fn own_column(&self, seen: usize) -> usize {
        seen + self.agent.features() + self.opponents[..self.number].iter().map(|head| head.features()).sum::<usize>()
    }

    /// One step of the opponent's value towards r + gamma (1 - end) (E_a' Q'(s', a', b') - log-ratio), and of its target.
    pub fn value_step(&mut self, batch: &Transitions<T>, discount: f64, target_rate: f64) -> Step {
        let mut room = std::mem::take(&mut self.room);
        let next: Vec<T> = if batch.terminated.iter().all(|end| *end == T::from_f64(1.0)) {
            vec![T::default(); batch.reward.len()]
        } else {
            let (action, times) = (batch.next_action, batch.next_count);
            self.value_input(batch.next_observation, action, batch.next_opponents, times, &mut room.input);
            let q = self.value_target.predict(&room.input, &mut room.pass);
            let means = weighted_means(q, batch.next_weight, times);
            means.zip(batch.next_log_ratio).map(|(mean, ratio)| T::from_f64(mean - ratio.to_f64())).collect()
        };
        self.value_input(batch.observation, batch.actions[0], &batch.actions[1..], 1, &mut room.input);
        let inferred = self.reward.as_mut().map(|reward| reward.forward(&room.input));
        td_target(inferred.unwrap_or(batch.reward), batch.terminated, discount, &next, &mut room.target);
        let step = self.value.regress(&room.input, &room.target, Some(self.value_target.follow(target_rate)));
        self.room = room;
        step
    }

    /// E_a Q(s, a, b) of every proposal into `out`, `[S, rows]`; by the agent's own values where it gave them.
    pub fn expected_values(&mut self, asked: &Answered<T>, out: &mut Vec<f64>) {
        out.clear();
        if !asked.own_value.is_empty() {
            out.extend(weighted_means(asked.own_value, asked.weight, asked.count));
            return;
        }
        let mut input = std::mem::take(&mut self.room.input);
        self.value_input(asked.observation, asked.action, asked.opponents, asked.count, &mut input);
        let q = self.value.net.predict(&input, &mut self.room.pass);
        out.extend(weighted_means(q, asked.weight, asked.count));
        self.room.input = input;
    }
}

/// The weighted mean of each row of `values` `[rows, count]`.
pub(super) fn weighted_means<T: Real>(values: &[T], weights: &[T], count: usize) -> impl Iterator<Item = f64> {
    let rows = values.chunks_exact(count).zip(weights.chunks_exact(count));
    rows.map(|(values, weights)| values.iter().zip(weights).map(|(x, w)| x.to_f64() * w.to_f64()).sum())
}
