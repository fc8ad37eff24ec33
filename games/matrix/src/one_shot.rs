//! What all games of the family share: parameters make a normal form, and the normal form is played.

use equiflow::params::Params;
use equiflow::prelude::*;
use equiflow::theory::NormalForm;

/// Parameters that make a one-shot game.
pub trait Rules: Params {
    /// The game.
    ///
    /// # Errors
    /// The parameter that makes no sense.
    fn form(&self) -> Result<NormalForm, Invalid>;
}

/// A one-shot game in the world. Choices are the strategies' numbers, players see the constant 1.
#[derive(Debug)]
pub struct OneShot<R> {
    form: NormalForm,
    table: TabularGame,
    rules: std::marker::PhantomData<R>,
}

impl<R: Rules> Game for OneShot<R> {
    type Params = R;
    /// The only one.
    type State = usize;

    fn new(params: R) -> Result<Self, Invalid> {
        let form = params.form()?;
        let table = TabularGame::new(&form).map_err(|error| Invalid { field: None, what: error.to_string() })?;
        Ok(Self { form, table, rules: std::marker::PhantomData })
    }

    fn spec(&self) -> GameSpec {
        let mut spec = self.table.spec();
        if spec.common_reward {
            let best = self.form.payoffs(0).iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let tolerance = 0.01 * best.abs().max(1e-3);
            spec.best_known = Some(BestKnown {
                value: best,
                tolerance,
                both_sides: false,
                source: "the best cell".to_owned(),
                place: None,
            });
        }
        spec
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
        Some(&self.form)
    }
}

/// A game of two players from tables [row][column] of payoffs.
pub fn bimatrix(title: &str, names: [&[&str]; 2], tables: [&[&[f64]]; 2]) -> Result<NormalForm, Invalid> {
    let invalid = |error: TheoryError| Invalid { field: None, what: error.to_string() };
    let strategies = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()).to_vec();
    let players = ["Row", "Column"].map(str::to_owned).to_vec();
    let mut form = NormalForm::new(players, strategies).map_err(invalid)?;
    title.clone_into(&mut form.title);
    for (player, table) in tables.into_iter().enumerate() {
        for (cell, payoff) in table.iter().copied().flatten().enumerate() {
            form.set(player, cell, &exact(*payoff)?);
        }
    }
    Ok(form)
}

/// The fraction that the decimals of a parameter mean: 0.1 is a tenth.
pub fn exact(payoff: f64) -> Result<equiflow::theory::Rational, Invalid> {
    equiflow::theory::rational::parse(&payoff.to_string())
        .ok_or_else(|| Invalid { field: None, what: format!("a payoff is {payoff}; expected a finite number") })
}
