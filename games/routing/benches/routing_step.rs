//! The step of a routing game alone, for uniform splits, episodes started anew. Throughput in joint steps.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equiflow::prelude::*;
use routing::game::Routing;
use routing::params::{NetworkChoice, RoutingParams};
use std::hint::black_box;

fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("game step, routing");
    let layered = NetworkChoice::Layered { width: 5, depth: 5, degree: 2, seed: 0 };
    for (name, network) in [("pigou", NetworkChoice::Pigou), ("braess", NetworkChoice::Braess), ("layered", layered)] {
        for players in [2, 10] {
            let params = RoutingParams { network: network.clone(), players, ..RoutingParams::default() };
            let game = Routing::new(params).expect("the parameters make sense");
            let mut stream = Stream::new(0, 0, "benchmark", "actions");
            let actions: Vec<Vec<f32>> = (game.spec().players.iter())
                .map(|player| {
                    let mut action = vec![0.0; player.action.width()];
                    player.action.sample(&mut stream, &mut action);
                    action
                })
                .collect();
            let actions: Vec<(&[f32], usize)> = actions.iter().map(|action| (&action[..], action.len())).collect();
            let start = game.reset(&mut stream);
            let (mut state, mut rewards) = (start.clone(), vec![0.0; players]);
            group.throughput(Throughput::Elements(game.steps() as u64));
            group.bench_function(BenchmarkId::new(name, players), |bencher| {
                bencher.iter(|| {
                    state.clone_from(&start);
                    while game.step(&mut state, &Joint::new(black_box(&actions), 0), &mut stream, &mut rewards)
                        == Status::Running
                    {}
                    black_box(&mut rewards);
                });
            });
        }
    }
}

criterion_group!(benches, step);
criterion_main!(benches);
