//! What plugins bring: kinds of games and algorithms under their names, ready to be given parameters.

use std::collections::BTreeMap;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::algorithm::{Algorithm, Memory, Seat};
use crate::app::App;
use crate::game::{Game, GameSpec};
use crate::instances::{AnyInstances, InstancesOf};
use crate::opponent::{ModelSeat, OpponentModel};
use crate::params::{Choice, Field, Invalid, Params};
use crate::policy::Policies;
use crate::stream::Stream;
use crate::theory::{FiniteGame, TabularGame};

/// All kinds that were registered.
#[derive(Resource, Clone, Debug, Default)]
pub struct Registry {
    /// Games by name.
    pub games: BTreeMap<&'static str, GameKind>,
    /// Algorithms by name.
    pub algorithms: BTreeMap<&'static str, AlgorithmKind>,
    /// Opponent models by name.
    pub opponent_models: BTreeMap<&'static str, OpponentModelKind>,
}

/// What is known of the parameters of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Sheet {
    /// Documentation.
    pub about: &'static str,
    /// The parameters.
    pub fields: &'static [Field],
    /// All defaults, as RON.
    pub defaults: fn() -> String,
}

impl Sheet {
    fn of<P: Params>() -> Self {
        Self { about: P::ABOUT, fields: P::FIELDS, defaults: || text(&P::default()) }
    }
}

/// Adds the systems of a kind to the schedules; its name is what its state is stored under.
pub(crate) type Install = fn(&mut App, &'static str);

/// A registered game.
#[derive(Clone, Copy, Debug)]
pub struct GameKind {
    /// Its parameters.
    pub sheet: Sheet,
    /// The game with the parameters given as RON in brackets.
    pub parse: fn(&str) -> Result<Arc<dyn AnyGame>, ParamsError>,
}

/// A registered algorithm.
#[derive(Clone, Copy, Debug)]
pub struct AlgorithmKind {
    /// Its parameters.
    pub sheet: Sheet,
    /// The algorithm with the parameters given as RON in brackets.
    pub parse: fn(&str) -> Result<Arc<dyn AnyAlgorithm>, ParamsError>,
    pub(crate) install: Install,
}

/// A registered opponent model.
#[derive(Clone, Copy, Debug)]
pub struct OpponentModelKind {
    /// Its parameters.
    pub sheet: Sheet,
    /// The opponent model with the parameters given as RON in brackets.
    pub parse: fn(&str) -> Result<Arc<dyn AnyOpponentModel>, ParamsError>,
    pub(crate) install: Install,
}

/// Why parameters were refused.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamsError {
    /// They cannot be read.
    Unreadable(Box<ron::error::SpannedError>),
    /// They can be read, but make no sense.
    Invalid(Invalid),
}

/// A game with its parameters, its type forgotten.
pub trait AnyGame: Send + Sync {
    /// Players, spaces and facts.
    fn spec(&self) -> GameSpec;
    /// All parameters as RON, defaults filled in.
    fn params(&self) -> &str;
    /// The same rules as a finite game, where it is one.
    fn finite(&self) -> Option<&dyn FiniteGame>;
    /// Fresh instances of the game, `each` of them per stream.
    fn instances(&self, streams: Vec<Stream>, each: usize) -> Box<dyn AnyInstances>;
    /// See [`Game::drawing`].
    fn drawing(&self, figure: &dyn Fn(&str) -> Option<f64>) -> Option<String>;
}

/// An algorithm with its parameters, its type forgotten.
pub trait AnyAlgorithm: Send + Sync {
    /// Whether it can play `player` of a game.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self, game: &GameSpec, player: usize) -> Result<(), Invalid>;
    /// Whether it plays finite games only, whose tables it reads.
    fn is_tabular(&self) -> bool;
    /// Whether it can play `player` of a finite game.
    ///
    /// # Errors
    /// What is wrong.
    fn check_tables(&self, game: &TabularGame, player: usize) -> Result<(), Invalid>;
    /// All parameters as RON, defaults filled in.
    fn params(&self) -> &str;
    /// What it wants remembered.
    fn memory(&self) -> Option<Memory>;
    /// The kind of model that it wants of each opponent.
    fn opponent_model(&self) -> Option<&Choice>;
    /// Whether it can say what joint actions are worth to it.
    fn values(&self) -> bool;
    /// Adds the algorithm's component to an agent.
    fn furnish(&self, agent: &mut EntityWorldMut, seat: &Seat);
}

