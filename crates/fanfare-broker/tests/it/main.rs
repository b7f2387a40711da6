//! The memory broker from outside: the twelve laws, and a model of a broker as a list.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod laws;
mod model;
