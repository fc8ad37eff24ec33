//! The game: conformance, golden playthroughs, what a split can reach, refused networks, the picture.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use equiflow::episode::Episode;
use equiflow::game::{Game, Joint, Status};
use equiflow::params::Params;
use equiflow::stream::Stream;
use equiflow::testing::{conformance, playthrough, rows, simulation, values};
use routing::game::Routing;
use routing::params::{NetworkChoice, Observed, RoutingParams};

use NetworkChoice::*;

fn game(network: NetworkChoice, players: usize) -> Routing {
    Routing::new(RoutingParams { network, players, ..RoutingParams::default() }).unwrap()
}

fn small() -> NetworkChoice {
    Layered { width: 3, depth: 2, degree: 2, seed: 7 }
}

#[test]
fn conforms_and_plays_as_before() {
    for (name, network, players) in [
        ("pigou", Pigou, 2),
        ("three links", ThreeLinks, 3),
        ("braess", Braess, 2),
        ("braess without shortcut", BraessWithoutShortcut, 4),
        ("layered", small(), 2),
    ] {
        let game = game(network, players);
        conformance(&game);
        insta::assert_snapshot!(name, playthrough(&game, 6));
    }
    conformance(&game(Layered { width: 5, depth: 5, degree: 2, seed: 0 }, 3));
}

#[test]
fn with_observation_all_the_others_come_behind_the_own() {
    let params = RoutingParams { network: Braess, players: 3, observation: Observed::All, ..Default::default() };
    let game = Routing::new(RoutingParams { demands: vec![0.5, 2.0, 1.0], ..params }).unwrap();
    conformance(&game);
    insta::assert_snapshot!("braess all", playthrough(&game, 3));
}

/// Plays an episode in which everybody does the same in every step; the rewards summed per agent.
fn play(game: &Routing, actions: &[Vec<f32>]) -> Vec<f64> {
    let mut rng = Stream::new(0, 0, "test", "game");
    let joint: Vec<_> = actions.iter().map(|action| (&action[..], action.len())).collect();
    let mut state = game.reset(&mut rng);
    let mut rewards = vec![0.0; actions.len()];
    let mut sums = vec![0.0; actions.len()];
    for step in 1..=game.steps() {
        let status = game.step(&mut state, &Joint::new(&joint, 0), &mut rng, &mut rewards);
        assert_eq!(status == Status::Terminal, step == game.steps(), "step {step}");
        sums.iter_mut().zip(&rewards).for_each(|(sum, reward)| *sum += f64::from(*reward));
    }
    sums
}

/// What `view` makes of the first `steps` steps of that episode.
fn look<T>(game: &Routing, actions: &[Vec<f32>], steps: usize, view: impl Fn(&Episode<Routing>) -> T) -> T {
    let rng = Stream::new(0, 0, "test", "game");
    let start = game.reset(&mut rng.clone());
    let rows: Vec<Vec<f32>> = actions.iter().map(|action| action.repeat(steps)).collect();
    view(&Episode::new(&start, &rng, rows.iter().zip(actions).map(|(rows, action)| (&rows[..], action.len())), steps))
}

/// The Nash equilibria have shares of 2/3 and 1/3 and the like: numbers well inside the box.
#[test]
fn pigou_and_its_equilibrium_by_hand() {
    let game = game(Pigou, 2);
    // Each sends 1/3 of a total of 1 over x, 1/6 over 1: shares 2/3 and 1/3, a difference of logits of ln 2.
    let difference = 2.0f32.ln() / 5.0;
    let actions = vec![vec![0.2 + difference, 0.2]; 2];
    let cost = 2.0 / 3.0 * 2.0 / 3.0 + 1.0 / 3.0;
    for reward in play(&game, &actions) {
        assert!((reward + cost / 2.0).abs() < 1e-6, "{reward}");
    }
    for agent in 0..2 {
        let best = look(&game, &actions, 1, |episode| game.best_return(agent, episode)).unwrap();
        assert!((best + cost / 2.0).abs() < 1e-6, "{best}");
    }
    let figures = look(&game, &actions, 1, |episode| {
        let mut figures = Vec::new();
        game.figures(episode, &mut |name, value| figures.push((name.to_owned(), value)));
        figures
    });
    let names: Vec<_> = figures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["social_cost", "potential", "flow[0]", "flow[1]"]);
    // Phi = (1/9 + 1/9 + 4/9) / 2 + 1/3 = 2/3.
    let expected = [cost, 2.0 / 3.0, 2.0 / 3.0, 1.0 / 3.0];
    assert!(figures.iter().zip(expected).all(|((_, value), expected)| (value - expected).abs() < 1e-6), "{figures:?}");
    let spec = game.spec();
    assert!((spec.best_known.unwrap().value + 7.0 / 18.0).abs() < 1e-9);
}

