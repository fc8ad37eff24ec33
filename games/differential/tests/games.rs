//! Every game of the family keeps what the conformance kit asks, and plays as it did before.

use differential::*;
use equiflow::game::Game;
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
