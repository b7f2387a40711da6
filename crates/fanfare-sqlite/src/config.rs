//! How safely the history is kept, and how much of it.

use std::time::Duration;

/// How safely the history is kept, and how much of it; assign what differs from the default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What a stored event survives. Default: [`Durability::Always`].
    pub durability: Durability,
    /// Records that are kept. Default 100,000; zero counts as 1.
    ///
    /// At this limit, and the two that follow, the oldest go; who still needs them is told so. The
    /// strictest holds.
    pub history_count_max: u64,
    /// How old a record may become. Default zero: no limit.
    pub history_age_max: Duration,
    /// Bytes of records that are kept, by an estimate of what they take on the disk: 128 for each,
    /// 32 for each topic, topics, id, type and data. Default 1 GiB.
    ///
    /// A publication that is larger on its own is refused.
    pub history_bytes_max: u64,
    /// How long an idempotency key is remembered. Default 10 min.
    pub dedupe_window: Duration,
    /// Free bytes of the disk below which nothing is stored any more (F7). Default 128 MiB; zero:
    /// until the disk is full.
    ///
    /// A write-ahead log that took the last block could not be moved into a database that has to
    /// grow, and only help from outside would end that.
    pub disk_free_min: u64,
    /// What a start does that finds damage. Default: [`OnDamage::ReadOnly`].
    pub on_damage: OnDamage,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            durability: Durability::Always,
            history_count_max: 100_000,
            history_age_max: Duration::ZERO,
            history_bytes_max: 1 << 30,
            dedupe_window: Duration::from_secs(10 * 60),
            disk_free_min: 128 << 20,
            on_damage: OnDamage::ReadOnly,
        }
    }
}

/// What a stored event survives besides the death of the process, which it always does (W10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "W10 knows these three")]
pub enum Durability {
    /// A loss of power: each commit is flushed to the disk before it is answered.
    Always,
    /// A loss of power, but for what was stored in the time given before it.
    Interval(Duration),
    /// What the operating system had written by itself.
    Never,
}

impl Durability {
    /// The word for it in files, flags and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Interval(_) => "interval",
            Self::Never => "never",
        }
    }

    /// What a loss of power costs, as people read it; `None`: nothing.
    #[must_use]
    pub fn loss_window(self) -> Option<String> {
        match self {
            Self::Always => None,
            Self::Interval(time) => Some(format!(
                "the last {} ms of events before a loss of power",
                time.as_millis()
            )),
            Self::Never => Some(
                "at a loss of power, what the operating system had not written yet: up to \
                 everything since the last checkpoint"
                    .to_owned(),
            ),
        }
    }
}

/// What a start does that finds damage (F11).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OnDamage {
    /// Serves what can be proved, and stores nothing.
    ReadOnly,
    /// Does not start.
    Refuse,
}
