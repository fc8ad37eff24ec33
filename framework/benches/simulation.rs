//! What a step costs around the learning: the schedule with random players, and the replay memory.
//!
//! One thread. The plugins are those that `cargo build --release --workspace` made.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equiflow::game::{GameSpec, Player, Space};
use equiflow::replay::{Batch, Part, Replay};
use equiflow::stream::Stream;
use equiflow::testing::simulation;
use std::time::{Duration, Instant};

/// A step of the whole schedule, among many as in a run, no episode ending: observe, act, play, and all that has nothing to do. Throughput in joint
/// steps.
fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step, random players");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for instances in [1, 1024] {
        let mut simulation = simulation(
            |_| {},
            &format!(
                "Run(name: \"step\", seeds: 1, episodes: 1, steps: 4_000_000_000, instances: {instances}, \
                 evaluate: (every: 1), game: max_of_two(), entries: [random()])"
            ),
        );
        group.throughput(Throughput::Elements(instances));
        group.bench_function(BenchmarkId::new("max_of_two", instances), |bencher| {
            bencher.iter_custom(|steps| {
                let start = Instant::now();
                simulation.advance_by(steps);
                start.elapsed()
            });
        });
        assert_eq!(simulation.failures(), [], "a seed failed, so the time says little");
    }
}

/// Batches drawn from a short memory, which the caches hold, and from a full one of the default size. Throughput in
/// transitions of two players who observe and play one number each.
fn sample(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay sample");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let spec = GameSpec::repeated(vec![Player::blind(Space::cube(1, -10.0, 10.0)); 2]);
    for held in [5_000, 1_000_000] {
        let mut replay = Replay::new(&spec, held, vec![Stream::new(0, 0, "environment", "replay")]);
        for k in 0..held {
            let action = [k as f32];
            let part = Part { observation: &[1.0], action: &action, reward: 0.0, next_observation: &[1.0] };
            replay.push(0, [part; 2].into_iter(), false);
        }
        let mut batch = Batch::default();
        for size in [64, 512] {
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(BenchmarkId::new(format!("{size} of"), held), |bencher| {
                bencher.iter(|| replay.sample(size, &mut batch));
            });
        }
    }
}

criterion_group!(benches, step, sample);
criterion_main!(benches);
