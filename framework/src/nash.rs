//! How far the players of an evaluation are from a Nash equilibrium: what each would have gained by a best response to
//! what the others did.
//!
//! `gain` of a player is its best return against the others' actions in the episode minus its own return, and `nash_conv`
//! the sum of the gains over the players (NashConv, Lanctot et al. 2017, of the mean actions as an open-loop strategy:
//! the deviator changes its own actions, the others do in every step what they did). Both are in the unit of the game's
//! [`Returns`] and are recorded as they come out: rounding can leave a gain a little below 0.
//!
//! They are exact where the game gives [`Game::best_return`]. Elsewhere a search gives lower bounds, recorded as
//! `gain_bound` and, where the bound of one player enters, `nash_conv_bound`:
//!
//! * In a game that repeats one stage ([`Returns::PerStep`]) the action is searched step by step (once for as long as the
//!   others do the same).
//! * In any other game the search is over strategies that do the same in every step, and the played one. A best response
//!   may well change its action on the way, so there the bound can be far off.
//! * A discrete action is enumerated. A box gets a grid over half of the budget, then a compass search (Kolda, Lewis and
//!   Torczon 2003) from the best point found. There is no bound for a box without bounds.
//!
//! The game is replayed with the random numbers of the episode, so in a game of chance both kinds of response know the
//! chance moves.

use std::borrow::Cow;

use bevy_ecs::prelude::*;
use smallvec::SmallVec;

use crate::environment::{Busy, Clock, Environment, Health, Lane};
use crate::episode::Episode;
use crate::game::{Game, GameSpec, Joint, Returns, Space, Status};
use crate::record::{Records, Row};
use crate::stream::Stream;
use crate::tape::Tape;
use crate::workers::{Pace, Workers, fenced};

/// How much is spent on bounds of best responses.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct BestResponse {
    /// Strategies that are tried per player and evaluation (per step, in a game that repeats one stage, as long as the
    /// others go on changing their actions); 0 for none.
    pub budget: usize,
}

impl Default for BestResponse {
    fn default() -> Self {
        Self { budget: 256 }
    }
}

/// The greatest return of `player` that a search of `budget` strategies finds against what the others did in `episode`,
/// its own return included, in the unit of the game's returns. `None` where its actions have no bounds.
pub fn search<G: Game>(game: &G, spec: &GameSpec, player: usize, episode: &Episode<G>, budget: usize) -> Option<f64> {
    let space = &spec.players[player].action;
    if matches!(space, Space::Box { low, high } if !low.iter().chain(high).all(|bound| bound.is_finite())) {
        return None;
    }
    let mut replay = Replay { game, returns: spec.returns, player, episode, rewards: vec![0.0; spec.players.len()] };
    let played = replay.run(|step| episode.joint(step).of(player).to_vec());
    let found = match spec.returns {
        Returns::PerStep => replay.best_per_step(space, budget),
        Returns::Total => {
            let first = episode.joint(0).of(player).to_vec();
            best_action(space, budget, &first, &mut |action| replay.run(|_| action.to_vec())).1
        }
    };
    Some(played.max(found))
}

/// An episode that is played again with other actions of one player.
struct Replay<'a, 'e, G: Game> {
    game: &'a G,
    returns: Returns,
    player: usize,
    episode: &'a Episode<'e, G>,
    rewards: Vec<f32>,
}

impl<G: Game> Replay<'_, '_, G> {
    /// Plays one step with `action` for the player; its reward.
    fn step(&mut self, step: usize, action: &[f32], state: &mut G::State, rng: &mut Stream) -> (f64, Status) {
        let played = self.episode.joint(step);
        let actions: SmallVec<[(&[f32], usize); 8]> = (0..self.rewards.len())
            .map(|player| if player == self.player { action } else { played.of(player) })
            .map(|action| (action, action.len()))
            .collect();
        let status = self.game.step(state, &Joint::new(&actions, 0), rng, &mut self.rewards);
        (f64::from(self.rewards[self.player]), status)
    }

    /// The player's return when it does `action(step)`. Ends where the rules end it, at the latest where the episode did.
    fn run(&mut self, action: impl Fn(usize) -> Vec<f32>) -> f64 {
        let (mut state, mut rng) = (self.episode.start.clone(), self.episode.rng.clone());
        let mut total = 0.0;
        for step in 0..self.episode.steps() {
            let (reward, status) = self.step(step, &action(step), &mut state, &mut rng);
            total += reward;
            if status == Status::Terminal {
                return self.returns.of(total, step + 1);
            }
        }
        self.returns.of(total, self.episode.steps())
    }

