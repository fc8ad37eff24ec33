//! A run file as it is written: its own fields checked, the parameters of games and algorithms still raw text with
//! their place.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::grid::Cell;
use super::mistake::{Mistake, NamedText, Source, suggest};
use super::ron_options;
use super::text::{self, Call, FieldText, Unbalanced};
use crate::nash::BestResponse;

const RUN_FIELDS: &[&str] =
    &["name", "seed", "seeds", "episodes", "steps", "instances", "lane_width", "evaluate", "game", "entries"];
const ENTRY_FIELDS: &[&str] = &["label", "all", "players", "game", "cell"];

/// A run file whose own fields have been read. The fields that could not be read have values that mean nothing, and
/// their mistakes stand in [`RunFile::mistakes`]: the rest can still be searched for more.
#[derive(Clone, Debug)]
pub struct RunFile {
    /// The text, with the name under which errors show it.
    pub source: Source,
    /// Name of the run, and of its folder of results.
    pub name: String,
    /// Seed of the run: the first part of every random stream's name.
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
    /// How many strategies an evaluation tries per player where the game knows no best response; 0 for none.
    pub best_response: usize,
    /// The game of entries that name none.
    pub game: Option<Range<usize>>,
    /// The entries.
    pub entries: Vec<EntryText>,
    /// What is wrong with the file's own fields.
    pub mistakes: Vec<Mistake>,
}

/// An entry as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryText {
    /// Where it stands.
    pub range: Range<usize>,
    /// Its label, with its place.
    pub label: Option<(String, Range<usize>)>,
    /// Who plays.
    pub players: PlayersText,
    /// Its own game.
    pub game: Option<Range<usize>>,
    /// Parameters that stand elsewhere, in a grid, and are laid over those of its algorithm.
    pub over: Vec<FieldText>,
    /// Where in a grid it lies.
    pub cell: Option<Cell>,
}

/// Who plays in an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum PlayersText {
    /// Every player learns with the same algorithm, each for itself.
    All(Range<usize>),
    /// One algorithm per player.
    Each(Vec<Range<usize>>),
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Evaluate {
    every: u64,
    best_response: usize,
}

impl Default for Evaluate {
    fn default() -> Self {
        Self { every: 1, best_response: BestResponse::default().budget }
    }
}

impl RunFile {
    /// Reads a run file from the disk, with `--set` overrides applied to its text.
    ///
    /// # Errors
    /// The file cannot be read, or an override cannot be made, or see [`RunFile::parse`].
    pub fn read(path: &Path, set: &[String]) -> Result<Self, Vec<Mistake>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let help = "name a run file, such as one of the folder `runs`";
            vec![Mistake::new(format!("the run file `{}` cannot be read: {error}", path.display())).help(help)]
        })?;
        // Some editors put a byte order mark in front.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let name = path.display().to_string();
        if set.is_empty() {
            return Self::parse(&name, text);
        }
        // A file that is broken as a whole is shown as it is; single mistakes may be what the overrides mend.
        Self::parse(&name, text.clone())?;
        let text = super::set::apply(&text, set)?;
        Self::parse(&format!("{name} with --set"), text)
    }

    /// Reads the text of a run file; `name` is what errors call it.
    ///
    /// # Errors
    /// The text as a whole cannot be read. Mistakes in single fields are kept in [`RunFile::mistakes`].
    pub fn parse(name: &str, text: String) -> Result<Self, Vec<Mistake>> {
        let source: Source = Arc::new(NamedText { name: name.to_owned(), text });
        let mut reader = Reader { text: &source.text, source: &source, mistakes: Vec::new() };
        match reader.run() {
            Some(file) => Ok(Self { mistakes: reader.mistakes, ..file }),
            None => Err(reader.mistakes),
        }
    }

    /// The text of a place.
    pub fn text(&self, range: &Range<usize>) -> &str {
        &self.source.text[range.clone()]
    }
}

