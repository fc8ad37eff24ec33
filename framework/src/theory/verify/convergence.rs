//! Section 5.1: where VPG converges, what it converges to, and when the potential rises.

use super::Statement;
use super::check::{Check, Verdict};
use super::crowd::pure_cycles;
use super::suite::{self, Named};
use super::values::{delta, divergence};
use crate::theory::games::Congestion;
use crate::theory::known_potential::potential_game;
use crate::theory::markov_potential::{ROUNDING, policy_cycles};
use crate::theory::vpg::marginal::asymmetric_start;
use crate::theory::vpg::{Conditional, End, Order, Vpg, smoothness_of};
use crate::theory::{Entropy, Objective, Profile, TabularGame, TheoryError, lqre, nash_conv, values};

/// The step size with which everything here converges, tau = 1.
const SMALL: f64 = 0.1;
const ITERATIONS: usize = 20_000;
/// A change of a probability per iteration that is near rest.
const CREEPING: f64 = 1e-7;

/// What a fixed point of the marginal reading allows to gain: max_i log|A_i| tau / (1 - gamma).
fn bound(game: &TabularGame, temperature: f64) -> f64 {
    (0..game.players()).map(|player| bound_of(game, player, temperature)).fold(0.0, f64::max)
}

/// What it allows `player` to gain: log|A_i| tau / (1 - gamma).
fn bound_of(game: &TabularGame, player: usize, temperature: f64) -> f64 {
    let most = (0..game.states()).map(|state| game.shape(state)[player]).max();
    most.map_or(0.0, |n| (n as f64).ln()) * temperature / (1.0 - game.discount())
}

/// The largest gain in any state.
fn largest_gain(game: &TabularGame, profile: &Profile) -> Result<f64, TheoryError> {
    Ok(nash_conv(game, profile)?.largest_gains.into_iter().fold(0.0, f64::max))
}

/// Iterates the conditional reading to rest; whether it came there.
fn rest(game: &TabularGame, policies: &mut Conditional) -> Result<bool, TheoryError> {
    for _ in 0..ITERATIONS {
        if policies.iterate(game, SMALL, 1.0)? < 1e-13 {
            return Ok(true);
        }
    }
    Ok(false)
}

pub const ALG_1: Statement = Statement {
    name: "alg-1",
    title: "Variational policy gradient",
    claim: "Iterating Eq. 7 for all players with an exact opponent model solves the game.",
    checks: alg_1,
};

fn alg_1() -> Result<Vec<Check>, TheoryError> {
    let mut marginal = Check::read_as(
        "marginal: pi(a|s), alpha = eta / (1 - gamma) <= 0.1",
        "From asymmetric starts on every potential game until rest; the end against the logit response of lambda 1.",
    );
    for Named { name, game } in suite::potential_games()? {
        let found = Vpg::new(SMALL, 1.0).run(&game, asymmetric_start(&game), ITERATIONS)?;
        let distance = lqre::residual(&game, &found.profile, 1.0, true)?;
        marginal.on(name);
        marginal.most("most iterations", found.iterations as f64);
        marginal.most("largest distance to the logit response", distance);
        marginal.case(found.end == End::Converged && distance < 1e-9, || {
            format!(
                "{name}: {:?} after {} iterations, {distance:e} from the logit response",
                found.end, found.iterations
            )
        });
    }
    let mut conditional = Check::printed(
        "pi(a|s, b) as printed, from the uniform start until rest; what is executed, sum_b rho(b|s) pi(a|s, b), against the \
         logit response of lambda 1.",
    );
    for Named { name, game } in suite::one_shot_potential_games()? {
        let mut policies = Conditional::uniform(&game);
        let rested = rest(&game, &mut policies)?;
        let distance = lqre::residual(&game, &policies.executed, 1.0, true)?;
        conditional.on(name);
        conditional.most("largest distance to the logit response", distance);
        conditional.case(rested && distance < 1e-9, || {
            format!("{name}: at rest a probability is {distance:.3} from the logit response")
        });
    }
    let mut pairs = Check::read_as(
        "conditional, one-shot potential games of two players: the marginals of exp(Phi) / Z",
        "What the printed reading executes at rest against these marginals, Phi the exact potential.",
    );
    let mut more = Check::read_as(
        "conditional, one-shot potential games of three players: the marginals of exp(Phi) / Z",
        "The same where b is drawn from the product of two executed policies, which the joint exp(Phi) / Z is not.",
    );
    for Named { name, game } in suite::one_shot_potential_games()? {
        let check = if game.players() == 2 { &mut pairs } else { &mut more };
        let mut policies = Conditional::uniform(&game);
        let rested = rest(&game, &mut policies)?;
        let potential = known_potential(name, &game)?;
        let weights = potential.rewards(0, 0).iter().map(|phi| phi.exp()).collect::<Vec<_>>();
        let z: f64 = weights.iter().sum();
        // The rows of an action of player 0 lie side by side.
        let gap = (policies.executed.of(0, 0).iter().zip(weights.chunks(weights.len() / game.shape(0)[0])))
            .map(|(p, row)| (p - row.iter().sum::<f64>() / z).abs())
            .fold(0.0, f64::max);
        check.on(name);
        check.most("largest difference", gap);
        check.case(rested && gap < 1e-9, || format!("{name}: a probability differs by {gap:.2e}"));
    }
    let mut large = Check::read_as(
        "marginal, any alpha tau <= 1",
        "The same with alpha = 1, the largest step whose exponent 1 - alpha tau is not negative: does it come to rest?",
    );
    for Named { name, game } in suite::one_shot_potential_games()?.into_iter().chain(suite::team_games()?) {
        let found = Vpg::new(1.0, 1.0).run(&game, asymmetric_start(&game), 2_000)?;
        large.on(name);
        large.case(found.end == End::Converged, || {
            format!("{name}: {} after {} iterations", found.end, found.iterations)
        });
    }
    Ok(vec![conditional, marginal, large, pairs, more])
}

