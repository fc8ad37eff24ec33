//! Every game of the family keeps what the conformance kit asks, and plays as it did before.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use differential::*;
use equiflow::episode::Episode;
use equiflow::game::Game;
use equiflow::nash;
use equiflow::stream::Stream;
use equiflow::testing::{conformance, playthrough};

/// Conformance, and a playthrough whose change is a change of the rules.
fn check<G: Game>(name: &str, game: &G) {
    conformance(game);
    insta::assert_snapshot!(name, playthrough(game, 8));
}

#[test]
fn max_of_two() {
    for version in [Version::Printed, Version::Unsquared] {
        for terminal in [Terminal::Horizon, Terminal::EveryStep] {
            check(&format!("max of two {version:?} {terminal:?}"), &MaxOfTwo { version, terminal });
        }
    }
}

#[test]
fn sequential() {
    check("sequential", &Sequential { version: Version::Printed, reach: 1.0 });
    assert!(Sequential::new(Sequential { version: Version::Printed, reach: 0.0 }).is_err());
}

#[test]
fn sisters() {
    check("zero sum", &ZeroSum::default());
    check("trigonometric", &Trigonometric::default());
    check("rotational", &Rotational::default());
    check("cooperative", &Cooperative { bound: 2.0 });
    assert!(Cooperative::new(Cooperative { bound: f32::NAN }).is_err());
}

#[test]
fn wolf() {
    check("wolf", &Wolf::default());
}

#[test]
fn quadratic() {
    check("quadratic", &Quadratic { target: -4.0 });
    assert!(Quadratic::new(Quadratic { target: 11.0 }).is_err());
}

/// Episodes of three random steps: what the game says is the best, and what a search of many tries finds, are the same.
fn check_best_returns<G: Game<State = ()>>(game: &G) {
    let spec = game.spec();
    let rng = Stream::new(0, 0, "test", "game");
    for seed in 0..20 {
        let mut policy = Stream::new(0, seed, "test", "policy");
        let actions: Vec<_> = (spec.players.iter())
            .map(|player| {
                let mut rows = [0.0; 3];
                player.action.sample(&mut policy, &mut rows);
                rows
            })
            .collect();
        let episode = Episode::new(&(), &rng, actions.iter().map(|rows| (&rows[..], 1)), 3);
        for player in 0..spec.players.len() {
            let exact = game.best_return(player, &episode).unwrap();
            let found = nash::search(game, &spec, player, &episode, 2_000).unwrap();
            let close = 1e-5 * exact.abs().max(1.0);
            assert!((found - exact).abs() < close, "player {player}: {exact} is the best, {found} was found");
        }
    }
}

#[test]
fn closed_forms_of_best_returns_are_what_a_search_finds() {
    for version in [Version::Printed, Version::Unsquared] {
        check_best_returns(&MaxOfTwo { version, terminal: Terminal::Horizon });
    }
    check_best_returns(&ZeroSum::default());
    check_best_returns(&Trigonometric::default());
    check_best_returns(&Rotational::default());
    check_best_returns(&Cooperative::default());
    check_best_returns(&Wolf::default());
    check_best_returns(&Quadratic::default());
}

/// From (0, 0) with the other standing still there, walking to the broad hill's top is a good answer: 5 steps down, then
/// staying. A constant action cannot stop, but finds that leaving pays.
#[test]
fn the_sequential_game_has_a_bound_only() {
    let game = Sequential { version: Version::Printed, reach: 1.0 };
    let rng = Stream::new(0, 0, "test", "game");
    let still = [0.0; 10];
    let episode = Episode::new(&[0.0; 2], &rng, [(&still[..], 1); 2], 10);
    assert_eq!(game.best_return(0, &episode), None);
    let bound = nash::search(&game, &game.spec(), 0, &episode, 256).unwrap();
    let payoff = |x: i32| f64::from(Version::Printed.payoff(x as f32, 0.0));
    let walk: f64 = (1..=10).map(|step| payoff(-step.min(5))).sum();
    assert!(bound > 10.0 * payoff(0) && bound <= walk, "{bound} is not between {} and {walk}", 10.0 * payoff(0));
}
