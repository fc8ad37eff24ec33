//! A deterministic policy as DDPG and its kin have it: a network squashed into the action box, its slowly following
//! target, and the exploration around it.

use equiflow::prelude::*;

use crate::action_box::ActionBox;
use crate::adam::AdamParams;
use crate::learner::Learner;
use crate::mlp::{LastLayer, Mlp};
use crate::noise::{Explorer, Noise};
use crate::pass::Pass;
use crate::real::Real;
use crate::schedule::Schedule;

/// How a learner plays before it learns. What these first data cover decides much of what is learned from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum WarmupPlay {
    /// Its initial policy with its exploration noise.
    #[default]
    Policy,
    /// Uniformly over its actions.
    Uniform,
}

/// What an [`Actor`] is made of.
#[derive(Clone, Debug)]
pub struct ActorParams<'a> {
    /// Width of each hidden layer.
    pub hidden: &'a [usize],
    /// How the last layer starts.
    pub last: LastLayer,
    /// The optimiser.
    pub adam: AdamParams,
    /// Exploration.
    pub noise: Noise,
    /// What the noise is multiplied by.
    pub noise_factor: &'a Schedule,
    /// Environment steps before it learns.
    pub warmup: u64,
    /// How it plays in them.
    pub warmup_play: WarmupPlay,
    /// Of a [`ChoiceActor`](crate::choice_actor::ChoiceActor): penalty on the mean of the squared logits.
    pub regulariser: f64,
}

/// A deterministic policy with its target network and its exploration, for all seeds of a lane.
#[derive(Debug)]
pub struct Actor<T = f32> {
    /// The policy's network and optimiser.
    pub online: Learner<T>,
    /// The network that follows it.
    pub target: Mlp<T>,
    /// From network outputs to actions.
    pub bounds: ActionBox<T>,
    /// Of playing, apart from that of learning.
    pass: Pass<T>,
    space: Space,
    explorer: Explorer,
    noise_factor: Schedule,
    /// Steps of uniform play.
    uniform_until: u64,
    /// One per seed.
    streams: Vec<Stream>,
}

impl<T: Real> Actor<T> {
    /// The actor of a seat whose actions lie in a bounded box.
    ///
    /// # Panics
    ///
    /// If they do not; see [`check_box`].
    pub fn new(seat: &Seat, params: &ActorParams) -> Self {
        let Space::Box { low, high } = seat.action() else {
            panic!("the actions of a deterministic actor lie in a box")
        };
        let mut sizes = vec![seat.observation().width()];
        sizes.extend(params.hidden);
        sizes.push(low.len());
        let net = Mlp::new(&sizes, params.last, &mut seat.streams("actor weights"));
        Self {
            target: net.twin(),
            online: Learner::new(net, params.adam),
            bounds: ActionBox::new(low, high),
            pass: Pass::default(),
            space: seat.action().clone(),
            explorer: Explorer::new(params.noise, low, high, seat.lane.rows()),
            noise_factor: params.noise_factor.clone(),
            uniform_until: if params.warmup_play == WarmupPlay::Uniform { params.warmup } else { 0 },
            streams: seat.streams("exploration"),
        }
    }

    /// The policy without noise: observations `[S, B, O]` to actions `[S, B, A]`, any `B`.
    pub fn mean_action(&mut self, observation: &[T], action: &mut [T]) {
        self.bounds.squash(self.online.net.predict(observation, &mut self.pass), action);
    }

    /// The target policy: observations `[S, B, O]` to actions `[S, B, A]`, any `B`.
    pub fn target_action(&mut self, observation: &[T], action: &mut [T]) {
        self.bounds.squash(self.target.predict(observation, &mut self.pass), action);
    }
}

