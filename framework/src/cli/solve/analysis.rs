//! All that is computed of a game, ready to be shown or written.

use std::time::Duration;

use serde::Serialize;

use super::SolveArgs;
use super::input::Input;
use crate::run::Mistake;
use crate::theory::dominance::{Dominated, eliminate, weakly_dominated};
use crate::theory::lqre::{self, End, Options, Path};
use crate::theory::markov_potential::{self, policy_cycles};
use crate::theory::mixed::mixed_nash;
use crate::theory::potential::{Potential, potential};
use crate::theory::pure_nash::pure_nash;
use crate::theory::{
    Entropy, NormalForm, Objective, Profile, TabularGame, TheoryError, nash_conv, rational, social_optimum,
};

/// Policy cycles that are looked at in games of several states.
const CYCLES: usize = 1_000;
/// Payoffs of larger games are not written out.
const PAYOFFS_SHOWN: usize = 10_000;

#[derive(Debug, Serialize)]
pub(super) struct Analysis {
    pub name: String,
    pub title: String,
    pub players: Vec<Player>,
    pub states: Vec<String>,
    pub discount: f64,
    /// Players x joint actions over all states.
    pub payoff_count: usize,
    /// Only of one-shot games.
    pub one_shot: Option<OneShot>,
    /// Only of games of several states.
    pub policy_cycles: Vec<Cycles>,
    pub optimum: Result<Optimum, String>,
    pub profiles: Vec<Examined>,
    pub lqre: Result<Lqre, String>,
    #[serde(skip)]
    pub table: TabularGame,
}

