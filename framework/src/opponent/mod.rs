//! What an opponent model is: a component on an entity of its own that predicts, for one agent, what one of its
//! opponents does. Any algorithm can have them: it names a kind in its parameter `opponent_model`, gets one per opponent,
//! and reads what they predict.

mod exchange;
pub(crate) mod learn;
pub(crate) mod predict;
pub(crate) mod score;

use std::borrow::Cow;
use std::marker::PhantomData;

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;

use crate::algorithm::{Fault, Seat};
use crate::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use crate::environment::{Live, Phase};
use crate::game::{GameSpec, Space};
use crate::params::{Invalid, Params};
use crate::replay::{Batch, first_rows};
use crate::stream::Stream;

pub use exchange::{Answers, Exchange, Inquiry, Marginal, Proposals, Question};

/// Whose model it is and whom it predicts.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[relationship(relationship_target = Models)]
pub struct ModelOf {
    /// The agent that reads it.
    #[relationship]
    pub agent: Entity,
    /// The player that it predicts.
    pub opponent: usize,
}

/// The models that an agent has of its opponents, in the order of the players.
#[derive(Component, Debug)]
#[relationship_target(relationship = ModelOf, linked_spawn)]
pub struct Models(Vec<Entity>);

impl Models {
    /// The models, in the order of the players that they predict.
    pub fn of_opponents(&self) -> &[Entity] {
        &self.0
    }
}

/// What the opponent is predicted to do in this step: [rows, width of its action]. In evaluations the mean of the
/// prediction, else a sample.
#[derive(Component, Debug)]
pub struct Prediction<P: Phase> {
    /// The numbers, row by row.
    pub values: Vec<f32>,
    phase: PhantomData<P>,
}

impl<P: Phase> Prediction<P> {
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        Self { values: vec![0.0; rows * width], phase: PhantomData }
    }
}

/// Two players who read each other are shown what the other did last: that has to be kept.
impl Checkpoint for Prediction<Live> {
    fn save(&self, to: &mut Snapshot) {
        to.put_f32("values", &[self.values.len()], &self.values);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.values = from.get_f32("values")?;
        Ok(())
    }
}

/// What the opponent is predicted to do in the transitions of the environment's batch.
#[derive(Component, Clone, Debug, Default)]
pub struct BatchPrediction {
    /// Its actions at the observations: [seeds, batch, width].
    pub now: Vec<f32>,
    /// Its actions b' at the next observations s': [seeds, batch, width].
    pub next: Vec<f32>,
    /// log rho(b'|s') - log pihat(b'|s'), how much likelier the model holds the next actions than its prior does:
    /// [seeds, batch]. Zero for a model without a prior.
    pub next_log_ratio: Vec<f32>,
}

impl BatchPrediction {
    /// Those for the first `size` of the `batch` transitions that every seed has, where `rows` is seeds times batch.
    pub(crate) fn first(&self, rows: usize, batch: usize, size: usize) -> Cow<'_, Self> {
        if size == batch {
            return Cow::Borrowed(self);
        }
        let take = |values: &[f32]| first_rows(values, rows, batch, size).into_owned();
        let [now, next, next_log_ratio] = [&self.now, &self.next, &self.next_log_ratio].map(|values| take(values));
        Cow::Owned(Self { now, next, next_log_ratio })
    }

    /// Room for `rows` transitions in all.
    pub(crate) fn resize(&mut self, rows: usize, width: usize) {
        self.now.resize(rows * width, 0.0);
        self.next.resize(rows * width, 0.0);
        self.next_log_ratio.resize(rows, 0.0);
    }
}

/// An opponent model, as the component that predicts one opponent of one agent in all seeds of a lane. Observations are
/// the agent's own, `[rows, width]`; the framework's systems call these functions, each in its stage of the step.
pub trait OpponentModel: Component<Mutability = Mutable> + Checkpoint + Sized {
    /// What a run file can set.
    type Params: Params;

