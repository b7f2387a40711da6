//! The client from outside: real sockets, and peers that say what they are told to.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by its panic"
)]

mod answers;
mod cursor;
mod differential;
mod http2;
mod limits;
mod peer;
mod proxies;
mod publishing;
mod redirects;
mod tls;
mod vectors;
mod waiting;
