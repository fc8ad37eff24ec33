//! Games whose payoffs are given: in the run file, or as a file of Gambit's.

use std::path::Path;

use equiflow::prelude::*;
use equiflow::theory::rational::{self, Rational};
use equiflow::theory::{NormalForm, nfg};

use crate::one_shot::{Rules, exact};

params! {
    /// A one-shot game with the payoffs given here or in a file. For two players, `payoffs: [[[3, 0], [5, 1]], [[3, 5],
    /// [0, 1]]]` is one table [row][column] per player; more players have deeper tables.
    pub struct Matrix {
        /// One table per player, nested as deep as there are players. Fractions are texts, such as "1/3".
        payoffs: Vec<Payoffs> = Vec::new(),
        /// A Gambit file (`.nfg`); relative to where the program is started.
        file: String = String::new(),
    }
}

/// A payoff or a table of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", untagged)]
pub enum Payoffs {
    /// A payoff; its decimals are meant exactly.
    Number(f64),
    /// A payoff as a fraction.
    Fraction(String),
    /// One table per strategy.
    Table(Vec<Payoffs>),
}

impl Rules for Matrix {
    fn form(&self) -> Result<NormalForm, Invalid> {
        match (self.payoffs.is_empty(), self.file.is_empty()) {
            (false, true) => given(&self.payoffs),
            (true, false) => nfg::open(Path::new(&self.file)).map_err(|error| {
                Invalid::new("file", format!("{}:{error}", self.file).replace(":the file", ": the file"))
            }),
            (true, true) => Err(Invalid {
                field: None,
                what: "no payoffs are given; expected `payoffs: ...` or `file: ...`".to_owned(),
            }),
            (false, false) => {
                Err(Invalid::new("file", "the payoffs are given twice; expected `payoffs` or `file` alone"))
            }
        }
    }
}

fn given(payoffs: &[Payoffs]) -> Result<NormalForm, Invalid> {
    let wrong = |what: String| Invalid::new("payoffs", what);
    let players = payoffs.len();
    // The first player's table tells the shape.
    let mut shape = Vec::new();
    let mut table = &payoffs[0];
    while let Payoffs::Table(parts) = table {
        shape.push(parts.len());
        let Some(first) = parts.first() else { return Err(wrong("a table is empty; expected payoffs".to_owned())) };
        table = first;
    }
    if shape.len() != players {
        let what = format!(
            "there are {players} tables, nested {} deep; expected one table per player, nested as deep as there are players",
            shape.len()
        );
        return Err(wrong(what));
    }
    let mut form = NormalForm::with_shape(&shape).map_err(|error| wrong(error.to_string()))?;
    for (player, table) in payoffs.iter().enumerate() {
        let mut flat = Vec::new();
        flatten(table, &shape, &mut flat).map_err(|what| wrong(format!("in the table of player {player} {what}")))?;
        flat.iter().enumerate().for_each(|(cell, payoff)| form.set(player, cell, payoff));
    }
    Ok(form)
}

/// The payoffs of a table in order, if it has the shape.
fn flatten(table: &Payoffs, shape: &[usize], out: &mut Vec<Rational>) -> Result<(), String> {
    match (table, shape.split_first()) {
        (Payoffs::Table(parts), Some((n, rest))) if parts.len() == *n => {
            parts.iter().try_for_each(|part| flatten(part, rest, out))
        }
        (Payoffs::Table(parts), Some((n, _))) => {
            Err(format!("there are {} entries; expected {n}, as in the first", parts.len()))
        }
        (Payoffs::Number(number), None) => {
            out.push(exact(*number).map_err(|invalid| invalid.what)?);
            Ok(())
        }
        (Payoffs::Fraction(text), None) => {
            out.push(
                rational::parse(text).ok_or_else(|| format!("there is `{text}`; expected a number or a fraction"))?,
            );
            Ok(())
        }
        _ => Err("the tables are nested unevenly; expected all of the same depth".to_owned()),
    }
}
