//! From a run file as written to a run: games and algorithms found, their parameters read and checked, every mistake
//! collected.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use super::file::{EntryText, PlayersText, RunFile, explain, stumbled};
use super::grid::Cell;
use super::mistake::{Mistake, suggest};
use super::text::{Call, FieldText};
use crate::app::App;
use crate::game::GameSpec;
use crate::loader::{Missing, Plugins};
use crate::params::{Field, Invalid};
use crate::record::file_name;
use crate::registry::{AnyAlgorithm, AnyGame, AnyOpponentModel, ParamsError};
use crate::theory::TabularGame;
use crate::workers::fence;

/// The parameter by which an algorithm names the kind of its opponent models.
const MODEL: &str = "opponent_model";

/// A run in which every name is known and every parameter has its value.
#[derive(Clone)]
pub struct Run {
    /// Name of the run.
    pub name: String,
    /// Seed of the run.
    pub seed: u64,
    /// The seeds of each entry.
    pub seeds: Vec<u64>,
    /// Training episodes.
    pub episodes: u64,
    /// Environment steps of an episode.
    pub steps: u32,
    /// Instances of the game per seed.
    pub instances: usize,
    /// Seeds that advance together in one lane.
    pub lane_width: usize,
    /// Training episodes between evaluations.
    pub evaluate_every: u64,
    /// How many strategies an evaluation tries per player where the game knows no best response.
    pub best_response: usize,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// One curve of a comparison: a game and who plays it.
#[derive(Clone)]
pub struct Entry {
    /// How records and reports name it.
    pub label: String,
    /// The game's name.
    pub game_name: String,
    /// The game.
    pub game: Arc<dyn AnyGame>,
    /// What the game says of itself.
    pub spec: GameSpec,
    /// Who plays each player.
    pub players: Vec<Cast>,
    /// Where in a grid it lies, if it does.
    pub cell: Option<Cell>,
    /// The game as tables, where some player's algorithm reads them.
    pub tables: Option<Arc<TabularGame>>,
}

/// The algorithm that plays a player, and what it needs.
#[derive(Clone)]
pub struct Cast {
    /// The algorithm's name.
    pub name: String,
    /// The algorithm.
    pub algorithm: Arc<dyn AnyAlgorithm>,
    /// The kind of model that it has of each opponent, with its name.
    pub opponent_model: Option<(String, Arc<dyn AnyOpponentModel>)>,
}

impl Cast {
    /// All parameters of the algorithm, and those of its opponent model, as RON in brackets.
    pub fn parameters(&self) -> String {
        let mut params = self.algorithm.params().to_owned();
        let field = Call::parse(&params, 0..params.len()).and_then(|call| call.field(&params, MODEL).cloned());
        if let (Some((name, model)), Some(field)) = (&self.opponent_model, field) {
            params.replace_range(field.value, &format!("{name}{}", model.params()));
        }
        params
    }
}

impl Entry {
    /// The algorithms' names: one when all are the same, else one per player.
    pub fn algorithms(&self) -> String {
        let names: Vec<_> = self.players.iter().map(|cast| cast.name.as_str()).collect();
        match names.split_first() {
            Some((first, rest)) if rest.iter().all(|name| name == first) => (*first).to_owned(),
            _ => names.join(" vs "),
        }
    }

    /// The game with all its parameters, as RON.
    pub fn game_text(&self) -> String {
        format!("{}{}", self.game_name, self.game.params())
    }
}

impl Run {
    /// Finds and checks everything that the run file names; loads the plugins that it needs.
    ///
    /// # Errors
    /// Every mistake, those of the file's own fields too, in the order of the text.
    pub fn resolve(file: &RunFile, app: &mut App, plugins: &mut Plugins) -> Result<Self, Vec<Mistake>> {
        let mut resolver = Resolver { file, app, plugins, mistakes: file.mistakes.clone() };
        let entries = resolver.entries();
        if !resolver.mistakes.is_empty() {
            let place = |mistake: &Mistake| mistake.place.as_ref().map_or(0..0, |(_, range)| range.clone());
            resolver.mistakes.sort_by_key(|mistake| place(mistake).start);
            // What the cells of a grid have in common is wrong in each of them.
            resolver.mistakes.dedup_by(|a, b| place(a) == place(b) && a.message == b.message);
            return Err(resolver.mistakes);
        }
        Ok(Self {
            name: file.name.clone(),
            seed: file.seed,
            seeds: file.seeds.clone(),
            episodes: file.episodes,
            steps: file.steps,
            instances: file.instances,
            lane_width: file.lane_width,
            evaluate_every: file.evaluate_every,
            best_response: file.best_response,
            entries,
        })
    }