pub const DEF_5_2: Statement = Statement {
    name: "def-5.2",
    title: "Markov potential game",
    claim: "Values differ by a potential when one player deviates, the value being the one with accurate opponent modelling, \
            entropy included; games of identical interest, congestion and routing games are such games.",
    checks: def_5_2,
};

/// Cycles that are looked at per game and objective.
const CYCLES: usize = 2_000;

fn def_5_2() -> Result<Vec<Check>, TheoryError> {
    let own = Objective { entropy: Entropy::Own, temperature: 1.0 };
    let shared = Objective { entropy: Entropy::Shared, temperature: 1.0 };
    let mut printed = Check::printed(
        "Cycles of four policies in games of identical interest, in the paper's value with the player's own \
                                      entropy: their sums must be 0.",
    );
    let mut shared_check =
        Check::read_as("values of rewards only, or with all players' entropy", "The same cycles in those values.");
    for Named { name, game } in suite::team_games()? {
        let found = policy_cycles(&game, own, CYCLES, 0)?;
        printed.on(name);
        printed.most("largest sum / range of values", found.relative);
        printed.case(found.relative < ROUNDING, || format!("{name}: a sum of {:.3}", found.violation));
        for objective in [Objective::default(), shared] {
            let found = policy_cycles(&game, objective, CYCLES, 0)?;
            shared_check.on(name);
            shared_check.most("largest sum / range of values", found.relative);
            shared_check.case(found.relative < ROUNDING, || format!("{name}: a sum of {:e}", found.violation));
        }
    }
    let mut uncontrolled = Check::read_as(
        "one-shot games, and transitions that nobody steers",
        "The same with own rewards, own entropy included.",
    );
    for Named { name, game } in suite::uncontrolled_games()?.into_iter().chain(suite::one_shot_potential_games()?) {
        for objective in [Objective::default(), own, shared] {
            let found = policy_cycles(&game, objective, CYCLES, 0)?;
            uncontrolled.on(name);
            uncontrolled.most("largest sum / range of values", found.relative);
            uncontrolled.case(found.relative < ROUNDING, || format!("{name}: a sum of {:e}", found.violation));
        }
    }
    let mut published = Check::printed("The same in the congestion and routing games as published, rewards only.");
    for Named { name, game } in suite::published_games()? {
        let found = policy_cycles(&game, Objective::default(), CYCLES, 0)?;
        published.on(name);
        published.most("largest sum", found.violation);
        published.most("largest sum / range of values", found.relative);
        published.case(found.relative < ROUNDING, || {
            format!("{name}: a sum of {:.2}, {:.0}% of the range", found.violation, 100.0 * found.relative)
        });
    }
    let mut eight = Check::printed(
        "Congestion with 8 players as published (gamma 0.99), rewards only: all cycles of pure policies of two players, the others at \
         any pure policies, by counts.",
    );
    let found = pure_cycles(&Congestion::default());
    eight.on("congestion, 8 players");
    eight.figure("largest sum", found.violation);
    eight.figure("largest sum / range of values", found.relative);
    eight.case(found.relative < ROUNDING, || {
        let share = 100.0 * found.relative;
        format!("congestion, 8 players: a sum of {:.0}, {share:.0}% of the range; {}", found.violation, found.witness)
    });
    Ok(vec![printed, published, eight, shared_check, uncontrolled])
}

