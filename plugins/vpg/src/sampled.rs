//! Action values Q(s, a, b) learned from remembered transitions: a tabular Eq. 12 with expectations in the place of sampled
//! next actions.

use equiflow::prelude::*;
use equiflow::replay::Batch;
use equiflow::theory::Profile;
use equiflow::theory::entropy::entropy;
use equiflow::theory::tabular::{advance, index};

use crate::Vpg;
use crate::belief::Belief;

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde")]
pub struct SampledQ {
    /// By row of the game.
    pub rows: Vec<f64>,
}

impl SampledQ {
    /// All 0.
    pub fn new(rows: usize) -> Self {
        Self { rows: vec![0.0; rows] }
    }

    /// Moves a share of the way (`rates`: that share and tau) towards y = r + gamma V(s') for the transitions of seed number
    /// `number`; V is the mean of Q over the belief and the player's policy (`table`, where it sees b) plus tau times its
    /// entropy.
    #[expect(clippy::too_many_arguments, reason = "one call; a struct for it would only rename them")]
    pub fn learn(
        &mut self,
        game: &TabularGame,
        player: usize,
        belief: &Belief,
        table: Option<&[f64]>,
        rates: (f64, f64),
        number: usize,
        batch: &Batch,
    ) {
        let (rate, tau) = rates;
        let values: Vec<f64> =
            (0..game.states()).map(|state| self.value(game, player, belief, table, tau, state)).collect();
        let own = &batch.players[player];
        let width = own.observation.len() / own.action.len();
        for row in number * batch.size..(number + 1) * batch.size {
            let state = Vpg::state(&own.observation[row * width..][..width]);
            let next = Vpg::state(&own.next_observation[row * width..][..width]);
            let shape = game.shape(state);
            let joint: Vec<_> =
                (batch.players.iter().zip(shape)).map(|(part, n)| (part.action[row] as usize).min(n - 1)).collect();
            let goes_on = 1.0 - f64::from(batch.terminated[row]);
            let target = f64::from(own.reward[row]) + game.discount() * goes_on * values[next];
            let place = &mut self.rows[game.rows(state).start + index(&joint, shape)];
            *place += rate * (target - *place);
        }
    }

    fn value(
        &self,
        game: &TabularGame,
        player: usize,
        belief: &Belief,
        table: Option<&[f64]>,
        tau: f64,
        state: usize,
    ) -> f64 {
        let mut value = match table {
            None => tau * entropy(belief.profile.of(player, state)),
            Some(_) => 0.0,
        };
        for_each_row(game, state, |row, joint| {
            let others = joint.iter().enumerate().filter(|(other, _)| *other != player);
            let of = |profile: &Profile| {
                others.clone().map(|(other, action)| profile.of(other, state)[*action]).product::<f64>()
            };
            let (rho, pihat) = (of(&belief.profile), of(&belief.prior));
            value += match table {
                None => rho * belief.profile.of(player, state)[joint[player]] * self.rows[row],
                // The entropy of pi(.|s, b) less the divergence of rho from its prior.
                Some(table) if rho * table[row] > 0.0 => {
                    rho * table[row] * (self.rows[row] + tau * (pihat.ln() - rho.ln() - table[row].ln()))
                }
                Some(_) => 0.0,
            };
        });
        value
    }

    /// Qbar(s, a) = E_b Q(s, a, b): [states, actions].
    pub fn mean(&self, game: &TabularGame, player: usize, belief: &Profile) -> Vec<f64> {
        let mut out = Vec::new();
        for state in 0..game.states() {
            let first = out.len();
            out.resize(first + game.shape(state)[player], 0.0);
            for_each_row(game, state, |row, joint| {
                let others = joint.iter().enumerate().filter(|(other, _)| *other != player);
                let rho: f64 = others.map(|(other, action)| belief.of(other, state)[*action]).product();
                out[first + joint[player]] += rho * self.rows[row];
            });
        }
        out
    }
}

/// Calls `visit(row, joint action)` for every row of a state.
fn for_each_row(game: &TabularGame, state: usize, mut visit: impl FnMut(usize, &[usize])) {
    let mut joint = vec![0; game.players()];
    for row in game.rows(state) {
        visit(row, &joint);
        advance(&mut joint, game.shape(state));
    }
}
