//! The hub's limits and times.

use std::io;
use std::time::Duration;

use fanfare_broker::ReadError;

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
    /// What a subscriber gets that presents an id never seen, or no longer known. Default:
    /// [`UnknownCursor::Head`]. Either way the gap is said.
    pub unknown_cursor: UnknownCursor,
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
            unknown_cursor: UnknownCursor::Head,
            stream_bytes_max: 64 << 10,
        }
    }
}

impl Config {
    /// Checks it without starting a hub; [`crate::Hub::start`] does the same.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] names the first field that the hub cannot work with.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let rules = [
            (self.shards >= 1, "shards", "at least 1"),
            (
                self.ring_bytes_max >= 1 << 20,
                "ring_bytes_max",
                "at least 1 MiB",
            ),
            (self.ring_records_max >= 1, "ring_records_max", "at least 1"),
            (
                u32::try_from(self.subscribers_max).is_ok(),
                "subscribers_max",
                "below 2^32",
            ),
            (
                self.stall_timeout >= SHORTEST,
                "stall_timeout",
                "at least 1 s",
            ),
            (
                self.heartbeat.is_zero() || self.heartbeat >= SHORTEST,
                "heartbeat",
                "zero or at least 1 s",
            ),
            (
                self.stream_bytes_max >= 1024,
                "stream_bytes_max",
                "at least 1 KiB",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, field, must_be)) => Err(InvalidConfig { field, must_be }),
            None => Ok(()),
        }
    }
}

/// The shortest of the hub's times: its timers are coarse.
const SHORTEST: Duration = Duration::from_secs(1);

/// Where a stream goes on that presented an unknown id (C6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "C6 knows these two")]
pub enum UnknownCursor {
    /// From now on.
    Head,
    /// With everything that is retained.
    All,
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

/// Why a hub could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A field of [`Config`] is out of range.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// The broker cannot say what it holds.
    #[error("the broker cannot say what it holds")]
    Broker(#[from] ReadError),
    /// The operating system gives no thread or poll.
    #[error("a shard's thread could not be started")]
    Thread(#[from] io::Error),
}