pub const MONOTONE: Statement = Statement {
    name: "monotone",
    title: "The potential does not fall (behind Theorem 5.5)",
    claim: "With eta = 1/L the potential is non-decreasing along VPG.",
    checks: monotone,
};

/// The largest fall of the common value below what it was, in any state, relative to its size (or 1).
fn largest_fall(
    vpg: &Vpg,
    game: &TabularGame,
    common: &TabularGame,
    counted: Objective,
    start: Profile,
) -> Result<f64, TheoryError> {
    const STEPS: usize = 300;
    let mut profile = start;
    let mut highest = values(common, &profile, counted)?.of(0).to_vec();
    let mut fall: f64 = 0.0;
    for _ in 0..STEPS {
        vpg.iterate(game, &mut profile)?;
        let now = values(common, &profile, counted)?.of(0).to_vec();
        for (high, now) in highest.iter_mut().zip(now) {
            fall = fall.max((*high - now) / high.abs().max(1.0));
            *high = high.max(now);
        }
    }
    Ok(fall)
}

fn monotone() -> Result<Vec<Check>, TheoryError> {
    let nobody = Objective::default();
    let own = Objective { entropy: Entropy::Own, temperature: 1.0 };
    let shared = Objective { entropy: Entropy::Shared, temperature: 1.0 };
    let vpg = |alpha, objective| Vpg { alpha, objective, order: Order::Simultaneous };
    let mut printed = Check::printed(
        "Identical interest with steered states, |r| <= 1, the paper's own-entropy value: the common value with all entropies \
         must not fall along 300 iterations of eta = 1/L (and of alpha = 0.1), from where it is largest.",
    );
    let mut none = Check::read_as("no entropy", "The common value along the same iterations from asymmetric starts.");
    let mut all = Check::read_as("all players' entropy", "The same with the shared entropy in both.");
    for named in suite::team_games()? {
        let Named { name, game } = suite::scaled(&named)?;
        let highest = vpg(SMALL, shared).run(&game, asymmetric_start(&game), ITERATIONS)?.profile;
        for alpha in [1.0 / smoothness_of(&game) / (1.0 - game.discount()), SMALL] {
            for (check, objective, counted, start) in [
                (&mut printed, own, shared, highest.clone()),
                (&mut none, nobody, nobody, asymmetric_start(&game)),
                (&mut all, shared, shared, asymmetric_start(&game)),
            ] {
                let fall = largest_fall(&vpg(alpha, objective), &game, &game, counted, start)?;
                check.on(name);
                check.most("largest relative fall", fall);
                check.case(fall < 1e-12, || format!("{name}: falls by {fall:.2e} of its size with alpha {alpha:.2e}"));
            }
        }
    }
    let mut free = Check::read_as(
        "one-shot games, or transitions that nobody steers",
        "The paper's own-entropy value and own rewards, the potential of each state's game with all entropies.",
    );
    for named in suite::one_shot_potential_games()?.iter().chain(&suite::uncontrolled_games()?) {
        let Named { name, game } = suite::scaled(named)?;
        let fall =
            largest_fall(&vpg(SMALL, own), &game, &known_potential(name, &game)?, shared, asymmetric_start(&game))?;
        free.on(name);
        free.most("largest relative fall", fall);
        free.case(fall < 1e-12, || format!("{name}: falls by {fall:.2e} of its size"));
    }
    Ok(vec![printed, none, all, free])
}

/// The game of the potential, of a game that has a known one.
fn known_potential(name: &str, game: &TabularGame) -> Result<TabularGame, TheoryError> {
    potential_game(game)?.ok_or_else(|| TheoryError::Unsolved(format!("{name} has no known potential")))
}

pub const THM_5_5: Statement = Statement {
    name: "thm-5.5",
    title: "Convergence to an epsilon-Nash equilibrium",
    claim: "VPG converges to a fixed point that is an epsilon-Nash equilibrium, epsilon = delta + log|A| / (1 - gamma).",
    checks: thm_5_5,
};

