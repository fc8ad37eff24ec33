//! Flow equilibria (Def. 4.1) and KL equilibria: what profiles make of the graphical model's divergences.
//!
//! At a *flow equilibrium* P_T is proportional to the return function of every player. All share one P_T, so it exists
//! only where the return functions agree on the support and product policies can reach them: the search here says
//! yes, or how near one can come. At a *KL equilibrium* nobody can lower its own divergence alone.

use super::error::TheoryError;
use super::gmg::{Graph, ReturnFunction};
use super::minimise::minimise;
use super::profile::Profile;
use super::tabular::TabularGame;

/// A residual below this is 0: the search works with gradients by differences.
pub const ZERO: f64 = 1e-9;

/// What is compared: the return function over so many steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Steps of the game.
    pub horizon: usize,
    /// The return function.
    pub returns: ReturnFunction,
    /// Its temperature tau; 1 in the paper.
    pub temperature: f64,
}

/// What the search for a flow equilibrium found.
#[derive(Clone, Debug)]
pub struct FlowSearch {
    /// The least residual sum_i KL(P_T || R^i / Z^i) that was found.
    pub residual: f64,
    /// Where.
    pub profile: Profile,
}

impl FlowSearch {
    /// Whether a flow equilibrium exists.
    pub fn exists(&self) -> bool {
        self.residual < ZERO
    }
}

/// Looks for the Markov profile of least flow residual, from the uniform one and from `starts` others spread evenly.
/// The residual is not convex: what is found is the least of several local minima.
///
/// # Errors
/// The graph is too large.
pub fn search(game: &TabularGame, setting: Setting, starts: usize) -> Result<FlowSearch, TheoryError> {
    let layout = game.layout();
    Graph::new(game, &Profile::uniform(layout), setting.horizon)?;
    let residual = |logits: &[f64]| {
        let graph = Graph::new(game, &Profile::softmax(layout, logits), setting.horizon);
        // Another profile can only split vertices that the uniform one merges; beyond the limit there is no way on.
        graph.map_or(f64::INFINITY, |graph| graph.residual(setting.returns, setting.temperature))
    };
    let best = (0..=starts)
        .map(|start| minimise(&spread(layout.len(), start), residual))
        .min_by(|one, other| one.value.total_cmp(&other.value));
    let best = best.ok_or_else(|| TheoryError::Unsolved("nothing to search from".to_owned()))?;
    Ok(FlowSearch { residual: best.value, profile: Profile::softmax(layout, &best.point) })
}

/// How much each player could lower its own divergence KL(P_T || R^i / Z^i) alone: all 0 at a KL equilibrium.
///
/// # Errors
/// The graph is too large.
pub fn divergence_gains(game: &TabularGame, profile: &Profile, setting: Setting) -> Result<Vec<f64>, TheoryError> {
    let graph = Graph::new(game, profile, setting.horizon)?;
    (0..game.players())
        .map(|player| {
            let least = lower_own(game, profile, setting, player)?.1;
            Ok(graph.divergence(player, setting.returns, setting.temperature) - least)
        })
        .collect()
}

/// Rounds after which the search for a KL equilibrium gives up.
const ROUNDS: usize = 500;

/// A KL equilibrium: from the uniform profile, every player goes half of the way to the policy of its least divergence,
/// until nobody moves. In a one-shot game this is the logit quantal response equilibrium of lambda = 1 / tau.
///
/// # Errors
/// The graph is too large, or the players are still moving after the last round.
pub fn kl_equilibrium(game: &TabularGame, setting: Setting) -> Result<Profile, TheoryError> {
    let mut profile = Profile::uniform(game.layout());
    let mut moved = 0.0;
    for _ in 0..ROUNDS {
        let mut next = profile.clone();
        for player in 0..game.players() {
            let (own, _) = lower_own(game, &profile, setting, player)?;
            for state in 0..game.states() {
                let half = own.of(player, state).iter().zip(profile.of(player, state)).map(|(x, y)| (x + y) / 2.0);
                next.of_mut(player, state).iter_mut().zip(half).for_each(|(place, half)| *place = half);
            }
        }
        moved = profile.distance(&next);
        profile = next;
        if moved < 1e-10 {
            return Ok(profile);
        }
    }
    let what = format!("no KL equilibrium within {ROUNDS} rounds: in the last, a probability still moved by {moved:e}");
    Err(TheoryError::Unsolved(what))
}

