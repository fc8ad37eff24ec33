//! The threads that lanes are spread over, and the fence that keeps a panic in one lane from reaching the others.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Instant;

use bevy_ecs::prelude::*;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::environment::Busy;

/// Runs the same work on many entities, spread over a fixed number of threads. Results never depend on how many: each
/// entity's work touches that entity only.
#[derive(Resource, Clone)]
pub struct Workers {
    /// `None` when the calling thread is the only one.
    pool: Option<Arc<ThreadPool>>,
}

/// How long the work of a system takes. What is done sooner than another thread could take it over stays on one.
#[derive(Debug, Default)]
pub struct Pace {
    /// Of all items together, averaged over the last calls: nanoseconds.
    nanoseconds: f64,
}

impl Pace {
    /// Below so many nanoseconds, sharing costs more than it gains.
    const LIGHT: f64 = 4_000.0;
    /// Share of a call in the average. One that was interrupted, or learned nothing in its step, decides nothing.
    const NEW: f64 = 0.1;

    fn is_light(&self) -> bool {
        self.nanoseconds < Self::LIGHT
    }

    fn measure(&mut self, nanoseconds: f64) {
        self.nanoseconds += Self::NEW * (nanoseconds - self.nanoseconds);
    }
}

impl Workers {
    /// Workers on `threads` threads.
    ///
    /// # Panics
    /// If the system gives no threads.
    pub fn new(threads: usize) -> Self {
        let builder = || ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("equiflow worker {i}"));
        let pool = (threads > 1).then(|| Arc::new(builder().build().expect("the system gives threads")));
        Self { pool }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Runs a loop on one of the threads. Within it work is handed over while the others are still awake; elsewhere each
    /// [`Workers::for_each`] has to wake them first.
    pub fn host<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Calls `work` on every item, on several threads if there are some and it is worth it. On one thread nothing is
    /// allocated.
    pub fn for_each<I: Iterator<Item: Send>>(&self, pace: &mut Pace, items: I, work: impl Fn(I::Item) + Sync) {
        let Some(pool) = &self.pool else { return items.for_each(work) };
        let start = Instant::now();
        if pace.is_light() {
            items.for_each(work);
            return pace.measure(nanoseconds(start) as f64);
        }
        let items: Vec<_> = items.collect();
        let sum = AtomicU64::new(0);
        let timed = |item| {
            let start = Instant::now();
            work(item);
            sum.fetch_add(nanoseconds(start), Ordering::Relaxed);
        };
        pool.install(|| items.into_par_iter().with_max_len(1).for_each(timed));
        pace.measure(sum.into_inner() as f64);
    }
}

fn nanoseconds(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}

thread_local! {
    /// The message of the last fenced panic of this thread; `Some` from the fence's start on.
    static FENCED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`, adds the time that it took to `busy`, and turns a panic into its message with file and line.
///
/// # Errors
/// What `work` returned or panicked with.
pub fn fenced<T>(busy: &mut Busy, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let start = Instant::now();
    let result = fence(work).and_then(|result| result);
    busy.0 += start.elapsed().as_secs_f64();
    result
}

/// Runs `work` and turns a panic into its message with file and line; nothing is printed.
///
/// # Errors
/// The panic's message.
pub fn fence<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let outside = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let message = panic.payload_as_str().unwrap_or("a panic without a message");
            let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
            let fenced = FENCED.with(|fenced| match &mut *fenced.borrow_mut() {
                Some(text) => {
                    *text = format!("{message}{place}");
                    true
                }
                None => false,
            });
            if !fenced {
                outside(panic);
            }
        }));
    });
    let before = FENCED.replace(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(work));
    let message = FENCED.replace(before);
    result.map_err(|_| format!("panicked: {}", message.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_item_is_visited_once_on_any_number_of_threads() {
        for (threads, items) in [1, 2, 5].into_iter().flat_map(|threads| [0, 1, 2, 100].map(|items| (threads, items))) {
            for mut pace in [Pace::default(), Pace { nanoseconds: 1e9 }] {
                let counts: Vec<_> = (0..items).map(|_| AtomicUsize::new(0)).collect();
                Workers::new(threads).for_each(&mut pace, counts.iter(), |count| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
                let once = counts.iter().all(|count| count.load(Ordering::Relaxed) == 1);
                assert!(once, "{threads} threads, {items} items, {pace:?}");
            }
        }
    }

    #[test]
    fn a_panic_becomes_its_message() {
        let mut busy = Busy::default();
        let message = fenced::<()>(&mut busy, || panic!("no {}", "money")).unwrap_err();
        assert!(message.starts_with("panicked: no money ("), "{message}");
        assert!(message.contains("workers.rs:"), "{message}");
        assert_eq!(fenced(&mut busy, || Ok(3)), Ok(3));
        assert!(busy.0 > 0.0);
    }
}
