//! The choice of the processor's instructions, at run time.

use super::elementwise::{Descent, Exp, SumOfSquares, Tanh};
use super::vector::{Portable, Vector};
use crate::pass::{Backward, Forward, Scratch};
use std::cell::RefCell;

/// Something to compute with vectors of whatever length the processor has.
pub trait Work<T> {
    /// Computes it. To be inlined, with all that it calls, into a function for which the vector's instructions are
    /// enabled.
    fn run<V: Vector<Element = T>>(self);
}

/// The kernels, with the best vectors of a number type that the processor has, and the buffers they compute in. Kernels are
/// compiled in this crate, once, and not again in every crate that computes with them.
pub trait Kernels: Sized {
    /// A network's way forward.
    fn forward(work: Forward<Self>);
    /// A network's way back.
    fn backward(work: Backward<Self>);
    /// A step of the optimiser.
    fn descend(work: Descent<Self>);
    /// The square of a norm.
    fn sum_of_squares(work: SumOfSquares<Self>);
    /// Hyperbolic tangents.
    fn tanh_all(work: Tanh<Self>);
    /// Exponentials.
    fn exp_all(work: Exp<Self>);

    /// Lends a pass the buffers of the thread.
    ///
    /// # Panics
    /// If they are lent already: a pass cannot begin within another.
    fn scratch(pass: impl FnOnce(&mut Scratch<Self>));
}

macro_rules! kernels {
    ($type:ident, $run:ident: $($kernel:ident($work:ident)),*) => {
        impl Kernels for $type {
            $(
                #[inline(never)]
                fn $kernel(work: $work<$type>) {
                    $run(work);
                }
            )*

            fn scratch(pass: impl FnOnce(&mut Scratch<$type>)) {
                thread_local! {
                    static SCRATCH: RefCell<Scratch<$type>> = RefCell::default();
                }
                SCRATCH.with_borrow_mut(pass);
            }
        }
    };
}

kernels!(f32, run_f32: forward(Forward), backward(Backward), descend(Descent),
    sum_of_squares(SumOfSquares), tanh_all(Tanh), exp_all(Exp));
kernels!(f64, run_f64: forward(Forward), backward(Backward), descend(Descent),
    sum_of_squares(SumOfSquares), tanh_all(Tanh), exp_all(Exp));

/// Sets of instructions that there are vectors of `f32` for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instructions {
    /// x86-64 with AVX-512: 16 numbers.
    Avx512,
    /// x86-64 with AVX2, fused multiply-add and what goes with them: 8 numbers.
    Avx2,
    /// Whatever the compiler makes of groups of 8 numbers, on any processor.
    Portable,
    /// The same with vectors of the shape of AVX-512's, whose layout is tested by them on any processor.
    #[cfg(test)]
    PortableWide,
}

impl Instructions {
    /// All, the best first.
    pub const ALL: &[Self] = &[
        Self::Avx512,
        Self::Avx2,
        Self::Portable,
        #[cfg(test)]
        Self::PortableWide,
    ];

    /// Whether the processor has them.
    pub fn exist(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("popcnt");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match self {
                Self::Avx512 => avx512 && avx2,
                Self::Avx2 => avx2,
                _ => true,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            !matches!(self, Self::Avx512 | Self::Avx2)
        }
    }

    /// Those that the processor has.
    #[cfg(test)]
    pub fn existing() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|set| set.exist())
    }

    /// The best that the processor has; in tests, those of [`with`] on its thread.
    fn chosen() -> Self {
        #[cfg(test)]
        if let Some(chosen) = CHOSEN.get() {
            return chosen;
        }
        Self::ALL.iter().copied().find(|set| set.exist()).unwrap_or(Self::Portable)
    }
}

#[cfg(test)]
thread_local! {
    static CHOSEN: std::cell::Cell<Option<Instructions>> = const { std::cell::Cell::new(None) };
}

/// Runs something with given instructions, which have to exist, instead of the best.
#[cfg(test)]
pub fn with<T>(set: Instructions, run: impl FnOnce() -> T) -> T {
    CHOSEN.set(Some(set));
    let result = run();
    CHOSEN.set(None);
    result
}

/// Computes with vectors of `f32`.
pub fn run_f32(work: impl Work<f32>) {
    match Instructions::chosen() {
        #[cfg(target_arch = "x86_64")]
        set @ (Instructions::Avx512 | Instructions::Avx2) => run_x86(set, work),
        #[cfg(test)]
        Instructions::PortableWide => work.run::<Portable<f32, 16, 4>>(),
        _ => work.run::<Portable<f32>>(),
    }
}

#[cfg(target_arch = "x86_64")]
fn run_x86(set: Instructions, work: impl Work<f32>) {
    use super::x86::{Avx2, Avx512};

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma,bmi1,popcnt")]
    fn avx512(work: impl Work<f32>) {
        work.run::<Avx512>();
    }

    #[target_feature(enable = "avx2,fma,bmi1,popcnt")]
    fn avx2(work: impl Work<f32>) {
        work.run::<Avx2>();
    }

    assert!(set.exist(), "this processor has no {set:?}");
    match set {
        #[expect(unsafe_code, reason = "whether the processor has the instructions is known at run time only")]
        // SAFETY: the processor has them, as was just seen.
        Instructions::Avx512 => unsafe { avx512(work) },
        #[expect(unsafe_code, reason = "as above")]
        // SAFETY: as above.
        _ => unsafe { avx2(work) },
    }
}

/// Computes with `f64`, in which no network learns but in tests: with the vectors that the compiler makes of plain loops. They
/// differ in length only, so that the numbers do not depend on the instructions.
fn run_f64(work: impl Work<f64>) {
    #[cfg(target_arch = "x86_64")]
    if matches!(Instructions::chosen(), Instructions::Avx512 | Instructions::Avx2) {
        #[target_feature(enable = "avx2,fma,bmi1,popcnt")]
        fn avx2(work: impl Work<f64>) {
            work.run::<Portable<f64>>();
        }

        #[expect(unsafe_code, reason = "whether the processor has the instructions is known at run time only")]
        // SAFETY: the processor has AVX2 and FMA, whichever of the two sets was chosen.
        return unsafe { avx2(work) };
    }
    work.run::<Portable<f64>>();
}
