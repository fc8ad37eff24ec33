//! VPG in the world: where its readings and models end, what it refuses, that it resumes.

use congestion::{CongestionGame, TwoLinkGame, TwoStateGame};
use equiflow::loader::Plugins;
use equiflow::prelude::*;
use equiflow::record::Row;
use equiflow::run::{Run, RunFile};
use equiflow::testing::{last_rows, play_out, resumes_bit_for_bit, simulation, values};
use equiflow::theory::games::TwoState;
use equiflow::theory::vpg::marginal::asymmetric_start;
use equiflow::theory::vpg::{Conditional, Vpg as Exact};
use matrix::{Matrix, OneShot};
use random::Random;
use vpg::Vpg;

fn register(app: &mut App) {
    app.register_game::<CongestionGame>("congestion");
    app.register_game::<TwoLinkGame>("two_link");
    app.register_game::<TwoStateGame>("two_state");
    app.register_game::<OneShot<Matrix>>("matrix");
    app.register_algorithm::<Vpg>("vpg");
    app.register_algorithm::<Random>("random");
}

/// The rows of the last evaluation of a run of one seed.
fn last(game: &str, entry: &str, steps: u32) -> Vec<Row> {
    last_rows(&mut simulation(register, &file(game, entry, steps)))
}

fn file(game: &str, entry: &str, steps: u32) -> String {
    format!("Run(name: \"test\", seeds: 1, episodes: 1, steps: {steps}, game: {game}, entries: [{entry}])")
}

/// The matrix game in which both players get this.
fn common(payoffs: &str) -> String {
    format!("matrix(payoffs: [{payoffs}, {payoffs}])")
}

/// A figure, the largest over the players where each has one.
fn figure(rows: &[Row], metric: &str) -> f64 {
    let values = values(rows, metric).into_iter();
    values.reduce(f64::max).unwrap_or_else(|| panic!("no {metric} in {rows:?}"))
}

#[test]
fn the_marginal_reading_ends_at_a_logit_equilibrium_within_its_bound() {
    let games = [
        ("two_state()", 2.0f64.ln() / 0.1),
        ("congestion(players: 2, rewards: team, discount: 0.9)", 4.0f64.ln() / 0.1),
        ("congestion(players: 2, transitions: chance(distancing: 0.5), discount: 0.9)", 4.0f64.ln() / 0.1),
        ("two_link(players: 3, transitions: chance(safe: 0.5), discount: 0.9)", 2.0f64.ln() / 0.1),
        (&common("[[11, -30, 0], [-30, 7, 6], [0, 0, 5]]"), 3.0f64.ln()),
    ];
    for (game, bound) in games {
        let rows = last(game, "vpg(start: asymmetric)", 8_000);
        assert!(figure(&rows, "logit_distance") < 1e-8, "{game}: {}", figure(&rows, "logit_distance"));
        assert!(figure(&rows, "exact_gain") <= bound, "{game}");
        assert_eq!(figure(&rows, "cycle_period"), 0.0, "{game}");
        assert!(figure(&rows, "exact_potential").is_finite() && figure(&rows, "exact_nash_conv") > 0.0, "{game}");
    }
}

#[test]
fn the_world_does_what_the_exact_iteration_does() {
    let table = TabularGame::new(&TwoState::default()).unwrap();
    let mut profile = asymmetric_start(&table);
    (0..40).for_each(|_| _ = Exact::new(0.1, 1.0).iterate(&table, &mut profile).unwrap());
    let expected = equiflow::theory::nash_conv(&table, &profile).unwrap().total();
    let found = figure(&last("two_state()", "vpg(start: asymmetric)", 40), "exact_nash_conv");
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");

    let mut policies = Conditional::uniform(&table);
    (0..40).for_each(|_| _ = policies.iterate(&table, 0.1, 1.0).unwrap());
    let expected = equiflow::theory::nash_conv(&table, &policies.executed).unwrap().total();
    let found = figure(&last("two_state()", "vpg(reading: conditional)", 40), "exact_nash_conv");
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
}

#[test]
fn the_conditional_reading_ends_further_from_nash_than_the_marginal_one_may() {
    let rows = last(&common("[[-3, 3], [2, 0]]"), "vpg(reading: conditional)", 1_000);
    assert!((figure(&rows, "exact_gain") - 0.951).abs() < 1e-3, "{}", figure(&rows, "exact_gain"));
    assert!(figure(&rows, "logit_distance") > 0.1);
}

