//! What products reach at best on this processor, for profiles.

use super::dispatch::{Work, run_f32};
use super::vector::Vector;
use std::hint::black_box;
use std::time::Instant;

/// The best of so many measurements counts: others may use the core too.
const ROUNDS: usize = 50;
/// Additions to each sum in a measurement, some 0.1 ms.
const TERMS: usize = 50_000;
/// Sums side by side, since each addition waits for the one before; so many fit in all registers.
const SUMS: usize = 10;

/// Floating-point operations a second of one core that multiplies and adds what is in its registers: no product can be faster.
pub fn yardstick() -> f64 {
    let mut best = 0.0;
    run_f32(Yardstick { best: &mut best });
    best
}

struct Yardstick<'a> {
    /// Operations a second of the fastest measurement.
    best: &'a mut f64,
}

impl Work<f32> for Yardstick<'_> {
    #[inline(always)]
    fn run<V: Vector<Element = f32>>(self) {
        for _ in 0..ROUNDS {
            let (a, b) = (V::splat(black_box(0.5)), V::splat(black_box(0.25)));
            let mut sums = [V::splat(0.0); SUMS];
            let start = Instant::now();
            for _ in 0..TERMS {
                for sum in &mut sums {
                    *sum = sum.add_product(a, b);
                }
            }
            black_box(sums);
            let operations = (2 * V::LANES * SUMS * TERMS) as f64;
            *self.best = self.best.max(operations / start.elapsed().as_secs_f64());
        }
    }
}
