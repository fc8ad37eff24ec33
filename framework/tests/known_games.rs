//! Exact game theory on small games whose answers are known in closed form.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::path::Path;
use std::time::Duration;

use equiflow::theory::lqre::{self, End, Options};
use equiflow::theory::{
    NormalForm, Profile, TabularGame, dominance, mixed, nash_conv, nfg, potential, pure_nash, social_optimum,
};

const LONG: Duration = Duration::from_secs(60);

fn open(name: &str) -> (NormalForm, TabularGame) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nfg").join(format!("{name}.nfg"));
    let form = nfg::open(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let table = TabularGame::new(&form).unwrap();
    (form, table)
}

#[track_caller]
fn close(found: &[f64], expected: &[f64]) {
    let near = found.len() == expected.len() && found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-14);
    assert!(near, "{found:?} instead of {expected:?}");
}

fn pure(form: &NormalForm) -> Vec<Vec<usize>> {
    pure_nash::pure_nash(form).into_iter().map(|cell| form.choices(cell)).collect()
}

/// Logit equilibria at these lambdas, each with a residual of rounding only.
fn logit(table: &TabularGame, lambdas: &[f64]) -> lqre::Path {
    let path = lqre::trace(table, &Options { lambdas: lambdas.to_vec(), ..Options::default() }).unwrap();
    assert_eq!(path.end, End::Reached);
    assert_eq!(path.equilibria.iter().map(|found| found.lambda).collect::<Vec<_>>(), lambdas);
    assert!(path.equilibria.iter().all(|found| found.residual < 1e-14 && found.passes == 0));
    path
}

#[test]
fn pennies_with_a_large_prize_are_mixed_by_the_other_s_payoffs() {
    let (form, table) = open("pennies");
    assert_eq!(pure(&form), [[0; 0]; 0]);
    let all = mixed::mixed_nash(&form, LONG).unwrap();
    assert_eq!((all.found.len(), all.complete), (1, true));
    close(&all.found[0].profile.values, &[0.5, 0.5, 2.0 / 7.0, 5.0 / 7.0]);
    let found = nash_conv(&table, &all.found[0].profile).unwrap();
    close(&found.values.of_start, &[3.0 / 7.0, 0.0]);
    close(&[found.total()], &[0.0]);
    // Against the uniform column player heads pay 1.5 and tails nothing; the column player is indifferent.
    let found = nash_conv(&table, &Profile::uniform(table.layout())).unwrap();
    close(&found.gains, &[0.75, 0.0]);
    let found = potential::potential(&form);
    assert_eq!((found.violation, found.values), (11.0, None));
    // Column gains 2 by tails, then Row 2 by tails, Column 2 by heads and Row 5 by heads.
    let witness = potential::Cycle { players: (1, 0), cell: 0, changed: (1, 1) };
    assert_eq!(found.witness, Some(witness));
}

#[test]
fn coordination_bends_at_lambda_2() {
    let (form, table) = open("coordination");
    assert_eq!(pure(&form), [[0, 0], [1, 1]]);
    assert_eq!(mixed::mixed_nash(&form, LONG).unwrap().found.len(), 3);
    assert_eq!(potential::potential(&form).values.unwrap(), [0.0, -1.0, -1.0, 0.0]);
    let path = logit(&table, &[1.0, 5.0]);
    path.equilibria.iter().for_each(|found| close(&found.profile.values, &[0.5; 4]));
    assert!(path.folds.is_empty() && path.bifurcations.len() == 1, "{:?} {:?}", path.folds, path.bifurcations);
    assert!((path.bifurcations[0] - 2.0).abs() < 1e-4, "{:?}", path.bifurcations);
}