/// An opponent model with its parameters, its type forgotten.
pub trait AnyOpponentModel: Send + Sync {
    /// Whether it can predict `opponent` for `agent` in a game.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self, game: &GameSpec, agent: usize, opponent: usize) -> Result<(), Invalid>;
    /// All parameters as RON, defaults filled in.
    fn params(&self) -> &str;
    /// How many of the latest transitions it looks back over.
    fn window(&self) -> usize;
    /// Whether it is the opponent's true policy.
    fn reads_policy(&self) -> bool;
    /// Whether it needs the agent's own value of joint actions.
    fn reads_values(&self) -> bool;
    /// Adds the model's component to its entity.
    fn furnish(&self, model: &mut EntityWorldMut, seat: &ModelSeat);
}

struct Configured<T, P> {
    built: T,
    params: P,
    text: String,
}

impl GameKind {
    pub(crate) fn of<G: Game>() -> Self {
        Self {
            sheet: Sheet::of::<G::Params>(),
            parse: |source| {
                let params: G::Params = read(source)?;
                let game = G::new(params.clone()).map_err(ParamsError::Invalid)?;
                Ok(Arc::new(Configured { built: Arc::new(game), text: text(&params), params }))
            },
        }
    }
}

impl<G: Game> AnyGame for Configured<Arc<G>, G::Params> {
    fn spec(&self) -> GameSpec {
        self.built.spec()
    }

    fn params(&self) -> &str {
        &self.text
    }

    fn finite(&self) -> Option<&dyn FiniteGame> {
        self.built.finite()
    }

    fn instances(&self, streams: Vec<Stream>, each: usize) -> Box<dyn AnyInstances> {
        Box::new(InstancesOf::new(Arc::clone(&self.built), streams, each))
    }

    fn drawing(&self, figure: &dyn Fn(&str) -> Option<f64>) -> Option<String> {
        self.built.drawing(figure)
    }
}

impl AlgorithmKind {
    pub(crate) fn of<A: Algorithm>() -> Self {
        Self {
            sheet: Sheet::of::<A::Params>(),
            parse: |source| {
                let params: A::Params = read(source)?;
                let built = std::marker::PhantomData::<A>;
                Ok(Arc::new(Configured { built, text: text(&params), params }))
            },
            install: App::install_algorithm::<A>,
        }
    }
}

impl<A: Algorithm> AnyAlgorithm for Configured<std::marker::PhantomData<A>, A::Params> {
    fn check(&self, game: &GameSpec, player: usize) -> Result<(), Invalid> {
        A::check(&self.params, game, player)
    }

    fn is_tabular(&self) -> bool {
        A::TABULAR
    }

    fn check_tables(&self, game: &TabularGame, player: usize) -> Result<(), Invalid> {
        A::check_tables(&self.params, game, player)
    }

    fn params(&self) -> &str {
        &self.text
    }

    fn memory(&self) -> Option<Memory> {
        A::memory(&self.params)
    }

    fn opponent_model(&self) -> Option<&Choice> {
        A::opponent_model(&self.params)
    }

    fn values(&self) -> bool {
        A::VALUES
    }

    fn furnish(&self, agent: &mut EntityWorldMut, seat: &Seat) {
        let algorithm = A::new(&self.params, seat);
        if let Some(policies) = algorithm.policies() {
            agent.insert(Policies(policies.to_vec()));
        }
        agent.insert(algorithm);
    }
}

impl OpponentModelKind {
    pub(crate) fn of<M: OpponentModel>() -> Self {
        Self {
            sheet: Sheet::of::<M::Params>(),
            parse: |source| {
                let params: M::Params = read(source)?;
                let built = std::marker::PhantomData::<M>;
                Ok(Arc::new(Configured { built, text: text(&params), params }))
            },
            install: App::install_opponent_model::<M>,
        }
    }
}

impl<M: OpponentModel> AnyOpponentModel for Configured<std::marker::PhantomData<M>, M::Params> {
    fn check(&self, game: &GameSpec, agent: usize, opponent: usize) -> Result<(), Invalid> {
        M::check(&self.params, game, agent, opponent)
    }

    fn params(&self) -> &str {
        &self.text
    }

    fn window(&self) -> usize {
        M::window(&self.params)
    }

    fn reads_policy(&self) -> bool {
        M::READS_POLICY
    }

    fn reads_values(&self) -> bool {
        M::reads_values(&self.params)
    }

    fn furnish(&self, model: &mut EntityWorldMut, seat: &ModelSeat) {
        model.insert(M::new(&self.params, seat));
    }
}

fn read<P: Params>(source: &str) -> Result<P, ParamsError> {
    crate::run::ron_options().from_str(source).map_err(|error| ParamsError::Unreadable(Box::new(error)))
}

fn text<P: Params>(params: &P) -> String {
    ron::to_string(params).expect("parameters are plain data, which RON can always write")
}
