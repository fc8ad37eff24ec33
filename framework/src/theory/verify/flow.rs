//! Section 4.1 to 4.3: flow equilibria, the augmented graph, the bound on the Kullback-Leibler divergence.

use super::Statement;
use super::check::{Check, Verdict};
use super::suite::{self, Named};
use crate::theory::flow::{Setting, divergence_gains, kl_equilibrium, search};
use crate::theory::games::{Tables, TwoState};
use crate::theory::gmg::{Graph, ReturnFunction, Vertex};
use crate::theory::{Profile, TabularGame, TheoryError, entropy, lqre, nash_conv};

const PLAIN: Setting = Setting { horizon: 1, returns: ReturnFunction::Plain, temperature: 1.0 };
const WEIGHTED: Setting = Setting { returns: ReturnFunction::Weighted, ..PLAIN };

pub const DEF_4_1: Statement = Statement {
    name: "def-4.1",
    title: "Flow equilibrium",
    claim: "A profile with P_T(x_T; pi) proportional to R^i(x_T; pi) for every player i.",
    checks: def_4_1,
};

/// A turn-based tree of two moves with common returns at its four leaves: player 0 moves in state 0, player 1 in states
/// 1 and 2.
fn tree(leaves: [f64; 4]) -> Tables {
    let rewards = vec![vec![0.0; 4], [leaves[0], leaves[1]].repeat(2), [leaves[2], leaves[3]].repeat(2)];
    let to = |state| vec![(state, 1.0)];
    Tables {
        shape: vec![2, 2],
        rewards: vec![rewards.clone(), rewards],
        next: vec![vec![to(1), to(1), to(2), to(2)], vec![vec![]; 4], vec![vec![]; 4]],
        discount: 1.0,
        start: vec![1.0, 0.0, 0.0],
    }
}

fn def_4_1() -> Result<Vec<Check>, TheoryError> {
    let mut agrees = Check::printed(
        "Search of the profile of least summed divergence; it must reach 0 where R^1 = R^2 can be \
                                     the terminal distribution of a product policy, and must not elsewhere.",
    );
    let rank_one = Tables::common(&[[1.0, 0.0], [3.0, 2.0]]);
    let leaves = tree([0.3, -1.0, 2.0, 0.7]);
    let coordination = Tables::common(&[[1.0, 0.0], [0.0, 0.5]]);
    let cases = [
        ("one-shot, exp(r) of rank one", &rank_one, 1, true),
        ("turn-based tree, common returns", &leaves, 2, true),
        ("common [[1, 0], [0, 0.5]]", &coordination, 1, false),
    ];
    for (name, tables, horizon, expected) in cases {
        agrees.on(name);
        let found = search(&TabularGame::new(tables)?, Setting { horizon, ..PLAIN }, 4)?;
        agrees.figure(format!("least residual: {name}"), found.residual);
        agrees.case(found.exists() == expected, || format!("{name}: least residual {}", found.residual));
    }
    let mut weighted = Check::read_as(
        "R^i = p_T exp(Ret^i), the return function of section 4.2",
        "The same search with the others' policies as a factor of R^i: even the rank-one game has none then, unless each \
         player's return depends on its own action only.",
    );
    weighted.on("one-shot, exp(r) of rank one");
    let found = search(&TabularGame::new(&rank_one)?, WEIGHTED, 4)?;
    weighted.figure("least residual: exp(r) of rank one", found.residual);
    let own = Tables::one_shot(&[2, 2], &[&[1.0, 1.0, 3.0, 3.0], &[0.0, 2.0, 0.0, 2.0]]);
    weighted.on("one-shot, returns of the own action only");
    let decoupled = search(&TabularGame::new(&own)?, WEIGHTED, 4)?;
    weighted.figure("least residual: own action only", decoupled.residual);
    weighted.case(!found.exists() && decoupled.exists(), || format!("{} {}", found.residual, decoupled.residual));
    Ok(vec![agrees, weighted])
}

pub const THM_4_2: Statement = Statement {
    name: "thm-4.2",
    title: "Existence of a flow equilibrium",
    claim: "For continuous non-negative R^i there is a flow equilibrium.",
    checks: thm_4_2,
};