/// Seeds as the command line gives them: `20` for 0 to 19, `5..8` for 5, 6, 7, or `3,5,9`.
///
/// # Errors
/// What was found and what is expected.
pub fn parse_seeds(text: &str) -> Result<Vec<u64>, String> {
    let wrong =
        || format!("`{text}` is not a number of seeds such as 20, a range such as 5..8 or a list such as 3,5,9");
    let number = |part: &str| part.trim().parse::<u64>().map_err(|_| wrong());
    let seeds = match (text.split_once(".."), text.contains(',')) {
        (Some((from, to)), _) => seeds_of(number(from)?..number(to)?)?,
        (None, true) => text.split(',').map(number).collect::<Result<Vec<_>, _>>()?,
        (None, false) => seeds_of(0..number(text)?)?,
    };
    check_seeds(&seeds)?;
    Ok(seeds)
}

/// The most seeds of a run: far more than can be played, and few enough to be listed.
const MOST_SEEDS: u64 = 1_000_000;

fn seeds_of(range: Range<u64>) -> Result<Vec<u64>, String> {
    match range.end.saturating_sub(range.start) {
        count if count > MOST_SEEDS => Err(format!("there are {count} seeds; expected at most {MOST_SEEDS}")),
        _ => Ok(range.collect()),
    }
}

