//! The program as a world with schedules, to which plugins add what they have.

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{InternedScheduleLabel, InternedSystemSet, ScheduleConfigs, ScheduleLabel};
use bevy_ecs::system::ScheduleSystem;

use crate::agent::{PlaysIn, Reward};
use crate::algorithm::Algorithm;
use crate::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use crate::environment::{Clock, Environment, Episodes, Health, Live, Outcome, Trial};
use crate::game::Game;
use crate::instances::Instances;
use crate::opponent::{self, ModelOf, OpponentModel};
use crate::policy::{Policies, record_policies};
use crate::record::{Records, record_returns};
use crate::registry::{AlgorithmKind, GameKind, Install, OpponentModelKind, Registry};
use crate::replay::Replay;
use crate::run::Run;
use crate::schedule::{
    self, BeginTrial, EndTrial, InBatch, LearnSystems, ModelSystems, Rollout, Stage, Step, StepSystems, Turn, When,
};
use crate::workers::Workers;
use crate::{evaluate, learn, nash, play, tape};

/// The world, its schedules and what was registered. A plugin is a function that takes `&mut App`.
pub struct App {
    /// Environments, agents, opponent models and resources.
    pub world: World,
    plugins: Vec<fn(&mut Self)>,
    savers: Vec<Saver>,
    /// Kinds whose systems are in the schedules.
    algorithms: usize,
    opponent_models: usize,
    /// Whether the run has opponent models.
    has_models: bool,
    /// Systems that write records, see [`App::record_in_turn`].
    records: usize,
    /// Kinds that were registered and calls of [`App::systems`].
    changes: usize,
}

impl Default for App {
    fn default() -> Self {
        Self::new(1)
    }
}

impl App {
    /// An empty world whose lanes will be spread over `threads` threads.
    pub fn new(threads: usize) -> Self {
        let mut world = World::new();
        world.insert_resource(Workers::new(threads));
        world.insert_resource(evaluate::Evaluations { every: 1, end: 0 });
        world.init_resource::<nash::BestResponse>();
        world.init_resource::<evaluate::EvaluationDue>();
        world.init_resource::<Registry>();
        world.init_resource::<Records>();
        schedule::install(&mut world);
        let mut app = Self {
            world,
            plugins: Vec::new(),
            savers: Vec::new(),
            algorithms: 0,
            opponent_models: 0,
            has_models: false,
            records: 0,
            changes: 0,
        };
        app.add_framework_systems();
        app.savers.extend([
            Saver::of_plain::<Clock>("clock"),
            Saver::of_plain::<Health>("health"),
            Saver::of_plain::<Episodes<Live>>("episodes"),
            Saver::of::<Instances<Live>>("instances"),
            Saver::of::<Outcome<Live>>("outcome"),
            Saver::of::<Replay>("replay"),
            Saver::of_plain::<Policies>("policies"),
            Saver::of_plain::<opponent::score::Score>("score"),
            Saver::of::<opponent::Prediction<Live>>("prediction"),
        ]);
        app
    }

    fn add_framework_systems(&mut self) {
        use StepSystems::*;
        self.systems(Step, |step| {
            step.add_systems((
                play::observe::<Live>.in_set(Observe),
                (play::play::<Live>, (play::tick, play::receive)).chain().in_set(Play),
                play::remember.in_set(Remember),
                play::sample.in_set(LearnSystems::Sample),
                evaluate::evaluate_when_due.in_set(Evaluate),
                play::collect_faults.in_set(Record).before(Turn(Stage::Metrics, 0)),
                record_returns.in_set(Record).in_set(Turn(Stage::Metrics, 0)),
            ));
        });
        self.systems(Rollout, |rollout| {
            rollout.add_systems((
                play::observe::<Trial>.in_set(Observe),
                ((play::play::<Trial>, tape::record_step).chain(), evaluate::sum_actions).in_set(Play),
            ));
        });
        self.systems(BeginTrial, |begin| {
            begin.add_systems((play::begin_trial, evaluate::clear_trial).chain());
        });
        self.systems(EndTrial, |end| {
            // Who has failed by now, in this step or in the trial, is not judged.
            end.add_systems((play::collect_faults, evaluate::record_trial, nash::judge).chain());
        });
    }

