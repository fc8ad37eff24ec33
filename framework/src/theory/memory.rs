//! How much memory exact computations may take.

use std::fs;
use std::sync::LazyLock;

/// Where the system does not tell what is free.
const FALLBACK: usize = 4 << 30;

/// The largest tables that are made without being asked for more, in bytes: three quarters of what was free when it was
/// first asked for, which leaves room for what is computed from them. Where that is not known (other systems than Linux)
/// 4 GiB.
pub fn limit() -> usize {
    static LIMIT: LazyLock<usize> = LazyLock::new(|| free().map_or(FALLBACK, |free| free / 4 * 3));
    *LIMIT
}

/// What the process may still take, in bytes.
fn free() -> Option<usize> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    // In a container: what it is allowed, less what it has.
    let number = |file: &str| fs::read_to_string(format!("/sys/fs/cgroup/{file}")).ok()?.trim().parse::<usize>().ok();
    let container = number("memory.max").zip(number("memory.current")).map(|(most, now)| most.saturating_sub(now));
    [machine, container].into_iter().flatten().min()
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<usize>().ok()?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_read_in_bytes() {
        let meminfo = "MemTotal:       24117248 kB\nMemFree:         1048576 kB\nMemAvailable:   20971520 kB\n";
        assert_eq!(available(meminfo), Some(20 << 30));
        assert_eq!(available("MemTotal:       24117248 kB\n"), None);
        assert!(limit() > 0);
    }
}
