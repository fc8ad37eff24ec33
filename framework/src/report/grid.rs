//! Robustness maps: the share of successes over the cells of each grid of the run.
//!
//! Holds the numbers; `map.rs` draws them.

use serde::{Deserialize, Serialize};

use super::{distinct, estimate::Share, settings::short_names, summary::EntrySummary};
use crate::run::Cell;

/// The successes over a grid in two of its axes, the others held: a grid of three axes has one for each value of the
/// third.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    /// The grid's label, its game where the run has several, and what is held: such as `maddpg, discount=0.9`.
    pub title: String,
    /// The first axis: the rows. None in a grid of one axis.
    pub rows: Option<MapAxis>,
    /// The second axis, or the only one: the columns.
    pub columns: MapAxis,
    /// `[row][column]`: the seeds in success at the end of the run; `None` where the run has no such entry.
    pub cells: Vec<Vec<Option<Share>>>,
}

impl Map {
    /// What is shown by what, for the corner of a table.
    pub(super) fn corner(&self) -> String {
        match &self.rows {
            Some(rows) => format!("{}: {} by {}", self.title, rows.parameter, self.columns.parameter),
            None => format!("{}: by {}", self.title, self.columns.parameter),
        }
    }

    /// Each row with its value.
    pub(super) fn named_rows(&self) -> impl Iterator<Item = (&str, &[Option<Share>])> {
        let name = |row: usize| self.rows.as_ref().map_or("", |rows| &rows.values[row]);
        self.cells.iter().enumerate().map(move |(row, cells)| (name(row), cells.as_slice()))
    }
}

/// A parameter and the values that are tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapAxis {
    /// The parameter's name.
    pub parameter: String,
    /// In the run file's order.
    pub values: Vec<String>,
}

impl MapAxis {
    /// The axis `at` of the cells.
    fn new(cells: &[(&Cell, Option<Share>)], at: usize) -> Self {
        let values = distinct(cells.iter().map(|(cell, _)| cell.at[at].1.clone()));
        let parameter = cells.first().map_or_else(String::new, |(cell, _)| cell.at[at].0.clone());
        Self { parameter, values }
    }
}

/// What is the same in all cells of a grid: its label, its game and its axes.
type Key<'a> = (&'a str, &'a str, Vec<&'a str>);

fn key<'a>(entry: &'a EntrySummary, cell: &'a Cell) -> Key<'a> {
    (&cell.grid, &entry.game, cell.at.iter().map(|(parameter, _)| parameter.as_str()).collect())
}

/// The maps of all grids among these entries, in their order, of games in which success is defined.
pub(super) fn maps(entries: &[EntrySummary]) -> Vec<Map> {
    let cells = || entries.iter().filter_map(|entry| Some((entry, entry.cell.as_ref()?)));
    let defined = cells().filter(|(entry, cell)| entry.best_known.is_some() && !cell.at.is_empty());
    let keys = distinct(defined.map(|(entry, cell)| key(entry, cell)));
    let games = distinct(keys.iter().map(|(_, game, _)| *game));
    let names = short_names(&games);
    let mut maps = Vec::new();
    for of in keys {
        let own: Vec<(&Cell, Option<Share>)> =
            cells().filter(|(entry, cell)| key(entry, cell) == of).map(|(entry, cell)| (cell, entry.success)).collect();
        let name = match games.iter().position(|game| *game == of.1) {
            Some(at) if games.len() > 1 => format!("{}, {}", of.0, names[at]),
            _ => of.0.to_owned(),
        };
        for held in distinct(own.iter().map(|(cell, _)| cell.at.get(2..).unwrap_or_default())) {
            let here = |(cell, _): &(&Cell, _)| cell.at.get(2..).unwrap_or_default() == held;
            let part: Vec<_> = own.iter().copied().filter(here).collect();
            let title = held.iter().fold(name.clone(), |title, (name, value)| format!("{title}, {name}={value}"));
            maps.push(map(title, &part));
        }
    }
    maps
}

