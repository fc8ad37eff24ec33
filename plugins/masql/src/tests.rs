//! Whole updates against PyTorch in float64, and what the sampler comes to sample.

use equiflow::environment::Lane;
use equiflow_neural::Learner;
use equiflow_neural::testing::{adam, assert_close, field, fixture, items, network, numbers, parameters, stack};

use super::networks::soft_value;
use super::*;

/// Players who see `observation` numbers, the first with actions in `boxes[0]`.
fn game<const N: usize>(observation: usize, boxes: [(Vec<f32>, Vec<f32>); N]) -> GameSpec {
    let place =
        |(low, high)| Player { observation: Space::cube(observation, -1.0, 1.0), action: Space::Box { low, high } };
    GameSpec::repeated(boxes.map(place).to_vec())
}

#[test]
fn two_updates_are_those_of_pytorch() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/update.json"));
    let number = |name: &str| file[name].as_f64().unwrap();
    let bound = |name: &str, i: usize| numbers(&file[name][i]).iter().map(|&x| x as f32).collect::<Vec<_>>();
    let game = game(3, [0, 1, 2].map(|i| (bound("low", i), bound("high", i))));
    let lane = Lane { run_seed: 0, seeds: vec![0, 1], instances: 1 };
    let seat = Seat { lane: &lane, game: &game, player: 1, tables: None };
    let settings =
        Settings { discount: number("gamma"), target_rate: number("target_rate"), temperature: number("temperature") };

    for variant in items(&file["variants"]) {
        let initial = items(&file["initial"]);
        let net = |kind: &str, name: &str| network(&file[&*format!("{kind}_sizes")], &field(&initial, name));
        let learner =
            |name: &str, rate: &str| Learner::new(net(name, name), adam(&file, rate, &variant["max_grad_norm"]));
        let mut networks = Networks::<f64>::new(&MasqlParams::default(), &seat);
        assert_eq!(networks.own, 2..3);
        networks.sampler = learner("sampler", "sampler_learning_rate");
        networks.critic = learner("critic", "critic_learning_rate");
        networks.critic_target = net("critic", "critic_target");
        for (batch, after) in items(&file["batches"]).into_iter().zip(items(&variant["after"])) {
            let (batch, after) = (items(batch), items(after));
            let of = |name: &str| stack(&field(&batch, name));
            let actions = [0, 1, 2]
                .map(|i| stack(&field(&batch, "action").into_iter().map(|agents| &agents[i]).collect::<Vec<_>>()));
            let transitions = Transitions {
                observation: &of("observation"),
                actions: &[&actions[0], &actions[1], &actions[2]],
                reward: &of("reward"),
                terminated: &of("terminated"),
                next_observation: &of("next_observation"),
            };
            let noise = Noise { uniform: of("uniform"), fixed: of("fixed"), moved: of("moved") };
            let update = networks.update(&transitions, &noise, &settings);
            for (ours, name) in [
                (&update.critic.loss, "critic_loss"),
                (&update.critic.gradient_norm, "critic_gradient_norm"),
                (&update.sampler.loss, "sampler_loss"),
                (&update.sampler.gradient_norm, "sampler_gradient_norm"),
                (&update.value, "value"),
            ] {
                assert_close(ours, &stack(&field(&after, name)), name);
            }
            for (net, name) in [
                (&networks.sampler.net, "sampler"),
                (&networks.critic.net, "critic"),
                (&networks.critic_target, "critic_target"),
            ] {
                assert_close(net.values(), &parameters(&field(&after, name)), name);
            }
        }
    }
}

#[test]
fn the_soft_value_of_a_constant_is_that_and_the_entropy_of_uniform_play() {
    let expected = -3.0 + 0.5 * 2.0 * 2f64.ln();
    assert!((soft_value(&[-3.0f32; 16], 0.5, 2) - expected).abs() < 1e-12);
    // Cold, it is the greatest value, and large values do not overflow.
    assert!((soft_value(&[1e4f64, 2e4], 1e-3, 1) - 2e4).abs() < 1e-2);
}

#[test]
fn samples_have_the_spread_that_the_temperature_gives() {
    // A reward of -(a1 - 2)^2 - (a2 + 4)^2 after which nothing follows: exp(Q / tau) is normal with variance tau / 2.
    let game = game(1, [-10.0, -10.0].map(|low| (vec![low], vec![-low])));
    let lane = Lane { run_seed: 0, seeds: vec![0, 1], instances: 1 };
    let seat = Seat { lane: &lane, game: &game, player: 1, tables: None };
    let (batch, rows) = (64, 128);
    let params = MasqlParams {
        hidden: vec![64, 64],
        sampler_learning_rate: 3e-3,
        critic_learning_rate: 3e-3,
        ..MasqlParams::default()
    };
    let mut networks = Networks::<f32>::new(&params, &seat);
    let (mut streams, joint) = (seat.streams("test"), joint_space(&game));
    let settings = Settings { discount: 0.95, target_rate: 0.01, temperature: 2.0 };
    let (ones, mut noise) = (vec![1.0; rows], Noise::default());
    for _ in 0..3_000 {
        draw_normal(&mut streams, batch * 16 * 2, &mut noise.fixed);
        draw_normal(&mut streams, batch * 16 * 2, &mut noise.moved);
        let mut played = vec![0.0; rows * 2];
        played.chunks_exact_mut(batch * 2).zip(&mut streams).for_each(|(rows, stream)| joint.sample(stream, rows));
        let part = |own: usize| played.chunks_exact(2).map(|joint| joint[own]).collect::<Vec<_>>();
        let reward = |joint: &[f32]| -(joint[0] - 2.0).powi(2) - (joint[1] + 4.0).powi(2);
        let transitions = Transitions {
            observation: &ones,
            actions: &[&part(0), &part(1)],
            reward: &played.chunks_exact(2).map(reward).collect::<Vec<_>>(),
            terminated: &ones,
            next_observation: &ones,
        };
        networks.update(&transitions, &noise, &settings);
    }
    let mut action = vec![0.0; 2 * 500];
    draw_normal(&mut streams, 500 * 2, &mut noise.moved);
    networks.sample(&vec![1.0; 2 * 500], &noise.moved, &mut action);
    for (seed, samples) in action.chunks_exact(500).enumerate() {
        let mean = samples.iter().sum::<f32>() / 500.0;
        let sigma = (samples.iter().map(|a| (a - mean).powi(2)).sum::<f32>() / 500.0).sqrt();
        assert!((mean + 4.0).abs() < 0.5 && (0.6..1.4).contains(&sigma), "seed {seed}: mean {mean}, sigma {sigma}");
    }
    // What evaluation plays is nearer to the top than a sample is.
    let mut best = [0.0; 2];
    networks.greedy(&[1.0; 2], &mut best);
    assert!(best.iter().all(|action| (action + 4.0).abs() < 0.6), "{best:?}");
}
