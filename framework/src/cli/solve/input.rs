//! From the command line to finite games.

use std::path::Path;
use std::sync::Arc;

use super::SolveArgs;
use crate::app::App;
use crate::cli::{Global, resolve};
use crate::registry::AnyGame;
use crate::run::{Mistake, NamedText};
use crate::theory::nfg::{self, NfgError};
use crate::theory::{FiniteGame, NormalForm};

/// A game with the name that its results go by.
pub(super) struct Input {
    pub name: String,
    source: Source,
}

enum Source {
    File(Box<NormalForm>),
    /// A game of a run file that is known to be finite.
    Run(Arc<dyn AnyGame>),
}

impl Input {
    /// The game; none where that of a run file has changed its mind.
    pub fn game(&self) -> Option<&dyn FiniteGame> {
        match &self.source {
            Source::File(form) => Some(&**form),
            Source::Run(game) => game.finite(),
        }
    }
}

/// The games of the file, each different one once.
pub(super) fn games(args: &SolveArgs, global: &Global) -> Result<Vec<Input>, Vec<Mistake>> {
    if args.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("nfg")) {
        if !args.changes.set.is_empty() || args.changes.seeds.is_some() {
            let what = format!("--set and --seeds change run files, but `{}` is a Gambit file", args.file.display());
            return Err(vec![Mistake::new(what).help("leave them out, or name a run file")]);
        }
        return gambit(&args.file).map(|input| vec![input]).map_err(|mistake| vec![mistake]);
    }
    let mut plugins = global.discover();
    let run = resolve(&args.file, &args.changes, &mut App::default(), &mut plugins)?;
    let mut inputs: Vec<Input> = Vec::new();
    let mut mistakes = Vec::new();
    for entry in &run.entries {
        let name = entry.game_text();
        if inputs.iter().any(|input| input.name == name) {
            continue;
        }
        if entry.game.finite().is_none() {
            let what = format!("the game `{}` of entry `{}` is not finite", entry.game_name, entry.label);
            mistakes.push(
                Mistake::new(what).help("`solve` takes games of finitely many states and actions, such as `matrix`"),
            );
        }
        inputs.push(Input { name, source: Source::Run(Arc::clone(&entry.game)) });
    }
    if mistakes.is_empty() { Ok(inputs) } else { Err(mistakes) }
}

fn gambit(path: &Path) -> Result<Input, Mistake> {
    let doing = || format!("the game file `{}`", path.display());
    let bytes = nfg::bytes(path).map_err(|error| {
        Mistake::new(format!("{}: {}", doing(), error.what)).help("name a Gambit file (`.nfg`) or a run file")
    })?;
    let form = nfg::read(&bytes).map_err(|error| mistake(&doing(), &path.display().to_string(), &bytes, error))?;
    Ok(Input { name: path.display().to_string(), source: Source::File(Box::new(form)) })
}

fn mistake(doing: &str, name: &str, bytes: &[u8], error: NfgError) -> Mistake {
    let (found, help) =
        error.what.split_once("; ").unwrap_or((&error.what, "see Gambit's documentation of the format"));
    let mistake = Mistake::new(format!("{doing}: {found}")).help(help);
    // Places are in bytes, which are those of the text only where the file is UTF-8.
    match (error.place, std::str::from_utf8(bytes)) {
        (Some(place), Ok(text)) => {
            let source = Arc::new(NamedText { name: name.to_owned(), text: text.to_owned() });
            let end = (place.offset + place.length).min(text.len());
            mistake.at(&source, place.offset..end)
        }
        _ => Mistake::new(format!("{doing}: {error}")).help(help),
    }
}