    /// The framework's own systems for opponent models of whatever kind.
    fn add_model_systems(&mut self) {
        self.systems(Step, |step| {
            step.add_systems((
                opponent::predict::read_policies::<Live>.in_set(ModelSystems::Read),
                opponent::learn::presume.in_set(InBatch(ModelSystems::Presume)),
                opponent::learn::read_policies.in_set(InBatch(ModelSystems::Read)),
            ));
        });
        self.record_in_turn(opponent::score::record_scores);
        self.systems(Rollout, |rollout| {
            rollout.add_systems((
                opponent::predict::read_policies::<Trial>.in_set(ModelSystems::Read),
                opponent::score::compare.in_set(StepSystems::Play),
            ));
        });
        self.systems(BeginTrial, |begin| {
            begin.add_systems(opponent::predict::begin_trial);
        });
    }

    /// Adds the systems of what a run uses to the schedules, once: what is only registered costs a step nothing.
    pub(crate) fn install(&mut self, run: &Run) {
        let casts = || run.entries.iter().flat_map(|entry| &entry.players);
        let models = || casts().filter_map(|cast| cast.opponent_model.as_ref());
        let Registry { algorithms, opponent_models, .. } = self.registry();
        let algorithms = algorithms.iter().filter(|(name, _)| casts().any(|cast| cast.name == **name));
        let kinds = opponent_models.iter().filter(|(name, _)| models().any(|(model, _)| model == *name));
        let installs: Vec<(&'static str, Install)> = (algorithms.map(|(name, kind)| (*name, kind.install)))
            .chain(kinds.map(|(name, kind)| (*name, kind.install)))
            .collect();
        self.has_models = models().next().is_some();
        if self.has_models {
            self.add_model_systems();
        }
        self.record_in_turn(record_policies);
        for (name, install) in installs {
            install(self, name);
        }
    }

    /// Lets a plugin register what it has, here and in every [`App::fork`].
    pub fn add_plugin(&mut self, plugin: fn(&mut Self)) -> &mut Self {
        plugin(self);
        self.plugins.push(plugin);
        self
    }

    /// An empty world of one thread with the same plugins.
    ///
    /// # Panics
    /// When something was registered other than by [`App::add_plugin`], which no other world can have then. Of a resource that
    /// was inserted so, nothing is known here.
    pub(crate) fn fork(&self) -> Self {
        let mut other = Self::new(1);
        for plugin in &self.plugins {
            other.add_plugin(*plugin);
        }
        assert_eq!(other.changes, self.changes, "what a run of several seeds needs is registered by `App::add_plugin`");
        other
    }

    /// Registers a game under a name.
    ///
    /// # Panics
    /// When a game of that name is there already.
    pub fn register_game<G: Game>(&mut self, name: &'static str) -> &mut Self {
        let taken = self.world.resource_mut::<Registry>().games.insert(name, GameKind::of::<G>()).is_some();
        assert!(!taken, "a game named `{name}` is registered already");
        self.changes += 1;
        self
    }

    /// Registers an algorithm under a name. Its systems are added when a run uses it.
    ///
    /// # Panics
    /// When an algorithm of that name is there already.
    pub fn register_algorithm<A: Algorithm>(&mut self, name: &'static str) -> &mut Self {
        let taken = self.world.resource_mut::<Registry>().algorithms.insert(name, AlgorithmKind::of::<A>()).is_some();
        assert!(!taken, "an algorithm named `{name}` is registered already");
        self.changes += 1;
        self
    }

    /// Adds the systems of an algorithm.
    pub(crate) fn install_algorithm<A: Algorithm>(&mut self, name: &'static str) {
        self.algorithms += 1;
        let (turn, has_models) = (self.algorithms, self.has_models);
        self.systems(Step, |step| {
            step.add_systems((
                in_turn(learn::act::<A>, StepSystems::Act, Stage::Act, turn),
                in_turn(learn::request::<A>, LearnSystems::Request, Stage::Request, turn),
                in_turn(learn::target::<A>, LearnSystems::Target, Stage::Target, turn),
                in_turn(learn::update::<A>, LearnSystems::Update, Stage::Update, turn),
                in_turn(learn::publish::<A>, LearnSystems::Publish, Stage::PublishPolicies, turn),
            ));
            if has_models {
                let publish_batch = opponent::learn::publish::<A>;
                step.add_systems((
                    in_turn(opponent::predict::publish::<A, Live>, ModelSystems::Publish, Stage::Publish, turn),
                    in_turn(publish_batch, InBatch(ModelSystems::Publish), Stage::PublishBatch, turn),
                    in_turn(opponent::learn::answer::<A>, LearnSystems::Answer, Stage::Answer, turn),
                ));
            }
        });
        self.record_in_turn(learn::metrics::<A>);
        self.systems(Rollout, |rollout| {
            rollout.add_systems(in_turn(learn::act_in_trial::<A>, StepSystems::Act, Stage::Act, turn));
            if has_models {
                let publish = opponent::predict::publish::<A, Trial>;
                rollout.add_systems(in_turn(publish, ModelSystems::Publish, Stage::Publish, turn));
            }
        });
        self.savers.push(Saver::of::<A>(name));
    }

    /// Registers a kind of opponent model under a name. Its systems are added when a run uses it.
    ///
    /// # Panics
    /// When an opponent model of that name is there already.
    pub fn register_opponent_model<M: OpponentModel>(&mut self, name: &'static str) -> &mut Self {
        let kinds = &mut self.world.resource_mut::<Registry>().opponent_models;
        let taken = kinds.insert(name, OpponentModelKind::of::<M>()).is_some();
        assert!(!taken, "an opponent model named `{name}` is registered already");
        self.changes += 1;
        self
    }

    /// Adds the systems of a kind of opponent model.
    pub(crate) fn install_opponent_model<M: OpponentModel>(&mut self, name: &'static str) {
        self.opponent_models += 1;
        let turn = self.opponent_models;
        self.systems(Step, |step| {
            let predict_batch = opponent::learn::predict::<M>;
            step.add_systems((
                in_turn(opponent::predict::predict::<M>, ModelSystems::Predict, Stage::Predict, turn),
                in_turn(opponent::score::score::<M>, StepSystems::Remember, Stage::Score, turn).after(play::remember),
                in_turn(predict_batch, InBatch(ModelSystems::Predict), Stage::PredictBatch, turn),
                in_turn(opponent::learn::fit::<M>, LearnSystems::Fit, Stage::Fit, turn),
            ));
        });
        self.record_in_turn(opponent::score::metrics::<M>);
        self.systems(Rollout, |rollout| {
            let predict = opponent::predict::predict_mean::<M>;
            rollout.add_systems(in_turn(predict, ModelSystems::Predict, Stage::Predict, turn));
        });
        self.savers.push(Saver::of::<M>(name));
    }

    /// Adds a system that writes records when evaluations take place, after those that were added before it.
    fn record_in_turn<M>(&mut self, system: impl IntoScheduleConfigs<ScheduleSystem, M>) {
        self.records += 1;
        let turn = self.records;
        self.systems(Step, |step| {
            step.add_systems(in_turn(system, When::EvaluationWasDue, Stage::Metrics, turn));
        });
    }

    /// Changes a schedule: how a plugin adds systems of its own.
    pub fn systems(&mut self, label: impl ScheduleLabel, change: impl FnOnce(&mut Schedule)) -> &mut Self {
        let mut change = Some(change);
        self.change(label.intern(), &mut |schedule| {
            if let Some(change) = change.take() {
                change(schedule);
            }
        });
        self
    }

    /// [`App::systems`] for changes of whatever type, compiled once.
    fn change(&mut self, label: InternedScheduleLabel, change: &mut dyn FnMut(&mut Schedule)) {
        self.changes += 1;
        self.world.schedule_scope(label, |_, schedule| change(schedule));
    }

    /// What was registered.
    pub fn registry(&self) -> &Registry {
        self.world.resource::<Registry>()
    }

    /// All that decides the future of the run.
    pub fn save(&mut self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (name, entity) in self.named_entities() {
            for saver in &self.savers {
                let mut inner = Snapshot::default();
                if (saver.save)(self.world.entity(entity), &mut inner) {
                    snapshot.nest(&format!("{name}/{}", saver.name), inner);
                }
            }
        }
        snapshot
    }

    /// Takes back what [`App::save`] gave, into a world that was built from the same run file.
    ///
    /// # Errors
    /// What is missing or does not fit.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        for (name, entity) in self.named_entities() {
            for saver in &self.savers {
                let place = format!("{name}/{}", saver.name);
                (saver.restore)(self.world.entity_mut(entity), &snapshot.nested(&place))
                    .map_err(|error| SnapshotError(format!("{place}: {error}")))?;
            }
        }
        Ok(())
    }

    /// Environments, agents and opponent models under names that follow from the run file only.
    fn named_entities(&mut self) -> Vec<(String, Entity)> {
        let world = &mut self.world;
        let mut environments = world.query::<(Entity, &Environment, &crate::environment::Lane)>();
        let mut named: Vec<_> = environments
            .iter(world)
            .map(|(entity, environment, lane)| (format!("entry {} seeds {:?}", environment.entry, lane.seeds), entity))
            .collect();
        let mut agents = world.query_filtered::<(Entity, &crate::agent::Agent, &PlaysIn), With<Reward>>();
        let of_environment: std::collections::BTreeMap<_, _> =
            named.iter().map(|(name, entity)| (*entity, name.clone())).collect();
        named.extend(agents.iter(world).filter_map(|(entity, agent, plays_in)| {
            Some((format!("{} player {}", of_environment.get(&plays_in.0)?, agent.player), entity))
        }));
        let of_agent: std::collections::BTreeMap<_, _> =
            named.iter().map(|(name, entity)| (*entity, name.clone())).collect();
        let mut models = world.query::<(Entity, &ModelOf)>();
        named.extend(models.iter(world).filter_map(|(entity, of)| {
            Some((format!("{} model of player {}", of_agent.get(&of.agent)?, of.opponent), entity))
        }));
        named
    }
}