    /// The run as a run file in which nothing is left to a default.
    pub fn to_ron(&self) -> String {
        let mut text =
            format!("Run(\n    name: {:?},\n    seed: {},\n    seeds: {:?},\n", self.name, self.seed, self.seeds);
        let _ = write!(text, "    episodes: {},\n    steps: {},\n", self.episodes, self.steps);
        let _ = write!(text, "    instances: {},\n    lane_width: {},\n", self.instances, self.lane_width);
        let (every, tries) = (self.evaluate_every, self.best_response);
        let _ = write!(text, "    evaluate: (every: {every}, best_response: {tries}),\n    entries: [\n");
        for entry in &self.entries {
            let _ = write!(text, "        Entry(\n            label: {:?},\n            players: [\n", entry.label);
            for cast in &entry.players {
                let _ = writeln!(text, "                {}{},", cast.name, cast.parameters());
            }
            let _ = writeln!(text, "            ],\n            game: {},", entry.game_text());
            if let Some(Cell { grid, at }) = &entry.cell {
                let _ = writeln!(text, "            cell: (grid: {grid:?}, at: {at:?}),");
            }
            text += "        ),\n";
        }
        text + "    ],\n)\n"
    }
}

struct Resolver<'a> {
    file: &'a RunFile,
    app: &'a mut App,
    plugins: &'a mut Plugins,
    mistakes: Vec<Mistake>,
}

type Tables = Option<Arc<TabularGame>>;

/// A finite game as tables.
fn tabulated(game: &dyn AnyGame) -> Result<TabularGame, Invalid> {
    let Some(finite) = game.finite() else {
        let what =
            "it plays finite games only, which this is not; take a game with states and actions that can be counted";
        return Err(Invalid { field: None, what: what.to_owned() });
    };
    TabularGame::new(finite).map_err(|error| Invalid { field: None, what: error.what().to_owned() })
}

