//! The conformance kit: what every game and every algorithm must keep, whatever its rules. One call each in their tests.
//! Below it, how a test plays a run and reads its records.

use std::fmt::Write;
use std::ops::ControlFlow;

use crate::app::App;
use crate::episode::Episode;
use crate::game::{Game, GameSpec, Joint, Status};
use crate::loader::Plugins;
use crate::nash;
use crate::record::Row;
use crate::run::{Run, RunFile};
use crate::simulation::{Failure, Simulation};
use crate::stream::Stream;

/// Steps that a random player takes per check.
const STEPS: usize = 2_000;
/// Steps after which a check begins a new episode, if the rules have not ended it.
const LIMIT: usize = 50;

/// Plays a game at random and checks what its spec says of it: one reward per player, all finite; observations inside
/// their spaces, and the best known place among the joint actions; common rewards equal and zero sums zero where
/// claimed; the spec constant; the same seed the same trace; a state that was stored and read back goes on the same way;
/// a reset that depends on its stream only; best returns, where it gives them, that no strategy tried beats.
///
/// # Panics
/// With the first thing that does not hold.
pub fn conformance<G: Game>(game: &G) {
    let spec = game.spec();
    assert!(!spec.players.is_empty(), "a game has at least one player");
    for (player, place) in spec.players.iter().enumerate() {
        assert!(place.action.width() > 0, "player {player} has an action of no numbers");
        assert!(place.observation.width() > 0, "player {player} sees nothing; give it a constant 1 (`Player::blind`)");
    }
    if let Some(place) = spec.best_known.as_ref().and_then(|best| best.place.as_ref()) {
        assert_eq!(place.action.len(), spec.players.len(), "the best known place needs one action per player");
        for (player, (action, seat)) in place.action.iter().zip(&spec.players).enumerate() {
            let action: Vec<f32> = action.iter().map(|x| *x as f32).collect();
            assert!(seat.action.contains(&action), "player {player} cannot play {action:?}, the best known place");
        }
    }
    let first = trace(game, &spec, 1, None);
    assert_eq!(first, trace(game, &spec, 1, None), "the same seed gave another trace");
    assert_eq!(game.spec(), spec, "the spec has changed by playing");
    for at in [1, LIMIT / 2, LIMIT + 1] {
        let restored = trace(game, &spec, 1, Some(at));
        assert_eq!(first, restored, "the state stored and read back after step {at} went on another way");
    }
    for steps in [1, 2, LIMIT] {
        check_best_returns(game, &spec, steps);
    }
}

/// Random episodes of at most `limit` steps: no best return that the game gives is below the return that was played or
/// below one that [`nash::search`] finds.
fn check_best_returns<G: Game>(game: &G, spec: &GameSpec, limit: usize) {
    for seed in 0..8 {
        let mut rng = Stream::new(0, seed, "best returns", "game");
        let mut policy = Stream::new(0, seed, "best returns", "policy");
        let start = game.reset(&mut rng);
        let actions: Vec<Vec<f32>> = (spec.players.iter())
            .map(|player| {
                let mut rows = vec![0.0; player.action.width() * limit];
                player.action.sample(&mut policy, &mut rows);
                rows
            })
            .collect();
        let joint: Vec<_> =
            actions.iter().zip(&spec.players).map(|(rows, player)| (&rows[..], player.action.width())).collect();
        let (mut state, mut chance, mut steps) = (start.clone(), rng.clone(), 0);
        let mut rewards = vec![0.0; spec.players.len()];
        while steps < limit {
            steps += 1;
            if game.step(&mut state, &Joint::new(&joint, steps - 1), &mut chance, &mut rewards) == Status::Terminal {
                break;
            }
        }
        let episode = Episode::new(&start, &rng, joint.iter().copied(), steps);
        for player in 0..spec.players.len() {
            let Some(best) = game.best_return(player, &episode) else { continue };
            let found = nash::search(game, spec, player, &episode, 64).unwrap_or(f64::NEG_INFINITY);
            // Rewards are f32.
            assert!(
                best >= found - 1e-5 * found.abs().max(1.0),
                "player {player} can do no better than {best}, says the game, but a search finds {found}"
            );
        }
        game.figures(&episode, &mut |name, value| assert!(value.is_finite(), "the figure `{name}` is {value}"));
    }
}

