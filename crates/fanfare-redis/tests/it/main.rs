//! The Redis broker from outside, on a real server.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: what does not hold is a panic"
)]

mod gate;
mod ladder;
mod laws;
mod loss;
mod model;
mod outage;
mod presence;
mod retention;
mod sample;
mod secure;
mod sentinel;
