//! The paper's definitions, propositions, lemmas and theorems, each tested by computation: what is claimed, in which
//! reading, on which games, and what came out. Everything is deterministic and exact up to rounding; nothing here is
//! a result written down.

mod check;
mod convergence;
mod crowd;
mod flow;
mod gradient;
mod models;
mod render;
mod suite;
mod values;

pub use check::{Check, Figure, Verdict};
pub use render::{json, markdown, overview, section, verdict};

use super::error::TheoryError;

/// A statement of the paper.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// What a person calls it here, such as `thm-4.2`.
    pub name: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What it claims.
    pub claim: &'static str,
    checks: fn() -> Result<Vec<Check>, TheoryError>,
}

/// A statement with what its checks found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The statement.
    pub statement: Statement,
    /// Its checks, those of the printed reading first.
    pub checks: Vec<Check>,
}

/// What all checks of a statement say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overall {
    /// Everything holds as it is printed.
    Holds,
    /// Not as it is printed, but in the readings named.
    HoldsAsRead(Vec<&'static str>),
    /// It fails as it is printed, and in every reading that was tried.
    Fails,
}

/// All statements, in the paper's order.
pub const STATEMENTS: &[Statement] = &[
    values::EQ_1,
    flow::DEF_4_1,
    flow::THM_4_2,
    flow::SEC_4_2,
    flow::THM_4_3,
    flow::EQ_2,
    flow::KL_EQUILIBRIUM,
    values::DEF_4_4,
    values::PROP_4_5,
    values::PROP_4_6,
    models::PROP_4_7,
    gradient::PROP_5_1,
    convergence::ALG_1,
    convergence::DEF_5_2,
    gradient::PROP_5_3,
    gradient::LEMMA_5_4,
    convergence::MONOTONE,
    convergence::THM_5_5,
    models::EQS_8_10,
];

impl Statement {
    /// Does its checks.
    ///
    /// # Errors
    /// Something could not be computed, which is a fault of the program and no verdict.
    pub fn verify(&self) -> Result<Finding, TheoryError> {
        let mut checks = (self.checks)()?;
        checks.sort_by_key(|check| check.reading.is_some());
        Ok(Finding { statement: *self, checks })
    }
}

impl Finding {
    /// The verdict on the statement.
    pub fn overall(&self) -> Overall {
        let printed_fails = |check: &Check| check.reading.is_none() && check.verdict == Verdict::Fails;
        if !self.checks.iter().any(printed_fails) {
            return Overall::Holds;
        }
        let holding = self.checks.iter().filter(|check| check.verdict == Verdict::Holds);
        let readings: Vec<_> = holding.filter_map(|check| check.reading).collect();
        if readings.is_empty() { Overall::Fails } else { Overall::HoldsAsRead(readings) }
    }

    /// Whether some check found a bound that says nothing.
    pub fn is_vacuous_somewhere(&self) -> bool {
        self.checks.iter().any(|check| check.verdict == Verdict::Vacuous)
    }
}