#[derive(Debug, Serialize)]
pub(super) struct Player {
    pub name: String,
    /// Per state.
    pub actions: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
pub(super) struct OneShot {
    /// Per player, strategies of the last player fastest; none where there are too many.
    pub payoffs: Option<Vec<Vec<String>>>,
    pub exact: bool,
    pub constant_sum: Option<f64>,
    pub strictly_dominated: Vec<Dominance>,
    pub weakly_dominated: Vec<Dominance>,
    pub pure_equilibria: Vec<Vec<String>>,
    pub extreme_equilibria: Result<Mixed, String>,
    pub potential: PotentialFound,
}

#[derive(Debug, Serialize)]
pub(super) struct Dominance {
    pub player: String,
    pub strategy: String,
    pub by: String,
    pub round: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Mixed {
    pub complete: bool,
    pub equilibria: Vec<Examined>,
}

#[derive(Debug, Serialize)]
pub(super) struct PotentialFound {
    pub exists: bool,
    pub values: Option<Vec<f64>>,
    pub violation: f64,
    /// Strategies of all players in the four cells of the worst cycle.
    pub witness: Option<[Vec<String>; 4]>,
    pub exact: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Cycles {
    pub values: &'static str,
    pub cycles: usize,
    pub violation: f64,
    pub relative: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Optimum {
    pub welfare: f64,
    /// Actions of all players, per state.
    pub actions: Vec<Vec<String>>,
    pub residual: f64,
}

/// A profile and how far it is from a Nash equilibrium.
#[derive(Debug, Serialize)]
pub(super) struct Examined {
    pub name: String,
    pub profile: Vec<f64>,
    pub payoffs: Vec<f64>,
    pub gains: Vec<f64>,
    pub nash_conv: f64,
    pub exploitability: f64,
    pub residual: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Lqre {
    pub own_entropy: bool,
    pub equilibria: Vec<LqreAt>,
    pub folds: Vec<f64>,
    pub bifurcations: Vec<f64>,
    /// In words.
    pub end: &'static str,
    pub reached: bool,
    #[serde(skip)]
    pub path: Path,
}

#[derive(Debug, Serialize)]
pub(super) struct LqreAt {
    pub lambda: f64,
    /// How often the path had been there before.
    pub passes: usize,
    /// The largest difference to the logit response.
    pub logit_residual: f64,
    #[serde(flatten)]
    pub examined: Examined,
}

impl Analysis {
    /// Computes everything.
    pub fn new(input: &Input, args: &SolveArgs, limit: Duration) -> Result<Self, Mistake> {
        let refused = |error: TheoryError| {
            let (found, help) = error.what().split_once("; ").unwrap_or((error.what(), "see `equiflow help solve`"));
            Mistake::new(format!("{}: {found}", input.name)).help(help)
        };
        let not_finite = || TheoryError::Invalid("this game is not finite".to_owned());
        let game = input.game().ok_or_else(|| refused(not_finite()))?;
        let table = TabularGame::new(game).map_err(refused)?;
        let computed;
        let form = match game.normal_form() {
            Some(form) => Some(form),
            None if table.is_one_shot() => {
                computed = NormalForm::of_table(&table).map_err(refused)?;
                Some(&computed)
            }
            None => None,
        };
        let mut profiles = vec![examine("uniform", &table, &Profile::uniform(table.layout())).map_err(refused)?];
        for text in &args.profile {
            let profile = parse_profile(text, &table).map_err(refused)?;
            profiles.push(examine(text, &table, &profile).map_err(refused)?);
        }
        let states = 0..table.states();
        let players = table.player_names().iter().enumerate().map(|(player, name)| Player {
            name: name.clone(),
            actions: states.clone().map(|state| table.action_names(player, state).to_vec()).collect(),
        });
        let options = Options {
            lambdas: args.lambda.clone(),
            max_lambda: args.max_lambda,
            own_entropy: !args.no_entropy,
            max_time: limit,
            ..Options::default()
        };
        let lqre = match lqre::trace(&table, &options) {
            Ok(path) => Ok(Lqre::new(path, &table, &options).map_err(refused)?),
            Err(TheoryError::Invalid(what)) => return Err(refused(TheoryError::Invalid(what))),
            Err(error) => Err(error.to_string()),
        };
        Ok(Self {
            name: input.name.clone(),
            title: form.map_or(String::new(), |form| form.title.clone()),
            players: players.collect(),
            states: table.state_names().to_vec(),
            discount: table.discount(),
            payoff_count: table.players() * table.rows(table.states() - 1).end,
            one_shot: form.map(|form| OneShot::new(form, &table, limit)),
            policy_cycles: if form.is_some() { Vec::new() } else { cycles(&table).map_err(refused)? },
            optimum: optimum(&table).map_err(|error| error.to_string()),
            profiles,
            lqre,
            table,
        })
    }

    /// Whether no solver was stopped before its end.
    pub fn is_complete(&self) -> bool {
        let mixed = self.one_shot.as_ref().and_then(|one_shot| one_shot.extreme_equilibria.as_ref().ok());
        mixed.is_none_or(|mixed| mixed.complete) && self.lqre.as_ref().is_ok_and(|lqre| lqre.reached)
    }
}

impl OneShot {
    fn new(form: &NormalForm, table: &TabularGame, limit: Duration) -> Self {
        let names = |cell: usize| names(form, cell);
        let mixed = mixed_nash(form, limit).and_then(|all| {
            let examine = |found: &crate::theory::mixed::Equilibrium| examine("", table, &found.profile);
            let equilibria = all.found.iter().map(examine).collect::<Result<_, _>>()?;
            Ok(Mixed { complete: all.complete, equilibria })
        });
        let text = |player: usize, cell: usize| match form.is_exact() {
            true => form.exact(player, cell).to_string(),
            false => form.payoffs(player)[cell].to_string(),
        };
        let players = 0..form.shape().len();
        let payoffs = || players.map(|player| (0..form.cells()).map(|cell| text(player, cell)).collect()).collect();
        Self {
            payoffs: (form.cells() * form.shape().len() <= PAYOFFS_SHOWN).then(payoffs),
            exact: form.is_exact(),
            constant_sum: form.constant_sum(),
            strictly_dominated: eliminate(form).iter().map(|found| Dominance::new(form, found)).collect(),
            weakly_dominated: weakly_dominated(form).iter().map(|found| Dominance::new(form, found)).collect(),
            pure_equilibria: pure_nash(form).into_iter().map(names).collect(),
            extreme_equilibria: mixed.map_err(|error| error.to_string()),
            potential: PotentialFound::new(form, potential(form)),
        }
    }
}

impl Dominance {
    fn new(form: &NormalForm, found: &Dominated) -> Self {
        let strategy = |strategy: usize| form.strategies(found.player)[strategy].clone();
        Self {
            player: form.players()[found.player].clone(),
            strategy: strategy(found.strategy),
            by: strategy(found.by),
            round: found.round,
        }
    }
}

impl PotentialFound {
    fn new(form: &NormalForm, found: Potential) -> Self {
        let witness = found.witness.map(|cycle| {
            let mut there = form.choices(cycle.cell);
            let first = names(form, cycle.cell);
            let mut named = |player: usize, to: usize| {
                let before = std::mem::replace(&mut there[player], to);
                let cell = crate::theory::tabular::index(&there, form.shape());
                (before, names(form, cell))
            };
            let (one, other) = cycle.players;
            let (before, second) = named(one, cycle.changed.0);
            let (_, third) = named(other, cycle.changed.1);
            let (_, fourth) = named(one, before);
            [first, second, third, fourth]
        });
        let Potential { values, violation, exact, .. } = found;
        Self { exists: values.is_some(), values, violation, witness, exact }
    }
}

impl Lqre {
    fn new(path: Path, table: &TabularGame, options: &Options) -> Result<Self, TheoryError> {
        let mut equilibria = Vec::new();
        for found in &path.equilibria {
            let examined = examine(&format!("lambda {}", found.lambda), table, &found.profile)?;
            let (lambda, passes, logit_residual) = (found.lambda, found.passes, found.residual);
            equilibria.push(LqreAt { lambda, passes, logit_residual, examined });
        }
        let end = match path.end {
            End::Reached => "the largest lambda was reached",
            End::Steps => "all steps were taken before the largest lambda",
            End::Time => "the time was up before the largest lambda",
            End::Lost => "the path was lost before the largest lambda",
        };
        let (folds, bifurcations) = (path.folds.clone(), path.bifurcations.clone());
        let own_entropy = options.own_entropy && !table.is_one_shot();
        Ok(Self { own_entropy, equilibria, folds, bifurcations, end, reached: path.end == End::Reached, path })
    }
}

fn examine(name: &str, table: &TabularGame, profile: &Profile) -> Result<Examined, TheoryError> {
    let found = nash_conv(table, profile)?;
    Ok(Examined {
        name: name.to_owned(),
        profile: profile.values.clone(),
        nash_conv: found.total(),
        exploitability: found.exploitability(),
        residual: found.residual(),
        payoffs: found.values.of_start,
        gains: found.gains,
    })
}

/// All probabilities in order; commas, semicolons and spaces only keep them apart.
fn parse_profile(text: &str, table: &TabularGame) -> Result<Profile, TheoryError> {
    let mut values = Vec::new();
    for part in text.split([',', ';', ' ']).filter(|part| !part.is_empty()) {
        let number = rational::parse(part).ok_or_else(|| {
            let what = format!("the profile has `{part}`; expected probabilities such as 0.25 or 1/4");
            TheoryError::Invalid(what)
        })?;
        values.push(rational::to_f64(&number));
    }
    Profile::new(table.layout(), values)
}

fn optimum(table: &TabularGame) -> Result<Optimum, TheoryError> {
    let found = social_optimum(table)?;
    let welfare = table.start().iter().zip(&found.values).map(|(start, value)| start * value).sum();
    let mut actions = Vec::new();
    for (state, &choice) in found.choice.iter().enumerate() {
        let mut place = choice;
        let mut names = Vec::new();
        for (player, n) in table.shape(state).iter().enumerate().rev() {
            names.push(table.action_names(player, state)[place % n].clone());
            place /= n;
        }
        names.reverse();
        actions.push(names);
    }
    Ok(Optimum { welfare, actions, residual: found.residual })
}

fn cycles(table: &TabularGame) -> Result<Vec<Cycles>, TheoryError> {
    // Fewer where an evaluation takes longer: about a second in all.
    let numbers = table.players() * table.rows(table.states() - 1).end + table.states().pow(2);
    let count = (10_000_000 / numbers.max(1)).clamp(10, CYCLES);
    let kinds = [(Entropy::None, "rewards"), (Entropy::Own, "own entropy"), (Entropy::Shared, "shared entropy")];
    let mut all = Vec::new();
    for (entropy, values) in kinds {
        let found = policy_cycles(table, Objective { entropy, temperature: 1.0 }, count, 0)?;
        // What is rounding is not shown as a violation.
        let violation = if found.relative > markov_potential::ROUNDING { found.violation } else { 0.0 };
        all.push(Cycles { values, cycles: found.cycles, violation, relative: found.relative });
    }
    Ok(all)
}

fn names(form: &NormalForm, cell: usize) -> Vec<String> {
    form.choices(cell).iter().enumerate().map(|(player, choice)| form.strategies(player)[*choice].clone()).collect()
}
