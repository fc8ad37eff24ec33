//! GPI and its opponent models in the world: they resume, they share an environment with other algorithms, several
//! opponents have a model each, and the models' figures are right where they are known. All but the tests' own games and
//! algorithms is loaded.

use equiflow::prelude::*;
use equiflow::record::Row;
use equiflow::testing::{self, resumes_bit_for_bit, simulation};

params! {
    /// Three players: one with a box of two dimensions, one with a box of one, one with three choices or a box too.
    pub struct Team {
        /// Whether the third player chooses.
        chooses: bool = true,
    }
}

impl Game for Team {
    type Params = Self;
    type State = f32;

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }
    fn spec(&self) -> GameSpec {
        let third = if self.chooses { Space::Discrete(3) } else { Space::cube(1, 0.0, 2.0) };
        let player = |action| Player { observation: Space::cube(1, -10.0, 10.0), action };
        GameSpec::sequential([Space::cube(2, -10.0, 10.0), Space::cube(1, -4.0, 2.0), third].map(player).to_vec())
    }
    fn reset(&self, rng: &mut Stream) -> f32 {
        rng.uniform(-1.0, 1.0)
    }
    fn observe(&self, place: &f32, _player: usize, out: &mut [f32]) {
        out[0] = *place;
    }
    fn step(&self, place: &mut f32, actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        let sum = actions.of(0)[1] + actions.scalar(1) + actions.scalar(2);
        *place = (0.5 * *place + 0.2 * sum).clamp(-10.0, 10.0);
        rewards.copy_from_slice(&[-*place, sum, -sum * sum]);
        if place.abs() > 2.0 { Status::Terminal } else { Status::Running }
    }
}

params! {
    /// Plays one number in all dimensions, and in evaluations that plus so much per step done.
    pub struct FixedParams {
        /// The number.
        number: f32 = 0.0,
        /// So much per step done.
        drift: f32 = 0.0,
    }
}

/// See [`FixedParams`].
#[derive(Component)]
pub struct Fixed {
    params: FixedParams,
    steps: u64,
}

impl Algorithm for Fixed {
    type Params = FixedParams;

    fn check(_: &FixedParams, _: &GameSpec, _: usize) -> Result<(), Invalid> {
        Ok(())
    }
    fn new(params: &FixedParams, _: &Seat) -> Self {
        Self { params: params.clone(), steps: 0 }
    }
    fn act(&mut self, turn: &Turn, action: &mut [f32]) {
        self.steps = turn.step + 1;
        action.fill(self.params.number);
    }
    fn mean_action(&mut self, _: &[f32], _: &[&[f32]], action: &mut [f32]) {
        action.fill(self.params.number + self.params.drift * self.steps as f32);
    }
}

impl Checkpoint for Fixed {
    fn save(&self, to: &mut Snapshot) {
        to.put("steps", &self.steps);
    }
    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.steps = from.get("steps")?;
        Ok(())
    }
}

fn register(app: &mut App) {
    app.register_game::<Team>("team").register_algorithm::<Fixed>("fixed");
}

/// All rows of a run, which must not fail.
fn rows(run: &str) -> Vec<Row> {
    testing::rows(&mut simulation(register, run))
}

/// The values of a player's metric, in the order of the records.
fn values(rows: &[Row], player: usize, metric: &str) -> Vec<f64> {
    let mine = rows.iter().filter(|row| row.player == Some(player) && row.metric == metric);
    mine.map(|row| row.value).collect()
}

#[test]
fn every_model_goes_on_bit_for_bit_where_it_was_broken_off() {
    let nets = "hidden: [8], states: 2, proposals: 8, window: 30";
    let models = [
        "exact()".to_owned(),
        "empirical(hidden: [8], window: 30)".to_owned(),
        format!("variational({nets})"),
        format!("variational({nets}, fit: reverse_kl)"),
        format!("variational({nets}, reward: inferred)"),
        format!("variational({nets}, reward: inferred, fit: reverse_kl, conditional: false)"),
        format!("variational({nets}, reward: own_value)"),
    ];
    for (game, more) in [
        ("sequential_max_of_two()", ", min_sigma: geometric(from: 0.5, hold: 10, to: 0.05, at: 60)"),
        ("team()", ", conditional: false"),
    ] {
        let entries: Vec<_> = models
            .iter()
            .enumerate()
            .map(|(k, model)| {
                format!(
                    "Entry(label: \"{k}\", all: gpi(opponent_model: {model}, hidden: [8], batch: 8, learn_from: 20,
                                                    warmup: 40{more}))"
                )
            })
            .collect();
        let run = format!(
            "Run(name: \"resume\", seeds: 2, lane_width: 2, instances: 2, episodes: 4, steps: 15, game: {game},
                 entries: [{}])",
            entries.join(", ")
        );
        // Before anything is learned, in the warm-up and after it, inside of episodes and between them.
        for split in [7, 30, 52] {
            resumes_bit_for_bit(register, &run, split);
        }
    }
}

