//! One test of one reading of a statement.

use serde::Serialize;

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds in all cases that were tried.
    Holds,
    /// There is a case in which it does not.
    Fails,
    /// It cannot fail, since it says nothing: a bound above everything that is possible.
    Vacuous,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Vacuous => "vacuous",
        })
    }
}

/// A number that a check found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// The number.
    pub value: f64,
}

/// One test of one reading of a statement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// In which reading; `None`: as it is printed.
    pub reading: Option<&'static str>,
    /// How it is tested.
    pub how: &'static str,
    /// On what.
    pub games: Vec<String>,
    /// What came out.
    pub verdict: Verdict,
    /// The smallest case that was found against it, or the closest.
    pub witness: Option<String>,
    /// Numbers.
    pub figures: Vec<Figure>,
}

impl Check {
    /// A test of the statement as it is printed. It holds until something is found against it.
    pub fn printed(how: &'static str) -> Self {
        Self { reading: None, how, games: Vec::new(), verdict: Verdict::Holds, witness: None, figures: Vec::new() }
    }

    /// A test of the statement in a reading.
    pub fn read_as(reading: &'static str, how: &'static str) -> Self {
        Self { reading: Some(reading), ..Self::printed(how) }
    }

    /// On this game too.
    pub fn on(&mut self, game: impl Into<String>) {
        let game = game.into();
        if !self.games.contains(&game) {
            self.games.push(game);
        }
    }

    /// With this number.
    pub fn figure(&mut self, name: impl Into<String>, value: f64) {
        self.figures.push(Figure { name: name.into(), value });
    }

    /// With the largest of the numbers given under this name.
    pub fn most(&mut self, name: &str, value: f64) {
        self.keep(name, value, f64::max);
    }

    /// With the least of the numbers given under this name.
    pub fn least(&mut self, name: &str, value: f64) {
        self.keep(name, value, f64::min);
    }

    fn keep(&mut self, name: &str, value: f64, choose: fn(f64, f64) -> f64) {
        match self.figures.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.value = choose(figure.value, value),
            None => self.figure(name, value),
        }
    }

    /// The number under this name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// A case: it fails unless `holds`, and the first case against it is kept.
    pub fn case(&mut self, holds: bool, witness: impl FnOnce() -> String) {
        if !holds && self.verdict != Verdict::Fails {
            self.verdict = Verdict::Fails;
            self.witness = Some(witness());
        }
    }
}
