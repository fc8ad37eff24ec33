//! An opponent model that panics costs its lane, one that diverges its seed; all other numbers of the run are the same, to
//! the bit, as without that, also those that are learned in the same step. And a model that needs more than its agent can
//! tell is refused.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use equiflow::loader::Plugins;
use equiflow::prelude::*;
use equiflow::record::Row;
use equiflow::run::{Run, RunFile};
use equiflow::simulation::{Failure, Simulation};
use equiflow::testing::play_out;

params! {
    /// Two players who do numbers and get their difference.
    pub struct Apart {}
}

impl Game for Apart {
    type Params = Self;
    type State = ();

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }
    fn spec(&self) -> GameSpec {
        GameSpec::repeated(vec![Player::blind(Space::cube(1, -1.0, 1.0)); 2])
    }
    fn reset(&self, _: &mut Stream) {}
    fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
        out[0] = 1.0;
    }
    fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        rewards.fill((actions.scalar(0) - actions.scalar(1)).abs());
        Status::Running
    }
}

params! {
    /// Does what its model predicts, in part, and learns the mean of all that it has been shown.
    pub struct ListensParams {
        /// Its model.
        opponent_model: Choice = Choice::new("guess()"),
        /// Transitions that it learns from.
        batch: usize = 4,
        /// Learns from this step on.
        from: u64 = 0,
        /// Panics, in the seed 2, while its policy is read.
        shy: bool = false,
        /// Panics, in the seed 2, while it says what it has learned.
        silent: bool = false,
    }
}

/// See [`ListensParams`].
#[derive(Component)]
pub struct Listens {
    params: ListensParams,
    is_second: bool,
    streams: Vec<Stream>,
    learned: Vec<f64>,
}

impl Algorithm for Listens {
    type Params = ListensParams;

    fn check(_: &ListensParams, _: &GameSpec, _: usize) -> Result<(), Invalid> {
        Ok(())
    }
    fn new(params: &ListensParams, seat: &Seat) -> Self {
        let (streams, learned) = (seat.streams("actions"), vec![0.0; seat.lane.seeds.len()]);
        Self { params: params.clone(), is_second: seat.lane.seeds.contains(&2), streams, learned }
    }
    fn memory(_: &ListensParams) -> Option<Memory> {
        Some(Memory { capacity: 100, reads_others: false })
    }
    fn opponent_model(params: &ListensParams) -> Option<&Choice> {
        Some(&params.opponent_model)
    }
    fn act(&mut self, turn: &Turn, action: &mut [f32]) {
        let rows = action.iter_mut().zip(turn.predictions[0]).zip(self.streams.iter_mut().zip(&self.learned));
        rows.for_each(|((action, predicted), (stream, learned))| {
            *action = 0.4 * stream.uniform(-1.0, 1.0) + 0.3 * predicted + 0.3 * learned.tanh() as f32;
        });
    }
    fn mean_action(&mut self, _: &[f32], predictions: &[&[f32]], action: &mut [f32]) {
        let rows = action.iter_mut().zip(predictions[0]).zip(&self.learned);
        rows.for_each(|((action, predicted), learned)| *action = 0.3 * predicted + 0.3 * learned.tanh() as f32);
    }
    fn sample_policy(&mut self, observation: &[f32], predictions: &[&[f32]], action: &mut [f32]) {
        assert!(!(self.params.shy && self.is_second), "not before others");
        self.mean_action(observation, predictions, action);
    }
    fn batch_at(&self, step: u64) -> usize {
        if step < self.params.from { 0 } else { self.params.batch }
    }
    fn learn(&mut self, lesson: &Lesson) -> Result<(), Fault> {
        let (actions, size) = (&lesson.predictions[0].now, self.params.batch);
        let rewards = lesson.batch.players[0].reward.chunks_exact(size);
        let seeds = self.learned.iter_mut().zip(actions.chunks_exact(size).zip(rewards));
        seeds.for_each(|(learned, (predicted, reward))| {
            *learned = 0.9 * *learned + predicted.iter().zip(reward).map(|(x, y)| f64::from(x * y)).sum::<f64>();
        });
        Ok(())
    }
    fn metrics(&self, put: &mut dyn FnMut(&'static str, usize, f64)) {
        assert!(!(self.params.silent && self.is_second), "no comment");
        self.learned.iter().enumerate().for_each(|(seed, learned)| put("learned", seed, *learned));
    }
}

impl Checkpoint for Listens {
    fn save(&self, _: &mut Snapshot) {}
    fn restore(&mut self, _: &Snapshot) -> Result<(), SnapshotError> {
        Ok(())
    }
}

/// How a model fails.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It predicts what is no number.
    Nan,
    /// It panics while it predicts.
    Panic,
    /// It panics while it is set up.
    AtOnce,
    /// It says itself, while it learns, that the seed has diverged.
    Fault,
}

