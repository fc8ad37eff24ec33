//! The game: agents move their masses through the network, layer by layer.

use equiflow::prelude::*;

use crate::drawing::Picture;
use crate::equilibrium::{best_response, nash, social_optimum};
use crate::instance::{Flows, Instance};
use crate::layers::Layers;
use crate::params::{Observed, RoutingParams};

/// The routing game.
#[derive(Debug)]
pub struct Routing {
    instance: Instance,
    layers: Layers,
    observation: Observed,
    sharpness: f64,
    /// The Nash equilibrium; `None` where it could not be computed.
    nash: Option<Flows>,
}

/// Where everybody's mass is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "equiflow::serde")]
pub struct Traffic {
    /// Steps done: the layer in which the masses are that have not arrived.
    step: usize,
    /// Mass of each agent on each place: [agents, places].
    mass: Vec<f64>,
    /// What each agent has sent over each edge so far: [agents, edges].
    flow: Vec<f64>,
}

impl Routing {
    /// The network and who wants to go where.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The Nash equilibrium; `None` where it could not be computed.
    pub fn nash(&self) -> Option<&Flows> {
        self.nash.as_ref()
    }

    /// How many steps it takes until everything has arrived.
    pub fn steps(&self) -> usize {
        self.layers.steps()
    }

    /// The flows of an episode; `None` when it was cut before everything had arrived.
    pub fn flows(&self, episode: &Episode<Self>) -> Option<Flows> {
        let mut traffic = episode.start.clone();
        for actions in episode.joints() {
            self.advance(&mut traffic, &actions);
        }
        let edges = self.instance.network.edges.len();
        (traffic.step == self.steps()).then(|| Flows::from_values(traffic.flow, edges))
    }

    /// Everybody splits the masses of the present layer and sends them on.
    fn advance(&self, traffic: &mut Traffic, actions: &Joint) {
        let (places, edges) = (self.layers.places(), self.instance.network.edges.len());
        for (agent, choices) in self.layers.choices.iter().enumerate() {
            let mass = &mut traffic.mass[agent * places..(agent + 1) * places];
            let flow = &mut traffic.flow[agent * edges..(agent + 1) * edges];
            for &(relay, next) in &self.layers.relays[traffic.step] {
                mass[next] += std::mem::take(&mut mass[relay]);
            }
            for choice in &choices[traffic.step] {
                let numbers = match choice.edges.len() {
                    1 => &[0.0],
                    count => &actions.of(agent)[choice.first..choice.first + count],
                };
                // The softmax: exp(sharpness a_k) over its sum, the greatest exponent moved to 0.
                let greatest = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let weight = |number: f32| (self.sharpness * f64::from(number - greatest)).exp();
                let sum: f64 = numbers.iter().copied().map(weight).sum();
                let here = std::mem::take(&mut mass[choice.node]);
                for (&edge, &number) in choice.edges.iter().zip(numbers) {
                    flow[edge] = here * weight(number) / sum;
                    mass[self.layers.enters[edge]] += flow[edge];
                }
            }
        }
        traffic.step += 1;
    }
}

impl Game for Routing {
    type Params = RoutingParams;
    type State = Traffic;

    fn new(params: RoutingParams) -> Result<Self, Invalid> {
        if !(params.sharpness > 0.0 && params.sharpness.is_finite()) {
            return Err(Invalid::new("sharpness", format!("{} moves nothing; expected more than 0", params.sharpness)));
        }
        let instance = params.instance()?;
        let layers = Layers::new(&instance);
        if let Some(agent) = layers.widths.iter().position(|width| *width == 0) {
            let what = format!("agent {agent} has one way only; expected a network that leaves everybody a choice");
            return Err(Invalid::new("network", what));
        }
        let nash = nash(&instance).map(|solution| solution.flows);
        Ok(Self { instance, layers, observation: params.observation, sharpness: params.sharpness, nash })
    }

