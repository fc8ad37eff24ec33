//! MASQL in the world: it learns, it resumes, it refuses what it cannot play.

use differential::{Cooperative, MaxOfTwo, Quadratic, Sequential};
use equiflow::prelude::*;
use equiflow::testing::{last_rows, resumes_bit_for_bit, simulation, values};
use masql::{Masql, MasqlParams};

fn register(app: &mut App) {
    app.register_game::<Quadratic>("quadratic");
    app.register_game::<Cooperative>("cooperative");
    app.register_game::<MaxOfTwo>("max_of_two");
    app.register_game::<Sequential>("sequential");
    app.register_algorithm::<Masql>("masql");
}

const SMALL: &str = "hidden: [32, 32], batch: 32, warmup: 500, warmup_play: uniform, discount: 0,
                     sampler_learning_rate: 3e-3, critic_learning_rate: 3e-3,
                     temperature: geometric(from: 5.0, hold: 500, to: 0.1, at: 2000)";

#[test]
fn one_agent_finds_the_top_of_a_quadratic() {
    for target in [3.0, -4.0] {
        let run = format!(
            "Run(name: \"quadratic\", seeds: 3, episodes: 100, steps: 25, evaluate: (every: 100),
                 game: quadratic(target: {target}), entries: [masql({SMALL})])"
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
    let end = |settings: &str| {
        let run = format!(
            "Run(name: \"factor\", seeds: 2, episodes: 4, steps: 25, game: max_of_two(),
                 entries: [masql(hidden: [16], batch: 16, warmup: 30, {settings})])"
        );
        last_rows(&mut simulation(register, &run)).iter().map(|row| row.value).collect::<Vec<_>>()
    };
    let halved = end("sampler_learning_rate: 1.5e-4, critic_learning_rate: 1.5e-4");
    assert_eq!(halved, end("learning_rate_factor: constant(0.5)"));
    let falling = end("learning_rate_factor: geometric(from: 0.5, hold: 60, to: 0.05, at: 80)");
    assert_ne!(halved, falling);
}

#[test]
fn a_run_broken_off_goes_on_bit_for_bit() {
    // Two observed players and bootstrapping; stacked lanes, several instances, clipping. Broken off before and after
    // learning starts.
    let particles = "value_particles: 4, fixed_particles: 4, moved_particles: 3, greedy_particles: 5";
    let learner = format!("hidden: [16], batch: 16, warmup: 30, buffer: 90, {particles}");
    let game = "game: sequential(reach: 2)";
    for (split, more) in [(20, "warmup_play: uniform"), (60, "max_grad_norm: 0.5")] {
        let run = format!(
            "Run(name: \"resume\", seeds: 3, lane_width: 2, instances: 2, episodes: 4, steps: 25, {game},
                 entries: [masql({learner}, {more})])"
        );
        resumes_bit_for_bit(register, &run, split);
    }
}

#[test]
fn what_it_cannot_play_or_use_is_refused() {
    let unit = || Space::cube(1, -1.0, 1.0);
    let check = |params: MasqlParams, actions: [Space; 2]| {
        let game = GameSpec::repeated(actions.map(Player::blind).to_vec());
        Masql::check(&params, &game, 0).unwrap_err().what
    };
    let own = check(MasqlParams::default(), [Space::Discrete(3), unit()]);
    assert_eq!(own, "its actions are one of 3; expected a bounded box of real numbers");
    let other = check(MasqlParams::default(), [unit(), Space::Discrete(3)]);
    assert_eq!(
        other,
        "it samples joint actions; of player 1, its actions are one of 3; expected a bounded box of real numbers"
    );
    let one = MasqlParams { fixed_particles: 1, ..MasqlParams::default() };
    assert_eq!(check(one, [unit(), unit()]), "1 is out of range; expected 2 to 1000");
}
