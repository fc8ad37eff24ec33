//! What the entries of a game do not have in common: parameter by parameter, from the manifest.
//!
//! Holds names and values as text; knows of no parameter what it means.

use serde::{Deserialize, Serialize};

use super::{distinct, format::NONE, manifest::EntryManifest};
use crate::run::text::Call;

/// The settings of the entries of one game, side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is compared: the entries by label, a grid as one.
    pub columns: Vec<String>,
    /// The algorithm, then every parameter that is not the same in all columns, in the order in which they occur.
    pub different: Vec<Setting>,
    /// The parameters that are the same in all columns that have any, with their value.
    pub alike: Vec<(String, String)>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The parameter's name, or `algorithm`.
    pub name: String,
    /// Its value in each column: of a grid all that occur; `-` where the algorithm has no such parameter.
    pub values: Vec<String>,
}

impl Settings {
    /// Of these entries. An algorithm without any parameter, such as random play, makes no difference but in its name.
    pub(super) fn new(entries: &[&EntryManifest]) -> Self {
        let columns = distinct(entries.iter().map(|entry| column(entry)));
        let of = |name: &str| -> Vec<String> {
            let values = columns.iter().map(|label| {
                let members = entries.iter().filter(|entry| column(entry) == *label);
                distinct(members.map(|entry| value(entry, name))).join(", ")
            });
            values.collect()
        };
        let all = |entry: &&EntryManifest| entry.parameters.iter().flat_map(|text| fields(text)).collect::<Vec<_>>();
        let names = distinct(entries.iter().flat_map(all).map(|(name, _)| name));
        let bare: Vec<bool> = columns
            .iter()
            .map(|label| entries.iter().all(|entry| column(entry) != *label || all(entry).is_empty()))
            .collect();
        let (mut different, mut alike) = (Vec::new(), Vec::new());
        for name in std::iter::once(ALGORITHM.to_owned()).chain(names) {
            let values = of(&name);
            let compared = values.iter().zip(&bare).filter(|(_, bare)| name == ALGORITHM || !**bare);
            match &distinct(compared.map(|(value, _)| value))[..] {
                [value] => alike.push((name, (*value).clone())),
                _ => different.push(Setting { name, values }),
            }
        }
        Self { columns, different, alike }
    }
}

/// The setting that is no parameter.
const ALGORITHM: &str = "algorithm";

/// The column of an entry: its own, or its grid's.
fn column(entry: &EntryManifest) -> String {
    entry.cell.as_ref().map_or_else(|| entry.label.clone(), |cell| format!("{} (grid)", cell.grid))
}

