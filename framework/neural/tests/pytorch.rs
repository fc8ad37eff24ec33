//! The same numbers as PyTorch, to 1e-10 in float64: layers, gradients, Adam, clipping, soft update, TD target, and whole
//! updates of DDPG and MADDPG. Each fixture lies beside the `make.py` that wrote it, which also documents its fields.

#![expect(clippy::unwrap_used, reason = "a fixture that does not read as documented fails the test")]

use equiflow_neural::{ActionBox, Adam, AdamParams, Kind, Learner, Mlp, Tensor, mse, td_target};
use serde_json::Value;
use std::path::Path;

fn fixture(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// All numbers of a nested list, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// One tensor `[S, ...]` from a value of each seed.
fn stack(seeds: &[&Value], shape: &[i64]) -> Tensor {
    let all: Vec<f64> = seeds.iter().flat_map(|value| numbers(value)).collect();
    let shape: Vec<i64> = [seeds.len() as i64].iter().chain(shape).copied().collect();
    Tensor::from_slice(&all).view(shape.as_slice())
}

/// The flat parameters `[S, P]` of a network, from its layers of each seed.
fn parameters(seeds: &[&Value]) -> Tensor {
    let flat = |layer: &Value| [numbers(&layer["weight"]), numbers(&layer["bias"])].concat();
    let all: Vec<f64> = seeds.iter().flat_map(|layers| layers.as_array().unwrap().iter().flat_map(flat)).collect();
    Tensor::from_slice(&all).view([seeds.len() as i64, -1])
}

fn network(sizes: &Value, seeds: &[&Value]) -> Mlp {
    let sizes: Vec<usize> = numbers(sizes).iter().map(|&size| size as usize).collect();
    Mlp::from_parameters(&sizes, &parameters(seeds))
}

fn items(value: &Value) -> Vec<&Value> {
    value.as_array().unwrap().iter().collect()
}

/// The field of each value.
fn field<'a>(values: &[&'a Value], name: &str) -> Vec<&'a Value> {
    values.iter().map(|value| &value[name]).collect()
}

#[track_caller]
fn assert_close(ours: &Tensor, theirs: &Tensor, what: &str) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let difference = (ours - theirs).abs().max().double_value(&[]);
    assert!(difference < 1e-10, "{what} differs by {difference:e}");
}

#[track_caller]
fn assert_all_close(ours: &[f64], seeds: &[&Value], what: &str) {
    let theirs: Vec<f64> = seeds.iter().flat_map(|value| numbers(value)).collect();
    assert_close(&Tensor::from_slice(ours), &Tensor::from_slice(&theirs), what);
}

fn adam(file: &Value, learning_rate: &str, max_grad_norm: &Value) -> AdamParams {
    let number = |name: &str| file[name].as_f64().unwrap();
    AdamParams {
        learning_rate: number(learning_rate),
        beta1: number("beta1"),
        beta2: number("beta2"),
        epsilon: number("epsilon"),
        max_grad_norm: max_grad_norm.as_f64(),
    }
}

#[test]
fn forward_and_gradient() {
    let file = fixture("tests/fixtures/networks.json");
    let net = network(&file["sizes"], &items(&file["initial"]));
    let (x, y) = (stack(&items(&file["input"]), &[3, 3]), stack(&items(&file["target"]), &[3, 2]));
    assert_close(&net.forward(&x), &stack(&items(&file["output"]), &[3, 2]), "output");
    let leaf = net.parameters().set_requires_grad(true);
    let gradient = Tensor::run_backward(&[mse(&net.forward(&x), &y)], &[leaf], false, false);
    assert_close(&gradient[0], &parameters(&items(&file["gradient"])), "gradient");
}

