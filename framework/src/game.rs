//! What a game is: its rules for one instance, written for a person. Seeds, vectorised instances, episodes, clocks and
//! records belong to the framework.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::episode::Episode;
use crate::params::{Invalid, Params};
use crate::stream::Stream;
use crate::theory::FiniteGame;

/// The rules of a game for N players who act at the same time (a turn is a step in which the others' actions do
/// nothing).
///
/// ```
/// use equiflow::prelude::*;
///
/// params! {
///     /// Matching pennies: player 0 wins when both show the same side.
///     pub struct Pennies {
///         /// What the winner gets from the loser.
///         stake: f32 = 1.0,
///     }
/// }
///
/// impl Game for Pennies {
///     type Params = Self;
///     type State = ();
///
///     fn new(params: Self) -> Result<Self, Invalid> {
///         Ok(params)
///     }
///     fn spec(&self) -> GameSpec {
///         GameSpec::repeated(vec![Player::blind(Space::Discrete(2)); 2])
///     }
///     fn reset(&self, _: &mut Stream) {}
///     fn observe(&self, (): &(), _player: usize, out: &mut [f32]) {
///         out[0] = 1.0;
///     }
///     fn step(&self, (): &mut (), actions: &Joint, _: &mut Stream, rewards: &mut [f32]) -> Status {
///         let win = if actions.choice(0) == actions.choice(1) { self.stake } else { -self.stake };
///         rewards.copy_from_slice(&[win, -win]);
///         Status::Running
///     }
/// }
/// # equiflow::testing::conformance(&Pennies::default());
/// ```
pub trait Game: Sized + Send + Sync + 'static {
    /// What a run file can set.
    type Params: Params;
    /// All that the game remembers between two steps of one instance.
    type State: Clone + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// The game with these parameters.
    ///
    /// # Errors
    /// The parameter that makes no sense, what was found and what is expected.
    fn new(params: Self::Params) -> Result<Self, Invalid>;

    /// Players, spaces and facts of the game. Constant over its life.
    fn spec(&self) -> GameSpec;

    /// The state in which an episode starts.
    fn reset(&self, rng: &mut Stream) -> Self::State;

    /// Writes what `player` sees to `out`, which has the length of its observation.
    fn observe(&self, state: &Self::State, player: usize, out: &mut [f32]);

    /// Plays the joint action: changes the state, writes one reward per player, says whether the episode is over.
    fn step(&self, state: &mut Self::State, actions: &Joint, rng: &mut Stream, rewards: &mut [f32]) -> Status;

    /// The same rules as a finite game, where it is one: opens exact evaluation and `equiflow solve`. Every player of such
    /// a game sees its state one-hot, from which tabular algorithms read it.
    fn finite(&self) -> Option<&dyn FiniteGame> {
        None
    }

    /// The greatest return (in the unit of [`GameSpec::returns`]) that `player` could have had in `episode` by other
    /// actions of its own, the others doing in every step what they did: an exact open-loop best response. `None`
    /// where the game knows no way to say it; evaluations then search for a lower bound.
    ///
    /// The gain over its own return, summed over the players, is NashConv (Lanctot et al. 2017).
    /// [`conformance`](crate::testing::conformance) tries to beat it.
    fn best_return(&self, _player: usize, _episode: &Episode<Self>) -> Option<f64> {
        None
    }

    /// Figures of an evaluation episode for the records, such as a social cost: calls `put` with a name and the value.
    fn figures(&self, _episode: &Episode<Self>, _put: &mut dyn FnMut(&str, f64)) {}

    /// An SVG picture of the game as it is being played. `figure` gives the figures of [`Game::figures`] at the end of
    /// a run, each averaged over the seeds. A run writes one per entry beside its report.
    fn drawing(&self, _figure: &dyn Fn(&str) -> Option<f64>) -> Option<String> {
        None
    }
}

/// Whether an episode goes on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is a next state.
    Running,
    /// The episode is over by the rules: nothing follows, its value is 0. (A time limit is the run file's, not the
    /// game's: it cuts an episode without ending it.)
    Terminal,
}

/// The set that observations or actions come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Space {
    /// One of n choices, passed as one number 0.0 to n - 1.
    Discrete(usize),
    /// A box, with its bounds per dimension; infinite ones where there is none.
    Box {
        /// Least value per dimension.
        low: Vec<f32>,
        /// Greatest value per dimension.
        high: Vec<f32>,
    },
}

