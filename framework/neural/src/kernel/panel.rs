//! The layout in which networks compute: panels of a batch, feature by feature.
//!
//! A panel is 32 columns of the batch. Its numbers stand feature-major, `[width, 32]`, so that vectors go along the
//! batch: no width has to be padded to a multiple of the vector's length (100 would cost what 112 does), and a panel of
//! the usual widths stays in the first cache. A batch that does not fill its last panel is padded with zeros.

use crate::real::Real;

/// Columns of a panel.
pub const PANEL: usize = 32;

/// One feature of a panel.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Row<T>(pub [T; PANEL]);

impl<T: Real> Default for Row<T> {
    fn default() -> Self {
        Row([T::default(); PANEL])
    }
}

/// Copies up to 32 rows `[rows, width]` of a batch into a panel `[width, 32]`; the rest of it becomes zero.
#[inline(always)]
pub fn fill<T: Real>(panel: &mut [Row<T>], rows: &[T]) {
    let width = panel.len();
    let count = rows.len() / width;
    for (feature, row) in panel.iter_mut().enumerate() {
        for (x, numbers) in row.0.iter_mut().zip(rows.chunks_exact(width)) {
            *x = numbers[feature];
        }
        row.0[count..].fill(T::default());
    }
}

/// Copies a panel `[width, 32]` into up to 32 rows `[rows, width]` of a batch.
#[inline(always)]
pub fn spill<T: Real>(panel: &[Row<T>], rows: &mut [T]) {
    let width = panel.len();
    for (feature, row) in panel.iter().enumerate() {
        for (x, numbers) in row.0.iter().zip(rows.chunks_exact_mut(width)) {
            numbers[feature] = *x;
        }
    }
}