fn thm_4_2() -> Result<Vec<Check>, TheoryError> {
    let mut check = Check::printed(
        "Search of the least summed divergence where R^1 and R^2 are no multiples of each other; all players share one P_T.",
    );
    let Named { name, game } = suite::opposed_terminals()?;
    check.on(name);
    let found = search(&game, PLAIN, 4)?;
    // The best P_T is proportional to sqrt(R^1 R^2), at -2 log of the Bhattacharyya coefficient.
    let coefficient = 2.0 * (1.0f64 / 3.0 * (2.0 / 3.0)).sqrt();
    check.figure("least summed KL, by search", found.residual);
    check.figure("-2 log BC, in closed form", -2.0 * coefficient.ln());
    check.figure("P_T of the first terminal there", found.profile.of(0, 0)[0]);
    check.case(found.exists(), || {
        format!(
            "{name}: least summed KL {:.6} at P_T = ({:.3}, {:.3})",
            found.residual,
            found.profile.of(0, 0)[0],
            found.profile.of(0, 0)[1]
        )
    });
    Ok(vec![check])
}

pub const SEC_4_2: Statement = Statement {
    name: "sec-4.2",
    title: "Augmented vertices (s, z, p)",
    claim: "The vertices (s_t, z_t, p_t) form a directed acyclic graph, and the return is read off the terminating vertex.",
    checks: sec_4_2,
};

fn sec_4_2() -> Result<Vec<Check>, TheoryError> {
    // One player, one state, rewards 1 and -1, discount 1/2: z = 1 after one step is a return of 1, and after two, by
    // -1 + 1 / (1/2) = 1, one of 1/2.
    let game = Tables {
        shape: vec![2],
        rewards: vec![vec![vec![1.0, -1.0]]],
        next: vec![vec![vec![(0, 1.0)]; 2]],
        discount: 0.5,
        start: vec![1.0],
    };
    let table = TabularGame::new(&game)?;
    let uniform = Profile::uniform(table.layout());
    let mut printed =
        Check::printed("Two vertices with the same (s, z, p) must have the same return, and no path may come back.");
    printed.on("one player, rewards 1 and -1, discount 1/2");
    let layers = [Graph::new(&table, &uniform, 1)?, Graph::new(&table, &uniform, 2)?];
    let ends = |graph: &'_ Graph| graph.terminals().map(|v| (v.z[0], v.p[0], graph.outcome(v, 0))).collect::<Vec<_>>();
    let (one, two) = (ends(&layers[0]), ends(&layers[1]));
    for (z, p, first) in &one {
        for (_, _, second) in two.iter().filter(|other| (other.0, other.1) == (*z, *p)) {
            printed.case(first == second, || {
                format!(
                    "(s, z, p) = (0, {z}, {p}) after one step is a return of {first}, after two one of {second}; \
                         a path from it leads back to it"
                )
            });
        }
    }
    let mut timed =
        Check::read_as("vertices (t, s, z, p)", "Every path's discounted sum of rewards against gamma^(T-1) z_T.");
    timed.on("two states");
    let named = suite::two_state()?;
    let mut rng = suite::stream("augmented vertices");
    let profile = suite::profile(&mut rng, &named.game);
    let graph = Graph::new(&named.game, &profile, 3)?;
    let by_vertices: f64 = graph.terminals().map(|v| v.probability * graph.outcome(v, 0)).sum();
    let by_steps = finite_value(&named.game, &profile, 3, 0);
    timed.figure("expected return, off the vertices", by_vertices);
    timed.figure("expected return, step by step", by_steps);
    timed.figure("vertices", graph.vertices().count() as f64);
    timed.figure("vertices of the tree of all paths", Graph::tree(&named.game, &profile, 3)?.vertices().count() as f64);
    timed.case((by_vertices - by_steps).abs() < 1e-12, || format!("{by_vertices} instead of {by_steps}"));
    Ok(vec![printed, timed])
}

/// The expected return of `player` over so many steps.
fn finite_value(game: &TabularGame, profile: &Profile, steps: usize, player: usize) -> f64 {
    let mut values = vec![0.0; game.states()];
    for _ in 0..steps {
        let promised = crate::theory::action_values(game, profile, &values, player);
        let mut rest = &promised[..];
        for (state, value) in values.iter_mut().enumerate() {
            let policy = profile.of(player, state);
            *value = policy.iter().zip(rest).map(|(p, q)| p * q).sum();
            rest = &rest[policy.len()..];
        }
    }
    values.iter().zip(game.start()).map(|(value, start)| value * start).sum()
}

