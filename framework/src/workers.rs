//! The threads that lanes are spread over, and the fence that keeps a panic in one lane from reaching the others.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Instant;

use bevy_ecs::prelude::*;
use bevy_tasks::{TaskPool, TaskPoolBuilder};

use crate::environment::Busy;

/// Runs the same work on many entities, spread over a fixed number of threads. Results never depend on how many: each
/// entity's work touches that entity only.
#[derive(Resource)]
pub struct Workers {
    /// All threads but the calling one; `None` when there is only that one.
    pool: Option<TaskPool>,
}

impl Workers {
    /// Workers on `threads` threads, the calling one among them.
    pub fn new(threads: usize) -> Self {
        let pool = (threads > 1)
            .then(|| TaskPoolBuilder::new().num_threads(threads - 1).thread_name("equiflow worker".to_owned()).build());
        Self { pool }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.thread_num() + 1)
    }

    /// Calls `work` on every item. On one thread nothing is allocated; a single item is not handed to another.
    pub fn for_each<I: Iterator<Item: Send>>(&self, mut items: I, work: impl Fn(I::Item) + Sync) {
        let Some(pool) = &self.pool else { return items.for_each(work) };
        let Some(first) = items.next() else { return };
        let Some(second) = items.next() else { return work(first) };
        let work = &work;
        let all = [first, second].into_iter().chain(items);
        pool.scope(|scope| all.for_each(|item| scope.spawn(async move { work(item) })));
    }
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_item_is_visited_once_on_any_number_of_threads() {
        for (threads, items) in [1, 2, 5].into_iter().flat_map(|threads| [0, 1, 2, 100].map(|items| (threads, items))) {
            let counts: Vec<_> = (0..items).map(|_| AtomicUsize::new(0)).collect();
            Workers::new(threads).for_each(counts.iter(), |count| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{threads} threads, {items} items");
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
