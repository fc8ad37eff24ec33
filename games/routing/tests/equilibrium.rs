//! Equilibria against known values, and what defines them.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use equiflow::stream::Stream;
use routing::equilibrium::{Solution, best_response, nash, social_optimum, wardrop};
use routing::instance::{Flows, Instance};
use routing::params::{NetworkChoice, RoutingParams};

use NetworkChoice::*;

fn instance(network: NetworkChoice, players: usize) -> Instance {
    RoutingParams { network, players, ..RoutingParams::default() }.instance().unwrap()
}

/// 50 edges.
fn layered(seed: u64, players: usize) -> Instance {
    instance(Layered { width: 5, depth: 5, degree: 2, seed }, players)
}

/// Random flows: every agent splits its demand at random at every node.
fn random_flows(instance: &Instance, rng: &mut Stream) -> Flows {
    let mut flows = Flows::none(instance.commodities.len(), instance.network.edges.len());
    for agent in 0..instance.commodities.len() {
        send(instance, &mut flows, agent, rng);
    }
    flows
}

/// Sends the agent's demand another way, split at random at every node.
fn send(instance: &Instance, flows: &mut Flows, agent: usize, rng: &mut Stream) {
    let edges = &instance.network.edges;
    let mut mass = vec![0.0; instance.network.nodes.len()];
    mass[instance.commodities[agent].source] = instance.commodities[agent].demand;
    let flows = flows.of_mut(agent);
    flows.fill(0.0);
    let usable = instance.usable(agent);
    let mut at = 0;
    while at < usable.len() {
        let node = edges[usable[at]].from;
        let out: Vec<usize> = usable[at..].iter().copied().take_while(|edge| edges[*edge].from == node).collect();
        let parts: Vec<f64> = out.iter().map(|_| f64::from(rng.unit()).powi(3) + 1e-3).collect();
        let sum: f64 = parts.iter().sum();
        for (edge, part) in out.iter().zip(parts) {
            flows[*edge] = mass[node] * part / sum;
            mass[edges[*edge].to] += flows[*edge];
        }
        at += out.len();
    }
}

/// The known costs at total demand 1, to four decimals: Nash costs of 2, 4 and 10 agents, social optimum, Wardrop limit, to the printed
/// digits.
#[test]
fn the_named_networks_have_the_known_costs() {
    for (network, at_nash, optimum, limit) in [
        (Pigou, [0.7778, 0.8400, 0.9174], 0.75, 1.0),
        (ThreeLinks, [0.6296, 0.6400, 0.6529], 0.625, 0.6667),
        (BraessWithoutShortcut, [1.5, 1.5, 1.5], 1.5, 1.5),
        (Braess, [1.5556, 1.6800, 1.8347], 1.5, 2.0),
    ] {
        for (players, expected) in [2, 4, 10].into_iter().zip(at_nash) {
            let instance = instance(network.clone(), players);
            let cost = |solution: Option<Solution>| instance.social_cost(&solution.unwrap().flows);
            for (what, found, expected) in [
                ("Nash", cost(nash(&instance)), expected),
                ("optimum", cost(social_optimum(&instance)), optimum),
                ("Wardrop", cost(wardrop(&instance)), limit),
            ] {
                assert!((found - expected).abs() <= 0.5e-4, "{network:?}, {players} agents, {what}: {found}");
            }
        }
    }
}

/// Each of N agents with demand 1 / N would like 1 / (N + 1) of the link x; for one agent, the optimum, that is 1 / 2.
#[test]
fn pigou_by_hand() {
    for players in [1, 2, 5] {
        let solution = nash(&instance(Pigou, players)).unwrap();
        for agent in 0..players {
            let x = solution.flows.of(agent);
            let (first, demand) = (1.0 / (players as f64 + 1.0), 1.0 / players as f64);
            assert!((x[0] - first).abs() < 1e-9 && (x[1] - (demand - first)).abs() < 1e-9, "{x:?}");
        }
    }
}

