//! The NATS broker from outside, against real servers.
#![expect(clippy::unwrap_used, reason = "tests: what does not hold is a panic")]

mod cluster;
mod laws;
mod login;
mod loss;
mod model;
mod outage;
mod presence;
mod sample;
