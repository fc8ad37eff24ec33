//! A run file as it is written: its own fields checked, the parameters of games and algorithms still raw text with
//! their place.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use miette::NamedSource;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::mistake::{Mistake, Source, suggest};
use super::ron_options;
use super::text::{self, Call, FieldText};

const RUN_FIELDS: &[&str] =
    &["name", "seed", "seeds", "episodes", "steps", "instances", "lane_width", "evaluate", "game", "entries"];
const ENTRY_FIELDS: &[&str] = &["label", "all", "players", "game"];

/// A run file whose own fields have been read.
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
    /// The game of entries that name none.
    pub game: Option<Range<usize>>,
    /// The entries.
    pub entries: Vec<EntryText>,
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
#[serde(deny_unknown_fields)]
struct Evaluate {
    every: u64,
}

impl RunFile {
    /// Reads a run file from the disk, with `--set` overrides applied to its text.
    ///
    /// # Errors
    /// Every mistake that can be told without the plugins.
    pub fn read(path: &Path, set: &[String]) -> Result<Self, Vec<Mistake>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let help = "name a run file, such as one of the folder `runs`";
            vec![Mistake::new(format!("the run file `{}` cannot be read: {error}", path.display())).help(help)]
        })?;
        let name = path.display().to_string();
        if set.is_empty() {
            return Self::parse(&name, text);
        }
        let text = super::set::apply(&text, set)?;
        Self::parse(&format!("{name} with --set"), text)
    }

    /// Reads the text of a run file; `name` is what errors call it.
    ///
    /// # Errors
    /// Every mistake that can be told without the plugins.
    pub fn parse(name: &str, text: String) -> Result<Self, Vec<Mistake>> {
        let source: Source = Arc::new(NamedSource::new(name, text.clone()));
        let mut reader = Reader { text: &text, source: &source, mistakes: Vec::new() };
        let file = reader.run();
        match file {
            Some(file) if reader.mistakes.is_empty() => Ok(file),
            _ => Err(reader.mistakes),
        }
    }

    /// The text of a place.
    pub fn text(&self, range: &Range<usize>) -> &str {
        &self.source.inner()[range.clone()]
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
        (Some((from, to)), _) => (number(from)?..number(to)?).collect(),
        (None, true) => text.split(',').map(number).collect::<Result<Vec<_>, _>>()?,
        (None, false) => (0..number(text)?).collect(),
    };
    check_seeds(&seeds)?;
    Ok(seeds)
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

struct Reader<'a> {
    text: &'a str,
    source: &'a Source,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn wrong(&mut self, range: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(Mistake::new(message).help(help).at(self.source, range));
    }

    fn run(&mut self) -> Option<RunFile> {
        let whole = text::trim(self.text, 0..self.text.len());
        let help =
            "a run file reads `Run(name: \"...\", seeds: 20, episodes: 200, steps: 25, game: ..., entries: [...])`";
        if whole.is_empty() {
            self.mistakes.push(Mistake::new(format!("the run file `{}` is empty", self.source.name())).help(help));
            return None;
        }
        // First the brackets, strings and commas: all else relies on them.
        if let Err(error) = ron_options().from_str::<&ron::value::RawValue>(self.text) {
            self.mistakes.push(explain(self.source, 0, "the run file is no RON text", &error));
            return None;
        }
        let run = Call::parse(self.text, whole.clone()).filter(|run| &self.text[run.name.clone()] == "Run");
        let Some(run) = run.filter(|run| run.brackets.is_some()) else {
            let end = self.text[whole.clone()].find(['(', '\n']).map_or(whole.end, |length| whole.start + length);
            self.wrong(whole.start..end.max(whole.start + 1), "a run file begins with `Run(`", help);
            return None;
        };
        self.check_fields(&run, "a run", RUN_FIELDS);

        let name: Option<String> = self.required(&run, "name", "a text such as \"differential game\"");
        let episodes = self.required(&run, "episodes", "how many, such as 200");
        let steps = self.required(&run, "steps", "environment steps of an episode, such as 25");
        let seed = self.optional(&run, "seed", 0u64);
        let instances = self.optional(&run, "instances", 1usize);
        let lane_width = self.optional(&run, "lane_width", 1usize);
        let evaluate = self.optional(&run, "evaluate", Evaluate { every: 1 });
        let seeds = self.seeds(&run);
        let game = run.field(self.text, "game").map(|field| field.value.clone());
        let entries = self.entries(&run);

        for (field, zero) in [
            ("episodes", episodes == Some(0u64)),
            ("steps", steps == Some(0u32)),
            ("instances", instances == Some(0)),
            ("lane_width", lane_width == Some(0)),
            ("evaluate", evaluate.as_ref().is_some_and(|evaluate| evaluate.every == 0)),
        ] {
            if let (true, Some(place)) = (zero, run.field(self.text, field)) {
                self.wrong(place.value.clone(), format!("`{field}` is 0"), "expected at least 1");
            }
        }
        Some(RunFile {
            source: Arc::clone(self.source),
            name: name?,
            seed: seed?,
            seeds: seeds?,
            episodes: episodes?,
            steps: steps?,
            instances: instances?,
            lane_width: lane_width?,
            evaluate_every: evaluate?.every,
            game,
            entries: entries?,
        })
    }

    /// Unknown names, names given twice and parts that are no fields.
    fn check_fields(&mut self, call: &Call, what: &str, known: &[&str]) {
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
            self.wrong(
                odd.clone(),
                format!("{what} has named fields only"),
                format!("{what} has: {}", known.join(", ")),
            );
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

    fn value<T: DeserializeOwned>(&mut self, name: &str, field: &FieldText) -> Option<T> {
        let result = ron_options().from_str(&self.text[field.value.clone()]);
        result
            .map_err(|error| {
                let mistake = explain(self.source, field.value.start, &format!("the field `{name}`"), &error);
                self.mistakes.push(mistake);
            })
            .ok()
    }

    fn seeds(&mut self, run: &Call) -> Option<Vec<u64>> {
        let Some(field) = run.field(self.text, "seeds").cloned() else {
            let help = "add `seeds: 20` for the seeds 0 to 19, or a list such as `seeds: [3, 5, 9]`";
            self.wrong(run.name.clone(), "the field `seeds` is missing", help);
            return None;
        };
        let seeds: Vec<u64> = if self.text[field.value.clone()].starts_with('[') {
            self.value("seeds", &field)?
        } else {
            (0..self.value::<u64>("seeds", &field)?).collect()
        };
        match check_seeds(&seeds) {
            Ok(()) => Some(seeds),
            Err(what) => {
                let (found, expected) = what.split_once("; ").unwrap_or((&what, "expected seeds"));
                self.wrong(field.value, found, expected);
                None
            }
        }
    }

    fn entries(&mut self, run: &Call) -> Option<Vec<EntryText>> {
        let help = "a list of algorithms such as `entries: [maddpg(), ddpg(batch: 64)]`";
        let Some(field) = run.field(self.text, "entries").cloned() else {
            self.wrong(run.name.clone(), "the field `entries` is missing", help);
            return None;
        };
        match text::items(self.text, field.value.clone()) {
            None => self.wrong(field.value, "`entries` is not a list", help),
            Some(items) if items.is_empty() => self.wrong(field.value, "there is no entry", help),
            Some(items) => return items.into_iter().map(|item| self.entry(item)).collect(),
        }
        None
    }

    fn entry(&mut self, range: Range<usize>) -> Option<EntryText> {
        let call = Call::parse(self.text, range.clone());
        let Some(call) = call.filter(|call| &self.text[call.name.clone()] == "Entry") else {
            return Some(EntryText { range: range.clone(), label: None, players: PlayersText::All(range), game: None });
        };
        self.check_fields(&call, "an entry", ENTRY_FIELDS);
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
                self.wrong(call.name, "an entry has either `all` or `players`", help);
                return None;
            }
        };
        let game = call.field(self.text, "game").map(|field| field.value.clone());
        Some(EntryText { range, label, players, game })
    }
}

