//! One libtorch thread for each lane.
//!
//! Parallelism belongs across lanes: two threads inside one small matrix product are slower than one, and on a shared
//! machine they spin. libtorch keeps the number of threads in thread-local state of OpenMP and MKL, so it is set once on
//! every thread that calls in.

use std::cell::Cell;

thread_local! {
    static PINNED: Cell<bool> = const { Cell::new(false) };
}

/// Limits libtorch to one intra-op thread on the calling thread. Costs a thread-local read after the first call.
///
/// Every entry of this crate calls it; code that uses [`Tensor`](crate::Tensor) directly on a new thread calls it first.
pub fn pin() {
    if !PINNED.get() {
        tch::set_num_threads(1);
        PINNED.set(true);
    }
}