#[test]
fn who_can_donate_keeps_by_the_logistic_function() {
    let (form, table) = open("donation");
    assert_eq!(pure(&form), [[1, 1]]);
    let eliminated = dominance::eliminate(&form, LONG);
    let who: Vec<_> = eliminated.found.iter().map(|one| (one.player, one.strategy, one.round)).collect();
    assert_eq!((who, eliminated.complete), (vec![(0, 0, 1), (1, 0, 1)], true));
    // Keeping brings 1 more whatever the other does.
    for found in logit(&table, &[0.1, 1.0, 5.0, 10.0]).equilibria {
        let gives = 1.0 / (1.0 + found.lambda.exp());
        close(&found.profile.values, &[gives, 1.0 - gives, gives, 1.0 - gives]);
        close(&nash_conv(&table, &found.profile).unwrap().gains, &[gives, gives]);
    }
    assert_eq!(social_optimum(&table).unwrap().choice, [0]);
}

#[test]
fn one_volunteer_is_enough() {
    let (form, table) = open("volunteers");
    assert_eq!(pure(&form), [[0, 1, 1], [1, 0, 1], [1, 1, 0]]);
    let third = 1.0 / 3.0;
    let found = potential::potential(&form);
    assert!(found.exact && found.complete);
    close(&found.values.unwrap(), &[0.0, third, third, 2.0 * third, third, 2.0 * third, 2.0 * third, 0.0]);
    // Waiting is as good as helping when the two others wait with q^2 = 1/3.
    let q = third.sqrt();
    let mix = Profile::new(table.layout(), [1.0 - q, q].repeat(3)).unwrap();
    close(&nash_conv(&table, &mix).unwrap().gains, &[0.0; 3]);
    // The logit equilibrium on the path from lambda 0 is symmetric: logit(w) = lambda (1/3 - w^2).
    for found in logit(&table, &[0.5, 2.0, 5.0]).equilibria {
        let waits = found.profile.of(0, 0)[1];
        close(&found.profile.values, &[1.0 - waits, waits].repeat(3));
        close(&[(waits / (1.0 - waits)).ln()], &[found.lambda * (third - waits * waits)]);
    }
}

#[test]
fn weighted_scissors_have_one_mixed_equilibrium_of_value_0() {
    let (form, table) = open("weighted_scissors");
    assert_eq!(form.constant_sum(), Some(0.0));
    let all = mixed::mixed_nash(&form, LONG).unwrap();
    assert_eq!((all.found.len(), all.complete), (1, true));
    close(&all.found[0].profile.values, &[1.0 / 2.0, 1.0 / 6.0, 1.0 / 3.0].repeat(2));
    close(&nash_conv(&table, &all.found[0].profile).unwrap().values.of_start, &[0.0, 0.0]);
    // Uniform play: scissors win 2 of 3 against rock and paper, which lose to it.
    close(&nash_conv(&table, &Profile::uniform(table.layout())).unwrap().gains, &[2.0 / 3.0, 2.0 / 3.0]);
}

#[test]
fn dominance_solves_round_by_round() {
    let (form, _) = open("round_by_round");
    let eliminated = dominance::eliminate(&form, LONG).found;
    let who: Vec<_> = eliminated.iter().map(|one| (one.player, one.strategy, one.by, one.round)).collect();
    assert_eq!(who, [(1, 2, 1, 1), (0, 1, 0, 2), (1, 0, 1, 3)]);
    assert_eq!(pure(&form), [[0, 1]]);
}

#[test]
fn limits_of_time_and_steps_end_a_path_and_say_so() {
    let (_, table) = open("volunteers");
    let trace = |options: Options| lqre::trace(&table, &Options { lambdas: vec![5.0], ..options });
    let few = trace(Options { max_steps: 2, ..Options::default() }).unwrap();
    assert_eq!((few.end, few.points.len(), few.equilibria.len()), (End::Steps, 3, 0));
    assert!(trace(Options { max_time: Duration::ZERO, ..Options::default() }).is_err());
    for wrong in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(trace(Options { max_lambda: wrong, ..Options::default() }).is_err());
    }
}
