//! The hub's limits and times.

use std::time::Duration;

/// The hub's limits and times; assign what differs from the default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Threads that write to subscribers. Default: the cores this process may use, at least 1.
    pub shards: usize,
    /// Bytes of frames that the ring keeps. Default 64 MiB, at least 1 MiB.
    ///
    /// At the limit the oldest records leave the ring; a subscriber that still needs them reads on
    /// from the broker's history, and gets a gap signal if that no longer has them either.
    pub ring_bytes_max: usize,
    /// Records that the ring keeps. Default 65,536, at least 1. At the limit: as `ring_bytes_max`.
    pub ring_records_max: usize,
    /// Subscribers at once. Default 1,000,000. At the limit a new one is refused
    /// ([`crate::SubscribeError::TooMany`]).
    pub subscribers_max: usize,
    /// Silence after which a comment is sent. Default 15 s, ± 20 % for each subscriber; zero: off.
    pub heartbeat: Duration,
    /// How long a lagging subscriber may take nothing before it is closed. Default 30 s.
    ///
    /// It resumes by its last id.
    pub stall_timeout: Duration,
    /// Bytes per second that a subscriber must take while it lags for a whole minute. Default
    /// 1,024; below it is closed. Zero: off.
    pub lagging_rate_min: u64,
    /// The longest life of a subscriber, less up to 20 % at random so that not all return at once.
    /// Default zero: no limit.
    pub lifetime_max: Duration,
    /// Bytes handed to a stream (HTTP/2, embedded use) and not yet taken. Default 64 KiB. At the
    /// limit the subscriber lags.
    pub stream_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            ring_bytes_max: 64 << 20,
            ring_records_max: 65_536,
            subscribers_max: 1_000_000,
            heartbeat: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(30),
            lagging_rate_min: 1024,
            lifetime_max: Duration::ZERO,
            stream_bytes_max: 64 << 10,
        }
    }
}

/// A value that the hub cannot work with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{field}` must be {must_be}")]
#[non_exhaustive]
pub struct InvalidConfig {
    /// The field of [`Config`].
    pub field: &'static str,
    /// What would be right.
    pub must_be: &'static str,
}
