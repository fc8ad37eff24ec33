//! Every game of the family keeps what the conformance kit asks, and has the payoffs that it should.

#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use equiflow::game::{Game, Joint, Status};
use equiflow::stream::Stream;
use equiflow::testing::conformance;
use equiflow::theory::{nfg, potential, pure_nash};
use matrix::*;

/// The game after the conformance kit, with its pure equilibria as names.
fn check<R>(rules: R) -> Vec<Vec<String>>
where
    OneShot<R>: Game<Params = R>,
{
    let game = OneShot::<R>::new(rules).unwrap();
    conformance(&game);
    let form = game.finite().unwrap().normal_form().unwrap();
    // The world plays the payoffs that the theory computes with.
    let mut rng = Stream::new(0, 0, "test", "game");
    let mut rewards = vec![0.0; form.players().len()];
    for cell in 0..form.cells() {
        let actions: Vec<[f32; 1]> = form.choices(cell).into_iter().map(|choice| [choice as f32]).collect();
        let joint: Vec<(&[f32], usize)> = actions.iter().map(|action| (&action[..], 1)).collect();
        let mut state = game.reset(&mut rng);
        let status = game.step(&mut state, &Joint::new(&joint, 0), &mut rng, &mut rewards);
        assert_eq!(status, Status::Terminal);
        for (player, reward) in rewards.iter().enumerate() {
            assert_eq!(*reward, form.payoffs(player)[cell] as f32, "player {player} in cell {cell}");
        }
    }
    let names = |cell: usize| {
        form.choices(cell).iter().enumerate().map(|(player, a)| form.strategies(player)[*a].clone()).collect()
    };
    pure_nash::pure_nash(form).into_iter().map(names).collect()
}

#[test]
fn classics_have_the_equilibria_of_the_textbooks() {
    assert_eq!(check(PrisonersDilemma::default()), [["defect", "defect"]]);
    assert_eq!(check(StagHunt::default()), [["stag", "stag"], ["hare", "hare"]]);
    assert_eq!(check(BattleOfTheSexes::default()), [["opera", "opera"], ["football", "football"]]);
    assert_eq!(check(MatchingPennies::default()), [[""; 0]; 0]);
    assert_eq!(check(RockPaperScissors { stake: 2.0 }), [[""; 0]; 0]);
    assert_eq!(check(Climbing {}), [["a", "a"], ["b", "b"]]);
    let three = Coordination { players: 3, actions: 3, first: 2.0, step: 0.5, miss: 0.0 };
    // With everybody elsewhere no single player can make all three meet: those are equilibria too, weak ones.
    let apart = [["1", "2", "3"], ["1", "3", "2"], ["2", "1", "3"], ["2", "3", "1"], ["3", "1", "2"], ["3", "2", "1"]];
    let mut expected = [&[["1"; 3], ["2"; 3], ["3"; 3]][..], &apart].concat();
    expected.sort_unstable();
    assert_eq!(check(three), expected);
}

#[test]
fn what_makes_no_such_game_is_refused() {
    assert!(OneShot::new(PrisonersDilemma { reward: 9.0, ..PrisonersDilemma::default() }).is_err());
    assert!(OneShot::new(StagHunt { hare: f64::NAN, ..StagHunt::default() }).is_err());
    assert!(OneShot::new(MatchingPennies { stake: f64::INFINITY }).is_err());
    assert!(OneShot::new(Coordination { actions: 0, ..Coordination::default() }).is_err());
    for (players, actions, expected) in [
        (90, 2, "cells with"),
        (1001, 1, "there are 1001 players; expected at most 1000"),
        // 92 million payoffs, nearly all of which no f64 holds.
        (22, 2, "the game has 4194304 cells with 92274688 payoffs; expected at most 8388608 payoffs"),
    ] {
        let error = OneShot::new(Coordination { players, actions, miss: 0.1, ..Coordination::default() }).unwrap_err();
        assert!(error.what.contains(expected), "{}", error.what);
    }
    assert!(OneShot::new(Coordination { players: 1000, actions: 1, ..Coordination::default() }).is_ok());
    assert!(OneShot::new(RandomMatrix { actions: vec![], ..RandomMatrix::default() }).is_err());
}

#[test]
fn payoffs_are_taken_as_they_are_written() {
    let parse = |text: &str| {
        let table: Vec<Payoffs> = ron_tables(text);
        OneShot::new(Matrix { payoffs: table, file: String::new() })
    };
    let game = parse("1/3 0.1 2 3; 4 5 6 7").unwrap();
    let form = game.finite().unwrap().normal_form().unwrap();
    assert_eq!([form.exact(0, 0).to_string(), form.exact(0, 1).to_string()], ["1/3", "1/10"]);
    assert_eq!(form.payoffs(1), [4.0, 5.0, 6.0, 7.0]);
    assert!(parse("1 2 3 x; 4 5 6 7").is_err());
    assert!(parse("1 2 3 4").is_err(), "one table for two players");
    assert!(OneShot::new(Matrix::default()).is_err());
}

/// 2 x 2 tables, `;` between them.
fn ron_tables(text: &str) -> Vec<Payoffs> {
    let tables = text.split(';').map(|table| {
        let entry = |text: &str| text.parse().map_or_else(|_| Payoffs::Fraction(text.to_owned()), Payoffs::Number);
        let entries: Vec<_> = table.split_whitespace().map(entry).collect();
        Payoffs::Table(entries.chunks(2).map(|row| Payoffs::Table(row.to_vec())).collect())
    });
    tables.collect()
}

#[test]
fn files_are_read_and_their_mistakes_have_a_place() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files");
    let open = |name: &str| OneShot::new(Matrix { payoffs: vec![], file: format!("{folder}/{name}") });
    let game = open("three_players.nfg").unwrap();
    conformance(&game);
    let form = game.finite().unwrap().normal_form().unwrap();
    assert_eq!(form.shape(), [2, 2, 3]);
    assert_eq!(nfg::read(nfg::write(form).as_bytes()).unwrap(), *form);
    let error = open("broken.nfg").unwrap_err();
    assert_eq!(error.field, Some("file"));
    assert!(error.what.ends_with("broken.nfg:3:7: found `x`; expected a payoff"), "{}", error.what);
    assert!(open("nowhere.nfg").unwrap_err().what.contains("nowhere.nfg: the file cannot be read"));
}

#[test]
fn random_games_are_the_same_for_the_same_seed() {
    let game = |game_seed, interests| {
        let game = OneShot::new(RandomMatrix { actions: vec![2, 3, 2], game_seed, interests }).unwrap();
        conformance(&game);
        game.finite().unwrap().normal_form().unwrap().clone()
    };
    let first = game(1, Interests::General);
    assert_eq!(first, game(1, Interests::General));
    assert_ne!(first, game(2, Interests::General));
    assert!(potential::potential(&game(1, Interests::Common)).values.is_some());
    assert!(OneShot::new(RandomMatrix { actions: vec![2; 3], game_seed: 0, interests: Interests::ZeroSum }).is_err());
    check(RandomMatrix { interests: Interests::ZeroSum, ..RandomMatrix::default() });
}
