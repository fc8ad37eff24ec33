//! Exploration around a deterministic policy: noise that is added to the action, then clipped to the action box.
//!
//! Plain `f32`, no tensors. Every seed draws from its own stream.

use crate::actor::check_range;
use equiflow::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use equiflow::params::Invalid;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// The kind of noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Noise {
    /// The Ornstein-Uhlenbeck process around 0, `x <- x - theta x dt + sigma sqrt(dt) N(0, 1)`, in units of the action.
    ///
    /// Lillicrap et al. 2016, section 7: theta 0.15, sigma 0.2 (the paper gives no dt; implementations take 1e-2 or 1).
    /// rllab and its descendants: theta 0.15, sigma 0.3, dt 1, which are the defaults; in the long run they are 0.57 wide.
    /// (The program of Wen et al. 2019, which the published results on the differential game come from, has these in units
    /// of half the action box, times 0.5 in the first 1,000 steps, then 0.1, and 0.01 from step 1,667 on.)
    OrnsteinUhlenbeck {
        /// Pull towards 0, per unit of time.
        #[serde(default = "theta")]
        theta: f32,
        /// Strength of the noise, in units of the action per square root of time.
        #[serde(default = "sigma")]
        sigma: f32,
        /// Time of one step.
        #[serde(default = "one")]
        dt: f32,
        /// Whether it starts at 0 again with every episode, as Lillicrap et al. have it. Where every step is an episode
        /// nothing would be left of it but independent noise of sigma.
        #[serde(default = "yes")]
        restart: bool,
    },
    /// Independent normal noise.
    Gaussian {
        /// Standard deviation, in units of the action.
        #[serde(default = "one")]
        sigma: f32,
    },
}

impl Noise {
    /// Whether it stays finite: nothing below 0, and a pull that does not throw the process further out than it was.
    ///
    /// # Errors
    /// What it is instead.
    pub fn check(&self, field: &'static str) -> Result<(), Invalid> {
        let fits = |x: f32| x >= 0.0 && x.is_finite();
        let (all, expected) = match *self {
            Self::OrnsteinUhlenbeck { theta, sigma, dt, .. } => (
                fits(theta) && fits(sigma) && fits(dt) && theta * dt < 2.0,
                "theta, sigma and dt of at least 0, and theta times dt below 2",
            ),
            Self::Gaussian { sigma } => (fits(sigma), "a sigma of at least 0"),
        };
        check_range(field, format!("{self:?}"), all, expected)
    }
}

fn theta() -> f32 {
    0.15
}

fn sigma() -> f32 {
    0.3
}

fn one() -> f32 {
    1.0
}

fn yes() -> bool {
    true
}

impl Default for Noise {
    fn default() -> Self {
        Noise::OrnsteinUhlenbeck { theta: theta(), sigma: sigma(), dt: one(), restart: true }
    }
}

/// Adds [`Noise`] to the actions of a lane, row by row; a seed has a row for every instance of the game.
#[derive(Clone, Debug)]
pub struct Explorer {
    noise: Noise,
    low: Vec<f32>,
    high: Vec<f32>,
    /// The process of each row and dimension, `[rows, A]`; unused by Gaussian noise.
    state: Vec<f32>,
}

impl Explorer {
    /// Noise for actions within the given bounds, all processes at 0.
    pub fn new(noise: Noise, low: &[f32], high: &[f32], rows: usize) -> Self {
        assert_eq!(low.len(), high.len(), "bounds of different lengths");
        Explorer { noise, low: low.to_vec(), high: high.to_vec(), state: vec![0.0; rows * low.len()] }
    }

    /// Adds so many times the noise to the action `[A]` of a row and clips it to the bounds.
    pub fn perturb<R: Rng>(&mut self, row: usize, factor: f32, stream: &mut R, action: &mut [f32]) {
        let dims = self.low.len();
        let state = &mut self.state[row * dims..][..dims];
        for (((x, state), low), high) in action.iter_mut().zip(state).zip(&self.low).zip(&self.high) {
            let normal: f32 = StandardNormal.sample(stream);
            let noise = match self.noise {
                Noise::OrnsteinUhlenbeck { theta, sigma, dt, .. } => {
                    *state += sigma * dt.sqrt() * normal - theta * dt * *state;
                    *state
                }
                Noise::Gaussian { sigma } => sigma * normal,
            };
            *x = (*x + factor * noise).clamp(*low, *high);
        }
    }

    /// Puts a row's processes back to 0, at the start of an episode, unless they go on.
    pub fn reset(&mut self, row: usize) {
        if !matches!(self.noise, Noise::OrnsteinUhlenbeck { restart: false, .. }) {
            let dims = self.low.len();
            self.state[row * dims..][..dims].fill(0.0);
        }
    }
}

