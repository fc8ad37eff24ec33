//! The network with its flows as an SVG picture: layers from left to right, edges as wide as what they carry.

use std::fmt::Write;

use crate::instance::{Flows, Instance};
use crate::layers::Layers;

/// Distance of two layers, and of two places of a layer, in px.
const COLUMN: f64 = 230.0;
const ROW: f64 = 104.0;
/// Room around the network: left and right, above, below.
const SIDE: f64 = 60.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 80.0;
/// Least width of a picture, that of its texts.
const TEXT: f64 = 790.0;
/// Radius of a node.
const NODE: f64 = 20.0;
/// Width of an edge that carries nothing, and what the whole demand adds to it.
const THIN: f64 = 1.2;
const WIDE: f64 = 12.0;
/// How far apart edges are that connect the same two nodes.
const SPREAD: f64 = 84.0;
/// More edges than this get short labels, near their starts, since they cross in the middle.
const MANY: usize = 12;
/// Shares of an edge at which its label may stand, the best first.
const NEAR_THE_MIDDLE: [f64; 7] = [0.5, 0.4, 0.6, 0.32, 0.68, 0.26, 0.74];
const NEAR_THE_START: [f64; 7] = [0.32, 0.68, 0.26, 0.74, 0.22, 0.78, 0.5];

type Point = (f64, f64);

/// What is drawn: the flows, and what they are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// The problem.
    pub instance: &'a Instance,
    /// Its layers.
    pub layers: &'a Layers,
    /// What each edge carries of all agents.
    pub flows: &'a [f64],
    /// What the flows cost all agents together.
    pub social_cost: f64,
    /// The Nash equilibrium.
    pub nash: Option<&'a Flows>,
    /// The least social cost.
    pub optimum: Option<f64>,
}

impl Picture<'_> {
    /// The picture as the text of an SVG file.
    pub fn svg(&self) -> String {
        let network = &self.instance.network;
        let places = place(self.instance, self.layers);
        let parallel = (0..network.edges.len()).map(|edge| bend(self.instance, edge).abs()).fold(0.0, f64::max);
        let (right, low) = places.iter().fold((0.0f64, 0.0f64), |(x, y), place| (x.max(place.0), y.max(place.1)));
        // How far bent edges reach above and below the nodes.
        let reach = 0.75 * parallel;
        let (width, height) = ((right + SIDE).max(TEXT), low + 2.0 * reach + TOP + BOTTOM);
        let (aside, down) = ((width - right - SIDE) / 2.0, TOP + reach);
        let places: Vec<Point> = places.into_iter().map(|(x, y)| (x + aside, y + down)).collect();

        let nash = self.nash.map(Flows::totals);
        let demand: f64 = self.instance.commodities.iter().map(|commodity| commodity.demand).sum();
        let (mut lines, mut labels, mut nodes) = (String::new(), String::new(), String::new());
        let mut taken: Vec<Point> = Vec::new();
        let many = network.edges.len() > MANY;
        for (number, edge) in network.edges.iter().enumerate() {
            let (flow, latency) = (self.flows[number], edge.latency);
            let stroke = THIN + WIDE * (flow / demand).clamp(0.0, 1.0);
            let curve = Curve::new(self.instance, self.layers, number, &places);
            let compared = nash.as_ref().map(|nash| format!(" ({:.3})", nash[number])).unwrap_or_default();
            let dash = if flow < 0.005 * demand { " stroke-dasharray=\"5 4\"" } else { "" };
            let (name, now) = (escape(&network.name(number)), latency.at(flow));
            let _ = writeln!(
                lines,
                "<g><title>{name}: flow {flow:.4}{compared}, latency {latency} = {now:.4}</title>{}</g>",
                curve.svg(stroke, dash)
            );
            let at = curve.label_place(if many { &NEAR_THE_START } else { &NEAR_THE_MIDDLE }, &taken);
            taken.push(at);
            let first = if many { format!("{flow:.2}") } else { format!("{flow:.3}{compared}") };
            for (text, y, style) in [
                (first, at.1 - 1.0, "font-size=\"13\" fill=\"#111\""),
                (latency.to_string(), at.1 + 12.0, "font-size=\"11\" fill=\"#333\""),
            ] {
                let _ = writeln!(
                    labels,
                    "<text x=\"{:.1}\" y=\"{y:.1}\" {style} stroke=\"white\" stroke-width=\"4\" paint-order=\"stroke\" \
                     text-anchor=\"middle\">{text}</text>",
                    at.0
                );
            }
        }
        for (name, (x, y)) in network.nodes.iter().zip(&places) {
            let _ = writeln!(
                nodes,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{NODE}\" fill=\"white\" stroke=\"#111\" stroke-width=\"1.5\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"14\" text-anchor=\"middle\">{}</text>",
                y + 5.0,
                escape(name)
            );
        }
        let brackets = if many || nash.is_none() { "" } else { " (in brackets: Nash equilibrium)" };
        let nash_cost = self.nash.map(|nash| self.instance.social_cost(nash));
        let costs = [("Nash equilibrium", nash_cost), ("social optimum", self.optimum)];
        let costs = costs.iter().filter_map(|(name, cost)| Some(format!("; {name} {:.4}", (*cost)?)));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"Noto Sans, Open Sans, Arial, Helvetica, sans-serif\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"20\" y=\"32\" font-size=\"17\">Total cost {:.4}{}</text>\n\
             {lines}{nodes}{labels}\
             <text x=\"20\" y=\"{:.0}\" font-size=\"11\" fill=\"#555\">Width and number of an edge: flow of all agents, mean \
             over the seeds at the last evaluation{brackets}; below it: latency.</text>\n</svg>\n",
            self.social_cost,
            costs.collect::<String>(),
            height - 18.0
        )
    }
}

