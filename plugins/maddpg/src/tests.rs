//! Whole updates against PyTorch in float64.

use equiflow::environment::Lane;
use equiflow_neural::testing::{
    adam, assert_all_close, assert_close, field, fixture, items, network, numbers, parameters, stack,
};
use equiflow_neural::{ActionBox, Kind};

use super::*;

#[test]
fn two_updates_of_two_agents_are_those_of_pytorch() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/update.json"));
    let number = |name: &str| file[name].as_f64().unwrap();
    let (observations, actions) = ([3, 2], [2, 1]);
    let bounds = [0, 1]
        .map(|i| ["low", "high"].map(|name| numbers(&file[name][i]).iter().map(|&x| x as f32).collect::<Vec<_>>()));
    let places = [0, 1].map(|i| {
        let [low, high] = bounds[i].clone();
        Player { observation: Space::cube(observations[i], -1.0, 1.0), action: Space::Box { low, high } }
    });
    let (game, lane) = (GameSpec::repeated(places.to_vec()), Lane { run_seed: 0, seeds: vec![0, 1], instances: 1 });

    for variant in items(&file["variants"]) {
        let mut agents = [0, 1].map(|i| {
            let initial: Vec<_> = items(&file["initial"]).into_iter().map(|seed| &seed[i]).collect();
            let net = |kind: &str, name: &str| network(&file[&*format!("{kind}_sizes")][i], &field(&initial, name));
            let learner =
                |name: &str, rate: &str| Learner::new(net(name, name), adam(&file, rate, &variant["max_grad_norm"]));
            let mut agent =
                Maddpg::new(&MaddpgParams::default(), &Seat { lane: &lane, game: &game, player: i, tables: None });
            let networks = agent.networks.get();
            networks.actor.bounds = ActionBox::new(&bounds[i][0], &bounds[i][1], Kind::Double);
            networks.actor.online = learner("actor", "actor_learning_rate");
            networks.actor.target = net("actor", "actor_target");
            networks.critic = learner("critic", "critic_learning_rate");
            networks.critic_target = net("critic", "critic_target");
            agent
        });
        for (batch, after) in items(&file["batches"]).into_iter().zip(items(&variant["after"])) {
            let (batch, after) = (items(batch), items(after));
            let of = |name: &str, i: usize, shape: &[i64]| {
                stack(&field(&batch, name).into_iter().map(|agents| &agents[i]).collect::<Vec<_>>(), shape)
            };
            let all = |name: &str, widths: [usize; 2]| {
                (0..2).map(|i| of(name, i, &[4, widths[i] as i64])).collect::<Vec<_>>()
            };
            let next_observations = all("next_observation", observations);
            // Of both agents before either of them learns.
            let next_actions: Vec<_> = (agents.iter_mut().zip(&next_observations))
                .map(|(agent, seen)| {
                    let actor = &agent.networks.get().actor;
                    actor.bounds.act(&actor.target, seen)
                })
                .collect();
            for (i, agent) in agents.iter_mut().enumerate() {
                let batch = Transitions {
                    observations: all("observation", observations),
                    actions: all("action", actions),
                    reward: of("reward", i, &[4]),
                    terminated: stack(&field(&batch, "terminated"), &[4]),
                    next_observations: next_observations.iter().map(Tensor::shallow_clone).collect(),
                    next_actions: next_actions.iter().map(Tensor::shallow_clone).collect(),
                };
                let after: Vec<_> = after.iter().map(|seed| &seed[i]).collect();
                let networks = agent.networks.get();
                let (critic, actor) = networks.update(&batch, number("gamma"), number("tau"));
                assert_all_close(&critic.loss, &field(&after, "critic_loss"), "critic loss");
                assert_all_close(&critic.gradient_norm, &field(&after, "critic_gradient_norm"), "critic gradient norm");
                assert_all_close(&actor.loss, &field(&after, "actor_loss"), "actor loss");
                assert_all_close(&actor.gradient_norm, &field(&after, "actor_gradient_norm"), "actor gradient norm");
                for (net, name) in [
                    (&networks.actor.online.net, "actor"),
                    (&networks.critic.net, "critic"),
                    (&networks.actor.target, "actor_target"),
                    (&networks.critic_target, "critic_target"),
                ] {
                    assert_close(net.parameters(), &parameters(&field(&after, name)), name);
                }
            }
        }
    }
}