impl Checkpoint for Explorer {
    fn save(&self, to: &mut Snapshot) {
        to.put_f32("noise", &[self.state.len()], &self.state);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        let state = from.get_f32("noise")?;
        if state.len() != self.state.len() {
            let (found, expected) = (state.len(), self.state.len());
            return Err(SnapshotError(format!("`noise` of the snapshot holds {found} numbers, expected {expected}")));
        }
        self.state = state;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn stream(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    /// Variance and lag-one correlation of 200,000 steps of noise on the action 0 within ±1000.
    fn statistics(noise: Noise) -> (f32, f32) {
        let (mut explorer, mut stream) = (Explorer::new(noise, &[-1000.0], &[1000.0], 1), stream(1));
        let (mut square, mut lagged, mut before) = (0.0, 0.0, 0.0);
        let count = 200_000;
        for _ in 0..count {
            let mut action = [0.0];
            explorer.perturb(0, 1.0, &mut stream, &mut action);
            square += f64::from(action[0]).powi(2);
            lagged += f64::from(action[0]) * before;
            before = f64::from(action[0]);
        }
        ((square / f64::from(count)) as f32, (lagged / square) as f32)
    }

    #[test]
    fn stationary_variance_and_correlation_are_those_of_the_process() {
        let (variance, correlation) = statistics(Noise::Gaussian { sigma: 2.0 });
        assert!((variance / 4.0 - 1.0).abs() < 0.02 && correlation.abs() < 0.01, "{variance} {correlation}");
        // x' = (1 - theta dt) x + sigma sqrt(dt) N: an autoregression with these moments.
        let (theta, sigma, dt) = (0.15f32, 0.02f32, 0.5f32);
        let keep = 1.0 - theta * dt;
        let expected = sigma * sigma * dt / (1.0 - keep * keep);
        let (variance, correlation) = statistics(Noise::OrnsteinUhlenbeck { theta, sigma, dt, restart: true });
        assert!((variance / expected - 1.0).abs() < 0.1, "{variance} {expected}");
        assert!((correlation - keep).abs() < 0.01, "{correlation} {keep}");
    }

    #[test]
    fn actions_stay_in_the_box_and_rows_do_not_mix() {
        let noise = Noise::Gaussian { sigma: 5.0 };
        let (low, high) = ([-1.0, 0.0], [1.0, 0.5]);
        let mut lane = Explorer::new(noise, &low, &high, 2);
        let mut actions = [[0.0; 2]; 2];
        actions
            .iter_mut()
            .enumerate()
            .for_each(|(row, action)| lane.perturb(row, 1.0, &mut stream(row as u64), action));
        let mut alone = Explorer::new(noise, &low, &high, 1);
        let mut action = [0.0; 2];
        alone.perturb(0, 1.0, &mut stream(1), &mut action);
        assert_eq!(actions[1], action);
        assert!(actions.iter().all(|a| (-1.0..=1.0).contains(&a[0]) && (0.0..=0.5).contains(&a[1])));
    }

    #[test]
    fn a_process_that_would_run_away_is_refused() {
        let process = |theta, dt| Noise::OrnsteinUhlenbeck { theta, sigma: 0.3, dt, restart: true };
        for noise in [process(0.15, -1.0), process(3.0, 1.0), process(f32::NAN, 1.0), Noise::Gaussian { sigma: -1.0 }] {
            let refused = noise.check("noise").unwrap_err();
            assert!(refused.what.contains("out of range"), "{noise:?}: {}", refused.what);
        }
        for noise in [Noise::default(), process(1.9, 1.0), process(0.0, 0.01), Noise::Gaussian { sigma: 0.0 }] {
            assert!(noise.check("noise").is_ok(), "{noise:?}");
        }
    }

    #[test]
    fn a_checkpoint_continues_the_process_and_a_reset_ends_it() {
        let mut explorer = Explorer::new(Noise::default(), &[-1.0], &[1.0], 2);
        (0..2).for_each(|row| explorer.perturb(row, 1.0, &mut stream(row as u64), &mut [0.0]));
        let mut copy = Explorer::new(Noise::default(), &[-1.0], &[1.0], 2);
        copy.restore(&Snapshot::of(&explorer)).unwrap();
        assert_eq!(copy.state, explorer.state);
        assert!(explorer.state.iter().all(|&x| x != 0.0));
        explorer.reset(1);
        assert!(explorer.state[0] != 0.0 && explorer.state[1] == 0.0);
        let Noise::OrnsteinUhlenbeck { theta, sigma, dt, .. } = Noise::default() else { unreachable!() };
        let noise = Noise::OrnsteinUhlenbeck { theta, sigma, dt, restart: false };
        let mut lasting = Explorer::new(noise, &[-1.0], &[1.0], 1);
        let mut action = [0.0];
        lasting.perturb(0, 0.5, &mut stream(0), &mut action);
        assert_eq!(action[0], 0.5 * lasting.state[0], "the action has a half of the process");
        lasting.reset(0);
        assert_eq!(lasting.state[0], explorer.state[0]);
    }
}
