//! Whole updates against PyTorch in float64.

use equiflow_neural::testing::{adam, assert_close, field, fixture, items, network, numbers, parameters, stack};
use serde_json::Value;

use super::*;

/// The numbers of each opponent, `[S, B, width]`.
fn opponents(batch: &[&Value], name: &str) -> [Vec<f64>; 2] {
    [0, 1].map(|opponent| stack(&field(batch, name).into_iter().map(|all| &all[opponent]).collect::<Vec<_>>()))
}

/// Noise `[S, B, width]`; choices have none.
fn noise(batch: &[&Value], name: &str) -> Vec<f64> {
    field(batch, name).into_iter().filter(|noise| !noise.is_null()).flat_map(numbers).collect()
}

#[test]
fn two_updates_against_two_opponents_are_those_of_pytorch() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/update.json"));
    let number = |name: &str| file[name].as_f64().unwrap();
    let bounds = |name: &str| numbers(&file[name]).iter().map(|x| *x as f32).collect::<Vec<_>>();
    let space = |low: &str, high: &str| Space::Box { low: bounds(low), high: bounds(high) };
    let settings = Settings {
        discount: number("gamma"),
        target_rate: number("target_rate"),
        temperature: number("temperature"),
        regulariser: number("regulariser"),
        policy_learns: true,
    };
    for case in items(&file["cases"]) {
        let initial = items(&case["initial"]);
        let net = |name: &str, sizes: &str| network(&case[sizes], &field(&initial, name));
        let learner = |name: &str, sizes: &str, rate: &str| {
            Learner::new(net(name, sizes), adam(&file, rate, &case["max_grad_norm"]))
        };
        let own = case["action"].as_u64().map_or_else(|| space("low", "high"), |n| Space::Discrete(n as usize));
        let policy = learner("policy", "policy_sizes", "policy_learning_rate");
        let mut networks = Networks::<f64> {
            policy: Density::with(Head::new(&own), policy),
            critic: learner("critic", "critic_sizes", "critic_learning_rate"),
            critic_target: net("critic_target", "critic_sizes"),
            opponents: vec![Head::new(&space("opponent_low", "opponent_high")), Head::new(&Space::Discrete(3))],
            conditional: case["conditional"].as_bool().unwrap(),
            room: Room::default(),
        };
        for (batch, after) in items(&case["batches"]).into_iter().zip(items(&case["after"])) {
            let (batch, after) = (items(batch), items(after));
            let of = |name: &str| stack(&field(&batch, name));
            let expected = |name: &str| stack(&field(&after, name));
            let all = ["opponents", "predicted", "next_predicted"].map(|name| opponents(&batch, name));
            let [others, predicted, next_predicted] = all.each_ref().map(|both| both.each_ref().map(Vec::as_slice));
            let transitions = Transitions {
                observation: &of("observation"),
                action: &of("action"),
                opponents: &others,
                reward: &of("reward"),
                terminated: &of("terminated"),
                next_observation: &of("next_observation"),
                predicted: &predicted,
                next_predicted: &next_predicted,
                next_log_ratio: &of("next_log_ratio"),
            };
            let noise = ["next_noise", "noise"].map(|name| noise(&batch, name));
            let mut room = Room::default();
            networks.next_value(&transitions, &noise[0], settings.temperature, &mut room);
            assert_close(&room.value, &expected("next_value"), "soft value");
            let (critic, policy) = networks.update(&transitions, noise.each_ref().map(Vec::as_slice), &settings);
            let policy = policy.unwrap();
            assert_close(&networks.room.target, &expected("target"), "target");
            for (found, name) in [
                (&critic.loss, "critic_loss"),
                (&critic.gradient_norm, "critic_gradient_norm"),
                (&policy.loss, "policy_loss"),
                (&policy.gradient_norm, "policy_gradient_norm"),
            ] {
                assert_close(found, &expected(name), name);
            }
            for (net, name) in [
                (&networks.policy.learner.net, "policy"),
                (&networks.critic.net, "critic"),
                (&networks.critic_target, "critic_target"),
            ] {
                assert_close(net.values(), &parameters(&field(&after, name)), name);
            }
        }
    }
}
