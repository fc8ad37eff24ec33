//! DDPG in the world: it learns, it resumes, it refuses what it cannot play.

use ddpg::{Ddpg, DdpgParams};
use differential::{MaxOfTwo, Quadratic};
use equiflow::prelude::*;
use equiflow::testing::{last_rows, resumes_bit_for_bit, simulation, values};
use matrix::{Matrix, OneShot, PrisonersDilemma};

fn register(app: &mut App) {
    app.register_game::<Quadratic>("quadratic");
    app.register_game::<MaxOfTwo>("max_of_two");
    app.register_game::<OneShot<PrisonersDilemma>>("prisoners_dilemma");
    app.register_game::<OneShot<Matrix>>("matrix");
    app.register_algorithm::<Ddpg>("ddpg");
}

/// What the likeliest choices earn after a run of three seeds: [players, seeds] in a row.
fn returns(game: &str) -> Vec<f64> {
    let run = format!(
        "Run(name: \"returns\", seeds: 3, episodes: 40, steps: 25, evaluate: (every: 40), game: {game},
             entries: [ddpg(hidden: [16], batch: 32, warmup: 100, warmup_play: uniform, actor_learning_rate: 3e-3)])"
    );
    values(&last_rows(&mut simulation(register, &run)), "mean_action_return")
}

#[test]
fn a_dominant_strategy_is_found_and_so_is_the_best_of_three() {
    // Both defect: whoever cooperates against that has 0.
    assert_eq!(returns("prisoners_dilemma()"), [1.0; 6]);
    assert_eq!(returns("matrix(payoffs: [[0, 2, 1]])"), [2.0; 3]);
}

#[test]
fn one_agent_finds_the_top_of_a_quadratic() {
    for target in [3.0, -4.0] {
        let run = format!(
            "Run(name: \"quadratic\", seeds: 3, episodes: 120, steps: 25, evaluate: (every: 120),
                 game: quadratic(target: {target}),
                 entries: [ddpg(hidden: [32, 32], batch: 64, warmup: 500, warmup_play: uniform, discount: 0,
                                noise: gaussian(sigma: 1.0), actor_learning_rate: 5e-4, critic_learning_rate: 2e-3)])"
        );
        let actions = values(&last_rows(&mut simulation(register, &run)), "mean_action[0]");
        assert_eq!(actions.len(), 3);
        // The box is 20 wide: a policy that has learned nothing is off by 5 to 6 on average.
        assert!(actions.iter().all(|action| (action - target).abs() < 0.5), "target {target}: {actions:?}");
    }
}

/// Half the factor is half the step sizes, to the bit.
#[test]
fn step_sizes_fall_by_their_factor() {
    for game in ["max_of_two()", "prisoners_dilemma()"] {
        let end = |settings: &str| {
            let run = format!(
                "Run(name: \"factor\", seeds: 2, episodes: 4, steps: 25, game: {game},
                     entries: [ddpg(hidden: [16], batch: 32, warmup: 30, {settings})])"
            );
            last_rows(&mut simulation(register, &run)).iter().map(|row| row.value).collect::<Vec<_>>()
        };
        let halved = end("actor_learning_rate: 5e-3, critic_learning_rate: 5e-3");
        assert_eq!(halved, end("learning_rate_factor: constant(0.5)"), "{game}");
        let falling = end("learning_rate_factor: geometric(from: 0.5, hold: 60, to: 0.05, at: 80)");
        assert_ne!(halved, falling, "{game}");
    }
}

#[test]
fn a_run_broken_off_goes_on_bit_for_bit() {
    // Stacked lanes, several instances, both kinds of noise, clipping; broken off before and after learning starts.
    for (split, noise) in [(20, "ornstein_uhlenbeck()"), (60, "gaussian(sigma: 0.5)")] {
        let run = format!(
            "Run(name: \"resume\", seeds: 3, lane_width: 2, instances: 2, episodes: 4, steps: 25,
                 game: max_of_two(),
                 entries: [ddpg(hidden: [16], batch: 32, warmup: 30, buffer: 90, noise: {noise}, max_grad_norm: 0.5)])"
        );
        resumes_bit_for_bit(register, &run, split);
    }
    let run = "Run(name: \"resume\", seeds: 3, lane_width: 2, instances: 2, episodes: 4, steps: 25,
                   game: prisoners_dilemma(), entries: [ddpg(hidden: [16], batch: 32, warmup: 30)])";
    resumes_bit_for_bit(register, run, 60);
}

#[test]
fn policies_start_at_the_centre_where_asked() {
    let run = "Run(name: \"start\", seeds: 2, episodes: 1, steps: 5, evaluate: (every: 1), game: max_of_two(),
                   entries: [ddpg(start_at_centre: true, hidden: [8])])";
    let mut simulation = simulation(register, run);
    simulation.evaluate();
    assert_eq!(values(&simulation.take_rows(), "mean_action[0]"), [0.0; 4]);
}

#[test]
fn what_it_cannot_play_or_use_is_refused() {
    let game = |action| GameSpec::repeated(vec![Player::blind(action)]);
    let check = |params: DdpgParams, action| Ddpg::check(&params, &game(action), 0).unwrap_err().what;
    let unit = || Space::cube(1, -1.0, 1.0);
    let endless = check(DdpgParams::default(), Space::cube(1, 0.0, f32::INFINITY));
    assert!(endless.contains("expected choices or a bounded box of real numbers"), "{endless}");
    let rate = DdpgParams { actor_learning_rate: -1.0, ..DdpgParams::default() };
    assert_eq!(check(rate, unit()), "-1 is out of range; expected a number above 0");
    let hidden = DdpgParams { hidden: vec![10, 0], ..DdpgParams::default() };
    assert_eq!(check(hidden, unit()), "[10, 0] is out of range; expected widths of 1 to 10000");
}
