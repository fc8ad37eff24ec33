//! Strategies that another pure strategy is always better than.
//!
//! Dominance by mixed strategies is not looked for.

use std::cmp::Ordering;
use std::time::Duration;

use super::deadline::Deadline;
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

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dominance {
    /// The dominated strategies, round by round.
    pub found: Vec<Dominated>,
    /// Whether these are all; else the time was up.
    pub complete: bool,
}

/// Eliminates strictly dominated strategies round by round until none is left; what remains does not depend on the order.
pub fn eliminate(game: &NormalForm, max_time: Duration) -> Dominance {
    let mut left: Vec<Vec<bool>> = game.shape().iter().map(|n| vec![true; *n]).collect();
    let mut all = Dominance { found: Vec::new(), complete: true };
    let deadline = Deadline::after(max_time);
    for round in 1.. {
        let now = dominated(game, &left, true, round, deadline);
        all.complete = now.complete;
        now.found.iter().for_each(|one| left[one.player][one.strategy] = false);
        all.found.extend_from_slice(&now.found);
        if now.found.is_empty() || !now.complete {
            break;
        }
    }
    all
}

/// The strategies that are weakly dominated in the whole game: never better, and somewhere worse.
pub fn weakly_dominated(game: &NormalForm, max_time: Duration) -> Dominance {
    let left: Vec<Vec<bool>> = game.shape().iter().map(|n| vec![true; *n]).collect();
    dominated(game, &left, false, 1, Deadline::after(max_time))
}

/// Per player and strategy the first one that dominates it against the strategies that are left.
fn dominated(game: &NormalForm, left: &[Vec<bool>], strictly: bool, round: usize, deadline: Deadline) -> Dominance {
    let mut all = Dominance { found: Vec::new(), complete: true };
    // Who has lost a strategy: of the others every cell is left.
    let fewer: Vec<usize> = (0..left.len()).filter(|player| left[*player].contains(&false)).collect();
    for (player, mine) in left.iter().enumerate() {
        let (_, stride) = game.place(player, 0);
        let alive = || (0..mine.len()).filter(|strategy| mine[*strategy]);
        if alive().count() < 2 {
            continue;
        }
        if deadline.is_over() {
            all.complete = false;
            return all;
        }
        // What the others may do, as cells in which the player takes its first strategy.
        let faced: Vec<usize> = (0..game.cells())
            .filter(|cell| game.place(player, *cell).0 == 0)
            .filter(|cell| fewer.iter().all(|other| *other == player || left[*other][game.place(*other, *cell).0]))
            .collect();
        for strategy in alive() {
            for by in alive().filter(|by| *by != strategy) {
                if deadline.is_over() {
                    all.complete = false;
                    return all;
                }
                let compare = |cell: &usize| game.compare(player, cell + by * stride, cell + strategy * stride);
                if dominates(faced.iter().map(compare), strictly) {
                    all.found.push(Dominated { player, strategy, by, round });
                    break;
                }
            }
        }
    }
    all
}

/// Whether a strategy that compares so with another one, against everything that the others may do, dominates it.
fn dominates(comparisons: impl Iterator<Item = Ordering>, strictly: bool) -> bool {
    let mut better = false;
    for comparison in comparisons {
        match comparison {
            Ordering::Greater => better = true,
            Ordering::Equal if !strictly => {}
            _ => return false,
        }
    }
    better
}

#[cfg(test)]
mod tests {
    use num_traits::One;

    use super::*;
    use crate::theory::nfg;
    use crate::theory::rational::Rational;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn strategies_go_round_by_round() {
        // Right goes first (for Middle), then Down (for Up), then Left (for Middle).
        let game = nfg::read(
            b"NFG 1 R \"\" { \"Row\" \"Column\" } { { \"Up\" \"Down\" } { \"Left\" \"Middle\" \"Right\" } }
            1 0 0 3  1 2 0 1  0 1 2 0",
        );
        let game = game.unwrap();
        let went = |player, strategy, by, round| Dominated { player, strategy, by, round };
        let all = eliminate(&game, LONG);
        assert!(all.complete);
        assert_eq!(all.found, [went(1, 2, 1, 1), went(0, 1, 0, 2), went(1, 0, 1, 3)]);
        assert_eq!(crate::theory::pure_nash::pure_nash(&game), [1]);
    }

    #[test]
    fn weak_dominance_allows_ties_but_not_throughout() {
        let game = nfg::read(b"NFG 1 R \"\" { \"A\" \"B\" } { 2 2 } 1 0 1 0 1 0 0 0").unwrap();
        let found = weakly_dominated(&game, LONG).found;
        assert_eq!(found, [Dominated { player: 0, strategy: 1, by: 0, round: 1 }]);
        assert!(eliminate(&game, LONG).found.is_empty());
    }
    #[test]
    fn what_takes_too_long_is_broken_off() {
        // Three hundred equal strategies on both sides: every pair has to be compared throughout.
        let game = NormalForm::with_shape(&[300, 300]).unwrap();
        let all = weakly_dominated(&game, Duration::from_millis(1));
        assert!(!all.complete && all.found.is_empty());
    }

    #[test]
    fn players_without_a_choice_take_no_time() {
        // Of 20,000 players two have a choice. Going through everyone's opponents would take minutes.
        let mut shape = vec![1; 20_000];
        (shape[3], shape[7]) = (2, 2);
        let mut game = NormalForm::with_shape(&shape).unwrap();
        game.set(3, 0, &Rational::one());
        game.set(3, 1, &Rational::one());
        let all = eliminate(&game, LONG);
        assert_eq!(all.found, [Dominated { player: 3, strategy: 1, by: 0, round: 1 }]);
        assert!(all.complete);
        // A player alone with its only strategy is dominated by nobody, and no time is needed to say so.
        assert!(weakly_dominated(&NormalForm::with_shape(&[1]).unwrap(), Duration::ZERO).complete);
    }
}
