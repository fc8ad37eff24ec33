//! The parts of an update: passes through a network, steps of a learner, and what is done once per step or parameter.
//!
//! One seed, `f32`, one thread. A throughput in `Gelem/s` is in floating-point operations, 10^9 a second: the matrix
//! products of a pass only (two operations for a multiplication with its addition), those with zero, which are left out, too:
//! it can be above what the processor can do. Other throughputs say what they count.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equiflow::prelude::Stream;
use equiflow_neural::{ActionBox, Adam, AdamParams, Explorer, LastLayer, Learner, Mlp, Noise, Pass};
use std::hint::black_box;
use std::time::Duration;

/// A centralised critic of two players, their actor, and one layer alone.
const CRITIC: [usize; 4] = [4, 100, 100, 1];
const ACTOR: [usize; 4] = [1, 100, 100, 1];
const LAYER: [usize; 2] = [100, 100];
const BATCHES: [usize; 3] = [64, 512, 1024];
/// Learners take steps so small that their network stays as it is: an actor that has reached the edge of its box has a
/// gradient of 0, and denormal numbers in its optimiser take other times.
const LEARNING_RATE: f64 = 1e-9;
/// Actions that explore, as of the players of many instances.
const ACTIONS: usize = 1024;

/// Uniform numbers in [-1, 1).
fn numbers(purpose: &str, count: usize) -> Vec<f32> {
    let mut stream = Stream::new(0, 0, "benchmark", purpose);
    (0..count).map(|_| stream.uniform(-1.0, 1.0)).collect()
}

fn network(sizes: &[usize], purpose: &str) -> Mlp {
    Mlp::new(sizes, LastLayer::Same, &mut [Stream::new(0, 0, "benchmark", purpose)])
}

fn learner(sizes: &[usize]) -> Learner {
    Learner::new(network(sizes, "weights"), AdamParams::new(LEARNING_RATE))
}

/// Operations of a forward pass for one row, through the layers from the given one on.
fn products(sizes: &[usize], from: usize) -> usize {
    2 * sizes[from..].windows(2).map(|pair| pair[0] * pair[1]).sum::<usize>()
}

/// Operations of the gradient with respect to the parameters.
fn parameter_products(sizes: &[usize]) -> usize {
    products(sizes, 0) + products(sizes, 1)
}

/// Operations of the gradient with respect to so many columns of the input.
fn input_products(sizes: &[usize], columns: usize) -> usize {
    2 * columns * sizes[1] + products(sizes, 1)
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(50).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group
}

/// A pass of each network for each batch; `work` is given the network, its last forward pass, the batch's input and the
/// gradient with respect to its output.
fn passes(
    criterion: &mut Criterion,
    name: &str,
    operations: impl Fn(&[usize]) -> usize,
    mut work: impl FnMut(&Mlp, &mut Pass, &[f32], &[f32]),
) {
    let mut group = group(criterion, name);
    for sizes in [&CRITIC[..], &ACTOR, &LAYER] {
        let net = network(sizes, "weights");
        for batch in BATCHES {
            let x = numbers("input", batch * sizes[0]);
            let output_gradient = numbers("output gradient", batch * sizes[sizes.len() - 1]);
            let mut pass = Pass::default();
            net.predict_for_gradient(&x, &mut pass);
            group.throughput(Throughput::Elements((batch * operations(sizes)) as u64));
            group.bench_function(BenchmarkId::new(format!("{sizes:?}"), batch), |bencher| {
                bencher.iter(|| work(&net, &mut pass, black_box(&x), black_box(&output_gradient)));
            });
        }
    }
}

fn forward(criterion: &mut Criterion) {
    let operations = |sizes: &[usize]| products(sizes, 0);
    passes(criterion, "forward", operations, |net, pass, x, _| {
        black_box(net.predict(x, pass));
    });
}

fn parameter_gradient(criterion: &mut Criterion) {
    let mut gradient = Vec::new();
    passes(criterion, "parameter gradient", parameter_products, |net, pass, _, output_gradient| {
        gradient.resize(net.values().len(), 0.0);
        net.backward(pass, output_gradient, &mut gradient);
        black_box(&mut gradient);
    });
}

