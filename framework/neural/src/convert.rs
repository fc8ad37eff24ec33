//! Slices to tensors and back, and the entries of a checkpoint.

use crate::threads::pin;
use tch::{Kind, TchError, Tensor};

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

/// One entry of a checkpoint: a tensor or a scalar, bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// Name, unique within the type that saved it.
    pub name: &'static str,
    /// Shape; empty for a scalar.
    pub shape: Vec<i64>,
    /// Element type.
    pub kind: Kind,
    /// The elements, row-major, little-endian.
    pub bytes: Vec<u8>,
}

// The bytes are copied as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"), "checkpoints are little-endian");

impl Saved {
    /// Copies a tensor.
    pub fn tensor(name: &'static str, tensor: &Tensor) -> Self {
        pin();
        let kind = tensor.kind();
        let mut bytes = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
        tensor.detach().copy_data_u8(&mut bytes, tensor.numel());
        Saved { name, shape: tensor.size(), kind, bytes }
    }

    /// Copies a slice of `f32`.
    pub fn floats(name: &'static str, values: &[f32], shape: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Saved { name, shape: shape.to_vec(), kind: Kind::Float, bytes }
    }

    /// Copies an integer.
    pub fn integer(name: &'static str, value: i64) -> Self {
        Saved { name, shape: vec![], kind: Kind::Int64, bytes: value.to_le_bytes().to_vec() }
    }

    /// The entry of that name, provided that its shape and kind are as expected.
    ///
    /// # Errors
    ///
    /// If there is no such entry, or if its shape, kind or length differ; the text names what was found.
    pub fn find<'a>(saved: &'a [Saved], name: &str, shape: &[i64], kind: Kind) -> Result<&'a Saved, TchError> {
        let Some(entry) = saved.iter().find(|entry| entry.name == name) else {
            return Err(TchError::FileFormat(format!("the checkpoint has no entry {name:?}")));
        };
        let length = shape.iter().product::<i64>() as usize * kind.elt_size_in_bytes();
        if entry.shape != shape || entry.kind != kind || entry.bytes.len() != length {
            return Err(TchError::FileFormat(format!(
                "entry {name:?} of the checkpoint: expected {kind:?} {shape:?}, found {:?} {:?} of {} bytes",
                entry.kind,
                entry.shape,
                entry.bytes.len()
            )));
        }
        Ok(entry)
    }

    /// The entry as a tensor.
    pub fn to_tensor(&self) -> Result<Tensor, TchError> {
        pin();
        Tensor::f_from_data_size(&self.bytes, &self.shape, self.kind)
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
            let saved = Saved::tensor("x", &there);
            assert!(saved.to_tensor().unwrap().equal(&there));
        }
    }

    #[test]
    fn a_missing_or_different_entry_is_an_error_that_says_what_was_found() {
        let saved = [Saved::integer("steps", 7)];
        assert!(Saved::find(&saved, "steps", &[], Kind::Int64).is_ok());
        let text = Saved::find(&saved, "mean", &[], Kind::Int64).unwrap_err().to_string();
        assert!(text.contains("no entry \"mean\""), "{text}");
        let text = Saved::find(&saved, "steps", &[2], Kind::Float).unwrap_err().to_string();
        assert!(text.contains("expected Float [2], found Int64 []"), "{text}");
    }
}
