//! Natural policy gradients (Prop. 5.1, Prop. 5.3) and the smoothness of the potential (Lemma 5.4), by differences of
//! exact values.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::Statement;
use super::check::Check;
use super::suite::{self, Named};
use crate::theory::deadline::Deadline;
use crate::theory::evaluate::{solve, transitions};
use crate::theory::vpg::conditional::{Conditional, improve_table, soft_values};
use crate::theory::vpg::{Order, Vpg, smoothness_of};
use crate::theory::{Entropy, Objective, Profile, TabularGame, TheoryError, values};

/// Step of first differences.
const STEP: f64 = 1e-3;

/// By differences of fourth order: their error is about STEP^4, and rounding is divided by STEP only.
fn gradient(
    at: &[f64],
    mut function: impl FnMut(&[f64]) -> Result<f64, TheoryError>,
) -> Result<DVector<f64>, TheoryError> {
    let mut x = at.to_vec();
    let mut out = DVector::zeros(at.len());
    for k in 0..at.len() {
        for (steps, weight) in [(-2.0, 1.0), (-1.0, -8.0), (1.0, 8.0), (2.0, -1.0)] {
            x[k] = at[k] + steps * STEP;
            out[k] += weight * function(&x)? / (12.0 * STEP);
        }
        x[k] = at[k];
    }
    Ok(out)
}

/// How often each state is visited, discounted: d = (1 - gamma) (I - gamma P^T)^-1 mu, which sums to 1.
fn visits(game: &TabularGame, profile: &Profile) -> Result<Vec<f64>, TheoryError> {
    let moves = transitions(game, profile)?.transpose();
    let start = DMatrix::from_column_slice(game.states(), 1, game.start());
    Ok((solve(&moves, game.discount(), &start, Deadline::NONE)? * (1.0 - game.discount())).as_slice().to_vec())
}

/// F^+ g for the Fisher matrix of one softmax, F = weight (diag p - p p^T), up to a constant that the softmax does not see:
/// x = g / (weight p), since F x = g - p sum(g) and the derivatives by the logits of one policy sum to 0. (A numerical
/// pseudo-inverse loses the rare actions.)
fn natural(policy: &[f64], weight: f64, gradient: &[f64]) -> Vec<f64> {
    policy.iter().zip(gradient).map(|(p, g)| g / (weight * p)).collect()
}

pub const PROP_5_1: Statement = Statement {
    name: "prop-5.1",
    title: "The update is a natural policy gradient step",
    claim: "theta + eta F^+ grad V is pi^(1 - eta/(1 - gamma)) exp(eta Q/(1 - gamma)) / Z(s).",
    checks: prop_5_1,
};

fn prop_5_1() -> Result<Vec<Check>, TheoryError> {
    let mut marginal = Check::read_as(
        "pi(a|s), Qbar",
        "Gradient of the own-entropy value by differences, Fisher matrix weighted by the discounted visits; the \
         new policy against Eq. 7.",
    );
    let mut conditional = Check::read_as(
        "pi(a|s, b), Z(s, b)",
        "The same for the value of Def. 4.4, (s, b) being visited with d(s) rho(b|s).",
    );
    let mut printed = Check::printed("Z(s) as printed: the sums over a must then be the same for all b.");
    let mut rng = suite::stream("Prop. 5.1");
    for named in [suite::two_state()?, suite::published_games()?.swap_remove(0)] {
        let Named { name, game } = suite::scaled(&named)?;
        let alpha = 0.2;
        let eta = alpha * (1.0 - game.discount());
        let own = Objective { entropy: Entropy::Own, temperature: 1.0 };
        let profile = suite::profile(&mut rng, &game);
        let theta: Vec<f64> = profile.values.iter().map(|p| p.ln()).collect();
        let slope =
            gradient(&theta, |theta| Ok(values(&game, &Profile::softmax(game.layout(), theta), own)?.of_start[0]))?;
        let d = visits(&game, &profile)?;
        let mut next = profile.clone();
        Vpg::new(alpha, 1.0).update(&game, &profile, 0, &mut next)?;
        let mut moved = theta.clone();
        for (state, visited) in d.iter().enumerate() {
            let range = game.layout().range(0, state);
            let step = natural(profile.of(0, state), *visited, &slope.as_slice()[range.clone()]);
            range.zip(step.iter()).for_each(|(at, step)| moved[at] += eta * step);
        }
        let mut stepped = Profile::softmax(game.layout(), &moved);
        // Only player 0 has moved.
        for player in 1..game.players() {
            for state in 0..game.states() {
                stepped.of_mut(player, state).copy_from_slice(next.of(player, state));
            }
        }
        let gap = stepped.distance(&next);
        marginal.on(name);
        marginal.most("largest difference of a probability", gap);
        marginal.case(gap < 1e-7, || format!("{name}: {gap:e}"));
        let gap = conditional_gap(&game, &profile, alpha, &mut printed, name)?;
        conditional.on(name);
        conditional.most("largest difference of a probability", gap);
        conditional.case(gap < 1e-7, || format!("{name}: {gap:e}"));
    }
    Ok(vec![printed, marginal, conditional])
}

