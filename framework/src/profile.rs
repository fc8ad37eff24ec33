//! Where the time of a run goes: what each stage of the step takes, and how fast the networks are multiplied.
//!
//! Off, nothing is measured: the systems that take the times are not in the schedule, and [`count_products`] looks at one
//! flag. On, they touch nothing but clocks and counters, so the numbers of the run stay the same.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::schedule::{LearnSystems, Step, StepSystems};
use crate::workers::Workers;

static ON: AtomicBool = AtomicBool::new(false);
static YARDSTICK: OnceLock<fn() -> f64> = OnceLock::new();

thread_local! {
    static PRODUCTS: Cell<u64> = const { Cell::new(0) };
}

/// Counts floating-point operations of matrix products (two for a multiplication with its addition; none for what is left
/// out) while a run is profiled. `yardstick` measures how many a second one core does at best.
#[inline]
pub fn count_products(operations: u64, yardstick: fn() -> f64) {
    if ON.load(Ordering::Relaxed) {
        add_products(operations);
        let _ = YARDSTICK.set(yardstick);
    }
}

/// Operations counted on this thread.
pub(crate) fn products() -> u64 {
    PRODUCTS.get()
}

/// Adds operations to this thread's count.
pub(crate) fn add_products(operations: u64) {
    PRODUCTS.set(PRODUCTS.get() + operations);
}

/// Takes back what this thread has counted since `before`, for another one to count.
pub(crate) fn take_products(before: u64) -> u64 {
    PRODUCTS.replace(before) - before
}

/// Where the time of a run went; in the manifest and in the summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Threads within each world: 1 where the lanes were dealt out to several worlds.
    pub threads: usize,
    /// In the order of a step, summed over the worlds; the parts of learning stand for the whole of it. Last writing the
    /// records, while all worlds wait.
    pub stages: Vec<StageProfile>,
    /// Floating-point operations a second that one core does at best, measured when the run had ended; `None` where no
    /// network took part.
    pub best_per_second: Option<f64>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageProfile {
    /// Its name.
    pub name: String,
    /// Seconds that passed in it, summed over the worlds.
    pub seconds: f64,
    /// Floating-point operations of its matrix products, but those with zero that were left out.
    pub operations: f64,
}

impl Profile {
    /// Seconds of all stages.
    pub fn seconds(&self) -> f64 {
        self.stages.iter().map(|stage| stage.seconds).sum()
    }

    /// A row per stage that took any time: its name, seconds, share of the time, and the operations a second that its
    /// products reached. A sentence about the latter follows from [`Profile::sentence`].
    pub fn rows(&self) -> Vec<[String; 4]> {
        let all = self.seconds();
        let stages = self.stages.iter().filter(|stage| stage.seconds > 0.0);
        let row = |stage: &StageProfile| {
            let rate = stage.operations / stage.seconds / 1e9;
            [
                stage.name.clone(),
                format!("{:.3}", stage.seconds),
                format!("{:.1}%", 100.0 * stage.seconds / all),
                if stage.operations > 0.0 { format!("{rate:.1}") } else { "-".to_owned() },
            ]
        };
        stages.map(row).collect()
    }

    /// What the columns of [`Profile::rows`] are.
    pub const COLUMNS: [&str; 4] = ["stage", "seconds", "share", "GFLOP/s"];

    /// How fast learning multiplies, of what the cores do at best; empty where no network learns.
    pub fn sentence(&self) -> String {
        let learns = |stage: &&StageProfile| stage.name.starts_with("Learn");
        let (mut seconds, mut operations) = (0.0, 0.0);
        for stage in self.stages.iter().filter(learns) {
            seconds += stage.seconds;
            operations += stage.operations;
        }
        let Some(best) = self.best_per_second.filter(|_| operations > 0.0) else { return String::new() };
        let (rate, threads) = (operations / seconds / 1e9, self.threads);
        let best = best * threads as f64 / 1e9;
        let of = if threads == 1 { "one core".to_owned() } else { format!("{threads} threads") };
        format!(
            "Learning multiplies at {rate:.1} GFLOP/s, what is zero left out, {:.0}% of the {best:.0} GFLOP/s that {of} can \
             do at best.",
            100.0 * rate / best
        )
    }
}