    fn spec(&self) -> GameSpec {
        let seen = match self.observation {
            Observed::Own => 1,
            Observed::All => self.layers.widths.len(),
        };
        let players = self.layers.widths.iter().map(|&width| Player {
            observation: Space::cube(seen * self.layers.places(), 0.0, 1.0),
            action: Space::cube(width, -1.0, 1.0),
        });
        let players: Vec<_> = players.collect();
        let best_known = self.nash.as_ref().map(|flows| {
            // To nine digits, whatever its size: the solver's error is in the twelfth.
            let value = -self.instance.social_cost(flows) / players.len() as f64;
            let value = format!("{value:.8e}").parse().unwrap_or(value);
            BestKnown {
                value,
                tolerance: 0.01 * value.abs(),
                both_sides: true,
                source: "the Nash equilibrium, within 1% of its cost".to_owned(),
                place: None,
            }
        });
        let least_steps = u32::try_from(self.layers.edges.len()).unwrap_or(u32::MAX);
        GameSpec { best_known, least_steps, ..GameSpec::sequential(players) }
    }

    fn reset(&self, _: &mut Stream) -> Traffic {
        let (agents, places) = (self.layers.widths.len(), self.layers.places());
        let mut mass = vec![0.0; agents * places];
        for (agent, commodity) in self.instance.commodities.iter().enumerate() {
            mass[agent * places + commodity.source] = commodity.demand;
        }
        Traffic { step: 0, mass, flow: vec![0.0; agents * self.instance.network.edges.len()] }
    }

    /// The share of its demand that an agent has on each place; with `observation: all` its own, then those of the other
    /// agents in their order.
    fn observe(&self, traffic: &Traffic, player: usize, out: &mut [f32]) {
        let places = self.layers.places();
        let others = (0..self.layers.widths.len()).filter(|other| *other != player);
        for (out, agent) in out.chunks_exact_mut(places).zip(std::iter::once(player).chain(others)) {
            let demand = self.instance.commodities[agent].demand;
            for (out, mass) in out.iter_mut().zip(&traffic.mass[agent * places..(agent + 1) * places]) {
                // Rounding may have added a last bit to the sum of all parts.
                *out = (mass / demand).min(1.0) as f32;
            }
        }
    }

    fn step(&self, traffic: &mut Traffic, actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
        let layer = &self.layers.edges[traffic.step];
        self.advance(traffic, actions);
        let edges = self.instance.network.edges.len();
        for (agent, reward) in rewards.iter_mut().enumerate() {
            let cost = |edge: &usize| {
                let total: f64 = traffic.flow[*edge..].iter().step_by(edges).sum();
                traffic.flow[agent * edges + edge] * self.instance.network.edges[*edge].latency.at(total)
            };
            *reward = -layer.iter().map(cost).sum::<f64>() as f32;
        }
        if traffic.step == self.steps() { Status::Terminal } else { Status::Running }
    }

    /// A convex quadratic problem over all splits; the answer's duality gap is below 1e-12 of the agent's marginal
    /// costs. Actions cannot leave an edge empty: of two, each keeps 1 / (1 + exp(2 sharpness)) at least. So the gain is
    /// an upper bound on what actions can gain, negligibly above it at the default sharpness (1 in 22,000).
    fn best_return(&self, player: usize, episode: &Episode<Self>) -> Option<f64> {
        let answer = best_response(&self.instance, &self.flows(episode)?, player)?;
        Some(-self.instance.cost(&answer.flows, player))
    }

    /// `social_cost`, `potential`, and per edge `flow[e]`, what it carries of all agents.
    fn figures(&self, episode: &Episode<Self>, put: &mut dyn FnMut(&str, f64)) {
        let Some(flows) = self.flows(episode) else { return };
        put("social_cost", self.instance.social_cost(&flows));
        put("potential", self.instance.potential(&flows));
        for (edge, total) in flows.totals().into_iter().enumerate() {
            put(&format!("flow[{edge}]"), total);
        }
    }

    fn drawing(&self, figure: &dyn Fn(&str) -> Option<f64>) -> Option<String> {
        let edges = 0..self.instance.network.edges.len();
        let flows: Vec<f64> = edges.map(|edge| figure(&format!("flow[{edge}]"))).collect::<Option<_>>()?;
        let optimum = social_optimum(&self.instance).map(|solution| self.instance.social_cost(&solution.flows));
        let picture = Picture {
            instance: &self.instance,
            layers: &self.layers,
            flows: &flows,
            social_cost: figure("social_cost")?,
            nash: self.nash.as_ref(),
            optimum,
        };
        Some(picture.svg())
    }
}