/// The same for a table over two players' rows; tells `printed` what Z(s) would have to be for each b.
fn conditional_gap(
    game: &TabularGame,
    model: &Profile,
    alpha: f64,
    printed: &mut Check,
    name: &'static str,
) -> Result<f64, TheoryError> {
    let eta = alpha * (1.0 - game.discount());
    let mut policies = Conditional::uniform(game);
    policies.iterate(game, 0.5, 1.0)?;
    let table = policies.tables.swap_remove(0);
    let theta: Vec<f64> = table.iter().map(|p| p.ln()).collect();
    let table_of = |theta: &[f64]| {
        let mut table = vec![1.0; theta.len()];
        improve_table(game, 0, &mut table, theta, 1.0, 1.0);
        table
    };
    let slope = gradient(&theta, |theta| {
        let soft = soft_values(game, 0, &table_of(theta), model, model, 1.0)?;
        Ok(soft.of_states.iter().zip(game.start()).map(|(v, start)| v * start).sum())
    })?;
    let q = soft_values(game, 0, &table, model, model, 1.0)?.of_rows;
    let mut next = table.clone();
    improve_table(game, 0, &mut next, &q, alpha, 1.0);
    // Visits under the joint policy rho(b|s) pi(a|s, b), which is not a product: by its own transition matrix.
    let mut moves = DMatrix::zeros(game.states(), game.states());
    let blocks = |state: usize| game.rows(state).len() / game.shape(state)[0];
    for state in 0..game.states() {
        for (at, row) in game.rows(state).enumerate() {
            let weight = model.of(1, state)[at % blocks(state)] * table[row];
            game.next(row).iter().for_each(|&(to, p)| moves[(to, state)] += weight * p);
        }
    }
    let start = DMatrix::from_column_slice(game.states(), 1, game.start());
    let d = solve(&moves, game.discount(), &start, Deadline::NONE)? * (1.0 - game.discount());
    let mut stepped = theta.clone();
    for state in 0..game.states() {
        let mut sums = Vec::new();
        for b in 0..blocks(state) {
            let rows: Vec<usize> =
                (0..game.shape(state)[0]).map(|a| game.rows(state).start + a * blocks(state) + b).collect();
            let policy: Vec<f64> = rows.iter().map(|row| table[*row]).collect();
            let part: Vec<f64> = rows.iter().map(|row| slope[*row]).collect();
            let step = natural(&policy, d[state] * model.of(1, state)[b], &part);
            rows.iter().zip(step.iter()).for_each(|(row, step)| stepped[*row] += eta * step);
            sums.push(rows.iter().map(|row| table[*row].powf(1.0 - alpha) * (alpha * q[*row]).exp()).sum::<f64>());
        }
        let (low, high) = sums.iter().fold((f64::INFINITY, 0.0f64), |(low, high), x| (low.min(*x), high.max(*x)));
        printed.on(name);
        printed.most("largest sum over a / least, over b", high / low);
        printed.case(high / low < 1.0 + 1e-9, || {
            format!("{name}, state {state}: the sums over a are {low:.4} for one b and {high:.4} for another")
        });
    }
    Ok(table_of(&stepped).iter().zip(&next).fold(0.0, |most: f64, (x, y)| most.max((x - y).abs())))
}

pub const PROP_5_3: Statement = Statement {
    name: "prop-5.3",
    title: "VPG is the natural gradient on the potential",
    claim: "VPG has the same dynamics as theta_s + eta F(theta_s)^+ grad_theta_s Phi, F the Fisher matrix of the product policy.",
    checks: prop_5_3,
};

fn prop_5_3() -> Result<Vec<Check>, TheoryError> {
    let mut unweighted = Check::printed("F at a state without the share of visits d(s) in front, no entropy.");
    let mut own = Check::printed(
        "The paper's value, with the player's own entropy only, against the potential with all entropies, F \
                                  weighted by d(s).",
    );
    let mut shared = Check::read_as(
        "all players' entropy, F weighted by d(s)",
        "One step from random profiles, Phi the common value.",
    );
    let mut none =
        Check::read_as("no entropy, F weighted by d(s)", "One step from random profiles, Phi the common value.");
    let mut rng = suite::stream("Prop. 5.3");
    for named in suite::team_games()? {
        let Named { name, game } = suite::scaled(&named)?;
        let profile = suite::profile(&mut rng, &game);
        let nobody = Objective::default();
        let everybody = Objective { entropy: Entropy::Shared, temperature: 1.0 };
        let alone = Objective { entropy: Entropy::Own, temperature: 1.0 };
        for (check, counted, potential, weighted) in [
            (&mut shared, everybody, everybody, true),
            (&mut none, nobody, nobody, true),
            (&mut own, alone, everybody, true),
            (&mut unweighted, nobody, nobody, false),
        ] {
            let vpg = Vpg { alpha: 0.2, objective: counted, order: Order::Simultaneous };
            let mut next = profile.clone();
            vpg.iterate(&game, &mut next)?;
            let gap = global_step(&game, &profile, 0.2, potential, weighted)?.distance(&next);
            check.on(name);
            check.most("largest difference of a probability", gap);
            check.case(gap < 1e-6, || format!("{name}: a probability differs by {gap:.4} after one step of alpha 0.2"));
        }
    }
    Ok(vec![unweighted, own, shared, none])
}

