//! The tabular readings of the paper against numbers that another program computed, which stand in
//! `../shared/data/theory_vectors.json` beside the workspace. Where that is missing these tests pass and have checked
//! nothing; only with `--nocapture` do they say so.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use equiflow::theory::games::Tables;
use equiflow::theory::vpg::conditional::{Conditional, execute, improve_table, soft_values};
use equiflow::theory::vpg::marginal::asymmetric_start;
use equiflow::theory::vpg::{End, Vpg, improve, smoothness, step_size};
use equiflow::theory::{Entropy, Objective, Profile, TabularGame, action_values, lqre, nash_conv, values};
use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/theory_vectors.json");

/// The games of the file with their numbers; none where there is no such file.
fn games() -> Vec<(TabularGame, Value)> {
    let Ok(text) = std::fs::read_to_string(FILE) else {
        eprintln!("nothing was checked: there is no {FILE}");
        return Vec::new();
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let games = file["games"].as_array().unwrap().iter();
    games.map(|vectors| (TabularGame::new(&tables(vectors)).unwrap(), vectors.clone())).collect()
}

fn tables(vectors: &Value) -> Tables {
    let lists = |value: &Value| value.as_array().unwrap().clone();
    let transitions = lists(&vectors["P"]).into_iter().map(|state| {
        let rows = lists(&state).into_iter().flat_map(|row| lists(&row));
        rows.map(|next| numbers(&next).into_iter().enumerate().collect()).collect()
    });
    Tables {
        shape: lists(&vectors["n_actions"]).iter().map(|n| n.as_u64().unwrap() as usize).collect(),
        rewards: lists(&vectors["r"]).iter().map(|player| lists(player).iter().map(numbers).collect()).collect(),
        next: transitions.collect(),
        discount: vectors["gamma"].as_f64().unwrap(),
        start: numbers(&vectors["mu"]),
    }
}

/// All numbers of nested lists, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// Asserts that numbers agree to 1e-10, relative where they are above 1.
#[track_caller]
fn agree(found: &[f64], expected: &Value, what: &str) {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (x, y) in found.iter().zip(&expected) {
        assert!((x - y).abs() <= 1e-10 * y.abs().max(1.0), "{what}: {x} instead of {y}");
    }
}

/// The numbers of a table over rows, in the file's order [state][opponent's action][own action].
fn own_last(game: &TabularGame, player: usize, table: &[f64]) -> Vec<f64> {
    let mut out = Vec::new();
    for state in 0..game.states() {
        let shape = game.shape(state);
        for other in 0..shape[1 - player] {
            for own in 0..shape[player] {
                let (first, second) = if player == 0 { (own, other) } else { (other, own) };
                out.push(table[game.rows(state).start + first * shape[1] + second]);
            }
        }
    }
    out
}

/// A profile of which the place of player 0's opponent holds these numbers.
fn model_of_second(like: &Profile, numbers: &[f64]) -> Profile {
    let mut model = like.clone();
    let place = model.layout.range(1, 0).start;
    model.values[place..].copy_from_slice(numbers);
    model
}

#[test]
fn constants_and_bounds() {
    for (game, vectors) in games() {
        let most = game.shape(0).iter().copied().max().unwrap();
        agree(&[smoothness(2, game.discount(), most)], &vectors["lemma54_L"], "Lemma 5.4");
        agree(&[(most as f64).ln() / (1.0 - game.discount())], &vectors["eps_thm55_exact"], "Theorem 5.5");
    }
}

#[test]
fn one_step_from_the_uniform_profile() {
    for (game, vectors) in games() {
        let step = &vectors["one_step_from_uniform"];
        let alpha = step_size(step["eta"].as_f64().unwrap(), game.discount(), 1.0).unwrap();
        let mut profile = Profile::uniform(game.layout());
        Vpg::new(alpha, 1.0).iterate(&game, &mut profile).unwrap();
        agree(&profile.values, &step["R2_marginal"], "marginal");
        let mut policies = Conditional::uniform(&game);
        policies.iterate(&game, alpha, 1.0).unwrap();
        let tables: Vec<_> = (0..2).flat_map(|player| own_last(&game, player, &policies.tables[player])).collect();
        agree(&tables, &step["R1_conditional"], "conditional");
    }
}

#[test]
fn the_marginal_reading_ends_at_the_logit_equilibrium() {
    for (game, vectors) in games() {
        let expected = &vectors["R2"];
        let vpg = Vpg::new(0.1, 1.0);
        let start = asymmetric_start(&game);
        agree(&start.values, &expected["start"], "start");
        let found = vpg.run(&game, start, 10_000).unwrap();
        assert_eq!(found.end, End::Converged, "{}", vectors["name"]);
        agree(&found.profile.values, &expected["policy"], "policy");
        let own = Objective { entropy: Entropy::Own, temperature: 1.0 };
        let soft = values(&game, &found.profile, own).unwrap();
        agree(&soft.of_states, &expected["V_own_entropy"], "soft values");
        let q: Vec<_> = (0..2).flat_map(|i| action_values(&game, &found.profile, soft.of(i), i)).collect();
        agree(&q, &expected["Qbar"], "Qbar");
        let gains = nash_conv(&game, &found.profile).unwrap();
        agree(&gains.values.of_states, &expected["V_reward"], "values");
        let best: Vec<_> = gains.responses.iter().flat_map(|response| response.values.clone()).collect();
        agree(&best, &expected["best_response_V"], "best responses");
        agree(&gains.largest_gains, &expected["gains_max_over_s"], "gains");
        agree(&gains.gains, &expected["gains_mu"], "gains from the start");
        assert!(lqre::residual(&game, &found.profile, 1.0, true).unwrap() < 1e-12);
    }
}

#[test]
fn the_conditional_reading_ends_at_softmax_of_q() {
    for (game, vectors) in games() {
        let expected = &vectors["R1"];
        let mut policies = Conditional::uniform(&game);
        let rest = (0..20_000).find(|_| policies.iterate(&game, 0.1, 1.0).unwrap() < 1e-15);
        assert!(rest.is_some() || policies.iterate(&game, 0.1, 1.0).unwrap() < 1e-13, "{}", vectors["name"]);
        let each = |what: &dyn Fn(usize) -> Vec<f64>| (0..2).flat_map(what).collect::<Vec<_>>();
        agree(&each(&|i| own_last(&game, i, &policies.tables[i])), &expected["conditional"], "tables");
        agree(&policies.executed.values, &expected["marginals"], "executed policies");
        let soft =
            |i: usize| soft_values(&game, i, &policies.tables[i], &policies.executed, &policies.executed, 1.0).unwrap();
        agree(&each(&|i| soft(i).of_states), &expected["V_def44"], "V");
        agree(&each(&|i| own_last(&game, i, &soft(i).of_rows)), &expected["Q_def44"], "Q");
        let gains = nash_conv(&game, &policies.executed).unwrap();
        agree(&gains.values.of_states, &expected["executed_V_reward"], "values");
        agree(&gains.largest_gains, &expected["executed_gains_max_over_s"], "gains");
        // At the fixed point one more step changes nothing.
        let mut again = policies.tables[0].clone();
        improve_table(&game, 0, &mut again, &soft(0).of_rows, 0.7, 1.0);
        assert!(again.iter().zip(&policies.tables[0]).all(|(x, y)| (x - y).abs() < 1e-12));
        let mut executed = policies.executed.clone();
        execute(&game, 0, &again, &policies.executed, &mut executed);
        assert!(executed.distance(&policies.executed) < 1e-12);
    }
}

#[test]
fn a_wrong_opponent_model_moves_q_by_at_most_delta() {
    for (game, vectors) in games() {
        let (expected, end) = (&vectors["prop46"], &vectors["R1"]);
        // The player's own table stands in the file's order; softmax of Q gives it back.
        let truth = model_of_second(&Profile::uniform(game.layout()), &numbers(&end["rho"][0]));
        let perturbed = model_of_second(&truth, &numbers(&expected["rho_perturbed"]));
        let mut table = Conditional::uniform(&game).tables.swap_remove(0);
        fill(&game, &mut table, &numbers(&end["conditional"][0]));
        let q = soft_values(&game, 0, &table, &truth, &truth, 1.0).unwrap().of_rows;
        let wrong = soft_values(&game, 0, &table, &perturbed, &truth, 1.0).unwrap().of_rows;
        agree(&own_last(&game, 0, &wrong), &expected["Q_hat"], "Q of the wrong model");
        let moved = q.iter().zip(&wrong).fold(0.0, |most: f64, (x, y)| most.max((x - y).abs()));
        agree(&[moved], &expected["max_abs_Q_diff"], "difference");
        if expected["delta_applies"] == true {
            assert!(moved <= expected["delta"].as_f64().unwrap());
        }
    }
}

/// Puts numbers in the file's order into player 0's table over rows.
fn fill(game: &TabularGame, table: &mut [f64], numbers: &[f64]) {
    let places: Vec<f64> = (0..table.len()).map(|row| row as f64).collect();
    for (row, number) in own_last(game, 0, &places).into_iter().zip(numbers) {
        table[row as usize] = *number;
    }
}

#[test]
fn eq_7_by_the_file_s_own_numbers() {
    for (game, vectors) in games() {
        // One step of size 1 from anywhere is softmax of Q, which the file's fixed point is.
        let expected = numbers(&vectors["R1"]["conditional"][0]);
        let actions = game.shape(0)[0];
        for (q, policy) in numbers(&vectors["R1"]["Q_def44"][0]).chunks(actions).zip(expected.chunks(actions)) {
            let mut found = vec![1.0 / actions as f64; actions];
            improve(&mut found, q, 1.0, 1.0);
            assert!(found.iter().zip(policy).all(|(x, y)| (x - y).abs() < 1e-10), "{found:?} {policy:?}");
        }
    }
}