pub const EQ_2: Statement = Statement {
    name: "eq-2",
    title: "The divergence and its bound",
    claim: "KL(P_T || R^i/Z) <= KL(P(path) || R^i/Z) = E[sum_t gamma^t (-r^i - H(pi^i))] + log Z with an exact opponent model.",
    checks: eq_2,
};

/// KL(P || exp(log R) / Z) over the vertices of a graph, with log Z.
fn divergence(graph: &Graph, log_return: impl Fn(&Vertex) -> f64) -> (f64, f64) {
    let logs: Vec<f64> = graph.terminals().map(log_return).collect();
    let log_z = logs.iter().map(|log| log.exp()).sum::<f64>().ln();
    let terms = graph.terminals().zip(&logs).map(|(v, log)| v.probability * (v.probability.ln() - log + log_z));
    (terms.sum(), log_z)
}

fn eq_2() -> Result<Vec<Check>, TheoryError> {
    let mut rng = suite::stream("Eq. 2");
    let mut inside =
        Check::printed("Both sides on random profiles, with R^i = exp(p_T Ret^i) as section 4.2 prints it.");
    let mut discounted = Check::printed("Both sides over two steps with gamma below 1, with p_T in front.");
    let mut identity = Check::read_as(
        "R^i = p_T exp(Ret^i), entropies not discounted (or gamma = 1, or one step)",
        "Both sides of the equality on random profiles.",
    );
    let mut bound = Check::read_as(
        "paths that meet in a vertex add up in R^i too",
        "The inequality between the vertices' and the paths' divergence on random profiles.",
    );
    let mut once = Check::printed("The inequality where R^i counts once per vertex, however many paths meet in it.");
    for (discount, horizon) in [(0.9, 1), (1.0, 2), (0.9, 2), (0.5, 2)] {
        let game = TabularGame::new(&TwoState { scale: 1.0, discount })?;
        let name = format!("two states, gamma {discount}, {horizon} step{}", if horizon == 1 { "" } else { "s" });
        for _ in 0..5 {
            let profile = suite::profile(&mut rng, &game);
            let (tree, graph) = (Graph::tree(&game, &profile, horizon)?, Graph::new(&game, &profile, horizon)?);
            let front = |v: &Vertex| v.p[0].ln() + tree.outcome(v, 0);
            let (left, log_z) = divergence(&tree, front);
            let returns: f64 = tree.terminals().map(|v| v.probability * tree.outcome(v, 0)).sum();
            // The entropies that player 0 meets, with and without discount.
            let met = |rate: f64| -> f64 {
                let at = |v: &Vertex| v.state.map_or(0.0, |s| entropy::entropy(profile.of(0, s)));
                tree.vertices()
                    .filter(|v| v.time < horizon)
                    .map(|v| v.probability * rate.powi(v.time as i32) * at(v))
                    .sum()
            };
            let gap = (left - (log_z - returns - met(1.0))).abs();
            identity.on(name.clone());
            identity.most("largest difference", gap);
            identity.case(gap < 1e-10, || format!("{name}: the sides differ by {gap:e}"));
            let printed = (left - (log_z - returns - met(discount))).abs();
            if discount < 1.0 && horizon > 1 {
                discounted.on(name.clone());
                discounted.most("largest difference", printed);
                discounted.case(printed < 1e-10, || {
                    format!(
                        "{name}: the sides differ by {printed:.4}, since the divergence does not discount entropies"
                    )
                });
            }
            if horizon == 1 {
                let (left, log_z) = divergence(&tree, |v| v.p[0] * tree.outcome(v, 0));
                let gap = (left - (log_z - returns - met(1.0))).abs();
                inside.on(name.clone());
                inside.most("largest difference", gap);
                inside.case(gap < 1e-10, || format!("{name}: the sides differ by {gap:.4}"));
            }
            let merged = graph.divergence(0, ReturnFunction::Weighted, 1.0);
            bound.on(name.clone());
            bound.least("least slack", left - merged);
            bound.case(merged <= left + 1e-10, || format!("{name}: {merged} above {left}"));
        }
    }
    // Two ways of the same return and a third of another: at P = R / Z of the paths the right side is 0.
    let game = TabularGame::new(&Tables::one_shot(&[3], &[&[0.0, 0.0, 1.0]]))?;
    let profile = Profile::softmax(game.layout(), &[0.0, 0.0, 1.0]);
    let (tree, graph) = (Graph::tree(&game, &profile, 1)?, Graph::new(&game, &profile, 1)?);
    let right = divergence(&tree, |v| tree.outcome(v, 0)).0;
    let left = divergence(&graph, |v| graph.outcome(v, 0)).0;
    once.on("one player, returns 0, 0 and 1");
    once.figure("left side", left);
    once.figure("right side", right);
    once.case(left <= right + 1e-10, || {
        format!("at P = R/Z over paths the left side is {left:.4} and the right one {right:.1e}")
    });
    Ok(vec![inside, discounted, once, identity, bound])
}

