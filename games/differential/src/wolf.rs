//! The game of the WoLF literature: a 2x2 matrix game whose mixing probabilities are the actions.

use equiflow::prelude::*;

params! {
    /// WoLF (Bowling and Veloso 2002): payoffs [[0, 3], [1, 2]] for player 0 and [[3, 2], [0, 1]] for player 1; each
    /// player's action is the probability of its first choice, the reward is the expectation. The Nash equilibrium
    /// is (0.5, 0.5).
    pub struct Wolf {}
}

/// Payoffs of each player.
const TABLES: [[[f32; 2]; 2]; 2] = [[[0.0, 3.0], [1.0, 2.0]], [[3.0, 2.0], [0.0, 1.0]]];

/// Expected payoff of a 2x2 table when the players take their first choice with probabilities p and q.
fn expected(table: [[f32; 2]; 2], p: f32, q: f32) -> f32 {
    let [[first, second], [third, fourth]] = table;
    p * (q * first + (1.0 - q) * second) + (1.0 - p) * (q * third + (1.0 - q) * fourth)
}

impl Game for Wolf {
    type Params = Self;
    type State = ();

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }

    fn spec(&self) -> GameSpec {
        GameSpec::repeated(vec![Player::blind(Space::cube(1, 0.0, 1.0)); 2])
    }

    fn reset(&self, _: &mut Stream) {}

    fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
        out[0] = 1.0;
    }

    fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        let (p, q) = (actions.scalar(0), actions.scalar(1));
        rewards.copy_from_slice(&TABLES.map(|table| expected(table, p, q)));
        Status::Running
    }

    /// A payoff is linear in the own probability: one of the two choices is best.
    fn best_return(&self, player: usize, episode: &Episode<Self>) -> Option<f64> {
        Some(episode.per_step(|actions| {
            let at = |own: f32| {
                let mut joint = [actions.scalar(0), actions.scalar(1)];
                joint[player] = own;
                f64::from(expected(TABLES[player], joint[0], joint[1]))
            };
            at(0.0).max(at(1.0))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gains_by_leaving_one_half() {
        for p in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let own = expected(TABLES[0], p, 0.5);
            let other = expected(TABLES[1], 0.5, p);
            assert_eq!((own, other), (1.5, 1.5));
        }
        assert_eq!(expected(TABLES[0], 1.0, 0.0), 3.0);
    }
}
