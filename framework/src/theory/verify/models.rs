//! Opponent models: Prop. 4.7 and the inference of rewards (section 5.2).

use super::Statement;
use super::check::Check;
use super::suite::{self, Named};
use crate::theory::games::Tables;
use crate::theory::minimise::minimise;
use crate::theory::opponent_model::{values_over_prior, variational};
use crate::theory::profile::softmax;
use crate::theory::{Profile, TabularGame, TheoryError, entropy, lqre};

pub const PROP_4_7: Statement = Statement {
    name: "prop-4.7",
    title: "Optimal opponent model",
    claim: "rho(b|s) is pihat(b|s) exp(E_a Q_rho(s, a, b)) / Z; with a uniform prior it resembles a logit quantal response.",
    checks: prop_4_7,
};

fn prop_4_7() -> Result<Vec<Check>, TheoryError> {
    Ok(vec![reversed_divergence()?, best_over_a_fixed_prior()?, uniform_prior()?, replaced_prior()?])
}

/// The printed divergence KL(pihat || rho).
fn reversed_divergence() -> Result<Check, TheoryError> {
    let mut check = Check::printed(
        "One shot, the divergence as printed, KL(pihat || rho): the model that maximises E_rho Q less it, found by search, against \
         Eq. 6.",
    );
    check.on("common [[1, 0], [0, 0.5]], pi = (0.5, 0.5), pihat = (0.7, 0.3)");
    let (q, prior) = ([0.5, 0.25], [0.7, 0.3]);
    let mut closed = [0, 1].map(|b| f64::ln(prior[b]) + q[b]);
    softmax(&mut closed);
    let best = minimise(&[0.0, 0.0], |logits| {
        let mut rho = [logits[0], logits[1]];
        softmax(&mut rho);
        (0..2).map(|b| prior[b] * (prior[b] / rho[b]).ln() - rho[b] * q[b]).sum()
    });
    let mut found = [best.point[0], best.point[1]];
    softmax(&mut found);
    check.figure("rho of the first action by Eq. 6", closed[0]);
    check.figure("rho of the first action by search", found[0]);
    check.case((closed[0] - found[0]).abs() < 1e-6, || {
        format!("the optimum is {:.4}, Eq. 6 gives {:.4}", found[0], closed[0])
    });
    Ok(check)
}

fn best_over_a_fixed_prior() -> Result<Check, TheoryError> {
    let mut check = Check::read_as(
        "KL(rho || pihat), pi marginal, pihat fixed",
        "Eq. 6 iterated to rest against the best model that a search over all of them finds, random policies and priors.",
    );
    let mut rng = suite::stream("Prop. 4.7");
    let mut games = vec![suite::two_state()?, suite::crossed()?];
    games.extend(suite::published_games()?.into_iter().take(1));
    for named in &games {
        let Named { name, game } = suite::scaled(named)?;
        let (prior, mut belief) = (suite::profile(&mut rng, &game), suite::profile(&mut rng, &game));
        variational(&game, &mut belief, &prior, 1, 1.0)?;
        let worth = |belief: &Profile| -> Result<f64, TheoryError> {
            let values = values_over_prior(&game, belief, &prior, 1, 1.0)?;
            Ok(values.iter().zip(game.start()).map(|(value, start)| value * start).sum())
        };
        let place = game.layout().range(1, 0).start;
        let search = minimise(&vec![0.0; game.layout().len() - place], |logits| {
            let mut all = vec![0.0; place];
            all.extend_from_slice(logits);
            let mut other = belief.clone();
            other.values[place..].copy_from_slice(&Profile::softmax(game.layout(), &all).values[place..]);
            worth(&other).map_or(f64::INFINITY, |worth| -worth)
        });
        let gap = -search.value - worth(&belief)?;
        check.on(name);
        check.most("most that the search is better by", gap);
        check.case(gap < 1e-8, || format!("{name}: the search is better by {gap:e}"));
    }
    Ok(check)
}

fn uniform_prior() -> Result<Check, TheoryError> {
    let mut check = Check::read_as(
        "uniform prior: models of each other by their own models are the logit equilibrium of lambda 1",
        "Two players who play what the other's model says, each Eq. 6 over the uniform prior, half a step at a time until rest.",
    );
    let mut games = suite::one_shot_potential_games()?;
    games.retain(|named| named.game.players() == 2);
    games.extend([suite::two_state()?, suite::pennies()?]);
    for Named { name, game } in &games {
        let prior = Profile::uniform(game.layout());
        let mut profile = prior.clone();
        for _ in 0..400 {
            let mut next = profile.clone();
            for player in 0..2 {
                let mut belief = profile.clone();
                variational(game, &mut belief, &prior, player, 1.0)?;
                for state in 0..game.states() {
                    let half =
                        belief.of(player, state).iter().zip(profile.of(player, state)).map(|(x, y)| (x + y) / 2.0);
                    next.of_mut(player, state).iter_mut().zip(half).for_each(|(place, half)| *place = half);
                }
            }
            profile = next;
        }
        let distance = lqre::residual(game, &profile, 1.0, true)?;
        check.on(*name);
        check.most("largest distance to the logit response", distance);
        check.case(distance < 1e-9, || format!("{name}: {distance:e}"));
    }
    Ok(check)
}

