//! The format from outside: vectors, the Standard's rules as an oracle, limits, round trips.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by its panic"
)]

mod cut;
mod items;
mod limit;
mod round_trip;
mod said;
mod standard;
mod stream;
mod vectors;
