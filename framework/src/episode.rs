//! An evaluation episode as it was played. What is made of it (best responses, figures) is in [`nash`](crate::nash).

use smallvec::SmallVec;

use crate::game::{Game, Joint};
use crate::stream::Stream;

/// One episode: where it started and what everybody did in each of its steps.
#[derive(Debug)]
pub struct Episode<'a, G: Game> {
    /// The state in which it started.
    pub start: &'a G::State,
    /// The game's random numbers as they stood after the reset: a clone of it gives every step the same chance again.
    pub rng: &'a Stream,
    /// Per player its actions, and how many numbers each has.
    actions: SmallVec<[(&'a [f32], usize); 8]>,
    /// The row of the first step's actions.
    first: usize,
    /// Rows from one step to the next.
    stride: usize,
    steps: usize,
}

impl<'a, G: Game> Episode<'a, G> {
    /// An episode of `steps` steps. `actions` gives per player its actions, [steps, width] with the width beside it.
    pub fn new(
        start: &'a G::State,
        rng: &'a Stream,
        actions: impl IntoIterator<Item = (&'a [f32], usize)>,
        steps: usize,
    ) -> Self {
        Self::among(start, rng, actions, 0, 1, steps)
    }

    /// The same, where the actions of a step are those of `stride` episodes, this one's in row `first`.
    pub(crate) fn among(
        start: &'a G::State,
        rng: &'a Stream,
        actions: impl IntoIterator<Item = (&'a [f32], usize)>,
        first: usize,
        stride: usize,
        steps: usize,
    ) -> Self {
        Self { start, rng, actions: actions.into_iter().collect(), first, stride, steps }
    }

    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The joint action of a step.
    pub fn joint(&self, step: usize) -> Joint<'_> {
        Joint::new(&self.actions, self.first + step * self.stride)
    }

    /// The joint actions, step by step.
    pub fn joints(&self) -> impl Iterator<Item = Joint<'_>> {
        (0..self.steps).map(|step| self.joint(step))
    }

    /// The mean over the steps of what `value` makes of the joint action: the return of a repeated game from the payoff
    /// of its stage.
    pub fn per_step(&self, value: impl FnMut(Joint) -> f64) -> f64 {
        self.joints().map(value).sum::<f64>() / self.steps as f64
    }
}
