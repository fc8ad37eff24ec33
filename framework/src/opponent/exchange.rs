//! What opponent models and their agent tell each other before they learn: a model proposes what its opponent may do,
//! the agent answers what it would do then, and how it would like it.

use std::borrow::Cow;

use bevy_ecs::prelude::*;
use smallvec::SmallVec;

use super::{BatchPrediction, OpponentModel};
use crate::algorithm::Algorithm;
use crate::replay::{PlayerBatch, first_rows};

/// What a model puts forward: for the first `states` transitions of each seed in the batch, `per_state` actions of its
/// opponent.
#[derive(Component, Clone, Debug, Default)]
pub struct Proposals {
    /// Transitions per seed.
    pub states: usize,
    /// Proposals per transition.
    pub per_state: usize,
    /// Actions of the opponent: [seeds, states, per_state, width].
    pub actions: Vec<f32>,
    /// How many actions of the agent it wants per proposal, where they cannot be enumerated; of a marginal policy, how many
    /// predictions it answers.
    pub samples: usize,
    /// Whether it wants the agent's own value of each.
    pub valued: bool,
    /// Whether the agent's policy is to be shown the proposal itself, as if the opponent did that. Otherwise it answers
    /// with its marginal policy: it is shown what its models predict, `samples` draws per transition, whatever is proposed.
    pub conditional: bool,
    /// Those draws: [seeds, states, samples, width].
    believed: Vec<f32>,
    /// The same at the batch's next observations, one draw each: [seeds, batch, width].
    believed_next: Vec<f32>,
}

impl Proposals {
    /// Draws what the agent's marginal policy is to be shown, where that is asked for; `width` is that of an action.
    pub(crate) fn draw_beliefs<M: OpponentModel>(&mut self, model: &mut M, seen: &PlayerBatch, at: Rows, width: usize) {
        if self.conditional || self.actions.is_empty() {
            return;
        }
        self.samples = self.samples.max(1);
        let mut observation = Vec::new();
        at.spread(&seen.observation, self.states, self.samples, &mut observation);
        self.believed.resize(at.seeds * self.states * self.samples * width, 0.0);
        model.sample(&observation, &mut self.believed, None);
        self.believed_next.resize(at.seeds * at.batch * width, 0.0);
        model.sample(&seen.next_observation, &mut self.believed_next, None);
    }
}

/// The rows of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// How many seeds there are.
    pub seeds: usize,
    /// Transitions per seed.
    pub batch: usize,
}

impl Rows {
    /// Of `values` [seeds, batch, width] the first `states` rows of each seed, each `times` times, into `out`.
    fn spread(self, values: &[f32], states: usize, times: usize, out: &mut Vec<f32>) {
        out.clear();
        let width = values.len() / (self.seeds * self.batch);
        for seed in values.chunks_exact(self.batch * width) {
            for row in seed.chunks_exact(width).take(states) {
                (0..times).for_each(|_| out.extend_from_slice(row));
            }
        }
    }
}

/// What an agent is asked: what it would do, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// What the agent sees: [seeds, rows, width].
    pub observation: &'a [f32],
    /// What its policy is to believe that each opponent does, in the order of the players: [seeds, rows, width].
    pub shown: &'a [&'a [f32]],
    /// How many actions per row, where they cannot be enumerated.
    pub samples: usize,
}

/// Proposals with all that the agent needs to answer them, and its answers.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The agent's observations: [seeds, rows, width], rows = states x proposals.
    pub observation: Vec<f32>,
    /// What each opponent does, in the order of the players: [seeds, rows, width]. The one that is asked about does what
    /// is proposed, the others what their models predict.
    pub opponents: Vec<Vec<f32>>,
    /// The agent's answers.
    pub answers: Answers,
    /// What stands behind the answers of a marginal policy, see [`Proposals::conditional`].
    pub marginal: Marginal,
}

/// What a marginal policy is asked, which does not depend on the proposals: rows = states x draws.
#[derive(Clone, Debug, Default)]
pub struct Marginal {
    /// The agent's observations: [seeds, rows, width].
    pub observation: Vec<f32>,
    /// What the policy is shown of each opponent, draws from its model, in the order of the players: [seeds, rows, width].
    pub shown: Vec<Vec<f32>>,
    /// The answers, row by row.
    pub answers: Answers,
}

