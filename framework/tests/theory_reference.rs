//! Exact game theory against other programs: pygambit, OpenSpiel, nashpy and NumPy, whose results stand in the folder
//! `../shared/data` beside the workspace. Where that is missing these tests pass and have checked nothing; only with
//! `--nocapture` do they say so. What they check is checked on small games of our own as well (in `theory`).
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use equiflow::theory::lqre::{self, End, Options};
use equiflow::theory::vpg::Vpg;
use equiflow::theory::vpg::marginal::asymmetric_start;
use equiflow::theory::*;
use serde_json::Value;

/// A file or folder of the reference data.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.exists() {
        eprintln!("nothing was checked: there is no reference data at {}", path.display());
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
fn files_are_accepted_and_refused_as_by_gambit() {
    let Some(folder) = shared("nfg_reader_cases") else { return };
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for case in json(&folder.join("cases.json")).as_array().unwrap() {
        let name = case["file"].as_str().unwrap();
        match nfg::open(&folder.join(name)) {
            Ok(form) => {
                assert_eq!(case["accepted"], true, "{name}: {}", case["error"]);
                assert_eq!(form.title, case["title"].as_str().unwrap(), "{name}");
                assert_eq!(form.comment, case["comment"].as_str().unwrap(), "{name}");
                assert_eq!(form.players(), texts(&case["players"]), "{name}");
                for player in 0..form.players().len() {
                    assert_eq!(form.strategies(player), texts(&case["strategies"][player]), "{name}");
                    let payoffs: Vec<_> = (0..form.cells()).map(|cell| form.exact(player, cell).to_string()).collect();
                    assert_eq!(payoffs, texts(&case["payoffs_exact"][player]), "{name}");
                }
                assert_eq!(nfg::read(nfg::write(&form).as_bytes()).unwrap(), form, "{name} written and read back");
            }
            Err(error) => assert_eq!(case["accepted"], false, "{name}: {error}"),
        }
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

#[test]
fn potentials_and_pure_equilibria_are_the_known_ones() {
    for (name, form, table, known) in games() {
        let found = potential::potential(&form);
        // The reference looks only at cycles through the first strategies: enough to tell, but not the largest.
        let expected = known["four_cycle_max_violation"].as_f64().unwrap();
        assert!(found.violation >= expected * (1.0 - 1e-12), "{name}: {} is below {expected}", found.violation);
        if form.shape().iter().all(|n| *n == 2) {
            close(&name, found.violation, expected, 1e-12);
        }
        if let Some(potential::Cycle { players: (one, other), cell, changed }) = found.witness {
            let go = |cell, player, to: usize| {
                let (choice, stride) = form.place(player, cell);
                cell - choice * stride + to * stride
            };
            let there = go(cell, one, changed.0);
            let corner = go(there, other, changed.1);
            let back = go(cell, other, changed.1);
            let gain = |player, from: usize, to: usize| form.payoffs(player)[to] - form.payoffs(player)[from];
            let sum =
                gain(one, cell, there) + gain(other, there, corner) + gain(one, corner, back) + gain(other, back, cell);
            close(&name, sum, found.violation, 1e-12);
        }
        assert_eq!(found.values.is_some(), known["exact_potential"].as_bool().unwrap(), "{name}");
        if let Some(values) = &found.values {
            for (found, expected) in values.iter().zip(numbers(&known["potential"])) {
                close(&name, *found, expected, 1e-12);
            }
        }
        let pure: Vec<Vec<usize>> = pure_nash::pure_nash(&form).iter().map(|cell| form.choices(*cell)).collect();
        let mut expected: Vec<Vec<usize>> = known["pure_nash"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cell| numbers(cell).iter().map(|choice| *choice as usize).collect())
            .collect();
        expected.sort();
        assert_eq!(pure, expected, "{name}");
        for cell in pure {
            let profile = Profile::pure(table.layout(), |player, _| cell[player]);
            assert_eq!(nash_conv(&table, &profile).unwrap().total(), 0.0, "{name}");
        }
    }
}

#[test]
fn extreme_equilibria_are_those_of_gambit() {
    for (name, form, table, known) in games().into_iter().filter(|(_, form, _, _)| form.shape().len() == 2) {
        let all = mixed::mixed_nash(&form, std::time::Duration::from_secs(60)).unwrap();
        assert!(all.complete, "{name}");
        let known = known["equilibria"]["enummixed_rational"]["equilibria"].as_array().unwrap();
        let known: Vec<_> =
            known.iter().map(|one| Profile::new(table.layout(), numbers(&one["profile"])).unwrap()).collect();
        assert_eq!(all.found.len(), known.len(), "{name}");
        for one in &known {
            assert!(all.found.iter().any(|found| found.profile.distance(one) < 1e-9), "{name}: {:?}", one.values);
        }
        for found in &all.found {
            assert!(nash_conv(&table, &found.profile).unwrap().total() < 1e-9, "{name}: {found:?}");
        }
    }
}

/// A game of `theory_vectors.json`.
struct Vectors {
    rewards: Vec<f64>,
    moves: Vec<f64>,
    start: Vec<f64>,
    states: usize,
    actions: Vec<usize>,
    discount: f64,
}

impl FiniteGame for Vectors {
    fn players(&self) -> usize {
        2
    }
    fn states(&self) -> usize {
        self.states
    }
    fn actions(&self, _state: usize, player: usize) -> usize {
        self.actions[player]
    }
    fn discount(&self) -> f64 {
        self.discount
    }
    fn start(&self, state: usize) -> f64 {
        self.start[state]
    }
    fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
        let rows = self.states * self.actions[0] * self.actions[1];
        let row = (state * self.actions[0] + joint[0]) * self.actions[1] + joint[1];
        rewards.copy_from_slice(&[self.rewards[row], self.rewards[rows + row]]);
        next.extend(self.moves[row * self.states..][..self.states].iter().copied().enumerate());
    }
}

#[test]
fn values_gains_and_equilibria_of_markov_games_are_the_known_ones() {
    let Some(path) = shared("theory_vectors.json") else { return };
    for known in json(&path)["games"].as_array().unwrap() {
        let name = known["name"].as_str().unwrap();
        let game = Vectors {
            rewards: numbers(&known["r"]),
            moves: numbers(&known["P"]),
            start: numbers(&known["mu"]),
            states: known["n_states"].as_u64().unwrap() as usize,
            actions: numbers(&known["n_actions"]).iter().map(|n| *n as usize).collect(),
            discount: known["gamma"].as_f64().unwrap(),
        };
        let table = TabularGame::new(&game).unwrap();
        let fixed = &known["R2"];
        let profile = Profile::new(table.layout(), numbers(&fixed["policy"])).unwrap();
        let own = Objective { entropy: Entropy::Own, temperature: 1.0 };
        let worth = values(&table, &profile, own).unwrap();
        let rewards = values(&table, &profile, Objective::default()).unwrap();
        let gains = nash_conv(&table, &profile).unwrap();
        let promised: Vec<f64> =
            (0..2).flat_map(|player| action_values(&table, &profile, worth.of(player), player)).collect();
        let best: Vec<f64> = gains.responses.iter().flat_map(|response| response.values.clone()).collect();
        for (what, found, expected) in [
            ("V_own_entropy", &worth.of_states, &fixed["V_own_entropy"]),
            ("V_reward", &rewards.of_states, &fixed["V_reward"]),
            ("Qbar", &promised, &fixed["Qbar"]),
            ("best_response_V", &best, &fixed["best_response_V"]),
            ("gains_mu", &gains.gains, &fixed["gains_mu"]),
            ("gains_max_over_s", &gains.largest_gains, &fixed["gains_max_over_s"]),
        ] {
            let expected = numbers(expected);
            assert_eq!(found.len(), expected.len(), "{name} {what}");
            found
                .iter()
                .zip(expected)
                .for_each(|(found, expected)| close(&format!("{name} {what}"), *found, expected, 1e-10));
        }
        assert!(lqre::residual(&table, &profile, 1.0, true).unwrap() < 1e-13, "{name}");
        let path = lqre::trace(&table, &Options { lambdas: vec![1.0], max_lambda: 0.0, ..Options::default() }).unwrap();
        println!(
            "{name}: {:?} {} points, folds {:?}, bifurcations {:?} last {:?}",
            path.end,
            path.points.len(),
            path.folds,
            path.bifurcations,
            path.points.last()
        );
        let found = &path.equilibria[0];
        assert!(path.end == End::Reached && found.residual < 1e-12, "{name}: {path:?}");
        println!(
            "{name}: LQRE(1) differs by {:e}; {} points, folds {:?}, bifurcations {:?}",
            found.profile.distance(&profile),
            path.points.len(),
            path.folds,
            path.bifurcations
        );
        for (kind, entropy) in
            [("reward_only", Entropy::None), ("own_entropy", Entropy::Own), ("shared_entropy", Entropy::Shared)]
        {
            let objective = Objective { entropy, temperature: 1.0 };
            let found = markov_potential::policy_cycles(&table, objective, 300, 0).unwrap();
            let expected = known["four_cycle_max"][kind].as_f64().unwrap();
            println!("  {kind}: {:e}, reference {expected:e}", found.violation);
            assert_eq!(
                found.relative > markov_potential::ROUNDING,
                expected > 1e-9,
                "{name} {kind}: {}",
                found.violation
            );
        }
    }
}

#[test]
fn marginal_vpg_ends_at_logit_equilibria() {
    let mut potential_games = 0;
    for (name, _, table, known) in games() {
        for expected in known["lqre"].as_array().unwrap() {
            let lambda = expected["lam"].as_f64().unwrap();
            // The reference scales the rewards by lambda instead, with tau = 1.
            let vpg = |alpha: f64| Vpg::new(alpha * lambda, 1.0 / lambda);
            let run = &expected["eq7_marginal_from_uniform"];
            if run["outcome"] == "same LQRE" {
                let vpg = vpg(run["alpha"].as_f64().unwrap());
                let found = vpg.run(&table, Profile::uniform(table.layout()), 50_000).unwrap();
                let profile = Profile::new(table.layout(), numbers(&expected["profile"])).unwrap();
                // Past a bifurcation the last digits decide which equilibrium the symmetric start goes to.
                let distance = match expected["branch_check"].as_str() {
                    Some("agree") => found.profile.distance(&profile),
                    _ => lqre::residual(&table, &found.profile, lambda, true).unwrap(),
                };
                assert!(distance < 1e-9, "{name} at lambda {lambda}: {} {distance:e} away", found.end);
            }
            if known["exact_potential"] == true {
                let found = vpg(0.1).run(&table, asymmetric_start(&table), 50_000).unwrap();
                let residual = lqre::residual(&table, &found.profile, lambda, true).unwrap();
                assert!(residual < 1e-10, "{name} at lambda {lambda}: {}, residual {residual:e}", found.end);
                potential_games += 1;
            }
        }
    }
    assert!(potential_games > 0 || shared("gambit").is_none());
}
