//! What opponent models and their agent tell each other before they learn: a model proposes what its opponent may do,
//! the agent answers what it would do then, and how it would like it.

use std::borrow::Cow;

use bevy_ecs::prelude::*;

use super::BatchPrediction;
use crate::replay::first_rows;

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
    /// How many actions of the agent it wants per proposal, where they cannot be enumerated.
    pub samples: usize,
    /// Whether it wants the agent's own value of each.
    pub valued: bool,
    /// Whether the agent's policy is to be shown the proposal itself, as if the opponent did that. Otherwise it is shown
    /// what the model predicted anyway, and answers with its marginal policy.
    pub conditional: bool,
}

/// What an agent is asked: what it would do, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// What the agent sees: [seeds, rows, width].
    pub observation: &'a [f32],
    /// What its policy is to believe that each opponent does, in the order of the players: [seeds, rows, width].
    pub shown: &'a [&'a [f32]],
    /// What the opponents do, where the agent's value of it is asked for too.
    pub valued: Option<&'a [&'a [f32]]>,
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
    /// What the agent's policy is shown of the opponents, see [`Proposals::conditional`]: as above.
    pub shown: Vec<Vec<f32>>,
    /// The agent's answers.
    pub answers: Answers,
}

impl Question {
    /// Fills in all but the answers: model number `asking` of an agent proposes, `models` are all of its models,
    /// `observation` [seeds, batch, width] what the agent sees.
    pub(crate) fn pose(
        &mut self,
        asking: usize,
        models: &[(&Proposals, &BatchPrediction)],
        observation: &[f32],
        batch: usize,
        seeds: usize,
    ) {
        let proposals = models[asking].0;
        let spread = |values: &[f32], out: &mut Vec<f32>| {
            out.clear();
            let width = values.len() / (seeds * batch);
            for seed in values.chunks_exact(batch * width) {
                for row in seed.chunks_exact(width).take(proposals.states) {
                    (0..proposals.per_state).for_each(|_| out.extend_from_slice(row));
                }
            }
        };
        spread(observation, &mut self.observation);
        self.opponents.resize_with(models.len(), Vec::new);
        self.shown.resize_with(models.len(), Vec::new);
        for (opponent, (_, prediction)) in models.iter().enumerate() {
            spread(&prediction.now, &mut self.shown[opponent]);
            self.opponents[opponent].clone_from(&self.shown[opponent]);
        }
        self.opponents[asking].clone_from(&proposals.actions);
        if proposals.conditional {
            self.shown[asking].clone_from(&proposals.actions);
        }
    }
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
}

/// What an agent and its models tell each other, on the agent's entity.
#[derive(Component, Clone, Debug, Default)]
pub struct Exchange {
    /// One per model, in the order of the players.
    pub questions: Vec<Question>,
    /// What the agent would do at the batch's next observations.
    pub next: Answers,
    /// Whether policies learn in this step, see [`Algorithm::policies_learn`](crate::algorithm::Algorithm::policies_learn).
    pub policies_learn: bool,
}
