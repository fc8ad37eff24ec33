//! Random play covers its space evenly, resumes, and plays the centre in evaluations.

use differential::{MaxOfTwo, Wolf};
use equiflow::agent::Action;
use equiflow::environment::Live;
use equiflow::prelude::*;
use equiflow::testing::{resumes_bit_for_bit, rows, simulation, values};
use random::Random;

params! {
    /// One player with a box of two dimensions, neither of them around 0.
    pub struct OffCentre {}
}

impl Game for OffCentre {
    type Params = Self;
    type State = ();

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }
    fn spec(&self) -> GameSpec {
        GameSpec::repeated(vec![Player::blind(Space::Box { low: vec![1.0, -4.0], high: vec![2.0, 0.0] })])
    }
    fn reset(&self, _: &mut Stream) {}
    fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
        out[0] = 1.0;
    }
    fn step(&self, (): &mut (), _: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        rewards.fill(0.0);
        Status::Running
    }
}

fn register(app: &mut App) {
    app.register_game::<MaxOfTwo>("max_of_two");
    app.register_game::<Wolf>("wolf");
    app.register_game::<OffCentre>("off_centre");
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
        for App { world, .. } in simulation.worlds() {
            for action in world.query::<&Action<Live>>().iter(world) {
                for x in &action.values {
                    sum += f64::from(*x);
                    square += f64::from(*x).powi(2);
                    count += 1.0;
                }
            }
        }
    }
    // Mean 0 and variance 100/3, within five standard errors.
    assert!((sum / count).abs() < 5.0 * (100.0f64 / 3.0 / count).sqrt(), "{}", sum / count);
    assert!((square / count - 100.0 / 3.0).abs() < 5.0 * (8000.0f64 / 9.0 / count).sqrt(), "{}", square / count);
}

#[test]
fn evaluations_are_played_at_the_centre_of_the_box() {
    let run = "Run(name: \"centre\", seeds: 2, lane_width: 2, episodes: 3, steps: 4, evaluate: (every: 3),
                   game: off_centre(), entries: [random()])";
    let rows = rows(&mut simulation(register, run));
    // Two evaluations of two seeds.
    assert_eq!(values(&rows, "mean_action[0]"), [1.5; 4]);
    assert_eq!(values(&rows, "mean_action[1]"), [-2.0; 4]);
}

#[test]
fn records_are_the_same_however_many_worlds_share_the_seeds() {
    // 128 worlds of which two hold two seeds, three, and one.
    let [many, three, one] = [1, 50, 130].map(|lane_width| {
        let run = format!(
            "Run(name: \"shared\", seeds: 130, lane_width: {lane_width}, episodes: 3, steps: 4, game: wolf(),
                 entries: [random(), Entry(label: \"other\", all: random(), game: max_of_two(terminal: every_step))])"
        );
        let mut simulation = simulation(register, &run);
        let all = rows(&mut simulation);
        (simulation.worlds().len(), all)
    });
    assert_eq!([many.0, three.0, one.0], [128, 3, 1]);
    // Two players and the sampled returns of 3 episodes at least.
    assert!(many.1.len() > 2 * 130 * 2 * 3, "{} rows", many.1.len());
    assert!(many.1 == three.1 && many.1 == one.1, "other rows, or in another order");
}
