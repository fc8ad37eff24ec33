//! Logit quantal response equilibria (McKelvey and Palfrey 1995) of one-shot and Markov games: profiles with
//! pi_i(a|s) = softmax(lambda Qbar_i(s, a)), where Qbar_i is what the action is worth when the others keep to the profile
//! and everybody to it afterwards. They form a path that starts at lambda 0, where nothing but entropy counts, and is
//! followed as it bends (Turocy 2005). The start is the uniform profile, except in Markov games with own entropy in the
//! values: there players tend to where more entropy is to come.

mod path;
mod system;

pub use path::{End, Lqre, Options, POINTS_LIMIT, Path, Point, UNKNOWNS_LIMIT, trace};
pub use system::residual;
