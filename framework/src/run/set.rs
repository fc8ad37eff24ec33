//! `--set path=value`: changes a run file's text before it is read, so that errors show what was really read.

use std::ops::Range;

use super::mistake::{Mistake, suggest};
use super::text::{self, Call};

/// Applies overrides such as `episodes=10`, `game.version=unsquared` or `entries.0.batch=64` (an entry by its number
/// or by its algorithm's name) to the text of a run file, one after the other.
///
/// # Errors
/// The override that has no `=` or whose path leads nowhere.
pub fn apply(text: &str, overrides: &[String]) -> Result<String, Vec<Mistake>> {
    let mut text = text.to_owned();
    for change in overrides {
        text = apply_one(text, change).map_err(|mistake| vec![mistake])?;
    }
    Ok(text)
}

fn apply_one(mut source: String, change: &str) -> Result<String, Mistake> {
    let wrong = |what: String| Mistake::new(format!("--set {change}: {what}"));
    let (path, value) =
        change.split_once('=').filter(|(path, value)| !path.is_empty() && !value.is_empty()).ok_or_else(|| {
            wrong("this is no `path=value`".to_owned())
                .help("write for example --set episodes=10 or --set game.version=printed")
        })?;
    let steps: Vec<_> = path.trim().split('.').collect();
    let mut place = text::trim(&source, 0..source.len());
    for (depth, step) in steps.iter().enumerate() {
        let last = depth + 1 == steps.len();
        if let Some(items) = text::items(&source, place.clone()) {
            let names: Vec<_> = items.iter().map(|item| item_name(&source, item)).collect();
            let index = step.parse().ok().or_else(|| names.iter().position(|name| name == step));
            place = index.and_then(|index: usize| items.get(index).cloned()).ok_or_else(|| {
                let help = suggest(step, "items go by number from 0, or by name", &names);
                wrong(format!("the list has no item `{step}`")).help(help)
            })?;
            continue;
        }
        let map = Call::parse_map(&source, place.clone());
        let name = if map.is_some() { format!("\"{step}\"") } else { (*step).to_owned() };
        let call = Call::parse(&source, place.clone()).or(map).ok_or_else(|| {
            wrong(format!("`{}` has no fields, so no `{step}`", &source[place.clone()])).help("shorten the path")
        })?;
        match call.field(&source, step) {
            Some(field) => place = field.value.clone(),
            None if last => {
                // Behind the last field, whatever comments or commas follow it.
                let (at, added) = match (&call.brackets, call.fields.last()) {
                    (None, _) => (call.name.end, format!("({name}: {value})")),
                    (Some(brackets), None) => (brackets.start + 1, format!("{name}: {value}")),
                    (Some(_), Some(field)) => (field.value.end, format!(", {name}: {value}")),
                };
                source.insert_str(at, &added);
                return Ok(source);
            }
            None => {
                let names: Vec<_> = call.fields.iter().map(|field| &source[field.key.clone()]).collect();
                return Err(wrong(format!("there is no `{step}` here")).help(suggest(step, "there are", &names)));
            }
        }
    }
    source.replace_range(place, value);
    Ok(source)
}

/// What an item of a list is called: the name before its brackets.
fn item_name(source: &str, item: &Range<usize>) -> String {
    Call::parse(source, item.clone()).map(|call| source[call.name].to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str =
        "Run(episodes: 200, // many\n game: g(version: a), entries: [maddpg(), ddpg, Entry(all: ddpg(lr: 1))])";

    fn set(change: &str) -> String {
        apply(RUN, &[change.to_owned()]).map_err(|mistakes| mistakes[0].to_string()).unwrap_or_else(|error| error)
    }

    #[test]
    fn values_are_replaced_or_added() {
        assert_eq!(set("episodes=10"), RUN.replace("200", "10"));
        assert_eq!(set("game.version=b"), RUN.replace("version: a", "version: b"));
        assert_eq!(set("game.other=[1, 2]"), RUN.replace("version: a", "version: a, other: [1, 2]"));
        assert_eq!(set("entries.0.batch=64"), RUN.replace("maddpg()", "maddpg(batch: 64)"));
        assert_eq!(set("entries.maddpg.batch=64"), RUN.replace("maddpg()", "maddpg(batch: 64)"));
        assert_eq!(set("entries.1.lr=2"), RUN.replace("ddpg, E", "ddpg(lr: 2), E"));
        assert_eq!(set("entries.2.all.lr=2"), RUN.replace("lr: 1", "lr: 2"));
        assert_eq!(set("entries.1=gpi()"), RUN.replace("ddpg, E", "gpi(), E"));
        let grid = |over: &str| apply("Run(entries: [Grid(over: {\"a\": [1]})])", &[over.to_owned()]).unwrap();
        assert_eq!(grid("entries.0.over.a=[2, 3]"), "Run(entries: [Grid(over: {\"a\": [2, 3]})])");
        assert_eq!(grid("entries.0.over.b=[4]"), "Run(entries: [Grid(over: {\"a\": [1], \"b\": [4]})])");
        assert_eq!(set("seed=3"), RUN.replace("lr: 1))]", "lr: 1))], seed: 3"));
    }

    #[test]
    fn paths_that_lead_nowhere_are_told() {
        assert_eq!(set("episodes"), "--set episodes: this is no `path=value`");
        assert_eq!(set("entries.7.lr=1"), "--set entries.7.lr=1: the list has no item `7`");
        assert_eq!(set("gmae.version=b"), "--set gmae.version=b: there is no `gmae` here");
        assert_eq!(set("episodes.x=1"), "--set episodes.x=1: `200` has no fields, so no `x`");
    }
}