/// The middle of every place, nodes and relays: by layer from left to right, each layer centred on the tallest.
fn place(instance: &Instance, layers: &Layers) -> Vec<Point> {
    let columns: Vec<Vec<usize>> = (0..=layers.steps())
        .map(|layer| (0..layers.places()).filter(|place| layers.layer_of[*place] == layer).collect())
        .collect();
    // Pairs of places of successive layers that are connected.
    let mut ways: Vec<(usize, usize)> = layers.relays.iter().flatten().copied().collect();
    ways.extend(instance.network.edges.iter().zip(&layers.enters).map(|(edge, enters)| (edge.from, *enters)));
    let sorted = by_barycentre(&columns, &ways);
    let columns = if crossings(&sorted, &ways) < crossings(&columns, &ways) { sorted } else { columns };

    let tallest = columns.iter().map(Vec::len).max().unwrap_or_default();
    let mut points = vec![(0.0, 0.0); layers.places()];
    for (layer, column) in columns.iter().enumerate() {
        for (row, &place) in column.iter().enumerate() {
            let above = (tallest - column.len()) as f64 / 2.0;
            points[place] = (SIDE + layer as f64 * COLUMN, (row as f64 + above) * ROW);
        }
    }
    points
}

/// The columns, each in the order of the mean row of where its places are reached from (Sugiyama, Tagawa and Toda 1981).
fn by_barycentre(columns: &[Vec<usize>], ways: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut columns = columns.to_vec();
    for layer in 1..columns.len() {
        let before = columns[layer - 1].clone();
        let mean = |place: &usize| {
            let rows: Vec<f64> = (ways.iter().filter(|(_, to)| to == place))
                .filter_map(|(from, _)| Some(before.iter().position(|other| other == from)? as f64))
                .collect();
            rows.iter().sum::<f64>() / rows.len().max(1) as f64
        };
        columns[layer].sort_by(|a, b| mean(a).total_cmp(&mean(b)));
    }
    columns
}

/// How many pairs of ways cross.
fn crossings(columns: &[Vec<usize>], ways: &[(usize, usize)]) -> usize {
    columns
        .windows(2)
        .map(|pair| {
            let row = |column: &[usize], place: usize| column.iter().position(|other| *other == place);
            let rows: Vec<_> =
                ways.iter().filter_map(|&(from, to)| Some((row(&pair[0], from)?, row(&pair[1], to)?))).collect();
            let crosses = |a: &(usize, usize), b: &(usize, usize)| a.0 < b.0 && a.1 > b.1;
            rows.iter().map(|a| rows.iter().filter(|b| crosses(a, b)).count()).sum::<usize>()
        })
        .sum()
}

/// How far the middle of an edge's control points lies below the straight line: not 0 for edges between the same nodes.
fn bend(instance: &Instance, edge: usize) -> f64 {
    let edges = &instance.network.edges;
    let same = |other: &usize| edges[*other].from == edges[edge].from && edges[*other].to == edges[edge].to;
    let parallel: Vec<usize> = (0..edges.len()).filter(same).collect();
    let place = parallel.iter().position(|other| *other == edge).unwrap_or_default();
    (place as f64 - (parallel.len() - 1) as f64 / 2.0) * SPREAD / 0.75
}