params! {
    /// Predicts at random until it fails.
    pub struct GuessParams {
        /// The seed in which it fails.
        seed: u64 = 1000,
        /// After so many steps.
        after: u64 = 7,
        /// The way.
        how: How = How::Nan,
        /// Whether it asks for the agent's values.
        values: bool = false,
    }
}

/// See [`GuessParams`].
#[derive(Component)]
pub struct Guess {
    params: GuessParams,
    seeds: Vec<u64>,
    streams: [Vec<Stream>; 2],
    steps: u64,
}

impl Guess {
    fn fails(&self, how: How) -> Option<usize> {
        let due = self.params.how == how && self.steps > self.params.after;
        self.seeds.iter().position(|seed| due && *seed == self.params.seed)
    }
}

impl OpponentModel for Guess {
    type Params = GuessParams;

    fn check(_: &GuessParams, _: &GameSpec, _: usize, _: usize) -> Result<(), Invalid> {
        Ok(())
    }
    fn new(params: &GuessParams, seat: &ModelSeat) -> Self {
        let seeds = seat.agent.lane.seeds.clone();
        assert!(!(params.how == How::AtOnce && seeds.contains(&params.seed)), "no room");
        Self { params: params.clone(), seeds, streams: ["now", "batch"].map(|what| seat.streams(what)), steps: 0 }
    }
    fn reads_values(params: &GuessParams) -> bool {
        params.values
    }
    fn predict(&mut self, _: &[f32], actions: &mut [f32]) {
        self.steps += 1;
        actions.iter_mut().zip(&mut self.streams[0]).for_each(|(action, stream)| *action = stream.uniform(-1.0, 1.0));
        if let Some(seed) = self.fails(How::Nan) {
            actions[seed] = f32::NAN;
        }
        assert!(self.fails(How::Panic).is_none(), "out of ideas");
    }
    fn sample(&mut self, _: &[f32], actions: &mut [f32], log_ratio: Option<&mut [f32]>) {
        let per_seed = actions.len() / self.seeds.len();
        let rows = actions.chunks_exact_mut(per_seed).zip(&mut self.streams[1]);
        rows.for_each(|(rows, stream)| rows.fill_with(|| stream.uniform(-1.0, 1.0)));
        log_ratio.into_iter().for_each(|ratios| ratios.fill(0.0));
    }
    fn mean(&mut self, _: &[f32], actions: &mut [f32]) {
        actions.fill(0.1);
    }
    fn log_likelihood(&mut self, _: &[f32], actions: &[f32], out: &mut [f64]) {
        out.iter_mut().zip(actions).for_each(|(out, x)| *out = f64::from(*x));
    }
    fn learn(&mut self, _: &ModelLesson) -> Result<(), Fault> {
        match self.fails(How::Fault) {
            Some(seed) => Err(Fault { seeds: vec![(seed, "lost the thread".to_owned())] }),
            None => Ok(()),
        }
    }
}

impl Checkpoint for Guess {
    fn save(&self, _: &mut Snapshot) {}
    fn restore(&mut self, _: &Snapshot) -> Result<(), SnapshotError> {
        Ok(())
    }
}

