//! What is promised, and how much is kept.

use std::time::Duration;

/// What is promised, and how much is kept; assign what differs from the default.
///
/// All nodes of a hub need the same limits: each trims by its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Records that are kept. Default 100,000; zero counts as 1.
    ///
    /// At this limit, and the two that follow, the oldest go, a little later (RD3); who still needs
    /// them is told so. The strictest holds.
    pub history_count_max: u64,
    /// How old a record may become. Default zero: no limit.
    pub history_age_max: Duration,
    /// Bytes of records that are kept, by an estimate of what they take in the server's memory:
    /// 128 for each, 32 for each topic, topics, id, type and data. Default 1 GiB.
    ///
    /// A publication that is larger on its own is refused.
    pub history_bytes_max: u64,
    /// How long an idempotency key is remembered. Default 10 min.
    pub dedupe_window: Duration,
    /// How long the server may take to answer. Default 5 s.
    ///
    /// A publish that was sent and got no answer by then is unknown.
    pub broker_response_timeout: Duration,
    /// How long the server may be away before the broker counts as failed. Default 10 s.
    pub broker_grace: Duration,
    /// How long a start waits for the server. Default 30 s.
    pub broker_start_patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            history_count_max: 100_000,
            history_age_max: Duration::ZERO,
            history_bytes_max: 1 << 30,
            dedupe_window: Duration::from_secs(10 * 60),
            broker_response_timeout: Duration::from_secs(5),
            broker_grace: Duration::from_secs(10),
            broker_start_patience: Duration::from_secs(30),
        }
    }
}

/// What must have happened before a publish is acknowledged: the acknowledgement ladder of §6.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the ladder has three rungs")]
pub enum Ack {
    /// The server has it; what it survives is the server's own persistence.
    #[default]
    Server,
    /// The server's disk has it.
    Fsync,
    /// A replica has it too.
    Replicated,
}

impl Ack {
    /// The word for it in addresses, files and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Fsync => "fsync",
            Self::Replicated => "replicated",
        }
    }
}

/// By what a publish sees that the server is another than before (RD4).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "servers show these two")]
pub enum Fence {
    /// Its `run_id` and its replication id.
    #[default]
    RunId,
    /// Its replication id alone, for services that hide the other.
    ReplId,
}

impl Fence {
    /// The word for it in addresses, files and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunId => "run_id",
            Self::ReplId => "replid",
        }
    }
}
