//! What a run file can set, and the named networks.

use equiflow::params::Invalid;
use equiflow::prelude::{Deserialize, Serialize, Stream};

use crate::instance::{Commodity, Instance};
use crate::network::{Latency, Network};

/// What an agent may want to send. With latencies up to [`MOST_LATENCY`](crate::network::MOST_LATENCY) no cost comes
/// near the largest number.
const DEMANDS: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// An edge in a run file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", deny_unknown_fields)]
pub struct EdgeParams {
    /// The name of the node that it leaves.
    pub from: String,
    /// The name of the node that it enters.
    pub to: String,
    /// Its latency per unit of flow, from 0 to 1e9.
    #[serde(default)]
    pub a: f64,
    /// Its latency when empty, from 0 to 1e9.
    #[serde(default)]
    pub b: f64,
}

/// The network of a game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkChoice {
    /// Pigou 1920: two links, x and 1.
    Pigou,
    /// Three links: x, 0.5 + 0.5 x, 1 + 0.2 x.
    ThreeLinks,
    /// Braess 1968: s -> a (x), s -> b (1), a -> t (1), b -> t (x), and the shortcut a -> b (0).
    Braess,
    /// The same without the shortcut.
    BraessWithoutShortcut,
    /// Between source and sink `depth` layers of `width` nodes, each with edges to `degree` nodes of the next layer: to the
    /// one opposite and those below it, round to the top; width (2 + (depth - 1) degree) edges. The latencies are drawn
    /// from `seed`: a and b uniform in [0, 1).
    Layered {
        /// Nodes of a layer.
        #[serde(default = "five")]
        width: usize,
        /// Layers between source and sink.
        #[serde(default = "five")]
        depth: usize,
        /// Edges that leave a node, but for those to the sink.
        #[serde(default = "two")]
        degree: usize,
        /// Of the latencies.
        #[serde(default)]
        seed: u64,
    },
    /// Any network without cycles. Its nodes are those that the edges name.
    Custom {
        /// The edges.
        edges: Vec<EdgeParams>,
        /// Where the agents start: one node for all, or one per agent.
        sources: Vec<String>,
        /// Where they go to: one node for all, or one per agent.
        sinks: Vec<String>,
    },
}

fn five() -> usize {
    5
}

fn two() -> usize {
    2
}

/// What an agent sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde", rename_all = "snake_case")]
pub enum Observed {
    /// Its own mass on every node.
    Own,
    /// That of all agents, its own first.
    All,
}

equiflow::params! {
    /// Routing: each agent splits its demand over the ways through a network of affine latencies a x + b, x being what an
    /// edge carries of all agents (the atomic splittable game; the paper's own routing game, after Mguni et al. 2021,
    /// is not available). A step is a layer of the network: at each of its nodes an agent splits the mass that it has
    /// there over the edges that leave it. It pays its flow times the latency of each edge. An episode lasts as many steps
    /// as the longest way has edges; a run needs at least so many `steps`.
    pub struct RoutingParams {
        /// `pigou`, `three_links`, `braess`, `braess_without_shortcut`, `layered(width: 5, depth: 5, degree: 2, seed: 0)`,
        /// or `custom(edges: [(from: "s", to: "t", a: 1, b: 0), ..], sources: ["s"], sinks: ["t"])`, with one source and
        /// sink for all agents or one for each.
        network: NetworkChoice = NetworkChoice::Pigou,
        /// How many agents.
        players: usize = 2,
        /// The demand of each agent, from 1e-6 to 1e6; an empty list stands for a total of 1 in equal parts.
        demands: Vec<f64> = Vec::new(),
        /// `own` (an agent sees its own mass on every node; only so is the game a potential game whatever the
        /// policies) or `all` (it sees everybody's).
        observation: Observed = Observed::Own,
        /// A split is the softmax of `sharpness` times the agent's numbers, which lie in [-1, 1]. Of two edges one gets
        /// at most 1 / (1 + exp(-2 sharpness)) of the mass: with 5 all but 1 in 22,000. Exact gains are over all splits:
        /// upper bounds on what actions can gain, negligibly above it with 5.
        sharpness: f64 = 5.0,
    }
}

/// As many are still reckoned with in seconds.
const MOST_PLAYERS: usize = 1_000;
/// Of a layered network.
const MOST_EDGES: usize = 10_000;