/// With respect to one column, as an actor's step wants it of the critic; of the layer alone with respect to all.
fn input_gradient(criterion: &mut Criterion) {
    let mut gradient = Vec::new();
    let columns = |sizes: &[usize]| if sizes == LAYER { sizes[0] } else { 1 };
    let operations = |sizes: &[usize]| input_products(sizes, columns(sizes));
    passes(criterion, "input gradient", operations, |net, pass, x, output_gradient| {
        let columns = columns(net.sizes());
        gradient.resize(x.len() / net.sizes()[0] * columns, 0.0);
        net.input_gradient(pass, output_gradient, 0..columns, &mut gradient);
        black_box(&mut gradient);
    });
}

/// A critic's step: forward, loss, parameter gradient, Adam with the soft update.
fn regress(criterion: &mut Criterion) {
    let mut group = group(criterion, "regress");
    for batch in BATCHES {
        let (mut critic, mut target) = (learner(&CRITIC), network(&CRITIC, "weights of the target"));
        let (input, y) = (numbers("input", batch * CRITIC[0]), numbers("y", batch));
        group.throughput(Throughput::Elements((batch * (products(&CRITIC, 0) + parameter_products(&CRITIC))) as u64));
        group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
            bencher.iter(|| critic.regress(black_box(&input), black_box(&y), Some(target.follow(0.01))));
        });
    }
}

/// An actor's step: forward through actor and critic, the critic's input gradient, the actor's parameter gradient, Adam with
/// the soft update.
fn ascend(criterion: &mut Criterion) {
    let mut group = group(criterion, "ascend");
    let bounds = ActionBox::new(&[-10.0], &[10.0]);
    let forward = products(&ACTOR, 0) + products(&CRITIC, 0);
    let operations = forward + input_products(&CRITIC, 1) + parameter_products(&ACTOR);
    for batch in BATCHES {
        let (mut actor, mut target) = (learner(&ACTOR), network(&ACTOR, "weights of the target"));
        let mut critic = learner(&CRITIC);
        let observation = numbers("observation", batch * ACTOR[0]);
        let mut input = numbers("input", batch * CRITIC[0]);
        group.throughput(Throughput::Elements((batch * operations) as u64));
        group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
            bencher.iter(|| {
                let target = Some(target.follow(0.01));
                actor.ascend(&bounds, black_box(&observation), &mut critic, &mut input, 2..3, target)
            });
        });
    }
}

/// Throughput in parameters.
fn parameters(criterion: &mut Criterion) {
    let mut group = group(criterion, "parameters");
    let mut values = network(&CRITIC, "weights").values().to_vec();
    let count = values.len();
    group.throughput(Throughput::Elements(count as u64));

    let gradient = numbers("gradient", count);
    for (name, max_grad_norm) in [("Adam", None), ("Adam, clipped", Some(0.5))] {
        let mut adam = Adam::new(AdamParams::new(LEARNING_RATE).clip(max_grad_norm), 1, count);
        group.bench_function(name, |bencher| bencher.iter(|| adam.step(&mut values, black_box(&gradient), None)));
    }

    let (mut adam, mut target) = (Adam::new(AdamParams::new(LEARNING_RATE), 1, count), values.clone());
    group.bench_function("Adam with a soft update", |bencher| {
        bencher.iter(|| adam.step(&mut values, black_box(&gradient), Some((&mut target, 0.01))));
    });
}

/// Throughput in actions of one dimension.
fn exploration(criterion: &mut Criterion) {
    let mut group = group(criterion, "exploration noise");
    group.throughput(Throughput::Elements(ACTIONS as u64));
    for (name, noise) in [("Ornstein-Uhlenbeck", Noise::default()), ("Gaussian", Noise::Gaussian { sigma: 1.0 })] {
        let mut explorer = Explorer::new(noise, &[-10.0], &[10.0], ACTIONS);
        let mut stream = Stream::new(0, 0, "benchmark", "exploration");
        let mut actions = vec![0.0f32; ACTIONS];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for (row, action) in actions.chunks_exact_mut(1).enumerate() {
                    action[0] = 0.0;
                    explorer.perturb(row, 1.0, &mut stream, action);
                }
                black_box(&mut actions);
            });
        });
    }
}

criterion_group!(benches, forward, parameter_gradient, input_gradient, regress, ascend, parameters, exploration);
criterion_main!(benches);
