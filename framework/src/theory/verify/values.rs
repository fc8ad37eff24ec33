//! Eq. 1 and section 4.3: values, the soft values of Def. 4.4, best responses, wrong opponent models.

use super::Statement;
use super::check::Check;
use super::suite::{self, Named};
use crate::stream::Stream;
use crate::theory::games::Tables;
use crate::theory::vpg::Vpg;
use crate::theory::vpg::conditional::{improve_table, soft_values};
use crate::theory::{
    Entropy, FiniteGame, Objective, Profile, TabularGame, TheoryError, action_values, nash_conv, values,
};

pub const EQ_1: Statement = Statement {
    name: "eq-1",
    title: "Values and Nash equilibria (section 3.2)",
    claim: "V^i is the expected discounted sum of rewards; at a Nash equilibrium nobody gains by deviating.",
    checks: eq_1,
};

fn eq_1() -> Result<Vec<Check>, TheoryError> {
    let mut sums =
        Check::printed("Values by linear equations against 1,000 steps of the sum itself, on random profiles.");
    let mut rng = suite::stream("Eq. 1");
    let mut games = suite::team_games()?;
    games.extend(suite::published_games()?);
    for Named { name, game } in games.iter().filter(|named| named.game.discount() <= 0.95) {
        let profile = suite::profile(&mut rng, game);
        let solved = values(game, &profile, Objective::default())?;
        for player in 0..game.players() {
            let mut summed = vec![0.0; game.states()];
            for _ in 0..1_000 {
                let promised = action_values(game, &profile, &summed, player);
                summed = mean(game, &profile, &promised, player);
            }
            let scale = summed.iter().fold(1.0, |most: f64, v| most.max(v.abs()));
            let gap =
                summed.iter().zip(solved.of(player)).fold(0.0, |most: f64, (x, y)| most.max((x - y).abs())) / scale;
            sums.most("largest relative difference", gap);
            sums.case(gap < 1e-11, || format!("{name}: {gap:e}"));
        }
        sums.on(*name);
    }
    let mut nash = Check::printed("Gains at profiles known to be Nash equilibria, and at one known not to be.");
    let coordination = TabularGame::new(&Tables::common(&[[1.0, 0.0], [0.0, 0.5]]))?;
    let pennies = suite::pennies()?.game;
    let cases = [
        ("both first in common [[1, 0], [0, 0.5]]", &coordination, Profile::pure(coordination.layout(), |_, _| 0), 0.0),
        (
            "both second in common [[1, 0], [0, 0.5]]",
            &coordination,
            Profile::pure(coordination.layout(), |_, _| 1),
            0.0,
        ),
        ("uniform in matching pennies", &pennies, Profile::uniform(pennies.layout()), 0.0),
        ("both first in matching pennies", &pennies, Profile::pure(pennies.layout(), |_, _| 0), 2.0),
    ];
    for (name, game, profile, expected) in cases {
        let gain = nash_conv(game, &profile)?.epsilon();
        nash.on(name);
        nash.case((gain - expected).abs() < 1e-12, || format!("{name}: gain {gain} instead of {expected}"));
    }
    Ok(vec![sums, nash])
}

/// The mean of [states, actions] over the policy of `player`, per state.
fn mean(game: &TabularGame, profile: &Profile, numbers: &[f64], player: usize) -> Vec<f64> {
    let mut rest = numbers;
    let states = (0..game.states()).map(|state| {
        let policy = profile.of(player, state);
        let (here, after) = rest.split_at(policy.len());
        rest = after;
        policy.iter().zip(here).map(|(p, x)| p * x).sum()
    });
    states.collect()
}

pub const DEF_4_4: Statement = Statement {
    name: "def-4.4",
    title: "Soft action values",
    claim: "Q and V of Eq. 3 fit together, and V = log Z + H(rho) - E KL(pi || exp(Q)/Z).",
    checks: def_4_4,
};

