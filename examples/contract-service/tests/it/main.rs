//! The cases of the public SSE contract tests, in our own words, driven as its harness drives
//! them: over the service's REST protocol, with a server for streams and one for callbacks.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by its panic"
)]

mod formats;
mod harness;
mod protocol;
mod requests;
mod trust;