params! {
    /// The opponent's true policy.
    pub struct ReadsParams {}
}

/// See [`ReadsParams`].
#[derive(Component)]
pub struct Reads;

impl OpponentModel for Reads {
    type Params = ReadsParams;

    const READS_POLICY: bool = true;

    fn check(_: &ReadsParams, _: &GameSpec, _: usize, _: usize) -> Result<(), Invalid> {
        Ok(())
    }
    fn new(_: &ReadsParams, _: &ModelSeat) -> Self {
        Self
    }
    fn predict(&mut self, _: &[f32], _: &mut [f32]) {}
    fn sample(&mut self, _: &[f32], _: &mut [f32], _: Option<&mut [f32]>) {}
    fn mean(&mut self, _: &[f32], _: &mut [f32]) {}
    fn log_likelihood(&mut self, _: &[f32], _: &[f32], _: &mut [f64]) {}
    fn learn(&mut self, _: &ModelLesson) -> Result<(), Fault> {
        Ok(())
    }
}

impl Checkpoint for Reads {
    fn save(&self, _: &mut Snapshot) {}
    fn restore(&mut self, _: &Snapshot) -> Result<(), SnapshotError> {
        Ok(())
    }
}

fn app() -> App {
    let mut app = App::new(1);
    app.add_plugin(|app| {
        app.register_game::<Apart>("apart").register_algorithm::<Listens>("listens");
        app.register_opponent_model::<Guess>("guess").register_opponent_model::<Reads>("reads");
    });
    app
}

/// Two players, each with these parameters.
fn file(seeds: &str, lane_width: usize, players: [&str; 2]) -> RunFile {
    let players = players.map(|parameters| format!("listens({parameters})")).join(", ");
    let text = format!(
        "Run(name: \"x\", seeds: {seeds}, episodes: 6, steps: 5, lane_width: {lane_width}, game: apart(), \
         entries: [Entry(label: \"x\", players: [{players}])])"
    );
    RunFile::parse("test", text).unwrap()
}

/// Rows and failures of a run in which the model that player 0 has of player 1 fails like this.
fn play(seeds: &str, lane_width: usize, fault: &str) -> (Vec<Row>, Vec<Failure>) {
    played(seeds, lane_width, [&format!("opponent_model: guess({fault})"), ""])
}