/// A random table pi(a|s, b) of player 0.
fn random_table(game: &TabularGame, rng: &mut Stream) -> Vec<f64> {
    let rows = game.rows(game.states() - 1).end;
    let mut table = vec![1.0; rows];
    let q: Vec<f64> = suite::logits(rng, rows);
    improve_table(game, 0, &mut table, &q, 1.0, 1.0);
    table
}

/// Calls `visit(state, row, probability of b)` for every row, b drawn from the others' part of the model.
fn for_each(game: &TabularGame, model: &Profile, mut visit: impl FnMut(usize, usize, f64)) {
    for state in 0..game.states() {
        let shape = game.shape(state);
        for (at, row) in game.rows(state).enumerate() {
            let mut rest = at;
            let mut weight = 1.0;
            for player in (0..game.players()).rev() {
                let action = rest % shape[player];
                rest /= shape[player];
                weight *= if player == 0 { 1.0 } else { model.of(player, state)[action] };
            }
            visit(state, row, weight);
        }
    }
}

fn def_4_4() -> Result<Vec<Check>, TheoryError> {
    let mut fits = Check::printed(
        "V = E[Q - log pi - log rho] and Q = r + log pihat + gamma E V on random policies, models and priors: the sum of \
         Eq. 3 is what both equations together have as their only solution.",
    );
    let mut third = Check::read_as(
        "Z(s, b) for the printed Z, and its logarithm averaged over b",
        "The last line of J's derivation on the same cases.",
    );
    let mut rng = suite::stream("Def. 4.4");
    let mut games = vec![suite::two_state()?, suite::crossed()?];
    games.extend(suite::published_games()?);
    for Named { name, game } in &games {
        for _ in 0..5 {
            let table = random_table(game, &mut rng);
            let (model, prior) = (suite::profile(&mut rng, game), suite::profile(&mut rng, game));
            let soft = soft_values(game, 0, &table, &model, &prior, 1.0)?;
            let (mut first, mut last) = (vec![0.0; game.states()], vec![0.0; game.states()]);
            let mut gap: f64 = 0.0;
            let of_prior = weights(game, &prior);
            // Z(s, b) by the rows of player 0's actions, which lie a whole block of the others' actions apart.
            let block = |state: usize| game.rows(state).len() / game.shape(state)[0];
            for_each(game, &model, |state, row, rho| {
                let start = game.rows(state).start;
                let column = start + (row - start) % block(state);
                let z: f64 = (0..game.shape(state)[0]).map(|a| soft.of_rows[column + a * block(state)].exp()).sum();
                let (pi, q) = (table[row], soft.of_rows[row]);
                first[state] += rho * pi * (q - pi.ln() - rho.ln());
                last[state] += rho * pi * (z.ln() - rho.ln() - (pi.ln() - q + z.ln()));
                let follows: f64 = game.next(row).iter().map(|(to, p)| p * soft.of_states[*to]).sum();
                let reward = game.rewards(0, state)[row - start];
                let by_hand = reward + of_prior[row].ln() + game.discount() * follows;
                gap = gap.max((q - by_hand).abs() / q.abs().max(1.0));
            });
            let apart = |sums: &[f64]| {
                let pairs = sums.iter().zip(&soft.of_states);
                pairs.fold(0.0, |most: f64, (x, y)| most.max((x - y).abs() / y.abs().max(1.0)))
            };
            gap = gap.max(apart(&first));
            fits.on(*name);
            fits.most("largest relative difference", gap);
            fits.case(gap < 1e-10, || format!("{name}: {gap:e}"));
            third.on(*name);
            // exp(Q) of values in the hundreds is beyond an f64.
            if last.iter().all(|x| x.is_finite()) {
                third.most("largest relative difference", apart(&last));
                third.case(apart(&last) < 1e-10, || format!("{name}: {:e}", apart(&last)));
            }
        }
    }
    Ok(vec![fits, third])
}

