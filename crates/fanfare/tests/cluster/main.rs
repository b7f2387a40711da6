//! Several nodes, as real processes, with real brokers and real proxies: restarted one after the other
//! under load, killed, paused, cut off. `hubcheck` judges each run.
//!
//! `cargo test` leaves these out, for they need other programs; `cargo xtask test cluster` runs them,
//! and `cargo xtask torture --nodes 3 --rounds N` the long way.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that fails shows where, and reads the clock where it waits"
)]

mod broker;
mod client;
mod faults;
#[path = "../faults/faulty_calls.rs"]
#[expect(dead_code, reason = "only the clock is moved here")]
mod faulty_calls;
mod load;
mod node;
mod presence;
mod proxy;
mod relay;
mod rolling;
