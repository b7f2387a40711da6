//! The server from outside: real sockets, real bytes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails shows where"
)]

mod access_tokens;
mod admin;
mod authorization;
mod bad_peers;
mod bad_requests;
mod batches;
mod bridge;
mod broadcasting;
mod browser_module;
mod cli;
mod client;
mod config;
mod cross_origin;
mod dashboard;
mod deploy;
mod dialects;
mod draining;
mod expiring;
mod failing_broker;
mod fixture;
mod history;
mod http2;
mod hubcheck;
mod journal;
mod lanes;
mod limits;
mod mercure_environment;
mod operations;
mod presence;
mod program;
mod publish_outcomes;
mod publishing;
mod relay;
mod resuming;
mod revoking;
mod several_nodes;
mod shared_broker;
mod strangers;
mod subscribing;
mod tls;
mod tls_command;
mod token_command;
mod web_hooks;
