//! Matrix products by the `gemm` crate, which picks the processor's instructions at run time.

use crate::real::Real;
use gemm::Parallelism;

/// A matrix in a slice: element `(i, j)` is `values[i * strides.0 + j * strides.1]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    values: &'a [T],
    shape: (usize, usize),
    strides: (usize, usize),
}

impl<'a, T> Matrix<'a, T> {
    /// All of a slice, row by row.
    pub(crate) fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix [{rows}, {columns}]");
        Self { values, shape: (rows, columns), strides: (columns, 1) }
    }

    /// The transposed matrix.
    pub(crate) fn t(self) -> Self {
        Self { shape: (self.shape.1, self.shape.0), strides: (self.strides.1, self.strides.0), ..self }
    }
}

/// Writes `a b` into `out`, row by row, or adds it with `add`: `[m, k]` and `[k, n]` to `[m, n]`.
///
/// # Panics
///
/// If shapes do not fit.
pub(crate) fn product_into<T: Real>(a: Matrix<T>, b: Matrix<T>, out: &mut [T], add: bool) {
    let ((m, k), (rows, n)) = (a.shape, b.shape);
    assert!(k == rows && out.len() == m * n, "no product of {:?} and {:?} in {} numbers", a.shape, b.shape, out.len());
    let one = T::from_f64(1.0);
    #[expect(unsafe_code, reason = "gemm takes pointers and strides")]
    // SAFETY: a matrix's slice is as long as its shape and strides say, `out` as long as [m, n], and `out`, being `&mut`,
    // is no part of the others.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            add,
            a.values.as_ptr(),
            a.strides.1 as isize,
            a.strides.0 as isize,
            b.values.as_ptr(),
            b.strides.1 as isize,
            b.strides.0 as isize,
            one,
            one,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
