//! `equiflow solve` as a user meets it: tables, JSON, files, limits, and mistakes.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod common;

use std::fs;

use common::{Home, built};
use serde_json::Value;

/// A home with a game file of the fixtures.
fn home(name: &str) -> Home {
    let home = Home::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/nfg");
    fs::copy(format!("{fixture}/{name}"), home.path(name)).unwrap();
    home
}

/// The only game of `solve --json` with the program's exit code.
fn solve(home: &Home, args: &[&str]) -> (Option<i32>, Value) {
    let said = home.run(&[&["solve", "--json"], args].concat());
    let mut all: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let games = all["games"].as_array_mut().unwrap();
    assert_eq!(games.len(), 1);
    (said.code, games.remove(0))
}

#[test]
fn a_game_file_is_solved_in_a_table() {
    let said = home("pennies.nfg").run(&["solve", "pennies.nfg", "--profile", "1/2 1/2, 2/7 5/7"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    for expected in [
        "one-shot game of 2 players, 2 x 2 strategies",
        " heads   4, -1   -1, 1\n",
        "payoffs: exact, no constant sum",
        "strictly dominated (by pure strategies): none",
        "pure equilibria: none",
        "extreme equilibria, mixed or pure: 1 (all)",
        "0.5000 0.5000 | 0.2857 0.7143",
        "exact potential: no; the gains along (heads, heads) (heads, tails) (tails, tails) (tails, heads) and back sum to 11",
        "social optimum: welfare 3 at (heads, heads), residual 0",
        " 1/2 1/2, 2/7 5/7   0.428571 0 ",
        "the largest lambda was reached; folds: none",
    ] {
        assert!(said.out.contains(expected), "{expected}\n{}", said.out);
    }
}

#[test]
fn everything_in_json_has_its_residual() {
    let home = home("volunteers.nfg");
    let (code, game) = solve(&home, &["volunteers.nfg", "--lambda", "0.5,2"]);
    assert_eq!(code, Some(0));
    let pure = &game["one_shot"]["pure_equilibria"];
    assert_eq!((pure["count"].as_u64(), pure["listed"][0]["regret"].as_f64()), (Some(3), Some(0.0)));
    assert_eq!(pure["listed"][0]["strategies"], serde_json::json!(["help", "wait", "wait"]));
    assert_eq!(game["one_shot"]["payoffs"][0][0], "2/3");
    assert_eq!(game["one_shot"]["potential"]["exists"], true);
    assert_eq!(game["one_shot"]["extreme_equilibria"], Value::Null);
    // A player who helps with 1/2 gets 2/3 by it, and 3/4 by waiting.
    let uniform = &game["profiles"][0];
    assert!((uniform["nash_conv"].as_f64().unwrap() - 3.0 * (0.75 - 17.0 / 24.0)).abs() < 1e-15, "{uniform}");
    let found = game["lqre"]["equilibria"].as_array().unwrap();
    assert_eq!(found.iter().map(|one| one["lambda"].as_f64().unwrap()).collect::<Vec<_>>(), [0.5, 2.0]);
    for one in found.iter().chain(game["profiles"].as_array().unwrap()) {
        assert!(one["residual"].as_f64().unwrap() < 1e-12, "{one}");
        assert!(one.get("logit_residual").is_none_or(|residual| residual.as_f64().unwrap() < 1e-12), "{one}");
    }
}

#[test]
fn path_and_solution_are_written_where_the_user_asks() {
    let home = home("coordination.nfg");
    let said = home.run(&["solve", "coordination.nfg", "--out", "found/here"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert!(said.out.ends_with("path and solution in found/here\n"), "{}", said.out);
    let read = |name: &str| fs::read(home.path("found/here").join(name)).unwrap();
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    assert!(read("lqre.png").starts_with(b"\x89PNG"));
    let caption = text("lqre.svg").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(caption.contains("Logit equilibria on the path from lambda 0"), "{caption}");
    let csv = text("lqre.csv");
    assert!(csv.starts_with("point,lambda,player,state,action,probability\n0,0,A,0,1,0.5\n0,0,A,0,2,0.5\n"), "{csv}");
    let solution: Value = serde_json::from_str(&text("solution.json")).unwrap();
    assert_eq!(solution["lqre"]["reached"], true);
    // A file stands where the folder would be.
    let said = home.run(&["solve", "coordination.nfg", "--out", "coordination.nfg"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("help: name a folder that can be written with --out"), "{}", said.err);
}

#[test]
fn the_games_of_a_run_file_are_solved_each_once() {
    let home = home("pennies.nfg");
    for plugin in [built("matrix"), built("congestion")] {
        fs::copy(&plugin, home.programs().join(plugin.file_name().unwrap())).unwrap();
    }
    let run = r#"Run(name: "a run", seeds: 1, episodes: 1, steps: 1, game: stag_hunt(), entries: [
        random(),
        Entry(label: "again", all: random()),
        Entry(label: "markov", all: random(), game: two_link(players: 2, discount: 0.5)),
    ])"#;
    fs::write(home.path("run.ron"), run).unwrap();
    let said = home.run(&["solve", "run.ron", "--lambda", "1"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(said.out.matches("logit equilibria").count(), 2, "{}", said.out);
    for expected in [
        "pure equilibria: 2, regret 0: (stag, stag) (hare, hare)",
        "Markov game of 2 players, 4 states, discount 0.5",
        "policy cycles, values of rewards:",
        "logit equilibria (values with own entropy / lambda)",
    ] {
        assert!(said.out.contains(expected), "{expected}\n{}", said.out);
    }
    // Of games that are not finite all are named.
    fs::write(home.path("run.ron"), run.replace("stag_hunt()", "max_of_two()")).unwrap();
    let said = home.run(&["solve", "run.ron"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("the game `max_of_two` of entry `random` is not finite"), "{}", said.err);
}

/// Folders are named after games; one whose parameters fill a page goes by its number.
#[test]
fn several_games_have_a_folder_each() {
    let home = Home::new();
    let plugin = built("matrix");
    fs::copy(&plugin, home.programs().join(plugin.file_name().unwrap())).unwrap();
    let row = "[0.12345678901234, 1.12345678901234, 2.12345678901234, 3.12345678901234]";
    let table = format!("[{row}, {row}]");
    let run = format!(
        r#"Run(name: "a run", seeds: 1, episodes: 1, steps: 1, game: matching_pennies(), entries: [
            random(),
            Entry(label: "long", all: random(), game: matrix(payoffs: [{table}, {table}])),
        ])"#
    );
    fs::write(home.path("run.ron"), run).unwrap();
    let said = home.run(&["solve", "run.ron", "--out", "found"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert!(said.out.contains("path and solution in found/matching_pennies-"), "{}", said.out);
    assert!(said.out.ends_with("path and solution in found/game-2\n"), "{}", said.out);
    assert!(home.path("found/game-2/solution.json").is_file());
}

#[test]
fn what_is_broken_off_or_refused_for_its_size_is_said() {
    let home = Home::new();
    // Payoffs that are all the same: nothing is dominated, but every pair of strategies has to be compared throughout.
    let zeros = "0 ".repeat(2 * 4200 * 150);
    fs::write(home.path("zeros.nfg"), format!("NFG 1 R \"\" {{ \"A\" \"B\" }} {{ 4200 150 }} {zeros}")).unwrap();
    let (code, game) = solve(&home, &["zeros.nfg", "--time", "1"]);
    assert_eq!(code, Some(1));
    let one_shot = &game["one_shot"];
    assert_eq!(one_shot["weakly_dominated"], serde_json::json!({ "complete": false, "strategies": [] }));
    assert_eq!((&one_shot["payoffs"], &game["payoff_count"]), (&Value::Null, &1_260_000.into()));
    let refused = one_shot["extreme_equilibria"]["error"].as_str().unwrap();
    assert!(refused.contains("pairs of supports or more; expected at most"), "{refused}");
    let refused = game["lqre"]["error"].as_str().unwrap();
    assert!(refused.contains("the profile has 4350 probabilities"), "{refused}");
    assert_eq!(one_shot["pure_equilibria"]["count"], 630_000);
    assert_eq!(one_shot["pure_equilibria"]["listed"].as_array().unwrap().len(), 10_000);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let home = home("pennies.nfg");
    fs::write(home.path("word.nfg"), "NFG 1 R \"a game\" { \"A\" \"B\" } { 2 2 }\n1 2 3 four 5 6 7 8\n").unwrap();
    fs::write(home.path("huge.nfg"), "NFG 1 R \"\" { \"A\" \"B\" } { 1000000000 1000000000 } 1 2 3").unwrap();
    fs::write(home.path("long.nfg"), format!("NFG 1 R \"\" {{ \"A\" }} {{ 1 }} {}", "9".repeat(1 << 20))).unwrap();
    fs::write(home.path("deep.nfg"), "{".repeat(1 << 20)).unwrap();
    let [names, ones, zeros] = ["\"p\" ", "1 ", "0 "].map(|text| text.repeat(20_000));
    fs::write(home.path("crowd.nfg"), format!("NFG 1 R \"\" {{ {names} }} {{ {ones} }} {zeros}")).unwrap();
    let huge_file = fs::File::create(home.path("sparse.nfg")).unwrap();
    huge_file.set_len(1 << 40).unwrap();
    for (args, expected) in [
        (&["nowhere.nfg"][..], &["the game file `nowhere.nfg`", "help: name a Gambit file"][..]),
        (&["word.nfg"], &["found `four`", "word.nfg:2:7", "help: expected a payoff"]),
        (&["huge.nfg"], &["1000000000000000000 cells with 2000000000000000000 payoffs", "at most 8388608"]),
        (&["long.nfg"], &["the number has 1048576 digits", "at most 1000"]),
        (&["crowd.nfg"], &["the game has more than 1000 players", "help: expected at most 1000"]),
        (&["deep.nfg"], &["found `{`", "expected `NFG`"]),
        (&["sparse.nfg"], &["more than 256 MiB"]),
        (&["pennies.nfg", "--profile", "1 0 1"], &["the profile has 3 numbers", "expected 4"]),
        (&["pennies.nfg", "--profile", "1 0 0.5 0.6"], &["sums to 1.1", "expected probabilities that sum to 1"]),
        (&["pennies.nfg", "--profile", "1 0 half half"], &["the profile has `half`", "such as 0.25 or 1/4"]),
        (&["pennies.nfg", "--lambda", "-1"], &["-1"]),
        (&["pennies.nfg", "--lambda", "NaN"], &["lambda is NaN", "expected a number from 0 on"]),
        (&["pennies.nfg", "--max-lambda", "inf"], &["the largest lambda is inf", "expected a number from 0 on"]),
        (&["pennies.nfg", "--time", "0"], &["--time"]),
        (&["pennies.nfg", "--set", "episodes=3"], &["--set and --seeds change run files"]),
    ] {
        let said = home.run(&[&["solve"], args].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
        for part in expected {
            assert!(said.err.contains(part), "{args:?}: no {part} in\n{}", said.err);
        }
    }
}
