//! The Stein variational gradient: where the particles of one state have to go to become samples of a density that is
//! known up to a constant (Liu & Wang 2016; Haarnoja et al. 2017, eq. 13). Plain `f64`; nothing about networks.

use equiflow_neural::exp;

/// Least bandwidth, that of the authors' program: particles in one place would have a bandwidth of 0.
const MIN_BANDWIDTH: f64 = 1e-3;

/// The kernel `k(x, y) = exp(-|x - y|^2 / h)` between fixed particles and those that move, with room for its numbers.
#[derive(Debug, Default)]
pub(crate) struct Stein {
    /// `|x_j - y_i|^2`, `[moved, fixed]`, in the order that selecting the median leaves.
    squares: Vec<f64>,
    /// `k(x_j, y_i)`, `[moved, fixed]`.
    kernel: Vec<f64>,
}

impl Stein {
    /// Writes where each of the particles y in `moved` `[m, dims]` has to go, `[m, dims]`:
    ///
    /// `phi(y_i) = 1/n sum_j [k(x_j, y_i) grad log p(x_j) + grad_{x_j} k(x_j, y_i)]`,
    ///
    /// with the `n` particles x in `fixed` `[n, dims]` and the gradient of log p at them in `score` `[n, dims]`. The first
    /// term pulls towards high density, the second pushes particles apart.
    pub(crate) fn direction(&mut self, fixed: &[f64], score: &[f64], moved: &[f64], dims: usize, phi: &mut [f64]) {
        let n = fixed.len() / dims;
        self.squares.clear();
        for y in moved.chunks_exact(dims) {
            self.squares.extend(fixed.chunks_exact(dims).map(|x| square_distance(x, y)));
        }
        self.kernel.clone_from(&self.squares);
        let h = bandwidth(&mut self.squares, n);
        self.kernel.iter_mut().for_each(|x| *x = -*x / h);
        exp(&mut self.kernel);
        let rows = moved.chunks_exact(dims).zip(phi.chunks_exact_mut(dims)).zip(self.kernel.chunks_exact(n));
        for ((y, phi), kernel) in rows {
            phi.fill(0.0);
            for ((x, score), kernel) in fixed.chunks_exact(dims).zip(score.chunks_exact(dims)).zip(kernel) {
                for dim in 0..dims {
                    phi[dim] += kernel / n as f64 * (score[dim] - 2.0 * (x[dim] - y[dim]) / h);
                }
            }
        }
    }
}

/// `|x - y|^2`
fn square_distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum()
}

/// `h = max(median / ln n, 1e-3)`, where the median is that of the squared distances between all pairs, in any order, and
/// `n` is the number of fixed particles; of an even number of pairs it is the lower of the two in the middle. This is
/// the form of the program by Haarnoja et al. 2017 (`softqlearning/misc/kernel.py`), so that the kernels of a particle at the
/// median distance from all others sum up to about 1.
fn bandwidth(squares: &mut [f64], n: usize) -> f64 {
    let middle = (squares.len() - 1) / 2;
    let (_, median, _) = squares.select_nth_unstable_by(middle, f64::total_cmp);
    (*median / (n as f64).ln()).max(MIN_BANDWIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bandwidth_is_the_median_over_the_logarithm() {
        assert_eq!(bandwidth(&mut [9.0, 1.0, 4.0], 3), 4.0 / 3f64.ln());
        assert_eq!(bandwidth(&mut [16.0, 9.0, 1.0, 4.0], 2), 4.0 / 2f64.ln());
        assert_eq!(bandwidth(&mut [0.0; 4], 2), MIN_BANDWIDTH);
    }

    #[test]
    fn without_a_density_particles_go_down_the_kernel() {
        // With a score of 0 what is left is the mean of grad_x k: finite differences of the kernel with that bandwidth.
        let (fixed, moved) = ([0.3, -0.7, 0.9, 0.1, -0.4, 0.5], [0.2, 0.4, -0.8, -0.6]);
        let mut stein = Stein::default();
        let mut phi = [0.0; 4];
        stein.direction(&fixed, &[0.0; 6], &moved, 2, &mut phi);
        let mut squares: Vec<_> =
            moved.chunks(2).flat_map(|y| fixed.chunks(2).map(|x| square_distance(x, y))).collect();
        let h = bandwidth(&mut squares, 3);
        let kernel = |x: &[f64], y: &[f64]| (-square_distance(x, y) / h).exp();
        let step = 1e-6;
        for (y, phi) in moved.chunks(2).zip(phi.chunks(2)) {
            for dim in 0..2 {
                let slope = |x: &[f64]| {
                    let mut ends = [[x[0], x[1]]; 2];
                    ends[0][dim] += step;
                    ends[1][dim] -= step;
                    (kernel(&ends[0], y) - kernel(&ends[1], y)) / (2.0 * step)
                };
                let expected = fixed.chunks(2).map(slope).sum::<f64>() / 3.0;
                assert!((phi[dim] - expected).abs() < 1e-9, "{}, expected {expected}", phi[dim]);
            }
        }
    }

    #[test]
    fn particles_become_samples_of_the_density() {
        // Of a normal distribution with mean 0.4 and standard deviation 0.2; the particles start elsewhere.
        let mut particles: Vec<f64> = (0..64).map(|k| -0.5 + 0.005 * f64::from(k)).collect();
        let mut stein = Stein::default();
        let mut phi = vec![0.0; particles.len()];
        for _ in 0..4_000 {
            let score: Vec<_> = particles.iter().map(|x| (0.4 - x) / 0.04).collect();
            stein.direction(&particles, &score, &particles, 1, &mut phi);
            particles.iter_mut().zip(&phi).for_each(|(x, phi)| *x += 0.005 * phi);
        }
        let mean = particles.iter().sum::<f64>() / 64.0;
        let sigma = (particles.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 64.0).sqrt();
        assert!((mean - 0.4).abs() < 0.01 && (sigma - 0.2).abs() < 0.02, "mean {mean}, sigma {sigma}");
    }
}
