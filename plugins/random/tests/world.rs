//! Random play covers its space evenly, resumes, and plays the centre in evaluations.

use differential::{MaxOfTwo, Wolf};
use equiflow::agent::Action;
use equiflow::environment::Live;
use equiflow::prelude::*;
use equiflow::testing::{resumes_bit_for_bit, simulation};
use random::Random;

fn register(app: &mut App) {
    app.register_game::<MaxOfTwo>("max_of_two");
    app.register_game::<Wolf>("wolf");
    app.register_algorithm::<Random>("random");
}

#[test]
fn a_run_broken_off_goes_on_bit_for_bit() {
    let run = "Run(name: \"resume\", seeds: 3, lane_width: 2, instances: 3, episodes: 4, steps: 10, game: wolf(),
                   entries: [random(), Entry(label: \"other\", all: random(), game: max_of_two(terminal: every_step))])";
    resumes_bit_for_bit(register, run, 13);
}

#[test]
fn actions_are_uniform_over_the_box() {
    let run = "Run(name: \"uniform\", seeds: 4, instances: 256, episodes: 1, steps: 50, game: max_of_two(),
                   entries: [random()])";
    let mut simulation = simulation(register, run);
    let (mut sum, mut square, mut count) = (0.0, 0.0, 0.0);
    for _ in 0..50 {
        simulation.advance();
        let world = &mut simulation.app().world;
        for action in world.query::<&Action<Live>>().iter(world) {
            for x in &action.values {
                sum += f64::from(*x);
                square += f64::from(*x).powi(2);
                count += 1.0;
            }
        }
    }
    // Mean 0 and variance 100/3, within five standard errors.
    assert!((sum / count).abs() < 5.0 * (100.0f64 / 3.0 / count).sqrt(), "{}", sum / count);
    assert!((square / count - 100.0 / 3.0).abs() < 5.0 * (8000.0f64 / 9.0 / count).sqrt(), "{}", square / count);
}
