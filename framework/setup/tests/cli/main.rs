//! `cargo equiflow` end to end, through the built program and without a network: fetching libtorch ([`fetch`]),
//! building and handing over ([`start`]). What is imitated, and how, is in [`support`].
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but does not see that helpers of tests are tests"
)]

mod fetch;
mod start;
mod support;