/// One line per step of random play: observations, joint action, rewards, status.
fn trace<G: Game>(game: &G, spec: &GameSpec, seed: u64, store_after: Option<usize>) -> Vec<String> {
    let mut rng = Stream::new(0, seed, "conformance", "game");
    let mut policy = Stream::new(0, seed, "conformance", "policy");
    let mut state = game.reset(&mut rng);
    let mut lines = Vec::new();
    let mut age = 0;
    for step in 0..STEPS {
        let (line, status) = random_step(game, spec, &mut state, &mut rng, &mut policy);
        lines.push(line);
        age += 1;
        if store_after == Some(step + 1) {
            let text = ron::to_string(&(&state, &rng)).expect("a game's state can be written as RON");
            (state, rng) = ron::from_str(&text).expect("a game's state can be read back from RON");
        }
        if status == Status::Terminal || age == LIMIT {
            state = game.reset(&mut rng);
            age = 0;
        }
    }
    lines
}

/// A uniformly random joint action, played and checked against the spec.
fn random_step<G: Game>(
    game: &G,
    spec: &GameSpec,
    state: &mut G::State,
    rng: &mut Stream,
    policy: &mut Stream,
) -> (String, Status) {
    let mut line = String::new();
    for (player, place) in spec.players.iter().enumerate() {
        let mut seen = vec![f32::NAN; place.observation.width()];
        game.observe(state, player, &mut seen);
        let space = &place.observation;
        assert!(space.contains(&seen), "player {player} sees {seen:?}, which is not in the space {space} of the spec");
        if let Some(game) = game.finite() {
            let one_hot = seen.iter().filter(|x| **x == 1.0).count() == 1
                && seen.iter().filter(|x| **x == 0.0).count() + 1 == game.states();
            assert!(
                one_hot,
                "player {player} of a finite game sees {seen:?}; expected its state one-hot, as tabular algorithms read it"
            );
        }
        let _ = write!(line, "{seen:?} ");
    }
    let actions: Vec<_> = (spec.players.iter())
        .map(|place| {
            let mut action = vec![0.0; place.action.width()];
            place.action.sample(policy, &mut action);
            assert!(place.action.contains(&action), "{action:?} was drawn from {}, but is not in it", place.action);
            action
        })
        .collect();
    let joint: Vec<_> = actions.iter().map(|action| (&action[..], action.len())).collect();
    let mut rewards = vec![f32::NAN; spec.players.len()];
    let status = game.step(state, &Joint::new(&joint, 0), rng, &mut rewards);
    assert!(
        rewards.iter().all(|r| r.is_finite()),
        "the rewards of {actions:?} are {rewards:?}, expected finite numbers"
    );
    if spec.common_reward {
        assert!(rewards.iter().all(|r| *r == rewards[0]), "the spec says common rewards, {actions:?} gave {rewards:?}");
    }
    if spec.zero_sum {
        let (sum, size) = (rewards.iter().sum::<f32>(), rewards.iter().fold(1.0f32, |size, r| size.max(r.abs())));
        assert!(sum.abs() <= 1e-5 * size, "the spec says zero sum, {actions:?} gave {rewards:?}");
    }
    let _ = write!(line, "{actions:?} -> {rewards:?} {status:?}");
    (line, status)
}

/// A playthrough for a golden file: the spec, then every step of a short random play. A change of the rules shows as
/// a change of this text.
pub fn playthrough<G: Game>(game: &G, steps: usize) -> String {
    let spec = game.spec();
    let mut text = String::new();
    for (player, place) in spec.players.iter().enumerate() {
        let _ = writeln!(text, "player {player}: sees {}, does {}", place.observation, place.action);
    }
    let _ = writeln!(
        text,
        "returns {:?}, common reward {}, zero sum {}, best known {:?}",
        spec.returns,
        spec.common_reward,
        spec.zero_sum,
        spec.best_known.as_ref().map(|best| best.value)
    );
    let mut rng = Stream::new(0, 0, "playthrough", "game");
    let mut policy = Stream::new(0, 0, "playthrough", "policy");
    let mut state = game.reset(&mut rng);
    for step in 0..steps {
        let (line, status) = random_step(game, &spec, &mut state, &mut rng, &mut policy);
        let _ = writeln!(text, "{step}: {line}");
        if status == Status::Terminal {
            state = game.reset(&mut rng);
        }
    }
    text
}

