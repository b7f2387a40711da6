//! Tests only: what Fanfare's crates are held to, in a form that each of them can run.
//!
//! [`broker_suite`] holds a broker to the twelve laws of `trait Broker`, and [`presence_suite`]
//! to the rules of presence; [`raw_http`] is a peer that shows the bytes of the wire, and
//! [`program`] a process to show them to. [`redis_server`] and [`nats_server`] start real servers.
//! [`hubcheck`] holds a whole hub, any hub, to what it has promised.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests only: what does not hold is a panic"
)]

pub mod broker_suite;
pub mod hubcheck;
pub mod nats_server;
pub mod presence_suite;
pub mod program;
pub mod raw_http;
pub mod redis_server;
