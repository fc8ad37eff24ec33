//! Following the path of LQREs from lambda 0: steps along the tangent, Newton's method back to the path, shorter steps
//! where it bends.
//!
//! The path is followed by its length and not by lambda, so it goes round folds, where lambda turns back. Where the
//! determinant of the equations with the tangent changes its sign another branch crosses (a simple bifurcation); the path
//! then goes straight on. A step that would jump over a sharp bend to another branch changes that sign too, and is made
//! ever shorter until it either bends or is known to cross.

use std::time::Duration;

use nalgebra::{DMatrix, DVector};

use super::system::{System, residual};
use crate::theory::deadline::Deadline;
use crate::theory::error::TheoryError;
use crate::theory::lu::Lu;
use crate::theory::profile::Profile;
use crate::theory::tabular::TabularGame;

/// What is asked of a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where equilibria are wanted; not below 0.
    pub lambdas: Vec<f64>,
    /// How far the path is followed; at least to the largest of `lambdas`.
    pub max_lambda: f64,
    /// In Markov games: whether values count the player's own entropy, worth 1 / lambda a nat (the paper's fixed point), or
    /// rewards only.
    pub own_entropy: bool,
    /// Most steps; fewer where the path would take more than [`POINTS_LIMIT`].
    pub max_steps: usize,
    /// Longest step, in logits (and in lambda times the range of the rewards): short ones for a smooth figure.
    pub longest: f64,
    /// Most time.
    pub max_time: Duration,
}

impl Default for Options {
    /// Up to lambda 10, 100,000 steps of any length, one minute.
    fn default() -> Self {
        Self {
            lambdas: Vec::new(),
            max_lambda: 10.0,
            own_entropy: true,
            max_steps: 100_000,
            longest: f64::INFINITY,
            max_time: Duration::from_secs(60),
        }
    }
}

/// An equilibrium at a lambda that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Lqre {
    /// The lambda.
    pub lambda: f64,
    /// The equilibrium.
    pub profile: Profile,
    /// The largest difference to the logit response; see [`residual`].
    pub residual: f64,
    /// How often the path had passed this lambda before: 0 on the principal branch.
    pub passes: usize,
}

/// A point of the path.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its lambda.
    pub lambda: f64,
    /// Its profile.
    pub profile: Profile,
}

/// Why a path was followed no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has come to the largest lambda.
    Reached,
    /// All steps were taken.
    Steps,
    /// The time was up.
    Time,
    /// No step was short enough to stay on it.
    Lost,
}

/// The path from lambda 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Its points in order.
    pub points: Vec<Point>,
    /// The equilibria asked for, in the order in which the path passes them.
    pub equilibria: Vec<Lqre>,
    /// The lambdas of its folds, where it turns back.
    pub folds: Vec<f64>,
    /// The lambdas where another branch crosses.
    pub bifurcations: Vec<f64>,
    /// Why it ends.
    pub end: End,
}

/// Most unknowns, probabilities of all players in all states: half a GiB of matrices, and seconds for each step.
pub const UNKNOWNS_LIMIT: usize = 4_000;
/// Most numbers in a path's points: 1 GiB.
pub const POINTS_LIMIT: usize = 1 << 27;

/// The shortest step, and the first.
const SHORTEST: f64 = 1e-7;
const FIRST: f64 = 0.0437;
/// How closely a crossing is looked at.
const CROSSING: f64 = 1e-5;
/// What is tried at least, however short the step before was: just before a crossing no short step leads over it.
const LEAST: f64 = 1e-3;
/// The angle between the tangents before and behind a step: wished for, and still accepted.
const ANGLE: f64 = 0.12;
const LARGEST_ANGLE: f64 = 0.35;
/// Newton's steps back to the path.
const CORRECTIONS: usize = 6;

/// Follows the path.
///
/// # Errors
/// The options make no sense, there are too many states or unknowns, no start can be found (with discount 1), or not in
/// time.
pub fn trace(game: &TabularGame, options: &Options) -> Result<Path, TheoryError> {
    if let Some(wrong) = options.lambdas.iter().find(|lambda| !(lambda.is_finite() && **lambda >= 0.0)) {
        return Err(TheoryError::Invalid(format!("lambda is {wrong}; expected a number from 0 on")));
    }
    if !(options.max_lambda.is_finite() && options.max_lambda >= 0.0) {
        let what = format!("the largest lambda is {}; expected a number from 0 on", options.max_lambda);
        return Err(TheoryError::Invalid(what));
    }
    let unknowns = game.layout().len();
    if unknowns > UNKNOWNS_LIMIT {
        let what = format!(
            "the profile has {unknowns} probabilities; logit equilibria are followed with at most {UNKNOWNS_LIMIT}"
        );
        return Err(TheoryError::TooLarge(what));
    }
    let mut tracer = Tracer::new(game, options)?;
    let start = tracer.start()?;
    tracer.follow(start, options)
}

