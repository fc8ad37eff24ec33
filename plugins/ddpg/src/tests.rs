//! Whole updates against PyTorch in float64.

use equiflow::environment::Lane;
use equiflow_neural::testing::{adam, assert_close, field, fixture, items, network, numbers, parameters, stack};

use super::*;

/// A seat whose own networks are replaced by those of the fixture.
fn seat<'a>(lane: &'a Lane, game: &'a GameSpec) -> Seat<'a> {
    Seat { lane, game, player: 0, tables: None }
}

#[test]
fn two_updates_are_those_of_pytorch() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/update.json"));
    let number = |name: &str| file[name].as_f64().unwrap();
    let [low, high] = ["low", "high"].map(|name| numbers(&file[name]).iter().map(|&x| x as f32).collect::<Vec<_>>());
    let place =
        Player { observation: Space::cube(3, -1.0, 1.0), action: Space::Box { low: low.clone(), high: high.clone() } };
    let (game, lane) = (GameSpec::repeated(vec![place]), Lane { run_seed: 0, seeds: vec![0, 1], instances: 1 });
    let initial = items(&file["initial"]);
    for variant in items(&file["variants"]) {
        let learner = |name: &str, rate: &str| {
            let sizes = &file[&*format!("{name}_sizes")];
            Learner::new(network(sizes, &field(&initial, name)), adam(&file, rate, &variant["max_grad_norm"]))
        };
        let mut networks = Networks::<f64>::new(&DdpgParams::default(), &seat(&lane, &game));
        let target = network(&file["actor_sizes"], &field(&initial, "actor_target"));
        networks.actor.set_networks(learner("actor", "actor_learning_rate"), target);
        networks.critic = learner("critic", "critic_learning_rate");
        networks.critic_target = network(&file["critic_sizes"], &field(&initial, "critic_target"));

        for (batch, after) in items(&file["batches"]).into_iter().zip(items(&variant["after"])) {
            let (batch, after) = (items(batch), items(after));
            let read = |name: &str| stack(&field(&batch, name));
            let batch = Transitions {
                observation: &read("observation"),
                action: &read("action"),
                reward: &read("reward"),
                terminated: &read("terminated"),
                next_observation: &read("next_observation"),
            };
            let (critic, actor) = networks.update(&batch, &[], number("gamma"), number("tau"));
            assert_close(&critic.loss, &stack(&field(&after, "critic_loss")), "critic loss");
            assert_close(&critic.gradient_norm, &stack(&field(&after, "critic_gradient_norm")), "critic gradient norm");
            assert_close(&actor.loss, &stack(&field(&after, "actor_loss")), "actor loss");
            assert_close(&actor.gradient_norm, &stack(&field(&after, "actor_gradient_norm")), "actor gradient norm");
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