fn replaced_prior() -> Result<Check, TheoryError> {
    let mut check = Check::read_as(
        "the prior replaced by the model every round",
        "Eq. 6 again and again, each time over the model of before; the model must come to rest at a mixed policy, as the prior's \
         fixed one does.",
    );
    let game = TabularGame::new(&Tables::common(&[[1.0, 0.0], [0.0, 0.5]]))?;
    check.on("common [[1, 0], [0, 0.5]]");
    let mut belief = Profile::uniform(game.layout());
    for _ in 0..200 {
        let prior = belief.clone();
        variational(&game, &mut belief, &prior, 1, 1.0)?;
    }
    let left = entropy::entropy(belief.of(1, 0));
    check.figure("entropy of the model after 200 rounds", left);
    check.case(left > 1e-3, || format!("after 200 rounds the model is pure: entropy {left:.1e}"));
    Ok(check)
}

pub const EQS_8_10: Statement = Statement {
    name: "eqs-8-10",
    title: "Inference of the opponent's reward",
    claim: "Fitting the reward so that the opponent model explains the data is minimising Eq. 8 or 9, with the gradient Eq. 10.",
    checks: eqs_8_10,
};

/// What the opponent was seen to do, and the prior, in the one-shot case.
const DATA: [f64; 3] = [0.5, 0.3, 0.2];
const PRIOR: [f64; 3] = [0.2, 0.3, 0.5];

fn eqs_8_10() -> Result<Vec<Check>, TheoryError> {
    let mut gradient = Check::printed(
        "Eq. 10, its samples replaced by all actions with their probabilities, against differences of \
                                       Eq. 9 at random rewards and models.",
    );
    let mut rng = suite::stream("Eqs. 8 to 10");
    for _ in 0..20 {
        let reward = suite::logits(&mut rng, 3);
        let mut rho = suite::logits(&mut rng, 3);
        softmax(&mut rho);
        let loss = |reward: &[f64]| {
            let seen: f64 = DATA.iter().zip(reward).map(|(d, r)| -d * r).sum();
            seen + rho.iter().zip(reward).map(|(rho, r)| rho * (r.exp() / rho)).sum::<f64>().ln()
        };
        let weights: Vec<f64> = reward.iter().zip(&rho).map(|(r, rho)| r.exp() / rho).collect();
        let z: f64 = rho.iter().zip(&weights).map(|(rho, w)| rho * w).sum();
        for b in 0..3 {
            let by_formula = -DATA[b] + rho[b] * weights[b] / z;
            let (mut above, mut below) = (reward.clone(), reward.clone());
            above[b] += 1e-5;
            below[b] -= 1e-5;
            let gap = (by_formula - (loss(&above) - loss(&below)) / 2e-5).abs();
            gradient.most("largest difference", gap);
            gradient.case(gap < 1e-8, || format!("{gap:e}"));
        }
    }
    gradient.on("one opponent of three actions");
    let model = |q: &[f64]| {
        let mut rho: Vec<f64> = PRIOR.iter().zip(q).map(|(prior, q)| prior.ln() + q).collect();
        softmax(&mut rho);
        rho
    };
    let apart = |rho: &[f64]| rho.iter().zip(&DATA).fold(0.0, |most: f64, (x, y)| most.max((x - y).abs()));
    let mut over_prior = Check::read_as(
        "Eq. 6's normaliser, log E_pihat exp(Q)",
        "The reward of least loss: the model that it makes against the data.",
    );
    let best = minimise(&[0.0; 3], |q| {
        let seen: f64 = DATA.iter().zip(q).map(|(d, q)| -d * q).sum();
        seen + PRIOR.iter().zip(q).map(|(prior, q)| prior * q.exp()).sum::<f64>().ln()
    });
    let distance = apart(&model(&best.point));
    over_prior.on("one opponent of three actions, prior not uniform");
    over_prior.figure("largest distance of the model to the data", distance);
    over_prior.case(distance < 1e-6, || format!("{distance:e}"));
    let mut over_model = Check::printed(
        "Eq. 8's normaliser log E_rho exp(Q), rho the model that Q makes: minimised and the model renewed \
                                         in turn, half a step at a time until rest.",
    );
    let mut rho = PRIOR.to_vec();
    for _ in 0..200 {
        // The minimum over Q for a fixed rho has exp(Q) proportional to data / rho.
        let q: Vec<f64> = DATA.iter().zip(&rho).map(|(d, rho)| (d / rho).ln()).collect();
        let mut next: Vec<f64> = model(&q).iter().zip(&rho).map(|(x, y)| (x * y).sqrt().ln()).collect();
        softmax(&mut next);
        rho = next;
    }
    let distance = apart(&rho);
    over_model.on("one opponent of three actions, prior not uniform");
    over_model.figure("largest distance of the model to the data", distance);
    over_model.case(distance < 1e-6, || {
        format!(
            "data {DATA:?}, prior {PRIOR:?}: the model comes to rest at ({:.3}, {:.3}, {:.3}), the geometric mean",
            rho[0], rho[1], rho[2]
        )
    });
    Ok(vec![gradient, over_model, over_prior])
}
