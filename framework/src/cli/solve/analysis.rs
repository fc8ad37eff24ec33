//! All that is computed of a game, ready to be shown or written.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::SolveArgs;
use super::input::Input;
use crate::run::Mistake;
use crate::theory::dominance::{self, Dominated, eliminate, weakly_dominated};
use crate::theory::lqre::{self, End, Options, Path};
use crate::theory::markov_potential::{self, PolicyCycles, policy_cycles_within};
use crate::theory::mixed::mixed_nash;
use crate::theory::potential::{Potential, potential_within};
use crate::theory::pure_nash::{pure_nash_within, regrets};
use crate::theory::{
    Entropy, Layout, NormalForm, Objective, Profile, TabularGame, TheoryError, nash_conv, rational, social_optimum,
};

/// Policy cycles that are looked at in games of several states.
const CYCLES: usize = 1_000;
/// Longest step along the path of logit equilibria, in logits: a line through its points looks smooth.
const LONGEST_STEP: f64 = 0.25;
/// What an evaluation goes through in a second, to tell beforehand how long it takes.
const NUMBERS_PER_SECOND: f64 = 1e9;
/// Longer lists of payoffs or pure equilibria are not written out in full.
pub(super) const MOST_LISTED: usize = 10_000;

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
    #[serde(serialize_with = "or_error")]
    pub policy_cycles: Result<Vec<Cycles>, String>,
    #[serde(serialize_with = "or_error")]
    pub optimum: Result<Optimum, String>,
    pub profiles: Vec<Examined>,
    #[serde(serialize_with = "or_error")]
    pub lqre: Result<Lqre, String>,
    /// Where a profile's numbers stand.
    #[serde(skip)]
    pub layout: Arc<Layout>,
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
    #[serde(serialize_with = "or_error")]
    pub constant_sum: Result<Option<f64>, String>,
    pub strictly_dominated: Dominance,
    pub weakly_dominated: Dominance,
    #[serde(serialize_with = "or_error")]
    pub pure_equilibria: Result<Pure, String>,
    /// Only of games of two players.
    pub extreme_equilibria: Option<Mixed>,
    pub potential: PotentialFound,
}

#[derive(Debug, Serialize)]
pub(super) struct Dominance {
    pub complete: bool,
    pub strategies: Vec<DominatedStrategy>,
}

#[derive(Debug, Serialize)]
pub(super) struct DominatedStrategy {
    pub player: String,
    pub strategy: String,
    pub by: String,
    pub round: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Pure {
    pub count: usize,
    /// The first of them.
    pub listed: Vec<PureEquilibrium>,
}

#[derive(Debug, Serialize)]
pub(super) struct PureEquilibrium {
    pub strategies: Vec<String>,
    pub regret: f64,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Mixed {
    Found { complete: bool, equilibria: Vec<Examined> },
    Refused { error: String },
}

#[derive(Debug, Serialize)]
pub(super) struct PotentialFound {
    /// Not known where the time was up before a witness was found.
    pub exists: Option<bool>,
    /// None where there are too many.
    pub values: Option<Vec<f64>>,
    pub violation: f64,
    /// Strategies of all players in the four cells of the worst cycle that was looked at.
    pub witness: Option<[Vec<String>; 4]>,
    pub exact: bool,
    /// Whether all cycles were looked at.
    pub complete: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Cycles {
    pub values: &'static str,
    /// How many were looked at.
    pub cycles: usize,
    /// Whether these are as many as were meant to be; else the time was up.
    pub complete: bool,
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
    /// Lambdas asked for to which the path did not come.
    pub missing: Vec<f64>,
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
        check_duration(&table, limit).map_err(refused)?;
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
            longest: LONGEST_STEP,
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
            policy_cycles: match form {
                Some(_) => Ok(Vec::new()),
                None => cycles(&table, limit).map_err(|error| error.to_string()),
            },
            optimum: optimum(&table).map_err(|error| error.to_string()),
            profiles,
            lqre,
            layout: Arc::clone(table.layout()),
        })
    }

    /// Whether no solver was stopped before its end, or refused the game for its size.
    pub fn is_complete(&self) -> bool {
        let path = self.lqre.as_ref().is_ok_and(|lqre| lqre.reached);
        let one_shot = self.one_shot.as_ref().is_none_or(OneShot::is_complete);
        let cycles = self.policy_cycles.as_ref().is_ok_and(|kinds| kinds.iter().all(|cycles| cycles.complete));
        path && one_shot && cycles && self.optimum.is_ok()
    }
}

impl OneShot {
    fn new(form: &NormalForm, table: &TabularGame, limit: Duration) -> Self {
        let text = |player: usize, cell: usize| match form.is_exact() {
            true => form.exact(player, cell).to_string(),
            false => form.payoffs(player)[cell].to_string(),
        };
        let players = 0..form.shape().len();
        let payoffs = || players.map(|player| (0..form.cells()).map(|cell| text(player, cell)).collect()).collect();
        Self {
            payoffs: (form.cells() * form.shape().len() <= MOST_LISTED).then(payoffs),
            exact: form.is_exact(),
            constant_sum: form.constant_sum_within(limit).map_err(|error| error.to_string()),
            strictly_dominated: Dominance::new(form, eliminate(form, limit)),
            weakly_dominated: Dominance::new(form, weakly_dominated(form, limit)),
            pure_equilibria: Pure::new(form, limit).map_err(|error| error.to_string()),
            extreme_equilibria: (form.shape().len() == 2).then(|| Mixed::new(form, table, limit)),
            potential: PotentialFound::new(form, potential_within(form, limit)),
        }
    }

