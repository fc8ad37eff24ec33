//! A finite game in the ordinary world: the four things that [`Game`](crate::game::Game) asks, for plugins that keep a
//! [`TabularGame`]. Actions are `Space::Discrete`; the state is seen one-hot, so that networks can read it.

use super::tabular::TabularGame;
use crate::game::{GameSpec, Joint, Player, Space, Status};
use crate::stream::Stream;

impl TabularGame {
    /// Players, spaces and what is true of all rewards. A player has as many actions as in the state where it has most.
    pub fn spec(&self) -> GameSpec {
        let most = |player: usize| (0..self.states()).map(|state| self.shape(state)[player]).max().unwrap_or(0);
        let observation = match self.states() {
            1 => Space::cube(1, 1.0, 1.0),
            states => Space::cube(states, 0.0, 1.0),
        };
        let players = (0..self.players())
            .map(|player| Player { observation: observation.clone(), action: Space::Discrete(most(player)) })
            .collect();
        let (mut common_reward, mut zero_sum) = (true, true);
        for state in 0..self.states() {
            for row in 0..self.rows(state).len() {
                let rewards = || (0..self.players()).map(|player| self.rewards(player, state)[row]);
                common_reward &= rewards().all(|reward| reward == self.rewards(0, state)[row]);
                zero_sum &= rewards().sum::<f64>() == 0.0;
            }
        }
        let spec = if self.states() == 1 { GameSpec::repeated(players) } else { GameSpec::sequential(players) };
        GameSpec { common_reward, zero_sum, ..spec }
    }

    /// The state in which an episode starts.
    pub fn reset(&self, rng: &mut Stream) -> usize {
        let possible = self.start().iter().copied().enumerate().filter(|(_, probability)| *probability > 0.0);
        match possible.clone().count() {
            // Most games start in one state: nothing is drawn.
            1 => possible.map(|(state, _)| state).next(),
            _ => draw(possible, rng),
        }
        .expect("the start probabilities were checked to sum to 1")
    }

    /// Writes `state` one-hot to `out`, which has a place per state.
    pub fn observe(&self, state: usize, out: &mut [f32]) {
        out.fill(0.0);
        out[state] = 1.0;
    }

    /// Plays the joint action. Where a player has fewer actions than its space, those beyond mean its last one.
    pub fn step(&self, state: &mut usize, actions: &Joint, rng: &mut Stream, rewards: &mut [f32]) -> Status {
        let shape = self.shape(*state);
        let at = (shape.iter().enumerate()).fold(0, |at, (player, n)| at * n + actions.choice(player).min(n - 1));
        for (player, reward) in rewards.iter_mut().enumerate() {
            *reward = self.rewards(player, *state)[at] as f32;
        }
        let next = self.next(self.rows(*state).start + at);
        let Some(next) = draw(next.iter().copied(), rng) else { return Status::Terminal };
        *state = next;
        Status::Running
    }
}

/// One of the states by its probability, and none with what is missing to 1. A game without chance draws nothing.
fn draw(states: impl Iterator<Item = (usize, f64)>, rng: &mut Stream) -> Option<usize> {
    let mut left = None;
    let mut last = None;
    for (state, probability) in states {
        let left = left.get_or_insert_with(|| f64::from(rng.unit()));
        *left -= probability;
        if *left < 0.0 {
            return Some(state);
        }
        last = Some(state);
    }
    // Probabilities that sum to 1 may leave a little by rounding.
    last.filter(|_| left.is_some_and(|left| left < 1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::{FiniteGame, Next};

    /// One player who stays with 0.5, moves with 0.25, else ends; in the other state everything ends.
    struct Walk;

    impl FiniteGame for Walk {
        fn players(&self) -> usize {
            1
        }
        fn states(&self) -> usize {
            2
        }
        fn actions(&self, state: usize, _player: usize) -> usize {
            2 - state
        }
        fn outcome(&self, state: usize, joint: &[usize], rewards: &mut [f64], next: &mut Next) {
            rewards[0] = (10 * state + joint[0]) as f64;
            if state == 0 {
                next.extend([(0, 0.5), (1, 0.25)]);
            }
        }
    }

    #[test]
    fn steps_follow_the_tables() {
        let table = TabularGame::new(&Walk).unwrap();
        let mut rng = Stream::new(0, 0, "test", "walk");
        let mut counts = [0; 3];
        let tries = 40_000;
        for _ in 0..tries {
            let mut state = table.reset(&mut rng);
            let mut reward = [0.0];
            let ends = table.step(&mut state, &Joint::new(&[(&[1.0], 1)], 0), &mut rng, &mut reward);
            assert_eq!(reward, [1.0]);
            counts[if ends == Status::Terminal { 2 } else { state }] += 1;
        }
        // Five standard deviations of a share of a half.
        for (count, share) in counts.iter().zip([0.5, 0.25, 0.25]) {
            assert!((f64::from(*count) - share * f64::from(tries)).abs() < 5.0 * 100.0, "{counts:?}");
        }
        // In state 1 there is one action only: a second means the same.
        let (mut state, mut reward) = (1, [0.0]);
        assert_eq!(table.step(&mut state, &Joint::new(&[(&[1.0], 1)], 0), &mut rng, &mut reward), Status::Terminal);
        assert_eq!(reward, [10.0]);
    }
}
