//! The same numbers as PyTorch, to 1e-10 in float64: layers, gradients, Adam, clipping, soft update, TD target. (Whole
//! updates are compared in the plugins.) The fixture lies beside the `make.py` that wrote it, which also documents its
//! fields.

use equiflow::checkpoint::{Checkpoint, Snapshot};
use equiflow_neural::testing::{
    adam, assert_all_close, assert_close, field, fixture, items, network, parameters, stack,
};
use equiflow_neural::{Adam, AdamParams, Kind, Learner, Tensor, mse, td_target};

#[test]
fn forward_and_gradient() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/networks.json"));
    let net = network(&file["sizes"], &items(&file["initial"]));
    let (x, y) = (stack(&items(&file["input"]), &[3, 3]), stack(&items(&file["target"]), &[3, 2]));
    assert_close(&net.forward(&x), &stack(&items(&file["output"]), &[3, 2]), "output");
    let leaf = net.parameters().set_requires_grad(true);
    let gradient = Tensor::run_backward(&[mse(&net.forward(&x), &y)], &[leaf], false, false);
    assert_close(&gradient[0], &parameters(&items(&file["gradient"])), "gradient");
}

#[test]
fn adam_with_and_without_clipping() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/networks.json"));
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
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/networks.json"));
    let soft = &file["soft_update"];
    let mut target = network(&file["sizes"], &items(&soft["from"]));
    target.soft_update(&network(&file["sizes"], &items(&soft["online"])), soft["tau"].as_f64().unwrap());
    assert_close(target.parameters(), &parameters(&items(&soft["result"])), "soft update");

    let td = |name: &str, shape: &[i64]| stack(&items(&file["td"][name]), shape);
    let gamma = file["td"]["gamma"].as_f64().unwrap();
    let y = td_target(&td("reward", &[3]), &td("terminated", &[3]), gamma, &td("q_next", &[3, 1]));
    assert_close(&y, &td("y", &[3, 1]), "TD target");
}

#[test]
fn a_restored_optimiser_goes_on_bit_for_bit() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/networks.json"));
    let (x, y) = (stack(&items(&file["input"]), &[3, 3]), stack(&items(&file["target"]), &[3, 2]));
    let new = || Learner::new(network(&file["sizes"], &items(&file["initial"])), AdamParams::new(1e-2));
    let mut learner = new();
    learner.regress(&x, &y);
    let saved = Snapshot::of(&learner);
    let mut restored = new();
    restored.restore(&saved).unwrap();
    assert_eq!(restored.regress(&x, &y), learner.regress(&x, &y));
    assert_eq!(Snapshot::of(&restored), Snapshot::of(&learner));
    let mut other = Adam::new(AdamParams::new(1e-2), &Tensor::zeros([2, 3], (Kind::Double, tch::Device::Cpu)));
    assert!(other.restore(&saved).is_err());
}
