//! Success: which evaluations of a seed are one, and from when on a seed holds it.
//!
//! Holds the definition; shares over seeds are in `summary.rs`, curves of them in `curves.rs`.

use super::{
    manifest::BestKnown,
    records::{JointAction, Point, SeedRecords},
};
use crate::game::Place;

/// Whether one evaluation is a success: its mean joint action is in the place that the game gives; or, for games that
/// give none, its mean-action return is not further below the best known than the tolerance, nor above where that counts.
fn is_success(best: &BestKnown, evaluation: &Point, actions: Option<&JointAction>) -> bool {
    match &best.place {
        Some(place) => actions.is_some_and(|actions| is_in(place, actions)),
        None => {
            let above = evaluation.value - best.value;
            above.is_finite() && above >= -best.tolerance && !(best.both_sides && above > best.tolerance)
        }
    }
}

/// Whether every number of every player's action is near enough; a number that was not recorded is not.
fn is_in(place: &Place, actions: &JointAction) -> bool {
    let mut aims =
        (0..).zip(&place.action).flat_map(|(player, action)| (0..).zip(action).map(move |aim| (player, aim)));
    aims.all(|(player, (dim, aim))| actions.get(&(player, dim)).is_some_and(|x| (x - aim).abs() <= place.within))
}

/// The evaluations of a seed and whether each is a success, ascending in the episode; none of them is when the seed
/// failed.
pub fn evaluations(seed: &SeedRecords, best: &BestKnown) -> Vec<(Point, bool)> {
    let judge =
        |point: &Point| (*point, !seed.failed && is_success(best, point, seed.joint_actions.get(&point.episode)));
    seed.mean_action.mean.iter().map(judge).collect()
}

/// The environment step of the first evaluation from which on every later one is a success too, to the end of the
/// records; `None` when the last is none.
pub fn steps_to_success(evaluations: &[(Point, bool)]) -> Option<u64> {
    let held = evaluations.iter().rev().take_while(|(_, success)| *success);
    held.last().map(|(point, _)| point.step)
}

#[cfg(test)]
mod tests {
    use super::{super::example, *};

    /// A seed whose evaluations are at these joint actions, 125 steps apart, all with the same return.
    fn seed(joint: &[(f64, f64)], value: f64) -> SeedRecords {
        let mut seed = example::seed(1);
        for (episode, (a, b)) in (0..).step_by(5).zip(joint) {
            seed.mean_action.mean.push(Point { episode, step: u64::from(episode) * 25, value });
            seed.joint_actions.insert(episode, JointAction::from([((0, 0), *a), ((1, 0), *b)]));
        }
        seed
    }

    fn successes(seed: &SeedRecords, best: &BestKnown) -> Vec<bool> {
        evaluations(seed, best).iter().map(|(_, success)| *success).collect()
    }

    #[test]
    fn the_place_decides_where_there_is_one_and_the_return_where_not() {
        let at = [(5.0, 5.0), (4.5, 5.5), (4.49, 5.0), (5.0, -5.0), (f64::NAN, 5.0)];
        let (place, value) = (example::at_five(), BestKnown { place: None, ..example::at_five() });
        assert_eq!(successes(&seed(&at, -1.0), &place), [true, true, false, false, false]);
        assert_eq!(successes(&seed(&at[..1], 9.5), &value), [true]);
        for not_enough in [9.49, f64::NAN, f64::INFINITY] {
            assert_eq!(successes(&seed(&at[..1], not_enough), &value), [false], "{not_enough}");
        }
        let equilibrium = BestKnown { both_sides: true, ..value.clone() };
        for (paid, success) in [(9.49, false), (9.5, true), (10.5, true), (10.51, false)] {
            assert_eq!(successes(&seed(&at[..1], paid), &equilibrium), [success], "{paid}");
        }
        assert_eq!(successes(&seed(&at[..1], 10.51), &value), [true], "more is better");
    }

    #[test]
    fn an_action_that_was_not_recorded_is_not_in_the_place_and_a_failed_seed_has_no_success() {
        let mut lost = seed(&[(5.0, 5.0); 2], 10.0);
        lost.joint_actions.get_mut(&0).unwrap().remove(&(1, 0));
        assert_eq!(successes(&lost, &example::at_five()), [false, true]);
        lost.failed = true;
        assert_eq!(successes(&lost, &example::at_five()), [false, false]);
    }

    #[test]
    fn success_counts_from_where_it_is_held_to_the_end() {
        let steps = |marks: &[bool]| {
            let at = marks.iter().map(|&mark| if mark { (5.0, 5.0) } else { (0.0, 0.0) });
            let evaluations = evaluations(&seed(&at.collect::<Vec<_>>(), 0.0), &example::at_five());
            steps_to_success(&evaluations)
        };
        assert_eq!(steps(&[true, false, true, true]), Some(250), "what was lost again does not count");
        assert_eq!(steps(&[true, true]), Some(0));
        assert_eq!(steps(&[true, false]), None);
        assert_eq!(steps(&[]), None);
    }
}