/// A mistake that the RON reader found in a part of the source that begins at `base`.
pub(super) fn explain(source: &Source, base: usize, what: &str, error: &ron::error::SpannedError) -> Mistake {
    use ron::Error::*;
    let whole = source.inner();
    let part = &whole[base..];
    let start = (base + text::offset(part, error.span.start.line, error.span.start.col)).min(whole.len());
    let end = (base + text::offset(part, error.span.end.line, error.span.end.col)).min(whole.len());
    // The reader's span ends before, on or behind the last character: take in the word that it touches.
    let word = |at: usize| {
        whole[at..].find(|c: char| c.is_whitespace() || ",()[]{}:".contains(c)).map_or(whole.len(), |n| at + n)
    };
    let end = end.max(word(start)).max((start + 1).min(whole.len()));
    let end = (start..=end).rev().find(|&at| whole.is_char_boundary(at)).unwrap_or(start);
    let found = &whole[start..end];
    let (message, help) = match &error.code {
        NoSuchEnumVariant { expected, found, .. } => {
            (format!("{what}: `{found}` is none of its choices"), suggest(found, "the choices are", expected))
        }
        NoSuchStructField { expected, found, .. } => {
            (format!("{what}: there is no field `{found}`"), suggest(found, "the fields are", expected))
        }
        MissingStructField { field, .. } => {
            (format!("{what}: the field `{field}` is missing"), format!("add `{field}: ...`"))
        }
        DuplicateStructField { field, .. } => {
            (format!("{what}: `{field}` is given twice"), "remove one of them".to_owned())
        }
        ExpectedFloat => (format!("{what} is `{found}`"), "expected a number".to_owned()),
        ExpectedInteger => (format!("{what} is `{found}`"), "expected a whole number".to_owned()),
        ExpectedBoolean => (format!("{what} is `{found}`"), "expected `true` or `false`".to_owned()),
        ExpectedString => (format!("{what} is `{found}`"), "expected a text in quotation marks".to_owned()),
        ExpectedArray => (format!("{what} is `{found}`"), "expected a list `[...]`".to_owned()),
        IntegerOutOfBounds => {
            (format!("{what} is `{found}`"), "expected a whole number in its type's range".to_owned())
        }
        Eof => (format!("{what}: it ends too early"), "a closing bracket or quotation mark is missing".to_owned()),
        InvalidValueForType { expected, found } => (format!("{what} is {found}"), format!("expected {expected}")),
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            let text: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
            (format!("{what}: {text}"), "see the README for how run files read".to_owned())
        }
    };
    Mistake::new(message).help(help).at(source, start..end)
}
