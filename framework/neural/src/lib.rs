//! Everything of Equiflow that touches libtorch: the networks of the learners, their optimiser, their losses.
//!
//! A *lane* is a small group of seeds advanced together. Every parameter tensor, observation and batch carries the seed
//! as its leading axis (`S`), and nothing in this crate mixes seeds: initialisation and noise come from one random
//! stream per seed, gradient clipping, Adam and the report of non-finite gradients are per seed.
//!
//! # Layout
//!
//! In reading order:
//!
//! * [`mlp`]: a multi-layer perceptron whose parameters are one flat tensor `[S, P]`.
//! * [`pass`]: the forward and backward pass by hand.
//! * [`real`]: `f32` and `f64`.
//! * [`adam`]: the optimiser over such a tensor.
//! * [`learner`]: a network with its optimiser; one gradient step at a time.
//! * [`losses`]: the TD target, the critic's and the deterministic actor's loss.
//! * [`action_box`]: from a network's output to an action within bounds.
//! * [`noise`]: exploration around a deterministic policy, in plain `f32`.
//! * [`head`], [`density`]: stochastic policies, tanh-Gaussian or categorical, and the network of one.
//! * [`input`]: inputs put together from several blocks, side by side.
//! * [`schedule`]: settings that change with the steps, such as what entropy is worth.
//! * [`actor`]: a network, its target and exploration: the deterministic policy of DDPG and its kin.
//! * [`choice_actor`]: the same where actions are choices; [`policy`]: either.
//! * [`convert`]: slices to tensors and back, tensors to snapshots and back.
//! * [`exclusive`], [`threads`]: tensors inside components; one libtorch thread per lane.
//! * [`testing`]: fixtures of PyTorch's numbers.
//!
//! # Determinism
//!
//! The same inputs give the same bits, in every run and on every thread of one machine and build. What goes by hand over
//! slices goes seed by seed: a seed gives the same bits whatever seeds run beside it, however wide the lane is. (On the
//! ways through autograd libtorch's batched products round differently in lanes of different widths.) Processors with
//! other vector instructions (AVX-512, AVX2, neither) round differently: sums go in another order there.
//!
//! # Errors
//!
//! A tensor of the wrong shape or kind is a mistake in the caller's code and panics with libtorch's text: the framework
//! catches the panic of a lane, marks the lane as failed and goes on with the others. Numbers that run away (NaN,
//! infinity) never panic; they are in the [`Step`] that every learning step returns. Reading a checkpoint returns
//! `Result`.
//!
//! # What is deliberately absent
//!
//! No generator of libtorch is used, because it is global to the process. No entity, component or schedule: those belong
//! to the framework and to the plugins.

pub mod mlp;

pub mod pass;

mod kernel;

pub mod real;

pub mod adam;

pub mod learner;

pub mod losses;

pub mod action_box;

pub mod noise;

pub mod head;

pub mod density;

pub mod input;

pub mod schedule;

pub mod actor;

pub mod choice_actor;

pub mod policy;

pub mod convert;

pub mod exclusive;

pub mod threads;

pub mod testing;

pub use action_box::ActionBox;
pub use actor::{
    Actor, ActorParams, WarmupPlay, check_box, check_count, check_hidden, check_learner, check_penalty, check_positive,
    check_range, check_share,
};
pub use adam::{Adam, AdamParams};
pub use choice_actor::ChoiceActor;
pub use convert::{join, numbers, tensor};
pub use density::{Density, regularise};
pub use exclusive::Exclusive;
pub use head::{Head, check_sampled};
pub use input::{Block, seed_rows, side_by_side, told};
pub use kernel::elementwise::{exp, tanh};
pub use learner::{Learner, Step};
pub use losses::{PerSeed, mse, policy_loss, td_target};
pub use mlp::{Follower, LastLayer, Mlp};
pub use noise::{Explorer, Noise};
pub use pass::Pass;
pub use policy::Policy;
pub use real::Real;
pub use schedule::Schedule;
pub use tch::{Kind, Tensor};
pub use threads::pin;