/// Plays a run twice, once in one go and once broken off after `split` environment steps, stored, and gone on with in a
/// fresh one: both must record the same numbers and end in the same state, bit for bit. For algorithms and games,
/// which `register` registers under the names that the run file uses; the rest is loaded, see [`simulation`].
///
/// # Panics
/// With the first difference, or the run file's mistakes.
pub fn resumes_bit_for_bit(register: fn(&mut App), run_file: &str, split: u64) {
    let mut whole = simulation(register, run_file);
    let mut first = simulation(register, run_file);
    assert!(split < whole.steps(), "the run has {} steps and cannot be split after {split}", whole.steps());
    whole.advance_by(split);
    first.advance_by(split);
    let text = ron::to_string(&first.save()).expect("a snapshot can be written as RON");
    drop(first);
    let stored = ron::from_str(&text).expect("a snapshot can be read back from RON");
    let mut second = simulation(register, run_file);
    second.restore(&stored).unwrap_or_else(|error| panic!("the state cannot be taken back: {error}"));
    assert_eq!(second.save(), stored, "the state stored is not the state taken back");
    whole.take_rows();
    for step in split..whole.steps() {
        whole.advance();
        second.advance();
        let rows = [&mut whole, &mut second].map(|one| one.take_rows());
        // As text, since NaN is no equal of itself.
        let bits = |rows: &[Row]| rows.iter().map(|row| (format!("{row:?}"), row.value.to_bits())).collect::<Vec<_>>();
        assert_eq!(bits(&rows[0]), bits(&rows[1]), "step {step} has other records after resuming");
    }
    assert_eq!(whole.failures(), [], "a seed failed, so the comparison says little");
    assert_eq!(whole.save(), second.save(), "the run ended in another state after resuming");
}

/// The simulation of a run file whose games and algorithms `register` registers, on one thread. What it does not register comes
/// from the plugins that were built beside the test: two plugins that carry networks cannot be linked into one test.
///
/// # Panics
/// With the run file's mistakes.
pub fn simulation(register: fn(&mut App), run_file: &str) -> Simulation {
    let mut app = App::new(1);
    app.add_plugin(register);
    resolved(app, run_file)
}

/// The simulation of a run file in `app`, as [`simulation`] makes it.
///
/// # Panics
/// With the run file's mistakes.
pub fn resolved(mut app: App, run_file: &str) -> Simulation {
    // The test is target/<profile>/deps/<name>, plugins are in target/<profile>.
    let test = std::env::current_exe().expect("a program knows where it is");
    let folder = test.ancestors().nth(2).expect("tests are in a folder of a folder").to_owned();
    let mut plugins = Plugins::discover(&[folder]);
    let run = RunFile::parse("test.ron", run_file.to_owned())
        .and_then(|file| Run::resolve(&file, &mut app, &mut plugins))
        .unwrap_or_else(|mistakes| {
            let mistakes: String = mistakes.iter().map(|mistake| mistake.render(false)).collect();
            panic!("{mistakes}{:?}\nplugins come from `cargo build --release --workspace`", plugins.problems)
        });
    Simulation::new(app, run)
}

/// Plays a simulation to its end: all that it records, the evaluation before the first step included, and the seeds that
/// it gives up.
pub fn play_out(simulation: &mut Simulation) -> (Vec<Row>, Vec<Failure>) {
    let mut all = Vec::new();
    let _ = simulation.play(|_, rows| {
        all.extend(rows);
        ControlFlow::Continue(())
    });
    (all, simulation.failures())
}

/// All that a simulation records when it is played to its end.
///
/// # Panics
/// With the run and its failures, if it gives up a seed.
#[track_caller]
pub fn rows(simulation: &mut Simulation) -> Vec<Row> {
    let (rows, failures) = play_out(simulation);
    assert_eq!(failures, [], "seeds failed in {}", simulation.run().to_ron());
    rows
}

/// What a simulation records in its last step when it is played to its end: the evaluation, where one is due then, and the
/// learners' figures.
///
/// # Panics
/// As [`rows`].
#[track_caller]
pub fn last_rows(simulation: &mut Simulation) -> Vec<Row> {
    let mut rows = rows(simulation);
    rows.retain(|row| row.step == simulation.steps());
    rows
}

/// The values of a metric, in the order of the records.
pub fn values(rows: &[Row], metric: &str) -> Vec<f64> {
    rows.iter().filter(|row| row.metric == metric).map(|row| row.value).collect()
}