impl Space {
    /// A box of `dims` dimensions with the same bounds in each.
    pub fn cube(dims: usize, low: f32, high: f32) -> Self {
        Self::Box { low: vec![low; dims], high: vec![high; dims] }
    }

    /// How many numbers hold one element.
    pub fn width(&self) -> usize {
        match self {
            Self::Discrete(_) => 1,
            Self::Box { low, .. } => low.len(),
        }
    }

    /// Whether it has one element only, as what a player sees who sees nothing.
    pub fn is_single(&self) -> bool {
        match self {
            Self::Discrete(n) => *n == 1,
            Self::Box { low, high } => low == high,
        }
    }

    /// Whether `x` is an element.
    pub fn contains(&self, x: &[f32]) -> bool {
        match self {
            Self::Discrete(n) => x.len() == 1 && x[0] >= 0.0 && x[0] < *n as f32 && x[0].fract() == 0.0,
            Self::Box { low, high } => {
                x.len() == low.len() && x.iter().zip(low).zip(high).all(|((x, low), high)| low <= x && x <= high)
            }
        }
    }

    /// Whether every row of `rows` is an element. Its length is a multiple of [`Space::width`].
    pub fn contains_rows(&self, rows: &[f32]) -> bool {
        match self {
            Self::Box { low, high } if low.len() == 1 => {
                let (low, high) = (low[0], high[0]);
                // Without a way out, so that it is done for several numbers at once.
                rows.iter().fold(true, |all, x| all & (low <= *x) & (*x <= high))
            }
            _ => rows.chunks_exact(self.width()).all(|row| self.contains(row)),
        }
    }

    /// Draws rows of uniform elements until `out` is full. Its length is a multiple of [`Space::width`]; boxes must be
    /// bounded.
    pub fn sample(&self, rng: &mut Stream, out: &mut [f32]) {
        match self {
            Self::Discrete(n) => out.fill_with(|| rng.below(*n) as f32),
            Self::Box { low, high } if low.len() == 1 => out.fill_with(|| rng.uniform(low[0], high[0])),
            Self::Box { low, high } => {
                for row in out.chunks_exact_mut(low.len()) {
                    for ((x, &low), &high) in row.iter_mut().zip(low).zip(high) {
                        *x = rng.uniform(low, high);
                    }
                }
            }
        }
    }

    /// Fills `out` with uniform samples, each stream its equal share in turn.
    pub fn sample_shares(&self, streams: &mut [Stream], out: &mut [f32]) {
        let share = out.len() / streams.len();
        for (stream, rows) in streams.iter_mut().zip(out.chunks_exact_mut(share)) {
            self.sample(stream, rows);
        }
    }
}

impl std::fmt::Display for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Discrete(n) => write!(f, "one of {n}"),
            Self::Box { low, high } if low.windows(2).chain(high.windows(2)).all(|w| w[0] == w[1]) => {
                match (low.len(), low.first(), high.first()) {
                    (1, Some(low), Some(high)) => write!(f, "[{low}, {high}]"),
                    (n, Some(low), Some(high)) => write!(f, "[{low}, {high}]^{n}"),
                    _ => write!(f, "nothing"),
                }
            }
            Self::Box { low, high } => {
                let sides: Vec<_> = low.iter().zip(high).map(|(low, high)| format!("[{low}, {high}]")).collect();
                write!(f, "{}", sides.join(" x "))
            }
        }
    }
}

/// What one player sees and may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Player {
    /// Where its observations lie.
    pub observation: Space,
    /// What it may do.
    pub action: Space,
}

impl Player {
    /// A player who sees nothing but the constant 1, as in a one-shot or repeated game without memory.
    pub fn blind(action: Space) -> Self {
        Self { observation: Space::cube(1, 1.0, 1.0), action }
    }
}

/// How the rewards of an episode are put together as its return, in records and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// Their sum.
    Total,
    /// Their mean: for games that repeat one stage, where the length of an episode says nothing.
    PerStep,
}

impl Returns {
    /// How an axis names it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Total => "return",
            Self::PerStep => "return per step",
        }
    }

    /// The return of an episode of `steps` steps whose rewards sum to `total`.
    #[inline]
    pub fn of(self, total: f64, steps: usize) -> f64 {
        match self {
            Self::Total => total,
            Self::PerStep => total * (1.0 / steps as f64),
        }
    }
}

