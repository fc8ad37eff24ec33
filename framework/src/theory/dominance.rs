//! Strategies that another pure strategy is always better than.
//!
//! Dominance by mixed strategies is not looked for.

use std::cmp::Ordering;

use super::normal_form::NormalForm;

/// A strategy that is dominated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dominated {
    /// Whose.
    pub player: usize,
    /// Which.
    pub strategy: usize,
    /// By which.
    pub by: usize,
    /// The round of elimination, from 1.
    pub round: usize,
}

/// Eliminates strictly dominated strategies round by round until none is left; what remains does not depend on the order.
pub fn eliminate(game: &NormalForm) -> Vec<Dominated> {
    let mut left: Vec<Vec<bool>> = game.shape().iter().map(|n| vec![true; *n]).collect();
    let mut eliminated: Vec<Dominated> = Vec::new();
    for round in 1.. {
        let found: Vec<_> =
            dominated(game, &left, true).into_iter().map(|found| Dominated { round, ..found }).collect();
        if found.is_empty() {
            break;
        }
        found.iter().for_each(|found| left[found.player][found.strategy] = false);
        eliminated.extend(found);
    }
    eliminated
}

/// The strategies that are weakly dominated in the whole game: never better, and somewhere worse.
pub fn weakly_dominated(game: &NormalForm) -> Vec<Dominated> {
    dominated(game, &game.shape().iter().map(|n| vec![true; *n]).collect::<Vec<_>>(), false)
}

/// Per player and strategy the first one that dominates it against the strategies that are left.
fn dominated(game: &NormalForm, left: &[Vec<bool>], strictly: bool) -> Vec<Dominated> {
    let mut found = Vec::new();
    for (player, mine) in left.iter().enumerate() {
        let alive = || (0..mine.len()).filter(|strategy| mine[*strategy]);
        for strategy in alive() {
            let mut better = alive().filter(|by| *by != strategy);
            if let Some(by) = better.find(|by| dominates(game, left, player, strategy, *by, strictly)) {
                found.push(Dominated { player, strategy, by, round: 1 });
            }
        }
    }
    found
}

fn dominates(game: &NormalForm, left: &[Vec<bool>], player: usize, strategy: usize, by: usize, strictly: bool) -> bool {
    let mut better = false;
    for cell in 0..game.cells() {
        let (choice, stride) = game.place(player, cell);
        let others_left = (0..left.len()).filter(|other| *other != player);
        if choice != strategy || !others_left.into_iter().all(|other| left[other][game.place(other, cell).0]) {
            continue;
        }
        match game.compare(player, cell - strategy * stride + by * stride, cell) {
            Ordering::Greater => better = true,
            Ordering::Equal if !strictly => {}
            _ => return false,
        }
    }
    better
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::nfg;

    #[test]
    fn strategies_go_round_by_round() {
        // Right goes first (for Middle), then Down (for Up), then Left (for Middle).
        let game = nfg::read(
            b"NFG 1 R \"\" { \"Row\" \"Column\" } { { \"Up\" \"Down\" } { \"Left\" \"Middle\" \"Right\" } }
            1 0 0 3  1 2 0 1  0 1 2 0",
        );
        let game = game.unwrap();
        let went = |player, strategy, by, round| Dominated { player, strategy, by, round };
        assert_eq!(eliminate(&game), [went(1, 2, 1, 1), went(0, 1, 0, 2), went(1, 0, 1, 3)]);
        assert_eq!(crate::theory::pure_nash::pure_nash(&game), [1]);
    }

    #[test]
    fn weak_dominance_allows_ties_but_not_throughout() {
        let game = nfg::read(b"NFG 1 R \"\" { \"A\" \"B\" } { 2 2 } 1 0 1 0 1 0 0 0").unwrap();
        let found = weakly_dominated(&game);
        assert_eq!(found, [Dominated { player: 0, strategy: 1, by: 0, round: 1 }]);
        assert!(eliminate(&game).is_empty());
    }
}