/// A point with its tangent, in logits and scaled lambda.
#[derive(Clone, Debug)]
struct Place {
    /// [unknowns + 1], lambda last.
    at: DVector<f64>,
    tangent: DVector<f64>,
    /// Of the determinant of the equations with the tangent: its sign.
    positive: bool,
}

struct Tracer<'g> {
    system: System<'g>,
    own_entropy: bool,
    /// The range of the rewards: lambda is measured in its inverse, so that a step means the same in any game.
    range: f64,
    matrix: DMatrix<f64>,
    errors: Vec<f64>,
    deadline: Deadline,
}

impl<'g> Tracer<'g> {
    fn new(game: &'g TabularGame, options: &Options) -> Result<Self, TheoryError> {
        let deadline = Deadline::after(options.max_time);
        let system = System::new(game, options.own_entropy, deadline)?;
        let mut range: f64 = 0.0;
        for player in 0..game.players() {
            let rewards = (0..game.states()).flat_map(|state| game.rewards(player, state)).copied();
            let (low, high) =
                rewards.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), r| (low.min(r), high.max(r)));
            range = range.max(high - low);
        }
        let unknowns = system.len();
        Ok(Self {
            system,
            own_entropy: options.own_entropy,
            range: if range > 0.0 { range } else { 1.0 },
            matrix: DMatrix::zeros(unknowns + 1, unknowns + 1),
            errors: vec![0.0; unknowns],
            deadline,
        })
    }

    /// Whether the time is up. Then no step is taken any more.
    fn is_late(&self) -> bool {
        self.deadline.is_over()
    }

    fn unknowns(&self) -> usize {
        self.errors.len()
    }

    /// Errors and derivatives at a point; the last row is left for the caller.
    fn linearise(&mut self, at: &DVector<f64>) -> Result<(), TheoryError> {
        let unknowns = self.unknowns();
        let lambda = at[unknowns] / self.range;
        self.system.equations(&at.as_slice()[..unknowns], lambda, &mut self.errors)?;
        self.system.derivatives(lambda, &mut self.matrix)?;
        self.matrix.column_mut(unknowns).scale_mut(1.0 / self.range);
        Ok(())
    }

    /// Newton's step from a point, with `row` as the last equation's derivatives and no error in it.
    fn newton(&mut self, at: &mut DVector<f64>, row: &DVector<f64>) -> Result<Option<f64>, TheoryError> {
        if self.is_late() {
            return Ok(None);
        }
        self.linearise(at)?;
        let unknowns = self.unknowns();
        self.matrix.row_mut(unknowns).copy_from(&row.transpose());
        let mut step = DVector::from_fn(unknowns + 1, |k, _| self.errors.get(k).map_or(0.0, |error| -error));
        if !Lu::new(self.matrix.clone(), self.deadline)?.solve_vector_mut(&mut step)
            || step.iter().any(|x| !x.is_finite())
        {
            return Ok(None);
        }
        *at += &step;
        Ok(Some(step.norm()))
    }

    /// Newton's method; `None` where it does not come to rest at once. Ends at the limit of rounding.
    fn correct(&mut self, from: &DVector<f64>, row: &DVector<f64>) -> Result<Option<DVector<f64>>, TheoryError> {
        let mut at = from.clone();
        let mut before = f64::INFINITY;
        for _ in 0..CORRECTIONS {
            let Some(step) = self.newton(&mut at, row)? else { return Ok(None) };
            if step <= 1e-13 * (1.0 + at.amax()) {
                return Ok(Some(at));
            }
            if step > 0.5 * before {
                // Rounding has the last word, unless it is far off.
                return Ok((before < 1e-9 * (1.0 + at.amax())).then_some(at));
            }
            before = step;
        }
        Ok((before < 1e-9 * (1.0 + at.amax())).then_some(at))
    }

    /// The tangent at a point of the path that leads on in the direction of `onwards`.
    fn place(&mut self, at: DVector<f64>, onwards: &DVector<f64>) -> Result<Option<Place>, TheoryError> {
        if self.is_late() {
            return Ok(None);
        }
        let unknowns = self.unknowns();
        self.linearise(&at)?;
        self.matrix.row_mut(unknowns).copy_from(&onwards.transpose());
        let lu = Lu::new(self.matrix.clone(), self.deadline)?;
        let mut tangent = DVector::zeros(unknowns + 1);
        tangent[unknowns] = 1.0;
        if !lu.solve_vector_mut(&mut tangent) || tangent.iter().any(|x| !x.is_finite()) {
            return Ok(None);
        }
        // The sign of the determinant with `onwards` as the last row is that with the tangent, as their product is positive.
        let (positive, pivots) = (lu.is_positive(), lu.pivots());
        // On a crossing itself there is no one tangent, and rounding would choose the branch: the step must end elsewhere.
        if pivots.amin() < 1e-11 * pivots.amax() {
            return Ok(None);
        }
        tangent.normalize_mut();
        Ok(Some(Place { at, tangent, positive }))
    }

    /// The point at lambda 0. Without entropy in the values, or in a one-shot game, it is the uniform profile.
    fn start(&mut self) -> Result<Place, TheoryError> {
        let unknowns = self.unknowns();
        let mut lambda = DVector::zeros(unknowns + 1);
        lambda[unknowns] = 1.0;
        let mut at = DVector::zeros(unknowns + 1);
        for _ in 0..200 {
            match self.newton(&mut at, &lambda)? {
                Some(step) if step > 1e-14 * (1.0 + at.amax()) => {}
                _ => break,
            }
        }
        let start = self.place(at, &lambda)?;
        self.deadline.check()?;
        start.ok_or_else(|| {
            let what =
                "there is no single profile at lambda 0 from which the path could start; try values without entropy";
            TheoryError::Unsolved(what.to_owned())
        })
    }

    /// The next place at most `length` on.
    fn step(&mut self, from: &Place, length: f64) -> Result<Option<Place>, TheoryError> {
        let predicted = &from.at + length * &from.tangent;
        let Some(at) = self.correct(&predicted, &from.tangent)? else { return Ok(None) };
        // A correction as long as the step leads anywhere.
        if (&at - &predicted).norm() > 0.3 * length {
            return Ok(None);
        }
        self.place(at, &from.tangent)
    }

    fn follow(&mut self, start: Place, options: &Options) -> Result<Path, TheoryError> {
        let unknowns = self.unknowns();
        let farthest = options.lambdas.iter().fold(options.max_lambda, |most, lambda| most.max(*lambda)) * self.range;
        let mut path = Path {
            points: Vec::new(),
            equilibria: Vec::new(),
            folds: Vec::new(),
            bifurcations: Vec::new(),
            end: End::Steps,
        };
        path.points.push(self.point(&start.at));
        for _ in options.lambdas.iter().filter(|lambda| **lambda == 0.0) {
            path.equilibria.push(self.equilibrium(&start.at, 0.0, &[])?);
        }
        let (mut here, mut length) = (start, FIRST);
        for _ in 0..options.max_steps.min(POINTS_LIMIT / unknowns) {
            if here.at[unknowns] >= farthest {
                path.end = End::Reached;
                break;
            }
            let next = match self.next(&here, length, options, &mut path) {
                Err(TheoryError::Late) => None,
                next => next?,
            };
            let Some((next, used)) = next else {
                path.end = if self.is_late() { End::Time } else { End::Lost };
                break;
            };
            let angle = angle(&here.tangent, &next.tangent);
            length = used * (ANGLE / angle.max(1e-3)).clamp(0.5, 2.0);
            path.points.push(self.point(&next.at));
            here = next;
        }
        Ok(path)
    }

    /// The longest step up to `length` that surely stays on the path, with its length. What it passes goes to the path's
    /// lists.
    fn next(
        &mut self,
        here: &Place,
        length: f64,
        options: &Options,
        path: &mut Path,
    ) -> Result<Option<(Place, f64)>, TheoryError> {
        let mut length = length.min(options.longest).max(LEAST);
        // The shortest step that crosses another branch, with the equilibria that it passes.
        let mut crossing = None;
        while length >= SHORTEST && !self.is_late() {
            let next = self.step(here, length)?;
            let next = next.filter(|next| angle(&here.tangent, &next.tangent) <= LARGEST_ANGLE);
            let passed =
                next.as_ref().map(|next| self.passed(here, next, length, options, path)).transpose()?.flatten();
            if let (Some(next), Some(passed)) = (next, passed) {
                if next.positive == here.positive {
                    return self.take(here, next, passed, length, path).map(Some);
                }
                // Seen from closer by, does the path bend away or go straight through?
                crossing = Some((next, passed, length));
                if length < CROSSING {
                    break;
                }
            }
            length *= 0.5;
        }
        // What the time did not suffice to look at closely may be a jump.
        match crossing.filter(|_| !self.is_late()) {
            Some((next, passed, length)) => {
                let unknowns = self.unknowns();
                path.bifurcations.push(0.5 * (here.at[unknowns] + next.at[unknowns]) / self.range);
                self.take(here, next, passed, length, path).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Notes what a step passes.
    fn take(
        &mut self,
        here: &Place,
        next: Place,
        passed: Vec<Lqre>,
        length: f64,
        path: &mut Path,
    ) -> Result<(Place, f64), TheoryError> {
        let unknowns = self.unknowns();
        if here.tangent[unknowns] * next.tangent[unknowns] < 0.0 {
            path.folds.push(self.fold(here, length)?);
        }
        path.equilibria.extend(passed);
        Ok((next, length))
    }

    /// The equilibria asked for between two places; `None` where one cannot be told for sure.
    fn passed(
        &mut self,
        here: &Place,
        next: &Place,
        length: f64,
        options: &Options,
        path: &Path,
    ) -> Result<Option<Vec<Lqre>>, TheoryError> {
        let unknowns = self.unknowns();
        let (from, to) = (here.at[unknowns], next.at[unknowns]);
        let mut lambdas: Vec<f64> = options.lambdas.clone();
        lambdas.retain(|lambda| {
            let lambda = lambda * self.range;
            (from < lambda && lambda <= to) || (to <= lambda && lambda < from)
        });
        lambdas.sort_by(|x, y| if from < to { x.total_cmp(y) } else { y.total_cmp(x) });
        let mut fixed = DVector::zeros(unknowns + 1);
        fixed[unknowns] = 1.0;
        let mut found = Vec::new();
        for lambda in lambdas {
            let share = (lambda * self.range - from) / (to - from);
            let mut guess = hermite(here, next, length, share);
            guess[unknowns] = lambda * self.range;
            self.linearise(&guess)?;
            if self.errors.iter().all(|error| error.abs() <= 1e-13 * (1.0 + guess.amax())) {
                // As on a crossing, where Newton's method has no direction.
                found.push(self.equilibrium(&guess, lambda, &path.equilibria)?);
                continue;
            }
            match self.correct(&guess, &fixed)? {
                Some(at) if (&at - &guess).norm() <= 0.2 * length => {
                    found.push(self.equilibrium(&at, lambda, &path.equilibria)?);
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    fn equilibrium(&self, at: &DVector<f64>, lambda: f64, before: &[Lqre]) -> Result<Lqre, TheoryError> {
        let profile = self.point(at).profile;
        let residual = residual(self.system.game, &profile, lambda, self.own_entropy)?;
        let passes = before.iter().filter(|other| other.lambda == lambda).count();
        Ok(Lqre { lambda, profile, residual, passes })
    }

    fn point(&self, at: &DVector<f64>) -> Point {
        let unknowns = self.unknowns();
        let mut profile = Profile::uniform(self.system.game.layout());
        profile.values.copy_from_slice(&at.as_slice()[..unknowns]);
        profile.each(|_, _, part| crate::theory::profile::softmax(part));
        Point { lambda: at[unknowns] / self.range, profile }
    }

    /// The lambda at which the path turns back within a step, by bisection.
    fn fold(&mut self, here: &Place, length: f64) -> Result<f64, TheoryError> {
        let unknowns = self.unknowns();
        let (mut low, mut high) = (0.0, length);
        let mut lambda = here.at[unknowns];
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            let Some(place) = self.step(here, middle)? else { break };
            lambda = place.at[unknowns];
            if place.tangent[unknowns] * here.tangent[unknowns] > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(lambda / self.range)
    }
}

fn angle(one: &DVector<f64>, other: &DVector<f64>) -> f64 {
    one.dot(other).clamp(-1.0, 1.0).acos()
}

/// The cubic through two places with their tangents, at a share of the way.
fn hermite(here: &Place, next: &Place, length: f64, t: f64) -> DVector<f64> {
    let (t2, t3) = (t * t, t * t * t);
    (2.0 * t3 - 3.0 * t2 + 1.0) * &here.at
        + length * (t3 - 2.0 * t2 + t) * &here.tangent
        + (3.0 * t2 - 2.0 * t3) * &next.at
        + length * (t3 - t2) * &next.tangent
}
