//! The real program under faults: killed, on a full or failing disk, with a damaged history, under a
//! clock that jumps. What it acknowledged is there afterwards, or somebody is told.
//!
//! `cargo test` leaves these out, for they need a C compiler, and those named `as_root` a file system
//! of their own; `cargo xtask test` runs them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails shows where"
)]

mod backup;
mod clock;
mod crash;
mod damage;
mod directory;
mod document;
mod ending;
mod faulty_calls;
mod flush;
mod full_disk;
mod hub;
mod ledger;
mod mount;
mod peer;
#[path = "../it/program.rs"]
#[expect(
    dead_code,
    reason = "its other half serves the tests of the command line"
)]
mod program;
mod start;