fn thm_5_5() -> Result<Vec<Check>, TheoryError> {
    let mut marginal = Check::read_as(
        "marginal, every game on which it converges: gain <= log|A_i| tau / (1 - gamma)",
        "The largest gain at the end in any state, tau 1 and 0.5, potential games and others.",
    );
    let others = suite::published_games()?.into_iter().chain([suite::pennies()?]);
    for Named { name, game } in suite::potential_games()?.into_iter().chain(others) {
        for temperature in [1.0, 0.5] {
            let found = Vpg::new(SMALL, temperature).run(&game, asymmetric_start(&game), ITERATIONS)?;
            // Some go to rest so slowly that they are taken where they are.
            if found.end != End::Converged && found.moved > CREEPING {
                marginal.figure(format!("no rest: {name}, tau {temperature}, last change"), found.moved);
                continue;
            }
            let (gain, bound) = (largest_gain(&game, &found.profile)?, bound(&game, temperature));
            marginal.on(name);
            marginal.most("largest gain / epsilon", gain / bound);
            marginal.case(gain <= bound + 1e-9, || format!("{name}, tau {temperature}: gain {gain}, epsilon {bound}"));
        }
    }
    let mut wrong = Check::read_as(
        "marginal with a wrong opponent model: delta of Prop. 4.6 in addition",
        "Models that put a tenth of all weight on the first action, |r| <= 1; each player's gain at rest against \
         log|A_i| / (1 - gamma) and the delta of its own opponents.",
    );
    let modelled = |truth: &Profile| {
        let mut model = truth.clone();
        model.each(|_, _, part| {
            part.iter_mut().enumerate().for_each(|(a, p)| *p = 0.9 * *p + 0.1 * f64::from(a == 0));
        });
        model
    };
    for named in suite::team_games()? {
        let Named { name, game } = suite::scaled(&named)?;
        let mut profile = asymmetric_start(&game);
        let mut rested = false;
        for _ in 0..ITERATIONS {
            let before = profile.clone();
            let model = modelled(&before);
            for player in 0..game.players() {
                let mut belief = model.clone();
                for state in 0..game.states() {
                    belief.of_mut(player, state).copy_from_slice(before.of(player, state));
                }
                Vpg::new(SMALL, 1.0).update(&game, &belief, player, &mut profile)?;
            }
            rested = profile.distance(&before) < 1e-12;
            if rested {
                break;
            }
        }
        wrong.on(name);
        wrong.case(rested, || format!("{name}: no rest after {ITERATIONS} iterations"));
        let model = modelled(&profile);
        for (player, gain) in nash_conv(&game, &profile)?.largest_gains.into_iter().enumerate() {
            let delta = delta(game.shape(0)[player], game.discount(), divergence(&game, player, &model, &profile));
            let bound = delta + bound_of(&game, player, 1.0);
            wrong.most("largest gain / epsilon", gain / bound);
            wrong.case(gain <= bound, || format!("{name}: player {player} gains {gain}, epsilon {bound}"));
        }
    }
    let mut conditional = Check::printed(
        "The conditional reading with an exact model (delta = 0): the gain against what it executes at rest.",
    );
    let Named { name, game } = suite::crossed()?;
    let mut policies = Conditional::uniform(&game);
    rest(&game, &mut policies)?;
    let gain = largest_gain(&game, &policies.executed)?;
    conditional.on(name);
    conditional.figure("gain", gain);
    conditional.figure("epsilon", bound(&game, 1.0));
    conditional
        .case(gain <= bound(&game, 1.0), || format!("{name}: gain {gain:.3} > log 2 = {:.3}", bound(&game, 1.0)));
    let mut vacuous = Check::read_as(
        "|r| <= 1",
        "The least number of actions at which log|A| / (1 - gamma) is not below 2 / (1 - gamma), the most that anyone could gain.",
    );
    let least = (2..100usize).find(|n| (*n as f64).ln() >= 2.0).unwrap_or(100);
    vacuous.figure("vacuous from this many actions on", least as f64);
    vacuous.figure("epsilon (1 - gamma) there", (least as f64).ln());
    vacuous.verdict = Verdict::Vacuous;
    vacuous.on(format!("any game with |r| <= 1 and at least {least} actions"));
    Ok(vec![conditional, marginal, wrong, vacuous])
}
