//! One libtorch thread per lane. Alone in its file, since it counts the threads of the process.
#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]
#![cfg(target_os = "linux")]

use equiflow_neural::{Kind, Tensor, pin};
use std::sync::Barrier;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Work that MKL and OpenMP would share among their threads if they were let.
fn work() {
    let x = Tensor::ones([1000, 1000], (Kind::Float, tch::Device::Cpu));
    assert_eq!(x.mm(&x).relu().sum(Kind::Float).double_value(&[]), 1e9);
}

#[test]
fn libtorch_starts_no_threads_of_its_own() {
    let before = threads();
    pin();
    work();
    assert_eq!(threads(), before);
    let (start, end) = (Barrier::new(3), Barrier::new(3));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                pin();
                start.wait();
                work();
                end.wait();
            });
        }
        start.wait();
        for _ in 0..20 {
            assert_eq!(threads(), before + 2);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        end.wait();
    });
}
