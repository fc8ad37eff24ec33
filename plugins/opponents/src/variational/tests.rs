//! Every step against PyTorch in float64; the reward's gradient against its objective; the model against Proposition 4.7.

use std::collections::BTreeMap;

use equiflow::environment::Lane;
use equiflow::opponent::Exchange;
use equiflow::replay::{Batch, PlayerBatch};
use equiflow::testing::simulation;
use equiflow_neural::testing::{adam, assert_close, field, fixture, items, network, numbers, parameters, stack};
use equiflow_neural::{AdamParams, Density, Head, Learner, Mlp, Real};
use serde_json::Value;

use super::learn::{Proposed, Room};
use super::value::{Answered, Transitions};
use super::*;

/// The networks of one seed or more, for an agent and opponents 0 (one of three choices) and 1 (`space`).
fn networks(
    agent: &Space,
    space: &Space,
    number: usize,
    smoothing: f64,
    net: impl Fn(&str) -> Learner<f64>,
) -> Networks<f64> {
    let opponents = vec![Head::new(&Space::Discrete(3)), Head::new(space)];
    let density = |name: &str| Density::with(opponents[number].clone(), net(name));
    Networks {
        prior: density("prior"),
        model: density("model"),
        value: net("value"),
        value_target: net("value_target").net,
        reward: Some(net("reward")),
        agent: Head::new(agent),
        number,
        smoothing,
        players: vec![0, 1, 2],
        proposed: Proposed::default(),
        room: Room::default(),
        opponents,
    }
}

/// The numbers `[S, ...]` of a list of players.
fn players(seeds: &[&Value], name: &str) -> Vec<Vec<f64>> {
    let all = field(seeds, name);
    (0..items(all[0]).len()).map(|k| stack(&all.iter().map(|players| &players[k]).collect::<Vec<_>>())).collect()
}

fn slices(values: &[Vec<f64>]) -> Vec<&[f64]> {
    values.iter().map(Vec::as_slice).collect()
}

/// What a fixture asks, with its answers.
struct Asked {
    observation: Vec<f64>,
    opponents: Vec<Vec<f64>>,
    action: Vec<f64>,
    weight: Vec<f64>,
    own_value: Vec<f64>,
    count: usize,
    per_state: usize,
}

impl Asked {
    fn of(seeds: &[&Value], count: usize, per_state: usize) -> Self {
        let values = field(seeds, "own_value").into_iter().filter(|values| !values.is_null());
        Self {
            observation: stack(&field(seeds, "observation")),
            opponents: players(seeds, "opponents"),
            action: stack(&field(seeds, "action")),
            weight: stack(&field(seeds, "weight")),
            own_value: values.flat_map(numbers).collect(),
            count,
            per_state,
        }
    }

    /// As the networks take it, with or without the agent's own values.
    fn with<R>(&self, valued: bool, use_it: impl FnOnce(&Answered<f64>) -> R) -> R {
        use_it(&Answered {
            per_state: self.per_state,
            observation: &self.observation,
            opponents: &slices(&self.opponents),
            action: &self.action,
            weight: &self.weight,
            own_value: if valued { &self.own_value } else { &[] },
            count: self.count,
        })
    }
}

