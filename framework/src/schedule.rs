//! The order of a step. Every system belongs to a set of [`StepSystems`]; two systems that touch the same data and have
//! no order between them are an error when the schedule is built, so a run means the same on every machine.

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{LogLevel, ScheduleBuildSettings, ScheduleLabel, SingleThreadedExecutor};

use crate::evaluate::evaluation_was_due;
use crate::learn::somebody_learns;

/// The schedule of one environment step of every lane of a world.
#[derive(ScheduleLabel, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step;

/// The schedule that sets up the instances of an evaluation.
#[derive(ScheduleLabel, Clone, Debug, PartialEq, Eq, Hash)]
pub struct BeginTrial;

/// The schedule of one step of the evaluation episodes: [`StepSystems::Observe`], [`StepSystems::Model`],
/// [`StepSystems::Act`] and [`StepSystems::Play`] on instances of their own, nothing remembered, nothing learned.
#[derive(ScheduleLabel, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rollout;

/// The schedule that records what came out of an evaluation.
#[derive(ScheduleLabel, Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndTrial;

/// The stages of a step, in the order in which they run.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepSystems {
    /// Empty; a place to hook in before everything.
    First,
    /// Responsible for what each player sees: game state to [`Observation`](crate::agent::Observation).
    Observe,
    /// Responsible for what opponent models predict.
    Model,
    /// Responsible for what each player does: [`Action`](crate::agent::Action).
    Act,
    /// Responsible for the game: joint action to rewards and next state.
    Play,
    /// Responsible for keeping the transition for learners.
    Remember,
    /// Responsible for learning; its parts are [`LearnSystems`].
    Learn,
    /// Responsible for the evaluation episodes, when they are due.
    Evaluate,
    /// Responsible for writing down what happened.
    Record,
    /// Empty; a place to hook in after everything.
    Last,
}

/// The parts of [`StepSystems::Learn`], in the order in which they run. Those from [`LearnSystems::Sample`] to
/// [`LearnSystems::Update`] run in steps in which some learner of the world wants a batch
/// ([`BatchRequest`](crate::agent::BatchRequest) above 0).
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LearnSystems {
    /// Every learner says how large a batch it wants.
    Request,
    /// One batch per environment is drawn, shared by its players.
    Sample,
    /// Opponent models say what they predict in the batch, and propose.
    Predict,
    /// Every agent says what its target policy would do at the batch's next observations.
    Target,
    /// Agents answer the proposals of their opponent models.
    Answer,
    /// Opponent models learn.
    Fit,
    /// Every learner learns.
    Update,
    /// Everyone with a table of policies publishes it.
    Publish,
}

/// The parts of [`StepSystems::Model`], and in the same way of [`LearnSystems::Predict`], in the order in which they run.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ModelSystems {
    /// Models of their own predict.
    Predict,
    /// Models that read policies get something to begin with.
    Presume,
    /// Agents whose policy is read say what it does.
    Publish,
    /// Models that read policies read them.
    Read,
}

/// The parts of [`LearnSystems::Predict`]: [`ModelSystems`] for the batch.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InBatch(pub ModelSystems);

/// Systems that run in some steps only.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum When {
    /// Some learner wants a batch.
    SomebodyLearns,
    /// The step ended with an evaluation.
    EvaluationWasDue,
}

/// The place of a system among those of its stage that were added for the same data, so that each comes after
/// the one before.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turn(pub Stage, pub usize);

/// The stages whose systems are written once and added per algorithm or per kind of opponent model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Act,
    Request,
    Target,
    Update,
    PublishPolicies,
    Metrics,
    Predict,
    Publish,
    Score,
    PredictBatch,
    PublishBatch,
    Answer,
    Fit,
}

/// Adds [`Step`], [`BeginTrial`], [`Rollout`] and [`EndTrial`] with their sets to the world.
pub(crate) fn install(world: &mut World) {
    use StepSystems::*;
    let settings = || ScheduleBuildSettings {
        ambiguity_detection: LogLevel::Error,
        hierarchy_detection: LogLevel::Error,
        ..ScheduleBuildSettings::default()
    };

    let mut step = Schedule::new(Step);
    step.configure_sets((First, Observe, Model, Act, Play, Remember, Learn, Evaluate, Record, Last).chain());
    step.configure_sets({
        use LearnSystems::*;
        (Request, Sample, Predict, Target, Answer, Fit, Update, Publish).chain().in_set(Learn)
    });
    step.configure_sets({
        use LearnSystems::*;
        (Sample, Predict, Target, Answer, Fit, Update).in_set(When::SomebodyLearns)
    });
    step.configure_sets((
        When::SomebodyLearns.run_if(somebody_learns),
        When::EvaluationWasDue.in_set(Record).run_if(evaluation_was_due),
    ));
    let models = || {
        use ModelSystems::*;
        (Predict, Presume, Publish, Read).chain()
    };
    step.configure_sets(models().in_set(Model));
    step.configure_sets({
        use ModelSystems::*;
        (InBatch(Predict), InBatch(Presume), InBatch(Publish), InBatch(Read)).chain().in_set(LearnSystems::Predict)
    });
    // Systems run one after the other: what runs at the same time are worlds, see `Simulation`, or else the items of a
    // system, see `Workers`.
    step.set_executor(SingleThreadedExecutor::new()).set_build_settings(settings());

    let mut rollout = Schedule::new(Rollout);
    rollout.configure_sets((Observe, Model, Act, Play).chain());
    rollout.configure_sets(models().in_set(Model));
    rollout.set_executor(SingleThreadedExecutor::new()).set_build_settings(settings());

    let mut begin = Schedule::new(BeginTrial);
    begin.set_executor(SingleThreadedExecutor::new()).set_build_settings(settings());

    let mut end = Schedule::new(EndTrial);
    end.set_executor(SingleThreadedExecutor::new()).set_build_settings(settings());

    world.add_schedule(begin);
    world.add_schedule(end);
    world.add_schedule(step);
    world.add_schedule(rollout);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Resource, Default)]
    struct Shared(u32);

    fn one(mut shared: ResMut<Shared>) {
        shared.0 += 1;
    }

    fn two(mut shared: ResMut<Shared>) {
        shared.0 *= 2;
    }

    #[test]
    fn two_systems_without_an_order_on_the_same_data_are_an_error() {
        let mut world = World::new();
        world.init_resource::<Shared>();
        install(&mut world);
        world.schedule_scope(Step, |_, step| {
            step.add_systems((one.in_set(StepSystems::Act), two.in_set(StepSystems::Act)));
        });
        let error = world.schedule_scope(Step, |world, step| step.initialize(world).err());
        assert!(format!("{error:?}").contains("Ambiguity"), "{error:?}");
    }

    #[test]
    fn stages_order_systems() {
        let mut world = World::new();
        world.insert_resource(Shared(1));
        install(&mut world);
        world.schedule_scope(Step, |_, step| {
            step.add_systems((two.in_set(StepSystems::Play), one.in_set(StepSystems::Act)));
        });
        world.run_schedule(Step);
        assert_eq!(world.resource::<Shared>().0, 4);
    }
}