    /// The player's return when it does in every step what brings the most in that step.
    fn best_per_step(&mut self, space: &Space, budget: usize) -> f64 {
        let (mut state, mut rng) = (self.episode.start.clone(), self.episode.rng.clone());
        let mut total = 0.0;
        let mut best: Vec<f32> = Vec::new();
        for step in 0..self.episode.steps() {
            if step == 0 || self.others_have_changed(step) {
                let first = self.episode.joint(step).of(self.player).to_vec();
                let mut reward = |action: &[f32]| self.step(step, action, &mut state.clone(), &mut rng.clone()).0;
                best = best_action(space, budget, &first, &mut reward).0;
            }
            let (reward, status) = self.step(step, &best, &mut state, &mut rng);
            total += reward;
            if status == Status::Terminal {
                return self.returns.of(total, step + 1);
            }
        }
        self.returns.of(total, self.episode.steps())
    }

    /// Whether some other player did something else in the step before.
    fn others_have_changed(&self, step: usize) -> bool {
        let (now, before) = (self.episode.joint(step), self.episode.joint(step - 1));
        (0..self.rewards.len()).any(|player| player != self.player && now.of(player) != before.of(player))
    }
}

/// The element of `space` with the greatest `value` among at most `budget` (all of a discrete space), `first` tried
/// before the others; and its value.
fn best_action(space: &Space, budget: usize, first: &[f32], value: &mut dyn FnMut(&[f32]) -> f64) -> (Vec<f32>, f64) {
    let mut best = (first.to_vec(), value(first));
    let mut tried = 1;
    let mut attempt = |action: &[f32], best: &mut (Vec<f32>, f64), tried: &mut usize| {
        *tried += 1;
        let found = value(action);
        let better = found > best.1;
        if better {
            *best = (action.to_vec(), found);
        }
        better
    };
    let (low, high) = match space {
        Space::Discrete(n) => {
            (0..*n).for_each(|choice| {
                attempt(&[choice as f32], &mut best, &mut tried);
            });
            return best;
        }
        Space::Box { low, high } => (low, high),
    };
    let dims = low.len();
    // A grid with the edges of the box, as fine as half of the budget allows; nothing where that is not even the corners.
    let affordable = |points: &usize| points.checked_pow(dims as u32).is_some_and(|all| all <= budget / 2);
    let points = (1..).take_while(affordable).last().unwrap_or(0);
    if points >= 2 {
        for number in 0..points.pow(dims as u32) {
            let mut rest = number;
            let action: Vec<f32> = (low.iter().zip(high))
                .map(|(low, high)| {
                    let at = rest % points;
                    rest /= points;
                    if at + 1 == points { *high } else { low + (high - low) * at as f32 / (points - 1) as f32 }
                })
                .collect();
            attempt(&action, &mut best, &mut tried);
        }
    }
    // Along each axis in turn, half as far whenever no way leads up.
    let mut reach = if points >= 2 { 0.5 / (points - 1) as f32 } else { 0.25 };
    while tried < budget && reach > 1e-7 {
        let mut up = false;
        for dim in 0..dims {
            for side in [-1.0, 1.0] {
                if tried >= budget {
                    return best;
                }
                let mut action = best.0.clone();
                action[dim] = (action[dim] + side * reach * (high[dim] - low[dim])).clamp(low[dim], high[dim]);
                up |= attempt(&action, &mut best, &mut tried);
            }
        }
        if !up {
            reach *= 0.5;
        }
    }
    best
}

/// A figure of an evaluation: the number of its seed, the player whom it is about, its name, its value.
pub(crate) type Finding = (usize, Option<usize>, Cow<'static, str>, f64);

/// Takes a figure of an episode: the player whom it is about, its name, its value.
pub(crate) type Put<'a> = dyn FnMut(Option<usize>, Cow<'static, str>, f64) + 'a;

