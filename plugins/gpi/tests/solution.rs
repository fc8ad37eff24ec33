//! GPI's policies on one-shot games of choices against exact solutions, and its values against Eq. 12's soft terms.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use equiflow::agent::Agent;
use equiflow::prelude::*;
use equiflow::simulation::Simulation;
use equiflow::testing::{play_out, simulation};
use equiflow_neural::Head;
use gpi::Gpi;

const TEMPERATURE: f64 = 0.7;
const CHOICES: usize = 3;

params! {
    /// A one-shot game of two players with three choices each and random payoffs.
    pub struct Table {
        /// Of the payoffs.
        seed: u64 = 0,
        /// Whether both get the same.
        common: bool = false,
    }
}

impl Table {
    /// Of `player` for its own choice and the other's.
    fn payoff(&self, player: usize, own: usize, other: usize) -> f32 {
        let choices = if player == 0 { [own, other] } else { [other, own] };
        let of = if self.common { 0 } else { player as u64 };
        Stream::new(self.seed, of, "test", &format!("payoff of {choices:?}")).uniform(-1.5, 1.5)
    }

    /// The logit equilibrium of this temperature: each policy is softmax(E_b r(a, b) / temperature) given the other.
    fn logit_equilibrium(&self, start: [[f64; CHOICES]; 2]) -> [[f64; CHOICES]; 2] {
        let mut policies = start;
        for _ in 0..10_000 {
            for player in 0..2 {
                let worth = |own: usize| -> f64 {
                    let terms = policies[1 - player].iter().enumerate();
                    terms.map(|(other, p)| p * f64::from(self.payoff(player, own, other))).sum()
                };
                let best = softmax(std::array::from_fn(worth));
                policies[player].iter_mut().zip(best).for_each(|(p, best)| *p += 0.1 * (best - *p));
            }
        }
        policies
    }
}

/// Probabilities proportional to exp(worth / temperature).
fn softmax(worth: [f64; CHOICES]) -> [f64; CHOICES] {
    let weights = worth.map(|worth| (worth / TEMPERATURE).exp());
    weights.map(|weight| weight / weights.iter().sum::<f64>())
}

impl Game for Table {
    type Params = Self;
    type State = ();

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }
    fn spec(&self) -> GameSpec {
        GameSpec::repeated(vec![Player::blind(Space::Discrete(CHOICES)); 2])
    }
    fn reset(&self, _: &mut Stream) {}
    fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
        out[0] = 1.0;
    }
    fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        let choices = [0, 1].map(|player| actions.choice(player));
        rewards.copy_from_slice(&[0, 1].map(|player| self.payoff(player, choices[player], choices[1 - player])));
        Status::Terminal
    }
}

params! {
    /// Predicts at random and holds all that it predicts likelier than its prior by the same factor.
    pub struct TiltedParams {
        /// The logarithm of that.
        ratio: f32 = 0.0,
    }
}

/// See [`TiltedParams`].
#[derive(Component)]
pub struct Tilted {
    ratio: f32,
    action: Space,
    stream: Stream,
}

impl OpponentModel for Tilted {
    type Params = TiltedParams;

    fn check(_: &TiltedParams, _: &GameSpec, _: usize, _: usize) -> Result<(), Invalid> {
        Ok(())
    }
    fn new(params: &TiltedParams, seat: &ModelSeat) -> Self {
        Self { ratio: params.ratio, action: seat.action().clone(), stream: seat.streams("actions").remove(0) }
    }
    fn predict(&mut self, _: &[f32], actions: &mut [f32]) {
        self.action.sample(&mut self.stream, actions);
    }
    fn sample(&mut self, _: &[f32], actions: &mut [f32], log_ratio: Option<&mut [f32]>) {
        self.action.sample(&mut self.stream, actions);
        log_ratio.into_iter().for_each(|ratios| ratios.fill(self.ratio));
    }
    fn mean(&mut self, _: &[f32], actions: &mut [f32]) {
        actions.fill(0.0);
    }
    fn log_likelihood(&mut self, _: &[f32], _: &[f32], out: &mut [f64]) {
        out.fill(0.0);
    }
    fn learn(&mut self, _: &ModelLesson) -> Result<(), Fault> {
        Ok(())
    }
}