/// Rows and failures of a run of two players with these parameters.
fn played(seeds: &str, lane_width: usize, players: [&str; 2]) -> (Vec<Row>, Vec<Failure>) {
    let mut app = app();
    let file = file(seeds, lane_width, players);
    let run = Run::resolve(&file, &mut app, &mut Plugins::default()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    play_out(&mut Simulation::new(app, run))
}

/// All that is in the records of some seeds, floats as bits.
fn of(rows: &[Row], seeds: &[u64]) -> Vec<(u64, Option<usize>, u64, String, u64)> {
    let mine = rows.iter().filter(|row| seeds.contains(&row.seed));
    let mut mine: Vec<_> =
        mine.map(|row| (row.seed, row.player, row.step, row.metric.to_string(), row.value.to_bits())).collect();
    mine.sort();
    mine
}

#[test]
fn a_model_that_diverges_costs_its_seed_only() {
    let (without, none) = play("[1, 3]", 1, "");
    assert_eq!(none, []);
    for metric in ["learned", "model_log_likelihood[1]", "model_log_likelihood[0]", "model_distance[1]"] {
        assert!(without.iter().any(|row| row.metric == metric), "{metric}");
    }
    for (how, what) in [
        ("nan", "player 0's model of player 1: the prediction [NaN] is not in [-1, 1]: the model has diverged"),
        ("fault", "player 0's model of player 1: lost the thread"),
    ] {
        for lane_width in [1, 3] {
            let (rows, failures) = play("[1, 2, 3]", lane_width, &format!("seed: 2, how: {how}"));
            let [failure] = &failures[..] else { panic!("{failures:?}") };
            assert_eq!((failure.entry, failure.seed, failure.step, failure.what.as_str()), (0, 2, 8, what));
            assert_eq!(of(&rows, &[1, 3]), of(&without, &[1, 3]), "{how}, lanes of {lane_width}");
            let lost = of(&rows, &[2]);
            assert!(!lost.is_empty() && lost.iter().all(|(_, _, step, ..)| *step <= 5), "{lost:?}");
        }
    }
}

#[test]
fn a_model_that_panics_costs_its_lane_only() {
    let (without, _) = play("[1, 2, 3]", 1, "");
    for (how, step, what) in [
        ("panic", 8, "player 0's model of player 1: panicked: out of ideas ("),
        ("at_once", 0, "player 0: setting up `guess` for player 1 panicked: no room ("),
    ] {
        for (lane_width, lost) in [(1, &[2][..]), (2, &[1, 2]), (3, &[1, 2, 3])] {
            let (rows, failures) = play("[1, 2, 3]", lane_width, &format!("seed: 2, how: {how}"));
            let seeds: Vec<_> = failures.iter().map(|failure| failure.seed).collect();
            assert_eq!(seeds, lost);
            assert!(
                failures.iter().all(|failure| failure.step == step && failure.what.starts_with(what)),
                "{failures:?}"
            );
            let well: Vec<_> = [1, 2, 3].into_iter().filter(|seed| !lost.contains(seed)).collect();
            assert_eq!(of(&rows, &well), of(&without, &well), "{how}, lanes of {lane_width}");
        }
    }
}

/// What `players` do without seed 2 they do with it, which is lost at `step`, for this reason; in lanes of one and of two.
fn lost_alone(players: [&str; 2], step: u64, what: &str) {
    let (without, none) = played("[1, 3]", 1, players);
    assert_eq!(none, []);
    for (lane_width, lost) in [(1, &[2][..]), (2, &[1, 2])] {
        let (rows, failures) = played("[1, 2, 3]", lane_width, players);
        assert_eq!(failures.iter().map(|failure| failure.seed).collect::<Vec<_>>(), lost);
        for failure in &failures {
            assert!(failure.step == step && failure.what.starts_with(what), "{failure:?}");
        }
        let well: Vec<_> = [1, 3].into_iter().filter(|seed| !lost.contains(seed)).collect();
        assert_eq!(of(&rows, &well), of(&without, &well), "lanes of {lane_width}");
    }
}

#[test]
fn a_lane_that_is_lost_before_somebody_learns_stays_lost() {
    let panics = "opponent_model: guess(seed: 2, how: panic)";
    let what = "player 0's model of player 1: panicked: out of ideas (";
    // Player 1 would want more than was drawn last.
    lost_alone([&format!("{panics}, batch: 2"), "from: 15"], 8, what);
    // It would be shown what its opponent did in a batch that never was.
    lost_alone([&format!("{panics}, from: 20"), "from: 20, opponent_model: reads()"], 8, what);
}

#[test]
fn an_agent_that_panics_when_it_is_asked_costs_its_lane_only() {
    let reads = "opponent_model: reads()";
    lost_alone(["shy: true", reads], 1, "player 0: panicked: not before others (");
    lost_alone(["silent: true", reads], 5, "player 0: its metrics panicked: no comment (");
}

#[test]
fn a_model_that_needs_values_is_refused_where_the_agent_has_none() {
    let file = file("[1]", 1, ["", "opponent_model: guess(values: true)"]);
    let mistakes = Run::resolve(&file, &mut app(), &mut Plugins::default()).err().unwrap();
    let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
    let (_, place) = mistake.place.clone().unwrap();
    let source = &file.source.text;
    assert_eq!(place.start, source.rfind("guess(values").unwrap(), "{place:?}");
    let said = mistake.render(false);
    assert!(
        said.contains("opponent model `guess` needs the agent's own values, which algorithm `listens` has not"),
        "{said}"
    );
}
