//! The server from outside: real sockets, real bytes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails shows where"
)]

mod authorization;
mod bad_peers;
mod bad_requests;
mod batches;
mod broadcasting;
mod cli;
mod config;
mod cross_origin;
mod draining;
mod fixture;
mod http2;
mod lanes;
mod limits;
mod mercure_environment;
mod operations;
mod program;
mod publishing;
mod resuming;
mod subscribing;