impl Checkpoint for Tilted {
    fn save(&self, _: &mut Snapshot) {}
    fn restore(&mut self, _: &Snapshot) -> Result<(), SnapshotError> {
        Ok(())
    }
}

fn register(app: &mut App) {
    app.register_game::<Table>("table");
    app.register_algorithm::<Gpi>("gpi");
    app.register_opponent_model::<Tilted>("tilted");
}

/// Plays a run of one seed to its end.
fn played(run: &str) -> Simulation {
    let mut simulation = simulation(register, run);
    assert_eq!(play_out(&mut simulation).1, []);
    simulation
}

/// What a player answers to an inquiry after a run of one seed, with its values.
fn answers(simulation: &mut Simulation, player: usize, inquiry: &Inquiry) -> Answers {
    let world = &mut simulation.app().world;
    let mut agents = world.query::<(&mut Gpi, &Agent)>();
    let (mut gpi, _) = agents.iter_mut(world).find(|(_, agent)| agent.player == player).unwrap();
    let mut answers = Answers::default();
    gpi.answer(inquiry, &mut answers);
    gpi.value(inquiry.observation, inquiry.shown, &mut answers);
    answers
}

/// A player's probabilities for each choice of the other: [other, own].
fn policy(simulation: &mut Simulation, player: usize) -> Vec<f64> {
    let shown = &[&[0.0, 1.0, 2.0][..]][..];
    let answers = answers(simulation, player, &Inquiry { observation: &[1.0; CHOICES], shown, samples: 1 });
    answers.weights.into_iter().map(f64::from).collect()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (x, y) in found.iter().zip(expected) {
        assert!((x - y).abs() < tolerance, "{what}: {found:?}, expected {expected:?}");
    }
}

#[test]
fn unconditional_policies_are_at_the_logit_equilibrium() {
    for (seed, common, model, tolerance, reward_scale) in [
        (1, true, "exact()", 0.02, 1.0),
        (2, false, "exact()", 0.02, 3.0),
        (3, false, "empirical(hidden: [16])", 0.05, 1.0),
    ] {
        // The temperature is in units of the scaled reward: where both are three times as large, nothing else changes.
        let temperature = TEMPERATURE * reward_scale;
        let table = Table { seed, common };
        let uniform = [1.0 / CHOICES as f64; CHOICES];
        let expected = table.logit_equilibrium([uniform; 2]);
        let pure = table.logit_equilibrium([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_close(&expected.concat(), &pure.concat(), 1e-9, "there are several");
        let spread = expected.concat().iter().map(|p| (p - 1.0 / CHOICES as f64).abs()).fold(0.0, f64::max);
        assert!(spread > 0.15, "near where policies start: {expected:?}");
        let mut simulation = played(&format!(
            "Run(name: \"table\", seeds: 1, episodes: 4000, steps: 1, evaluate: (every: 4000),
                 game: table(seed: {seed}, common: {common}),
                 entries: [gpi(opponent_model: {model}, conditional: false, hidden: [16], batch: 256, warmup: 300,
                               policy_learning_rate: 1e-3, temperature: constant({temperature}), regulariser: 0,
                               reward_scale: {reward_scale:?})])"
        ));
        for (player, expected) in expected.iter().enumerate() {
            let found = policy(&mut simulation, player);
            assert_close(&found[..CHOICES], expected, tolerance, &format!("{model}, player {player}"));
        }
    }
}

#[test]
fn conditional_policies_are_the_softmax_of_their_values() {
    let table = Table { seed: 4, common: false };
    let mut simulation = played(&format!(
        "Run(name: \"table\", seeds: 1, episodes: 4000, steps: 1, evaluate: (every: 4000), game: table(seed: 4),
             entries: [gpi(opponent_model: variational(hidden: [16], states: 2), hidden: [32], batch: 64, warmup: 300,
                           temperature: constant({TEMPERATURE}), regulariser: 0)])"
    ));
    for player in [0, 1] {
        let found = policy(&mut simulation, player);
        let softmax = |other| softmax(std::array::from_fn(|own| f64::from(table.payoff(player, own, other))));
        let expected: Vec<f64> = (0..CHOICES).flat_map(softmax).collect();
        assert_close(&found, &expected, 0.05, &format!("player {player}"));
    }
}

