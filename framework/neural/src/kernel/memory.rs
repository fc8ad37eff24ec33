//! One memory, two views of it: libtorch's tensor and Rust's slice.

use crate::real::Real;
use std::marker::PhantomData;
use tch::{Device, Tensor};

/// A contiguous tensor `[S, P]` of `T` on the CPU, whose numbers are a slice as well.
#[derive(Debug)]
pub(crate) struct Flat<T> {
    tensor: Tensor,
    seeds: usize,
    length: usize,
    element: PhantomData<T>,
}

impl<T: Real> Flat<T> {
    /// Takes the tensor over.
    ///
    /// # Panics
    ///
    /// If it is not contiguous, not on the CPU, not two-dimensional or not of `T`.
    pub(crate) fn new(tensor: Tensor) -> Self {
        let size = tensor.size();
        assert_eq!(size.len(), 2, "parameters are [seeds, parameters], not {size:?}");
        let fits = tensor.kind() == T::KIND && tensor.is_contiguous() && tensor.device() == Device::Cpu;
        assert!(fits, "parameters are a contiguous tensor of {} on the CPU", T::NAME);
        Self { tensor, seeds: size[0] as usize, length: (size[0] * size[1]) as usize, element: PhantomData }
    }

    /// The tensor, for autograd's graph.
    pub(crate) fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Number of seeds `S`.
    pub(crate) fn seeds(&self) -> usize {
        self.seeds
    }

    /// The numbers, row-major. Kept no longer than one call of a kernel, in which no operator of libtorch runs.
    #[expect(unsafe_code, reason = "the tensor's memory belongs to libtorch")]
    pub(crate) fn values(&self) -> &[T] {
        // SAFETY: the tensor is contiguous, of T and as long as that, as `new` has checked and nothing changes; it lives
        // as long as the slice, and nobody writes to it meanwhile: that takes an operator of libtorch or `&mut self`.
        unsafe { std::slice::from_raw_parts(self.tensor.data_ptr().cast::<T>(), self.length) }
    }

    /// The numbers, row-major, to be changed. As [`Flat::values`].
    #[expect(unsafe_code, reason = "the tensor's memory belongs to libtorch")]
    pub(crate) fn values_mut(&mut self) -> &mut [T] {
        // SAFETY: as above; `&mut self` is the only way to this memory but for libtorch's operators.
        unsafe { std::slice::from_raw_parts_mut(self.tensor.data_ptr().cast::<T>(), self.length) }
    }
}