/// The probability of b in every row.
fn weights(game: &TabularGame, model: &Profile) -> Vec<f64> {
    let mut out = vec![0.0; game.rows(game.states() - 1).end];
    for_each(game, model, |_, row, weight| out[row] = weight);
    out
}

pub const PROP_4_5: Statement = Statement {
    name: "prop-4.5",
    title: "Form of the best response",
    claim: "The best response to an opponent model is pi(a|s, b) = softmax of Q(s, a, b).",
    checks: prop_4_5,
};

fn prop_4_5() -> Result<Vec<Check>, TheoryError> {
    let mut sees = Check::printed(
        "For a player who sees b before it acts: policies are improved until they are softmax(Q); no random policy, near or \
         far, has a higher V in any state.",
    );
    let mut marginal = Check::read_as(
        "pi(a|s), which does not see b: softmax(Qbar / tau)",
        "The same for policies that a player can execute, in the value with its own entropy.",
    );
    let mut rng = suite::stream("Prop. 4.5");
    let mut games = vec![suite::two_state()?, suite::crossed()?];
    games.extend(suite::published_games()?);
    for Named { name, game } in &games {
        let model = suite::profile(&mut rng, game);
        let mut best = random_table(game, &mut rng);
        for _ in 0..200 {
            let q = soft_values(game, 0, &best, &model, &model, 1.0)?.of_rows;
            improve_table(game, 0, &mut best, &q, 1.0, 1.0);
        }
        let of = |table: &[f64]| Ok::<_, TheoryError>(soft_values(game, 0, table, &model, &model, 1.0)?.of_states);
        let highest = of(&best)?;
        for _ in 0..50 {
            let other = random_table(game, &mut rng);
            let near: Vec<f64> = best.iter().zip(&other).map(|(x, y)| 0.99 * x + 0.01 * y).collect();
            for table in [other, near] {
                let slack = highest.iter().zip(of(&table)?).map(|(best, v)| best - v).fold(f64::INFINITY, f64::min);
                sees.least("least advantage over another policy", slack);
                sees.case(slack >= -1e-9, || format!("{name}: another policy is better by {}", -slack));
            }
        }
        sees.on(*name);

        let vpg = Vpg::new(1.0, 1.0);
        let own = Objective { entropy: Entropy::Own, temperature: 1.0 };
        let mut belief = model.clone();
        for _ in 0..200 {
            vpg.update(game, &belief.clone(), 0, &mut belief)?;
        }
        let highest = values(game, &belief, own)?.of(0).to_vec();
        for _ in 0..50 {
            let mut other = belief.clone();
            let random = suite::profile(&mut rng, game);
            for state in 0..game.states() {
                other.of_mut(0, state).copy_from_slice(random.of(0, state));
            }
            let reached = values(game, &other, own)?;
            let slack = highest.iter().zip(reached.of(0)).map(|(best, v)| best - v).fold(f64::INFINITY, f64::min);
            marginal.least("least advantage over another policy", slack);
            marginal.case(slack >= -1e-9, || format!("{name}: another policy is better by {}", -slack));
        }
        marginal.on(*name);
    }
    Ok(vec![sees, marginal])
}

pub const PROP_4_6: Statement = Statement {
    name: "prop-4.6",
    title: "Error of a wrong opponent model",
    claim: "KL(rho || pi^-i) < eps and |r| <= 1 give max |Q - Qhat| <= 2 (1 + log|A_i|) / (1 - gamma)^2 sqrt(eps / 2) + eps / (1 - \
            gamma).",
    checks: prop_4_6,
};

/// Prop. 4.6's delta.
pub fn delta(actions: usize, discount: f64, epsilon: f64) -> f64 {
    let rest = 1.0 - discount;
    2.0 * (1.0 + (actions as f64).ln()) / (rest * rest) * (epsilon / 2.0).sqrt() + epsilon / rest
}

