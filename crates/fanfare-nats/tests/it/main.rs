//! The NATS broker from outside, against real servers.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: what does not hold is a panic"
)]

mod cluster;
mod laws;
mod loss;
mod outage;
mod presence;
mod sample;
