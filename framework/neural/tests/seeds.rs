//! Seeds never mix, and the same inputs give the same bits on any thread.

use equiflow::checkpoint::Snapshot;
use equiflow_neural::{ActionBox, AdamParams, Kind, LastLayer, Learner, Mlp, Tensor, tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BATCH: usize = 64;

fn streams(seeds: &[u64]) -> Vec<ChaCha8Rng> {
    seeds.iter().map(|&seed| ChaCha8Rng::seed_from_u64(seed)).collect()
}

/// Columns of uniform numbers for each seed, from that seed's stream.
fn batch(seeds: &[u64], dim: usize) -> Tensor {
    let values = streams(seeds)
        .into_iter()
        .flat_map(|mut stream| (0..BATCH * dim).map(move |_| stream.random_range(-1.0f32..1.0)).collect::<Vec<_>>());
    tensor(&values.collect::<Vec<_>>(), &[seeds.len() as i64, BATCH as i64, dim as i64], Kind::Float)
}

/// A few steps of a critic and an actor for the given seeds; what is left of them.
fn learn(seeds: &[u64]) -> [Learner; 2] {
    let bounds = ActionBox::new(&[-1.0], &[1.0], Kind::Float);
    let params = AdamParams::new(1e-2).clip(Some(0.5));
    let net = |sizes: &[usize]| Mlp::new(sizes, LastLayer::Same, Kind::Float, &mut streams(seeds));
    let mut actor = Learner::new(net(&[2, 100, 100, 1]), params);
    let mut critic = Learner::new(net(&[3, 100, 100, 1]), params);
    let (observation, input, y) = (batch(seeds, 2), batch(seeds, 3), batch(seeds, 1));
    for _ in 0..5 {
        assert_eq!(critic.regress(&input, &y).failed().count(), 0);
        assert_eq!(actor.ascend(&bounds, &observation, &critic.net, &input, 2..3).failed().count(), 0);
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

/// The parameters of the seed at one place in the lane, of actor and critic.
fn parameters(learners: &[Learner; 2], place: i64) -> [Tensor; 2] {
    learners.each_ref().map(|learner| learner.net.parameters().detach().narrow(0, place, 1))
}

#[test]
fn a_seed_learns_the_same_whatever_runs_beside_it() {
    let lane = parameters(&learn(&[1, 2, 3, 4]), 2);
    assert_eq!(parameters(&learn(&[9, 8, 3, 7]), 2), lane, "with other seeds beside it");
    // In another place, or in a lane of another width, sums are taken in another order: the same up to rounding.
    for (seeds, place) in [([3].as_slice(), 0), (&[1, 3], 1), (&[3, 1, 2, 4], 0)] {
        for (ours, theirs) in parameters(&learn(seeds), place).iter().zip(&lane) {
            let difference = (ours - theirs).abs().max().double_value(&[]);
            println!("seeds {seeds:?}: largest difference {difference:e}");
            assert!(difference < 1e-5, "seeds {seeds:?}: {difference:e}");
        }
    }
}

#[test]
fn a_seed_that_fails_is_reported_and_leaves_the_others_alone() {
    let net = || Mlp::new(&[3, 8, 1], LastLayer::Same, Kind::Float, &mut streams(&[1, 2, 3]));
    let params = AdamParams::new(1e-2).clip(Some(0.5));
    let (mut sick, mut healthy) = (Learner::new(net(), params), Learner::new(net(), params));
    let (x, y) = (batch(&[1, 2, 3], 3), batch(&[1, 2, 3], 1));
    let bad = y.copy();
    let _ = bad.narrow(0, 1, 1).narrow(1, 5, 1).fill_(f64::NAN);
    for _ in 0..2 {
        assert_eq!(sick.regress(&x, &bad).failed().collect::<Vec<_>>(), [1]);
        assert_eq!(healthy.regress(&x, &y).failed().count(), 0);
    }
    for seed in [0, 2] {
        let of = |learner: &Learner| learner.net.parameters().narrow(0, seed, 1);
        assert!(of(&sick).equal(&of(&healthy)), "seed {seed}");
    }
}

#[test]
fn a_step_leaves_other_networks_without_gradient() {
    let bounds = ActionBox::new(&[-1.0], &[1.0], Kind::Float);
    let net = |sizes: &[usize]| Mlp::new(sizes, LastLayer::Same, Kind::Float, &mut streams(&[1]));
    let mut actor = Learner::new(net(&[2, 8, 1]), AdamParams::new(1e-2));
    let critic = Learner::new(net(&[3, 8, 1]), AdamParams::new(1e-2));
    let before = Snapshot::of(&critic);
    actor.ascend(&bounds, &batch(&[1], 2), &critic.net, &batch(&[2], 3), 2..3);
    assert!(!critic.net.parameters().grad().defined());
    assert_eq!(Snapshot::of(&critic), before);
}
