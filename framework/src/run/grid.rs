//! Grids: one entry of a run file that stands for one entry per combination of parameter values, as in
//! `Grid(label: "wide", all: maddpg(), over: {"batch": [64, 512], "discount": [0.9, 0.95]})`.
//!
//! A grid is expanded while the file is read. Its cells are ordinary entries that know where in the grid they lie;
//! nothing else in the program knows of grids but the report, which draws their maps.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::file::{EntryText, PlayersText, Reader};
use super::text::{self, Call, FieldText};

/// The most entries that a grid stands for.
const MOST_CELLS: usize = 1_000;

const GRID_FIELDS: &[&str] = &["label", "all", "over", "game"];

/// Where in which grid an entry lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The grid's label.
    pub grid: String,
    /// Per axis, in the run file's order: the parameter and its value.
    pub at: Vec<(String, String)>,
}

impl Cell {
    /// How records and reports name the entry, such as `wide batch=64 discount=0.9`.
    fn label(&self) -> String {
        let at = self.at.iter().map(|(parameter, value)| format!(" {parameter}={value}"));
        self.grid.clone() + &at.collect::<String>()
    }
}

/// One parameter that varies over a grid.
struct AxisText {
    /// Its name, without quotation marks.
    key: Range<usize>,
    /// Its values, at least one, no two alike.
    values: Vec<Range<usize>>,
}

impl Reader<'_> {
    /// The cells of `Grid(...)`, the last axis running fastest; `None`, with the mistakes told, when it is none.
    pub(super) fn grid(&mut self, call: &Call, range: &Range<usize>) -> Option<Vec<EntryText>> {
        self.check_fields(call, "a grid", GRID_FIELDS);
        let label: Option<String> = match call.field(self.text, "label").cloned() {
            Some(field) => Some(self.value("label", &field)?),
            None => None,
        };
        let Some(all) = call.field(self.text, "all").map(|field| field.value.clone()) else {
            let help = "add `all: ...`: the algorithm of every player, with what all cells have in common";
            self.wrong(call.name.clone(), "the field `all` is missing", help);
            return None;
        };
        let axes = self.axes(call)?;
        let algorithm = Call::parse(self.text, all.clone()).map(|call| self.text[call.name].to_owned());
        let grid = label.or(algorithm).unwrap_or_default();
        let game = call.field(self.text, "game").map(|field| field.value.clone());
        let cells = combinations(&axes).into_iter().map(|over| {
            let at = |field: &FieldText| (self.text[field.key.clone()].to_owned(), shown(self.text, &field.value));
            let cell = Cell { grid: grid.clone(), at: over.iter().map(at).collect() };
            EntryText {
                range: range.clone(),
                label: Some((cell.label(), call.name.clone())),
                players: PlayersText::All(all.clone()),
                game: game.clone(),
                over,
                cell: Some(cell),
            }
        });
        Some(cells.collect())
    }

    fn axes(&mut self, call: &Call) -> Option<Vec<AxisText>> {
        let help = "expected parameters with the values to try, such as `over: {\"batch\": [64, 512]}`";
        let Some(over) = call.field(self.text, "over").map(|field| field.value.clone()) else {
            self.wrong(call.name.clone(), "the field `over` is missing", help);
            return None;
        };
        let Some(map) = Call::parse_map(self.text, over.clone()) else {
            self.wrong(over, "`over` is not a map", help);
            return None;
        };
        let before = self.mistakes.len();
        for odd in &map.odd {
            self.wrong(odd.clone(), "`over` has names in quotation marks with lists of values only", help);
        }
        let mut axes: Vec<AxisText> = Vec::new();
        for FieldText { key, value } in &map.fields {
            let name = &self.text[key.clone()];
            let values = text::items(self.text, value.clone());
            let twice = axes.iter().any(|axis| &self.text[axis.key.clone()] == name);
            match values {
                _ if twice => {
                    self.wrong(key.clone(), format!("the parameter `{name}` is given twice"), "remove one of them");
                }
                None => self.wrong(value.clone(), format!("the values of `{name}` are not a list"), help),
                Some(values) if values.is_empty() => {
                    self.wrong(value.clone(), format!("`{name}` has no value to try"), help);
                }
                Some(values) => {
                    self.check_values(&values);
                    axes.push(AxisText { key: key.clone(), values });
                }
            }
        }
        if map.fields.is_empty() && map.odd.is_empty() {
            self.wrong(over.clone(), "`over` names no parameter", help);
        }
        let cells = axes.iter().fold(1usize, |cells, axis| cells.saturating_mul(axis.values.len()));
        if cells > MOST_CELLS {
            self.wrong(over, format!("the grid has {cells} cells"), format!("expected at most {MOST_CELLS}"));
        }
        (self.mistakes.len() == before).then_some(axes)
    }

    fn check_values(&mut self, values: &[Range<usize>]) {
        for (index, value) in values.iter().enumerate() {
            let text = shown(self.text, value);
            if values[..index].iter().any(|before| shown(self.text, before) == text) {
                self.wrong(value.clone(), format!("the value `{text}` is given twice"), "remove one of them");
            }
        }
    }
}

/// Every choice of one value per axis, the last axis running fastest.
fn combinations(axes: &[AxisText]) -> Vec<Vec<FieldText>> {
    let mut all = vec![Vec::new()];
    for axis in axes {
        let longer = |chosen: &Vec<FieldText>| {
            let fields = axis.values.iter().map(|value| FieldText { key: axis.key.clone(), value: value.clone() });
            fields.map(|field| [&chosen[..], &[field]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// A value as labels and maps show it: a number in plain digits, anything else without needless white space.
fn shown(text: &str, value: &Range<usize>) -> String {
    let written = &text[value.clone()];
    match written.parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => written.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}
