//! Tabular Markov games: congestion with a distancing state, two-link routing, two states of identical interest. Their
//! rules stand in [`equiflow::theory::games`], since `equiflow verify` tests the paper on them; here they play in the
//! world.

use equiflow::prelude::*;
use equiflow::theory::games::{Congestion, TwoLink, TwoState};

/// Makes rules with parameters a game: written out as tables, which the world and the solvers share.
macro_rules! tabular_game {
    ($($(#[doc = $doc:literal])* $Game:ident($Rules:ty, $size:literal);)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug)]
        pub struct $Game {
            table: TabularGame,
        }

        impl Game for $Game {
            type Params = $Rules;
            type State = usize;

            fn new(rules: $Rules) -> Result<Self, Invalid> {
                rules.check()?;
                let table = TabularGame::new(&rules).map_err(|error| Invalid::new($size, error.what()))?;
                Ok(Self { table })
            }
            fn spec(&self) -> GameSpec {
                self.table.spec()
            }
            fn reset(&self, rng: &mut Stream) -> usize {
                self.table.reset(rng)
            }
            fn observe(&self, state: &usize, _player: usize, out: &mut [f32]) {
                self.table.observe(*state, out);
            }
            fn step(&self, state: &mut usize, actions: &Joint, rng: &mut Stream, rewards: &mut [f32]) -> Status {
                self.table.step(state, actions, rng, rewards)
            }
            fn finite(&self) -> Option<&dyn FiniteGame> {
                Some(&self.table)
            }
        }
    )*};
}

tabular_game! {
    /// See [`Congestion`].
    CongestionGame(Congestion, "players");
    /// See [`TwoLink`].
    TwoLinkGame(TwoLink, "players");
    /// See [`TwoState`].
    TwoStateGame(TwoState, "scale");
}

equiflow::export_plugin! {
    games {
        congestion: CongestionGame,
        two_link: TwoLinkGame,
        two_state: TwoStateGame,
    }
}
