//! Whole updates against PyTorch in float64.

use equiflow::environment::Lane;
use equiflow_neural::testing::{adam, assert_close, field, fixture, items, network, numbers, parameters, stack};

use serde_json::Value;

use super::*;

#[test]
fn two_updates_of_two_agents_are_those_of_pytorch() {
    compare(&fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/update.json")));
}

#[test]
fn two_updates_of_an_agent_with_choices_and_one_with_a_box_are_those_of_pytorch() {
    compare(&fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/choices.json")));
}

/// The actions of an agent of a file.
fn action(file: &Value, agent: usize) -> Space {
    let bound = |name: &str| numbers(&file[name][agent]).iter().map(|&x| x as f32).collect();
    match &file["low"][agent] {
        Value::Null => Space::Discrete(items(&file["actor_sizes"][agent]).last().unwrap().as_u64().unwrap() as usize),
        _ => Space::Box { low: bound("low"), high: bound("high") },
    }
}

/// Two agents against the updates of a file.
fn compare(file: &Value) {
    let actions = [0, 1].map(|i| action(file, i));
    let number = |name: &str| file[name].as_f64().unwrap();
    let observations = [3, 2];
    let heads = [0, 1].map(|i| Head::new(&actions[i]));
    let places =
        [0, 1].map(|i| Player { observation: Space::cube(observations[i], -1.0, 1.0), action: actions[i].clone() });
    let (game, lane) = (GameSpec::repeated(places.to_vec()), Lane { run_seed: 0, seeds: vec![0, 1], instances: 1 });

    for variant in items(&file["variants"]) {
        let mut agents = [0, 1].map(|i| {
            let initial: Vec<_> = items(&file["initial"]).into_iter().map(|seed| &seed[i]).collect();
            let net = |kind: &str, name: &str| network(&file[&*format!("{kind}_sizes")][i], &field(&initial, name));
            let learner =
                |name: &str, rate: &str| Learner::new(net(name, name), adam(file, rate, &variant["max_grad_norm"]));
            let seat = Seat { lane: &lane, game: &game, player: i, tables: None };
            let mut networks = Networks::<f64>::new(&MaddpgParams::default(), &seat);
            networks.actor.set_networks(learner("actor", "actor_learning_rate"), net("actor", "actor_target"));
            networks.critic = learner("critic", "critic_learning_rate");
            networks.critic_target = net("critic", "critic_target");
            networks
        });
        for (batch, after) in items(&file["batches"]).into_iter().zip(items(&variant["after"])) {
            let (batch, after) = (items(batch), items(after));
            let of = |name: &str, i: usize| {
                stack(&field(&batch, name).into_iter().map(|agents| &agents[i]).collect::<Vec<_>>())
            };
            let all = |name: &str| [0, 1].map(|i| of(name, i));
            let (observations, played) = (all("observation"), all("action"));
            let actions = [0, 1].map(|i| told(&heads[i], &played[i]));
            let (next_observations, rewards) = (all("next_observation"), all("reward"));
            let noises = field(&batch, "noise");
            let terminated = stack(&field(&batch, "terminated"));
            // Of both agents before either of them learns.
            let mut next_played = played.clone();
            for (i, agent) in agents.iter_mut().enumerate() {
                agent.actor.target_action(&next_observations[i], &mut next_played[i]);
            }
            let next_actions = [0, 1].map(|i| told(&heads[i], &next_played[i]));
            for (i, networks) in agents.iter_mut().enumerate() {
                let batch = Transitions {
                    observations: observations.iter().map(Vec::as_slice).collect(),
                    actions: actions.iter().map(AsRef::as_ref).collect(),
                    reward: &rewards[i],
                    terminated: &terminated,
                    next_observations: next_observations.iter().map(Vec::as_slice).collect(),
                    next_actions: next_actions.iter().map(AsRef::as_ref).collect(),
                };
                let after: Vec<_> = after.iter().map(|seed| &seed[i]).collect();
                let noise: Vec<_> = noises.iter().map(|agents| &agents[i]).filter(|noise| !noise.is_null()).collect();
                let noise = stack(&noise);
                let (critic, actor) = networks.update(&batch, &noise, number("gamma"), number("tau"));
                assert_close(&critic.loss, &stack(&field(&after, "critic_loss")), "critic loss");
                assert_close(
                    &critic.gradient_norm,
                    &stack(&field(&after, "critic_gradient_norm")),
                    "critic gradient norm",
                );
                assert_close(&actor.loss, &stack(&field(&after, "actor_loss")), "actor loss");
                assert_close(
                    &actor.gradient_norm,
                    &stack(&field(&after, "actor_gradient_norm")),
                    "actor gradient norm",
                );
                for (net, name) in [
                    (networks.actor.net(), "actor"),
                    (&networks.critic.net, "critic"),
                    (networks.actor.target(), "actor_target"),
                    (&networks.critic_target, "critic_target"),
                ] {
                    assert_close(net.values(), &parameters(&field(&after, name)), name);
                }
            }
        }
    }
}
