//! The network laid out in steps. A node's layer is the number of edges of the longest way to it, so every edge leads to
//! a later layer; one that skips layers gets relay places in between, where its mass waits and pays nothing (its whole
//! latency is paid when it is entered).

use crate::instance::Instance;

/// Where mass can be in a step, and where it can go from there.
#[derive(Clone, Debug)]
pub struct Layers {
    /// Per step the edges that leave its nodes.
    pub edges: Vec<Vec<usize>>,
    /// Per step the relays of its layer, each with the place to which its mass moves on.
    pub relays: Vec<Vec<(usize, usize)>>,
    /// Per edge the place that its mass enters: a node or a relay.
    pub enters: Vec<usize>,
    /// Per agent and step the nodes where it can have mass.
    pub choices: Vec<Vec<Vec<Choice>>>,
    /// The layer of every place: the nodes, then the relays.
    pub layer_of: Vec<usize>,
    /// Per agent how many numbers its widest step needs.
    pub widths: Vec<usize>,
}

/// A node at which an agent splits its mass over edges.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The node.
    pub node: usize,
    /// The edges.
    pub edges: Vec<usize>,
    /// Where the numbers of this split begin in the agent's action, one per edge; unused where there is one edge.
    pub first: usize,
}

impl Layers {
    /// Lays out an instance's network.
    pub fn new(instance: &Instance) -> Self {
        let network = &instance.network;
        let mut layer_of = vec![0; network.nodes.len()];
        for edge in network.order().iter().map(|edge| network.edges[*edge]) {
            layer_of[edge.to] = layer_of[edge.to].max(layer_of[edge.from] + 1);
        }
        let steps = layer_of.iter().copied().max().unwrap_or_default();
        let mut edges = vec![Vec::new(); steps];
        let mut relays = vec![Vec::new(); steps];
        let mut enters = Vec::new();
        for (number, edge) in network.edges.iter().enumerate() {
            let (from, to) = (layer_of[edge.from], layer_of[edge.to]);
            edges[from].push(number);
            let skipped = to - from - 1;
            let first = layer_of.len();
            enters.push(if skipped > 0 { first } else { edge.to });
            for relay in 0..skipped {
                let next = if relay + 1 < skipped { first + relay + 1 } else { edge.to };
                relays[from + 1 + relay].push((first + relay, next));
                layer_of.push(from + 1 + relay);
            }
        }
        let mut widths = Vec::new();
        let choices = (0..instance.commodities.len()).map(|agent| {
            let mut widest = 0;
            let steps: Vec<Vec<Choice>> = edges
                .iter()
                .map(|edges| {
                    let mut choices: Vec<Choice> = Vec::new();
                    for &edge in edges.iter().filter(|edge| instance.usable(agent).contains(edge)) {
                        let node = network.edges[edge].from;
                        match choices.iter_mut().find(|choice| choice.node == node) {
                            Some(choice) => choice.edges.push(edge),
                            None => choices.push(Choice { node, edges: vec![edge], first: 0 }),
                        }
                    }
                    let mut width = 0;
                    for choice in choices.iter_mut().filter(|choice| choice.edges.len() > 1) {
                        choice.first = width;
                        width += choice.edges.len();
                    }
                    widest = widest.max(width);
                    choices
                })
                .collect();
            widths.push(widest);
            steps
        });
        let choices = choices.collect();
        Self { edges, relays, enters, choices, layer_of, widths }
    }

    /// How many steps it takes until everything has arrived.
    pub fn steps(&self) -> usize {
        self.edges.len()
    }

    /// How many places there are: nodes and relays.
    pub fn places(&self) -> usize {
        self.layer_of.len()
    }
}