/// Both send 1e-5 over the link x, which nobody's flow makes as slow as the other one.
#[test]
fn small_demands_have_a_best_known_value_too() {
    let params = RoutingParams { demands: vec![1e-5; 2], ..RoutingParams::default() };
    let best_known = Routing::new(params).unwrap().spec().best_known.unwrap();
    assert!((best_known.value / -2e-10 - 1.0).abs() < 1e-8, "{best_known:?}");
    assert!((best_known.tolerance / 2e-12 - 1.0).abs() < 1e-8, "{best_known:?}");
}

/// At the edge of the box a softmax leaves exp(-2 sharpness) behind.
#[test]
fn a_split_can_send_all_but_a_trace_over_one_edge() {
    let trace = 1.0 / (1.0 + 10.0f64.exp());
    let sum: f64 = play(&game(Pigou, 2), &[vec![-1.0, 1.0], vec![-1.0, 1.0]]).iter().sum();
    assert!((sum + trace * trace + (1.0 - trace)).abs() < 1e-6, "{sum}");
    let sum: f64 = play(&game(ThreeLinks, 2), &[vec![1.0, -1.0, -1.0], vec![1.0, -1.0, -1.0]]).iter().sum();
    assert!((sum + 1.0).abs() < 4.0 * trace, "{sum}");
}

/// What steps pay is what the instance says that the flows cost, relays included.
#[test]
fn rewards_are_the_costs_of_the_flows() {
    for network in [Braess, BraessWithoutShortcut, small()] {
        let game = game(network, 3);
        let spec = game.spec();
        let mut policy = Stream::new(0, 3, "test", "policy");
        let actions: Vec<Vec<f32>> = (spec.players.iter())
            .map(|player| {
                let mut row = vec![0.0; player.action.width()];
                player.action.sample(&mut policy, &mut row);
                row
            })
            .collect();
        let cut = look(&game, &actions, game.steps() - 1, |episode| game.flows(episode));
        assert_eq!(cut, None, "not everything has arrived");
        let flows = look(&game, &actions, game.steps(), |episode| game.flows(episode)).unwrap();
        for (agent, reward) in play(&game, &actions).into_iter().enumerate() {
            let cost = game.instance().cost(&flows, agent);
            assert!((reward + cost).abs() < 1e-6, "{reward} is not -{cost}");
        }
    }
}

