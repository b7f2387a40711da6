//! Fanfare's history for several nodes: a stream of NATS JetStream.
//!
//! [`NatsBroker`] is a [`fanfare_broker::Broker`] that any number of nodes share. A hub is one
//! stream, and the stream's sequence is the offset: the server gives the order, replicates it, and
//! drops a publish that comes twice. What a node adds is doubt: it remembers what it has seen, and
//! holds the server to it after every connection (NA3, NA5).
//!
//! # The road of a publication
//!
//! `broker` → `append` → `link` (one connection, never resumed) → the stream's acknowledgement.
//!
//! # The road of a read
//!
//! `broker` → `page` → `log`; the one that follows: `tail` → a pull consumer.
//!
//! # The road of a doubt
//!
//! `keeper` connects → `verify` compares `trail` with the stream → `mark` opens an epoch → `tail`
//! says what was lost.
#![forbid(unsafe_code)]

mod address;
mod append;
mod blocks;
mod broker;
mod codec;
mod config;
mod error;
mod keeper;
mod link;
mod log;
mod mark;
mod monitor;
mod page;
mod presence;
mod roster;
mod shared;
mod tail;
mod trail;
mod verify;
mod views;

pub use address::{Address, InvalidAddress};
pub use broker::NatsBroker;
pub use config::{Ack, Config};
pub use error::OpenError;
