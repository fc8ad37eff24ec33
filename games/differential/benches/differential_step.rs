//! The step of a differential game alone, for uniform actions. Throughput in joint steps.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use differential::{MaxOfTwo, Wolf, ZeroSum};
use equiflow::prelude::*;
use std::hint::black_box;

const ROWS: usize = 1024;

fn step<G: Game<Params = G> + Default>(criterion: &mut Criterion, name: &str) {
    let game = G::new(G::default()).expect("the defaults make sense");
    let spec = game.spec();
    let mut stream = Stream::new(0, 0, "benchmark", "actions");
    let actions: Vec<(Vec<f32>, usize)> = (spec.players.iter())
        .map(|player| {
            let width = player.action.width();
            let mut rows = vec![0.0; ROWS * width];
            player.action.sample(&mut stream, &mut rows);
            (rows, width)
        })
        .collect();
    let actions: Vec<(&[f32], usize)> = actions.iter().map(|(rows, width)| (&rows[..], *width)).collect();
    let mut states: Vec<_> = (0..ROWS).map(|_| game.reset(&mut stream)).collect();
    let mut rewards = vec![0.0; spec.players.len()];
    let mut group = criterion.benchmark_group("game step");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for (row, state) in states.iter_mut().enumerate() {
                black_box(game.step(state, &Joint::new(black_box(&actions), row), &mut stream, &mut rewards));
                black_box(&mut rewards);
            }
        });
    });
}

fn steps(criterion: &mut Criterion) {
    step::<MaxOfTwo>(criterion, "max_of_two");
    step::<ZeroSum>(criterion, "zero_sum");
    step::<Wolf>(criterion, "wolf");
}

criterion_group!(benches, steps);
criterion_main!(benches);
