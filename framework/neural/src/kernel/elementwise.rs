//! Loops over flat numbers, which the compiler turns into vectors of whatever length the processor has.

use super::dispatch::Work;
use super::vector::Vector;
use crate::real::Real;

/// The sum of squares, in double precision.
pub fn sum_of_squares<T: Real>(x: &[T]) -> f64 {
    let mut sum = 0.0;
    T::run(SumOfSquares { x, sum: &mut sum });
    sum
}

struct SumOfSquares<'a, T> {
    x: &'a [T],
    sum: &'a mut f64,
}

impl<T: Real> Work<T> for SumOfSquares<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        // Many sums side by side, since each addition waits for the one before.
        let mut sums = [0.0; 32];
        let (blocks, rest) = self.x.as_chunks::<32>();
        for block in blocks {
            for (sum, x) in sums.iter_mut().zip(block) {
                *sum += x.to_f64() * x.to_f64();
            }
        }
        *self.sum = sums.iter().sum::<f64>() + rest.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>();
    }
}

/// `to <- to + share (from - to)`.
pub fn approach<T: Real>(to: &mut [T], from: &[T], share: T) {
    T::run(Approach { to, from, share });
}

struct Approach<'a, T> {
    to: &'a mut [T],
    from: &'a [T],
    share: T,
}

impl<T: Real> Work<T> for Approach<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        for (to, from) in self.to.iter_mut().zip(self.from) {
            *to += self.share * (*from - *to);
        }
    }
}

/// One step of Adam for one seed: the moments and then the parameters, in one pass. See [`Adam`](crate::Adam).
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
    /// Decay of the two means.
    pub beta1: T,
    /// See `beta1`.
    pub beta2: T,
    /// The denominator's factor and summand; the step size is in both.
    pub root: T,
    /// See `root`.
    pub epsilon: T,
}

impl<T: Real> Work<T> for Descent<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        let one = T::from_f64(1.0);
        let moments = self.mean.iter_mut().zip(self.square);
        for ((p, g), (mean, square)) in self.parameters.iter_mut().zip(self.gradient).zip(moments) {
            let g = self.clip * *g;
            *mean += (one - self.beta1) * (g - *mean);
            *square = self.beta2 * *square + (one - self.beta2) * g * g;
            *p += *mean / (self.root * square.sqrt() + self.epsilon);
        }
    }
}

/// `x <- tanh(x)`.
pub fn tanh<T: Real>(x: &mut [T]) {
    T::run(Tanh(x));
}

struct Tanh<'a, T>(&'a mut [T]);

impl<T: Real> Work<T> for Tanh<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Element = T>>(self) {
        self.0.iter_mut().for_each(|x| *x = x.tanh());
    }
}
