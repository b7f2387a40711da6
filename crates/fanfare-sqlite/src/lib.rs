//! Fanfare's durable history on one machine: an embedded SQLite database.
//!
//! [`SqliteBroker`] is a [`fanfare_broker::Broker`] of one node. One thread writes, and commits all
//! that waits at once; what is committed is handed to the tail, and only then acknowledged. Two
//! threads read, and share what they read by blocks.
//!
//! # The road of a publication
//!
//! `broker` → `queue` → `writer` (`append`, `trim`, COMMIT) → `shared` → `tail`, and then the answer.
//!
//! # The road of a read
//!
//! `broker` → `page` → `blocks` → `readers` → `row`; `search` says which blocks to look at.
#![forbid(unsafe_code)]

mod blocks;
mod broker;
mod config;
mod database;
mod error;
mod inspect;
mod lock;
mod offline;
mod page;
mod queue;
mod readers;
mod row;
#[cfg(test)]
mod sample;
mod search;
mod shared;
mod start;
mod tail;
mod trim_clock;
mod wal;
mod writer;

pub use broker::SqliteBroker;
pub use config::{Config, Durability, OnDamage};
pub use error::OpenError;
pub use inspect::{Finding, Inspector, Records, Stats};
pub use offline::{Keep, trim};
