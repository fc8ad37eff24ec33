//! Smooth minimisation in a few dimensions: BFGS with differences for gradients.

use nalgebra::{DMatrix, DVector};

/// Where a search ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// The point.
    pub point: Vec<f64>,
    /// The function there.
    pub value: f64,
    /// The largest absolute component of the gradient there: 0 at a minimum inside, up to about 1e-9.
    pub slope: f64,
}

/// Step of the differences: their error is about its square times the third derivative.
const STEP: f64 = 1e-5;
const ITERATIONS: usize = 400;
/// A gradient below this is 0 as far as differences can tell.
const FLAT: f64 = 1e-9;

/// Walks down from `start` to a local minimum (Nocedal and Wright 2006, Algorithm 6.1, with Armijo backtracking). A
/// minimum at infinity is approached, not reached: [`Minimum::slope`] tells.
pub fn minimise(start: &[f64], mut function: impl FnMut(&[f64]) -> f64) -> Minimum {
    let n = start.len();
    let mut x = DVector::from_column_slice(start);
    let mut value = function(x.as_slice());
    let mut gradient = differences(&x, &mut function);
    let mut inverse = DMatrix::<f64>::identity(n, n);
    for _ in 0..ITERATIONS {
        if gradient.amax() < FLAT {
            break;
        }
        let mut direction = -(&inverse * &gradient);
        if direction.dot(&gradient) >= 0.0 {
            // Rounding has spoilt the curvature: begin again with the steepest descent.
            inverse.fill_with_identity();
            direction = -&gradient;
        }
        let slope = direction.dot(&gradient);
        let mut length = 1.0;
        let (next, lower) = loop {
            let next = &x + &direction * length;
            let lower = function(next.as_slice());
            if lower <= value + 1e-4 * length * slope {
                break (next, lower);
            }
            length /= 2.0;
            if length < 1e-14 {
                return Minimum { point: x.as_slice().to_vec(), value, slope: gradient.amax() };
            }
        };
        let next_gradient = differences(&next, &mut function);
        let (s, y) = (&next - &x, &next_gradient - &gradient);
        let curvature = s.dot(&y);
        if curvature > 1e-12 * s.norm() * y.norm() {
            let left = DMatrix::identity(n, n) - &s * y.transpose() / curvature;
            inverse = &left * inverse * left.transpose() + &s * s.transpose() / curvature;
        }
        (x, value, gradient) = (next, lower, next_gradient);
    }
    Minimum { point: x.as_slice().to_vec(), value, slope: gradient.amax() }
}

/// The gradient by central differences.
fn differences(x: &DVector<f64>, function: &mut impl FnMut(&[f64]) -> f64) -> DVector<f64> {
    let mut at = x.clone();
    DVector::from_fn(x.len(), |k, _| {
        at[k] = x[k] + STEP;
        let above = function(at.as_slice());
        at[k] = x[k] - STEP;
        let below = function(at.as_slice());
        at[k] = x[k];
        (above - below) / (2.0 * STEP)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottom_of_a_curved_valley_is_found() {
        // Rosenbrock's function.
        let minimum = minimise(&[-1.2, 1.0], |x| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2));
        assert!(minimum.point.iter().all(|x| (x - 1.0).abs() < 1e-6) && minimum.value < 1e-12, "{minimum:?}");
    }
}