/// What one episode shows: the gain of every player, NashConv, the game's own figures. `totals` are the players' summed
/// rewards.
pub(crate) fn examine<G: Game>(
    game: &G,
    spec: &GameSpec,
    episode: &Episode<G>,
    totals: &[f64],
    budget: usize,
    put: &mut Put,
) {
    let (mut sum, mut exact, mut complete) = (0.0, true, true);
    for (player, total) in totals.iter().enumerate() {
        let (best, metric) = match game.best_return(player, episode) {
            Some(best) => (Some(best), "gain"),
            None if budget > 0 => (search(game, spec, player, episode, budget), "gain_bound"),
            None => (None, "gain_bound"),
        };
        exact &= metric == "gain";
        match best.map(|best| best - spec.returns.of(*total, episode.steps())) {
            Some(gain) => {
                put(Some(player), metric.into(), gain);
                sum += gain;
            }
            None => complete = false,
        }
    }
    if complete {
        put(None, if exact { "nash_conv" } else { "nash_conv_bound" }.into(), sum);
    }
    game.figures(episode, &mut |metric, value| put(None, metric.to_owned().into(), value));
}

/// Records what best responses to the evaluation's first episode gain, and the game's own figures of it.
pub(crate) fn judge(
    workers: Res<Workers>,
    mut pace: Local<Pace>,
    effort: Res<BestResponse>,
    mut records: ResMut<Records>,
    mut environments: Query<(&Environment, &Lane, &Clock, &mut Tape, &mut Health, &mut Busy)>,
) {
    workers.for_each(
        &mut pace,
        environments.iter_mut(),
        |(environment, lane, clock, mut tape, mut health, mut busy)| {
            let mut findings = std::mem::take(&mut tape.findings);
            for seed in 0..lane.seeds.len() {
                if !health.is_well(seed) {
                    continue;
                }
                let judged = fenced(&mut busy, || {
                    let mut put = |player, metric, value| findings.push((seed, player, metric, value));
                    tape.examine(&environment.spec, seed, effort.budget, &mut put);
                    Ok(())
                });
                if let Err(what) = judged {
                    health.fail(Some(seed), clock.step, &format!("the best response to an evaluation {what}"));
                }
            }
            tape.findings = findings;
        },
    );
    for (environment, lane, clock, mut tape, health, _) in &mut environments {
        for (seed, player, metric, value) in tape.findings.drain(..).filter(|(seed, ..)| health.is_well(*seed)) {
            records.push(Row::new(environment, clock, player, lane.seeds[seed], metric, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::{Algorithm, Seat, Turn};
    use crate::app::App;
    use crate::checkpoint::{Checkpoint, Snapshot, SnapshotError};
    use crate::game::Player;
    use crate::params::Invalid;
    use crate::testing::simulation;

    #[test]
    fn a_search_keeps_to_its_budget_and_finds_the_top() {
        for (dims, budget, precision) in [(1, 64, 1e-5), (2, 256, 1e-4), (5, 2_000, 1e-4), (5, 20, f64::INFINITY)] {
            let mut tries = 0;
            let space = Space::cube(dims, -1.0, 3.0);
            let (best, value) = best_action(&space, budget, &vec![0.0; dims], &mut |action| {
                tries += 1;
                assert!(space.contains(action), "{action:?}");
                -action.iter().map(|x| f64::from(x - 0.7).powi(2)).sum::<f64>()
            });
            assert!(tries <= budget, "{tries} tries for {budget}");
            assert!(-value < precision, "{dims} dimensions: {value} at {best:?}");
        }
        let mut tried = Vec::new();
        let found = best_action(&Space::Discrete(4), 1, &[1.0], &mut |choice| {
            tried.push(choice[0]);
            f64::from(choice[0] == 2.0)
        });
        assert_eq!((found, tried), ((vec![2.0], 1.0), vec![1.0, 0.0, 1.0, 2.0, 3.0]));
    }

    crate::params! {
        /// Both get the product of their numbers; the game knows the best responses or not, and lasts two steps or not.
        struct Product {
            /// Of whom it knows them.
            knows: usize = 2,
            /// Whether it is over after two steps.
            short: bool = false,
        }
    }

    impl Game for Product {
        type Params = Self;
        type State = u32;

        fn new(params: Self) -> Result<Self, Invalid> {
            Ok(params)
        }
        fn spec(&self) -> GameSpec {
            let players = vec![Player::blind(Space::cube(1, -1.0, 2.0)); 2];
            if self.short { GameSpec::sequential(players) } else { GameSpec::repeated(players) }
        }
        fn reset(&self, _: &mut Stream) -> u32 {
            0
        }
        fn observe(&self, _: &u32, _: usize, out: &mut [f32]) {
            out[0] = 1.0;
        }
        fn step(&self, age: &mut u32, actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
            *age += 1;
            rewards.fill(actions.scalar(0) * actions.scalar(1));
            if self.short && *age == 2 { Status::Terminal } else { Status::Running }
        }
        fn best_return(&self, player: usize, episode: &Episode<Self>) -> Option<f64> {
            let stage = |actions: Joint| {
                let other = f64::from(actions.scalar(1 - player));
                (2.0 * other).max(-other)
            };
            let steps = if self.short { episode.steps() as f64 } else { 1.0 };
            (player < self.knows).then(|| steps * episode.per_step(stage))
        }
        fn figures(&self, episode: &Episode<Self>, put: &mut dyn FnMut(&str, f64)) {
            put("length", episode.steps() as f64);
        }
    }

    crate::params! {
        /// Always does the same.
        struct Always {
            /// What.
            action: f32 = 0.5,
        }
    }

    #[derive(Component)]
    struct Constant(f32);

    impl Checkpoint for Constant {
        fn save(&self, _: &mut Snapshot) {}
        fn restore(&mut self, _: &Snapshot) -> Result<(), SnapshotError> {
            Ok(())
        }
    }

    impl Algorithm for Constant {
        type Params = Always;
        fn check(_: &Always, _: &GameSpec, _: usize) -> Result<(), Invalid> {
            Ok(())
        }
        fn new(params: &Always, _: &Seat) -> Self {
            Self(params.action)
        }
        fn act(&mut self, _: &Turn, action: &mut [f32]) {
            action.fill(self.0);
        }
        fn mean_action(&mut self, _: &[f32], _: &[&[f32]], action: &mut [f32]) {
            action.fill(self.0);
        }
    }

    /// What the first evaluation records beside returns and actions.
    fn findings(game: &str, evaluate: &str) -> Vec<(u64, Option<usize>, String, f64)> {
        let register = |app: &mut App| {
            app.register_game::<Product>("product").register_algorithm::<Constant>("always");
        };
        let run = format!(
            "Run(name: \"x\", seeds: [3, 4], episodes: 1, steps: 5, lane_width: 2, evaluate: {evaluate}, game: {game},
                 entries: [Entry(label: \"a\", players: [always(action: 0.5), always(action: -1)])])"
        );
        let mut simulation = simulation(register, &run);
        simulation.evaluate();
        assert_eq!(simulation.failures(), []);
        let rows = simulation.take_rows();
        let others = rows.into_iter().filter(|row| !row.metric.starts_with("mean_action"));
        others.map(|row| (row.seed, row.player, row.metric.into_owned(), row.value)).collect()
    }

    /// Own return -0.5; player 0 could have -1 instead of 0.5, hence 1, player 1 could have 2, hence 1.
    #[test]
    fn evaluations_record_gains_and_their_sum() {
        for (game, evaluate, names, scale) in [
            ("product()", "()", ["gain", "gain", "nash_conv"], 1.0),
            ("product(knows: 1)", "()", ["gain", "gain_bound", "nash_conv_bound"], 1.0),
            ("product(knows: 0)", "()", ["gain_bound", "gain_bound", "nash_conv_bound"], 1.0),
            ("product(short: true)", "()", ["gain", "gain", "nash_conv"], 2.0),
            ("product(knows: 0, short: true)", "()", ["gain_bound", "gain_bound", "nash_conv_bound"], 2.0),
        ] {
            let length = if game.contains("short") { 2.0 } else { 5.0 };
            let expected = [3, 4].map(|seed| {
                let row = |player, name: &str, value| (seed, player, name.to_owned(), value);
                [
                    row(Some(0), names[0], 1.5 * scale),
                    row(Some(1), names[1], 1.5 * scale),
                    row(None, names[2], 3.0 * scale),
                    row(None, "length", length),
                ]
            });
            assert_eq!(findings(game, evaluate), expected.concat(), "{game}");
        }
        let without: Vec<_> = findings("product(knows: 1)", "(best_response: 0)");
        let names: Vec<_> = without.iter().map(|(_, player, name, _)| (*player, name.as_str())).collect();
        assert_eq!(names, [(Some(0), "gain"), (None, "length")].repeat(2));
    }
}