/// A stretch of a step whose time is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretch {
    Of(StepSystems),
    OfLearning(LearnSystems),
}

/// All stretches in their order.
const STRETCHES: [Stretch; 17] = {
    use {LearnSystems::*, StepSystems::*, Stretch::*};
    [
        Of(First),
        Of(Observe),
        Of(Model),
        Of(Act),
        Of(Play),
        Of(Remember),
        OfLearning(Request),
        OfLearning(Sample),
        OfLearning(Predict),
        OfLearning(Target),
        OfLearning(Answer),
        OfLearning(Fit),
        OfLearning(Update),
        OfLearning(Publish),
        Of(Evaluate),
        Of(Record),
        Of(Last),
    ]
};

/// What has been measured.
#[derive(Resource)]
struct Meter {
    last: Option<(Instant, u64)>,
    /// Seconds and operations of each stretch.
    sums: [(f64, u64); STRETCHES.len()],
}

impl Meter {
    /// A step begins.
    fn begin(&mut self) {
        self.last = Some((Instant::now(), products()));
    }

    /// Counts what has passed since the last call to a stretch.
    fn lap(&mut self, number: usize) {
        let now = (Instant::now(), products());
        if let Some((then, products)) = self.last.replace(now) {
            self.sums[number].0 += (now.0 - then).as_secs_f64();
            self.sums[number].1 += now.1 - products;
        }
    }
}

#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Lap(usize);

/// Puts the systems that take the times into the step: a plugin.
pub fn install(app: &mut App) {
    ON.store(true, Ordering::Relaxed);
    app.world.insert_resource(Meter { last: None, sums: [(0.0, 0); STRETCHES.len()] });
    app.systems(Step, |step| {
        step.add_systems((|mut meter: ResMut<Meter>| meter.begin()).before(StepSystems::First));
        for (number, stretch) in STRETCHES.into_iter().enumerate() {
            let lap = (move |mut meter: ResMut<Meter>| meter.lap(number)).in_set(Lap(number));
            let lap = match stretch {
                Stretch::Of(set) => lap.after(set),
                Stretch::OfLearning(set) => lap.after(set),
            };
            match STRETCHES.get(number + 1) {
                Some(Stretch::Of(next)) => step.add_systems(lap.before(*next)),
                Some(Stretch::OfLearning(next)) => step.add_systems(lap.before(*next)),
                None => step.add_systems(lap),
            };
        }
    });
}

/// What was measured in the worlds of a run, if anything, with what writing its records took, times the worlds that waited
/// for it; measures the yardstick, which takes a moment.
pub fn take(worlds: &[App], writing: Duration) -> Option<Profile> {
    let mut sums = [(0.0, 0); STRETCHES.len()];
    for app in worlds {
        let meter = app.world.get_resource::<Meter>()?;
        for (sum, (seconds, operations)) in sums.iter_mut().zip(meter.sums) {
            *sum = (sum.0 + seconds, sum.1 + operations);
        }
    }
    let names = STRETCHES.iter().map(|stretch| match stretch {
        Stretch::Of(set) => format!("{set:?}"),
        Stretch::OfLearning(set) => format!("Learn: {set:?}"),
    });
    let writing = ("writing records".to_owned(), (writing.as_secs_f64(), 0));
    let stages = names.zip(sums).chain([writing]);
    Some(Profile {
        threads: worlds.first()?.world.resource::<Workers>().threads(),
        stages: stages
            .map(|(name, (seconds, operations))| StageProfile { name, seconds, operations: operations as f64 })
            .collect(),
        best_per_second: YARDSTICK.get().map(|yardstick| yardstick()),
    })
}
