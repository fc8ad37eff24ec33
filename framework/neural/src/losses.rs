//! The losses of DDPG and MADDPG, per seed, with their gradients.

use crate::real::Real;
use smallvec::SmallVec;

/// A number of each seed.
pub type PerSeed = SmallVec<[f64; 8]>;

/// The critic's target `y = r + gamma (1 - terminated) q_next`, all `[S, B]`.
///
/// `terminated` is 1 where the game ended by its rules, 0 elsewhere, also where an episode was cut off by the clock;
/// `q_next` comes from the target networks.
///
/// Source: Lillicrap et al. 2016, algorithm 1; Lowe et al. 2017, eq. 6.
pub fn td_target<T: Real>(reward: &[T], terminated: &[T], gamma: f64, q_next: &[T], y: &mut Vec<T>) {
    assert!(reward.len() == terminated.len() && reward.len() == q_next.len(), "rewards, ends and values of one batch");
    let (one, gamma) = (T::from_f64(1.0), T::from_f64(gamma));
    y.clear();
    y.extend(reward.iter().zip(terminated).zip(q_next).map(|((r, end), q)| *r + gamma * (one - *end) * *q));
}

/// The mean of `(q - y)^2` over everything but the seed, and its gradient with respect to `q`; `q` and `y` are
/// `[S, B, n]`.
pub fn mse<T: Real>(seeds: usize, q: &[T], y: &[T], gradient: &mut Vec<T>) -> PerSeed {
    assert_eq!(q.len(), y.len(), "outputs and targets of one batch");
    let per_seed = q.len() / seeds;
    let scale = T::from_f64(2.0 / per_seed as f64);
    gradient.clear();
    gradient.extend(q.iter().zip(y).map(|(q, y)| scale * (*q - *y)));
    let square = |(q, y): (&T, &T)| (*q - *y).to_f64().powi(2);
    let sums = q.chunks_exact(per_seed).zip(y.chunks_exact(per_seed)).map(|(q, y)| q.iter().zip(y).map(square).sum());
    sums.map(|sum: f64| sum / per_seed as f64).collect()
}

/// The deterministic policy gradient's loss `-mean Q` and its gradient with respect to `Q` `[S, B]`.
///
/// Source: Lillicrap et al. 2016, eq. 6; Lowe et al. 2017, eq. 5 (both print the gradient of what is negated here).
pub fn policy_loss<T: Real>(seeds: usize, q: &[T], gradient: &mut Vec<T>) -> PerSeed {
    let batch = q.len() / seeds;
    gradient.clear();
    gradient.resize(q.len(), T::from_f64(-1.0 / batch as f64));
    q.chunks_exact(batch).map(|q| -q.iter().map(|q| q.to_f64()).sum::<f64>() / batch as f64).collect()
}