/// The system in its stage, after the one that was added before it: they touch the same kinds of components.
fn in_turn<M>(
    system: impl IntoScheduleConfigs<ScheduleSystem, M>,
    set: impl SystemSet,
    stage: Stage,
    turn: usize,
) -> ScheduleConfigs<ScheduleSystem> {
    /// Compiled once, whatever the system and the set.
    fn place(
        system: ScheduleConfigs<ScheduleSystem>,
        set: InternedSystemSet,
        stage: Stage,
        turn: usize,
    ) -> ScheduleConfigs<ScheduleSystem> {
        system.in_set(set).in_set(Turn(stage, turn)).after(Turn(stage, turn - 1))
    }
    place(system.into_configs(), set.intern(), stage, turn)
}

/// How one kind of component goes to a snapshot and back.
struct Saver {
    name: &'static str,
    /// Says whether the entity has the component.
    save: fn(EntityRef, &mut Snapshot) -> bool,
    restore: fn(EntityWorldMut, &Snapshot) -> Result<(), SnapshotError>,
}

impl Saver {
    fn of<C: Component<Mutability = bevy_ecs::component::Mutable> + Checkpoint>(name: &'static str) -> Self {
        Self {
            name,
            save: |entity, to| entity.get::<C>().inspect(|component| component.save(to)).is_some(),
            restore: |mut entity, from| entity.get_mut::<C>().map_or(Ok(()), |mut component| component.restore(from)),
        }
    }

    /// For a component that is plain data as a whole.
    fn of_plain<C>(name: &'static str) -> Self
    where
        C: Component<Mutability = bevy_ecs::component::Mutable> + serde::Serialize + serde::de::DeserializeOwned,
    {
        Self {
            name,
            save: |entity, to| entity.get::<C>().inspect(|component| to.put("all", component)).is_some(),
            restore: |mut entity, from| {
                entity.get_mut::<C>().map_or(Ok(()), |mut component| from.get("all").map(|all| *component = all))
            },
        }
    }
}
