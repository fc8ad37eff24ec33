//! Run files: read as written, resolved against the plugins, every mistake shown at its place.

mod file;
mod grid;
mod mistake;
mod resolve;
mod set;
pub mod text;

pub use file::{RunFile, parse_seeds};
pub use grid::Cell;
pub use mistake::{Mistake, NamedText, Source, suggest};
pub use resolve::{Entry, Run};

/// How RON is read everywhere: an optional value needs no `Some(...)`.
pub fn ron_options() -> ron::Options {
    ron::Options::default()
        .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
        .with_default_extension(ron::extensions::Extensions::UNWRAP_NEWTYPES)
}
