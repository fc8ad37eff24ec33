//! The same numbers as PyTorch, to 1e-10 in float64: layers, gradients, Adam, clipping, soft update, TD target. (Whole
//! updates are compared in the plugins.) The fixture lies beside the `make.py` that wrote it, which also documents its
//! fields.

use equiflow::checkpoint::{Checkpoint, Snapshot};
use equiflow_neural::testing::{adam, assert_close, field, fixture, items, network, parameters, stack};
use equiflow_neural::{Adam, AdamParams, Learner, Pass, mse, numbers, td_target, tensor};

#[test]
fn forward_and_gradient() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/networks.json"));
    let net = network(&file["sizes"], &items(&file["initial"]));
    let (x, y) = (stack(&items(&file["input"])), stack(&items(&file["target"])));
    let (output, expected) = (stack(&items(&file["output"])), parameters(&items(&file["gradient"])));
    // By hand.
    let (mut pass, mut by_output, mut gradient) = (Pass::default(), Vec::new(), vec![0.0; expected.len()]);
    assert_close(net.predict_for_gradient(&x, &mut pass), &output, "output");
    mse(net.seeds(), pass.output(), &y, &mut by_output);
    net.backward(&mut pass, &by_output, &mut gradient);
    assert_close(&gradient, &expected, "gradient");
    // By autograd. With such settings of Adam a step is minus the gradient, to one part in 10^12.
    let seeds = net.seeds() as i64;
    let there = |values: &[f64]| tensor(values, &[seeds, 3, -1]);
    assert_close(&numbers(&net.forward(&there(&x))), &output, "output through autograd");
    let before = net.values().to_vec();
    let descent = AdamParams { beta1: 0.0, beta2: 0.0, epsilon: 1e12, ..AdamParams::new(1e12) };
    let mut learner = Learner::new(net, descent);
    let loss = (learner.net.forward(&there(&x)) - there(&y)).square().mean_dim([1i64, 2].as_slice(), false, None);
    learner.step(&loss, None);
    let gradient: Vec<f64> = before.iter().zip(learner.net.values()).map(|(before, after)| before - after).collect();
    assert_close(&gradient, &expected, "gradient through autograd");
}

#[test]
fn adam_with_and_without_clipping() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/networks.json"));
    let (x, y) = (stack(&items(&file["input"])), stack(&items(&file["target"])));
    for variant in items(&file["adam"]) {
        let net = network(&file["sizes"], &items(&file["initial"]));
        let mut learner = Learner::new(net, adam(variant, "learning_rate", &variant["max_grad_norm"]));
        for seeds in items(&variant["steps"]).into_iter().map(items) {
            let step = learner.regress(&x, &y, None);
            assert_close(&step.loss, &stack(&field(&seeds, "loss")), "loss");
            assert_close(&step.gradient_norm, &stack(&field(&seeds, "gradient_norm")), "gradient norm");
            assert_close(learner.net.values(), &parameters(&field(&seeds, "layers")), "parameters");
        }
    }
}

#[test]
fn soft_update_and_td_target() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/networks.json"));
    let soft = &file["soft_update"];
    let (x, outputs) = (stack(&items(&file["input"])), stack(&items(&file["target"])).len());
    let mut target = network(&file["sizes"], &items(&soft["from"]));
    let online = network(&file["sizes"], &items(&soft["online"]));
    // Where there is no gradient Adam stays where it is.
    let seeds = online.seeds();
    let mut learner = Learner::new(online, AdamParams::new(1e-2));
    learner.forward(&x);
    learner.descend(&vec![0.0; seeds], &vec![0.0; outputs], Some(target.follow(soft["tau"].as_f64().unwrap())));
    assert_close(target.values(), &parameters(&items(&soft["result"])), "soft update");

    let (td, mut y) = (|name: &str| stack(&items(&file["td"][name])), Vec::new());
    let gamma = file["td"]["gamma"].as_f64().unwrap();
    td_target(&td("reward"), &td("terminated"), gamma, &td("q_next"), &mut y);
    assert_close(&y, &td("y"), "TD target");
}

#[test]
fn a_restored_optimiser_goes_on_bit_for_bit() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/networks.json"));
    let (x, y) = (stack(&items(&file["input"])), stack(&items(&file["target"])));
    let new = || Learner::new(network(&file["sizes"], &items(&file["initial"])), AdamParams::new(1e-2));
    let mut learner = new();
    learner.regress(&x, &y, None);
    let saved = Snapshot::of(&learner);
    let mut restored = new();
    restored.restore(&saved).unwrap();
    assert_eq!(restored.regress(&x, &y, None), learner.regress(&x, &y, None));
    assert_eq!(Snapshot::of(&restored), Snapshot::of(&learner));
    let mut other = Adam::<f64>::new(AdamParams::new(1e-2), 2, 6);
    assert!(other.restore(&saved).is_err());
}
