//! What an algorithm is: a component that plays one player of an environment in all seeds of a lane, and learns.

use std::sync::Arc;

use bevy_ecs::component::{Component, Mutable};

use crate::checkpoint::Checkpoint;
use crate::environment::Lane;
use crate::game::{GameSpec, Space};
use crate::opponent::{Answers, BatchPrediction, Inquiry};
use crate::params::{Choice, Invalid, Params};
use crate::replay::Batch;
use crate::stream::Stream;
use crate::theory::TabularGame;

/// An algorithm, as the component that plays one player. The framework's systems call these functions, each in its
/// stage of the step; buffers are plain f32 rows, the rows of a seed side by side.
///
/// An algorithm that needs more than this adds systems of its own, see [`App::systems`](crate::app::App::systems).
pub trait Algorithm: Component<Mutability = Mutable> + Checkpoint + Sized {
    /// What a run file can set.
    type Params: Params;

    /// Whether it can play `player` of this game with these parameters.
    ///
    /// # Errors
    /// What is wrong, by parameter where it is one's fault.
    fn check(params: &Self::Params, game: &GameSpec, player: usize) -> Result<(), Invalid>;

    /// Whether it plays finite games only, whose tables it reads: [`Seat::tables`].
    const TABULAR: bool = false;

    /// Whether it can play `player` of a finite game with these parameters.
    ///
    /// # Errors
    /// What is wrong, by parameter where it is one's fault.
    fn check_tables(_params: &Self::Params, _game: &TabularGame, _player: usize) -> Result<(), Invalid> {
        Ok(())
    }

    /// The agent before its first step. [`Algorithm::check`] has passed.
    fn new(params: &Self::Params, seat: &Seat) -> Self;

    /// What it wants remembered; `None` when it learns nothing.
    fn memory(_params: &Self::Params) -> Option<Memory> {
        None
    }

    /// Chooses the actions of a step in which it explores: [rows, width of the action].
    fn act(&mut self, turn: &Turn, action: &mut [f32]);

    /// Writes the mean actions of its present policy: what evaluation plays. Rows as in `observation`, which holds the
    /// same number of rows per seed. `predictions` are what its opponent models predict there, in the order of the
    /// players, each [rows, width]; none without opponent models.
    fn mean_action(&mut self, observation: &[f32], predictions: &[&[f32]], action: &mut [f32]);

    /// Writes what its slowly moving target policy does at `observation` [seeds, batch, width]; another player's
    /// centralised critic asks. Without a target policy: the mean action.
    fn target_action(&mut self, observation: &[f32], predictions: &[&[f32]], action: &mut [f32]) {
        self.mean_action(observation, predictions, action);
    }

    /// Draws from its present policy without further exploration, for opponent models that read it. Of a deterministic
    /// policy: the mean action.
    fn sample_policy(&mut self, observation: &[f32], predictions: &[&[f32]], action: &mut [f32]) {
        self.mean_action(observation, predictions, action);
    }

    /// How many transitions it wants to learn from after this environment step, counted from 1; 0 for none.
    fn batch_at(&self, _step: u64) -> usize {
        0
    }

    /// Learns from a batch of the size that it asked for.
    ///
    /// # Errors
    /// What happened, by seed. (A panic is the end of the lane.)
    fn learn(&mut self, _lesson: &Lesson) -> Result<(), Fault> {
        Ok(())
    }

    /// The policies that it plays in every state of a finite game, by seed: [seeds, states, actions], as its place in a
    /// profile. Others may read them, and they are judged exactly; `None` when it has no such table.
    fn policies(&self) -> Option<&[f64]> {
        None
    }

    /// The kind of model that it wants of each opponent, with its parameters. The parameter has to be named
    /// `opponent_model`.
    fn opponent_model(_params: &Self::Params) -> Option<&Choice> {
        None
    }

    /// Whether [`Algorithm::value`] can say what joint actions are worth to the agent.
    const VALUES: bool = false;

    /// Says what its policy would do, to its opponent models: of a discrete space all actions with their probabilities,
    /// of a box a sample. `answers` comes with room for one action per row.
    fn answer(&mut self, inquiry: &Inquiry, answers: &mut Answers) {
        self.sample_policy(inquiry.observation, inquiry.shown, &mut answers.actions);
    }

    /// Adds to `answers` what each of its actions is worth to the agent where it sees `observation` [seeds, rows, width]
    /// and `opponents` act, in the order of the players: [seeds, rows, width].
    fn value(&mut self, _observation: &[f32], _opponents: &[&[f32]], _answers: &mut Answers) {}

    /// Whether policies learn after this step, counted from 1, or only what they are judged by (a warm-up).
    fn policies_learn(&self, _step: u64) -> bool {
        true
    }

    /// Figures about itself for the records, such as losses: calls `put` with a name, the number of the seed in the
    /// lane and the value. A [`CYCLE_PERIOD`](crate::record::CYCLE_PERIOD) above 0 is said at the end of the run.
    fn metrics(&self, _put: &mut dyn FnMut(&'static str, usize, f64)) {}
}

/// What a learner wants remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Transitions per seed. The players of an environment share a memory, which holds as many as the one that wants most.
    pub capacity: usize,
    /// Whether it reads the other players' target actions, as a centralised critic does.
    pub reads_others: bool,
}

/// Where an agent sits.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a> {
    /// The seeds.
    pub lane: &'a Lane,
    /// The game.
    pub game: &'a GameSpec,
    /// Which player it is.
    pub player: usize,
    /// The game's tables, where some player's algorithm is [`Algorithm::TABULAR`].
    pub tables: Option<&'a Arc<TabularGame>>,
}

impl Seat<'_> {
    /// The agent's own streams for `purpose`, one per seed.
    pub fn streams(&self, purpose: &str) -> Vec<Stream> {
        self.lane.streams(&format!("player {}", self.player), purpose)
    }

    /// The space of its actions.
    pub fn action(&self) -> &Space {
        &self.game.players[self.player].action
    }

    /// The space of its observations.
    pub fn observation(&self) -> &Space {
        &self.game.players[self.player].observation
    }
}

/// What an agent needs to choose its actions.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// What it sees: [rows, width].
    pub observation: &'a [f32],
    /// Which rows stand at the start of an episode.
    pub fresh: &'a [bool],
    /// Environment steps done before this one.
    pub step: u64,
    /// What each opponent is predicted to do, in the order of the players: [rows, width]. Empty without opponent models.
    pub predictions: &'a [&'a [f32]],
}

/// What an agent learns from.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// Environment steps done.
    pub step: u64,
    /// Joint transitions.
    pub batch: &'a Batch,
    /// Per player, what its target policy does at the batch's next observations: [seeds, batch, width]. Empty unless
    /// some player of the environment has [`Memory::reads_others`].
    pub target_actions: &'a [&'a [f32]],
    /// Per player, the policies that it plays in every state: see [`Algorithm::policies`]. Empty where it has none.
    pub policies: &'a [&'a [f64]],
    /// What its opponent models predicted in the batch, in the order of the players. Empty without opponent models.
    pub predictions: &'a [&'a BatchPrediction],
}

/// What went wrong in an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The numbers in the lane of the seeds that are lost, and what happened to each.
    pub seeds: Vec<(usize, String)>,
}

impl Fault {
    /// The faults of some seeds, if there are any.
    ///
    /// # Errors
    /// These.
    pub fn of(seeds: Vec<(usize, String)>) -> Result<(), Self> {
        if seeds.is_empty() { Ok(()) } else { Err(Self { seeds }) }
    }
}
