//! Two-player sister games with one number per player and one formula per reward (Wen et al. 2019, Tian et al. 2019).

use equiflow::prelude::*;

/// A repeated game of two players who each choose a number in [-bound, bound] and see nothing. Each payoff must be convex
/// in the player's own number, so that a best response lies at an end of the box.
macro_rules! sister {
    ($(#[doc = $about:literal])* $Name:ident, $a1:ident, $a2:ident => [$r1:expr, $r2:expr], $($fact:ident: $value:expr),*) => {
        params! {
            $(#[doc = $about])*
            pub struct $Name {
                /// Actions lie in [-bound, bound].
                bound: f32 = 10.0,
            }
        }

        impl Game for $Name {
            type Params = Self;
            type State = ();

            fn new(params: Self) -> Result<Self, Invalid> {
                if params.bound > 0.0 && params.bound.is_finite() {
                    Ok(params)
                } else {
                    Err(Invalid::new("bound", format!("{} leaves no choice; expected more than 0", params.bound)))
                }
            }

            fn spec(&self) -> GameSpec {
                let players = vec![Player::blind(Space::cube(1, -self.bound, self.bound)); 2];
                GameSpec { $($fact: $value(self),)* ..GameSpec::repeated(players) }
            }

            fn reset(&self, _: &mut Stream) {}

            fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
                out[0] = 1.0;
            }

            fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
                let ($a1, $a2) = (actions.scalar(0), actions.scalar(1));
                rewards.copy_from_slice(&[$r1, $r2]);
                Status::Running
            }

            fn best_return(&self, player: usize, episode: &Episode<Self>) -> Option<f64> {
                Some(episode.per_step(|actions| {
                    let at = |own: f32| {
                        let mut joint = [actions.scalar(0), actions.scalar(1)];
                        joint[player] = own;
                        let [$a1, $a2] = joint;
                        f64::from([$r1, $r2][player])
                    };
                    at(-self.bound).max(at(self.bound))
                }))
            }
        }
    };
}

sister! {
    /// Zero-sum product: r1 = a1 a2 = -r2.
    ZeroSum, a1, a2 => [a1 * a2, -a1 * a2], zero_sum: |_: &Self| true
}

sister! {
    /// Trigonometric: r1 = cos(a2) a1, r2 = sin(a1) a2.
    Trigonometric, a1, a2 => [a2.cos() * a1, a1.sin() * a2],
}

sister! {
    /// Rotational: r1 = a1^2 / 2 + 10 a1 a2, r2 = a2^2 / 2 - 10 a1 a2.
    Rotational, a1, a2 => [0.5 * a1 * a1 + 10.0 * a1 * a2, 0.5 * a2 * a2 - 10.0 * a1 * a2],
}

sister! {
    /// Cooperative product: both get a1 a2.
    Cooperative, a1, a2 => [a1 * a2, a1 * a2],
    common_reward: |_: &Self| true,
    best_known: |game: &Self| {
        let value = f64::from(game.bound) * f64::from(game.bound);
        Some(BestKnown {
            value,
            tolerance: 0.05 * value,
            both_sides: false,
            source: "both at the same end of the box".to_owned(),
            place: None,
        })
    }
}
