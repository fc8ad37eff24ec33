//! The program as a world with schedules, to which plugins add what they have.

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleLabel;

use crate::agent::{PlaysIn, Reward};
use crate::algorithm::Algorithm;
use crate::checkpoint::{Checkpoint, Snapshot, SnapshotError};
use crate::environment::{Clock, Environment, Episodes, Health, Instances, Live, Outcome, Trial};
use crate::game::Game;
use crate::policy::{Policies, record_policies};
use crate::record::{Records, record_returns};
use crate::registry::{AlgorithmKind, GameKind, Registry};
use crate::replay::Replay;
use crate::schedule::{self, BeginTrial, LearnSystems, Rollout, Stage, Step, StepSystems, Turn};
use crate::workers::Workers;
use crate::{evaluate, learn, play};

/// The world, its schedules and what was registered. A plugin is a function that takes `&mut App`.
pub struct App {
    /// Environments, agents, opponent models and resources.
    pub world: World,
    savers: Vec<Saver>,
    games: usize,
    algorithms: usize,
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
        world.insert_resource(evaluate::EvaluateEvery(1));
        world.init_resource::<evaluate::EvaluationDue>();
        world.init_resource::<Registry>();
        world.init_resource::<Records>();
        schedule::install(&mut world);
        let mut app = Self { world, savers: Vec::new(), games: 0, algorithms: 0 };
        app.add_framework_systems();
        app.savers.extend([
            Saver::of_plain::<Clock>("clock"),
            Saver::of_plain::<Health>("health"),
            Saver::of_plain::<Episodes<Live>>("episodes"),
            Saver::of::<Outcome<Live>>("outcome"),
            Saver::of::<Replay>("replay"),
            Saver::of_plain::<Policies>("policies"),
        ]);
        app
    }

    fn add_framework_systems(&mut self) {
        use StepSystems::*;
        let after_games = Turn(Stage::Play, usize::MAX);
        self.systems(Step, |step| {
            step.add_systems((
                (play::tick, play::receive).in_set(Play).in_set(after_games),
                play::remember.in_set(Remember),
                play::sample.in_set(LearnSystems::Sample),
                evaluate::evaluate_when_due.in_set(Evaluate),
                play::collect_faults.in_set(Record).before(Turn(Stage::Metrics, 0)),
                record_returns.in_set(Record).in_set(Turn(Stage::Metrics, 0)),
                record_policies
                    .in_set(Record)
                    .after(record_returns)
                    .before(Turn(Stage::Metrics, 1))
                    .run_if(evaluate::evaluation_was_due),
            ));
        });
        self.systems(Rollout, |rollout| {
            rollout.add_systems(evaluate::sum_actions.in_set(Play));
        });
        self.systems(BeginTrial, |begin| {
            begin.add_systems(evaluate::clear_trial);
        });
    }

    /// Registers a game under a name and adds its systems.
    ///
    /// # Panics
    /// When a game of that name is there already.
    pub fn register_game<G: Game>(&mut self, name: &'static str) -> &mut Self {
        let taken = self.world.resource_mut::<Registry>().games.insert(name, GameKind::of::<G>()).is_some();
        assert!(!taken, "a game named `{name}` is registered already");
        self.games += 1;
        let (turn, before) = (self.games, self.games - 1);
        self.systems(Step, |step| {
            step.add_systems((
                in_turn(play::observe::<G, Live>, StepSystems::Observe, Stage::Observe, turn),
                in_turn(play::play::<G, Live>, StepSystems::Play, Stage::Play, turn)
                    .before(Turn(Stage::Play, usize::MAX)),
            ));
        });
        self.systems(Rollout, |rollout| {
            rollout.add_systems((
                in_turn(play::observe::<G, Trial>, StepSystems::Observe, Stage::Observe, turn),
                in_turn(play::play::<G, Trial>, StepSystems::Play, Stage::Play, turn),
            ));
        });
        self.systems(BeginTrial, |begin| {
            let system = play::begin_trial::<G>.in_set(Turn(Stage::Play, turn));
            begin.add_systems(system.after(Turn(Stage::Play, before)).before(evaluate::clear_trial));
        });
        self.savers.push(Saver::of::<Instances<G, Live>>(name));
        self
    }

    /// Registers an algorithm under a name and adds its systems.
    ///
    /// # Panics
    /// When an algorithm of that name is there already.
    pub fn register_algorithm<A: Algorithm>(&mut self, name: &'static str) -> &mut Self {
        let taken = self.world.resource_mut::<Registry>().algorithms.insert(name, AlgorithmKind::of::<A>()).is_some();
        assert!(!taken, "an algorithm named `{name}` is registered already");
        self.algorithms += 1;
        let turn = self.algorithms;
        self.systems(Step, |step| {
            step.add_systems((
                in_turn(learn::act::<A>, StepSystems::Act, Stage::Act, turn),
                in_turn(learn::request::<A>, LearnSystems::Request, Stage::Request, turn),
                in_turn(learn::target::<A>, LearnSystems::Target, Stage::Target, turn),
                in_turn(learn::update::<A>, LearnSystems::Update, Stage::Update, turn),
                in_turn(learn::publish::<A>, LearnSystems::Publish, Stage::Publish, turn),
                in_turn(learn::metrics::<A>, StepSystems::Record, Stage::Metrics, turn)
                    .run_if(evaluate::evaluation_was_due),
            ));
        });
        self.systems(Rollout, |rollout| {
            rollout.add_systems(in_turn(learn::act_in_trial::<A>, StepSystems::Act, Stage::Act, turn));
        });
        self.savers.push(Saver::of::<A>(name));
        self
    }

    /// Changes a schedule: how a plugin adds systems of its own.
    pub fn systems(&mut self, label: impl ScheduleLabel, change: impl FnOnce(&mut Schedule)) -> &mut Self {
        self.world.schedule_scope(label, |_, schedule| change(schedule));
        self
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

    /// Environments and agents under names that follow from the run file only.
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
        named
    }
}

/// The system in its stage, after the one that was registered before it: they touch the same kinds of components.
fn in_turn<M>(
    system: impl IntoScheduleConfigs<bevy_ecs::system::ScheduleSystem, M>,
    set: impl SystemSet,
    stage: Stage,
    turn: usize,
) -> bevy_ecs::schedule::ScheduleConfigs<bevy_ecs::system::ScheduleSystem> {
    system.in_set(set).in_set(Turn(stage, turn)).after(Turn(stage, turn - 1))
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
