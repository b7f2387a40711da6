//! The SQLite broker from outside.
#![expect(clippy::unwrap_used, reason = "tests: what does not hold is a panic")]

mod damage;
mod durability;
mod folder;
mod inspector;
mod laws;
mod model;
mod retention;
mod start;
mod wal_bound;
