//! The replay memory of an environment: joint transitions per seed, kept once for all its players, and the batch that
//! is drawn from it.

use std::borrow::Cow;

use bevy_ecs::prelude::*;

use crate::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use crate::game::GameSpec;
use crate::stream::Stream;

/// Joint transitions, per seed a ring that grows up to its capacity.
#[derive(Component, Debug)]
pub struct Replay {
    layout: Layout,
    capacity: usize,
    rings: Vec<Ring>,
}

#[derive(Debug)]
struct Ring {
    /// Whole records side by side, oldest first until the ring is full.
    records: Vec<f32>,
    /// The record that is overwritten next, once the ring is full.
    next: usize,
    stream: Stream,
}

/// Where the parts of a transition stand in a record: per player observation, action, reward and next observation,
/// then `terminated`.
#[derive(Clone, Debug)]
struct Layout {
    observation: Vec<usize>,
    action: Vec<usize>,
    width: usize,
}

/// One player's part of the transition of one row.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// What it saw.
    pub observation: &'a [f32],
    /// What it did.
    pub action: &'a [f32],
    /// What it got.
    pub reward: f32,
    /// What it saw next, before any reset.
    pub next_observation: &'a [f32],
}

impl Replay {
    /// An empty memory of `capacity` transitions per seed, drawn from with the given streams, one per seed.
    pub fn new(spec: &GameSpec, capacity: usize, streams: Vec<Stream>) -> Self {
        let observation: Vec<_> = spec.players.iter().map(|player| player.observation.width()).collect();
        let action: Vec<_> = spec.players.iter().map(|player| player.action.width()).collect();
        let width = observation.iter().map(|o| 2 * o).sum::<usize>() + action.iter().sum::<usize>() + action.len() + 1;
        let rings = streams.into_iter().map(|stream| Ring { records: Vec::new(), next: 0, stream }).collect();
        Self { layout: Layout { observation, action, width }, capacity, rings }
    }

    /// Transitions that seed number `seed` holds.
    pub fn len(&self, seed: usize) -> usize {
        self.rings[seed].records.len() / self.layout.width
    }

    /// Whether seed number `seed` holds none.
    pub fn is_empty(&self, seed: usize) -> bool {
        self.len(seed) == 0
    }

    /// Adds a transition of seed number `seed`; the oldest goes when the memory is full.
    pub fn push<'a>(&mut self, seed: usize, players: impl Iterator<Item = Part<'a>>, terminated: bool) {
        let width = self.layout.width;
        let ring = &mut self.rings[seed];
        let start = if ring.records.len() < self.capacity.saturating_mul(width) {
            let start = ring.records.len();
            ring.records.resize(start + width, 0.0);
            start
        } else {
            let start = ring.next * width;
            ring.next = (ring.next + 1) % self.capacity;
            start
        };
        let mut rest = &mut ring.records[start..start + width];
        let mut put = |values: &[f32]| {
            let (place, after) = std::mem::take(&mut rest).split_at_mut(values.len());
            place.copy_from_slice(values);
            rest = after;
        };
        for part in players {
            put(part.observation);
            put(part.action);
            put(&[part.reward]);
            put(part.next_observation);
        }
        put(&[f32::from(terminated)]);
    }

    /// Draws `size` transitions per seed, uniformly and with replacement, into `batch`. Seeds with an empty memory get
    /// zeros.
    pub fn sample(&mut self, size: usize, batch: &mut Batch) {
        self.gather(size, batch, |ring, held, _| ring.stream.below(held));
    }

    /// Takes the latest `size` transitions per seed into `batch`, oldest first; where fewer are held, all of them again and
    /// again, so that none counts for much more than another. Seeds with an empty memory get zeros.
    pub fn latest(&mut self, size: usize, batch: &mut Batch) {
        self.gather(size, batch, |ring, held, k| (ring.next + held - 1 - (size - 1 - k) % held) % held);
    }

    /// Fills `batch` with the records that `choose` names for each of the rows 0 to `size` of a seed, among the held ones.
    fn gather(&mut self, size: usize, batch: &mut Batch, choose: impl Fn(&mut Ring, usize, usize) -> usize) {
        let layout = &self.layout;
        batch.resize(layout, self.rings.len(), size);
        for (seed, ring) in self.rings.iter_mut().enumerate() {
            let held = ring.records.len() / layout.width;
            if held == 0 {
                continue;
            }
            for k in 0..size {
                let (row, at) = (seed * size + k, choose(ring, held, k) * layout.width);
                let mut record = &ring.records[at..at + layout.width];
                let mut take = |n: usize| {
                    let (values, after) = record.split_at(n);
                    record = after;
                    values
                };
                // Most parts are one number, for which a call of memcpy costs more than it does.
                let copy = |to: &mut [f32], from: &[f32]| match (to, from) {
                    ([to], [from]) => *to = *from,
                    (to, from) => to.copy_from_slice(from),
                };
                for (player, part) in batch.players.iter_mut().enumerate() {
                    let (o, a) = (layout.observation[player], layout.action[player]);
                    copy(&mut part.observation[row * o..][..o], take(o));
                    copy(&mut part.action[row * a..][..a], take(a));
                    part.reward[row] = take(1)[0];
                    copy(&mut part.next_observation[row * o..][..o], take(o));
                }
                batch.terminated[row] = take(1)[0];
            }
        }
    }
}

