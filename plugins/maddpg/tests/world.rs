//! MADDPG in the world: it goes on where it was broken off, and learns what to choose.

use differential::Sequential;
use equiflow::prelude::*;
use equiflow::testing::{last_rows, resumes_bit_for_bit, simulation, values};
use maddpg::Maddpg;
use matrix::{Matrix, OneShot, PrisonersDilemma};

fn register(app: &mut App) {
    app.register_game::<Sequential>("sequential");
    app.register_game::<OneShot<PrisonersDilemma>>("prisoners_dilemma");
    app.register_game::<OneShot<Matrix>>("matrix");
    app.register_algorithm::<Maddpg>("maddpg");
}

/// What the likeliest choices earn after a run of three seeds: [players, seeds] in a row.
fn returns(game: &str) -> Vec<f64> {
    let run = format!(
        "Run(name: \"returns\", seeds: 3, episodes: 40, steps: 25, evaluate: (every: 40), game: {game},
             entries: [maddpg(hidden: [16], batch: 32, warmup: 100, warmup_play: uniform, actor_learning_rate: 3e-3)])"
    );
    values(&last_rows(&mut simulation(register, &run)), "mean_action_return")
}

#[test]
fn a_dominant_strategy_is_found_and_so_is_where_to_meet() {
    // Both defect: whoever cooperates against that has 0.
    assert_eq!(returns("prisoners_dilemma()"), [1.0; 6]);
    // The second strategies are the best for both, and better on average against anything.
    assert_eq!(returns("matrix(payoffs: [[[1, 0], [0, 3]], [[1, 0], [0, 3]]])"), [3.0; 6]);
}

/// Half the factor is half the step sizes, to the bit.
#[test]
fn step_sizes_fall_by_their_factor() {
    let end = |settings: &str| {
        let run = format!(
            "Run(name: \"factor\", seeds: 2, episodes: 4, steps: 25, game: sequential(reach: 2),
                 entries: [maddpg(hidden: [16], batch: 16, warmup: 30, {settings})])"
        );
        last_rows(&mut simulation(register, &run)).iter().map(|row| row.value).collect::<Vec<_>>()
    };
    let halved = end("actor_learning_rate: 5e-3, critic_learning_rate: 5e-3");
    assert_eq!(halved, end("learning_rate_factor: constant(0.5)"));
    let falling = end("learning_rate_factor: geometric(from: 0.5, hold: 60, to: 0.05, at: 80)");
    assert_ne!(halved, falling);
}

#[test]
fn a_run_broken_off_goes_on_bit_for_bit() {
    let run = "Run(name: \"resume\", seeds: 2, episodes: 4, steps: 25, game: sequential(reach: 2),
                   entries: [maddpg(hidden: [16], batch: 16, warmup: 30, warmup_play: uniform)])";
    resumes_bit_for_bit(register, run, 20);
    resumes_bit_for_bit(register, run, 60);
    let run = "Run(name: \"resume\", seeds: 2, lane_width: 2, instances: 2, episodes: 4, steps: 25,
                   game: prisoners_dilemma(), entries: [maddpg(hidden: [16], batch: 16, warmup: 30)])";
    resumes_bit_for_bit(register, run, 60);
}