#[test]
fn the_layered_network_has_the_edges_that_it_promises() {
    let game = game(Layered { width: 5, depth: 5, degree: 2, seed: 0 }, 10);
    assert_eq!(game.instance().network.edges.len(), 50);
    assert_eq!(game.spec().players[0].action.width(), 10);
    let latencies = |seed| {
        let params = RoutingParams { network: Layered { width: 2, depth: 2, degree: 1, seed }, ..Default::default() };
        params.instance().unwrap().network.edges.iter().map(|edge| edge.latency).collect::<Vec<_>>()
    };
    assert_eq!(latencies(1), latencies(1));
    assert_ne!(latencies(1), latencies(2));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let refused = |params: &str| {
        let params: RoutingParams = equiflow::run::ron_options().from_str(params).unwrap();
        let invalid = Routing::new(params).unwrap_err();
        format!("{}: {}", invalid.field.unwrap_or("-"), invalid.what)
    };
    let custom = |edges: &str, ends: &str| format!("(network: custom(edges: [{edges}], {ends}))");
    let two = "(from: \"s\", to: \"t\", a: 1), (from: \"s\", to: \"t\", b: 1)";
    let from_s_to_t = "sources: [\"s\"], sinks: [\"t\"]";
    let mut text = String::new();
    for params in [
        custom("", from_s_to_t),
        custom(&format!("{two}, (from: \"t\", to: \"s\", a: 1)"), from_s_to_t),
        custom("(from: \"s\", to: \"t\", a: -1)", from_s_to_t),
        custom("(from: \"s\", to: \"t\", a: 2e9), (from: \"s\", to: \"t\", b: 1)", from_s_to_t),
        custom("(from: \"s\", to: \"s\", a: 1)", from_s_to_t),
        custom(&format!("{two}, (from: \"u\", to: \"v\")"), from_s_to_t),
        custom(&format!("{two}, (from: \"u\", to: \"v\")"), "sources: [\"s\"], sinks: [\"v\"]"),
        custom(two, "sources: [\"s\"], sinks: [\"q\"]"),
        custom(two, "sources: [\"s\", \"s\", \"s\"], sinks: [\"t\"]"),
        custom(two, "sources: [\"s\"], sinks: [\"s\"]"),
        custom("(from: \"s\", to: \"t\", a: 1)", from_s_to_t),
        "(players: 0)".to_owned(),
        "(demands: [1])".to_owned(),
        "(demands: [1, 0])".to_owned(),
        "(demands: [1, 1e10])".to_owned(),
        "(demands: [1, 1e-7])".to_owned(),
        "(sharpness: 0)".to_owned(),
        "(network: layered(width: 0))".to_owned(),
        "(network: layered(degree: 6))".to_owned(),
    ] {
        text += &format!("{params}\n  {}\n", refused(&params));
    }
    insta::assert_snapshot!("refused", text);
    assert!(RoutingParams::FIELDS.iter().any(|field| field.name == "network"));
}

#[test]
fn the_picture_is_drawn_from_the_figures() {
    let game = game(Braess, 2);
    assert_eq!(game.drawing(&|_| None), None, "nothing was recorded");
    let nash = game.nash().unwrap().totals();
    let picture = game.drawing(&|name| match name {
        "social_cost" => Some(14.0 / 9.0),
        name => nash.get(name.strip_prefix("flow[")?.strip_suffix(']')?.parse::<usize>().ok()?).copied(),
    });
    insta::assert_snapshot!("braess picture", picture.unwrap());
}

/// A run of random play records exact gains and the game's figures at every evaluation.
#[test]
fn evaluations_record_nash_conv_and_figures() {
    let register = |app: &mut equiflow::app::App| {
        app.register_game::<Routing>("routing").register_algorithm::<random::Random>("random");
    };
    let run = "Run(name: \"r\", seeds: 2, episodes: 2, steps: 6, game: routing(network: braess), entries: [random()])";
    let rows = rows(&mut simulation(register, run));
    let values = |metric: &str| values(&rows, metric);
    // Halves everywhere: x = 1/2 on s -> a and s -> b, 1/4 on a -> t and the shortcut, 3/4 on b -> t.
    let social_cost = 0.25 + 0.5 + 0.25 + 0.75 * 0.75;
    // In three evaluations of two seeds.
    assert_eq!(values("social_cost"), [social_cost; 6]);
    let (gains, sums) = (values("gain"), values("nash_conv"));
    assert_eq!((gains.len(), sums.len(), values("gain_bound").len()), (12, 6, 0));
    assert!((sums[0] - gains[0] - gains[1]).abs() < 1e-12 && gains.iter().all(|gain| *gain > 1e-3), "{gains:?}");
    for (edge, flow) in [0.5, 0.5, 0.25, 0.75, 0.25].into_iter().enumerate() {
        assert_eq!(values(&format!("flow[{edge}]")), [flow; 6]);
    }
}