impl Question {
    /// Lets an agent, whose actions are `width` wide, answer what number `asking` of its `models` proposes.
    pub(crate) fn ask<A: Algorithm>(
        &mut self,
        (algorithm, width): (&mut A, usize),
        asking: usize,
        models: &[(&Proposals, &BatchPrediction)],
        seen: &PlayerBatch,
        at: Rows,
    ) {
        let proposals = models[asking].0;
        let (states, per_state) = (proposals.states, proposals.per_state);
        at.spread(&seen.observation, states, per_state, &mut self.observation);
        self.opponents.resize_with(models.len(), Vec::new);
        for (opponent, (_, prediction)) in self.opponents.iter_mut().zip(models) {
            at.spread(&prediction.now, states, per_state, opponent);
        }
        self.opponents[asking].clone_from(&proposals.actions);
        if proposals.conditional {
            let shown = &slices(&self.opponents);
            let inquiry = Inquiry { observation: &self.observation, shown, samples: proposals.samples };
            self.answers.resize(at.seeds * states * per_state, 1, width);
            algorithm.answer(&inquiry, &mut self.answers);
        } else {
            let Marginal { observation, shown, answers } = &mut self.marginal;
            at.spread(&seen.observation, states, proposals.samples, observation);
            shown.resize_with(models.len(), Vec::new);
            shown.iter_mut().zip(models).for_each(|(shown, (other, _))| shown.clone_from(&other.believed));
            answers.resize(at.seeds * states * proposals.samples, 1, width);
            algorithm.answer(&Inquiry { observation, shown: &slices(shown), samples: 1 }, answers);
            self.answers.repeat(answers, proposals.samples, per_state);
        }
        if proposals.valued {
            algorithm.value(&self.observation, &slices(&self.opponents), &mut self.answers);
        }
    }
}

fn slices(values: &[Vec<f32>]) -> SmallVec<[&[f32]; 8]> {
    values.iter().map(Vec::as_slice).collect()
}

/// What an agent would do: weighted actions per row.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Actions per row.
    pub count: usize,
    /// The actions: [seeds, rows, count, width].
    pub actions: Vec<f32>,
    /// Their probabilities, which sum to 1 in a row: [seeds, rows, count]. All of a discrete space, or equal weights of a
    /// sample.
    pub weights: Vec<f32>,
    /// The agent's own value of each, together with what the opponents do; empty when nobody asks: [seeds, rows, count].
    pub values: Vec<f32>,
}

impl Answers {
    /// Those for the first `size` of the `batch` rows that every seed has, where `rows` is seeds times batch.
    pub(crate) fn first(&self, rows: usize, batch: usize, size: usize) -> Cow<'_, Self> {
        if size == batch {
            return Cow::Borrowed(self);
        }
        let take = |values: &[f32]| first_rows(values, rows, batch, size).into_owned();
        let [actions, weights, values] = [&self.actions, &self.weights, &self.values].map(|values| take(values));
        Cow::Owned(Self { count: self.count, actions, weights, values })
    }

    /// Room for `rows` rows in all, with `count` actions of `width` numbers each; equal weights, no values.
    pub fn resize(&mut self, rows: usize, count: usize, width: usize) {
        self.count = count;
        self.actions.resize(rows * count * width, 0.0);
        self.weights.clear();
        self.weights.resize(rows * count, 1.0 / count as f32);
        self.values.clear();
    }

    /// Becomes the answers of `draws` rows of `others` together, `times` times, row after row: of a sample all actions, of
    /// actions that are enumerated each once, with its mean probability.
    fn repeat(&mut self, others: &Self, draws: usize, times: usize) {
        let (block, share) = (draws * others.count, 1.0 / draws as f32);
        let width = others.actions.len() / others.weights.len();
        self.count = if others.count > 1 { others.count } else { draws };
        for values in [&mut self.actions, &mut self.weights, &mut self.values] {
            values.clear();
        }
        let rows = others.weights.chunks_exact(block).zip(others.actions.chunks_exact(block * width));
        for (weights, actions) in rows {
            let end = self.weights.len() + times * self.count;
            for at in 0..self.count {
                self.weights.push(weights[at..].iter().step_by(self.count).sum::<f32>() * share);
            }
            let first = end - times * self.count;
            (1..times).for_each(|_| self.weights.extend_from_within(first..first + self.count));
            (0..times).for_each(|_| self.actions.extend_from_slice(&actions[..self.count * width]));
        }
    }
}

/// What an agent and its models tell each other, on the agent's entity.
#[derive(Component, Clone, Debug, Default)]
pub struct Exchange {
    /// One per model, in the order of the players; empty where the model proposes nothing.
    pub questions: Vec<Question>,
    /// What the agent would do at the batch's next observations; empty where no model proposes anything.
    pub next: Answers,
    /// Whether policies learn in this step, see [`Algorithm::policies_learn`](crate::algorithm::Algorithm::policies_learn).
    pub policies_learn: bool,
}

impl Exchange {
    /// Lets an agent, whose actions are `width` wide, say what it would do at the batch's next observations, where its `models`
    /// propose anything. They are of one kind with the same parameters, so that the answer serves all of them.
    pub(crate) fn ask_next<A: Algorithm>(
        &mut self,
        (algorithm, width): (&mut A, usize),
        models: &[(&Proposals, &BatchPrediction)],
        seen: &PlayerBatch,
        at: Rows,
    ) {
        if models.iter().all(|(proposals, _)| proposals.actions.is_empty()) {
            return;
        }
        let shown: SmallVec<[&[f32]; 8]> = models
            .iter()
            .map(
                |(proposals, prediction)| {
                    if proposals.conditional { &prediction.next[..] } else { &proposals.believed_next[..] }
                },
            )
            .collect();
        let inquiry = Inquiry { observation: &seen.next_observation, shown: &shown, samples: 1 };
        self.next.resize(at.seeds * at.batch, 1, width);
        algorithm.answer(&inquiry, &mut self.next);
    }
}