    fn is_complete(&self) -> bool {
        let mixed = match self.extreme_equilibria {
            Some(Mixed::Found { complete, .. }) => complete,
            Some(Mixed::Refused { .. }) => false,
            None => true,
        };
        let known = self.constant_sum.is_ok() && self.pure_equilibria.is_ok();
        known && mixed && self.strictly_dominated.complete && self.weakly_dominated.complete && self.potential.complete
    }
}

impl Dominance {
    fn new(form: &NormalForm, all: dominance::Dominance) -> Self {
        let one = |found: &Dominated| {
            let strategy = |strategy: usize| form.strategies(found.player)[strategy].clone();
            let player = form.players()[found.player].clone();
            let (strategy, by) = (strategy(found.strategy), strategy(found.by));
            DominatedStrategy { player, strategy, by, round: found.round }
        };
        Self { complete: all.complete, strategies: all.found.iter().map(one).collect() }
    }
}

impl Pure {
    fn new(form: &NormalForm, limit: Duration) -> Result<Self, TheoryError> {
        let cells = pure_nash_within(form, limit)?;
        let first = &cells[..cells.len().min(MOST_LISTED)];
        let one = |(cell, regret): (&usize, f64)| PureEquilibrium { strategies: names(form, *cell), regret };
        let listed = first.iter().zip(regrets(form, first)).map(one).collect();
        Ok(Self { count: cells.len(), listed })
    }
}

impl Mixed {
    fn new(form: &NormalForm, table: &TabularGame, limit: Duration) -> Self {
        let found = mixed_nash(form, limit).and_then(|all| {
            let equilibria = all.found.iter().map(|found| examine("", table, &found.profile));
            Ok(Self::Found { complete: all.complete, equilibria: equilibria.collect::<Result<_, _>>()? })
        });
        found.unwrap_or_else(|error| Self::Refused { error: error.to_string() })
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
        let Potential { values, violation, exact, complete, .. } = found;
        let exists = (complete || witness.is_some()).then_some(witness.is_none());
        let values = values.filter(|values| values.len() <= MOST_LISTED);
        Self { exists, values, violation, witness, exact, complete }
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
            End::Steps => "broken off: all steps were taken before the largest lambda",
            End::Time => "broken off: the time was up before the largest lambda",
            End::Lost => "lost before the largest lambda: no step was short enough to stay on it",
        };
        let (folds, bifurcations) = (path.folds.clone(), path.bifurcations.clone());
        let own_entropy = options.own_entropy && !table.is_one_shot();
        let found = |lambda: &f64| equilibria.iter().any(|one: &LqreAt| one.lambda == *lambda);
        let missing = options.lambdas.iter().copied().filter(|lambda| !found(lambda)).collect();
        let reached = path.end == End::Reached;
        Ok(Self { own_entropy, equilibria, folds, bifurcations, missing, end, reached, path })
    }
}

/// That an exact evaluation, of which every solver needs some, takes no longer than a solver may.
fn check_duration(table: &TabularGame, limit: Duration) -> Result<(), TheoryError> {
    let (players, states) = (table.players() as f64, table.states() as f64);
    let rows = table.rows(table.states() - 1).end as f64;
    // Each player's rewards are averaged over all joint actions, and so are the transitions before it. A best response
    // solves some linear systems.
    let numbers = rows * players * players + if states > 1.0 { states.powi(3) * (1.0 + 3.0 * players) } else { 0.0 };
    let seconds = numbers / NUMBERS_PER_SECOND;
    if seconds <= limit.as_secs_f64() {
        return Ok(());
    }
    let what = format!(
        "an exact evaluation of {players} players, {states} states and {rows} joint actions takes about {seconds:.0} \
         seconds, and a solver at most {}; allow more by --time",
        limit.as_secs()
    );
    Err(TheoryError::TooLarge(what))
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

fn cycles(table: &TabularGame, limit: Duration) -> Result<Vec<Cycles>, TheoryError> {
    // Fewer where an evaluation takes longer: some seconds in all.
    let cost = table.players() * table.rows(table.states() - 1).end + table.states().saturating_pow(3) / 10;
    let count = (100_000_000 / cost.max(1)).min(CYCLES);
    if count == 0 {
        let what = format!("the game has {} states and {cost:.0e} numbers to go through for each", table.states());
        return Err(TheoryError::TooLarge(what));
    }
    let kinds = [(Entropy::None, "rewards"), (Entropy::Own, "own entropy"), (Entropy::Shared, "shared entropy")];
    let mut all = Vec::new();
    for (entropy, values) in kinds {
        let objective = Objective { entropy, temperature: 1.0 };
        let found = policy_cycles_within(table, objective, count, 0, limit / kinds.len() as u32)?;
        // What is rounding is not shown as a violation.
        let violation = if found.relative > markov_potential::ROUNDING { found.violation } else { 0.0 };
        let PolicyCycles { cycles, complete, relative, .. } = found;
        all.push(Cycles { values, cycles, complete, violation, relative });
    }
    Ok(all)
}

fn names(form: &NormalForm, cell: usize) -> Vec<String> {
    form.choices(cell).iter().enumerate().map(|(player, choice)| form.strategies(player)[*choice].clone()).collect()
}

/// What was computed, or `{"error": why not}`.
fn or_error<T: Serialize, S: Serializer>(result: &Result<T, String>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Refused<'e> {
        error: &'e str,
    }
    match result {
        Ok(value) => value.serialize(serializer),
        Err(error) => Refused { error }.serialize(serializer),
    }
}
