//! Exact game theory against other programs: pygambit, OpenSpiel, nashpy and NumPy, whose results stand in the folder
//! `../shared/data` beside the workspace where there is one. The tests say so and pass where there is none; what they check
//! is checked there on small games of our own as well (in `theory`).
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use equiflow::theory::lqre::{self, End, Options};
use equiflow::theory::*;
use serde_json::Value;

/// A file or folder of the reference data.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.exists() {
        eprintln!("not checked: there is no reference data at {}", path.display());
        return None;
    }
    Some(path)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap_or_else(|| panic!("{other} is no number"))],
    }
}

/// Each game of the reference with its table and what is known of it.
fn games() -> Vec<(String, NormalForm, TabularGame, Value)> {
    let Some(folder) = shared("gambit") else { return Vec::new() };
    let reference = json(&folder.join("reference.json"));
    let games = reference["games"].as_array().unwrap().iter().map(|known| {
        let name = known["file"].as_str().unwrap().to_owned();
        let form = nfg::open(&folder.join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let table = TabularGame::new(&form).unwrap();
        (name, form, table, known.clone())
    });
    let games: Vec<_> = games.collect();
    assert_eq!(games.len(), 33);
    games
}

fn close(what: &str, found: f64, expected: f64, relative: f64) {
    let tolerance = relative * expected.abs().max(1.0);
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn payoffs_are_those_of_gambit() {
    for (name, form, table, known) in games() {
        for player in 0..form.players().len() {
            assert_eq!(form.payoffs(player), numbers(&known["payoffs"][player]), "{name}");
            assert_eq!(table.rewards(player, 0), form.payoffs(player), "{name}");
            for (cell, exact) in known["payoffs_exact"][player].as_array().into_iter().flatten().enumerate() {
                assert_eq!(form.exact(player, cell).to_string(), exact.as_str().unwrap(), "{name}");
            }
        }
        assert_eq!(form.constant_sum().is_some(), known["constant_sum"].as_bool().unwrap(), "{name}");
    }
}

#[test]
fn nash_conv_is_that_of_open_spiel_and_gambit() {
    let check = |what: &str, table: &TabularGame, profile: &Profile, known: &Value| {
        let found = nash_conv(table, profile).unwrap();
        close(what, found.total(), known["nash_conv"].as_f64().unwrap(), 1e-9);
        for (found, expected) in found.gains.iter().zip(numbers(&known["gains"])) {
            close(what, *found, expected, 1e-9);
        }
        for (found, expected) in found.values.of_start.iter().zip(numbers(&known["payoffs"])) {
            close(what, *found, expected, 1e-9);
        }
    };
    for (name, _, table, known) in games() {
        check(&name, &table, &Profile::uniform(table.layout()), &known["uniform"]);
        for lqre in known["lqre"].as_array().unwrap() {
            let profile = Profile::new(table.layout(), numbers(&lqre["profile"])).unwrap();
            check(&format!("{name} at lambda {}", lqre["lam"]), &table, &profile, lqre);
        }
    }
}

#[test]
fn logit_equilibria_are_those_of_the_principal_branch() {
    let mut agreeing = 0;
    for (name, _, table, known) in games() {
        let lambdas = vec![0.1, 0.5, 1.0, 2.0, 5.0];
        let path = lqre::trace(&table, &Options { lambdas, max_lambda: 0.0, ..Options::default() }).unwrap();
        assert_eq!(path.end, End::Reached, "{name}");
        for expected in known["lqre"].as_array().unwrap() {
            let lambda = expected["lam"].as_f64().unwrap();
            let found: Vec<_> = path.equilibria.iter().filter(|found| found.lambda == lambda).collect();
            assert!(!found.is_empty(), "{name} at lambda {lambda}");
            assert!(found.iter().all(|found| found.residual < 1e-10), "{name}: {found:?}");
            if expected["branch_check"] == "agree" {
                agreeing += 1;
                let profile = Profile::new(table.layout(), numbers(&expected["profile"])).unwrap();
                let distance = found[0].profile.distance(&profile);
                assert!(distance < 1e-9, "{name} at lambda {lambda}: {distance}");
                let crossings = expected["own_branch_crossings"].as_u64().unwrap() as usize;
                assert_eq!(found.len(), crossings, "{name} at lambda {lambda}");
            }
        }
        println!(
            "{name}: {} points, folds {:?} (reference {}), bifurcations {:?} (reference {})",
            path.points.len(),
            path.folds,
            known["own_branch"]["turning_lambdas"],
            path.bifurcations,
            known["own_branch"]["simple_bifurcation_lambdas"]
        );
    }
    if shared("gambit").is_some() {
        assert_eq!(agreeing, 153);
    }
}