/// The way of an edge: a cubic per layer that it crosses, as its four points.
struct Curve(Vec<[Point; 4]>);

impl Curve {
    fn new(instance: &Instance, layers: &Layers, number: usize, places: &[Point]) -> Self {
        let edge = instance.network.edges[number];
        let mut stops = vec![places[edge.from]];
        let mut place = layers.enters[number];
        while place != edge.to {
            stops.push(places[place]);
            let next = layers.relays[layers.layer_of[place]].iter().find(|(relay, _)| *relay == place);
            place = next.map_or(edge.to, |(_, next)| *next);
        }
        stops.push(places[edge.to]);
        let slope = |from: Point, to: Point| (to.1 - from.1) / (to.0 - from.0);
        let last = stops.len() - 1;
        let bend = bend(instance, number);
        // Straight at the ends, smooth at the relays.
        let slopes: Vec<f64> =
            (0..=last).map(|at| slope(stops[at.saturating_sub(1)], stops[(at + 1).min(last)])).collect();
        let parts = stops.windows(2).zip(slopes.windows(2)).map(|(ends, slopes)| {
            let third = (ends[1].0 - ends[0].0) / 3.0;
            let first = (ends[0].0 + third, ends[0].1 + slopes[0] * third + bend);
            let second = (ends[1].0 - third, ends[1].1 - slopes[1] * third + bend);
            [ends[0], first, second, ends[1]]
        });
        Self(parts.collect())
    }

    /// The line and its arrow head, which ends at the node.
    fn svg(&self, stroke: f64, dash: &str) -> String {
        let mut parts = self.0.clone();
        let head = 8.0 + 0.9 * stroke;
        let mut arrow = String::new();
        if let Some([_, _, control, end]) = parts.last_mut() {
            let length = (end.0 - control.0).hypot(end.1 - control.1);
            let along = ((end.0 - control.0) / length, (end.1 - control.1) / length);
            let back = |distance: f64| (end.0 - along.0 * distance, end.1 - along.1 * distance);
            let (tip, base, half) = (back(NODE + 1.0), back(NODE + 1.0 + head), 3.5 + 0.75 * stroke);
            arrow = format!(
                "<path d=\"M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}Z\" fill=\"#2f6db3\"/>",
                tip.0,
                tip.1,
                base.0 - along.1 * half,
                base.1 + along.0 * half,
                base.0 + along.1 * half,
                base.1 - along.0 * half
            );
            *end = (base.0 + along.0, base.1 + along.1);
        }
        let mut path = format!("M{:.1} {:.1}", self.0[0][0].0, self.0[0][0].1);
        for [_, first, second, end] in parts {
            let _ = write!(
                path,
                "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
                first.0, first.1, second.0, second.1, end.0, end.1
            );
        }
        format!("<path d=\"{path}\" fill=\"none\" stroke=\"#2f6db3\" stroke-width=\"{stroke:.1}\"{dash}/>{arrow}")
    }

    /// A point on the curve for its label: the first of those at `shares` that leaves the other labels room, else the one
    /// that is farthest from them.
    fn label_place(&self, shares: &[f64], taken: &[Point]) -> Point {
        // How many labels fit between two, 1 when they touch.
        let apart = |at: Point, other: &Point| ((other.0 - at.0).abs() / 70.0).max((other.1 - at.1).abs() / 28.0);
        let room = |at: Point| taken.iter().map(|other| apart(at, other)).fold(f64::INFINITY, f64::min);
        let places = || shares.iter().map(|share| self.at(*share));
        let roomiest = || places().max_by(|a, b| room(*a).total_cmp(&room(*b)));
        places().find(|at| room(*at) >= 1.0).or_else(roomiest).unwrap_or_else(|| self.at(0.5))
    }

    /// The point after a share of the curve.
    fn at(&self, share: f64) -> Point {
        let along = share * self.0.len() as f64;
        let part = (along as usize).min(self.0.len() - 1);
        let (t, [a, b, c, d]) = (along - part as f64, self.0[part]);
        let s = 1.0 - t;
        let mix =
            |a: f64, b: f64, c: f64, d: f64| s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d;
        (mix(a.0, b.0, c.0, d.0), mix(a.1, b.1, c.1, d.1))
    }
}

/// A text as XML has it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
