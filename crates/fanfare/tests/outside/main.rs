//! The real program beside real ones: Chromium, curl, h2load, openssl, and a network of its own.
//!
//! `cargo test` leaves these out, for they need programs that are not Rust's; `cargo xtask test`
//! installs what is missing and runs them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails shows where"
)]

mod browser;
mod chromium;
mod command_lines;
mod demo;
mod dev_hub;
mod documents;
mod issuer;
#[path = "../it/program.rs"]
#[expect(
    dead_code,
    reason = "its other half serves the tests of the command line"
)]
mod program;
mod proxy;
mod scenarios;
mod tls;
mod vanishing;
