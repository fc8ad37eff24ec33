//! What a step of a run costs: with random players, where the schedule and the game count, and with each algorithm's learners.
//! And the replay memory.
//!
//! One thread. The plugins are those that `cargo build --release --workspace` made.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equiflow::game::{GameSpec, Player, Space};
use equiflow::replay::{Batch, Part, Replay};
use equiflow::stream::Stream;
use equiflow::testing::simulation;
use std::time::{Duration, Instant};

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group
}

/// A step of the whole schedule, among many as in a run, after `before` others.
fn time(group: &mut BenchmarkGroup<WallTime>, id: BenchmarkId, game: &str, entry: &str, instances: u64, before: u64) {
    // A block of steps that does not end within the benchmark, and so no evaluation.
    let run_file = format!(
        "Run(name: \"step\", seeds: 1, episodes: 1, steps: 4_000_000_000, instances: {instances}, \
         evaluate: (every: 1), game: {game}, entries: [{entry}])"
    );
    let mut simulation = simulation(|_| {}, &run_file);
    simulation.advance_by(before);
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|steps| {
            let start = Instant::now();
            simulation.advance_by(steps);
            start.elapsed()
        });
    });
    assert_eq!(simulation.failures(), [], "a seed failed, so the time says little");
}

/// Random play. Throughput in joint steps.
fn step(criterion: &mut Criterion) {
    let mut group = group(criterion, "step, random players");
    for (name, game) in [
        ("max_of_two", "max_of_two()"),
        ("matching_pennies", "matching_pennies()"),
        ("two_link", "two_link()"),
        ("congestion", "congestion()"),
        ("routing", "routing(network: braess)"),
    ] {
        for instances in [1, 1024] {
            group.throughput(Throughput::Elements(instances));
            time(&mut group, BenchmarkId::new(name, instances), game, "random()", instances, 0);
        }
    }
}

/// A step in which both players learn. Throughput in updates of an agent; with a batch behind the name, of that size.
fn learning(criterion: &mut Criterion) {
    let mut group = group(criterion, "step, learners");
    group.throughput(Throughput::Elements(2));
    for name in ["gpi", "masql", "maddpg", "ddpg"] {
        for batch in [64, 512] {
            // Steps so small that the networks stay as they are (see the benchmark `networks`), and a memory that is soon full.
            let entry =
                format!("{name}(batch: {batch}, warmup: 600, buffer: 600, learning_rate_factor: constant(1e-9))");
            time(&mut group, BenchmarkId::new(name, batch), "max_of_two()", &entry, 1, 610);
        }
    }
    for (name, entry) in [
        ("vpg, exact", "vpg()"),
        ("vpg, sampled", "vpg(values: sampled, opponent_model: empirical)"),
        ("vpg, variational", "vpg(opponent_model: variational)"),
    ] {
        time(&mut group, BenchmarkId::from_parameter(name), "two_state()", entry, 1, 110);
    }
}

/// Batches drawn from a short memory, which the caches hold, and from a full one of the default size. Throughput in
/// transitions of two players who observe and play one number each.
fn sample(criterion: &mut Criterion) {
    let mut group = group(criterion, "replay sample");
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

criterion_group!(benches, step, learning, sample);
criterion_main!(benches);
