//! Seeds never mix, and the same inputs give the same bits on any thread.

use equiflow::checkpoint::Snapshot;
use equiflow_neural::{ActionBox, AdamParams, LastLayer, Learner, Mlp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BATCH: usize = 64;

fn streams(seeds: &[u64]) -> Vec<ChaCha8Rng> {
    seeds.iter().map(|&seed| ChaCha8Rng::seed_from_u64(seed)).collect()
}

/// Columns of uniform numbers for each seed, from that seed's stream: `[S, BATCH, dim]`.
fn batch(seeds: &[u64], dim: usize) -> Vec<f32> {
    let numbers = |mut stream: ChaCha8Rng| (0..BATCH * dim).map(move |_| stream.random_range(-1.0f32..1.0));
    streams(seeds).into_iter().flat_map(numbers).collect()
}

fn network(sizes: &[usize], seeds: &[u64]) -> Mlp {
    Mlp::new(sizes, LastLayer::Same, &mut streams(seeds))
}

/// A few steps of a critic and an actor for the given seeds; what is left of them.
fn learn(seeds: &[u64]) -> [Learner; 2] {
    let bounds = ActionBox::new(&[-1.0], &[1.0]);
    let params = AdamParams::new(1e-2).clip(Some(0.5));
    let mut actor = Learner::new(network(&[2, 100, 100, 1], seeds), params);
    let mut critic = Learner::new(network(&[3, 100, 100, 1], seeds), params);
    let (observation, mut input, y) = (batch(seeds, 2), batch(seeds, 3), batch(seeds, 1));
    for _ in 0..5 {
        assert_eq!(critic.regress(&input, &y, None).failed().count(), 0);
        assert_eq!(actor.ascend(&bounds, &observation, &mut critic, &mut input, 2..3, None).failed().count(), 0);
    }
    [actor, critic]
}

#[test]
fn every_run_and_every_thread_gives_the_same_bits() {
    let learned = || learn(&[1, 2]).map(|learner| Snapshot::of(&learner));
    let here = learned();
    assert_eq!(learned(), here);
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(learned)).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), here);
    }
}

/// The parameters of the seed at one place in the lane, of actor and critic, bit for bit.
fn parameters(learners: &[Learner; 2], place: usize) -> [Vec<u32>; 2] {
    learners.each_ref().map(|learner| {
        let all = learner.net.values();
        let count = all.len() / learner.net.seeds();
        all[place * count..][..count].iter().map(|x| x.to_bits()).collect()
    })
}

#[test]
fn a_seed_learns_the_same_bits_wherever_and_beside_whatever_it_runs() {
    let alone = parameters(&learn(&[3]), 0);
    for (seeds, place) in [([1, 3].as_slice(), 1), (&[3, 1, 2, 4], 0), (&[1, 2, 3, 4], 2), (&[9, 8, 3, 7], 2)] {
        assert!(parameters(&learn(seeds), place) == alone, "seed 3 in the lane {seeds:?} has learned something else");
    }
}

#[test]
fn a_seed_that_fails_is_reported_and_leaves_the_others_alone() {
    let net = || network(&[3, 8, 1], &[1, 2, 3]);
    let params = AdamParams::new(1e-2).clip(Some(0.5));
    let (mut sick, mut healthy) = (Learner::new(net(), params), Learner::new(net(), params));
    let (x, y) = (batch(&[1, 2, 3], 3), batch(&[1, 2, 3], 1));
    let mut bad = y.clone();
    bad[BATCH + 5] = f32::NAN;
    for _ in 0..2 {
        assert_eq!(sick.regress(&x, &bad, None).failed().collect::<Vec<_>>(), [1]);
        assert_eq!(healthy.regress(&x, &y, None).failed().count(), 0);
    }
    let count = sick.net.values().len() / 3;
    for seed in [0, 2] {
        let of = |learner: &Learner| learner.net.values()[seed * count..][..count].to_vec();
        assert_eq!(of(&sick), of(&healthy), "seed {seed}");
    }
}

#[test]
fn an_actors_step_leaves_the_critic_as_it_was() {
    let bounds = ActionBox::new(&[-1.0], &[1.0]);
    let mut actor = Learner::new(network(&[2, 8, 1], &[1]), AdamParams::new(1e-2));
    let mut critic = Learner::new(network(&[3, 8, 1], &[1]), AdamParams::new(1e-2));
    let before = Snapshot::of(&critic);
    actor.ascend(&bounds, &batch(&[1], 2), &mut critic, &mut batch(&[2], 3), 2..3, None);
    assert_eq!(Snapshot::of(&critic), before);
}
