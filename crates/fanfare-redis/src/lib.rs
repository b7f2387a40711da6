//! Fanfare's history for several nodes: a stream of Redis or Valkey.
//!
//! [`RedisBroker`] is a [`fanfare_broker::Broker`] that any number of nodes share. The stream is
//! the hub's one order; there is nothing beside it that could disagree.
//!
//! # The road of a publication
//!
//! `broker` → `queue` → `publisher` (one `script/append.lua` for all that waits) → the stream →
//! `tail` of every node.
//!
//! # The road of a read
//!
//! `broker` → `history` → `link` → `entry`.
//!
//! A publisher, the reads and each tail have connections of their own: a blocking command must not
//! hold up the others, and whoever loses a connection must know it (RD11).
#![forbid(unsafe_code)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer is of the kind that was asked for, or of any other"
)]

mod address;
mod backoff;
mod bounds;
mod broker;
mod condition;
mod config;
mod encoding;
mod entry;
mod error;
mod history;
mod keys;
mod link;
mod presence;
mod publisher;
mod queue;
mod script;
mod sentinel;
mod server;
mod tail;

pub use address::{Address, InvalidAddress};
pub use broker::RedisBroker;
pub use config::{Ack, Config, Fence};
pub use error::ConnectError;