#[test]
fn gpi_plays_against_other_learners_and_each_opponent_has_a_model() {
    let gpi =
        |model: &str, more: &str| format!("gpi(opponent_model: {model}, hidden: [8], batch: 16, warmup: 50{more})");
    let variational = "variational(hidden: [8], states: 2, proposals: 8)";
    let others = "ddpg(hidden: [8], batch: 24, warmup: 20), maddpg(hidden: [8], batch: 8, warmup: 35)";
    let learners = [
        format!("{}, {others}", gpi(variational, ", learn_from: 30")),
        // It reads policies that learn at other times than itself, and that read its own.
        format!(
            "{}, {}, maddpg(hidden: [8], batch: 8, warmup: 35, learn_every: 3)",
            gpi("exact()", ", learn_from: 20"),
            gpi(variational, ", learn_from: 40, learn_every: 2")
        ),
        format!("{0}, {0}, {1}", gpi("exact()", ""), gpi("exact()", ", learn_every: 5")),
    ];
    for players in learners {
        let run = format!(
            "Run(name: \"mixed\", seeds: 2, episodes: 8, steps: 15, evaluate: (every: 8), game: team(chooses: false),
                 entries: [Entry(label: \"mixed\", players: [{players}])])"
        );
        let rows = rows(&run);
        for player in 0..3 {
            let losses = values(&rows, player, "critic_loss");
            assert!(losses.len() == 2 && losses.iter().all(|loss| loss.is_finite()), "{players}: {losses:?}");
        }
        assert_eq!(values(&rows, 0, "policy_loss").len(), 2, "{players}");
    }
    // Of choices too, and each model is of its own opponent.
    let rows = rows(&format!(
        "Run(name: \"team\", seeds: 1, episodes: 20, steps: 15, evaluate: (every: 20), game: team(), entries: [{}])",
        gpi("variational(hidden: [8], states: 2, proposals: 8)", "")
    ));
    for (player, opponents) in [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])] {
        for opponent in 0..3 {
            let own = opponents.contains(&opponent);
            for metric in ["model_log_likelihood", "prior_loss", "model_loss", "opponent_value_loss"] {
                let found = values(&rows, player, &format!("{metric}[{opponent}]"));
                assert!(found.len() == usize::from(own) && found.iter().all(|x| x.is_finite()), "{metric}: {found:?}");
            }
            // Distances are of boxes only.
            let distances = values(&rows, player, &format!("model_distance[{opponent}]"));
            assert_eq!(distances.len(), usize::from(own && opponent != 2), "{player} on {opponent}");
        }
    }
}

/// Several seeds in a lane ask and answer as each does alone, of boxes and of choices, with two opponents.
#[test]
fn questions_and_answers_do_not_depend_on_the_lanes_width() {
    let nets = "hidden: [8], states: 2, proposals: 8, window: 30";
    for model in [format!("variational({nets})"), format!("variational({nets}, conditional: false)")] {
        let of_width = |width: usize| {
            let rows = rows(&format!(
                "Run(name: \"lanes\", seeds: 3, lane_width: {width}, episodes: 6, steps: 15, game: team(), entries: [
                     gpi(opponent_model: {model}, hidden: [8], batch: 8, learn_from: 20, warmup: 40)])"
            ));
            let mut rows: Vec<_> = rows.iter().map(|row| format!("{row:?}")).collect();
            rows.sort();
            rows
        };
        let alone = of_width(1);
        assert!(alone.iter().any(|row| row.contains("model_loss[2]")), "{model} has learned nothing");
        assert_eq!(alone, of_width(3), "{model}");
    }
}

/// Models that have learned nothing hold a known distribution: the normal of mean 0 and sigma 1.01, squashed into the box.
#[test]
fn the_figures_of_models_are_right_where_they_are_known() {
    // log of the density at `x` in [low, high], in units of x.
    let log_density = |x: f64, low: f64, high: f64| {
        let half = 0.5 * (high - low);
        let y = (x - 0.5 * (low + high)) / half;
        let (u, sigma) = (y.atanh(), 1.01f64);
        -0.5 * (u / sigma).powi(2) - sigma.ln() - 0.5 * std::f64::consts::TAU.ln() - (half * (1.0 - y * y)).ln()
    };
    for model in ["empirical()", "variational()", "exact()"] {
        let rows = rows(&format!(
            "Run(name: \"known\", seeds: 2, episodes: 4, steps: 10, evaluate: (every: 2), game: team(), entries: [
                 Entry(label: \"known\", players: [gpi(opponent_model: {model}, learn_from: 1000),
                                                   fixed(number: 1.0, drift: 0.01), fixed(number: 2.0)])])"
        ));
        let expect = |metric: &str, expected: &[f64]| {
            let found = values(&rows, 0, metric);
            assert_eq!(found.len(), expected.len(), "{model}: {metric}");
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{model}: {metric} is {found}, expected {expected}");
            }
        };
        if model == "exact()" {
            // It has no likelihood, and no distance to itself.
            expect("model_log_likelihood[1]", &[]);
            expect("model_distance[1]", &[0.0; 4]);
            continue;
        }
        // Two evaluations of two seeds. The box is [-4, 2], its centre -1; the mean action drifts with the steps.
        expect("model_log_likelihood[1]", &[log_density(1.0, -4.0, 2.0); 4]);
        expect("model_log_likelihood[2]", &[-(3.0f64.ln()); 4]);
        expect("model_distance[1]", &[2.2, 2.2, 2.4, 2.4]);
        expect("model_distance[2]", &[]);
    }
}