#[test]
fn adam_with_and_without_clipping() {
    let file = fixture("tests/fixtures/networks.json");
    let (x, y) = (stack(&items(&file["input"]), &[3, 3]), stack(&items(&file["target"]), &[3, 2]));
    for variant in items(&file["adam"]) {
        let net = network(&file["sizes"], &items(&file["initial"]));
        let mut learner = Learner::new(net, adam(variant, "learning_rate", &variant["max_grad_norm"]));
        for seeds in items(&variant["steps"]).into_iter().map(items) {
            let step = learner.regress(&x, &y);
            assert_all_close(&step.loss, &field(&seeds, "loss"), "loss");
            assert_all_close(&step.gradient_norm, &field(&seeds, "gradient_norm"), "gradient norm");
            assert_close(learner.net.parameters(), &parameters(&field(&seeds, "layers")), "parameters");
        }
    }
}

#[test]
fn soft_update_and_td_target() {
    let file = fixture("tests/fixtures/networks.json");
    let soft = &file["soft_update"];
    let mut target = network(&file["sizes"], &items(&soft["from"]));
    target.soft_update(&network(&file["sizes"], &items(&soft["online"])), soft["tau"].as_f64().unwrap());
    assert_close(target.parameters(), &parameters(&items(&soft["result"])), "soft update");

    let td = |name: &str, shape: &[i64]| stack(&items(&file["td"][name]), shape);
    let gamma = file["td"]["gamma"].as_f64().unwrap();
    let y = td_target(&td("reward", &[3]), &td("terminated", &[3]), gamma, &td("q_next", &[3, 1]));
    assert_close(&y, &td("y", &[3, 1]), "TD target");
}

/// The networks of one agent.
struct Agent {
    bounds: ActionBox,
    actor: Learner,
    critic: Learner,
    actor_target: Mlp,
    critic_target: Mlp,
}

impl Agent {
    fn new(file: &Value, sizes: [&Value; 2], bounds: [&Value; 2], initial: &[&Value], max_grad_norm: &Value) -> Agent {
        let [low, high] = bounds.map(|bound| numbers(bound).iter().map(|&x| x as f32).collect::<Vec<_>>());
        let learner = |sizes: &Value, name: &str, rate: &str| {
            Learner::new(network(sizes, &field(initial, name)), adam(file, rate, max_grad_norm))
        };
        Agent {
            bounds: ActionBox::new(&low, &high, Kind::Double),
            actor: learner(sizes[0], "actor", "actor_learning_rate"),
            critic: learner(sizes[1], "critic", "critic_learning_rate"),
            actor_target: network(sizes[0], &field(initial, "actor_target")),
            critic_target: network(sizes[1], &field(initial, "critic_target")),
        }
    }

    /// Critic, then actor; checks losses and norms.
    fn learn(&mut self, observation: &Tensor, input: &Tensor, y: &Tensor, own: std::ops::Range<i64>, after: &[&Value]) {
        let step = self.critic.regress(input, y);
        assert_all_close(&step.loss, &field(after, "critic_loss"), "critic loss");
        assert_all_close(&step.gradient_norm, &field(after, "critic_gradient_norm"), "critic gradient norm");
        let step = self.actor.ascend(&self.bounds, observation, &self.critic.net, input, own);
        assert_all_close(&step.loss, &field(after, "actor_loss"), "actor loss");
        assert_all_close(&step.gradient_norm, &field(after, "actor_gradient_norm"), "actor gradient norm");
    }

    fn follow(&mut self, tau: f64, after: &[&Value]) {
        self.actor_target.soft_update(&self.actor.net, tau);
        self.critic_target.soft_update(&self.critic.net, tau);
        let nets = [&self.actor.net, &self.critic.net, &self.actor_target, &self.critic_target];
        for (net, name) in nets.into_iter().zip(["actor", "critic", "actor_target", "critic_target"]) {
            assert_close(net.parameters(), &parameters(&field(after, name)), name);
        }
    }
}

