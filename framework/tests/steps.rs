//! What a step runs: the systems of what the run uses, and those of learning when somebody learns.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::Schedules;
use equiflow::app::App;
use equiflow::loader::Plugins;
use equiflow::run::{Run, RunFile};
use equiflow::schedule::{LearnSystems, Rollout, Step, StepSystems};
use equiflow::simulation::Simulation;
use equiflow::testing::resolved;

fn file(entries: &str) -> String {
    format!("Run(name: \"x\", seeds: 1, episodes: 2, steps: 10, game: matching_pennies(), entries: [{entries}])")
}

const WITH_MODELS: &str = "Entry(label: \"models\", all: gpi(), game: max_of_two())";

/// Systems in a step, and in a step of an evaluation.
fn systems(mut simulation: Simulation) -> [usize; 2] {
    let schedules = simulation.app().world.resource::<Schedules>();
    [schedules.get(Step).unwrap().systems_len(), schedules.get(Rollout).unwrap().systems_len()]
}

#[test]
fn a_step_has_the_systems_of_what_its_run_uses() {
    let of = |entries: &str| systems(resolved(App::new(1), &file(entries)));
    let (random, two, models) = (of("random()"), of("random(), vpg()"), of(&format!("random(), {WITH_MODELS}")));
    let fewer = |a: [usize; 2], b: [usize; 2]| a[0] < b[0] && a[1] < b[1];
    assert!(fewer(random, two) && fewer(two, models), "{random:?}, {two:?}, {models:?}");
    assert_eq!(of("random(), Entry(label: \"again\", all: random())"), random, "one set, however many entries");

    // With an algorithm and models at hand that are not used.
    let mut app = App::new(1);
    let beside = std::path::Path::new(env!("CARGO_BIN_EXE_equiflow")).parent().unwrap();
    let mut plugins = Plugins::discover(&[beside.to_owned()]);
    let other = RunFile::parse("other", file(&format!("vpg(), {WITH_MODELS}"))).unwrap();
    assert!(Run::resolve(&other, &mut app, &mut plugins).is_ok());
    assert_eq!(systems(resolved(app, &file("random()"))), random);
}

#[derive(Resource, Default)]
struct Counts {
    steps: u32,
    updates: u32,
    published: u32,
}

fn count(app: &mut App) {
    app.world.init_resource::<Counts>();
    app.systems(Step, |step| {
        step.add_systems((
            (|mut counts: ResMut<Counts>| counts.steps += 1).in_set(StepSystems::First),
            (|mut counts: ResMut<Counts>| counts.updates += 1).in_set(LearnSystems::Update),
            (|mut counts: ResMut<Counts>| counts.published += 1).in_set(LearnSystems::Publish),
        ));
    });
}

#[test]
fn learning_is_passed_over_when_nobody_learns() {
    for (entries, updates) in [("random()", 0), ("vpg(learn_every: 4)", 5), ("random(), vpg(learn_every: 4)", 5)] {
        let mut app = App::new(1);
        app.add_plugin(count);
        let mut simulation = resolved(app, &file(entries));
        simulation.advance_by(20);
        assert_eq!(simulation.failures(), []);
        let counts = simulation.app().world.resource::<Counts>();
        assert_eq!((counts.steps, counts.updates, counts.published), (20, updates, 20), "{entries}");
    }
}