/// The best return that is known to be reachable, or, with `both_sides`, what an equilibrium pays; averaged over the players.
#[derive(Clone, Debug, PartialEq)]
pub struct BestKnown {
    /// The return, in the game's own [`Returns`].
    pub value: f64,
    /// How far below counts as reached.
    pub tolerance: f64,
    /// Whether more than `tolerance` above is no success either, as where it is what an equilibrium pays.
    pub both_sides: bool,
    /// Where it comes from.
    pub source: String,
    /// Where it is reached, if only there: then the place decides whether a seed succeeded, not the return.
    pub place: Option<Place>,
}

/// A place in the space of joint actions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The joint action: per player as many numbers as its action has.
    pub action: Vec<Vec<f64>>,
    /// How far each number of an evaluation's mean joint action may be from it.
    pub within: f64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let player = |action: &Vec<f64>| match &action[..] {
            [alone] => alone.to_string(),
            several => format!("({})", several.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")),
        };
        let action = self.action.iter().map(player).collect::<Vec<_>>().join(", ");
        write!(f, "within {} of ({action})", self.within)
    }
}

/// The fact sheet of a game.
#[derive(Clone, Debug, PartialEq)]
pub struct GameSpec {
    /// One entry per player.
    pub players: Vec<Player>,
    /// How returns are put together.
    pub returns: Returns,
    /// Whether all players always get the same reward.
    pub common_reward: bool,
    /// Whether the rewards of a step always sum to 0.
    pub zero_sum: bool,
    /// What a report compares with.
    pub best_known: Option<BestKnown>,
    /// Steps that an episode has to have for the game to be played at all: a run with fewer is refused.
    pub least_steps: u32,
}

impl GameSpec {
    /// A game that repeats one stage, with nothing else claimed of it.
    pub fn repeated(players: Vec<Player>) -> Self {
        Self {
            players,
            returns: Returns::PerStep,
            common_reward: false,
            zero_sum: false,
            best_known: None,
            least_steps: 1,
        }
    }

    /// A game of several steps, with nothing else claimed of it.
    pub fn sequential(players: Vec<Player>) -> Self {
        Self { returns: Returns::Total, ..Self::repeated(players) }
    }
}

/// The actions of all players in one instance.
#[derive(Clone, Copy, Debug)]
pub struct Joint<'a> {
    /// Per player all rows of its actions, and how many numbers a row has.
    players: &'a [(&'a [f32], usize)],
    row: usize,
}

impl<'a> Joint<'a> {
    /// Row `row` of the players' action buffers, each given with the width of a row.
    pub fn new(players: &'a [(&'a [f32], usize)], row: usize) -> Self {
        Self { players, row }
    }

    /// The action of `player`: as many numbers as its space is wide.
    #[inline]
    pub fn of(&self, player: usize) -> &'a [f32] {
        let (rows, width) = self.players[player];
        &rows[self.row * width..(self.row + 1) * width]
    }

    /// The first number of the action of `player`: all of it where the space has one dimension.
    #[inline]
    pub fn scalar(&self, player: usize) -> f32 {
        let (rows, width) = self.players[player];
        rows[self.row * width]
    }

    /// The choice of `player` in a discrete space.
    #[inline]
    pub fn choice(&self, player: usize) -> usize {
        self.scalar(player) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_a_space_if_each_of_them_is() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 1.0 + f32::EPSILON];
        let spaces = [
            Space::Discrete(3),
            Space::cube(1, -1.0, 1.0),
            Space::cube(1, f32::NEG_INFINITY, 2.0),
            Space::cube(1, f32::NEG_INFINITY, f32::INFINITY),
            Space::cube(3, 0.0, 1.0),
            Space::Box { low: vec![0.0, -1.0], high: vec![f32::INFINITY, 1.0] },
        ];
        for space in spaces {
            let width = space.width();
            assert!(space.contains_rows(&[]), "{space}");
            // One odd number at each place among rows of ones.
            for (x, place) in odd.iter().flat_map(|x| (0..9 * width).map(move |place| (*x, place))) {
                let mut rows = vec![1.0; 9 * width];
                rows[place] = x;
                let each = rows.chunks_exact(width).all(|row| space.contains(row));
                assert_eq!(space.contains_rows(&rows), each, "{x} at {place} in {space}");
            }
        }
    }
}
