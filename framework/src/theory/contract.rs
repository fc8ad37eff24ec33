//! Expectations of a tensor over the independent choices of some of its axes.

/// Buffers for [`Contraction::keep`], kept so that nothing is allocated once they are large enough.
#[derive(Clone, Debug, Default)]
pub struct Contraction {
    from: Vec<f64>,
    to: Vec<f64>,
}

impl Contraction {
    /// The expectation of `tensor` (of `shape`, last axis fastest) where every axis `k` but those of `kept` (ascending) is
    /// chosen with the probabilities `weights(k)`: a tensor of the kept axes.
    pub fn keep<'w>(
        &mut self,
        tensor: &[f64],
        shape: &[usize],
        kept: &[usize],
        weights: impl Fn(usize) -> &'w [f64],
    ) -> &[f64] {
        let mut outer = 1;
        let mut inner = tensor.len();
        let mut contracted = false;
        // First axes first: the long rows behind them are added up whole.
        for (axis, &n) in shape.iter().enumerate() {
            inner /= n;
            if kept.contains(&axis) {
                outer *= n;
                continue;
            }
            let Self { from, to } = self;
            contract(if contracted { from } else { tensor }, outer, inner, weights(axis), to);
            std::mem::swap(from, to);
            contracted = true;
        }
        if !contracted {
            self.from.clear();
            self.from.extend_from_slice(tensor);
        }
        &self.from
    }
}

/// `to[o, i] = sum_a weights[a] from[o, a, i]`.
fn contract(from: &[f64], outer: usize, inner: usize, weights: &[f64], to: &mut Vec<f64>) {
    to.clear();
    if inner == 1 {
        let rows = from.chunks_exact(weights.len());
        to.extend(rows.map(|row| row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>()));
        return;
    }
    to.resize(outer * inner, 0.0);
    for (block, to) in from.chunks_exact(weights.len() * inner).zip(to.chunks_exact_mut(inner)) {
        for (row, &weight) in block.chunks_exact(inner).zip(weights) {
            to.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_are_sums_over_all_choices() {
        let shape = [2, 3, 2];
        let tensor: Vec<f64> = (0..12).map(|k| f64::from(k * k % 7)).collect();
        let weights = [vec![0.25, 0.75], vec![0.5, 0.0, 0.5], vec![0.125, 0.875]];
        let mut contraction = Contraction::default();
        for kept in [&[][..], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
            let found = contraction.keep(&tensor, &shape, kept, |axis| &weights[axis]).to_vec();
            let mut expected = vec![0.0; kept.iter().map(|axis| shape[*axis]).product()];
            for (cell, value) in tensor.iter().enumerate() {
                let choice = [cell / 6, cell / 2 % 3, cell % 2];
                let place = kept.iter().fold(0, |at, axis| at * shape[*axis] + choice[*axis]);
                let others = (0..3).filter(|axis| !kept.contains(axis));
                expected[place] += value * others.map(|axis| weights[axis][choice[axis]]).product::<f64>();
            }
            assert!(
                found.iter().zip(&expected).all(|(x, y)| (x - y).abs() < 1e-14),
                "{kept:?}: {found:?} {expected:?}"
            );
        }
    }
}
