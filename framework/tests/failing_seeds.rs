//! A seed that diverges and an algorithm or a game that panics are isolated: they are named, and all other numbers of
//! the run are the same, to the bit, as without them.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use equiflow::loader::Plugins;
use equiflow::prelude::*;
use equiflow::record::Row;
use equiflow::run::{Mistake, Run, RunFile};
use equiflow::simulation::{Failure, Simulation};
use equiflow::testing::play_out;

params! {
    /// A walk on a line; player 0 gets where it is.
    pub struct Walk {
        /// Panics when it has gone so far.
        edge: f32 = 1e9,
        /// Panics when it would begin so far out.
        start: f32 = 1.0,
    }
}

impl Game for Walk {
    type Params = Self;
    type State = f32;

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }
    fn spec(&self) -> GameSpec {
        let player = Player { observation: Space::cube(1, -1e9, 1e9), action: Space::cube(1, -1.0, 1.0) };
        GameSpec::sequential(vec![player; 2])
    }
    fn reset(&self, rng: &mut Stream) -> f32 {
        let place: f32 = rng.uniform(-1.0, 1.0);
        assert!(place.abs() <= self.start, "nowhere to begin");
        place
    }
    fn observe(&self, place: &f32, _player: usize, out: &mut [f32]) {
        out[0] = *place;
    }
    fn step(&self, place: &mut f32, actions: &Joint, rng: &mut Stream, rewards: &mut [f32]) -> Status {
        *place += actions.scalar(0) + actions.scalar(1) + rng.uniform(-0.1, 0.1);
        assert!(place.abs() < self.edge, "fell off the edge");
        rewards.copy_from_slice(&[*place, -*place]);
        Status::Running
    }
}

params! {
    /// Plays at random until it fails.
    pub struct FailsParams {
        /// The seed in which it fails.
        seed: u64 = 1000,
        /// After so many steps.
        after: u64 = 7,
        /// By a panic, not by an action that is no number.
        panics: bool = false,
        /// While it is set up.
        at_once: bool = false,
        /// While the run file is read.
        unread: bool = false,
    }
}

/// See [`FailsParams`].
#[derive(Component)]
pub struct Fails {
    params: FailsParams,
    seeds: Vec<u64>,
    streams: Vec<Stream>,
}

impl Algorithm for Fails {
    type Params = FailsParams;

    fn check(params: &FailsParams, _: &GameSpec, _: usize) -> Result<(), Invalid> {
        assert!(!params.unread, "no glasses");
        Ok(())
    }
    fn new(params: &FailsParams, seat: &Seat) -> Self {
        let seeds = seat.lane.seeds.clone();
        assert!(!(params.at_once && seeds.contains(&params.seed)), "no room");
        Self { params: params.clone(), seeds, streams: seat.streams("actions") }
    }
    fn act(&mut self, turn: &Turn, action: &mut [f32]) {
        let per_seed = action.len() / self.seeds.len();
        for ((seed, rng), rows) in self.seeds.iter().zip(&mut self.streams).zip(action.chunks_exact_mut(per_seed)) {
            rows.fill_with(|| rng.uniform(-1.0, 1.0));
            if *seed == self.params.seed && turn.step >= self.params.after {
                assert!(!self.params.panics, "out of ideas");
                rows[0] = f32::NAN;
            }
        }
    }
    fn mean_action(&mut self, observation: &[f32], _predictions: &[&[f32]], action: &mut [f32]) {
        action.iter_mut().zip(observation).for_each(|(action, seen)| *action = -0.1 * seen.clamp(-1.0, 1.0));
    }
}

impl Checkpoint for Fails {
    fn save(&self, _: &mut Snapshot) {}
    fn restore(&mut self, _: &Snapshot) -> Result<(), SnapshotError> {
        Ok(())
    }
}