#[test]
fn two_updates_of_ddpg() {
    let file = fixture("../../plugins/ddpg/tests/fixtures/update.json");
    let (gamma, tau) = (file["gamma"].as_f64().unwrap(), file["tau"].as_f64().unwrap());
    for variant in items(&file["variants"]) {
        let (sizes, bounds) = ([&file["actor_sizes"], &file["critic_sizes"]], [&file["low"], &file["high"]]);
        let mut agent = Agent::new(&file, sizes, bounds, &items(&file["initial"]), &variant["max_grad_norm"]);
        for (batch, after) in items(&file["batches"]).into_iter().zip(items(&variant["after"])) {
            let (batch, after) = (items(batch), items(after));
            let read = |name: &str, shape: &[i64]| stack(&field(&batch, name), shape);
            let (o, a, o2) = (read("observation", &[4, 3]), read("action", &[4, 2]), read("next_observation", &[4, 3]));
            let a2 = agent.bounds.act(&agent.actor_target, &o2);
            let q2 = agent.critic_target.forward(&Tensor::cat(&[&o2, &a2], 2));
            let y = td_target(&read("reward", &[4]), &read("terminated", &[4]), gamma, &q2);
            agent.learn(&o, &Tensor::cat(&[&o, &a], 2), &y, 3..5, &after);
            agent.follow(tau, &after);
        }
    }
}

#[test]
fn two_updates_of_maddpg() {
    let file = fixture("../../plugins/maddpg/tests/fixtures/update.json");
    let (gamma, tau) = (file["gamma"].as_f64().unwrap(), file["tau"].as_f64().unwrap());
    let (observations, actions, own) = ([3, 2], [2, 1], [5..7, 7..8]);
    for variant in items(&file["variants"]) {
        let mut agents = [0, 1].map(|i| {
            let initial: Vec<&Value> = items(&file["initial"]).into_iter().map(|seed| &seed[i]).collect();
            let sizes = [&file["actor_sizes"][i], &file["critic_sizes"][i]];
            Agent::new(&file, sizes, [&file["low"][i], &file["high"][i]], &initial, &variant["max_grad_norm"])
        });
        for (batch, after) in items(&file["batches"]).into_iter().zip(items(&variant["after"])) {
            let batch = items(batch);
            let read = |name: &str, i: usize, shape: &[i64]| {
                stack(&field(&batch, name).into_iter().map(|agents| &agents[i]).collect::<Vec<_>>(), shape)
            };
            let after = [0, 1].map(|i| items(after).into_iter().map(|seed| &seed[i]).collect::<Vec<_>>());
            let o = [0, 1].map(|i| read("observation", i, &[4, observations[i]]));
            let a = [0, 1].map(|i| read("action", i, &[4, actions[i]]));
            let o2 = [0, 1].map(|i| read("next_observation", i, &[4, observations[i]]));
            let a2 = [0, 1].map(|i| agents[i].bounds.act(&agents[i].actor_target, &o2[i]));
            let input = Tensor::cat(&[&o[0], &o[1], &a[0], &a[1]], 2);
            let input2 = Tensor::cat(&[&o2[0], &o2[1], &a2[0], &a2[1]], 2);
            let terminated = stack(&field(&batch, "terminated"), &[4]);
            for (i, agent) in agents.iter_mut().enumerate() {
                let q2 = agent.critic_target.forward(&input2);
                let y = td_target(&read("reward", i, &[4]), &terminated, gamma, &q2);
                agent.learn(&o[i], &input, &y, own[i].clone(), &after[i]);
            }
            for (agent, after) in agents.iter_mut().zip(&after) {
                agent.follow(tau, after);
            }
        }
    }
}

#[test]
fn a_restored_optimiser_goes_on_bit_for_bit() {
    let file = fixture("tests/fixtures/networks.json");
    let (x, y) = (stack(&items(&file["input"]), &[3, 3]), stack(&items(&file["target"]), &[3, 2]));
    let new = || Learner::new(network(&file["sizes"], &items(&file["initial"])), AdamParams::new(1e-2));
    let mut learner = new();
    learner.regress(&x, &y);
    let saved = learner.save();
    let mut restored = new();
    restored.load(&saved).unwrap();
    assert_eq!(restored.regress(&x, &y), learner.regress(&x, &y));
    assert_eq!(restored.save(), learner.save());
    let mut other = Adam::new(AdamParams::new(1e-2), &Tensor::zeros([2, 3], (Kind::Double, tch::Device::Cpu)));
    assert!(other.load(&saved).is_err());
}