/// `profile` with the policy of `player` that has its least divergence against the others, and the divergence.
fn lower_own(
    game: &TabularGame,
    profile: &Profile,
    setting: Setting,
    player: usize,
) -> Result<(Profile, f64), TheoryError> {
    let layout = game.layout();
    Graph::new(game, profile, setting.horizon)?;
    let own = layout.range(player, 0).start..layout.range(player, layout.states() - 1).end;
    // A probability of 0 is a logit of minus infinity; from so far away no search comes back.
    let logits = |x: &f64| x.max(1e-12).ln();
    let start: Vec<_> = profile.values[own.clone()].iter().map(logits).collect();
    let with = |part: &[f64]| {
        let mut all: Vec<_> = profile.values.iter().map(logits).collect();
        all[own.clone()].copy_from_slice(part);
        let own_policy = Profile::softmax(layout, &all);
        let mut changed = profile.clone();
        changed.values[own.clone()].copy_from_slice(&own_policy.values[own.clone()]);
        changed
    };
    let least = minimise(&start, |part| {
        let graph = Graph::new(game, &with(part), setting.horizon);
        graph.map_or(f64::INFINITY, |graph| graph.divergence(player, setting.returns, setting.temperature))
    });
    Ok((with(&least.point), least.value))
}

/// Start number `start` of a search: all 0, then points of an additive recurrence in [-2, 2], the same on every machine.
fn spread(length: usize, start: usize) -> Vec<f64> {
    // Steps by the golden ratio's fractional part fill the interval evenly.
    let at = |k: usize| ((start * length + k) as f64 * 0.618_033_988_749_894_9).fract();
    (0..length).map(|k| if start == 0 { 0.0 } else { 4.0 * at(k) - 2.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::games::Tables;

    const PLAIN: Setting = Setting { horizon: 1, returns: ReturnFunction::Plain, temperature: 1.0 };
    const WEIGHTED: Setting = Setting { returns: ReturnFunction::Weighted, ..PLAIN };

    fn table(game: &Tables) -> TabularGame {
        TabularGame::new(game).unwrap()
    }

    #[test]
    fn opposed_returns_have_no_flow_equilibrium() {
        // Two terminals, R^1 = (1, 2), R^2 = (2, 1): the best is P_T in the middle, -2 log of the Bhattacharyya
        // coefficient away.
        let ln2 = 2.0f64.ln();
        let game = table(&Tables::one_shot(&[2, 1], &[&[0.0, ln2], &[ln2, 0.0]]));
        let found = search(&game, PLAIN, 3).unwrap();
        let coefficient = 2.0 * (1.0f64 / 3.0 * 2.0 / 3.0).sqrt();
        assert!((found.residual + 2.0 * coefficient.ln()).abs() < 1e-9 && !found.exists(), "{found:?}");
    }

    #[test]
    fn returns_of_rank_one_have_a_flow_equilibrium() {
        // r(a, b) = f(a) + g(b).
        let game = table(&Tables::common(&[[1.0, 0.0], [3.0, 2.0]]));
        let found = search(&game, PLAIN, 0).unwrap();
        assert!(found.exists(), "{found:?}");
        assert!((found.profile.of(0, 0)[1] - 1.0 / (1.0 + (-2.0f64).exp())).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn a_kl_equilibrium_is_a_logit_equilibrium() {
        // Prisoner's dilemma with a lambda of 2: each is a logit response to the other.
        let game = table(&Tables::one_shot(&[2, 2], &[&[3.0, 0.0, 5.0, 1.0], &[3.0, 5.0, 0.0, 1.0]]));
        let setting = Setting { temperature: 0.5, ..WEIGHTED };
        let found = kl_equilibrium(&game, setting).unwrap();
        let q = found.of(1, 0)[0];
        let advantage = (3.0 * q - (5.0 * q + (1.0 - q))) / 0.5;
        assert!((found.of(0, 0)[0] - 1.0 / (1.0 + (-advantage).exp())).abs() < 1e-7, "{found:?}");
        assert!(divergence_gains(&game, &found, setting).unwrap().iter().all(|gain| *gain < 1e-9));
    }
}