/// A run with these seeds and entries, and its world.
fn resolve(seeds: &str, lane_width: usize, threads: usize, entries: &str) -> (Result<Run, Vec<Mistake>>, App) {
    let text = format!(
        "Run(name: \"x\", seeds: {seeds}, episodes: 6, steps: 5, instances: 2, lane_width: {lane_width}, game: walk(), \
         entries: [{entries}])"
    );
    let mut app = App::new(threads);
    app.add_plugin(|app| {
        app.register_game::<Walk>("walk").register_algorithm::<Fails>("fails");
    });
    let file = RunFile::parse("test", text).unwrap();
    (Run::resolve(&file, &mut app, &mut Plugins::default()), app)
}

/// Its rows and failures.
fn play(seeds: &str, lane_width: usize, threads: usize, entries: &str) -> (Vec<Row>, Vec<Failure>) {
    let (run, app) = resolve(seeds, lane_width, threads, entries);
    play_out(&mut Simulation::new(app, run.unwrap_or_else(|mistakes| panic!("{mistakes:?}"))))
}

/// All that is in the records of some seeds of an entry, floats as bits.
fn of(rows: &[Row], entry: usize, seeds: &[u64]) -> Vec<(u64, Option<usize>, u64, String, u64)> {
    let mine = rows.iter().filter(|row| row.entry == entry && seeds.contains(&row.seed));
    let mut mine: Vec<_> =
        mine.map(|row| (row.seed, row.player, row.step, row.metric.to_string(), row.value.to_bits())).collect();
    mine.sort();
    mine
}

const STEADY: &str = "Entry(label: \"steady\", all: fails())";

fn failing(fault: &str) -> String {
    format!("{STEADY}, Entry(label: \"failing\", players: [fails(), fails({fault})])")
}

/// Rows of a whole seed: 2 players, 6 episodes and 7 evaluations of three figures; NashConv of each evaluation.
const WHOLE: usize = 2 * (6 + 7 * 3) + 7;

#[test]
fn a_seed_that_diverges_leaves_the_others_as_they_are() {
    let (without, none) = play("[1, 3]", 1, 1, &failing(""));
    assert_eq!((none, without.len()), (vec![], 2 * 2 * WHOLE));
    for (lane_width, threads) in [(1, 1), (1, 2), (3, 1)] {
        let (rows, failures) = play("[1, 2, 3]", lane_width, threads, &failing("seed: 2"));
        let [failure] = &failures[..] else { panic!("{failures:?}") };
        assert_eq!((failure.entry, failure.seed), (1, 2));
        // It counts the steps done, and fails in the eighth.
        assert_eq!(failure.step, 8);
        let what = "player 1: the action [NaN] is not in [-1, 1]: its algorithm has diverged";
        assert_eq!(failure.what, what);
        for entry in [0, 1] {
            assert_eq!(of(&rows, entry, &[1, 3]), of(&without, entry, &[1, 3]), "entry {entry}, lanes of {lane_width}");
        }
        assert_eq!(of(&rows, 0, &[2]).len(), WHOLE, "the seed goes on where it is well");
        // What the lost seed had recorded stays; nothing is added.
        let lost = of(&rows, 1, &[2]);
        assert!(!lost.is_empty() && lost.iter().all(|(_, _, step, ..)| *step <= 5), "{lost:?}");
    }
}

#[test]
fn a_panic_of_an_algorithm_costs_its_lane_only() {
    let (without, _) = play("[1, 2, 3]", 1, 1, &failing(""));
    for (lane_width, lost) in [(1, &[2][..]), (2, &[1, 2]), (3, &[1, 2, 3])] {
        let (rows, failures) = play("[1, 2, 3]", lane_width, 1, &failing("seed: 2, panics: true"));
        let seeds: Vec<_> = failures.iter().map(|failure| (failure.entry, failure.seed)).collect();
        assert_eq!(seeds, lost.iter().map(|seed| (1, *seed)).collect::<Vec<_>>());
        assert!(failures[0].what.starts_with("player 1: panicked: out of ideas ("), "{}", failures[0].what);
        assert_eq!(of(&rows, 0, &[1, 2, 3]), of(&without, 0, &[1, 2, 3]));
        let well: Vec<_> = [1, 2, 3].into_iter().filter(|seed| !lost.contains(seed)).collect();
        assert_eq!(of(&rows, 1, &well), of(&without, 1, &well));
    }
}