#[test]
fn two_rounds_of_every_step_are_those_of_pytorch() {
    let file = fixture(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/steps.json"));
    let number = |name: &str| file[name].as_f64().unwrap();
    let bounds = |name: &str| numbers(&file[name]).iter().map(|x| *x as f32).collect::<Vec<_>>();
    let boxed = |low: &str, high: &str| Space::Box { low: bounds(low), high: bounds(high) };
    let regulariser = number("regulariser");
    for case in items(&file["cases"]) {
        let size = |name: &str| case[name].as_u64().map(|n| n as usize);
        let agent = size("agent").map_or_else(|| boxed("agent_low", "agent_high"), Space::Discrete);
        let (predicted, inferred) = (size("predicted").unwrap(), case["inferred"].as_bool().unwrap());
        let (count, per_state) = (size("count").unwrap(), size("per_state").unwrap());
        let initial = items(&case["initial"]);
        let mut networks = networks(&agent, &boxed("low", "high"), predicted, number("smoothing"), |name| {
            let sizes = if ["prior", "model"].contains(&name) { "density_sizes" } else { "value_sizes" };
            Learner::new(network(&case[sizes], &field(&initial, name)), adam(&file, "learning_rate", &Value::Null))
        });
        if !inferred {
            networks.reward = None;
        }
        let head = networks.prior.head.clone();
        for (round, after) in items(&case["rounds"]).into_iter().zip(items(&case["after"])) {
            let (round, after) = (items(round), items(after));
            let losses = field(&after, "losses");
            let check = |step: &equiflow_neural::Step, name: &str| {
                assert_close(&step.loss, &stack(&field(&losses, name)), name);
            };
            let mut latent = Vec::new();

            let seen = field(&round, "seen");
            let (observation, done) = (stack(&field(&seen, "observation")), players(&seen, "actions"));
            head.latent_of(&done[1 + predicted], &mut latent);
            check(&networks.prior.fit(&observation, &latent, None, regulariser), "prior_fit");

            let asked = Asked::of(&field(&round, "asked"), count, per_state);
            let mut weight = Vec::new();
            head.latent_of(&asked.opponents[predicted], &mut latent);
            asked.with(false, |asked| {
                networks.weigh(asked, &latent, &mut weight);
                let step = networks.explain(&observation, &slices(&done), asked, &weight);
                assert_eq!(step.is_some(), inferred);
                step.iter().for_each(|step| check(step, "explain"));
            });

            let step = field(&round, "step");
            let of = |name: &str| stack(&field(&step, name));
            let [actions, next_opponents] = ["actions", "next_opponents"].map(|name| players(&step, name));
            let transitions = Transitions {
                observation: &of("observation"),
                actions: &slices(&actions),
                reward: &of("reward"),
                terminated: &of("terminated"),
                next_observation: &of("next_observation"),
                next_action: &of("next_action"),
                next_weight: &of("next_weight"),
                next_count: count,
                next_opponents: &slices(&next_opponents),
                next_log_ratio: &of("next_log_ratio"),
            };
            check(&networks.value_step(&transitions, number("gamma"), number("target_rate")), "value_step");

            check(&asked.with(true, |asked| networks.resample(asked, &latent, regulariser)), "resample");

            let step = if predicted == 0 {
                asked.with(false, |asked| networks.reverse_kl(asked, &latent, &[], regulariser))
            } else {
                let drawn = field(&round, "drawn");
                let noise = stack(&field(&drawn, "noise"));
                let mut asked = Asked::of(&drawn, count, 1);
                head.latent(networks.model.outputs(&asked.observation), &noise, &mut latent);
                head.actions(&latent, &mut asked.opponents[predicted]);
                asked.with(false, |asked| networks.reverse_kl(asked, &latent, &noise, regulariser))
            };
            check(&step, "reverse_kl");

            let ratio = field(&round, "ratio");
            let observation = stack(&field(&ratio, "observation"));
            let outputs = networks.model.outputs(&observation);
            match predicted {
                0 => head.latent_of(&stack(&field(&ratio, "choices")), &mut latent),
                _ => head.latent(outputs, &stack(&field(&ratio, "noise")), &mut latent),
            }
            let expected = stack(&field(&after, "log_ratio"));
            let mut found = vec![0.0; expected.len()];
            networks.log_ratio(&observation, &latent, &mut found);
            assert_close(&found, &expected, "log-ratio");

            let reward = networks.reward.iter().map(|reward| (&reward.net, "reward"));
            let nets = [
                (&networks.prior.learner.net, "prior"),
                (&networks.model.learner.net, "model"),
                (&networks.value.net, "value"),
                (&networks.value_target, "value_target"),
            ];
            for (net, name) in nets.into_iter().chain(reward) {
                assert_close(net.values(), &parameters(&field(&after, name)), name);
            }
        }
    }
}

/// Adam's settings with which a step is minus the gradient, to one part in 10^8: its denominator is all epsilon.
fn plain_descent() -> AdamParams {
    AdamParams { beta1: 0.0, beta2: 0.0, epsilon: 1e8, ..AdamParams::new(1e8) }
}

/// Proposals of the prior and the agent's answers at three states, for the given predicted opponent.
fn question(number: usize, head: &Head, streams: &mut [Stream]) -> (Asked, Vec<f64>) {
    let (states, per_state, count) = (3, if number == 0 { 3 } else { 6 }, 2);
    let rows = states * per_state;
    let mut random = |n: usize| -> Vec<f64> { (0..n).map(|_| f64::from(streams[0].uniform(-1.0, 1.0))).collect() };
    let observation: Vec<f64> = random(2 * states).chunks(2).flat_map(|seen| seen.repeat(per_state)).collect();
    let latent = if number == 0 { [0.0, 1.0, 2.0].repeat(states) } else { random(rows) };
    let mut proposed = vec![0.0; rows];
    head.actions(&latent, &mut proposed);
    let other = if number == 0 { random(rows) } else { (0..rows).map(|row| (row % 3) as f64).collect() };
    let opponents = if number == 0 { vec![proposed, other] } else { vec![other, proposed] };
    let action = random(rows * count);
    let weight = vec![1.0 / count as f64; rows * count];
    (Asked { observation, opponents, action, weight, own_value: Vec::new(), count, per_state }, latent)
}

/// In the one-step case, where Q is r, the objective is -mean_data r + mean_s log E_{b~pihat} exp(E_a r(s, a, b)).
#[test]
fn the_inferred_rewards_gradient_is_that_of_its_objective() {
    let unit = Space::cube(1, -2.0, 2.0);
    for number in [0, 1] {
        let mut streams = [Stream::new(0, number as u64, "test", "reward")];
        let sizes =
            |name: &str| if ["prior", "model"].contains(&name) { vec![2, 4, [3, 2][number]] } else { vec![7, 6, 1] };
        let mut first = networks(&unit, &unit, number, 0.1, |name| {
            let mut streams = [Stream::new(0, number as u64, "test", name)];
            Learner::new(Mlp::new(&sizes(name), equiflow_neural::LastLayer::Same, &mut streams), plain_descent())
        });
        let head = first.prior.head.clone();
        let (asked, latent) = question(number, &head, &mut streams);
        let mut random = |n: usize| -> Vec<f64> { (0..n).map(|_| f64::from(streams[0].uniform(-1.0, 1.0))).collect() };
        let (seen, done) = (random(2 * 5), [random(5), vec![0.0, 2.0, 1.0, 1.0, 0.0], random(5)]);
        let mut log_prior = Vec::new();
        first.log_prior(&asked.observation, &latent, &mut log_prior);

        // The reward's parameters, put in the place of those of Q too.
        let start = first.reward.as_ref().unwrap().net.values().to_vec();
        let mut with = |values: &[f64]| {
            let net = || Mlp::from_parameters(&[7, 6, 1], &equiflow_neural::tensor(values, &[1, values.len() as i64]));
            first.value = Learner::new(net(), plain_descent());
            first.reward = Some(Learner::new(net(), plain_descent()));
            let mut expected = Vec::new();
            asked.with(false, |asked| first.expected_values(asked, &mut expected));
            let mut input = Vec::new();
            first.value_input(&seen, &done[0], &slices(&done[1..]), 1, &mut input);
            let of_data: f64 = first.value.forward(&input).iter().sum::<f64>() / 5.0;
            // Proposals are drawn from the prior in a box; choices are all there, and weighed by it.
            let prior = |row: usize| if number == 0 { log_prior[row].exp() } else { 1.0 / asked.per_state as f64 };
            let states = expected.chunks_exact(asked.per_state).enumerate();
            let explained = states.map(|(state, values)| {
                let terms = values.iter().enumerate();
                terms.map(|(k, value)| prior(state * asked.per_state + k) * value.exp()).sum::<f64>().ln()
            });
            let objective = explained.sum::<f64>() / 3.0 - of_data;
            let mut weight = Vec::new();
            asked.with(false, |asked| {
                first.weigh(asked, &latent, &mut weight);
                first.explain(&seen, &slices(&done), asked, &weight).unwrap();
            });
            let gradient: Vec<f64> =
                values.iter().zip(first.reward.as_ref().unwrap().net.values()).map(|(old, new)| old - new).collect();
            (objective, gradient)
        };
        let (_, gradient) = with(&start);
        assert!(gradient.iter().filter(|slope| slope.abs() > 1e-3).count() > 20, "{gradient:?}");
        for (k, slope) in gradient.iter().enumerate() {
            let step = 1e-5;
            let [more, less] = [step, -step].map(|by| {
                let mut moved = start.clone();
                moved[k] += by;
                with(&moved).0
            });
            let difference = (more - less) / (2.0 * step);
            assert!(
                (difference - slope).abs() < 1e-7,
                "opponent {number}, parameter {k}: {slope}, expected {difference}"
            );
        }
    }
}

/// Where Q is r and the prior is uniform, what explains best is the logarithm of how the opponent acts, in every state and
/// whatever the agent did, plus anything that does not depend on b.
#[test]
fn an_inferred_reward_explains_what_was_done() {
    let player = |choices| Player { observation: Space::cube(1, -1.0, 1.0), action: Space::Discrete(choices) };
    let game = GameSpec::sequential(vec![player(2), player(3)]);
    let lane = Lane { run_seed: 0, seeds: vec![0, 1], instances: 1 };
    let seat = ModelSeat { agent: Seat { lane: &lane, game: &game, player: 0, tables: None }, opponent: 1 };
    let params = VariationalParams {
        reward: Reward::Inferred,
        hidden: vec![32],
        learning_rate: 1e-3,
        states: 16,
        ..VariationalParams::default()
    };
    let mut networks = Networks::new(&params, &seat);
    // Of ten times in a state, after either choice of the agent: 7, 2, 1 and 1, 3, 6. One state is seen twice as often.
    let habits = [(1.0f32, [7, 2, 1], 1), (-1.0, [1, 3, 6], 2)];
    let mut rows = Vec::new();
    for (seen, counts, times) in habits {
        for agent in [0.0f32, 1.0] {
            let choices = counts.iter().enumerate().flat_map(|(b, count)| vec![b as f32; count * times]);
            rows.extend(choices.map(|b| (seen, agent, b)));
        }
    }
    let both = |of: fn(&(f32, f32, f32)) -> f32| -> Vec<f32> { [&rows[..]; 2].concat().iter().map(of).collect() };
    let part = |action: Vec<f32>| PlayerBatch {
        observation: both(|row| row.0),
        action,
        reward: vec![0.0; 2 * rows.len()],
        next_observation: both(|row| row.0),
    };
    let recent = Batch {
        size: rows.len(),
        players: vec![part(both(|row| row.1)), part(both(|row| row.2))],
        terminated: vec![1.0; 2 * rows.len()],
    };
    let mut streams = seat.streams("test");
    for _ in 0..3000 {
        let step = networks.infer(&params, &recent, 0..rows.len(), &mut streams).unwrap();
        assert_eq!(Step::check([("reward", &step)]), Ok(()));
        networks.value.net = networks.reward.as_ref().unwrap().net.twin();
    }
    for (seen, counts, _) in habits {
        for agent in [0.0, 1.0] {
            let mut input = Vec::new();
            networks.value_input(&[seen; 6], &[agent; 6], &[&[0.0, 1.0, 2.0, 0.0, 1.0, 2.0]], 1, &mut input);
            let reward: Vec<f64> = networks.value.forward(&input).iter().map(|r| f64::from(*r)).collect();
            for seed in reward.chunks_exact(3) {
                let sum: f64 = seed.iter().map(|r| r.exp()).sum();
                for (r, count) in seed.iter().zip(counts) {
                    let (found, expected) = (r.exp() / sum, count as f64 / 10.0);
                    assert!((found - expected).abs() < 0.06, "in {seen} after {agent}: {found}, expected {expected}");
                }
            }
        }
    }
}

/// Without smoothing a narrow prior holds far actions too unlikely for a number; their logarithm is one all the same.
#[test]
fn the_prior_of_far_actions_is_finite() {
    let space = Space::cube(1, -1.0, 1.0);
    let mut networks = networks(&space, &space, 1, 0.0, |name| {
        let sizes = if ["prior", "model"].contains(&name) { vec![1, 2] } else { vec![6, 1] };
        let mut values = vec![0.0; sizes[0] * sizes[1] + sizes[1]];
        // Sigma is 0.01 + exp(-20) in the prior.
        if name == "prior" {
            values[3] = -20.0;
        }
        let net = Mlp::from_parameters(&sizes, &equiflow_neural::tensor(&values, &[1, values.len() as i64]));
        Learner::new(net, AdamParams::new(1e-3))
    });
    let (mut log_prior, mut expected) = (Vec::new(), Vec::new());
    let outputs = networks.prior.outputs(&[1.0]).to_vec();
    networks.log_prior(&[1.0], &[2.0], &mut log_prior);
    networks.prior.head.log_density(&outputs, &[2.0], &mut expected);
    assert!(log_prior[0] < -10_000.0 && (log_prior[0] - expected[0]).abs() < 1e-9, "{log_prior:?} {expected:?}");
    let asked = Asked {
        observation: vec![1.0],
        opponents: vec![vec![0.0], vec![0.9640]],
        action: vec![0.1],
        weight: vec![1.0],
        own_value: Vec::new(),
        count: 1,
        per_state: 1,
    };
    let step = asked.with(false, |asked| networks.reverse_kl(asked, &[2.0], &[2.0], 0.0));
    assert!(Step::check([("model", &step)]).is_ok(), "{step:?}");
}

params! {
    /// A one-shot game of two players with three choices each and random payoffs.
    pub struct Table {
        /// Of the payoffs.
        seed: u64 = 0,
    }
}

impl Table {
    fn payoff(&self, player: usize, choices: [usize; 2]) -> f32 {
        let mut stream = Stream::new(self.seed, player as u64, "test", &format!("payoff of {choices:?}"));
        stream.uniform(-3.0, 3.0)
    }
}

impl Game for Table {
    type Params = Self;
    type State = ();

    fn new(params: Self) -> Result<Self, Invalid> {
        Ok(params)
    }
    fn spec(&self) -> GameSpec {
        GameSpec::repeated(vec![Player::blind(Space::Discrete(3)); 2])
    }
    fn reset(&self, _: &mut Stream) {}
    fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
        out[0] = 1.0;
    }
    fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        let choices = [actions.choice(0), actions.choice(1)];
        rewards.copy_from_slice(&[0, 1].map(|player| self.payoff(player, choices)));
        Status::Terminal
    }
}

