//! The threads that worlds, or the agents of one world, are spread over, and the fence that keeps a panic in one lane from
//! reaching the others.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Instant;

use bevy_ecs::prelude::*;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::environment::Busy;
use crate::profile;

/// Runs the same work on many worlds or entities, spread over a fixed number of threads. Results never depend on how many:
/// the work on one touches that one only.
#[derive(Resource, Clone)]
pub struct Workers {
    /// `None` when the calling thread is the only one.
    pool: Option<Arc<ThreadPool>>,
}

/// How long the work of a system takes. What is done sooner than another thread could take it over stays on one.
#[derive(Debug)]
pub struct Pace {
    /// Of all items together, averaged over the last calls: nanoseconds.
    nanoseconds: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { nanoseconds: Self::LIGHT }
    }
}

impl Pace {
    /// Below so many nanoseconds, sharing costs more than it gains.
    const LIGHT: f64 = 4_000.0;
    /// As much counts as any more, so that one call that was interrupted is soon forgotten.
    const MOST: f64 = 256_000.0;
    /// A call below this did nothing, such as an update of learners that wait while others learn.
    const IDLE: f64 = 1_000.0;

    fn is_light(&self) -> bool {
        self.nanoseconds < Self::LIGHT
    }

    /// A call counts for a tenth, one that did nothing for a hundredth: who learns every hundredth step still shares it.
    fn measure(&mut self, nanoseconds: f64) {
        let weight = if nanoseconds < Self::IDLE { 0.01 } else { 0.1 };
        self.nanoseconds += weight * (nanoseconds.min(Self::MOST) - self.nanoseconds);
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
    /// [`Workers::for_each`] and [`Workers::each`] has to wake them first.
    pub fn host<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Calls `work` on every item, one task per item, however short.
    pub fn each<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Send + Sync) {
        match &self.pool {
            Some(pool) if items.len() > 1 => pool.install(|| items.par_iter_mut().with_max_len(1).for_each(work)),
            _ => items.iter_mut().for_each(work),
        }
    }

    /// Calls `work` on every item, on several threads if there are some and it is worth it. On one thread nothing is
    /// allocated; a single item is not handed to another.
    pub fn for_each<I: Iterator<Item: Send>>(&self, pace: &mut Pace, items: I, work: impl Fn(I::Item) + Sync) {
        let Some(pool) = self.pool.as_deref().filter(|_| !pace.is_light()) else {
            let start = self.pool.as_ref().map(|_| Instant::now());
            // One copy of the loop: `Iterator::for_each` of a query is compiled three times, once per way to store components.
            for item in items {
                work(item);
            }
            if let Some(start) = start {
                pace.measure(nanoseconds(start) as f64);
            }
            return;
        };
        let items: Vec<_> = items.map(|item| Mutex::new(Some(item))).collect();
        let taken = spread(pool, items.len(), &|index| {
            // A task per item takes it out, so that no lock is ever waited for.
            if let Some(item) = items[index].lock().ok().and_then(|mut item| item.take()) {
                work(item);
            }
        });
        pace.measure(taken as f64);
    }
}

/// Calls `work` with every number below `count`, one task each, and returns the nanoseconds that all took together.
///
/// It knows no types of items: every system of every plugin would be compiled with a copy of rayon of its own otherwise.
fn spread(pool: &ThreadPool, count: usize, work: &(dyn Fn(usize) + Sync)) -> u64 {
    let (sum, products) = (AtomicU64::new(0), AtomicU64::new(0));
    let timed = |index| {
        let (start, before) = (Instant::now(), profile::products());
        work(index);
        sum.fetch_add(nanoseconds(start), Ordering::Relaxed);
        products.fetch_add(profile::take_products(before), Ordering::Relaxed);
    };
    match count {
        0 | 1 => (0..count).for_each(timed),
        _ => pool.install(|| (0..count).into_par_iter().with_max_len(1).for_each(timed)),
    }
    profile::add_products(products.into_inner());
    sum.into_inner()
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
    let (mut work, mut result) = (Some(work), None);
    catch(&mut || result = work.take().map(|work| work()))?;
    Ok(result.expect("work that did not panic came to its end"))
}

/// [`fence`] for work of whatever type, compiled once.
fn catch(work: &mut dyn FnMut()) -> Result<(), String> {
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
            let workers = Workers::new(threads);
            let visit = |mut pace: Pace| {
                let counts: Vec<_> = (0..items).map(|_| AtomicUsize::new(0)).collect();
                workers.for_each(&mut pace, counts.iter(), |count| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
                let once = counts.iter().all(|count| count.load(Ordering::Relaxed) == 1);
                assert!(once, "{threads} threads, {items} items, {pace:?}");
            };
            for nanoseconds in [0.0, 1e9] {
                visit(Pace { nanoseconds });
                workers.host(|| visit(Pace { nanoseconds }));
            }
        }
    }

    #[test]
    fn a_panic_of_an_item_reaches_the_caller() {
        let workers = Workers::new(2);
        let call = || workers.for_each(&mut Pace::default(), 0..10, |item| assert!(item != 7, "item {item}"));
        let message = fence(|| workers.host(call)).unwrap_err();
        assert!(message.starts_with("panicked"), "{message}");
        workers.for_each(&mut Pace::default(), 0..10, |_| ());
    }

    #[test]
    fn what_is_done_soon_stays_on_one_thread() {
        let after = |calls: &[f64]| {
            let mut pace = Pace::default();
            calls.iter().for_each(|nanoseconds| pace.measure(*nanoseconds));
            pace
        };
        assert!(after(&[500.0]).is_light());
        assert!(!after(&[1e6]).is_light());
        // Interrupted once, and some calls later.
        assert!(after(&[&[2_000.0; 5][..], &[1e8], &[2_000.0; 40]].concat()).is_light());
        // Learning every hundredth step.
        let rarely = [&[1e6][..], &[200.0; 99]].concat();
        assert!(!after(&[&rarely[..], &rarely].concat()).is_light());
        assert!(after(&[200.0; 500]).is_light());
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
