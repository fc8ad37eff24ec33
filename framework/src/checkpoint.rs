//! State that decides the future, as plain named values: what a run needs to go on bit for bit where it stood. Files
//! and commands are not here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Something whose future follows from what it saves.
pub trait Checkpoint {
    /// Writes all that decides the future.
    fn save(&self, to: &mut Snapshot);

    /// Takes back what [`Checkpoint::save`] wrote, on a value that was built with the same parameters.
    ///
    /// # Errors
    /// A name that is missing or holds something else.
    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError>;
}

/// Named values and arrays. Arrays are bytes (little-endian) with a shape, so that they keep every bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    values: BTreeMap<String, String>,
    arrays: BTreeMap<String, Array>,
}

/// An array of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Array {
    /// Type of the elements: `f32`, `f64`, `i64`...
    pub dtype: String,
    /// Shape, outermost axis first.
    pub shape: Vec<usize>,
    /// Elements, little-endian.
    pub bytes: Vec<u8>,
}

/// Why a snapshot could not be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotError(pub String);

impl std::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SnapshotError {}

impl Snapshot {
    /// All that `part` saves.
    pub fn of(part: &impl Checkpoint) -> Self {
        let mut snapshot = Self::default();
        part.save(&mut snapshot);
        snapshot
    }

    /// Stores a small value as RON, which keeps every bit of a float.
    pub fn put<T: Serialize>(&mut self, name: &str, value: &T) {
        let text = ron::to_string(value).expect("values of checkpoints are plain data, which RON can always write");
        self.values.insert(name.to_owned(), text);
    }

    /// The value stored under `name`.
    ///
    /// # Errors
    /// No such value, or one of another type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, SnapshotError> {
        let text = self.values.get(name).ok_or_else(|| missing(name, self.values.keys()))?;
        ron::from_str(text).map_err(|error| SnapshotError(format!("`{name}` of the snapshot cannot be read: {error}")))
    }

    /// Stores an array.
    pub fn put_array(&mut self, name: &str, array: Array) {
        self.arrays.insert(name.to_owned(), array);
    }

    /// The array stored under `name`.
    ///
    /// # Errors
    /// No such array.
    pub fn get_array(&self, name: &str) -> Result<&Array, SnapshotError> {
        self.arrays.get(name).ok_or_else(|| missing(name, self.arrays.keys()))
    }

    /// Stores f32 numbers.
    pub fn put_f32(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.put_array(name, Array { dtype: "f32".to_owned(), shape: shape.to_vec(), bytes });
    }

    /// The f32 numbers stored under `name`.
    ///
    /// # Errors
    /// No such array, or one of another type.
    pub fn get_f32(&self, name: &str) -> Result<Vec<f32>, SnapshotError> {
        let array = self.get_array(name)?;
        if array.dtype != "f32" {
            return Err(SnapshotError(format!("`{name}` of the snapshot holds {}, expected f32", array.dtype)));
        }
        Ok(array.bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// Saves `part` behind `prefix` and a slash.
    pub fn nest_of(&mut self, prefix: &str, part: &impl Checkpoint) {
        self.nest(prefix, Self::of(part));
    }

    /// Takes over all of `inner`, its names behind `prefix` and a slash.
    pub fn nest(&mut self, prefix: &str, inner: Self) {
        self.values.extend(inner.values.into_iter().map(|(name, value)| (format!("{prefix}/{name}"), value)));
        self.arrays.extend(inner.arrays.into_iter().map(|(name, array)| (format!("{prefix}/{name}"), array)));
    }

    /// Takes over all of `other`, which has other names.
    pub(crate) fn merge(&mut self, other: Self) {
        self.values.extend(other.values);
        self.arrays.extend(other.arrays);
    }

    /// What [`Snapshot::nest`] put behind `prefix`.
    pub fn nested(&self, prefix: &str) -> Self {
        let strip = |name: &str| name.strip_prefix(prefix).and_then(|name| name.strip_prefix('/')).map(str::to_owned);
        Self {
            values: self.values.iter().filter_map(|(name, value)| Some((strip(name)?, value.clone()))).collect(),
            arrays: self.arrays.iter().filter_map(|(name, array)| Some((strip(name)?, array.clone()))).collect(),
        }
    }
}

fn missing<'a>(name: &str, held: impl Iterator<Item = &'a String>) -> SnapshotError {
    let held: Vec<_> = held.map(String::as_str).collect();
    SnapshotError(format!("the snapshot has no `{name}`; it holds: {}", held.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_comes_back() {
        let odd = [0.1f32, -0.0, f32::MIN_POSITIVE / 3.0, f32::NAN, f32::INFINITY, 1.0 + f32::EPSILON];
        let mut snapshot = Snapshot::default();
        snapshot.put_f32("x", &[2, 3], &odd);
        snapshot.put("y", &(0.1f64 + 0.2, f64::NEG_INFINITY, "text"));
        let mut outer = Snapshot::default();
        outer.nest("player 0", snapshot);
        let stored = ron::to_string(&outer).unwrap();
        let inner = ron::from_str::<Snapshot>(&stored).unwrap().nested("player 0");
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&inner.get_f32("x").unwrap()), bits(&odd));
        let y: (f64, f64, String) = inner.get("y").unwrap();
        assert_eq!((y.0.to_bits(), y.1, y.2.as_str()), ((0.1f64 + 0.2).to_bits(), f64::NEG_INFINITY, "text"));
        assert_eq!(inner.get::<u32>("z").unwrap_err().0, "the snapshot has no `z`; it holds: y");
    }
}
