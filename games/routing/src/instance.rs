//! A routing problem: a network, who wants to send how much from where to where, and what flows cost.

use crate::network::Network;

/// One agent's demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Commodity {
    /// The node where it starts.
    pub source: usize,
    /// The node where it goes to.
    pub sink: usize,
    /// How much.
    pub demand: f64,
}

/// A network with one commodity per agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The network.
    pub network: Network,
    /// What each agent wants.
    pub commodities: Vec<Commodity>,
    /// Per agent the edges that lie on a way from its source to its sink, in the order of [`Network::order`].
    usable: Vec<Vec<usize>>,
}

/// What every agent sends over every edge: x_i(e), with X(e) its sum over the agents.
#[derive(Clone, Debug, PartialEq)]
pub struct Flows {
    /// [agents, edges].
    values: Vec<f64>,
    edges: usize,
}

impl Flows {
    /// Nothing is sent.
    pub fn none(agents: usize, edges: usize) -> Self {
        Self { values: vec![0.0; agents * edges], edges }
    }

    /// Flows from their values, [agents, edges].
    pub fn from_values(values: Vec<f64>, edges: usize) -> Self {
        Self { values, edges }
    }

    /// What `agent` sends over each edge.
    pub fn of(&self, agent: usize) -> &[f64] {
        &self.values[agent * self.edges..(agent + 1) * self.edges]
    }

    /// What `agent` sends over each edge.
    pub fn of_mut(&mut self, agent: usize) -> &mut [f64] {
        &mut self.values[agent * self.edges..(agent + 1) * self.edges]
    }

    /// X(e): what each edge carries.
    pub fn totals(&self) -> Vec<f64> {
        let mut totals = vec![0.0; self.edges];
        for agent in self.values.chunks_exact(self.edges) {
            totals.iter_mut().zip(agent).for_each(|(total, x)| *total += x);
        }
        totals
    }
}

impl Instance {
    /// A network and what each agent wants of it. Demands are positive.
    ///
    /// # Errors
    /// An agent that cannot get where it wants to go, or an edge that nobody can use.
    pub fn new(network: Network, commodities: Vec<Commodity>) -> Result<Self, String> {
        let usable: Vec<_> = commodities.iter().map(|commodity| usable(&network, commodity)).collect();
        for (agent, (commodity, usable)) in commodities.iter().zip(&usable).enumerate() {
            let (source, sink) = (&network.nodes[commodity.source], &network.nodes[commodity.sink]);
            if commodity.source == commodity.sink {
                return Err(format!("agent {agent} starts at its sink {sink}; expected two different nodes"));
            }
            if usable.is_empty() {
                return Err(format!("agent {agent} cannot get from {source} to {sink}; add edges that lead there"));
            }
        }
        match (0..network.edges.len()).find(|edge| usable.iter().all(|usable| !usable.contains(edge))) {
            Some(edge) => {
                let name = network.name(edge);
                Err(format!("{name} lies on no way from a source to a sink; remove it, or are its nodes misspelt?"))
            }
            None => Ok(Self { network, commodities, usable }),
        }
    }

    /// The edges that lie on a way from the agent's source to its sink, those that leave a node after those that enter it.
    pub fn usable(&self, agent: usize) -> &[usize] {
        &self.usable[agent]
    }

    /// What an agent pays: sum_e x_i(e) l_e(X(e)).
    pub fn cost(&self, flows: &Flows, agent: usize) -> f64 {
        let totals = flows.totals();
        let edges = self.network.edges.iter().zip(flows.of(agent)).zip(&totals);
        edges.map(|((edge, x), total)| x * edge.latency.at(*total)).sum()
    }

    /// What all agents pay together: sum_e X(e) l_e(X(e)).
    pub fn social_cost(&self, flows: &Flows) -> f64 {
        let totals = flows.totals();
        self.network.edges.iter().zip(&totals).map(|(edge, total)| total * edge.latency.at(*total)).sum()
    }

    /// The exact potential: Phi = sum_e [a_e (sum_i x_i(e)^2 + X(e)^2) / 2 + b_e X(e)]. When one agent sends its
    /// flow another way, Phi changes by as much as that agent's cost; its minimum is the Nash equilibrium.
    pub fn potential(&self, flows: &Flows) -> f64 {
        let totals = flows.totals();
        let squares =
            |edge: usize| -> f64 { (0..self.commodities.len()).map(|agent| flows.of(agent)[edge].powi(2)).sum() };
        (self.network.edges.iter().zip(&totals).enumerate())
            .map(|(number, (edge, total))| {
                edge.latency.a * (squares(number) + total * total) / 2.0 + edge.latency.b * total
            })
            .sum()
    }
}

/// The edges that lie on a way from source to sink.
fn usable(network: &Network, commodity: &Commodity) -> Vec<usize> {
    let mut from_source = vec![false; network.nodes.len()];
    from_source[commodity.source] = true;
    for edge in network.order().iter().map(|edge| network.edges[*edge]) {
        from_source[edge.to] |= from_source[edge.from];
    }
    let mut to_sink = vec![false; network.nodes.len()];
    to_sink[commodity.sink] = true;
    for edge in network.order().iter().rev().map(|edge| network.edges[*edge]) {
        to_sink[edge.from] |= to_sink[edge.to];
    }
    let lies_between = |edge: &usize| from_source[network.edges[*edge].from] && to_sink[network.edges[*edge].to];
    network.order().iter().copied().filter(lies_between).collect()
}
