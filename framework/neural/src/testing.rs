//! For tests: fixtures of numbers that PyTorch computed, as the `make.py` beside each describes them. A value of one seed
//! is a nested list; a tensor stacks those of several seeds.

#![expect(clippy::missing_panics_doc, reason = "every function panics when the fixture does not read as documented")]

use crate::adam::AdamParams;
use crate::mlp::Mlp;
use serde_json::Value;
use tch::Tensor;

/// A JSON file.
pub fn fixture(path: &str) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All numbers of a nested list, in order.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().expect("the fixture reads as its `make.py` documents")],
    }
}

/// One tensor `[S, ...]` from a value of each seed.
pub fn stack(seeds: &[&Value], shape: &[i64]) -> Tensor {
    let all: Vec<f64> = seeds.iter().flat_map(|value| numbers(value)).collect();
    let shape: Vec<i64> = [seeds.len() as i64].iter().chain(shape).copied().collect();
    Tensor::from_slice(&all).view(shape.as_slice())
}

/// The flat parameters `[S, P]` of a network, from its layers of each seed.
pub fn parameters(seeds: &[&Value]) -> Tensor {
    let flat = |layer: &Value| [numbers(&layer["weight"]), numbers(&layer["bias"])].concat();
    let all: Vec<f64> = seeds
        .iter()
        .flat_map(|layers| {
            layers.as_array().expect("the fixture reads as its `make.py` documents").iter().flat_map(flat)
        })
        .collect();
    Tensor::from_slice(&all).view([seeds.len() as i64, -1])
}

/// The network `[S, P]` with the layers of each seed.
pub fn network(sizes: &Value, seeds: &[&Value]) -> Mlp {
    let sizes: Vec<usize> = numbers(sizes).iter().map(|&size| size as usize).collect();
    Mlp::from_parameters(&sizes, &parameters(seeds))
}

/// The items of a list.
pub fn items(value: &Value) -> Vec<&Value> {
    value.as_array().expect("the fixture reads as its `make.py` documents").iter().collect()
}

/// The field of each value.
pub fn field<'a>(values: &[&'a Value], name: &str) -> Vec<&'a Value> {
    values.iter().map(|value| &value[name]).collect()
}

/// That two tensors differ by less than 1e-10 everywhere.
///
/// # Panics
///
/// With `what`, when they do not.
#[track_caller]
pub fn assert_close(ours: &Tensor, theirs: &Tensor, what: &str) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let difference = (ours - theirs).abs().max().double_value(&[]);
    assert!(difference < 1e-10, "{what} differs by {difference:e}");
}

/// The same for numbers of each seed.
///
/// # Panics
///
/// With `what`, when they differ.
#[track_caller]
pub fn assert_all_close(ours: &[f64], seeds: &[&Value], what: &str) {
    let theirs: Vec<f64> = seeds.iter().flat_map(|value| numbers(value)).collect();
    assert_close(&Tensor::from_slice(ours), &Tensor::from_slice(&theirs), what);
}

/// The optimiser's settings that a fixture names.
pub fn adam(file: &Value, learning_rate: &str, max_grad_norm: &Value) -> AdamParams {
    let number = |name: &str| file[name].as_f64().expect("the fixture reads as its `make.py` documents");
    AdamParams {
        learning_rate: number(learning_rate),
        beta1: number("beta1"),
        beta2: number("beta2"),
        epsilon: number("epsilon"),
        max_grad_norm: max_grad_norm.as_f64(),
    }
}