pub const KL_EQUILIBRIUM: Statement = Statement {
    name: "kl-equilibrium",
    title: "Training criterion (section 4.3)",
    claim: "Each player minimises KL(P_T || R^i/Z) given the others; where nobody can lower its own, the players have solved the \
            game.",
    checks: kl_check,
};

fn kl_check() -> Result<Vec<Check>, TheoryError> {
    let mut check = Check::read_as(
        "KL equilibrium; in one-shot games it is the logit quantal response equilibrium of lambda = 1/tau",
        "Each player's own divergence is minimised over the graph, half a step at a time until rest; the end against the \
         logit response, which knows nothing of the graph.",
    );
    let mut printed =
        Check::printed("The rest point must be a flow equilibrium (residual 0), which the criterion aims at.");
    let mut games = suite::one_shot_potential_games()?;
    games.truncate(5);
    games.push(suite::pennies()?);
    for Named { name, game } in &games {
        for temperature in [1.0, 2.0] {
            let setting = Setting { temperature, ..WEIGHTED };
            let found = kl_equilibrium(game, setting)?;
            let distance = lqre::residual(game, &found, 1.0 / temperature, true)?;
            let gains = divergence_gains(game, &found, setting)?.into_iter().fold(0.0, f64::max);
            check.on(*name);
            check.most("largest distance to the logit response", distance);
            check.most("largest gain in divergence left", gains);
            check.case(distance < 1e-6 && gains < 1e-8, || {
                format!("{name}, tau {temperature}: {distance:e}, {gains:e}")
            });
            let residual = Graph::new(game, &found, 1)?.residual(ReturnFunction::Weighted, temperature);
            printed.on(*name);
            printed.most("largest flow residual", residual);
            printed.case(residual < 1e-9, || {
                format!("{name}, tau {temperature}: flow residual {residual:.4} at the rest point")
            });
        }
    }
    Ok(vec![printed, check])
}

pub const THM_4_3: Statement = Statement {
    name: "thm-4.3",
    title: "A flow equilibrium is an epsilon-Nash equilibrium",
    claim: "epsilon = 2 |X| Ret_max exp(-delta), delta the gap between the largest and the next smaller return.",
    checks: thm_4_3,
};

