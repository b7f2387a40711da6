//! The hub with the memory broker, its real threads, streams and sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(
    clippy::missing_docs_in_private_items,
    reason = "tests are named by what they show"
)]

mod delivery;
mod drain;
mod guests;
mod hub;
mod limits;
mod privacy;
mod resume;
mod survey;