/// The largest KL(rho || pi) in a state of the joint action of the opponents of `player`.
pub fn divergence(game: &TabularGame, player: usize, model: &Profile, truth: &Profile) -> f64 {
    let kl = |state: usize| {
        (0..game.players())
            .filter(|other| *other != player)
            .flat_map(|other| model.of(other, state).iter().zip(truth.of(other, state)))
            .filter(|(rho, _)| **rho > 0.0)
            .map(|(rho, pi)| rho * (rho / pi).ln())
            .sum::<f64>()
    };
    (0..game.states()).map(kl).fold(0.0, f64::max)
}

fn prop_4_6() -> Result<Vec<Check>, TheoryError> {
    let mut both = Check::read_as(
        "log pi^-i stands in both Qs",
        "Random tables and models, near the truth and far, in games with |r| <= 1: the largest difference against delta.",
    );
    let mut rng = suite::stream("Prop. 4.6");
    let mut games = suite::team_games()?;
    games.extend(suite::published_games()?);
    for named in &games {
        let Named { name, game } = suite::scaled(named)?;
        for k in 0..30 {
            let (truth, other) = (suite::profile(&mut rng, &game), suite::profile(&mut rng, &game));
            let share = 0.5f64.powi(k % 10);
            let mut model = truth.clone();
            model.values.iter_mut().zip(&other.values).for_each(|(x, y)| *x = (1.0 - share) * *x + share * y);
            let table = random_table(&game, &mut rng);
            let q = soft_values(&game, 0, &table, &truth, &truth, 1.0)?.of_rows;
            let wrong = soft_values(&game, 0, &table, &model, &truth, 1.0)?.of_rows;
            let moved = q.iter().zip(&wrong).fold(0.0, |most: f64, (x, y)| most.max((x - y).abs()));
            let bound = delta(game.actions(0, 0), game.discount(), divergence(&game, 0, &model, &truth));
            both.most("largest difference / delta", moved / bound);
            both.case(moved <= bound, || format!("{name}: difference {moved}, delta {bound}"));
        }
        both.on(name);
    }
    let mut own = Check::printed(
        "Qhat with log rho, as Def. 4.4 has it for the opponent model: a rare action that the model thinks \
                                  rarer still.",
    );
    let game = TabularGame::new(&Tables::common(&[[1.0, 0.0], [0.0, 0.5]]))?;
    let with = |rare: f64| Profile::new(game.layout(), vec![0.5, 0.5, rare, 1.0 - rare]);
    for rare in [1e-1, 1e-2, 1e-3, 1e-4, 1e-6] {
        let (truth, model) = (with(rare)?, with(rare * rare)?);
        let table = vec![0.5; 4];
        let q = soft_values(&game, 0, &table, &truth, &truth, 1.0)?.of_rows;
        let wrong = soft_values(&game, 0, &table, &model, &model, 1.0)?.of_rows;
        let moved = q.iter().zip(&wrong).fold(0.0, |most: f64, (x, y)| most.max((x - y).abs()));
        let epsilon = divergence(&game, 0, &model, &truth);
        let bound = delta(2, 0.0, epsilon);
        own.most("largest difference / delta", moved / bound);
        own.case(moved <= bound, || {
            format!(
                "pi(b) = {rare}, rho(b) = {:.0e}: difference {moved:.3}, delta {bound:.3} (eps {epsilon:.5})",
                rare * rare
            )
        });
    }
    own.on("common [[1, 0], [0, 0.5]]");
    Ok(vec![own, both])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divergence_is_that_of_everyone_else() {
        let game = TabularGame::new(&Tables::common(&[[1.0, 0.0], [0.0, 0.5]])).unwrap();
        let profile = |values: [f64; 4]| Profile::new(game.layout(), values.to_vec()).unwrap();
        let (truth, model) = (profile([0.5, 0.5, 0.5, 0.5]), profile([1.0, 0.0, 0.5, 0.5]));
        assert_eq!(divergence(&game, 0, &model, &truth), 0.0);
        assert!((divergence(&game, 1, &model, &truth) - 2.0f64.ln()).abs() < 1e-15);
    }
}
