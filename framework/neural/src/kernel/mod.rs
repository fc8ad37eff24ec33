//! Number crunching below libtorch's operators, the one place of this crate with `unsafe`.

mod memory;
mod product;

pub(crate) use memory::Flat;
pub(crate) use product::{Matrix, product_into};
