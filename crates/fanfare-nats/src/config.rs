//! How much of the history is kept, how safely, and how long the server may be away.

use std::time::Duration;

/// How much of the history is kept, how safely, and how long the server may be away; assign what
/// differs from the default.
///
/// The limits are the stream's. Each start sets them, so that the nodes of one hub should agree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Records that are kept. Default 100,000; zero counts as 1.
    ///
    /// At this limit, and the two that follow, the oldest go; who still needs them is told so. The
    /// strictest holds.
    pub history_count_max: u64,
    /// How old a record may become. Default zero: no limit.
    pub history_age_max: Duration,
    /// Bytes of the stream. Default 1 GiB; zero: no limit. The server sets them aside.
    pub history_bytes_max: u64,
    /// How long an idempotency key is remembered; no longer than records are kept by age. Default
    /// 10 min.
    pub dedupe_window: Duration,
    /// How long the server may be away before [`fanfare_broker::Health::Failed`]. Default 10 s.
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
            broker_grace: Duration::from_secs(10),
            broker_start_patience: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// The dedupe window that the server accepts: it takes none that is longer than `max_age`.
    pub(crate) fn window(&self) -> Duration {
        match self.history_age_max.is_zero() {
            true => self.dedupe_window,
            false => self.dedupe_window.min(self.history_age_max),
        }
    }
}

/// How long the server is given to answer: a publish that was sent and is not answered by then is
/// unknown.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What an acknowledgement must mean (NA8).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "NA8 knows these two")]
pub enum Ack {
    /// Every server writes to its disk before it acknowledges, and its monitoring shows it; a start
    /// is refused otherwise.
    #[default]
    Synced,
    /// What the server's own settings make of it; by default its disk is written every 2 minutes.
    Relaxed,
}