fn check_seeds(seeds: &[u64]) -> Result<(), String> {
    let mut sorted = seeds.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        _ if seeds.is_empty() => Err("there is no seed; expected at least one".to_owned()),
        Some(pair) => Err(format!("seed {} is given twice; expected each once", pair[0])),
        None => Ok(()),
    }
}

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    source: &'a Source,
    pub(super) mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    pub(super) fn wrong(&mut self, range: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(Mistake::new(message).help(help).at(self.source, range));
    }

    fn run(&mut self) -> Option<RunFile> {
        let whole = text::trim(self.text, 0..self.text.len());
        let help =
            "a run file reads `Run(name: \"...\", seeds: 20, episodes: 200, steps: 25, game: ..., entries: [...])`";
        if whole.is_empty() {
            self.mistakes.push(Mistake::new(format!("the run file `{}` is empty", self.source.name)).help(help));
            return None;
        }
        let first = self.text[whole.clone()].lines().next().unwrap_or_default().trim_end();
        if !first.strip_prefix("Run").is_some_and(|rest| rest.trim_start().starts_with('(')) {
            let length = first.find(['(', ':']).filter(|length| *length > 0).unwrap_or(first.len());
            self.wrong(whole.start..whole.start + length, "a run file begins with `Run(`", help);
            return None;
        }
        // First the brackets and quotation marks, then the commas: all else relies on them.
        if let Some(unbalanced) = text::unbalanced(self.text) {
            self.unbalanced(unbalanced);
            return None;
        }
        let open = whole.start + first.find('(').unwrap_or_default();
        let behind = text::trim(self.text, text::close(self.text, open).unwrap_or(whole.end)..whole.end);
        if !behind.is_empty() {
            let line = self.text[behind.clone()].lines().next().unwrap_or_default().trim_end();
            let place = behind.start..behind.start + line.len();
            self.wrong(
                place,
                "something stands behind the run's closing bracket",
                "a run file holds one run: remove it",
            );
            return None;
        }
        let run = Call::parse(self.text, whole.clone())?;
        let syntax = ron_options().from_str::<&ron::value::RawValue>(&self.text[whole.clone()]).err();
        if syntax.is_none() || !run.odd.is_empty() {
            self.check_fields(&run, "a run", RUN_FIELDS);
        }
        if let Some(error) = syntax {
            if self.mistakes.is_empty() {
                let at = stumbled(self.text, whole.start, &error);
                self.mistakes.push(explain(self.source, at, "the run file cannot be read", &error));
            }
            return None;
        }

        let name: Option<String> = self.required(&run, "name", "a text such as \"differential game\"");
        let episodes: Option<u64> = self.required(&run, "episodes", "how many, such as 200");
        let steps: Option<u32> = self.required(&run, "steps", "environment steps of an episode, such as 25");
        let seed = self.optional(&run, "seed", 0u64);
        let instances = self.optional(&run, "instances", 1usize);
        let lane_width = self.optional(&run, "lane_width", 1usize);
        let evaluate = self.optional(&run, "evaluate", Evaluate::default());
        let seeds = self.seeds(&run);
        let game = run.field(self.text, "game").map(|field| field.value.clone());
        let entries = self.entries(&run);

        if let (Some(""), Some(place)) = (name.as_deref().map(str::trim), run.field(self.text, "name")) {
            self.wrong(place.value.clone(), "the run's name is empty", "give it a text: its results are found by it");
        }
        let of_evaluate = |value: fn(&Evaluate) -> u64| evaluate.as_ref().map(value);
        for (field, part, value, least, most) in [
            ("episodes", "", episodes, 1, u64::from(u32::MAX)),
            ("steps", "", steps.map(u64::from), 1, u64::from(u32::MAX)),
            ("instances", "", instances.map(|instances| instances as u64), 1, 1_000_000),
            ("lane_width", "", lane_width.map(|width| width as u64), 1, u64::MAX),
            ("evaluate", "`every` of ", of_evaluate(|evaluate| evaluate.every), 1, u64::MAX),
            ("evaluate", "`best_response` of ", of_evaluate(|evaluate| evaluate.best_response as u64), 0, 10_000_000),
        ] {
            let (Some(value), Some(place)) = (value, run.field(self.text, field)) else { continue };
            if !(least..=most).contains(&value) {
                let bound = if value < least { format!("least {least}") } else { format!("most {most}") };
                let message = format!("{part}`{field}` is {value}");
                self.wrong(place.value.clone(), message, format!("expected at {bound}"));
            }
        }
        // What is missing here is among the mistakes.
        Some(RunFile {
            source: Arc::clone(self.source),
            name: name.unwrap_or_default(),
            seed: seed.unwrap_or_default(),
            seeds: seeds.unwrap_or_default(),
            episodes: episodes.unwrap_or_default(),
            steps: steps.unwrap_or_default(),
            instances: instances.unwrap_or_default(),
            lane_width: lane_width.unwrap_or_default(),
            evaluate_every: evaluate.as_ref().map_or(0, |evaluate| evaluate.every),
            best_response: evaluate.map_or(0, |evaluate| evaluate.best_response),
            game,
            entries: entries.unwrap_or_default(),
            mistakes: Vec::new(),
        })
    }

    fn unbalanced(&mut self, unbalanced: Unbalanced) {
        let text = self.text;
        match unbalanced {
            Unbalanced::Open(place) if text[place.clone()].starts_with('"') => {
                self.wrong(place, "this text is never closed", "add the closing quotation mark");
            }
            Unbalanced::Open(place) => {
                let help = format!("add `{}` where it ends", text::closing(&text[place.start..]));
                self.wrong(place, "this bracket is never closed", help);
            }
            Unbalanced::Close(place, None) => {
                self.wrong(place, "this bracket closes nothing", "remove it, or open one before it");
            }
            Unbalanced::Close(place, Some(open)) => {
                let (line, column) = text::line_and_column(text, open);
                let (found, needed) = (&text[place.clone()], text::closing(&text[open..]));
                let what = format!(
                    "found `{found}` where `{needed}` is expected: `{}` of line {line}, column {column} is still open",
                    &text[open..=open]
                );
                self.wrong(place, what, format!("add `{needed}` before it, or remove one of the two"));
            }
        }
    }

    /// Unknown names, names given twice and parts that are no fields.
    pub(super) fn check_fields(&mut self, call: &Call, what: &str, known: &[&str]) {
        for (index, field) in call.fields.iter().enumerate() {
            let name = &self.text[field.key.clone()];
            if !known.contains(&name) {
                let help = suggest(name, &format!("{what} has"), known);
                self.wrong(field.key.clone(), format!("{what} has no field `{name}`"), help);
            } else if call.fields[..index].iter().any(|before| &self.text[before.key.clone()] == name) {
                self.wrong(field.key.clone(), format!("the field `{name}` is given twice"), "remove one of them");
            }
        }
        for odd in &call.odd {
            let help = format!("write `name: value`; {what} has: {}", known.join(", "));
            self.wrong(odd.clone(), format!("{what} has named fields only"), help);
        }
    }

    fn required<T: DeserializeOwned>(&mut self, call: &Call, name: &str, expected: &str) -> Option<T> {
        match call.field(self.text, name) {
            Some(field) => self.value(name, &field.clone()),
            None => {
                let help = format!("add `{name}: ...`: {expected}");
                self.wrong(call.name.clone(), format!("the field `{name}` is missing"), help);
                None
            }
        }
    }

    fn optional<T: DeserializeOwned>(&mut self, call: &Call, name: &str, default: T) -> Option<T> {
        match call.field(self.text, name) {
            Some(field) => self.value(name, &field.clone()),
            None => Some(default),
        }
    }

    pub(super) fn value<T: DeserializeOwned>(&mut self, name: &str, field: &FieldText) -> Option<T> {
        let result = ron_options().from_str(&self.text[field.value.clone()]);
        result
            .map_err(|error| {
                let at = stumbled(self.text, field.value.start, &error);
                self.mistakes.push(explain(self.source, at, &format!("the field `{name}`"), &error));
            })
            .ok()
    }

    fn seeds(&mut self, run: &Call) -> Option<Vec<u64>> {
        let Some(field) = run.field(self.text, "seeds").cloned() else {
            let help = "add `seeds: 20` for the seeds 0 to 19, or a list such as `seeds: [3, 5, 9]`";
            self.wrong(run.name.clone(), "the field `seeds` is missing", help);
            return None;
        };
        let seeds = if self.text[field.value.clone()].starts_with('[') {
            Ok(self.value("seeds", &field)?)
        } else {
            seeds_of(0..self.value("seeds", &field)?)
        };
        match seeds.and_then(|seeds| check_seeds(&seeds).map(|()| seeds)) {
            Ok(seeds) => Some(seeds),
            Err(what) => {
                let (found, expected) = what.split_once("; ").unwrap_or((&what, "expected seeds"));
                self.wrong(field.value, found, expected);
                None
            }
        }
    }

    fn entries(&mut self, run: &Call) -> Option<Vec<EntryText>> {
        let help = "expected a list of algorithms such as `entries: [maddpg(), ddpg(batch: 64)]`";
        let Some(field) = run.field(self.text, "entries").cloned() else {
            self.wrong(run.name.clone(), "the field `entries` is missing", help);
            return None;
        };
        match text::items(self.text, field.value.clone()) {
            None => self.wrong(field.value, "`entries` is not a list", help),
            Some(items) if items.is_empty() => self.wrong(field.value, "there is no entry", help),
            Some(items) => {
                let entries: Option<Vec<_>> = items.into_iter().map(|item| self.item(item)).collect();
                return entries.map(|entries| entries.concat());
            }
        }
        None
    }

    /// The entries that one item of the list stands for.
    fn item(&mut self, range: Range<usize>) -> Option<Vec<EntryText>> {
        let call = Call::parse(self.text, range.clone());
        match call.as_ref().map(|call| (call, &self.text[call.name.clone()])) {
            Some((call, "Entry")) => self.entry(call, range).map(|entry| vec![entry]),
            Some((call, "Grid")) => self.grid(call, &range),
            _ => {
                let players = PlayersText::All(range.clone());
                Some(vec![EntryText { range, label: None, players, game: None, over: Vec::new(), cell: None }])
            }
        }
    }

    fn entry(&mut self, call: &Call, range: Range<usize>) -> Option<EntryText> {
        self.check_fields(call, "an entry", ENTRY_FIELDS);
        let label = match call.field(self.text, "label").cloned() {
            Some(field) => Some((self.value("label", &field)?, field.value)),
            None => None,
        };
        let players = match (call.field(self.text, "all").cloned(), call.field(self.text, "players").cloned()) {
            (Some(all), None) => PlayersText::All(all.value),
            (None, Some(players)) => match text::items(self.text, players.value.clone()) {
                Some(items) => PlayersText::Each(items),
                None => {
                    self.wrong(players.value, "`players` is not a list", "expected one algorithm per player");
                    return None;
                }
            },
            _ => {
                let help = "give `all: algorithm(...)` for every player, or `players: [...]` with one per player";
                self.wrong(call.name.clone(), "an entry has either `all` or `players`", help);
                return None;
            }
        };
        let game = call.field(self.text, "game").map(|field| field.value.clone());
        let cell = match call.field(self.text, "cell").cloned() {
            Some(field) => Some(self.value("cell", &field)?),
            None => None,
        };
        Some(EntryText { range, label, players, game, over: Vec::new(), cell })
    }
}