    /// Whether it is the opponent's true policy: the framework then asks the opponent's own algorithm, and the model for
    /// nothing.
    const READS_POLICY: bool = false;

    /// Whether it can predict `opponent` for `agent` in this game.
    ///
    /// # Errors
    /// What is wrong, by parameter where it is one's fault.
    fn check(params: &Self::Params, game: &GameSpec, agent: usize, opponent: usize) -> Result<(), Invalid>;

    /// The model before its first step. [`OpponentModel::check`] has passed.
    fn new(params: &Self::Params, seat: &ModelSeat) -> Self;

    /// Of how many of the latest transitions it learns what the opponent does.
    fn window(_params: &Self::Params) -> usize {
        0
    }

    /// Whether it needs the agent's own value of joint actions, see [`Algorithm::VALUES`](crate::algorithm::Algorithm::VALUES).
    fn reads_values(_params: &Self::Params) -> bool {
        false
    }

    /// Draws what the opponent does in this step, for the agent to act on.
    fn predict(&mut self, observation: &[f32], actions: &mut [f32]);

    /// Draws what the opponent does at `observation` of a batch, with the log-ratio to the prior where it is wanted
    /// ([`BatchPrediction::next_log_ratio`]).
    fn sample(&mut self, observation: &[f32], actions: &mut [f32], log_ratio: Option<&mut [f32]>);

    /// Writes the mean of what the opponent does at `observation`; in a discrete space the likeliest choice.
    fn mean(&mut self, observation: &[f32], actions: &mut [f32]);

    /// Writes how likely the model held what the opponent did: the logarithm of the probability, in a box of the density
    /// in units of the action. One number a row.
    fn log_likelihood(&mut self, observation: &[f32], actions: &[f32], out: &mut [f64]);

    /// Puts forward actions of the opponent to which it wants the agent's answers before it learns; `batch` transitions
    /// per seed, of which it takes the first so many.
    fn propose(&mut self, _observation: &[f32], _batch: usize, _proposals: &mut Proposals) {}

    /// Learns.
    ///
    /// # Errors
    /// What happened, by seed. (A panic is the end of the lane.)
    fn learn(&mut self, lesson: &ModelLesson) -> Result<(), Fault>;

    /// Figures about itself for the records: calls `put` with a name, the number of the seed in the lane and the value.
    fn metrics(&self, _put: &mut dyn FnMut(&'static str, usize, f64)) {}
}

/// Where an opponent model sits.
#[derive(Clone, Copy, Debug)]
pub struct ModelSeat<'a> {
    /// The agent's seat.
    pub agent: Seat<'a>,
    /// The player that is predicted.
    pub opponent: usize,
}

impl ModelSeat<'_> {
    /// The model's own streams for `purpose`, one per seed.
    pub fn streams(&self, purpose: &str) -> Vec<Stream> {
        self.agent.lane.streams(&format!("player {} on player {}", self.agent.player, self.opponent), purpose)
    }

    /// The space of the opponent's actions.
    pub fn action(&self) -> &Space {
        &self.agent.game.players[self.opponent].action
    }
}

/// What an opponent model learns from.
#[derive(Clone, Copy, Debug)]
pub struct ModelLesson<'a> {
    /// Joint transitions, drawn from all that is remembered: as many as the agent asked for.
    pub batch: &'a Batch,
    /// The latest transitions, oldest first: as many as the largest [`OpponentModel::window`] in the environment. While fewer
    /// are held, they come again and again.
    pub recent: &'a Batch,
    /// Whether policies learn too, or only what they are judged by (a warm-up).
    pub policies_learn: bool,
    /// What this model and those of the other opponents predicted for the batch, in the order of the players.
    pub predictions: &'a [&'a BatchPrediction],
    /// What this model proposed and how the agent answers.
    pub question: &'a Question,
    /// What the agent would do at the batch's next observations, given the predictions there; empty for a model that
    /// proposes nothing.
    pub next: &'a Answers,
}
