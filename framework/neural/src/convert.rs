//! Slices to tensors and back for the ways through autograd, slices to snapshots and back.

use crate::real::Real;
use crate::threads::pin;
use equiflow::checkpoint::{Array, Snapshot, SnapshotError};
use tch::{Kind, Tensor};

/// A tensor of the given shape with a copy of `data`, row-major.
///
/// # Panics
///
/// If `data` does not hold exactly as many numbers as the shape.
pub fn tensor<T: Real>(data: &[T], shape: &[i64]) -> Tensor {
    pin();
    let values: Vec<f64> = data.iter().map(|x| x.to_f64()).collect();
    Tensor::from_slice(&values).view(shape).to_kind(T::KIND)
}

/// The numbers of a tensor of any float kind and any strides, row-major.
pub fn numbers<T: Real>(tensor: &Tensor) -> Vec<T> {
    pin();
    let mut values = vec![0.0; tensor.numel()];
    tensor.detach().to_kind(Kind::Double).copy_data(&mut values, tensor.numel());
    values.into_iter().map(T::from_f64).collect()
}

/// Joins parts `[rows, width]`, each with a width of its own, into `out` `[rows, sum of widths]`, as a critic reads
/// observations and actions. Nothing is allocated once `out` is large enough.
///
/// # Panics
///
/// If a part does not hold a whole number of numbers a row.
pub fn join<'a, T: Real>(rows: usize, parts: impl Iterator<Item = &'a [T]> + Clone, out: &mut Vec<T>) {
    let width = parts.clone().map(<[T]>::len).sum::<usize>() / rows;
    out.resize(rows * width, T::default());
    let mut start = 0;
    for part in parts {
        let own = part.len() / rows;
        assert_eq!(part.len(), rows * own, "a part of {rows} rows");
        for (row, part) in out.chunks_exact_mut(width).zip(part.chunks_exact(own)) {
            row[start..start + own].copy_from_slice(part);
        }
        start += own;
    }
}

/// Puts numbers `[S, n]` into a snapshot, bit for bit.
pub(crate) fn save_array<T: Real>(to: &mut Snapshot, name: &str, seeds: usize, values: &[T]) {
    let mut bytes = Vec::with_capacity(size_of_val(values));
    values.iter().for_each(|x| x.put_bytes(&mut bytes));
    let shape = vec![seeds, values.len() / seeds];
    to.put_array(name, Array { dtype: T::NAME.to_owned(), shape, bytes });
}

/// Copies what [`save_array`] stored into `values` `[S, n]`, whose shape and type have to be the same.
pub(crate) fn restore_array<T: Real>(
    from: &Snapshot,
    name: &str,
    seeds: usize,
    values: &mut [T],
) -> Result<(), SnapshotError> {
    let array = from.get_array(name)?;
    let shape = [seeds, values.len() / seeds];
    if array.shape != shape || array.dtype != T::NAME || array.bytes.len() != size_of_val(values) {
        return Err(SnapshotError(format!(
            "`{name}` of the snapshot holds {} {:?} in {} bytes, expected {} {shape:?}",
            array.dtype,
            array.shape,
            array.bytes.len(),
            T::NAME,
        )));
    }
    let numbers = array.bytes.chunks_exact(size_of::<T>());
    values.iter_mut().zip(numbers).for_each(|(x, bytes)| *x = T::from_bytes(bytes));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_survive_the_way_there_and_back() {
        fn there_and_back<T: Real>() {
            let data = [1.5, -0.0, 3e38, -7.25, 0.1, 1e-30].map(T::from_f64);
            let there = tensor(&data, &[2, 3]);
            assert_eq!((there.kind(), there.size()), (T::KIND, vec![2, 3]));
            assert_eq!(numbers::<T>(&there), data);
            let turned = numbers::<T>(&there.transpose(0, 1));
            assert_eq!(turned, [data[0], data[3], data[1], data[4], data[2], data[5]]);
            let (mut snapshot, mut restored) = (Snapshot::default(), [T::default(); 6]);
            save_array(&mut snapshot, "x", 2, &data);
            restore_array(&snapshot, "x", 2, &mut restored).unwrap();
            assert_eq!(restored, data);
        }
        there_and_back::<f32>();
        there_and_back::<f64>();
    }

    #[test]
    fn parts_of_different_widths_are_joined_by_rows() {
        let mut out = vec![7.0; 100];
        join(2, [[1.0, 2.0].as_slice(), &[3.0, 4.0, 5.0, 6.0]].into_iter(), &mut out);
        assert_eq!(out, [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    }

    #[test]
    fn a_missing_or_different_entry_is_an_error_that_says_what_was_found() {
        let mut snapshot = Snapshot::default();
        save_array(&mut snapshot, "mean", 1, &[1.0f32, 2.0]);
        let mut place = [0.0f64; 2];
        let text = restore_array(&snapshot, "square", 1, &mut place).unwrap_err().to_string();
        assert_eq!(text, "the snapshot has no `square`; it holds: mean");
        let text = restore_array(&snapshot, "mean", 1, &mut place).unwrap_err().to_string();
        assert_eq!(text, "`mean` of the snapshot holds f32 [1, 2] in 8 bytes, expected f64 [1, 2]");
    }
}
