//! The losses of DDPG and MADDPG, per seed. Minimise their sum over seeds: seeds share no parameter, so the gradient of
//! the sum is each seed's own gradient.

use tch::Tensor;

/// The critic's target `y = r + gamma (1 - terminated) q_next`, shape `[S, B, 1]`, outside the graph.
///
/// `reward` and `terminated` (1 where the game ended by its rules, 0 elsewhere, also where an episode was cut off by the
/// clock) have shape `[S, B]`, `q_next` has shape `[S, B, 1]` and comes from the target networks.
///
/// Source: Lillicrap et al. 2016, algorithm 1; Lowe et al. 2017, eq. 6.
pub fn td_target(reward: &Tensor, terminated: &Tensor, gamma: f64, q_next: &Tensor) -> Tensor {
    let _guard = tch::no_grad_guard();
    let discount: Tensor = (1.0 - terminated) * gamma;
    reward.unsqueeze(-1).addcmul(&discount.unsqueeze(-1), q_next)
}

/// The mean of `(q - y)^2` over everything but the seed: `[S, B, 1]` twice, to `[S]`.
pub fn mse(q: &Tensor, y: &Tensor) -> Tensor {
    (q - y).square().mean_dim([1i64, 2].as_slice(), false, None)
}

/// The deterministic policy gradient's loss `-mean Q`: `[S, B, 1]` to `[S]`.
///
/// Source: Lillicrap et al. 2016, eq. 6; Lowe et al. 2017, eq. 5 (both print the gradient of what is negated here).
pub fn policy_loss(q: &Tensor) -> Tensor {
    -q.mean_dim([1i64, 2].as_slice(), false, None)
}
