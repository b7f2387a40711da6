//! Real proxies in front of real hubs: nginx, HAProxy and Caddy, as people have them, as `docs/deploy`
//! advises, and as `fanfare doctor` finds them at fault.
//!
//! `cargo test` leaves these out, for they need programs that are not Rust's; `cargo xtask test`
//! installs what is missing and runs them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails shows where"
)]

mod certificate;
mod delivery;
mod doctor;
mod hubs;
mod idle;
mod kind;
mod one_history;
#[path = "../it/program.rs"]
#[expect(
    dead_code,
    reason = "its other half serves the tests of the command line"
)]
mod program;
mod proxy;
mod two_hubs;
