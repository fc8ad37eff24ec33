//! Number crunching below libtorch's operators, the one place of this crate with `unsafe`.
//!
//! * [`memory`]: a tensor's memory as a slice.
//! * [`dispatch`]: the choice of the processor's instructions, at run time; [`vector`] and [`x86`]: what is chosen from.
//! * [`rows`]: the layout in which networks compute.
//! * [`affine`]: a layer forward and back; [`outer`]: the gradient with respect to its weight; [`tile`]: what both sum up.
//! * [`elementwise`]: loops over flat numbers.
//! * [`yardstick`]: how fast products are at best.
//!
//! Everything between a dispatch and the vectors is `#[inline(always)]`: a function of its own would be compiled for any
//! processor, without the instructions that were chosen.

pub(crate) mod affine;
pub(crate) mod dispatch;
pub(crate) mod elementwise;
mod memory;
pub(crate) mod outer;
pub(crate) mod rows;
mod tile;
pub(crate) mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;
mod yardstick;

pub use dispatch::Kernels;
pub(crate) use dispatch::Work;
pub(crate) use memory::Flat;
pub(crate) use rows::{Rows, WORD};
pub(crate) use vector::Vector;
pub(crate) use yardstick::yardstick;
