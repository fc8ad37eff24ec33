//! `equiflow describe NAME`: parameters with defaults and documentation, spaces, players, capabilities.

use std::process::ExitCode;

use clap::Args;

use super::{Global, bad_input, failed};
use crate::app::App;
use crate::game::{GameSpec, Player, Space};
use crate::loader::{Missing, Plugins};
use crate::registry::{AlgorithmKind, GameKind, ParamsError, Sheet};
use crate::run::{suggest, text::Call};

#[derive(Debug, Args)]
pub(super) struct DescribeArgs {
    /// A game, an algorithm or an opponent model; `equiflow list` names them
    name: String,
}

pub(super) fn describe(args: &DescribeArgs, global: &Global) -> ExitCode {
    let mut plugins = global.discover();
    let mut app = App::default();
    match find(&args.name, &mut app, &mut plugins) {
        Ok(text) => {
            say!("{text}");
            ExitCode::SUCCESS
        }
        Err(Missing::Unknown(names)) => {
            eprintln!("error: there is no game, algorithm or opponent model `{}`", args.name);
            eprintln!("  help: {}", suggest(&args.name, "there are", &names));
            bad_input()
        }
        Err(Missing::Broken(problem)) => {
            eprintln!("error: the plugin that brings `{}` cannot be used\n  {problem}", args.name);
            failed()
        }
    }
}

fn find(name: &str, app: &mut App, plugins: &mut Plugins) -> Result<String, Missing> {
    let mut known = Vec::new();
    let mut unless_known = |missing: Missing| match missing {
        Missing::Unknown(names) => {
            known.extend(names);
            Ok(())
        }
        broken => Err(broken),
    };
    match plugins.game(app, name) {
        Ok(kind) => return Ok(game(name, &kind)),
        Err(missing) => unless_known(missing)?,
    }
    match plugins.algorithm(app, name) {
        Ok(kind) => return Ok(algorithm(name, &kind)),
        Err(missing) => unless_known(missing)?,
    }
    match plugins.opponent_model(app, name) {
        Ok(kind) => return Ok(format!("{name} (opponent model)\n{}", sheet(name, &kind.sheet))),
        Err(missing) => unless_known(missing)?,
    }
    Err(Missing::Unknown(known))
}

fn game(name: &str, kind: &GameKind) -> String {
    let mut text = format!("{name} (game)\n{}", sheet(name, &kind.sheet));
    let spec = match (kind.parse)("()") {
        Ok(game) => game.spec(),
        Err(ParamsError::Invalid(invalid)) => {
            return format!("{text}\nThe defaults alone make no game: {}\n", invalid.what);
        }
        Err(ParamsError::Unreadable(error)) => return format!("{text}\nThe defaults alone make no game: {error}\n"),
    };
    text += "\nWith the defaults\n";
    for (player, place) in spec.players.iter().enumerate() {
        text += &format!("  player {player}: sees {}, does {}\n", place.observation, place.action);
    }
    text += &format!("  returns: {}\n", spec.returns.label());
    let facts = [(spec.common_reward, "all players get the same reward"), (spec.zero_sum, "rewards sum to 0")];
    for (_, fact) in facts.iter().filter(|(holds, _)| *holds) {
        text += &format!("  {fact}\n");
    }
    if let Some(best) = &spec.best_known {
        let success = match &best.place {
            Some(place) => format!("success: every player's mean action {place}"),
            None if best.both_sides => {
                format!("success: from {} to {}", best.value - best.tolerance, best.value + best.tolerance)
            }
            None => format!("success: from {} on", best.value - best.tolerance),
        };
        text += &format!("  best known: {} ({success}), {}\n", best.value, best.source);
    }
    text
}

fn algorithm(name: &str, kind: &AlgorithmKind) -> String {
    let mut text = format!("{name} (algorithm)\n{}", sheet(name, &kind.sheet));
    let Ok(algorithm) = (kind.parse)("()") else {
        return text + "\nThe defaults alone make no algorithm.\n";
    };
    text += "\nCapabilities\n";
    if let Some(model) = algorithm.opponent_model() {
        text += &format!("  has a model of each opponent, by default {}\n", model.text());
    }
    // Asked of the algorithm itself, by offering it games.
    let games = |action: Space| {
        [1, 2, 5].map(|players| (players, GameSpec::repeated(vec![Player::blind(action.clone()); players])))
    };
    for (what, action) in [("actions in a box", Space::cube(2, -1.0, 1.0)), ("discrete actions", Space::Discrete(3))] {
        let answers = games(action).map(|(players, spec)| (players, algorithm.check(&spec, 0)));
        let able: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(players, _)| *players).collect();
        text += &match (able.as_slice(), &answers[1].1) {
            ([1, 2, 5], _) => format!("  {what}: yes, any number of players\n"),
            ([], Err(why)) => format!("  {what}: no ({})\n", why.what.replace("; ", ", ")),
            (some, _) => format!("  {what}: with {some:?} players\n"),
        };
    }
    text += if algorithm.is_tabular() { "  plays finite games only, whose tables it reads\n" } else { "" };
    match algorithm.memory() {
        Some(memory) => {
            text += &format!("  learns from a replay memory of {} transitions per seed\n", memory.capacity);
            text += if memory.reads_others { "  its critic reads all players (centralised)\n" } else { "" };
        }
        None => text += "  learns nothing\n",
    }
    text
}

/// Documentation and the parameters, each as a run file writes it.
fn sheet(name: &str, sheet: &Sheet) -> String {
    let mut text = paragraph(sheet.about, "  ");
    let defaults = (sheet.defaults)();
    let call = Call::parse(&defaults, 0..defaults.len());
    text += if sheet.fields.is_empty() { "\nNo parameters\n" } else { "\nParameters\n" };
    for field in sheet.fields {
        let value = call.as_ref().and_then(|call| call.field(&defaults, field.name));
        let value = value.map_or("?", |field| &defaults[field.value.clone()]);
        text +=
            &format!("  {}: {value}   ({})\n{}", field.name, field.ty.replace(' ', ""), paragraph(field.doc, "      "));
    }
    text + &format!("\nIn a run file: {name}{}\n", short(&call.map_or(String::new(), |_| defaults.clone())))
}

/// The defaults in brackets, or only brackets where they fill more than a line.
fn short(defaults: &str) -> String {
    if defaults.chars().count() <= 90 { defaults.to_owned() } else { "(...)".to_owned() }
}

/// A doc comment, indented.
fn paragraph(doc: &str, indent: &str) -> String {
    doc.lines().map(|line| format!("{indent}{}", line.trim()).trim_end().to_owned() + "\n").collect()
}