fn thm_4_3() -> Result<Vec<Check>, TheoryError> {
    let mut sized = Check::read_as(
        "|Ret| <= Ret_max, R^i = exp(Ret^i)",
        "Common returns f(a) + g(b), whose flow equilibrium is softmax(f) x softmax(g), over a range of f and g; gain against \
         epsilon.",
    );
    let mut negative = Check::printed("The same with returns that are not above 0.");
    let (mut tried, mut vacuous) = (0, 0);
    for f in [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0] {
        for g in [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0] {
            for level in [0.0, 1.0, 5.0] {
                let name = || format!("f = (0, -{f}), g = (0, -{g}), Ret_max {}", (f + g) / 2.0 + level);
                let most = (f + g) / 2.0 + level;
                let tables = Tables::common(&[[most, most - g], [most - f, most - f - g]]);
                let game = TabularGame::new(&tables)?;
                let profile = Profile::softmax(game.layout(), &[0.0, -f, 0.0, -g]);
                let graph = Graph::new(&game, &profile, 1)?;
                if most <= 0.0 || graph.residual(ReturnFunction::Plain, 1.0) > 1e-9 {
                    // Where different rows merge, softmax(f) x softmax(g) is still the equilibrium; nothing is left out.
                    continue;
                }
                let bound = graph.nash_bound();
                let gain = nash_conv(&game, &profile)?.epsilon();
                tried += 1;
                vacuous += usize::from(bound.is_vacuous());
                sized.most("largest gain / epsilon", gain / bound.epsilon);
                sized.case(gain <= bound.epsilon, || format!("{}: gain {gain}, epsilon {}", name(), bound.epsilon));
                sized.case(bound.bounds_the_size(), || format!("{}: |Ret| is above Ret_max", name()));
            }
        }
    }
    sized.on(format!("{tried} one-shot games of common returns f(a) + g(b)"));
    sized.figure("share of them where epsilon is above any possible gain (vacuous)", vacuous as f64 / tried as f64);
    let game = TabularGame::new(&Tables::one_shot(&[2], &[&[0.0, -1.0]]))?;
    let profile = Profile::softmax(game.layout(), &[0.0, -1.0]);
    let bound = Graph::new(&game, &profile, 1)?.nash_bound();
    let gain = nash_conv(&game, &profile)?.epsilon();
    negative.on("one player, returns 0 and -1");
    negative.figure("gain", gain);
    negative.figure("epsilon", bound.epsilon);
    negative.case(gain <= bound.epsilon, || {
        format!("one player, returns 0 and -1: gain {gain:.4}, epsilon {}", bound.epsilon)
    });
    let mut executed = Check::printed(
        "Tied maxima on the diagonal: P_T proportional to exp(r) by policies that see each other's \
                                       action; the gain against what they execute, their marginals.",
    );
    let game = TabularGame::new(&Tables::common(&[[20.0, 10.0], [-20.0, 20.0]]))?;
    let z: f64 = game.rewards(0, 0).iter().map(|r| (r - 20.0).exp()).sum();
    let joint: Vec<f64> = game.rewards(0, 0).iter().map(|r| (r - 20.0).exp() / z).collect();
    let marginals = vec![joint[0] + joint[1], joint[2] + joint[3], joint[0] + joint[2], joint[1] + joint[3]];
    let marginals = Profile::new(game.layout(), marginals)?;
    let bound = Graph::new(&game, &marginals, 1)?.nash_bound();
    let gain = nash_conv(&game, &marginals)?.epsilon();
    executed.on("common [[20, 10], [-20, 20]]");
    executed.figure("gain", gain);
    executed.figure("epsilon", bound.epsilon);
    executed.case(gain <= bound.epsilon, || {
        format!("common [[20, 10], [-20, 20]]: gain {gain:.3}, epsilon {:.4}", bound.epsilon)
    });
    let mut weighted = Check::printed(
        "Flow equilibria with R^i = p_T exp(Ret^i): two players whose returns depend on their own action \
                                       only, of different size.",
    );
    let game = TabularGame::new(&Tables::one_shot(&[2, 2], &[&[10.0, 10.0, 0.0, 0.0], &[1.0, 0.9, 1.0, 0.9]]))?;
    let profile = Profile::softmax(game.layout(), &[10.0, 0.0, 1.0, 0.9]);
    let graph = Graph::new(&game, &profile, 1)?;
    let (bound, gain) = (graph.nash_bound(), nash_conv(&game, &profile)?.epsilon());
    weighted.on("returns (10, 0) and (1, 0.9) of the own action");
    weighted.figure("flow residual", graph.residual(ReturnFunction::Weighted, 1.0));
    weighted.figure("gain", gain);
    weighted.figure("epsilon", bound.epsilon);
    weighted.case(gain <= bound.epsilon, || format!("gain {gain:.4}, epsilon {:.4}", bound.epsilon));
    let mut says = Check::read_as(
        "where the bound says something",
        "A flow equilibrium whose epsilon is above the spread of all returns.",
    );
    let game = TabularGame::new(&Tables::common(&[[1.0, 0.5], [0.5, 0.0]]))?;
    let profile = Profile::softmax(game.layout(), &[0.5, 0.0, 0.5, 0.0]);
    let bound = Graph::new(&game, &profile, 1)?.nash_bound();
    says.on("common [[1, 0.5], [0.5, 0]]");
    says.figure("epsilon", bound.epsilon);
    says.figure("largest possible gain", bound.possible);
    if bound.is_vacuous() {
        says.verdict = Verdict::Vacuous;
    }
    Ok(vec![negative, executed, weighted, sized, says])
}
