//! Against autograd, single numbers and itself in other company.

use super::BACKWARD_ROWS;
use crate::convert::{numbers, tensor};
use crate::kernel::dispatch::{Instructions, with};
use crate::{LastLayer, Mlp, Pass, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Numbers without a pattern in them.
fn batch(count: usize) -> Vec<f32> {
    (1..=count).map(|i| (2.0 * (i as f64).sin()) as f32).collect()
}

/// That no difference is above `1e-6` of the greatest number, and that there is one.
fn assert_near(found: &[f32], expected: &Tensor, what: &str) {
    let expected = numbers::<f64>(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    let greatest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let differences = found.iter().zip(&expected).map(|(found, expected)| (f64::from(*found) - expected).abs());
    let difference = differences.fold(0.0, f64::max);
    assert!(greatest > 0.0 && difference <= 1e-6 * greatest, "{what}: {difference:e} of {greatest:e}");
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_many() {
    for (sizes, set) in [&[1, 100, 100, 1][..], &[3, 5, 7, 2], &[33, 17, 9, 64, 5], &[4, 160, 21]]
        .into_iter()
        .flat_map(|sizes| Instructions::existing().map(move |set| (sizes, set)))
    {
        let net = Mlp::<f32>::new(sizes, LastLayer::Same, &mut [ChaCha8Rng::seed_from_u64(5)]);
        let (input, out) = (sizes[0], sizes[sizes.len() - 1]);
        let x = batch(40 * input);
        let (mut many, mut alone) = (Pass::default(), Pass::default());
        with(set, || {
            net.predict(&x, &mut many);
            for (row, expected) in x.chunks_exact(input).zip(many.output().chunks_exact(out)) {
                assert_eq!(net.predict(row, &mut alone), expected, "{sizes:?} by {set:?}");
            }
        });
    }
}

#[test]
fn a_pass_serves_networks_and_batches_in_turn() {
    let net = |sizes: &[usize]| Mlp::<f32>::new(sizes, LastLayer::Same, &mut [ChaCha8Rng::seed_from_u64(7)]);
    let (small, large) = (&[3, 20, 1][..], &[5, 40, 30, 2][..]);
    let gradient = |sizes: &[usize], rows: usize, pass: &mut Pass| {
        let net = net(sizes);
        let (x, slopes) = (batch(rows * sizes[0]), batch(rows * sizes[sizes.len() - 1]));
        let mut gradient = vec![f32::NAN; net.values().len()];
        net.predict_for_gradient(&x, pass);
        net.backward(pass, &slopes, &mut gradient);
        gradient
    };
    let mut pass = Pass::default();
    for (sizes, rows) in [(large, 70), (small, 3), (large, 2), (small, 40), (large, 1), (small, 70)] {
        // In buffers that nobody used: a thread has its own.
        let alone = || gradient(sizes, rows, &mut Pass::default());
        let expected = std::thread::scope(|scope| scope.spawn(alone).join().unwrap());
        assert_eq!(gradient(sizes, rows, &mut pass), expected, "{rows} rows");
        net(large).predict(&batch(5 * rows), &mut pass);
    }
}

/// Outputs and gradient by single numbers, all terms of all sums, in the order that a pass has.
fn one_by_one(
    net: &Mlp<f32>,
    (x, output_gradient): (&[f32], &[f32]),
    add_product: fn(f32, f32, f32) -> f32,
) -> (Vec<f32>, Vec<f32>) {
    let (sizes, mut inputs, mut first) = (net.sizes(), vec![x.to_vec()], 0);
    let rows = x.len() / sizes[0];
    for (layer, size) in sizes.windows(2).enumerate() {
        let (weight, bias) = net.values()[first..].split_at(size[0] * size[1]);
        let mut outputs = Vec::new();
        for x in inputs[layer].chunks_exact(size[0]) {
            for j in 0..size[1] {
                let sum = (0..size[0]).fold(bias[j], |sum, k| add_product(sum, weight[k * size[1] + j], x[k]));
                outputs.push(if layer + 2 < sizes.len() { sum.max(0.0) } else { sum });
            }
        }
        inputs.push(outputs);
        first += (size[0] + 1) * size[1];
    }
    let outputs = inputs.pop().unwrap();
    let mut gradient = vec![0.0; net.values().len()];
    for start in (0..rows).step_by(BACKWARD_ROWS) {
        let block = start..rows.min(start + BACKWARD_ROWS);
        let (mut end, out) = (gradient.len(), sizes[sizes.len() - 1]);
        let mut g = output_gradient[block.start * out..block.end * out].to_vec();
        for (layer, size) in sizes.windows(2).enumerate().rev() {
            let (k, n) = (size[0], size[1]);
            let h = &inputs[layer][block.start * k..block.end * k];
            let first = end - (k + 1) * n;
            for j in 0..n {
                let of_rows = || g.chunks_exact(n).map(|g| g[j]);
                for k_ in 0..k {
                    let rows = of_rows().zip(h.chunks_exact(k));
                    gradient[first + k_ * n + j] += rows.fold(0.0, |sum, (g, h)| add_product(sum, h[k_], g));
                }
                gradient[first + k * n + j] += of_rows().fold(0.0, |sum, g| sum + g);
            }
            let weight = &net.values()[first..];
            let mut before = Vec::new();
            for (g, h) in g.chunks_exact(n).zip(h.chunks_exact(k)) {
                for k in 0..k {
                    let sum = (0..n).fold(0.0, |sum, j| add_product(sum, weight[k * n + j], g[j]));
                    before.push(if h[k] > 0.0 { sum } else { 0.0 });
                }
            }
            (g, end) = (before, first);
        }
    }
    (outputs, gradient)
}

/// Also where blocks of one batch differ in which of a product's sides has fewer numbers that are not zero.
#[test]
fn leaving_out_zeros_changes_no_number() {
    let mut pass = Pass::default();
    for sizes in [&[5, 90, 150, 3][..], &[20, 40, 70, 20], &[1, 100, 100, 1], &[20, 1, 30, 1]] {
        let net = Mlp::<f32>::new(sizes, LastLayer::Same, &mut [ChaCha8Rng::seed_from_u64(5)]);
        let (input, out) = (sizes[0], sizes[sizes.len() - 1]);
        let (mut x, mut slopes) = (batch(600 * input), batch(600 * out));
        x[300 * input..330 * input].fill(0.0);
        slopes[400 * out..].iter_mut().step_by(3).for_each(|x| *x = 0.0);
        for set in Instructions::existing() {
            let add_product = match set {
                Instructions::Avx512 | Instructions::Avx2 => |sum: f32, a: f32, b: f32| a.mul_add(b, sum),
                _ => |sum, a, b| sum + a * b,
            };
            for rows in [600, 70, 1, 33, 260] {
                let (x, slopes) = (&x[..rows * input], &slopes[..rows * out]);
                let expected = one_by_one(&net, (x, slopes), add_product);
                let mut gradient = vec![f32::NAN; net.values().len()];
                with(set, || {
                    net.predict_for_gradient(x, &mut pass);
                    net.backward(&mut pass, slopes, &mut gradient);
                    net.input_gradient(&mut pass, slopes, 0..0, &mut []);
                });
                let found = (pass.output().to_vec(), gradient);
                assert!(found == expected, "{sizes:?}, {rows} rows by {set:?}");
            }
        }
    }
}

/// Products leave out zeros, and nothing else.
#[test]
fn what_is_no_number_comes_out_in_its_row_alone() {
    for set in Instructions::existing() {
        let net = Mlp::<f32>::new(&[3, 100, 100, 2], LastLayer::Same, &mut [ChaCha8Rng::seed_from_u64(7)]);
        let (mut pass, mut x, mut gradient) = (Pass::default(), batch(3 * 70), vec![0.0; net.values().len()]);
        x[3 * 41 + 1] = f32::NAN;
        with(set, || {
            net.predict_for_gradient(&x, &mut pass);
            for (row, output) in pass.output().chunks_exact(2).enumerate() {
                assert_eq!(output.iter().all(|y| y.is_nan()), row == 41, "row {row}: {output:?} by {set:?}");
                assert_eq!(output.iter().any(|y| y.is_nan()), row == 41, "row {row}: {output:?} by {set:?}");
            }
            net.backward(&mut pass, &batch(2 * 70), &mut gradient);
            assert!(gradient.iter().any(|x| x.is_nan()), "{set:?}");
        });
    }
}

#[test]
#[should_panic(expected = "kept what it computed")]
fn there_is_no_way_back_from_a_prediction() {
    let net = Mlp::<f32>::new(&[2, 1], LastLayer::Same, &mut [ChaCha8Rng::seed_from_u64(7)]);
    let mut pass = Pass::default();
    net.predict(&[1.0, 2.0], &mut pass);
    net.backward(&mut pass, &[1.0], &mut [0.0; 3]);
}

/// Single precision, by every set of instructions that this processor has, against autograd in double precision.
#[test]
fn all_instructions_give_autograds_outputs_and_gradients() {
    let networks: [&[usize]; 6] =
        [&[1, 100, 100, 1], &[4, 100, 100, 1], &[3, 5, 7, 2], &[6, 2], &[33, 17, 9, 64, 5], &[4, 160, 200, 21]];
    let sets = Instructions::existing;
    for (sizes, rows, seeds) in networks.iter().flat_map(|sizes| {
        [(1, 1), (3, 2), (7, 2), (32, 3), (33, 1), (64, 2), (300, 1)].map(|(rows, seeds)| (*sizes, rows, seeds))
    }) {
        let mut streams: Vec<_> = (0..seeds as u64).map(ChaCha8Rng::seed_from_u64).collect();
        let net = Mlp::<f32>::new(sizes, LastLayer::Same, &mut streams);
        let (input, out) = (sizes[0], sizes[sizes.len() - 1]);
        let x = batch(seeds * rows * input);
        // All of one sign, as a policy's: no sum comes out small by cancelling.
        let by_output: Vec<_> = batch(seeds * rows * out).into_iter().map(|x| x * x).collect();
        let exactly = |values: &[f32], width: usize| {
            let values: Vec<_> = values.iter().map(|x| f64::from(*x)).collect();
            tensor(&values, &[seeds as i64, rows as i64, width as i64])
        };
        let exact = Mlp::<f64>::from_parameters(sizes, &net.parameters().to_kind(tch::Kind::Double));
        let leaves = [exact.leaf().set_requires_grad(true), exactly(&x, input).set_requires_grad(true)];
        let output = exact.forward(&leaves[1]);
        let sum = (&output * exactly(&by_output, out)).sum(tch::Kind::Double);
        let gradients = Tensor::run_backward(&[sum], &leaves, false, false);
        // Some columns of the input, but the first.
        let columns = input / 2..input;
        let by_input = gradients[1].narrow(2, columns.start as i64, columns.len() as i64).contiguous();
        for set in sets() {
            let (mut pass, mut gradient) = (Pass::default(), vec![f32::NAN; net.values().len()]);
            let mut slopes = vec![f32::NAN; seeds * rows * columns.len()];
            with(set, || {
                net.predict(&x, &mut pass);
                let alone = pass.output().to_vec();
                assert_eq!(net.predict_for_gradient(&x, &mut pass), alone);
                net.backward(&mut pass, &by_output, &mut gradient);
                net.input_gradient(&mut pass, &by_output, columns.clone(), &mut slopes);
            });
            let what = |what: &str| format!("{what} of {sizes:?}, {seeds} seeds of {rows} rows, by {set:?}");
            assert_near(pass.output(), &output, &what("output"));
            assert_near(&gradient, &gradients[0], &what("gradient"));
            assert_near(&slopes, &by_input, &what("input's gradient"));
        }
    }
}
