//! For tests: fixtures of numbers that PyTorch computed, as the `make.py` beside each describes them. A value of one seed
//! is a nested list; those of several seeds are stacked.

#![expect(clippy::missing_panics_doc, reason = "every function panics when the fixture does not read as documented")]

use crate::adam::AdamParams;
use crate::convert::tensor;
use crate::mlp::Mlp;
use serde_json::Value;

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

/// The numbers `[S, ...]` of a value of each seed.
pub fn stack(seeds: &[&Value]) -> Vec<f64> {
    seeds.iter().flat_map(|value| numbers(value)).collect()
}

/// The flat parameters `[S, P]` of a network, from its layers of each seed.
pub fn parameters(seeds: &[&Value]) -> Vec<f64> {
    let flat = |layer: &Value| [numbers(&layer["weight"]), numbers(&layer["bias"])].concat();
    seeds.iter().flat_map(|layers| items(layers).into_iter().flat_map(flat)).collect()
}

/// The network `[S, P]` with the layers of each seed.
pub fn network(sizes: &Value, seeds: &[&Value]) -> Mlp<f64> {
    let sizes: Vec<usize> = numbers(sizes).iter().map(|&size| size as usize).collect();
    Mlp::from_parameters(&sizes, &tensor(&parameters(seeds), &[seeds.len() as i64, -1]))
}

/// The items of a list.
pub fn items(value: &Value) -> Vec<&Value> {
    value.as_array().expect("the fixture reads as its `make.py` documents").iter().collect()
}

/// The field of each value.
pub fn field<'a>(values: &[&'a Value], name: &str) -> Vec<&'a Value> {
    values.iter().map(|value| &value[name]).collect()
}

/// That ours are the numbers of each seed in the fixture, to 1e-10.
///
/// # Panics
///
/// With `what`, when they are not.
#[track_caller]
pub fn assert_close(ours: &[f64], theirs: &[f64], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() < 1e-10, "{what} {i}: {ours}, expected {theirs}");
    }
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
