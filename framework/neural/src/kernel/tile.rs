//! Sums of some vectors in registers, the innermost loop of all products.

#![expect(unsafe_code, reason = "rows are read by vectors")]

use super::vector::Vector;

/// Vectors of the largest tile: the registers hold them beside what is multiplied, and so many hide how long an addition takes.
pub const TILE: usize = 8;

/// Calls a method with a number of vectors, at most [`TILE`], as a constant.
macro_rules! with_count {
    ($count:expr, $vector:ident, $object:ident.$method:ident $arguments:tt) => {
        with_count!(@ $count, $vector, $object.$method $arguments, 1 2 3 4 5 6 7 8)
    };
    (@ $count:expr, $vector:ident, $object:ident.$method:ident $arguments:tt, $($constant:literal)*) => {
        match $count {
            $($constant => $object.$method::<$vector, $constant> $arguments,)*
            count => unreachable!("a tile of {count} vectors"),
        }
    };
}
pub(super) use with_count;

/// The vectors of each tile of a row that is `vectors` long, as even as possible.
#[inline(always)]
pub fn tiles(vectors: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = vectors.div_ceil(TILE);
    (0..count).map(move |tile| tile * vectors / count..(tile + 1) * vectors / count)
}

/// Adds to some vectors those of a matrix's rows whose bits are set, each row times its factor.
///
/// # Safety
/// For each bit that is set there is a factor, `step` after that of the bit before, and a row with so many vectors, `stride`
/// after that of the bit before.
#[inline(always)]
pub unsafe fn add_rows<V: Vector, const COUNT: usize>(
    sums: &mut [V; COUNT],
    mut bits: u64,
    (factors, step): (*const V::Element, usize),
    (rows, stride): (*const V::Element, usize),
) {
    while bits != 0 {
        let k = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        // SAFETY: the bit is set.
        unsafe {
            let factor = V::splat(*factors.add(k * step));
            let row = rows.add(k * stride);
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = sum.add_product(V::load(row.add(i * V::LANES)), factor);
            }
        }
    }
}