/// The probabilities `[3]` of a density of choices where there is nothing to see.
fn probabilities<T: Real>(density: &mut Density<T>) -> Vec<f64> {
    let (head, mut out) = (density.head.clone(), Vec::new());
    head.all_probabilities(density.outputs(&[T::from_f64(1.0)]), &mut out);
    out
}

/// rho(b) is proportional to pihat(b) exp(E_a r(a, b)), by both fits, for an agent that answers the proposal, for one with
/// one policy for all, and for one that acts upon what it predicts but answers with its marginal policy: with the networks'
/// own prior and policy, and with the game's true payoffs.
#[test]
fn the_model_of_a_one_shot_game_is_that_of_proposition_4_7() {
    let register = |app: &mut App| {
        app.register_game::<Table>("table");
        app.register_opponent_model::<Variational>("variational");
    };
    for (seed, fit, conditional, model_conditional) in [
        (4, "resampling", true, true),
        (5, "resampling", false, false),
        (5, "resampling", true, false),
        (3, "reverse_kl", true, true),
        (4, "reverse_kl", true, false),
    ] {
        let model = format!(
            "variational(fit: {fit}, hidden: [16], window: 256, states: 2, regulariser: 0, answers: 64,
                 conditional: {model_conditional})"
        );
        let run = format!(
            "Run(name: \"table\", seeds: 1, episodes: 4000, steps: 1, game: table(seed: {seed}), evaluate: (every: 4000), entries: [
                gpi(opponent_model: {model}, hidden: [16], batch: 32, warmup: 300, regulariser: 0,
                    conditional: {conditional}, temperature: constant(0.7))])"
        );
        let mut simulation = simulation(register, &run);
        assert_eq!(equiflow::testing::play_out(&mut simulation).1, []);
        let world = &mut simulation.app().world;
        let game = Table { seed };
        let mut moved = 0.0f64;
        let mut models = world.query::<(&mut Variational, &equiflow::opponent::ModelOf)>();
        let of: Vec<_> = models.iter(world).map(|(_, of)| *of).collect();
        for of in of {
            // Of the last step: the agent's choices with their probabilities, for each choice of the opponent.
            let question = &world.get::<Exchange>(of.agent).unwrap().questions[0];
            let mut answers: [f32; 9] = question.answers.weights[..9].try_into().unwrap();
            let marginal = question.marginal.clone();
            let (mut model, _) = models.iter_mut(world).find(|(_, other)| **other == of).unwrap();
            let networks = model.networks.get();
            if !model_conditional {
                // Its policy by what it is shown, averaged over what the model predicts.
                let rho = probabilities(&mut networks.model);
                let policies = marginal.answers.weights.chunks_exact(3);
                let by_shown: BTreeMap<usize, &[f32]> =
                    marginal.shown[0].iter().map(|shown| *shown as usize).zip(policies).collect();
                answers = std::array::from_fn(|i| {
                    by_shown.iter().map(|(shown, policy)| rho[*shown] as f32 * policy[i % 3]).sum()
                });
            }
            let smoothed = probabilities(&mut networks.prior).into_iter().map(|p| 0.9 * p + 0.1 / 3.0);
            let worth = |b: usize| -> f64 {
                let choices = |a: usize| if of.opponent == 1 { [a, b] } else { [b, a] };
                (0..3).map(|a| f64::from(answers[3 * b + a] * game.payoff(of.opponent, choices(a)))).sum()
            };
            let prior: Vec<f64> = smoothed.collect();
            let weights: Vec<f64> = (0..3).map(|b| prior[b] * worth(b).exp()).collect();
            let sum: f64 = weights.iter().sum();
            let rho = probabilities(&mut networks.model);
            for b in 0..3 {
                let expected = weights[b] / sum;
                assert!((rho[b] - expected).abs() < 0.02, "{fit}: rho {rho:?}, {weights:?} / {sum}, prior {prior:?}");
                moved = moved.max((expected - prior[b]).abs());
            }
        }
        assert!(moved > 0.1, "{fit}: the prior alone would do");
    }
}