impl Resolver<'_> {
    fn wrong(&mut self, range: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(Mistake::new(message).help(help).at(&self.file.source, range));
    }

    fn entries(&mut self) -> Vec<Entry> {
        let file = self.file;
        // The run's own game is checked once, even when every entry brings its own.
        let common = file.game.clone().map(|range| self.game(range));
        let mut entries: Vec<(Entry, Range<usize>)> = Vec::new();
        let mut names: HashMap<String, usize> = HashMap::new();
        for written in &file.entries {
            let game = match (&written.game, &common) {
                (Some(range), _) => self.game(range.clone()),
                (None, Some(common)) => common.clone(),
                (None, None) => {
                    let help = "add `game: ...` to the run, or to the entry as `Entry(all: ..., game: ...)`";
                    self.wrong(written.range.clone(), "this entry has no game", help);
                    None
                }
            };
            let players = self.players(written, game.as_ref().map(|(_, game, spec)| (&**game, spec)));
            let (Some((game_name, game, spec)), Some((players, tables))) = (game, players) else { continue };
            let cell = written.cell.clone();
            let mut entry = Entry { label: String::new(), game_name, game, spec, players, cell, tables };
            let (label, place) = match &written.label {
                Some((label, place)) => (label.clone(), place.clone()),
                None => (entry.algorithms(), written.range.clone()),
            };
            entry.label = label;
            if entry.label.trim().is_empty() {
                self.wrong(place, "the label is empty", "give it a text that tells the entry from the others");
            } else if let Some((other, range)) =
                (names.get(&file_name(&entry.label, entries.len())).or_else(|| names.get(&entry.label)))
                    .map(|index| &entries[*index])
            {
                let (line, _) = super::text::line_and_column(&file.source.text, range.start);
                let what = if other.label == entry.label {
                    format!("the label {:?} is also that of the entry in line {line}", entry.label)
                } else {
                    format!("the labels {:?} and, in line {line}, {:?} name the same files", entry.label, other.label)
                };
                self.wrong(place, what, "give each its own, as `Entry(label: \"...\", all: ...)`");
            } else {
                names.insert(file_name(&entry.label, entries.len()), entries.len());
                // Records go by the label itself, which may be longer.
                names.insert(entry.label.clone(), entries.len());
                entries.push((entry, place));
            }
        }
        entries.into_iter().map(|(entry, _)| entry).collect()
    }

    fn game(&mut self, range: Range<usize>) -> Option<(String, Arc<dyn AnyGame>, GameSpec)> {
        let call = self.call(range, "a game")?;
        let name = self.file.text(&call.name).to_owned();
        let kind = self.plugins.game(self.app, &name);
        let kind = self.found(kind, &call, "game", &name)?;
        let owner = format!("game `{name}`");
        let game = self.configured(&call, &owner, kind.sheet.fields, kind.parse)?;
        let spec = self.fenced(&call, &owner, || game.spec())?;
        // A run without steps is told elsewhere.
        if (1..spec.least_steps).contains(&self.file.steps) {
            let (least, steps) = (spec.least_steps, self.file.steps);
            let help = format!("raise the run's `steps` to {least} or more");
            self.wrong(call.name.clone(), format!("{owner} needs {least} steps an episode, the run has {steps}"), help);
            return None;
        }
        Some((name, game, spec))
    }

    /// The players' algorithms, with the game's tables where one of them reads these.
    fn players(&mut self, entry: &EntryText, game: Option<(&dyn AnyGame, &GameSpec)>) -> Option<(Vec<Cast>, Tables)> {
        let players = &entry.players;
        let needed = game.map(|(_, spec)| spec.players.len());
        let ranges = match (players, needed) {
            (PlayersText::All(range), _) => vec![range.clone()],
            (PlayersText::Each(ranges), Some(needed)) if ranges.len() != needed => {
                let place = match (ranges.first(), ranges.last()) {
                    (Some(first), Some(last)) => first.start..last.end,
                    _ => entry.range.clone(),
                };
                let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
                let (given, needed) = (count(ranges.len(), "algorithm"), count(needed, "player"));
                let message = format!("`players` has {given}, the game has {needed}");
                self.wrong(place, message, "give one algorithm per player, or `all: ...` for all");
                return None;
            }
            (PlayersText::Each(ranges), _) => ranges.clone(),
        };
        let mut resolved: Vec<(Cast, Call, Option<Call>)> = Vec::new();
        for range in ranges {
            resolved.push(self.algorithm(range, &entry.over)?);
        }
        let (game, spec) = game?;
        let count = spec.players.len();
        let shared = matches!(players, PlayersText::All(_));
        let (mut out, mut tables) = (Vec::new(), None);
        for player in 0..count {
            let (cast, call, model_call) = &resolved[if shared { 0 } else { player }];
            let owner = format!("algorithm `{}` for player {player}", cast.name);
            if let Err(invalid) = self.fenced(call, &owner, || cast.algorithm.check(spec, player))? {
                self.invalid(call, &owner, &invalid);
                return None;
            }
            if cast.algorithm.is_tabular() && tables.is_none() {
                match self.fenced(call, &owner, || tabulated(game))? {
                    Ok(table) => tables = Some(Arc::new(table)),
                    Err(invalid) => {
                        self.invalid(call, &format!("algorithm `{}`", cast.name), &invalid);
                        return None;
                    }
                }
            }
            if let Some(table) = tables.as_ref().filter(|_| cast.algorithm.is_tabular()) {
                let (states, seen) = (table.states(), &spec.players[player].observation);
                if seen.width() != states {
                    let what = format!("player {player} sees {seen}; expected the state one-hot, {states} numbers");
                    self.invalid(call, &format!("algorithm `{}`", cast.name), &Invalid { field: None, what });
                    return None;
                }
            }
            if let Some(tables) = &tables
                && let Err(invalid) = self.fenced(call, &owner, || cast.algorithm.check_tables(tables, player))?
            {
                self.invalid(call, &owner, &invalid);
                return None;
            }
            for opponent in (0..count).filter(|opponent| *opponent != player) {
                let Some((name, model)) = &cast.opponent_model else { continue };
                let owner = format!("opponent model `{name}` of player {player} for player {opponent}");
                let call = model_call.as_ref().unwrap_or(call);
                if let Err(invalid) = self.fenced(call, &owner, || model.check(spec, player, opponent))? {
                    self.invalid(call, &owner, &invalid);
                    return None;
                }
            }
            out.push(cast.clone());
        }
        Some((out, tables))
    }

    /// The algorithm that stands at `range`, with the parameters `over` laid over its own, and its opponent model, and where
    /// both stand; the model only where the file names it.
    fn algorithm(&mut self, range: Range<usize>, over: &[FieldText]) -> Option<(Cast, Call, Option<Call>)> {
        let call = self.call(range, "an algorithm")?.over(&self.file.source.text, over);
        let name = self.file.text(&call.name).to_owned();
        let kind = self.plugins.algorithm(self.app, &name);
        let kind = self.found(kind, &call, "algorithm", &name)?;
        let algorithm = self.configured(&call, &format!("algorithm `{name}`"), kind.sheet.fields, kind.parse)?;
        let mut cast = Cast { name, algorithm, opponent_model: None };
        let Some(choice) = cast.algorithm.opponent_model() else { return Some((cast, call, None)) };
        let written = call.field(&self.file.source.text, MODEL).map(|field| field.value.clone());
        let Some(range) = written else {
            cast.opponent_model = Some(self.default_model(choice.text(), &call)?);
            return Some((cast, call, None));
        };
        let model_call = self.call(range, "an opponent model")?;
        let name = self.file.text(&model_call.name).to_owned();
        let kind = self.plugins.opponent_model(self.app, &name);
        let kind = self.found(kind, &model_call, "opponent model", &name)?;
        let owner = format!("opponent model `{name}`");
        let model = self.configured(&model_call, &owner, kind.sheet.fields, kind.parse)?;
        if model.reads_values() && !cast.algorithm.values() {
            let message = format!("{owner} needs the agent's own values, which algorithm `{}` has not", cast.name);
            self.wrong(model_call.name.clone(), message, "choose another reward for the model, or another algorithm");
            return None;
        }
        cast.opponent_model = Some((name, model));
        Some((cast, call, Some(model_call)))
    }

    /// The opponent model that an algorithm has when the file names none.
    fn default_model(&mut self, text: &str, owner: &Call) -> Option<(String, Arc<dyn AnyOpponentModel>)> {
        let call = Call::parse(text, 0..text.len());
        let (name, brackets) = call
            .map_or((text, "()"), |call| (&text[call.name], call.brackets.map_or("()", |brackets| &text[brackets])));
        let kind = self.plugins.opponent_model(self.app, name);
        let kind = self.found(kind, owner, "opponent model", name)?;
        match self.fenced(owner, &format!("opponent model `{name}`"), || (kind.parse)(brackets))? {
            Ok(model) => Some((name.to_owned(), model)),
            Err(_) => {
                let help = "this is a bug of the plugin; name an opponent model in the run file";
                self.wrong(owner.name.clone(), format!("its default opponent model `{text}` cannot be read"), help);
                None
            }
        }
    }

    /// `name(...)` or a bare name.
    fn call(&mut self, range: Range<usize>, what: &str) -> Option<Call> {
        let call = Call::parse(&self.file.source.text, range.clone()).filter(|call| !call.name.is_empty());
        if call.is_none() {
            let found = self.file.text(&range).to_owned();
            self.wrong(
                range,
                format!("`{found}` is not {what}"),
                "expected its name with its parameters in brackets, as `name(...)`",
            );
        }
        call
    }

    fn found<T>(&mut self, kind: Result<T, Missing>, call: &Call, what: &str, name: &str) -> Option<T> {
        match kind {
            Ok(kind) => return Some(kind),
            Err(Missing::Unknown(names)) => {
                let mut help = suggest(name, &format!("{what}s are"), &names);
                if !self.plugins.problems.is_empty() {
                    help += "; some plugins could not be used, see above";
                }
                self.wrong(call.name.clone(), format!("there is no {what} `{name}`"), help);
            }
            Err(Missing::Broken(problem)) => {
                let message = format!("the {what} `{name}` cannot be had: {} {}", problem.path.display(), problem.what);
                self.wrong(call.name.clone(), message, problem.help);
            }
        }
        None
    }

    /// Reads the parameters between the brackets.
    fn configured<T>(
        &mut self,
        call: &Call,
        owner: &str,
        fields: &[Field],
        parse: fn(&str) -> Result<T, ParamsError>,
    ) -> Option<T> {
        let file = self.file;
        // Written anew, because the fields of a grid's cell stand in several places.
        let written = |file: &RunFile, fields: &[&FieldText]| {
            let fields = fields.iter().map(|field| format!("{}: {}, ", file.text(&field.key), file.text(&field.value)));
            format!("({})", fields.collect::<String>())
        };
        let known: Vec<_> = fields.iter().map(|field| field.name).collect();
        let before = self.mistakes.len();
        let mut readable = Vec::new();
        for (index, field) in call.fields.iter().enumerate() {
            let name = file.text(&field.key);
            if !known.contains(&name) {
                self.wrong(
                    field.key.clone(),
                    format!("{owner} has no parameter `{name}`"),
                    suggest(name, "it has", &known),
                );
            } else if call.fields[..index].iter().any(|before| file.text(&before.key) == name) {
                self.wrong(field.key.clone(), format!("the parameter `{name}` is given twice"), "remove one of them");
            } else {
                readable.push(field);
            }
        }
        for odd in &call.odd {
            let help = format!("write `name: value`; {owner} has: {}", known.join(", "));
            self.wrong(odd.clone(), format!("{owner} has named parameters only"), help);
        }
        match self.fenced(call, owner, || parse(&written(file, &readable)))? {
            Ok(configured) => return (self.mistakes.len() == before).then_some(configured),
            // With another name, or a parameter more, it may be well.
            Err(ParamsError::Invalid(_)) if self.mistakes.len() > before => {}
            Err(ParamsError::Invalid(invalid)) => self.invalid(call, owner, &invalid),
            Err(ParamsError::Unreadable(error)) => {
                // Each by itself, so that all that cannot be read are told at once.
                let told = self.mistakes.len();
                for field in &readable {
                    let text = written(file, std::slice::from_ref(field));
                    if let Err(ParamsError::Unreadable(error)) = self.fenced(call, owner, || parse(&text))? {
                        let start = "(".len() + field.key.len() + ": ".len();
                        let at = stumbled(&text, 0, &error).max(start) - start;
                        let at = (field.value.start + at).min(field.value.end);
                        let what = format!("{owner}: parameter `{}`", file.text(&field.key));
                        self.mistakes.push(explain(&file.source, at, &what, &error));
                    }
                }
                if self.mistakes.len() == told {
                    self.mistakes.push(explain(&file.source, call.name.start, owner, &error));
                }
            }
        }
        None
    }

    /// What a plugin says, or, where it panics, the mistake that made it.
    fn fenced<T>(&mut self, call: &Call, owner: &str, ask: impl FnOnce() -> T) -> Option<T> {
        match fence(ask) {
            Ok(said) => Some(said),
            Err(what) => {
                let help =
                    "take other parameters; that it panics instead of saying what is wrong is a bug of the plugin";
                self.wrong(call.name.clone(), format!("{owner} {what}"), help);
                None
            }
        }
    }

    /// Parameters that can be read but make no sense: shown at the value, or at the name where it was left out.
    fn invalid(&mut self, call: &Call, owner: &str, invalid: &Invalid) {
        let file = self.file;
        let field = invalid.field.and_then(|name| call.field(&file.source.text, name));
        let place = field.map_or(call.name.clone(), |field| field.value.clone());
        let (found, help) = invalid.what.split_once("; ").unwrap_or((&invalid.what, "see `equiflow describe`"));
        let message = match invalid.field {
            Some(name) => format!("{owner}: parameter `{name}`: {found}"),
            None => format!("{owner}: {found}"),
        };
        self.wrong(place, message, help);
    }
}
