//! A network: nodes, and edges with affine latencies, without cycles. Who uses it is in [`instance`](crate::instance).

/// Largest a and b of a latency.
pub const MOST_LATENCY: f64 = 1e9;

/// The time that an edge takes when it carries `x`: a x + b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Time per unit of flow, from 0 to [`MOST_LATENCY`].
    pub a: f64,
    /// Time when empty, from 0 to [`MOST_LATENCY`].
    pub b: f64,
}

impl Latency {
    /// The time at flow `x`.
    #[inline]
    pub fn at(self, x: f64) -> f64 {
        self.a * x + self.b
    }
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Two decimals, and at least two digits that are not leading zeros.
        let short = |value: f64| {
            let digits = (1.0 - value.log10().floor()).clamp(2.0, 12.0) as usize;
            format!("{value:.digits$}").trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match (self.a, self.b) {
            (0.0, b) => write!(f, "{}", short(b)),
            (1.0, 0.0) => write!(f, "x"),
            (a, 0.0) => write!(f, "{}x", short(a)),
            (1.0, b) => write!(f, "{} + x", short(b)),
            (a, b) => write!(f, "{} + {}x", short(b), short(a)),
        }
    }
}

/// A one-way connection of two nodes. Several may connect the same two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// The node that it leaves.
    pub from: usize,
    /// The node that it enters.
    pub to: usize,
    /// How long it takes.
    pub latency: Latency,
}

/// Nodes and edges, without cycles.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// The nodes' names.
    pub nodes: Vec<String>,
    /// The edges.
    pub edges: Vec<Edge>,
    /// The edges, those that leave a node after all those that enter it.
    order: Vec<usize>,
}

impl Network {
    /// A network from its edges: (name of the node it leaves, name of the node it enters, latency). The nodes are those
    /// that the edges name.
    ///
    /// # Errors
    /// No edge, a latency that is negative or above [`MOST_LATENCY`], an edge from a node to itself, or a cycle.
    pub fn new<'a>(edges: impl IntoIterator<Item = (&'a str, &'a str, Latency)>) -> Result<Self, String> {
        let mut nodes: Vec<String> = Vec::new();
        let mut number = |name: &str| {
            nodes.iter().position(|node| node == name).unwrap_or_else(|| {
                nodes.push(name.to_owned());
                nodes.len() - 1
            })
        };
        let edges: Vec<Edge> = (edges.into_iter())
            .map(|(from, to, latency)| Edge { from: number(from), to: number(to), latency })
            .collect();
        if edges.is_empty() {
            return Err("the network has no edges; expected at least one, as `(from: \"s\", to: \"t\", a: 1)`".into());
        }
        for (index, edge) in edges.iter().enumerate() {
            let Latency { a, b } = edge.latency;
            let (from, to) = (&nodes[edge.from], &nodes[edge.to]);
            if [a, b].iter().any(|number| !(0.0..=MOST_LATENCY).contains(number)) {
                let found = format!("edge {index} ({from} -> {to}) has the latency {a} x + {b}");
                return Err(format!("{found}; expected a and b from 0 to {MOST_LATENCY:e}"));
            }
            if edge.from == edge.to {
                return Err(format!("edge {index} leads from {from} to itself; expected another node"));
            }
        }
        let order = edges_in_order(nodes.len(), &edges).map_err(|node| {
            format!("a cycle leads through node {}; expected a network without cycles, reverse an edge", nodes[node])
        })?;
        Ok(Self { nodes, edges, order })
    }

    /// The number of the node of this name.
    pub fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node == name)
    }

    /// The edges' numbers, those that leave a node after all those that enter it.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// An edge for messages, such as "edge 2 (a -> t)".
    pub fn name(&self, edge: usize) -> String {
        let Edge { from, to, .. } = self.edges[edge];
        format!("edge {edge} ({} -> {})", self.nodes[from], self.nodes[to])
    }
}

/// The edges in topological order (Kahn 1962).
///
/// # Errors
/// A node on a cycle.
fn edges_in_order(nodes: usize, edges: &[Edge]) -> Result<Vec<usize>, usize> {
    let mut entering = vec![0usize; nodes];
    edges.iter().for_each(|edge| entering[edge.to] += 1);
    let mut ready: std::collections::VecDeque<_> = (0..nodes).filter(|node| entering[*node] == 0).collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(node) = ready.pop_front() {
        for (number, edge) in edges.iter().enumerate().filter(|(_, edge)| edge.from == node) {
            order.push(number);
            entering[edge.to] -= 1;
            if entering[edge.to] == 0 {
                ready.push_back(edge.to);
            }
        }
    }
    if order.len() == edges.len() {
        return Ok(order);
    }
    // What is left has an edge in from what is left: going backwards ends up on a cycle.
    let mut node = (0..nodes).find(|node| entering[*node] > 0).unwrap_or_default();
    for _ in 0..nodes {
        let before = edges.iter().find(|edge| edge.to == node && entering[edge.from] > 0);
        node = before.map_or(node, |edge| edge.from);
    }
    Err(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Latency = Latency { a: 1.0, b: 0.0 };

    #[test]
    fn bad_networks_are_told() {
        let error = |edges: &[(&str, &str, Latency)]| Network::new(edges.iter().copied()).unwrap_err();
        assert!(error(&[]).starts_with("the network has no edges"));
        assert!(error(&[("s", "s", X)]).starts_with("edge 0 leads from s to itself"));
        let slow = Latency { a: 1.0, b: -0.5 };
        let text = error(&[("s", "t", X), ("s", "t", slow)]);
        assert!(text.starts_with("edge 1 (s -> t) has the latency 1 x + -0.5; expected a and b from 0"), "{text}");
        assert!(error(&[("s", "t", Latency { a: 1e300, b: 0.0 })]).ends_with("expected a and b from 0 to 1e9"));
        assert!(error(&[("s", "t", Latency { a: f64::NAN, b: 0.0 })]).contains("NaN"));
        let text = error(&[("s", "a", X), ("a", "b", X), ("b", "c", X), ("c", "a", X), ("c", "t", X)]);
        assert!(["a", "b", "c"].iter().any(|node| text.contains(&format!("through node {node};"))), "{text}");
    }

    #[test]
    fn edges_come_after_those_that_lead_to_them() {
        let network = Network::new([("b", "t", X), ("a", "b", X), ("s", "b", X), ("s", "a", X)]).unwrap();
        assert_eq!(network.order(), [2, 3, 1, 0]);
        assert_eq!((network.node("t"), network.node("u")), (Some(1), None));
    }

    #[test]
    fn latencies_read_as_written_on_paper() {
        let text = |a, b| Latency { a, b }.to_string();
        assert_eq!([text(1.0, 0.0), text(0.0, 1.0), text(0.5, 0.5)], ["x", "1", "0.5 + 0.5x"]);
        assert_eq!([text(1.0, 2.0), text(0.25, 0.0), text(0.0, 0.0)], ["2 + x", "0.25x", "0"]);
        assert_eq!([text(0.00427, 10.0), text(1.234, 0.05)], ["10 + 0.0043x", "0.05 + 1.23x"]);
    }
}
