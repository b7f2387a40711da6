//! The SQLite broker from outside.
#![expect(clippy::unwrap_used, reason = "tests: what does not hold is a panic")]

mod damage;
mod folder;
mod laws;
mod model;
mod retention;
