//! What a product of these shapes reaches at best on this processor, for profiles.

use super::affine;
use super::dispatch::{Work, run_f32};
use super::panel::Row;
use super::vector::Vector;
use std::hint::black_box;
use std::time::Instant;

/// Inputs and outputs of the layer, the usual width.
const WIDTH: usize = 100;
/// The best of so many measurements counts: others may use the core too.
const ROUNDS: usize = 50;
/// Products of a measurement, about a millisecond.
const PRODUCTS: usize = 200;

/// Floating-point operations a second of one core in the product of a 100 by 100 weight and a panel, over and over in the
/// first cache.
pub fn yardstick() -> f64 {
    let mut best = f64::INFINITY;
    run_f32(Yardstick { best: &mut best });
    (2 * WIDTH * WIDTH * super::PANEL * PRODUCTS) as f64 / best
}

struct Yardstick<'a> {
    /// Seconds of the fastest measurement.
    best: &'a mut f64,
}

impl Work<f32> for Yardstick<'_> {
    #[inline(always)]
    fn run<V: Vector<Element = f32>>(self) {
        let (weight, bias) = (vec![0.01; WIDTH * WIDTH], vec![0.0; WIDTH]);
        let (x, mut out) = (vec![Row([1.0; super::PANEL]); WIDTH], vec![Row::default(); WIDTH]);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for _ in 0..PRODUCTS {
                affine::forward::<V>(black_box(&weight), &bias, black_box(&x), true, &mut out);
                black_box(&mut out);
            }
            *self.best = self.best.min(start.elapsed().as_secs_f64());
        }
    }
}
