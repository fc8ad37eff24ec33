//! Named random streams: every number that a run draws comes from a [`Stream`], and which stream it is follows from
//! the run's seed, the seed's index, who draws and what for. There is no global generator, so the numbers of one seed
//! never depend on what else is in the run.

use rand::{Rng, SeedableRng, rand_core::TryRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A counter-based generator (ChaCha with 8 rounds) with a name. Implements [`rand::Rng`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Place", into = "Place")]
pub struct Stream(ChaCha8Rng);

/// What a stream is stored as: its key and how many words have been drawn, high and low half.
#[derive(Serialize, Deserialize)]
struct Place {
    key: [u8; 32],
    drawn: (u64, u64),
}

impl From<Stream> for Place {
    fn from(stream: Stream) -> Self {
        let drawn = stream.0.get_word_pos();
        Self { key: stream.0.get_seed(), drawn: ((drawn >> 64) as u64, drawn as u64) }
    }
}

impl From<Place> for Stream {
    fn from(place: Place) -> Self {
        let mut stream = ChaCha8Rng::from_seed(place.key);
        stream.set_word_pos(u128::from(place.drawn.0) << 64 | u128::from(place.drawn.1));
        Self(stream)
    }
}

impl Stream {
    /// The stream of `role` (who draws, such as `player 1`) for `purpose` (what for, such as `exploration`) in `seed`
    /// of a run whose own seed is `run`. The same four always give the same numbers; two that differ in any are
    /// independent.
    pub fn new(run: u64, seed: u64, role: &str, purpose: &str) -> Self {
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip([run, seed, fnv1a(role), fnv1a(purpose)]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A uniform number in [0, 1), with 24 random bits: all that an f32 in this range can hold.
    #[inline]
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
    }

    /// A uniform number in [low, high), one draw.
    #[inline]
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A uniform whole number below `n` (which must not be 0), by Lemire's multiplication; the bias is below n / 2^64.
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }
}

impl TryRng for Stream {
    type Error = std::convert::Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0.next_u32())
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.next_u64())
    }

    #[inline]
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

/// The FNV-1a hash: fixed for ever, unlike the standard library's, since results on disk depend on it.
const fn fnv1a(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        // Reference values of the FNV authors' test suite.
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn every_part_of_the_name_matters() {
        let base = Stream::new(1, 2, "player 0", "exploration").unit();
        for other in [
            Stream::new(2, 2, "player 0", "exploration"),
            Stream::new(1, 3, "player 0", "exploration"),
            Stream::new(1, 2, "player 1", "exploration"),
            Stream::new(1, 2, "player 0", "initial weights"),
        ] {
            assert_ne!(base, other.clone().unit());
        }
        assert_eq!(base, Stream::new(1, 2, "player 0", "exploration").unit());
    }

    #[test]
    fn a_stored_stream_goes_on_where_it_stood() {
        let mut stream = Stream::new(1, 2, "game", "steps");
        for _ in 0..7 {
            stream.unit();
        }
        let text = ron::to_string(&stream).unwrap();
        let mut restored: Stream = ron::from_str(&text).unwrap();
        for _ in 0..100 {
            assert_eq!(stream.next_u64(), restored.next_u64());
        }
    }

    #[test]
    fn draws_cover_their_range_evenly() {
        let mut stream = Stream::new(0, 0, "test", "range");
        let n = 100_000;
        let mut counts = [0usize; 5];
        let mut sum = 0.0;
        for _ in 0..n {
            counts[stream.below(5)] += 1;
            let x = stream.uniform(-2.0, 4.0);
            assert!((-2.0..4.0).contains(&x));
            sum += f64::from(x);
        }
        // Five standard deviations each.
        assert!(counts.iter().all(|&c| (c as f64 - 20_000.0).abs() < 5.0 * 126.5), "{counts:?}");
        assert!((sum / f64::from(n) - 1.0).abs() < 5.0 * 6.0 / 12f64.sqrt() / f64::from(n).sqrt());
    }
}
