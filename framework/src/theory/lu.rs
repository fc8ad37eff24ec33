//! LU decomposition with partial pivoting, as nalgebra does it, but broken off when the time is up: of some thousand
//! unknowns a decomposition takes minutes.

use nalgebra::{DMatrix, DVector, PermutationSequence};

use super::deadline::Deadline;
use super::error::TheoryError;

/// The time is looked at after so many columns.
const COLUMNS: usize = 16;

/// P A = L U.
pub(super) struct Lu {
    /// U on and above the diagonal, L below (its diagonal is 1).
    factors: DMatrix<f64>,
    rows: PermutationSequence<nalgebra::Dyn>,
}

impl Lu {
    /// Decomposes a square matrix.
    ///
    /// # Errors
    /// The time was up.
    pub fn new(mut matrix: DMatrix<f64>, deadline: Deadline) -> Result<Self, TheoryError> {
        let n = matrix.nrows();
        let mut rows = PermutationSequence::identity_generic(nalgebra::Dyn(n));
        for k in 0..n {
            if k % COLUMNS == COLUMNS - 1 {
                deadline.check()?;
            }
            let pivot = matrix.view_range(k.., k).icamax() + k;
            if matrix[(pivot, k)] == 0.0 {
                continue;
            }
            if pivot != k {
                rows.append_permutation(k, pivot);
                matrix.swap_rows(k, pivot);
            }
            let (mut left, mut right) = matrix.columns_range_pair_mut(k, k + 1..);
            let inverse = 1.0 / left[k];
            let mut below = left.rows_range_mut(k + 1..);
            below *= inverse;
            for mut column in right.column_iter_mut() {
                let pivot = column[k];
                column.rows_range_mut(k + 1..).axpy(-pivot, &below, 1.0);
            }
        }
        Ok(Self { factors: matrix, rows })
    }

    /// Solves A x = b for every column of `b`, in place; false where A is singular.
    ///
    /// # Errors
    /// The time was up.
    pub fn solve_mut(&self, b: &mut DMatrix<f64>, deadline: Deadline) -> Result<bool, TheoryError> {
        self.rows.permute_rows(b);
        for (number, mut column) in b.column_iter_mut().enumerate() {
            if number % COLUMNS == COLUMNS - 1 {
                deadline.check()?;
            }
            let lower = self.factors.solve_lower_triangular_with_diag_mut(&mut column, 1.0);
            if !lower || !self.factors.solve_upper_triangular_mut(&mut column) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The same for one column.
    pub fn solve_vector_mut(&self, b: &mut DVector<f64>) -> bool {
        self.rows.permute_rows(b);
        self.factors.solve_lower_triangular_with_diag_mut(b, 1.0) && self.factors.solve_upper_triangular_mut(b)
    }

    /// The diagonal of U.
    pub fn pivots(&self) -> DVector<f64> {
        self.factors.diagonal()
    }

    /// Whether the determinant is above 0, as that of L, the pivots and the exchanged rows.
    pub fn is_positive(&self) -> bool {
        let swaps: f64 = self.rows.determinant();
        let negative = self.pivots().iter().filter(|pivot| **pivot < 0.0).count();
        (swaps > 0.0) == (negative % 2 == 0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_the_decomposition_of_nalgebra() {
        let numbers = |row: usize, column: usize| ((1 + row * row + 7 * column + row * column) as f64).sin();
        for n in [1, 2, 5, 40] {
            let matrix = DMatrix::from_fn(n, n, numbers);
            let (ours, theirs) = (Lu::new(matrix.clone(), Deadline::NONE).unwrap(), matrix.clone().lu());
            let b = DMatrix::from_fn(n, 3, |row, column| numbers(column, row));
            let mut x = b.clone();
            assert!(ours.solve_mut(&mut x, Deadline::NONE).unwrap());
            assert_eq!(x, theirs.solve(&b).unwrap());
            let mut column = b.column(0).into_owned();
            assert!(ours.solve_vector_mut(&mut column) && column == x.column(0));
            assert_eq!(ours.is_positive(), matrix.determinant() > 0.0);
        }
        let singular = Lu::new(DMatrix::zeros(2, 2), Deadline::NONE).unwrap();
        assert!(!singular.solve_vector_mut(&mut DVector::zeros(2)));
    }

    #[test]
    fn it_is_broken_off_when_the_time_is_up() {
        let over = Deadline::after(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(1));
        let matrix = DMatrix::<f64>::identity(40, 40);
        assert_eq!(Lu::new(matrix.clone(), over).err(), Some(TheoryError::Late));
        let lu = Lu::new(matrix.clone(), Deadline::NONE).unwrap();
        assert_eq!(lu.solve_mut(&mut matrix.clone(), over), Err(TheoryError::Late));
    }
}