/// The map of cells that differ in their first two axes only.
fn map(title: String, cells: &[(&Cell, Option<Share>)]) -> Map {
    let axes = cells.first().map_or(0, |(cell, _)| cell.at.len().min(2));
    let rows = (axes == 2).then(|| MapAxis::new(cells, 0));
    let columns = MapAxis::new(cells, axes - 1);
    let at = |row: Option<&String>, column: &String| {
        let is_here = |cell: &Cell| row.is_none_or(|row| cell.at[0].1 == *row) && cell.at[axes - 1].1 == *column;
        cells.iter().find(|(cell, _)| is_here(cell)).and_then(|(_, share)| *share)
    };
    let row = |row: Option<&String>| columns.values.iter().map(|column| at(row, column)).collect();
    let cells = match &rows {
        Some(axis) => axis.values.iter().map(|value| row(Some(value))).collect(),
        None => vec![row(None)],
    };
    Map { title, rows, columns, cells }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            example::{self, Metrics},
            records::Records,
            summary::Summary,
        },
        *,
    };

    /// The maps of a run of one seed with these cells, which succeeds where it says so.
    fn found(cells: &[(&str, &[(&str, &str)], bool)]) -> Vec<Map> {
        let labels: Vec<String> = (0..cells.len()).map(|at| at.to_string()).collect();
        let mut manifest = example::manifest(&[1], &labels.iter().map(String::as_str).collect::<Vec<_>>());
        let mut metrics = Metrics::new();
        for ((entry, (grid, at, success)), label) in manifest.entries.iter_mut().zip(cells).zip(&labels) {
            let at = at.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            entry.cell = Some(Cell { grid: (*grid).to_owned(), at });
            metrics.add(label, 1, 5, "mean_action_return", if *success { 10.0 } else { 0.0 });
        }
        let dir = tempfile::tempdir().unwrap();
        metrics.write(dir.path());
        let records = Records::read(dir.path(), &manifest).unwrap();
        maps(&Summary::new(&manifest, &records).entries)
    }

    fn counts(map: &Map) -> Vec<Vec<Option<u64>>> {
        map.cells.iter().map(|row| row.iter().map(|cell| cell.map(|share| share.count)).collect()).collect()
    }

    #[test]
    fn the_first_axis_is_the_rows_the_second_the_columns_and_further_ones_make_maps_of_their_own() {
        let at = |a, b, c| [("a", a), ("b", b), ("c", c)];
        let maps = found(&[
            ("g", &at("1", "x", "p"), true),
            ("g", &at("1", "x", "q"), false),
            ("g", &at("1", "y", "p"), false),
            ("g", &at("2", "x", "p"), false),
            ("g", &at("2", "y", "p"), true),
        ]);
        assert_eq!(maps.iter().map(|map| map.title.as_str()).collect::<Vec<_>>(), ["g, c=p", "g, c=q"]);
        assert_eq!(counts(&maps[0]), [[Some(1), Some(0)], [Some(0), Some(1)]]);
        assert_eq!(counts(&maps[1]), [[Some(0)]]);
        let (rows, columns) = (maps[0].rows.as_ref().unwrap(), &maps[0].columns);
        assert_eq!((rows.parameter.as_str(), columns.parameter.as_str()), ("a", "b"));
        assert_eq!(
            (&rows.values[..], &columns.values[..]),
            (&["1", "2"].map(String::from)[..], &["x", "y"].map(String::from)[..])
        );
    }

    #[test]
    fn one_axis_is_one_row_and_a_cell_that_is_not_there_stays_empty() {
        let maps = found(&[
            ("one", &[("a", "1")], true),
            ("two", &[("a", "1"), ("b", "1")], true),
            ("two", &[("a", "2"), ("b", "2")], false),
        ]);
        assert_eq!((maps[0].title.as_str(), &maps[0].rows), ("one", &None));
        assert_eq!(counts(&maps[0]), [[Some(1)]]);
        assert_eq!(counts(&maps[1]), [[Some(1), None], [None, Some(0)]]);
    }
}
