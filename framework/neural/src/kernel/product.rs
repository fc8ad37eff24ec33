//! Matrix products of tensors by the `gemm` crate, which picks the processor's instructions at run time. On processors
//! where MKL does not, such as AMD's, it is up to twice as fast on the shapes of these networks; and a product of one
//! seed is the same, bit for bit, whatever seeds are stacked beside it.

use gemm::Parallelism;
use tch::{Kind, Tensor};

/// A matrix or a stack of them, as `gemm` wants it.
struct View {
    start: *mut std::ffi::c_void,
    /// Distance from one matrix of the stack to the next; 0 for one matrix.
    next: isize,
    stack: usize,
    shape: (usize, usize),
    strides: (isize, isize),
}

impl View {
    fn of(tensor: &Tensor) -> Self {
        let (size, stride) = (tensor.size(), tensor.stride());
        let d = size.len();
        assert!(d == 2 || d == 3, "a product takes matrices or stacks of them, not {size:?}");
        let (stack, next) = if d == 3 { (size[0] as usize, stride[0] as isize) } else { (1, 0) };
        let shape = (size[d - 2] as usize, size[d - 1] as usize);
        Self { start: tensor.data_ptr(), next, stack, shape, strides: (stride[d - 2] as isize, stride[d - 1] as isize) }
    }
}

/// Writes `a b` into `out`, or adds it with `add`: `[m, k]` and `[k, n]` to `[m, n]`, or stacks `[S, ..]` of those. Any
/// strides; all three of one kind, float or double. `out` shares no memory with the others.
///
/// # Panics
///
/// If shapes or kinds do not fit.
pub(crate) fn product_into(a: &Tensor, b: &Tensor, out: &Tensor, add: bool) {
    match (a.kind(), b.kind(), out.kind()) {
        (Kind::Float, Kind::Float, Kind::Float) => multiply::<f32>(a, b, out, add, 1.0),
        (Kind::Double, Kind::Double, Kind::Double) => multiply::<f64>(a, b, out, add, 1.0),
        kinds => panic!("a product takes tensors of one kind, float or double, not {kinds:?}"),
    }
}

fn multiply<T: Copy + 'static>(a: &Tensor, b: &Tensor, out: &Tensor, add: bool, one: T) {
    let (a, b, out) = (View::of(a), View::of(b), View::of(out));
    let ((m, k), (rows, n)) = (a.shape, b.shape);
    let fits = k == rows && out.shape == (m, n) && a.stack == b.stack && b.stack == out.stack;
    assert!(fits, "no product of {:?} and {:?} in {:?}", a.shape, b.shape, out.shape);
    for seed in 0..a.stack as isize {
        #[expect(unsafe_code, reason = "gemm takes pointers and strides")]
        // SAFETY: the tensors are alive, their kinds are T, and the sizes and strides are their own, so every element
        // that is read or written lies in their memory; `out` is not read through `a` or `b`.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                out.start.cast::<T>().offset(seed * out.next),
                out.strides.1,
                out.strides.0,
                add,
                a.start.cast::<T>().offset(seed * a.next),
                a.strides.1,
                a.strides.0,
                b.start.cast::<T>().offset(seed * b.next),
                b.strides.1,
                b.strides.0,
                one,
                one,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern in them, with rows or columns contiguous.
    fn matrix(shape: &[i64], turned: bool, kind: Kind) -> Tensor {
        let count = shape.iter().product::<i64>();
        let flat = (Tensor::arange(count, (Kind::Double, tch::Device::Cpu)) * 1.7).sin().to_kind(kind);
        if !turned {
            return flat.view(shape);
        }
        let mut backwards = shape.to_vec();
        let d = backwards.len();
        backwards.swap(d - 2, d - 1);
        flat.view(backwards.as_slice()).transpose(-2, -1)
    }

    #[test]
    fn products_are_those_of_libtorch() {
        for kind in [Kind::Float, Kind::Double] {
            for stack in [&[][..], &[1], &[3]] {
                for (m, k, n) in [(64, 100, 100), (5, 1, 7), (1, 3, 1), (17, 33, 9)] {
                    for turned in 0..4 {
                        let a = matrix(&[stack, &[m, k]].concat(), turned % 2 == 1, kind);
                        let b = matrix(&[stack, &[k, n]].concat(), turned / 2 == 1, kind);
                        let expected = a.matmul(&b);
                        let (out, added) = (expected.full_like(f64::NAN), expected.ones_like());
                        product_into(&a, &b, &out, false);
                        product_into(&a, &b, &added, true);
                        let off = |x: &Tensor| (x - &expected).abs().max().double_value(&[]);
                        let allowed = if kind == Kind::Float { 2e-5 } else { 1e-13 };
                        assert!(off(&out) < allowed, "{kind:?} {stack:?} {m}x{k}x{n}: {}", off(&out));
                        assert!(off(&(added - 1.0)) < 2.0 * allowed);
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "no product of (2, 3) and (2, 3)")]
    fn shapes_that_do_not_fit_are_refused() {
        let a = matrix(&[2, 3], false, Kind::Float);
        product_into(&a, &a, &a.zeros_like(), false);
    }
}
