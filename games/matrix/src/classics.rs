//! The games of the textbooks.

use equiflow::prelude::*;
use equiflow::theory::NormalForm;
use equiflow::theory::nfg::{PAYOFF_LIMIT, PLAYER_LIMIT};

use crate::one_shot::{Rules, bimatrix, exact};

params! {
    /// Prisoner's dilemma: both would do better by cooperating, each does better by defecting. One-shot; two players.
    pub struct PrisonersDilemma {
        /// For defecting alone.
        temptation: f64 = 5.0,
        /// For cooperating both.
        reward: f64 = 3.0,
        /// For defecting both.
        punishment: f64 = 1.0,
        /// For cooperating alone.
        sucker: f64 = 0.0,
    }
}

impl Rules for PrisonersDilemma {
    fn form(&self) -> Result<NormalForm, Invalid> {
        let Self { temptation: t, reward: r, punishment: p, sucker: s } = *self;
        if !(t > r && r > p && p > s) {
            let what =
                format!("{t}, {r}, {p}, {s} make no dilemma; expected temptation > reward > punishment > sucker");
            return Err(Invalid { field: None, what });
        }
        let names: &[&str] = &["cooperate", "defect"];
        bimatrix("Prisoner's dilemma", [names, names], [&[&[r, s], &[t, p]], &[&[r, t], &[s, p]]])
    }
}

params! {
    /// Stag hunt: the stag is worth more but takes both; the hare is safe. One-shot; two players.
    pub struct StagHunt {
        /// For the stag, when both hunt it.
        stag: f64 = 4.0,
        /// For a hare.
        hare: f64 = 3.0,
        /// For hunting the stag alone.
        alone: f64 = 0.0,
    }
}

impl Rules for StagHunt {
    fn form(&self) -> Result<NormalForm, Invalid> {
        let Self { stag, hare, alone } = *self;
        if !(stag > hare && hare > alone) {
            let what = format!("{stag}, {hare}, {alone} make no stag hunt; expected stag > hare > alone");
            return Err(Invalid { field: None, what });
        }
        let names: &[&str] = &["stag", "hare"];
        bimatrix("Stag hunt", [names, names], [&[&[stag, alone], &[hare, hare]], &[&[stag, hare], &[alone, hare]]])
    }
}

params! {
    /// Battle of the sexes: both want to meet, each somewhere else. One-shot; two players.
    pub struct BattleOfTheSexes {
        /// For meeting where one likes it.
        liked: f64 = 3.0,
        /// For meeting where the other likes it.
        other: f64 = 2.0,
    }
}

impl Rules for BattleOfTheSexes {
    fn form(&self) -> Result<NormalForm, Invalid> {
        let Self { liked, other } = *self;
        if !(liked > other && other > 0.0) {
            return Err(Invalid {
                field: None,
                what: format!("{liked} and {other} make no battle; expected liked > other > 0"),
            });
        }
        let names: &[&str] = &["opera", "football"];
        bimatrix(
            "Battle of the sexes",
            [names, names],
            [&[&[liked, 0.0], &[0.0, other]], &[&[other, 0.0], &[0.0, liked]]],
        )
    }
}

params! {
    /// Matching pennies: the row player wins when both show the same side. One-shot; two players; zero-sum.
    pub struct MatchingPennies {
        /// What the winner gets from the loser.
        stake: f64 = 1.0,
    }
}

impl Rules for MatchingPennies {
    fn form(&self) -> Result<NormalForm, Invalid> {
        let s = self.stake;
        let names: &[&str] = &["heads", "tails"];
        bimatrix("Matching pennies", [names, names], [&[&[s, -s], &[-s, s]], &[&[-s, s], &[s, -s]]])
    }
}

params! {
    /// Rock-paper-scissors. One-shot; two players; zero-sum.
    pub struct RockPaperScissors {
        /// What the winner gets from the loser.
        stake: f64 = 1.0,
    }
}

impl Rules for RockPaperScissors {
    fn form(&self) -> Result<NormalForm, Invalid> {
        let s = self.stake;
        let names: &[&str] = &["rock", "paper", "scissors"];
        let row: &[&[f64]] = &[&[0.0, -s, s], &[s, 0.0, -s], &[-s, s, 0.0]];
        let column: &[&[f64]] = &[&[0.0, s, -s], &[-s, 0.0, s], &[s, -s, 0.0]];
        bimatrix("Rock-paper-scissors", [names, names], [row, column])
    }
}

params! {
    /// Climbing game (Claus and Boutilier 1998): common rewards whose best cell is between two bad ones. One-shot; two
    /// players.
    pub struct Climbing {}
}

impl Rules for Climbing {
    fn form(&self) -> Result<NormalForm, Invalid> {
        let names: &[&str] = &["a", "b", "c"];
        let both: &[&[f64]] = &[&[11.0, -30.0, 0.0], &[-30.0, 7.0, 6.0], &[0.0, 0.0, 5.0]];
        bimatrix("Climbing", [names, names], [both, both])
    }
}

params! {
    /// Coordination: everybody gets `first` - k `step` when all choose action k, and `miss` otherwise. One-shot.
    pub struct Coordination {
        /// How many players; at most 1,000.
        players: usize = 2,
        /// How many actions each has.
        actions: usize = 2,
        /// For meeting at the first action.
        first: f64 = 1.0,
        /// How much less at each next one; 0 makes all alike.
        step: f64 = 0.0,
        /// For not meeting.
        miss: f64 = 0.0,
    }
}

impl Rules for Coordination {
    fn form(&self) -> Result<NormalForm, Invalid> {
        let Self { players, actions, .. } = *self;
        if players > PLAYER_LIMIT {
            let what = format!("there are {players} players; expected at most {PLAYER_LIMIT}");
            return Err(Invalid::new("players", what));
        }
        // As of files: fractions, such as a tenth, take more memory than their places in the tables.
        let cells = (0..players).fold(1u128, |cells, _| cells.saturating_mul(actions as u128));
        let payoffs = cells.saturating_mul(players as u128);
        if payoffs > PAYOFF_LIMIT as u128 {
            let what =
                format!("the game has {cells} cells with {payoffs} payoffs; expected at most {PAYOFF_LIMIT} payoffs");
            return Err(Invalid { field: None, what });
        }
        let mut form = NormalForm::with_shape(&vec![actions; players])
            .map_err(|error| Invalid { field: None, what: error.to_string() })?;
        form.title = "Coordination".to_owned();
        let (first, step, miss) = (exact(self.first)?, exact(self.step)?, exact(self.miss)?);
        // The cell where all choose k is k times the first one's distance.
        let distance = form.cells().checked_sub(1).filter(|_| actions > 1).map_or(1, |last| last / (actions - 1));
        for player in 0..players {
            for cell in 0..form.cells() {
                let meets = cell % distance == 0;
                let payoff = if meets { &first - &step * exact((cell / distance) as f64)? } else { miss.clone() };
                form.set(player, cell, &payoff);
            }
        }
        Ok(form)
    }
}