#[test]
fn at_equilibrium_nobody_gains() {
    let networks = [Pigou, ThreeLinks, Braess, BraessWithoutShortcut];
    let named = networks.into_iter().flat_map(|network| [2, 4, 10].map(|players| instance(network.clone(), players)));
    let random = (0..5).flat_map(|seed| [2, 10].map(|players| layered(seed, players)));
    for instance in named.chain(random) {
        let solution = nash(&instance).unwrap();
        let gains = (0..instance.commodities.len()).map(|agent| {
            let answer = best_response(&instance, &solution.flows, agent).unwrap();
            instance.cost(&solution.flows, agent) - instance.cost(&answer.flows, agent)
        });
        let nash_conv: f64 = gains.sum();
        assert!(nash_conv.abs() < 1e-8, "NashConv {nash_conv} after {} sweeps", solution.sweeps);
    }
}

/// The change of the potential by one agent's deviation is the change of its cost; and the Nash equilibrium has the least
/// potential of all flows tried.
#[test]
fn the_potential_is_exact() {
    let mut rng = Stream::new(0, 0, "test", "flows");
    for instance in [instance(Braess, 3), instance(ThreeLinks, 2), layered(1, 4)] {
        let least = instance.potential(&nash(&instance).unwrap().flows);
        for _ in 0..200 {
            let before = random_flows(&instance, &mut rng);
            let agent = rng.below(instance.commodities.len());
            let mut after = before.clone();
            send(&instance, &mut after, agent, &mut rng);
            let potential = instance.potential(&after) - instance.potential(&before);
            let cost = instance.cost(&after, agent) - instance.cost(&before, agent);
            assert!((potential - cost).abs() < 1e-12, "{potential} is not {cost}");
            assert!(instance.potential(&before) >= least - 1e-12);
        }
    }
}

/// The four solutions against random flows, and best responses against what a small change along any other flow brings.
#[test]
fn no_other_flows_are_better() {
    let mut rng = Stream::new(0, 0, "test", "flows");
    for instance in [instance(Braess, 2), layered(2, 3)] {
        let optimum = instance.social_cost(&social_optimum(&instance).unwrap().flows);
        for _ in 0..100 {
            let flows = random_flows(&instance, &mut rng);
            assert!(instance.social_cost(&flows) >= optimum - 1e-12);
            let agent = rng.below(instance.commodities.len());
            let answer = best_response(&instance, &flows, agent).unwrap();
            let least = instance.cost(&answer.flows, agent);
            let mut other = flows.clone();
            send(&instance, &mut other, agent, &mut rng);
            for share in [1e-6, 1e-3, 0.1, 1.0] {
                let mut mixed = answer.flows.clone();
                let towards = other.of(agent).to_vec();
                mixed.of_mut(agent).iter_mut().zip(towards).for_each(|(x, y)| *x += share * (y - *x));
                assert!(instance.cost(&mixed, agent) >= least - 1e-12);
            }
        }
    }
}

/// Many small agents: the equilibrium cost comes near the Wardrop limit from below on Pigou, as 1 - N / (N + 1)^2.
#[test]
fn many_small_agents_are_nearly_wardrop() {
    let instance = instance(Pigou, 60);
    let cost = instance.social_cost(&nash(&instance).unwrap().flows);
    assert!((cost - (1.0 - 60.0 / 61.0f64.powi(2))).abs() < 1e-9, "{cost}");
}

#[test]
fn agents_of_unequal_demands_and_ways_are_solved_too() {
    let edge = |from: &str, to: &str, a, b| routing::params::EdgeParams { from: from.into(), to: to.into(), a, b };
    let edges = vec![
        edge("s", "m", 1.0, 0.0),
        edge("s", "m", 0.5, 0.3),
        edge("u", "m", 0.0, 0.1),
        edge("m", "t", 2.0, 0.0),
        edge("m", "t", 0.0, 1.0),
        edge("m", "v", 1.0, 0.2),
        edge("v", "t", 0.1, 0.0),
    ];
    let network = Custom { edges, sources: vec!["s".into(), "u".into()], sinks: vec!["t".into(), "v".into()] };
    // Agent 1 has one way only here: fine for an instance, refused by the game.
    let params = RoutingParams { network, demands: vec![0.7, 0.4], ..RoutingParams::default() };
    let instance = params.instance().unwrap();
    let solution = nash(&instance).unwrap();
    assert_eq!(solution.flows.of(1)[2], 0.4);
    assert_eq!(solution.flows.of(1)[5], 0.4);
    let answer = best_response(&instance, &solution.flows, 0).unwrap();
    let gain = instance.cost(&solution.flows, 0) - instance.cost(&answer.flows, 0);
    assert!(gain.abs() < 1e-10, "{gain}");
}