impl Checkpoint for Replay {
    fn save(&self, to: &mut Snapshot) {
        for (seed, ring) in self.rings.iter().enumerate() {
            let width = self.layout.width;
            to.put_f32(&format!("records.{seed}"), &[ring.records.len() / width, width], &ring.records);
            to.put(&format!("ring.{seed}"), &(ring.next, &ring.stream));
        }
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        for (seed, ring) in self.rings.iter_mut().enumerate() {
            ring.records = from.get_f32(&format!("records.{seed}"))?;
            (ring.next, ring.stream) = from.get(&format!("ring.{seed}"))?;
        }
        Ok(())
    }
}

/// Transitions drawn for one step of learning: every buffer is [seeds, size, width], plain f32.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Transitions per seed; 0 before the first were drawn.
    pub size: usize,
    /// Per player.
    pub players: Vec<PlayerBatch>,
    /// 1 where the rules ended the episode, else 0: [seeds, size].
    pub terminated: Vec<f32>,
}

/// The latest transitions of an environment, oldest first, for opponent models that look back over them.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Recent(pub Batch);

/// How many of the latest transitions per seed [`Recent`] holds.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window(pub usize);

/// One player's part of a [`Batch`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlayerBatch {
    /// What it saw: [seeds, size, width of its observation].
    pub observation: Vec<f32>,
    /// What it did: [seeds, size, width of its action].
    pub action: Vec<f32>,
    /// What it got: [seeds, size].
    pub reward: Vec<f32>,
    /// What it saw next: [seeds, size, width of its observation].
    pub next_observation: Vec<f32>,
}

impl Batch {
    /// The first `size` transitions of each seed: the batch itself when it holds just as many.
    pub(crate) fn first(&self, size: usize) -> Cow<'_, Self> {
        if size == self.size {
            return Cow::Borrowed(self);
        }
        let take = |values: &[f32]| first_rows(values, self.terminated.len(), self.size, size).into_owned();
        let player = |all: &PlayerBatch| PlayerBatch {
            observation: take(&all.observation),
            action: take(&all.action),
            reward: take(&all.reward),
            next_observation: take(&all.next_observation),
        };
        let players = self.players.iter().map(player).collect();
        Cow::Owned(Self { size, players, terminated: take(&self.terminated) })
    }

    fn resize(&mut self, layout: &Layout, seeds: usize, size: usize) {
        if self.size == size && self.terminated.len() == seeds * size {
            return;
        }
        let rows = seeds * size;
        self.size = size;
        self.terminated = vec![0.0; rows];
        self.players = (layout.observation.iter().zip(&layout.action))
            .map(|(o, a)| PlayerBatch {
                observation: vec![0.0; rows * o],
                action: vec![0.0; rows * a],
                reward: vec![0.0; rows],
                next_observation: vec![0.0; rows * o],
            })
            .collect();
    }
}

