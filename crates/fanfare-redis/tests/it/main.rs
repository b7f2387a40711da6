//! The Redis broker from outside, on a real server.
#![expect(clippy::unwrap_used, reason = "tests: what does not hold is a panic")]

mod laws;
mod presence;
mod sample;
