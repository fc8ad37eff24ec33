//! The congestion game with many players, by counts: players are exchangeable, so that of the others only how many are
//! at each facility in each state matters.

use crate::theory::games::{Congestion, Rewards, Spread};

/// The largest sum of a cycle of four pure policies.
pub struct PureCycles {
    /// The sum, as a magnitude.
    pub violation: f64,
    /// Relative to the range of the values that were seen.
    pub relative: f64,
    /// Where it was found.
    pub witness: String,
}

/// What two players get in a state, and where it leads, by their facilities [mine, other's].
struct Stage {
    mine: Vec<f64>,
    others: Vec<f64>,
    next: Vec<usize>,
}

/// All cycles of four in which two players change their pure policies and change them back, the others at any pure policies,
/// in values from either state.
///
/// # Panics
/// When the game is another than that with own rewards and states led by crowds.
pub fn pure_cycles(game: &Congestion) -> PureCycles {
    assert!(game.rewards == Rewards::Own && game.transitions == Spread::Crowds, "the game as published");
    let facilities = game.weights.len();
    let policies = facilities * facilities;
    let counts = all_counts(facilities, game.players - 2);
    let stages = [0, 1].map(|state| counts.iter().map(|counts| stage(game, state, counts)).collect::<Vec<_>>());
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut found = PureCycles { violation: 0.0, relative: 0.0, witness: String::new() };
    // My value less the other's, by both policies: the sum of a cycle is its second difference.
    let mut differences = [vec![0.0; policies * policies], vec![0.0; policies * policies]];
    for (k, safe) in stages[0].iter().enumerate() {
        for (l, distancing) in stages[1].iter().enumerate() {
            for (mine, other) in (0..policies).flat_map(|mine| (0..policies).map(move |other| (mine, other))) {
                let cells = [
                    (mine / facilities) * facilities + other / facilities,
                    (mine % facilities) * facilities + other % facilities,
                ];
                let next = [safe.next[cells[0]], distancing.next[cells[1]]];
                let own = discounted(game.discount, [safe.mine[cells[0]], distancing.mine[cells[1]]], next);
                let others = discounted(game.discount, [safe.others[cells[0]], distancing.others[cells[1]]], next);
                for state in 0..2 {
                    differences[state][mine * policies + other] = own[state] - others[state];
                    low = low.min(own[state]);
                    high = high.max(own[state]);
                }
            }
            for (state, d) in differences.iter().enumerate() {
                for (a, b) in (0..policies).flat_map(|a| (0..a).map(move |b| (a, b))) {
                    // The largest second difference between two rows is the range of their difference.
                    let gap = |c: usize| d[a * policies + c] - d[b * policies + c];
                    let (mut least, mut most) = (0, 0);
                    for c in 1..policies {
                        least = if gap(c) < gap(least) { c } else { least };
                        most = if gap(c) > gap(most) { c } else { most };
                    }
                    if gap(most) - gap(least) > found.violation {
                        found.violation = gap(most) - gap(least);
                        let [a, b, least, most] = [a, b, least, most].map(|at| (at / facilities, at % facilities));
                        found.witness = format!(
                            "from state {state}, facilities when (safe, distancing): one player between {a:?} and {b:?}, \
                             another between {least:?} and {most:?}, the others' counts {:?} and {:?}",
                            counts[k], counts[l]
                        );
                    }
                }
            }
        }
    }
    found.relative = found.violation / (high - low);
    found
}

/// Every way to spread so many players over the facilities.
fn all_counts(facilities: usize, players: usize) -> Vec<Vec<usize>> {
    if facilities == 1 {
        return vec![vec![players]];
    }
    let with = |first: usize| {
        all_counts(facilities - 1, players - first).into_iter().map(move |rest| [vec![first], rest].concat())
    };
    (0..=players).flat_map(with).collect()
}

fn stage(game: &Congestion, state: usize, counts: &[usize]) -> Stage {
    let facilities = counts.len();
    let mut stage = Stage { mine: Vec::new(), others: Vec::new(), next: Vec::new() };
    for cell in 0..facilities * facilities {
        let (mine, other) = (cell / facilities, cell % facilities);
        let mut counts = counts.to_vec();
        counts[mine] += 1;
        counts[other] += 1;
        let reward = |facility: usize| game.weights[facility] * counts[facility] as f64 - game.penalty * state as f64;
        stage.mine.push(reward(mine));
        stage.others.push(reward(other));
        stage.next.push(game.next_state(state, counts.iter().copied().max().unwrap_or(0)));
    }
    stage
}

/// The values of two states that lead to one state each.
fn discounted(discount: f64, rewards: [f64; 2], next: [usize; 2]) -> [f64; 2] {
    match next {
        [0, 1] => rewards.map(|reward| reward / (1.0 - discount)),
        [0, _] => {
            let first = rewards[0] / (1.0 - discount);
            [first, rewards[1] + discount * first]
        }
        [_, 1] => {
            let second = rewards[1] / (1.0 - discount);
            [rewards[0] + discount * second, second]
        }
        _ => {
            let both = 1.0 - discount * discount;
            [(rewards[0] + discount * rewards[1]) / both, (rewards[1] + discount * rewards[0]) / both]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::{Objective, Profile, TabularGame, values};

    #[test]
    fn a_known_cycle_of_eight_players_sums_to_3861() {
        let game = Congestion::default();
        let stages = [stage(&game, 0, &[0, 0, 2, 4]), stage(&game, 1, &[0, 0, 0, 6])];
        // By facilities when (safe, distancing): my value less the other's, from the safe state.
        let difference = |mine: (usize, usize), other: (usize, usize)| {
            let cells = [mine.0 * 4 + other.0, mine.1 * 4 + other.1];
            let next = [0, 1].map(|state| stages[state].next[cells[state]]);
            let of = |rewards: fn(&Stage) -> &Vec<f64>| {
                discounted(game.discount, [0, 1].map(|state| rewards(&stages[state])[cells[state]]), next)[0]
            };
            of(|stage| &stage.mine) - of(|stage| &stage.others)
        };
        let (a, b, c, d) = ((1, 2), (0, 3), (3, 0), (0, 0));
        let sum = difference(a, c) - difference(b, c) - difference(a, d) + difference(b, d);
        assert!((sum.abs() - 3861.0).abs() < 1e-9, "{sum}");
        assert!(pure_cycles(&game).violation >= 3861.0);
    }

    #[test]
    fn counts_give_what_all_pure_profiles_of_three_players_give() {
        let game = Congestion { players: 3, weights: vec![1.0, 4.0], discount: 0.9, ..Congestion::default() };
        let table = TabularGame::new(&game).unwrap();
        // The values of players 0 and 1 in both states by the policies of all three.
        let value = |policies: [usize; 3]| {
            let profile = Profile::pure(table.layout(), |player, state| policies[player] >> state & 1);
            let values = values(&table, &profile, Objective::default()).unwrap();
            [0, 1].map(|state| values.of(0)[state] - values.of(1)[state])
        };
        let mut most: f64 = 0.0;
        for (third, state) in (0..4).flat_map(|third| [(third, 0), (third, 1)]) {
            for cycle in 0..256 {
                let [a, b, c, d] = [cycle & 3, cycle >> 2 & 3, cycle >> 4 & 3, cycle >> 6];
                let at = |x, y| value([x, y, third])[state];
                most = most.max((at(a, c) - at(b, c) - at(a, d) + at(b, d)).abs());
            }
        }
        assert!((pure_cycles(&game).violation - most).abs() < 1e-9, "{most}");
    }
}