/// Where the RON reader stumbled, in the part of a text that begins at `base`. Its own places may lie before the white
/// space or inside the word that it means.
pub(super) fn stumbled(whole: &str, base: usize, error: &ron::error::SpannedError) -> usize {
    let at = base + text::offset(&whole[base..], error.span.start.line, error.span.start.col);
    text::trim(whole, at.min(whole.len())..whole.len()).start
}

/// A mistake that the RON reader found at `at` ([`stumbled`]).
pub(super) fn explain(source: &Source, at: usize, what: &str, error: &ron::error::SpannedError) -> Mistake {
    use ron::Error::*;
    let whole = &source.text;
    let word_ends = |c: char| c.is_whitespace() || ",()[]{}:".contains(c);
    let word_end = whole[at..].find(word_ends).map_or(whole.len(), |length| at + length);
    let first_end = at + whole[at..].chars().next().map_or(0, char::len_utf8);
    let word = at..word_end.max(first_end);
    let value = text::value_at(whole, at);
    let (found, written) = (&whole[word.clone()], &whole[value.clone()]);
    let is_number = written.starts_with(|c: char| "-+.0123456789".contains(c));
    let is = if what.ends_with("cannot be read") { ": found" } else { " is" };
    let of_the_value = |expected: &str| (value.clone(), format!("{what}{is} `{written}`"), expected.to_owned());
    let (place, message, help) = match &error.code {
        NoSuchEnumVariant { expected, .. } => {
            let help = suggest(found, "the choices are", &without_aliases(expected));
            (word.clone(), format!("{what}: `{found}` is none of its choices"), help)
        }
        NoSuchStructField { expected, .. } => {
            let help = suggest(found, "the fields are", expected);
            (word.clone(), format!("{what}: there is no field `{found}`"), help)
        }
        MissingStructField { field, .. } => {
            (word, format!("{what}: the field `{field}` is missing"), format!("add `{field}: ...`"))
        }
        DuplicateStructField { field, .. } => {
            (word, format!("{what}: `{field}` is given twice"), "remove one of them".to_owned())
        }
        ExpectedFloat => of_the_value("expected a number"),
        ExpectedInteger => of_the_value("expected a whole number"),
        ExpectedBoolean => of_the_value("expected `true` or `false`"),
        ExpectedString => of_the_value("expected a text in quotation marks"),
        ExpectedArray => of_the_value("expected a list `[...]`"),
        ExpectedIdentifier => of_the_value("expected one of its names, without quotation marks"),
        SuggestRawIdentifier(_) | InvalidIdentifier(_) if is_number => {
            of_the_value("expected one of its names, such as `equiflow describe` lists")
        }
        InvalidIntegerDigit { .. } => of_the_value("expected a whole number in plain digits"),
        ExpectedStructLike | ExpectedNamedStructLike(_) => {
            of_the_value("expected fields in brackets, as `(name: value)`")
        }
        IntegerOutOfBounds if written.starts_with('-') => of_the_value("expected a whole number that is not negative"),
        IntegerOutOfBounds => of_the_value("expected a smaller whole number"),
        // A whole number was read, and ended before what is written there does.
        ExpectedComma | TrailingCharacters if value.start < at && is_number => of_the_value("expected a whole number"),
        ExpectedComma | ExpectedStructLikeEnd | ExpectedArrayEnd => {
            (word.clone(), format!("{what}: a comma is missing before `{found}`"), "add `,` before it".to_owned())
        }
        InvalidValueForType { expected, found } => {
            (value, format!("{what} is {found}"), format!("expected {expected}"))
        }
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            let text: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
            (word, format!("{what}: {text}"), "see the README for how run files read".to_owned())
        }
    };
    Mistake::new(message).help(help).at(source, place)
}

/// The choices of an enum without second spellings such as `Printed` beside `printed`.
fn without_aliases(choices: &[&'static str]) -> Vec<&'static str> {
    let letters = |name: &str| name.replace('_', "").to_lowercase();
    let is_alias = |name: &str| {
        name.starts_with(char::is_uppercase)
            && choices.iter().any(|other| other.starts_with(char::is_lowercase) && letters(other) == letters(name))
    };
    choices.iter().copied().filter(|name| !is_alias(name)).collect()
}
