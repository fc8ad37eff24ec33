//! Loops over flat numbers, which the compiler turns into vectors of whatever length the processor has.

use super::dispatch::Work;
use super::vector::Vector;
use crate::real::Real;

/// So many sums side by side, since each addition waits for the one before.
const SUMS: usize = 32;

/// The sum of squares, in double precision.
pub fn sum_of_squares<T: Real>(x: &[T]) -> f64 {
    let mut sum = 0.0;
    T::sum_of_squares(SumOfSquares { x, sum: &mut sum });
    sum
}

/// See [`sum_of_squares`].
pub struct SumOfSquares<'a, T> {
    x: &'a [T],
    sum: &'a mut f64,
}

impl<T: Real> Work<T> for SumOfSquares<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        let mut sums = [0.0; SUMS];
        let (blocks, rest) = self.x.as_chunks::<SUMS>();
        for block in blocks {
            for (sum, x) in sums.iter_mut().zip(block) {
                *sum += x.to_f64() * x.to_f64();
            }
        }
        *self.sum = sums.iter().sum::<f64>() + rest.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>();
    }
}

/// One step of Adam for one seed: the moments, the parameters and the target network's soft update, in one pass. See
/// [`Adam`](crate::Adam).
pub struct Descent<'a, T> {
    /// Changed by `mean / (root * sqrt(square) + epsilon)`.
    pub parameters: &'a mut [T],
    /// The gradient, before clipping.
    pub gradient: &'a [T],
    /// The running means of the gradient and of its square.
    pub mean: &'a mut [T],
    /// See `mean`.
    pub square: &'a mut [T],
    /// What the gradient is multiplied by.
    pub clip: T,
    /// The share of a new gradient in its running mean.
    pub new: T,
    /// The shares of the old and of the new square in theirs. Computed in double precision: `1 - 0.999` is off by 5e-5 in
    /// single precision.
    pub old_square: T,
    /// See `old_square`.
    pub new_square: T,
    /// The denominator's factor and summand; the step size is in both.
    pub root: T,
    /// See `root`.
    pub epsilon: T,
    /// The target network's parameters, which go `share` of the way to those after the step; empty if there is none.
    pub target: &'a mut [T],
    /// See `target`.
    pub share: T,
}

impl<T: Real> Work<T> for Descent<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        // The means of a unit that is never active fade until they are subnormal numbers, with which a step takes more than
        // three times as long. Far above those, and far below what can move a parameter, they count as 0.
        let (zero, least) = (T::default(), T::from_f64(1e-30));
        let faded = |x: T| if x < least && x > -least { zero } else { x };
        let moments = self.mean.iter_mut().zip(self.square);
        let numbers = self.parameters.iter_mut().zip(self.gradient).zip(moments);
        let step = |((p, g), (mean, square)): ((&mut T, &T), (&mut T, &mut T))| {
            let g = self.clip * *g;
            *mean = faded(*mean + self.new * (g - *mean));
            *square = faded(self.old_square * *square + self.new_square * g * g);
            *p += *mean / (self.root * square.sqrt() + self.epsilon);
            *p
        };
        debug_assert!(self.target.is_empty() || self.target.len() == self.gradient.len(), "a target as long");
        if self.target.is_empty() {
            numbers.for_each(|number| _ = step(number));
        } else {
            numbers.zip(self.target).for_each(|(number, target)| *target += self.share * (step(number) - *target));
        }
    }
}

/// `x <- tanh(x)`.
pub fn tanh<T: Real>(x: &mut [T]) {
    T::tanh_all(Tanh(x));
}

/// See [`tanh`].
pub struct Tanh<'a, T>(&'a mut [T]);

impl<T: Real> Work<T> for Tanh<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        self.0.iter_mut().for_each(|x| *x = x.tanh());
    }
}

/// `x <- e^x`; see [`Real::exp`] for its ends.
pub fn exp<T: Real>(x: &mut [T]) {
    T::exp_all(Exp(x));
}

/// See [`exp`].
pub struct Exp<'a, T>(&'a mut [T]);

impl<T: Real> Work<T> for Exp<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        self.0.iter_mut().for_each(|x| *x = x.exp());
    }
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::{Instructions, Kernels, with};
    use super::*;
    use crate::{Adam, AdamParams};

    /// Loops over single numbers, one by one in double precision, by every set of instructions that this processor has.
    #[test]
    fn all_instructions_compute_the_same() {
        let values: Vec<f32> = (1..1004).map(|i| (3.0 * f64::from(i).sin()) as f32).collect();
        let close = |found: f32, expected: f64| (f64::from(found) - expected).abs() <= 2e-7 * expected.abs().max(1.0);
        for set in Instructions::existing() {
            with(set, || {
                let exact: f64 = values.iter().map(|x| f64::from(*x).powi(2)).sum();
                assert!((sum_of_squares(&values) / exact - 1.0).abs() < 1e-14, "{set:?}");
                let mut squashed = values.clone();
                tanh(&mut squashed);
                assert!(squashed.iter().zip(&values).all(|(y, x)| close(*y, f64::from(*x).tanh())), "{set:?}");
                let mut powers = values.clone();
                exp(&mut powers);
                assert!(powers.iter().zip(&values).all(|(y, x)| close(*y, f64::from(*x).exp())), "{set:?}");
                // What has faded far below everything that counts is 0 and moves nothing.
                let (mut parameters, mut mean, mut square) = (vec![1.0; 40], vec![1e-30f32; 40], vec![1e-30f32; 40]);
                let (clip, new, old_square, new_square) = (1.0, 0.1, 0.999, 0.001);
                f32::descend(Descent {
                    parameters: &mut parameters,
                    gradient: &[0.0; 40],
                    mean: &mut mean,
                    square: &mut square,
                    clip,
                    new,
                    old_square,
                    new_square,
                    root: -1.0,
                    epsilon: -1e-8,
                    target: &mut [],
                    share: 0.0,
                });
                assert_eq!((parameters, mean, square), (vec![1.0; 40], vec![0.0; 40], vec![0.0; 40]), "{set:?}");
                // Adam's first step goes by the step size, downwards.
                let (mut parameters, params) = (values.clone(), AdamParams::new(0.125));
                let mut target = vec![1.0; values.len()];
                let follower = Some((&mut target[..], 0.25));
                let norm = Adam::new(params, 1, values.len()).step(&mut parameters, &values, follower)[0];
                assert!((norm / exact.sqrt() - 1.0).abs() < 1e-14, "{set:?}");
                let expected = |x: f64| x - 0.125 * x / (x.abs() + 1e-8);
                assert!(parameters.iter().zip(&values).all(|(p, x)| close(*p, expected((*x).into()))), "{set:?}");
                let followed = |p: f32| 0.75 + 0.25 * f64::from(p);
                assert!(target.iter().zip(&parameters).all(|(y, p)| close(*y, followed(*p))), "{set:?}");
            });
        }
    }
}