/// While policies do not learn, the soft terms in Eq. 12's value of the next state are the same everywhere: values of two
/// temperatures differ by (tau_1 - tau_2) H gamma / (1 - gamma), H the policy's entropy, and those of a model whose actions
/// have log rho - log pihat = c by -c gamma / (1 - gamma) from those of one with c = 0.
#[test]
fn values_of_several_steps_hold_the_soft_terms_to_come() {
    let values = |temperature: f64, ratio: f64| {
        let mut simulation = played(&format!(
            "Run(name: \"soft\", seeds: 1, episodes: 120, steps: 25, evaluate: (every: 120), game: sequential_max_of_two(),
                 entries: [gpi(opponent_model: tilted(ratio: {ratio:?}), hidden: [32, 32], batch: 64, warmup: 1000000,
                               temperature: constant({temperature}), discount: 0.8, target_rate: 0.05)])"
        ));
        // At places and joint actions of all kinds.
        let mut stream = Stream::new(0, 0, "test", "places");
        let observation: Vec<f32> = (0..400).map(|_| stream.uniform(-2.0, 2.0)).collect();
        let opponent: Vec<f32> = (0..200).map(|_| stream.uniform(-1.0, 1.0)).collect();
        let inquiry = Inquiry { observation: &observation, shown: &[&opponent[..]], samples: 1 };
        answers(&mut simulation, 0, &inquiry).values
    };
    let cold = values(0.1, 0.0);
    let differs = |other: &[f32], expected: f64| {
        assert!(expected.abs() > 5.0, "{expected}");
        let differences: Vec<f64> = other.iter().zip(&cold).map(|(other, cold)| f64::from(other - cold)).collect();
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        assert!((mean - expected).abs() < 0.05 * expected.abs(), "{mean}, expected {expected}");
    };
    differs(&values(0.1, 2.0), -2.0 * 0.8 / (1.0 - 0.8));
    // The initial policy: tanh(u), u normal with a sigma of 1.01; its entropy by the midpoint rule.
    let head = Head::new(&Space::cube(1, -1.0, 1.0));
    let points: Vec<f64> = (0..20_000).map(|k| (f64::from(k) + 0.5) / 10_000.0 - 1.0).collect();
    let (mut latent, mut density) = (Vec::new(), Vec::new());
    head.latent_of(&points, &mut latent);
    head.log_density(&[0.0, 0.0].repeat(points.len()), &latent, &mut density);
    let entropy: f64 = density.iter().map(|log| -log.exp() * log / 10_000.0).sum();
    differs(&values(5.0, 0.0), (5.0 - 0.1) * entropy * 0.8 / (1.0 - 0.8));
}

/// A network of NaN still chooses, so that nothing but the gradient tells.
#[test]
fn learners_of_choices_that_diverge_are_told() {
    let networks = "hidden: [8], batch: 8, learn_from: 5, warmup: 8";
    for (entry, what) in [
        (format!("gpi(opponent_model: exact(), critic_learning_rate: 1e30, {networks})"), "its critic has diverged"),
        (format!("gpi(opponent_model: exact(), policy_learning_rate: 1e30, {networks})"), "its policy has diverged"),
        (
            format!("gpi(opponent_model: empirical(hidden: [8], learning_rate: 1e30), {networks})"),
            "'s model of player 1: its density has diverged",
        ),
        (
            format!("gpi(opponent_model: variational(hidden: [8], learning_rate: 1e30), {networks})"),
            "'s model of player 1: its prior and opponent's value have diverged",
        ),
    ] {
        let run = format!(
            "Run(name: \"table\", seeds: 2, lane_width: 2, episodes: 30, steps: 1, game: table(), entries: [{entry}])"
        );
        let (_, failures) = play_out(&mut simulation(register, &run));
        assert_eq!(failures.iter().map(|failure| failure.seed).collect::<Vec<_>>(), [0, 1], "{entry}");
        assert!(failures.iter().all(|failure| failure.what.contains(what) && failure.step > 5), "{failures:?}");
    }
}
