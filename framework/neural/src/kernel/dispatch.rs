//! The choice of the processor's instructions, at run time.

use super::vector::{Portable, Vector};

/// Something to compute with vectors of whatever length the processor has.
pub trait Work<T> {
    /// Computes it. To be inlined, with all that it calls, into a function for which the vector's instructions are
    /// enabled.
    fn run<V: Vector<Element = T>>(self);
}

/// Computes with the best vectors of `f32` that the processor has.
pub fn run_f32(work: impl Work<f32>) {
    #[cfg(target_arch = "x86_64")]
    {
        use super::x86::{Avx2, Avx512};

        #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")]
        fn avx512(work: impl Work<f32>) {
            work.run::<Avx512>();
        }

        #[target_feature(enable = "avx2,fma")]
        fn avx2(work: impl Work<f32>) {
            work.run::<Avx2>();
        }

        let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let has_avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if has_avx512 && has_avx2 {
            #[expect(unsafe_code, reason = "whether the processor has the instructions is known at run time only")]
            // SAFETY: the processor has them.
            return unsafe { avx512(work) };
        }
        if has_avx2 {
            #[expect(unsafe_code, reason = "as above")]
            // SAFETY: as above.
            return unsafe { avx2(work) };
        }
    }
    work.run::<Portable<f32>>();
}

/// Computes with `f64`, where nothing has to be fast.
pub fn run_f64(work: impl Work<f64>) {
    work.run::<Portable<f64>>();
}
