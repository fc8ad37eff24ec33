//! Which files libtorch consists of, per kind of machine: the wheels on PyPI that hold them, with their sha256, and the
//! place of each file in the libtorch folder. Data only; to move to another libtorch, change this file.
//!
//! PyPI's Linux wheels are CUDA builds. Their CPU half works alone, once it finds the two small CUDA libraries that
//! `libtorch_cpu.so` names. Only x86-64 Linux was run; the other two tables were written from the wheels' contents.

/// The libtorch that tch wants, exactly.
pub const VERSION: &str = "2.13.0";

/// One wheel on PyPI.
#[derive(Debug)]
pub struct Wheel {
    /// The package's name for pip.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The platform tag, so that pip on any Python of any machine picks this file.
    pub platform: &'static str,
    /// What pip compares the download with.
    pub sha256: &'static str,
    /// The size of the download.
    pub bytes: u64,
    /// `source=place`: a file of the wheel, or a folder ending in a slash, and where it goes.
    pub take: &'static [&'static str],
}

/// libtorch for one kind of machine.
#[derive(Debug)]
pub struct Release {
    /// As in the cache folder's name.
    pub machine: &'static str,
    /// What is downloaded, the largest first.
    pub wheels: &'static [Wheel],
    /// The file in `lib/` that tch's build links as `torch` and that has to be written, because the wheel's own pulls
    /// in CUDA: a linker script.
    pub linker_script: Option<(&'static str, &'static str)>,
    /// Disk space that fetching needs at its peak: pip holds the largest wheel twice.
    pub peak_bytes: u64,
}

impl Release {
    /// The size of all downloads.
    pub fn download_bytes(&self) -> u64 {
        self.wheels.iter().map(|wheel| wheel.bytes).sum()
    }

    /// What fits the machine that this program was compiled for, if there is one.
    pub fn for_this_machine() -> Option<&'static Self> {
        match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => Some(&LINUX_X86_64),
            ("linux", "aarch64") => Some(&LINUX_AARCH64),
            ("macos", "aarch64") => Some(&MACOS_ARM64),
            _ => None,
        }
    }
}

const CPU_ONLY: Option<(&str, &str)> = Some(("libtorch.so", "INPUT ( -ltorch_cpu )\n"));

static LINUX_X86_64: Release = Release {
    machine: "x86_64",
    wheels: &[
        Wheel {
            package: "torch",
            version: VERSION,
            platform: "manylinux_2_28_x86_64",
            sha256: "796633c4cdf0fe2cdced72d8f88f22e73dbcfce83132763162f6d4bff13b820b",
            bytes: 526_605_292,
            take: &[
                "torch/include/=include/",
                "torch/lib/libtorch_cpu.so=lib/libtorch_cpu.so",
                "torch/lib/libc10.so=lib/libc10.so",
                "torch/lib/libgomp.so.1=lib/libgomp.so.1",
            ],
        },
        Wheel {
            package: "nvidia-cuda-cupti",
            version: "13.0.85",
            platform: "manylinux_2_25_x86_64",
            sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
            bytes: 10_715_597,
            take: &["nvidia/cu13/lib/libcupti.so.13=lib/libcupti.so.13"],
        },
        Wheel {
            package: "nvidia-cuda-runtime",
            version: "13.0.96",
            platform: "manylinux2014_x86_64",
            sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            bytes: 2_243_632,
            take: &["nvidia/cu13/lib/libcudart.so.13=lib/libcudart.so.13"],
        },
    ],
    linker_script: CPU_ONLY,
    peak_bytes: 1_200_000_000,
};

static LINUX_AARCH64: Release = Release {
    machine: "aarch64",
    wheels: &[
        Wheel {
            package: "torch",
            version: VERSION,
            platform: "manylinux_2_28_aarch64",
            sha256: "572df8be8ffb4599c88cbd6a0726f1f854f4da65d2e3c09f0e2c2283333cd6d4",
            bytes: 427_210_998,
            take: &[
                "torch/include/=include/",
                "torch/lib/libtorch_cpu.so=lib/libtorch_cpu.so",
                "torch/lib/libc10.so=lib/libc10.so",
                "torch/lib/libgomp.so.1=lib/libgomp.so.1",
                "torch/lib/libgfortran.so.5=lib/libgfortran.so.5",
                "torch/lib/libarm_compute.so=lib/libarm_compute.so",
                "torch/lib/libarm_compute_graph.so=lib/libarm_compute_graph.so",
                "torch/lib/libnvpl_blas_core.so.0=lib/libnvpl_blas_core.so.0",
                "torch/lib/libnvpl_blas_lp64_gomp.so.0=lib/libnvpl_blas_lp64_gomp.so.0",
                "torch/lib/libnvpl_lapack_core.so.0=lib/libnvpl_lapack_core.so.0",
                "torch/lib/libnvpl_lapack_lp64_gomp.so.0=lib/libnvpl_lapack_lp64_gomp.so.0",
            ],
        },
        Wheel {
            package: "nvidia-cuda-cupti",
            version: "13.0.85",
            platform: "manylinux_2_25_aarch64",
            sha256: "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151",
            bytes: 10_310_827,
            take: &["nvidia/cu13/lib/libcupti.so.13=lib/libcupti.so.13"],
        },
        Wheel {
            package: "nvidia-cuda-runtime",
            version: "13.0.96",
            platform: "manylinux2014_aarch64",
            sha256: "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
            bytes: 2_261_060,
            take: &["nvidia/cu13/lib/libcudart.so.13=lib/libcudart.so.13"],
        },
    ],
    linker_script: CPU_ONLY,
    peak_bytes: 1_000_000_000,
};

static MACOS_ARM64: Release = Release {
    machine: "arm64",
    wheels: &[Wheel {
        package: "torch",
        version: VERSION,
        platform: "macosx_14_0_arm64",
        sha256: "2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027",
        bytes: 111_213_045,
        take: &[
            "torch/include/=include/",
            "torch/lib/libtorch.dylib=lib/libtorch.dylib",
            "torch/lib/libtorch_cpu.dylib=lib/libtorch_cpu.dylib",
            "torch/lib/libc10.dylib=lib/libc10.dylib",
            "torch/lib/libomp.dylib=lib/libomp.dylib",
        ],
    }],
    linker_script: None,
    peak_bytes: 600_000_000,
};
