//! The conformance kit: what every game must keep, whatever its rules. One call per game in its tests.

use std::fmt::Write;

use crate::game::{Game, GameSpec, Joint, Status};
use crate::stream::Stream;

/// Steps that a random player takes per check.
const STEPS: usize = 2_000;
/// Steps after which a check begins a new episode, if the rules have not ended it.
const LIMIT: usize = 50;

/// Plays a game at random and checks what its spec says of it: one reward per player, all finite; observations inside
/// their spaces; common rewards equal and zero sums zero where claimed; the spec constant; the same seed the same
/// trace; a state that was stored and read back goes on the same way; a reset that depends on its stream only.
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
    let first = trace(game, &spec, 1, None);
    assert_eq!(first, trace(game, &spec, 1, None), "the same seed gave another trace");
    assert_eq!(game.spec(), spec, "the spec has changed by playing");
    for at in [1, LIMIT / 2, LIMIT + 1] {
        let restored = trace(game, &spec, 1, Some(at));
        assert_eq!(first, restored, "the state stored and read back after step {at} went on another way");
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
