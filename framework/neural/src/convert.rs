//! Slices to tensors and back, tensors to snapshots and back.

use crate::threads::pin;
use equiflow::checkpoint::{Array, Snapshot, SnapshotError};
use tch::{Kind, Tensor};

/// A tensor of the given shape with a copy of `data`, row-major.
///
/// # Panics
///
/// If `data` does not hold exactly as many numbers as the shape.
pub fn tensor(data: &[f32], shape: &[i64], kind: Kind) -> Tensor {
    pin();
    Tensor::from_slice(data).view(shape).to_kind(kind)
}

/// Copies a tensor of any float kind and any strides into `out`, row-major.
///
/// # Panics
///
/// If the tensor does not hold exactly `out.len()` numbers.
pub fn write_into(tensor: &Tensor, out: &mut [f32]) {
    pin();
    assert_eq!(tensor.numel(), out.len(), "a tensor of shape {:?} does not fill the slice", tensor.size());
    tensor.to_kind(Kind::Float).copy_data(out, out.len());
}

/// The numbers of a `[S]` tensor as `f64`.
pub(crate) fn per_seed(tensor: &Tensor) -> Vec<f64> {
    let mut values = vec![0.0; tensor.numel()];
    tensor.to_kind(Kind::Double).copy_data(&mut values, tensor.numel());
    values
}

/// The first `size` of the `batch` rows that every seed has in `values` `[S, batch, W]`, as a tensor `[S, size, W]` of
/// [`Kind::Float`]; the width follows from the length.
pub fn rows(values: &[f32], seeds: i64, batch: usize, size: usize) -> Tensor {
    tensor(values, &[seeds, batch as i64, -1], Kind::Float).narrow(1, 0, size as i64)
}

// The bytes of arrays are copied as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"), "checkpoints are little-endian");

/// Puts a tensor into a snapshot, bit for bit.
pub(crate) fn save_tensor(to: &mut Snapshot, name: &str, tensor: &Tensor) {
    pin();
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.detach().copy_data_u8(&mut bytes, tensor.numel());
    let shape = tensor.size().into_iter().map(|size| size as usize).collect();
    to.put_array(name, Array { dtype: dtype(tensor.kind()), shape, bytes });
}

/// Copies what [`save_tensor`] stored into `tensor`, whose shape and kind have to be the same.
pub(crate) fn restore_tensor(from: &Snapshot, name: &str, tensor: &mut Tensor) -> Result<(), SnapshotError> {
    pin();
    let array = from.get_array(name)?;
    let shape: Vec<_> = array.shape.iter().map(|&size| size as i64).collect();
    if shape != tensor.size() || array.dtype != dtype(tensor.kind()) {
        return Err(SnapshotError(format!(
            "`{name}` of the snapshot holds {} {shape:?}, expected {} {:?}",
            array.dtype,
            dtype(tensor.kind()),
            tensor.size()
        )));
    }
    let stored = Tensor::f_from_data_size(&array.bytes, &shape, tensor.kind());
    let _guard = tch::no_grad_guard();
    let copied = stored.and_then(|stored| tensor.f_copy_(&stored));
    copied.map_err(|error| SnapshotError(format!("`{name}` of the snapshot cannot be read: {error}")))
}

fn dtype(kind: Kind) -> String {
    match kind {
        Kind::Float => "f32".to_owned(),
        Kind::Double => "f64".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_survive_the_way_there_and_back() {
        let data = [1.5f32, -0.0, f32::MIN_POSITIVE, 3e38, -7.25, 0.1];
        for kind in [Kind::Float, Kind::Double] {
            let there = tensor(&data, &[2, 3], kind);
            let mut back = [0.0; 6];
            write_into(&there, &mut back);
            assert_eq!(back.map(f32::to_bits), data.map(f32::to_bits));
            write_into(&there.transpose(0, 1), &mut back);
            assert_eq!(back, [data[0], data[3], data[1], data[4], data[2], data[5]]);
            let mut snapshot = Snapshot::default();
            save_tensor(&mut snapshot, "x", &there);
            let mut restored = there.zeros_like();
            restore_tensor(&snapshot, "x", &mut restored).unwrap();
            assert!(restored.equal(&there));
        }
    }

    #[test]
    fn a_missing_or_different_entry_is_an_error_that_says_what_was_found() {
        let mut snapshot = Snapshot::default();
        save_tensor(&mut snapshot, "mean", &tensor(&[1.0, 2.0], &[2], Kind::Float));
        let mut place = tensor(&[0.0; 2], &[1, 2], Kind::Double);
        let text = restore_tensor(&snapshot, "square", &mut place).unwrap_err().to_string();
        assert_eq!(text, "the snapshot has no `square`; it holds: mean");
        let text = restore_tensor(&snapshot, "mean", &mut place).unwrap_err().to_string();
        assert_eq!(text, "`mean` of the snapshot holds f32 [2], expected f64 [1, 2]");
    }
}