#[test]
fn models_and_sampled_values_come_near_the_logit_equilibrium() {
    let game = &common("[[1, 0], [0, 0.5]]");
    // A uniform prior makes the variational model the logit response to the player's own policy.
    let variational = last(game, "vpg(opponent_model: variational, start: asymmetric)", 2_000);
    assert!(figure(&variational, "logit_distance") < 1e-8);
    // Uniform play, where they start, has a gain of 0.5; the logit equilibrium, p = e^(3p) / (e^(3p) + e^(1-p)) = 0.937, one of
    // 0.173. The conditional reading ends elsewhere, with exact values too.
    let game = &common("[[3, 0], [0, 1]]");
    let gain = |entry: &str| figure(&last(game, entry, 4_000), "exact_gain");
    let conditional = "reading: conditional, opponent_model: variational, prior: empirical";
    let ends = gain(&format!("vpg({conditional})"));
    assert!(ends < 0.4, "{ends}");
    for (entry, expected) in [
        ("vpg(opponent_model: empirical, batch: 512, buffer: 2000)", 0.173),
        ("vpg(values: sampled, batch: 64)", 0.173),
        ("vpg(values: sampled, opponent_model: empirical, batch: 512, buffer: 2000, order: sequential)", 0.173),
        (&format!("vpg(values: sampled, {conditional})"), ends),
    ] {
        let found = gain(entry);
        assert!((found - expected).abs() < 0.06, "{entry}: {found}, expected {expected}");
    }
}

#[test]
fn cycles_are_said() {
    let rows = last(&common("[[8, 0], [0, 8]]"), "vpg(eta: 1, start: asymmetric)", 200);
    assert_eq!(figure(&rows, "cycle_period"), 2.0);
    let rows = last(&common("[[8, 0], [0, 8]]"), "vpg(eta: 1, start: asymmetric, order: sequential)", 400);
    assert_eq!(figure(&rows, "cycle_period"), 0.0);
}

#[test]
fn what_cannot_be_is_refused_before_the_run() {
    let refused = |game: &str, entry: &str| {
        let mut app = App::new(1);
        register(&mut app);
        app.register_game::<Endless>("endless");
        let run = RunFile::parse("test.ron", file(game, entry, 10))
            .and_then(|file| Run::resolve(&file, &mut app, &mut Plugins::default()));
        let mistakes = run.err().unwrap();
        let text = mistakes.iter().map(|mistake| mistake.render(false)).collect::<String>();
        // As one line, however it was wrapped.
        text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = refused("two_state()", "vpg(eta: 0.2)");
    assert!(text.contains("alpha tau = 2") && text.contains("an eta of at most 0.1"), "{text}");
    let text = refused("two_state(discount: 1)", "vpg()");
    assert!(text.contains("the game's discount is 1") && text.contains("expected one below 1"), "{text}");
    let text = refused("endless()", "vpg()");
    assert!(text.contains("finite games only"), "{text}");
    let text = refused("two_state()", "vpg(temperature: 0)");
    assert!(text.contains("parameter `temperature`: it is 0") && text.contains("a number above 0"), "{text}");
}

params! {
    /// A game of discrete actions whose states cannot be counted.
    pub struct Endless {}
}

impl Game for Endless {
    type Params = Self;
    type State = f32;

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }
    fn spec(&self) -> GameSpec {
        GameSpec::sequential(vec![Player { observation: Space::cube(1, 0.0, f32::MAX), action: Space::Discrete(2) }; 2])
    }
    fn reset(&self, _: &mut Stream) -> f32 {
        0.0
    }
    fn observe(&self, state: &f32, _: usize, out: &mut [f32]) {
        out[0] = *state;
    }
    fn step(&self, state: &mut f32, _: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        *state += 1.0;
        rewards.fill(0.0);
        Status::Running
    }
}

#[test]
fn a_player_without_policies_is_a_fault_for_an_exact_model_and_none_for_an_empirical_one() {
    let play = |entry: &str| {
        let (_, failures) = play_out(&mut simulation(register, &file("two_state()", entry, 50)));
        failures.into_iter().map(|failure| failure.what).collect::<String>()
    };
    let what = play("Entry(label: \"mixed\", players: [vpg(), random()])");
    assert!(what.contains("player 1 publishes no policies") && what.contains("opponent_model: empirical"), "{what}");
    assert_eq!(play("Entry(label: \"mixed\", players: [vpg(opponent_model: empirical), random()])"), "");
}

#[test]
fn all_seeds_of_a_lane_that_fail_are_told() {
    let entry = "Entry(label: \"mixed\", players: [vpg(), random()])";
    let run = file("two_state()", entry, 50).replace("seeds: 1", "seeds: 3, lane_width: 2");
    let (_, failures) = play_out(&mut simulation(register, &run));
    assert_eq!(failures.iter().map(|failure| failure.seed).collect::<Vec<_>>(), [0, 1, 2], "{failures:?}");
}

#[test]
fn a_run_broken_off_goes_on_bit_for_bit() {
    let entries =
        "vpg(start: random), Entry(label: \"c\", all: vpg(reading: conditional, opponent_model: variational)),
                   Entry(label: \"s\", all: vpg(values: sampled, opponent_model: empirical, order: sequential))";
    let run = format!(
        "Run(name: \"resume\", seeds: 3, lane_width: 2, instances: 2, episodes: 4, steps: 10, game: two_state(),
             entries: [{entries}])"
    );
    resumes_bit_for_bit(register, &run, 13);
}
