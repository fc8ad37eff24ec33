//! Number crunching below libtorch's operators, the one place of this crate with `unsafe`.

mod product;

pub(crate) use product::product_into;
