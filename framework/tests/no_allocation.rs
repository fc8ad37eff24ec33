//! Random play allocates nothing per step: neither the framework, nor the game, nor the algorithm. Every `malloc` of
//! the process is counted, so this is a test binary of its own with one test.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![expect(unsafe_code, reason = "counting calls of malloc means taking its place")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use equiflow::app::App;
use equiflow::loader::Plugins;
use equiflow::run::{Run, RunFile};
use equiflow::simulation::Simulation;

/// A `#[global_allocator]` here would not do: the standard library is shared and brings its own for the framework and
/// the plugins. All of them end in the C library's functions, in whose place these stand for the whole process.
static CALLS: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(align: usize, size: usize) -> *mut c_void;
}

fn count() {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    count();
    // SAFETY: what malloc itself calls, with what it was given.
    unsafe { __libc_malloc(size) }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(number: usize, size: usize) -> *mut c_void {
    count();
    // SAFETY: as above.
    unsafe { __libc_calloc(number, size) }
}

/// # Safety
/// As C has it.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(old: *mut c_void, size: usize) -> *mut c_void {
    count();
    // SAFETY: as above.
    unsafe { __libc_realloc(old, size) }
}

/// # Safety
/// As C has it.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> i32 {
    count();
    // SAFETY: as above; `out` is the caller's place for the result.
    unsafe { *out = __libc_memalign(align, size) };
    0
}

fn simulation(instances: usize) -> Simulation {
    let text = format!(
        "Run(name: \"x\", seeds: 2, episodes: 1000, steps: 1000, instances: {instances}, lane_width: 2, \
         game: max_of_two(), entries: [random()])"
    );
    let mut app = App::new(1);
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_equiflow")).parent().unwrap();
    let mut plugins = Plugins::discover(&[folder.to_owned()]);
    let run = Run::resolve(&RunFile::parse("test", text).unwrap(), &mut app, &mut plugins);
    Simulation::new(app, run.unwrap_or_else(|mistakes| panic!("{mistakes:?}; run `cargo equiflow test`")))
}

#[test]
fn a_step_of_random_play_allocates_nothing() {
    let mut simulation = simulation(64);
    simulation.advance_by(100);
    let before = CALLS.load(Ordering::Relaxed);
    simulation.advance_by(500);
    let during = CALLS.load(Ordering::Relaxed) - before;
    assert_eq!(during, 0, "500 steps have called the allocator {during} times");

    // The counter sees what the framework's library allocates: this gives a new vector.
    assert_eq!(simulation.busy_seconds().len(), 1);
    assert!(CALLS.load(Ordering::Relaxed) > before, "the counter does not count");
}