/// The value of a parameter: one where all players have the same.
fn value(entry: &EntryManifest, name: &str) -> String {
    let of_player = |(algorithm, parameters): (&String, &String)| match name {
        ALGORITHM => algorithm.clone(),
        _ => {
            let own = fields(parameters).into_iter().find(|(own, _)| own == name);
            own.map_or_else(|| NONE.to_owned(), |(_, value)| value)
        }
    };
    let values: Vec<String> = entry.algorithms.iter().zip(&entry.parameters).map(of_player).collect();
    match &distinct(values.iter())[..] {
        [value] => (*value).clone(),
        _ => {
            let named = values.iter().enumerate().map(|(player, value)| format!("{value} (player {player})"));
            named.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Names and values in `name(a:1,b:(c:2))` or `(a:1)`; none in a text that is no such call.
fn fields(text: &str) -> Vec<(String, String)> {
    let call = Call::parse(text, 0..text.len());
    let fields = call.iter().flat_map(|call| &call.fields);
    fields.map(|field| (text[field.key.clone()].to_owned(), text[field.value.clone()].to_owned())).collect()
}

/// The games by name with the parameters in which those of one name differ, such as `max_of_two version=printed`: enough
/// to tell them apart. Expects each game once.
pub(super) fn short_names(games: &[&str]) -> Vec<String> {
    let name = |game: &str| game.split('(').next().unwrap_or(game).to_owned();
    let short = |game: &&str| {
        let others: Vec<_> =
            games.iter().filter(|other| name(other) == name(game)).map(|other| fields(other)).collect();
        let own = fields(game).into_iter().filter(|field| !others.iter().all(|other| other.contains(field)));
        name(game) + &own.map(|(name, value)| format!(" {name}={value}")).collect::<String>()
    };
    games.iter().map(short).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::example, *};
    use crate::run::Cell;

    /// Entries with these labels, whose players have these algorithms with these parameters.
    fn entries(written: &[(&str, &[(&str, &str)])]) -> Vec<EntryManifest> {
        let labels: Vec<&str> = written.iter().map(|(label, _)| *label).collect();
        let mut entries = example::manifest(&[1], &labels).entries;
        for (entry, (_, players)) in entries.iter_mut().zip(written) {
            entry.algorithms = players.iter().map(|(name, _)| (*name).to_owned()).collect();
            entry.parameters = players.iter().map(|(_, text)| (*text).to_owned()).collect();
        }
        entries
    }

    fn settings(entries: &[EntryManifest]) -> Settings {
        Settings::new(&entries.iter().collect::<Vec<_>>())
    }

    fn rows(settings: &Settings) -> Vec<(&str, Vec<&str>)> {
        let of = &settings.different;
        of.iter().map(|row| (row.name.as_str(), row.values.iter().map(String::as_str).collect())).collect()
    }

    #[test]
    fn what_differs_is_listed_and_what_does_not_is_alike() {
        let gpi = ("gpi", "(batch:512,opponent_reward:observed,noise:(sigma:1,dt:2))");
        let maddpg = ("maddpg", "(batch:64,noise:(sigma:1,dt:2))");
        let found = settings(&entries(&[("ours", &[gpi, gpi]), ("theirs", &[maddpg, maddpg])]));
        assert_eq!(found.columns, ["ours", "theirs"]);
        let expected = [
            ("algorithm", vec!["gpi", "maddpg"]),
            ("batch", vec!["512", "64"]),
            ("opponent_reward", vec!["observed", "-"]),
        ];
        assert_eq!(rows(&found), expected);
        assert_eq!(found.alike, [("noise".to_owned(), "(sigma:1,dt:2)".to_owned())]);
    }

    #[test]
    fn an_algorithm_without_parameters_makes_no_difference_but_in_its_name() {
        let ddpg = ("ddpg", "(batch:64)");
        let found = settings(&entries(&[("learns", &[ddpg, ddpg]), ("plays", &[("random", "()"), ("random", "()")])]));
        assert_eq!(rows(&found), [("algorithm", vec!["ddpg", "random"])]);
        assert_eq!(found.alike, [("batch".to_owned(), "64".to_owned())]);
    }

    #[test]
    fn players_of_one_entry_are_told_apart_where_they_differ() {
        let found = settings(&entries(&[
            ("mixed", &[("ddpg", "(batch:64)"), ("random", "()")]),
            ("same", &[("ddpg", "(batch:64)"), ("ddpg", "(batch:64)")]),
        ]));
        let expected = [
            ("algorithm", vec!["ddpg (player 0), random (player 1)", "ddpg"]),
            ("batch", vec!["64 (player 0), - (player 1)", "64"]),
        ];
        assert_eq!(rows(&found), expected);
    }

    #[test]
    fn a_grid_is_one_column_with_all_its_values() {
        let mut entries = entries(&[
            ("g batch=64", &[("ddpg", "(batch:64,discount:0.9)")]),
            ("g batch=512", &[("ddpg", "(batch:512,discount:0.9)")]),
            ("alone", &[("ddpg", "(batch:64,discount:0.9)")]),
        ]);
        for (entry, value) in entries.iter_mut().zip(["64", "512"]) {
            entry.cell = Some(Cell { grid: "g".to_owned(), at: vec![("batch".to_owned(), value.to_owned())] });
        }
        let found = settings(&entries);
        assert_eq!(found.columns, ["g (grid)", "alone"]);
        assert_eq!(rows(&found), [("batch", vec!["64, 512", "64"])]);
    }

    #[test]
    fn games_are_named_by_what_tells_them_apart() {
        let printed = "max_of_two(version:printed,terminal:horizon)";
        let unsquared = "max_of_two(version:unsquared,terminal:horizon)";
        assert_eq!(short_names(&[printed]), ["max_of_two"]);
        let expected = ["max_of_two version=printed", "wolf", "max_of_two version=unsquared"];
        assert_eq!(short_names(&[printed, "wolf()", unsquared]), expected);
    }
}