/// A natural gradient step of all players on the common value.
fn global_step(
    game: &TabularGame,
    profile: &Profile,
    alpha: f64,
    potential: Objective,
    weighted: bool,
) -> Result<Profile, TheoryError> {
    let theta: Vec<f64> = profile.values.iter().map(|p| p.ln()).collect();
    let slope =
        gradient(&theta, |theta| Ok(values(game, &Profile::softmax(game.layout(), theta), potential)?.of_start[0]))?;
    let d = visits(game, profile)?;
    let mut moved = theta;
    for player in 0..game.players() {
        for (state, visited) in d.iter().enumerate() {
            let range = game.layout().range(player, state);
            let weight = if weighted { *visited } else { 1.0 };
            if weight <= 0.0 {
                continue;
            }
            let step = natural(profile.of(player, state), weight, &slope.as_slice()[range.clone()]);
            range.zip(step.iter()).for_each(|(at, step)| moved[at] += alpha * (1.0 - game.discount()) * step);
        }
    }
    Ok(Profile::softmax(game.layout(), &moved))
}

pub const LEMMA_5_4: Statement = Statement {
    name: "lemma-5.4",
    title: "Smoothness of the potential",
    claim: "Phi is L-smooth, L = 2 (n+1)^2 / (1-g)^3 + 2 (n^2+n+1) (1 + log max|A_i|) / (1-g)^2 + (3n+2) / (1-g).",
    checks: lemma_5_4,
};

fn lemma_5_4() -> Result<Vec<Check>, TheoryError> {
    let mut check = Check::printed(
        "The largest curvature of Phi (the common value with all entropies, |r| <= 1) in the logits, by second differences at \
         random profiles and the uniform one, over all states.",
    );
    let mut rng = suite::stream("Lemma 5.4");
    let mut games = suite::one_shot_potential_games()?;
    games.retain(|named| {
        let game = &named.game;
        (1..game.players()).all(|player| game.rewards(player, 0) == game.rewards(0, 0))
    });
    games.extend(suite::team_games()?);
    for named in &games {
        let Named { name, game } = suite::scaled(named)?;
        let bound = smoothness_of(&game);
        let mut curvature: f64 = 0.0;
        for k in 0..6 {
            let at = if k == 0 { vec![0.0; game.layout().len()] } else { suite::logits(&mut rng, game.layout().len()) };
            curvature = curvature.max(largest_curvature(&game, &at)?);
        }
        check.on(name);
        check.least("least L / curvature", bound / curvature);
        check.most("largest L / curvature", bound / curvature);
        check.case(curvature <= bound, || format!("{name}: curvature {curvature}, L {bound}"));
    }
    Ok(vec![check])
}

/// The largest eigenvalue, as a magnitude, of the second derivatives of the common value in any state.
fn largest_curvature(game: &TabularGame, at: &[f64]) -> Result<f64, TheoryError> {
    const WIDE: f64 = 1e-3;
    let everybody = Objective { entropy: Entropy::Shared, temperature: 1.0 };
    let n = at.len();
    let of = |moves: &[(usize, f64)]| -> Result<Vec<f64>, TheoryError> {
        let mut x = at.to_vec();
        moves.iter().for_each(|(k, step)| x[*k] += step);
        Ok(values(game, &Profile::softmax(game.layout(), &x), everybody)?.of(0).to_vec())
    };
    let mut hessians = vec![DMatrix::<f64>::zeros(n, n); game.states()];
    for i in 0..n {
        for k in 0..=i {
            let terms = [(WIDE, WIDE, 1.0), (WIDE, -WIDE, -1.0), (-WIDE, WIDE, -1.0), (-WIDE, -WIDE, 1.0)];
            for (first, second, sign) in terms {
                for (hessian, value) in hessians.iter_mut().zip(of(&[(i, first), (k, second)])?) {
                    hessian[(i, k)] += sign * value / (4.0 * WIDE * WIDE);
                }
            }
            hessians.iter_mut().for_each(|hessian| hessian[(k, i)] = hessian[(i, k)]);
        }
    }
    Ok(hessians.into_iter().map(|hessian| SymmetricEigen::new(hessian).eigenvalues.amax()).fold(0.0, f64::max))
}
