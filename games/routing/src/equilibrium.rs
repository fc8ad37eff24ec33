//! Solving a routing problem: best responses, Nash equilibrium, social optimum and Wardrop equilibrium.
//!
//! All four make a sum of the same form least,
//!
//!   F = sum_e [a_e (T X(e)^2 + O sum_i x_i(e)^2) / 2 + b_e X(e)],
//!
//! a convex quadratic, over what some of the agents send: with T = O = 1 it is the potential, whose minimum over all
//! agents is the Nash equilibrium and over one agent its best response; with T = 2, O = 0 it is the social cost; with
//! T = 1, O = 0 Beckmann's sum, whose minimum is the Wardrop equilibrium (Beckmann, McGuire and Winsten 1956).
//!
//! The method is path equilibration (Dafermos and Sparrow 1969), which is pairwise Frank-Wolfe with exact line search
//! and paths as the vertices: an agent's path of least marginal cost is found in the network and takes mass from each of
//! its other paths, every time as much as makes F least. It ends when the duality gap
//! sum_i (sum_e m_i(e) x_i(e) - demand_i min_path m_i), m_i the marginal costs, which bounds F - min F as F is
//! convex, is below [`TOLERANCE`] of its first term.

use crate::instance::{Flows, Instance};

/// The duality gap that ends the search, relative to sum_i sum_e m_i(e) x_i(e).
pub const TOLERANCE: f64 = 1e-12;

/// Sweeps over all paths after which the search is given up.
const MAX_SWEEPS: usize = 50_000;

/// The weights T and O of F.
#[derive(Clone, Copy)]
struct Objective {
    total: f64,
    own: f64,
}

const POTENTIAL: Objective = Objective { total: 1.0, own: 1.0 };
const SOCIAL_COST: Objective = Objective { total: 2.0, own: 0.0 };
const BECKMANN: Objective = Objective { total: 1.0, own: 0.0 };

/// Flows that make a sum least.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The flows.
    pub flows: Flows,
    /// The duality gap: how far the sum is at most above its least value.
    pub gap: f64,
    /// Sweeps over all paths that it took.
    pub sweeps: usize,
}

/// The flows of the agents when `agent` answers best to the others' in `flows`. No other answer costs it less by more
/// than the gap. `None` where the search was given up.
pub fn best_response(instance: &Instance, flows: &Flows, agent: usize) -> Option<Solution> {
    solve(instance, POTENTIAL, flows.clone(), agent..agent + 1)
}

/// The Nash equilibrium: nobody can pay less by sending its own another way. The gains of all agents together are not
/// above the gap. What an edge with a > 0 carries is unique.
pub fn nash(instance: &Instance) -> Option<Solution> {
    solve_for_all(instance, POTENTIAL)
}

/// The flows of least social cost.
pub fn social_optimum(instance: &Instance) -> Option<Solution> {
    solve_for_all(instance, SOCIAL_COST)
}

/// The Wardrop equilibrium: every used path is a fastest one. What the Nash equilibrium tends to when the same demands
/// fall to more and more, smaller and smaller agents.
pub fn wardrop(instance: &Instance) -> Option<Solution> {
    solve_for_all(instance, BECKMANN)
}

fn solve_for_all(instance: &Instance, objective: Objective) -> Option<Solution> {
    let agents = instance.commodities.len();
    solve(instance, objective, Flows::none(agents, instance.network.edges.len()), 0..agents)
}

/// A path, by its edges, and what goes over it.
struct Path {
    edges: Vec<usize>,
    flow: f64,
}

/// Makes the objective least over the flows of the agents `movers`; the others' stay.
fn solve(instance: &Instance, objective: Objective, flows: Flows, movers: std::ops::Range<usize>) -> Option<Solution> {
    let mut search = Search { instance, objective, totals: Vec::new(), flows };
    // Everything on the path that is fastest when the movers are not there, or those before are.
    movers.clone().for_each(|agent| search.flows.of_mut(agent).fill(0.0));
    search.totals = search.flows.totals();
    let mut paths: Vec<Vec<Path>> = Vec::new();
    for agent in movers.clone() {
        let (edges, _) = search.cheapest(agent);
        let demand = instance.commodities[agent].demand;
        edges.iter().for_each(|edge| search.add(agent, *edge, demand));
        paths.push(vec![Path { edges, flow: demand }]);
    }
    for sweeps in 0..MAX_SWEEPS {
        let (mut gap, mut scale) = (0.0, 0.0);
        let mut cheapest = Vec::new();
        for agent in movers.clone() {
            let (edges, least) = search.cheapest(agent);
            let paid: f64 = instance
                .usable(agent)
                .iter()
                .map(|edge| search.marginal(agent, *edge) * search.flows.of(agent)[*edge])
                .sum();
            gap += paid - least * instance.commodities[agent].demand;
            scale += paid;
            cheapest.push(edges);
        }
        if gap <= TOLERANCE * scale {
            return Some(Solution { flows: search.flows, gap, sweeps });
        }
        for ((agent, paths), edges) in movers.clone().zip(&mut paths).zip(cheapest) {
            search.equilibrate(agent, paths, edges);
        }
        search.recount(movers.clone().zip(&paths));
    }
    None
}