#[test]
fn a_panic_while_an_agent_is_set_up_costs_its_lane_only() {
    let (without, _) = play("[1, 3]", 1, 1, &failing(""));
    let (rows, failures) = play("[1, 2, 3]", 1, 1, &failing("seed: 2, at_once: true"));
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!((failure.entry, failure.seed, failure.step), (1, 2, 0));
    assert!(failure.what.starts_with("player 1: setting up `fails` panicked: no room ("), "{}", failure.what);
    assert_eq!(of(&rows, 1, &[2]), []);
    for entry in [0, 1] {
        assert_eq!(of(&rows, entry, &[1, 3]), of(&without, entry, &[1, 3]), "entry {entry}");
    }
}

#[test]
fn a_panic_of_a_game_costs_its_entry_only() {
    let (without, _) = play("[1, 2]", 1, 1, STEADY);
    let both = format!("{STEADY}, Entry(label: \"edge\", all: fails(), game: walk(edge: 0.0))");
    let (rows, failures) = play("[1, 2]", 1, 1, &both);
    let seeds: Vec<_> = failures.iter().map(|failure| (failure.entry, failure.seed)).collect();
    assert_eq!(seeds, [(1, 1), (1, 2)]);
    assert!(failures[0].what.starts_with("the game's step panicked: fell off the edge ("), "{}", failures[0].what);
    assert_eq!(of(&rows, 0, &[1, 2]), of(&without, 0, &[1, 2]));
}

#[test]
fn a_seed_that_diverges_in_a_step_with_an_evaluation_is_not_judged_there() {
    // The tenth step ends the second episode; its evaluation comes before the failure is counted.
    let (rows, failures) = play("[2]", 1, 1, &failing("seed: 2, after: 9"));
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!((failure.entry, failure.seed, failure.step), (1, 2, 10));
    let lost = of(&rows, 1, &[2]);
    assert!(!lost.is_empty() && lost.iter().all(|(_, _, step, ..)| *step <= 5), "{lost:?}");
}

#[test]
fn a_panic_of_a_reset_at_an_evaluation_costs_its_lane_only() {
    let (without, _) = play("[1, 2, 3]", 1, 1, STEADY);
    // Where evaluations begin is drawn anew for each: sooner or later it is too far out, but not for all at once.
    let both = format!("{STEADY}, Entry(label: \"edge\", all: fails(), game: walk(start: 0.9))");
    let (rows, failures) = play("[1, 2, 3]", 1, 1, &both);
    assert!(failures.iter().any(|failure| failure.step > 0), "{failures:?}");
    for failure in &failures {
        assert_eq!(failure.entry, 1);
        assert!(failure.what.starts_with("the game's ") && failure.what.contains("nowhere to begin ("), "{failure:?}");
        let steps: Vec<_> = of(&rows, 1, &[failure.seed]).iter().map(|(_, _, step, ..)| *step).collect();
        assert!(steps.iter().all(|step| *step < failure.step.max(1)), "{failure:?} {steps:?}");
    }
    assert_eq!(of(&rows, 0, &[1, 2, 3]), of(&without, 0, &[1, 2, 3]));
}

#[test]
fn a_panic_while_parameters_are_checked_is_a_mistake_with_its_place() {
    let (run, _) = resolve("1", 1, 1, "fails(), Entry(label: \"unread\", all: fails(unread: true))");
    let mistakes = run.err().unwrap();
    let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
    let text = mistake.render(false);
    assert!(text.contains("algorithm `fails` for player 0 panicked: no glasses ("), "{text}");
    assert!(text.contains("fails(unread: true)") && text.contains("a bug of the plugin"), "{text}");
}