impl RoutingParams {
    /// The network and who wants to go where.
    ///
    /// # Errors
    /// The parameter that makes no sense.
    pub fn instance(&self) -> Result<Instance, Invalid> {
        if !(1..=MOST_PLAYERS).contains(&self.players) {
            return Err(Invalid::new("players", format!("there are {}; expected 1 to {MOST_PLAYERS}", self.players)));
        }
        let (network, sources, sinks) = self.network.build().map_err(|what| Invalid::new("network", what))?;
        let find = |names: &[String], what: &str| -> Result<Vec<usize>, Invalid> {
            if names.len() != 1 && names.len() != self.players {
                let what =
                    format!("{} {what} for {} players; expected one for all or one each", names.len(), self.players);
                return Err(Invalid::new("network", what));
            }
            let nodes = names.iter().map(|name| {
                let known = network.nodes.join(", ");
                network.node(name).ok_or_else(|| {
                    Invalid::new(
                        "network",
                        format!("no edge knows the node \"{name}\" of `{what}`; there are: {known}"),
                    )
                })
            });
            let nodes: Vec<usize> = nodes.collect::<Result<_, _>>()?;
            Ok((0..self.players).map(|player| nodes[player % nodes.len()]).collect())
        };
        let (sources, sinks) = (find(&sources, "sources")?, find(&sinks, "sinks")?);
        let demands = match self.demands.len() {
            0 => vec![1.0 / self.players as f64; self.players],
            given if given == self.players => self.demands.clone(),
            given => {
                let what = format!("{given} demands for {} players; expected one each, or none", self.players);
                return Err(Invalid::new("demands", what));
            }
        };
        if let Some(odd) = demands.iter().find(|demand| !DEMANDS.contains(*demand)) {
            let (least, most) = DEMANDS.into_inner();
            return Err(Invalid::new("demands", format!("a demand of {odd}; expected {least:e} to {most:e}")));
        }
        let commodities = (sources.into_iter().zip(sinks).zip(demands))
            .map(|((source, sink), demand)| Commodity { source, sink, demand })
            .collect();
        Instance::new(network, commodities).map_err(|what| Invalid::new("network", what))
    }
}

impl NetworkChoice {
    /// The network, the names of its sources and those of its sinks.
    fn build(&self) -> Result<(Network, Vec<String>, Vec<String>), String> {
        let latency = |a, b| Latency { a, b };
        let braess = [
            ("s", "a", latency(1.0, 0.0)),
            ("s", "b", latency(0.0, 1.0)),
            ("a", "t", latency(0.0, 1.0)),
            ("b", "t", latency(1.0, 0.0)),
            ("a", "b", latency(0.0, 0.0)),
        ];
        let network = match self {
            Self::Pigou => Network::new([("s", "t", latency(1.0, 0.0)), ("s", "t", latency(0.0, 1.0))]),
            Self::ThreeLinks => Network::new([
                ("s", "t", latency(1.0, 0.0)),
                ("s", "t", latency(0.5, 0.5)),
                ("s", "t", latency(0.2, 1.0)),
            ]),
            Self::Braess => Network::new(braess),
            Self::BraessWithoutShortcut => Network::new(braess.into_iter().take(4)),
            Self::Layered { width, depth, degree, seed } => layered(*width, *depth, *degree, *seed),
            Self::Custom { edges, sources, sinks } => {
                let edges = edges.iter().map(|edge| (&*edge.from, &*edge.to, latency(edge.a, edge.b)));
                return Ok((Network::new(edges)?, sources.clone(), sinks.clone()));
            }
        };
        Ok((network?, vec!["s".to_owned()], vec!["t".to_owned()]))
    }
}

/// See [`NetworkChoice::Layered`].
fn layered(width: usize, depth: usize, degree: usize, seed: u64) -> Result<Network, String> {
    if width == 0 || depth == 0 {
        return Err(format!("{depth} layers of {width} nodes; expected at least one of each"));
    }
    if (depth - 1).saturating_mul(degree).saturating_add(2).saturating_mul(width) > MOST_EDGES {
        return Err(format!("{depth} layers of {width} nodes; expected at most {MOST_EDGES} edges"));
    }
    if depth > 1 && !(1..=width).contains(&degree) {
        return Err(format!("a degree of {degree} among {width} nodes; expected 1 to {width}"));
    }
    let name = |layer: usize, place: usize| format!("{}.{}", layer + 1, place + 1);
    let mut ends = Vec::new();
    ends.extend((0..width).map(|place| ("s".to_owned(), name(0, place))));
    for layer in 1..depth {
        for place in 0..width {
            ends.extend((0..degree).map(|step| (name(layer - 1, place), name(layer, (place + step) % width))));
        }
    }
    ends.extend((0..width).map(|place| (name(depth - 1, place), "t".to_owned())));
    let mut rng = Stream::new(0, seed, "routing", "latencies");
    let mut draw = || f64::from(rng.unit());
    let edges: Vec<_> = ends.iter().map(|(from, to)| (&**from, &**to, Latency { a: draw(), b: draw() })).collect();
    Network::new(edges)
}