struct Search<'a> {
    instance: &'a Instance,
    objective: Objective,
    totals: Vec<f64>,
    flows: Flows,
}

impl Search<'_> {
    /// How much F grows per unit that the agent sends over the edge.
    fn marginal(&self, agent: usize, edge: usize) -> f64 {
        let latency = self.instance.network.edges[edge].latency;
        let Objective { total, own } = self.objective;
        latency.a * (total * self.totals[edge] + own * self.flows.of(agent)[edge]) + latency.b
    }

    fn add(&mut self, agent: usize, edge: usize, flow: f64) {
        self.flows.of_mut(agent)[edge] += flow;
        self.totals[edge] += flow;
    }

    /// The agent's path of least marginal cost, and that cost.
    fn cheapest(&self, agent: usize) -> (Vec<usize>, f64) {
        let network = &self.instance.network;
        let commodity = self.instance.commodities[agent];
        // Per node the least cost from it to the sink, and the edge to take.
        let mut onwards = vec![(f64::INFINITY, usize::MAX); network.nodes.len()];
        onwards[commodity.sink].0 = 0.0;
        for &number in self.instance.usable(agent).iter().rev() {
            let edge = network.edges[number];
            let cost = self.marginal(agent, number) + onwards[edge.to].0;
            if cost < onwards[edge.from].0 {
                onwards[edge.from] = (cost, number);
            }
        }
        let mut path = Vec::new();
        let mut node = commodity.source;
        while node != commodity.sink {
            let edge = onwards[node].1;
            path.push(edge);
            node = network.edges[edge].to;
        }
        (path, onwards[commodity.source].0)
    }

    /// Moves mass between the agent's paths and the cheapest one, pair by pair, each time to the least F.
    fn equilibrate(&mut self, agent: usize, paths: &mut Vec<Path>, cheapest: Vec<usize>) {
        let target = paths.iter().position(|path| path.edges == cheapest).unwrap_or_else(|| {
            paths.push(Path { edges: cheapest, flow: 0.0 });
            paths.len() - 1
        });
        for other in (0..paths.len()).filter(|other| *other != target) {
            let only = |one: usize, two: usize| -> Vec<usize> {
                paths[one].edges.iter().copied().filter(|edge| !paths[two].edges.contains(edge)).collect()
            };
            let (leave, enter) = (only(other, target), only(target, other));
            let sum = |edges: &[usize]| -> f64 { edges.iter().map(|edge| self.marginal(agent, *edge)).sum() };
            let slope = sum(&leave) - sum(&enter);
            let weight = self.objective.total + self.objective.own;
            let curvature: f64 =
                leave.iter().chain(&enter).map(|edge| weight * self.instance.network.edges[*edge].latency.a).sum();
            let wanted = if slope == 0.0 { 0.0 } else { slope / curvature };
            let shift = wanted.clamp(-paths[target].flow, paths[other].flow);
            leave.iter().for_each(|edge| self.add(agent, *edge, -shift));
            enter.iter().for_each(|edge| self.add(agent, *edge, shift));
            paths[other].flow -= shift;
            paths[target].flow += shift;
        }
        paths.retain(|path| path.flow > 0.0);
    }

    /// The flows from the paths, so that rounding does not pile up.
    fn recount<'p>(&mut self, paths: impl Iterator<Item = (usize, &'p Vec<Path>)>) {
        for (agent, paths) in paths {
            let flows = self.flows.of_mut(agent);
            flows.fill(0.0);
            for path in paths {
                path.edges.iter().for_each(|edge| flows[*edge] += path.flow);
            }
        }
        self.totals = self.flows.totals();
    }
}
