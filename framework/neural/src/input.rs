//! What a network reads: blocks of numbers side by side, row by row.

use std::borrow::Cow;
use std::ops::Range;

use crate::head::Head;
use crate::real::Real;

/// One block of columns of a network's input.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a, T = f32> {
    /// `[rows / times, width]`
    values: &'a [T],
    width: usize,
    /// How often each row stands, one after the other.
    times: usize,
    /// Choices are told as one number per choice.
    choices: Option<usize>,
}

impl<'a, T: Real> Block<'a, T> {
    /// Numbers as they are, `width` in a row.
    pub fn new(values: &'a [T], width: usize) -> Self {
        Self { values, width, times: 1, choices: None }
    }

    /// Actions, told by their features ([`Head::features`]).
    pub fn actions(head: &Head, values: &'a [T]) -> Self {
        let choices = match head {
            Head::Gaussian { .. } => None,
            Head::Categorical(n) => Some(*n),
        };
        Self { values, width: head.width(), times: 1, choices }
    }

    /// Each row `times` times in a row.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    fn columns(&self) -> usize {
        self.choices.unwrap_or(self.width)
    }
}

/// Fills `out` with the blocks side by side: `[rows, sum of columns]`.
///
/// # Panics
/// If the blocks have different numbers of rows.
pub fn side_by_side<T: Real>(blocks: &[Block<T>], out: &mut Vec<T>) {
    let columns: usize = blocks.iter().map(Block::columns).sum();
    let rows = blocks.first().map_or(0, |block| block.values.len() / block.width * block.times);
    out.clear();
    out.resize(rows * columns, T::default());
    let mut start = 0;
    for block in blocks {
        assert_eq!(block.values.len() / block.width * block.times, rows, "rows of a block {} wide", block.width);
        let groups = out.chunks_exact_mut(columns * block.times).zip(block.values.chunks_exact(block.width));
        for (rows, values) in groups {
            for out in rows.chunks_exact_mut(columns) {
                match (block.choices, values) {
                    // Mostly it is one number, for which a call of memcpy costs more than it does.
                    (None, [x]) => out[start] = *x,
                    (None, _) => out[start..start + block.width].copy_from_slice(values),
                    (Some(_), _) => out[start + values[0].to_f64() as usize] = T::from_f64(1.0),
                }
            }
        }
        start += block.columns();
    }
}

/// Actions `[rows, width]` as a network is told them: choices as one number per choice, `[rows, features]`.
pub fn told<'a, T: Real>(head: &Head, actions: &'a [T]) -> Cow<'a, [T]> {
    match head {
        Head::Gaussian { .. } => Cow::Borrowed(actions),
        Head::Categorical(_) => {
            let mut out = Vec::new();
            side_by_side(&[Block::actions(head, actions)], &mut out);
            Cow::Owned(out)
        }
    }
}

/// Some of the `of` rows that every seed has in `values` `[S, of, width]`; the width follows from the length.
pub fn seed_rows<T: Real>(values: &[T], seeds: usize, of: usize, rows: Range<usize>) -> Cow<'_, [T]> {
    if rows == (0..of) {
        return Cow::Borrowed(values);
    }
    let width = values.len() / seeds / of;
    let chosen = rows.start * width..rows.end * width;
    values.chunks_exact(of * width).flat_map(|seed| &seed[chosen.clone()]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_of_every_seed() {
        let values: Vec<f32> = (0..12).map(|x| x as f32).collect();
        assert_eq!(*seed_rows(&values, 2, 3, 1..3), [2.0, 3.0, 4.0, 5.0, 8.0, 9.0, 10.0, 11.0]);
        assert!(matches!(seed_rows(&values, 2, 3, 0..3), Cow::Borrowed(_)));
    }

    #[test]
    fn blocks_stand_side_by_side() {
        let (plain, choices) = ([1.5f32, 2.5], [2.0f32, 0.0, 1.0, 1.0]);
        let blocks = [Block::new(&plain, 1).times(2), Block::actions(&Head::Categorical(3), &choices)];
        let mut out = Vec::new();
        side_by_side(&blocks, &mut out);
        assert_eq!(out, [1.5, 0.0, 0.0, 1.0, 1.5, 1.0, 0.0, 0.0, 2.5, 0.0, 1.0, 0.0, 2.5, 0.0, 1.0, 0.0]);
    }
}
