//! Games with random payoffs.

use equiflow::prelude::*;
use equiflow::theory::NormalForm;

use crate::one_shot::Rules;

/// How the players' payoffs belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Interests {
    /// Each player's are drawn for itself.
    General,
    /// All have the same.
    Common,
    /// Two players; what one gets the other loses.
    ZeroSum,
}

params! {
    /// Random payoffs, uniform in [0, 1). One-shot.
    pub struct RandomMatrix {
        /// The number of actions of each player.
        actions: Vec<usize> = vec![3, 3],
        /// Another seed is another game. (The run's seeds do not matter: all play the same game.)
        game_seed: u64 = 0,
        /// `general`, `common` or `zero_sum` (payoffs in (-1, 1)).
        interests: Interests = Interests::General,
    }
}

impl Rules for RandomMatrix {
    fn form(&self) -> Result<NormalForm, Invalid> {
        let mut form =
            NormalForm::with_shape(&self.actions).map_err(|error| Invalid::new("actions", error.to_string()))?;
        let (players, cells) = (self.actions.len(), form.cells());
        if self.interests == Interests::ZeroSum && players != 2 {
            return Err(Invalid::new("interests", format!("a zero-sum game of {players} players; expected two")));
        }
        let mut rng = Stream::new(0, self.game_seed, "random matrix", "payoffs");
        let mut draw = || (0..cells).map(|_| f64::from(rng.unit())).collect::<Vec<_>>();
        let payoffs = match self.interests {
            Interests::General => (0..players).flat_map(|_| draw()).collect(),
            Interests::Common => draw().repeat(players),
            Interests::ZeroSum => {
                let mine: Vec<f64> = draw().iter().map(|payoff| 2.0 * payoff - 1.0).collect();
                mine.iter().copied().chain(mine.iter().map(|payoff| -payoff)).collect()
            }
        };
        form.set_rounded(payoffs);
        form.title = format!("Random game {}", self.game_seed);
        Ok(form)
    }
}