/// The first `size` of the `batch` rows that every seed has in `values` [seeds, batch, width], where `rows` is
/// seeds times batch.
pub(crate) fn first_rows(values: &[f32], rows: usize, batch: usize, size: usize) -> Cow<'_, [f32]> {
    if size == batch || values.is_empty() {
        return Cow::Borrowed(values);
    }
    let width = values.len() / rows;
    values.chunks_exact(batch * width).flat_map(|seed| &seed[..size * width]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::game::{Player, Space};

    fn spec() -> GameSpec {
        let player = |o, a| Player { observation: Space::cube(o, -1.0, 1.0), action: Space::cube(a, -1.0, 1.0) };
        GameSpec::repeated(vec![player(2, 1), player(1, 3)])
    }

    /// A transition all of whose numbers follow from `k`.
    fn push(replay: &mut Replay, seed: usize, k: f32) {
        let (o0, a0, n0, o1, a1, n1) =
            ([k, k + 0.1], [k + 0.2], [k + 0.4, k + 0.5], [k + 0.6], [k + 0.7; 3], [k + 0.9]);
        let parts = [
            Part { observation: &o0, action: &a0, reward: k + 0.3, next_observation: &n0 },
            Part { observation: &o1, action: &a1, reward: k + 0.8, next_observation: &n1 },
        ];
        replay.push(seed, parts.into_iter(), (k as i32) % 2 == 1);
    }

    #[test]
    fn a_drawn_row_is_one_whole_transition_of_its_own_seed() {
        let streams = (0..2).map(|seed| Stream::new(0, seed, "environment", "replay")).collect();
        let mut replay = Replay::new(&spec(), 100, streams);
        for k in 0..10 {
            push(&mut replay, 0, k as f32);
            push(&mut replay, 1, (k + 100) as f32);
        }
        let mut batch = Batch::default();
        replay.sample(64, &mut batch);
        for row in 0..128 {
            let k = batch.players[0].observation[2 * row];
            assert_eq!(k >= 100.0, row >= 64, "row {row} holds transition {k}");
            assert_eq!(batch.players[0].observation[2 * row + 1], k + 0.1);
            assert_eq!(batch.players[0].reward[row], k + 0.3);
            assert_eq!(batch.players[1].action[3 * row..3 * row + 3], [k + 0.7; 3]);
            assert_eq!(batch.players[1].next_observation[row], k + 0.9);
            assert_eq!(batch.terminated[row], f32::from((k as i32) % 2 == 1));
        }
        let first: Vec<_> = (0..64).map(|row| batch.players[0].observation[2 * row]).collect();
        assert!((0..10).all(|k| first.contains(&(k as f32))), "64 draws of 10 leave out {first:?}");
    }

    #[test]
    fn the_first_rows_of_a_batch_are_those_of_each_seed() {
        let streams = (0..2).map(|seed| Stream::new(0, seed, "environment", "replay")).collect();
        let mut replay = Replay::new(&spec(), 100, streams);
        for k in 0..10 {
            push(&mut replay, 0, k as f32);
            push(&mut replay, 1, (k + 100) as f32);
        }
        let mut batch = Batch::default();
        replay.sample(5, &mut batch);
        let first = batch.first(2);
        assert_eq!((first.size, first.terminated.len()), (2, 4));
        assert_eq!(first.players[0].reward, [0, 1, 5, 6].map(|row| batch.players[0].reward[row]));
        for (row, from) in [(0, 0), (1, 1), (2, 5), (3, 6)] {
            let (ours, all) = (&first.players[1].action, &batch.players[1].action);
            assert_eq!(ours[3 * row..][..3], all[3 * from..][..3]);
        }
        assert!(matches!(batch.first(5), Cow::Borrowed(whole) if *whole == batch));
    }

    #[test]
    fn the_latest_come_in_their_order() {
        let mut replay = Replay::new(&spec(), 4, vec![Stream::new(0, 0, "environment", "replay")]);
        let mut batch = Batch::default();
        let latest = |replay: &mut Replay, batch: &mut Batch, size| {
            replay.latest(size, batch);
            (0..size).map(|row| batch.players[0].observation[2 * row] as i32).collect::<Vec<_>>()
        };
        for k in 0..7 {
            push(&mut replay, 0, k as f32);
            match k {
                1 => assert_eq!(latest(&mut replay, &mut batch, 5), [1, 0, 1, 0, 1], "two are held"),
                6 => assert_eq!(latest(&mut replay, &mut batch, 3), [4, 5, 6], "the ring has come round"),
                _ => {}
            }
        }
        assert_eq!(latest(&mut replay, &mut batch, 4), [3, 4, 5, 6]);
    }

    #[test]
    fn a_full_memory_forgets_the_oldest() {
        let mut replay = Replay::new(&spec(), 4, vec![Stream::new(0, 0, "environment", "replay")]);
        for k in 0..6 {
            push(&mut replay, 0, k as f32);
        }
        assert_eq!(replay.len(0), 4);
        let mut batch = Batch::default();
        replay.sample(200, &mut batch);
        let mut seen: Vec<_> = (0..200).map(|row| batch.players[0].observation[2 * row] as i32).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, [2, 3, 4, 5]);
    }
}