impl Actor {
    /// Actions of a step in which it explores: the policy with noise, clipped to the box; uniform in a warm-up that asks
    /// for it. Rows `[S * instances, A]`.
    pub fn explore(&mut self, turn: &Turn, action: &mut [f32]) {
        let uniform = turn.step < self.uniform_until;
        if !uniform {
            self.mean_action(turn.observation, action);
        }
        let (width, per_seed) = (self.bounds.dims(), action.len() / self.streams.len());
        let factor = self.noise_factor.at(turn.step) as f32;
        for (row, (action, fresh)) in action.chunks_exact_mut(width).zip(turn.fresh).enumerate() {
            let stream = &mut self.streams[row / (per_seed / width)];
            if *fresh {
                self.explorer.reset(row);
            }
            if uniform {
                self.space.sample(stream, action);
            } else {
                self.explorer.perturb(row, factor, stream, action);
            }
        }
    }
}

impl<T: Real> Checkpoint for Actor<T> {
    fn save(&self, to: &mut Snapshot) {
        to.nest_of("online", &self.online);
        to.nest_of("target", &self.target);
        to.nest_of("noise", &self.explorer);
        to.put("streams", &self.streams);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.online.restore(&from.nested("online"))?;
        self.target.restore(&from.nested("target"))?;
        self.explorer.restore(&from.nested("noise"))?;
        self.streams = from.get("streams")?;
        Ok(())
    }
}

/// Whether a player's actions lie in a bounded box, which a deterministic actor needs.
///
/// # Errors
///
/// What they lie in instead.
pub fn check_box(game: &GameSpec, player: usize) -> Result<(), Invalid> {
    let space = &game.players[player].action;
    match space {
        Space::Box { low, high } if low.iter().zip(high).all(|(low, high)| low.is_finite() && high.is_finite()) => {
            Ok(())
        }
        _ => Err(Invalid {
            field: None,
            what: format!("its actions are {space}; expected a bounded box of real numbers"),
        }),
    }
}

/// Whether a parameter that has to be above 0 is.
///
/// # Errors
///
/// What it is instead.
pub fn check_positive(field: &'static str, value: f64) -> Result<(), Invalid> {
    check_range(field, value, value > 0.0 && value.is_finite(), "a number above 0")
}

/// Whether what learners from a memory of transitions have in common is in its range.
///
/// # Errors
///
/// The first that is not.
pub fn check_learner(
    hidden: &[usize],
    (discount, target_rate): (f64, f64),
    (batch, buffer, learn_every): (usize, usize, u64),
) -> Result<(), Invalid> {
    check_hidden(hidden)?;
    check_share("discount", discount)?;
    check_share("target_rate", target_rate)?;
    check_count("batch", batch)?;
    check_range("buffer", buffer, buffer > 0, "at least 1")?;
    check_range("learn_every", learn_every, learn_every > 0, "at least 1")
}

/// Whether the widths of hidden layers are such that a network fits in memory.
///
/// # Errors
///
/// What they are instead.
pub fn check_hidden(hidden: &[usize]) -> Result<(), Invalid> {
    let fits = hidden.iter().all(|width| (1..=10_000).contains(width));
    check_range("hidden", format!("{hidden:?}"), fits, "widths of 1 to 10000")
}

/// Whether a number of rows, samples or the like is such that as many fit in memory.
///
/// # Errors
///
/// What it is instead.
pub fn check_count(field: &'static str, value: usize) -> Result<(), Invalid> {
    check_range(field, value, (1..=1_000_000).contains(&value), "1 to 1000000")
}

/// Whether a number is at least 0 and at most 1.
///
/// # Errors
///
/// What it is instead.
pub fn check_share(field: &'static str, value: f64) -> Result<(), Invalid> {
    check_range(field, value, (0.0..=1.0).contains(&value), "0 to 1")
}

/// Whether the strength of a penalty is a number of at least 0.
///
/// # Errors
///
/// What it is instead.
pub fn check_penalty(field: &'static str, value: f64) -> Result<(), Invalid> {
    check_range(field, value, value >= 0.0 && value.is_finite(), "a number of at least 0")
}

/// Whether a parameter is in its range.
///
/// # Errors
///
/// What it is instead, and what is expected.
pub fn check_range(
    field: &'static str,
    value: impl std::fmt::Display,
    fits: bool,
    expected: &str,
) -> Result<(), Invalid> {
    if fits { Ok(()) } else { Err(Invalid::new(field, format!("{value} is out of range; expected {expected}"))) }
}
