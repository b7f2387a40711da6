//! How late it is for the purpose of deleting: a wrong clock must not empty the history (T5).

use std::time::{Duration, Instant};

use crate::row::Now;

/// Follows the wall clock, except where it jumps ahead.
#[derive(Debug)]
pub(crate) struct TrimClock {
    /// What was believed, and when.
    base_ms: u64,
    base: Instant,
    /// Since when the wall clock has been ahead without a break.
    ahead_since: Option<Instant>,
}

impl TrimClock {
    /// Starts at `now`; `newest_ms` is when the newest record was stored, if there is one.
    ///
    /// A start long after that may be a wrong clock: it is believed after an hour.
    pub(crate) fn new(now: Now, newest_ms: Option<u64>) -> Self {
        let plausible = newest_ms.map_or(u64::MAX, |newest| newest.saturating_add(ABSENCE_MS_MAX));
        let base_ms = match newest_ms {
            Some(newest) if now.unix_ms > plausible => newest,
            _ => now.unix_ms,
        };
        Self {
            base_ms,
            base: now.instant,
            ahead_since: None,
        }
    }

    /// The time to compare ages with, in milliseconds since 1970.
    pub(crate) fn read(&mut self, now: Now) -> u64 {
        let elapsed = now.instant.saturating_duration_since(self.base);
        let elapsed = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let expected = self
            .base_ms
            .saturating_add(elapsed)
            .saturating_add(SLACK_MS);
        if now.unix_ms <= expected {
            self.ahead_since = None;
            return now.unix_ms;
        }
        let since = *self.ahead_since.get_or_insert_with(|| {
            let ahead_s = (now.unix_ms - expected) / 1000;
            tracing::warn!(
                ahead_s,
                "the clock is ahead of what it can be: nothing is deleted by age on its word \
                 until it has been so for an hour"
            );
            now.instant
        });
        if now.instant.saturating_duration_since(since) < AGREEMENT {
            return expected;
        }
        *self = Self::new(now, None);
        now.unix_ms
    }
}

/// How far the wall clock may run ahead of the monotonic one.
const SLACK_MS: u64 = 60_000;

/// How long it must have been ahead to be believed.
const AGREEMENT: Duration = Duration::from_secs(3600);

/// A start later than this after the newest record is doubted: 30 days.
const ABSENCE_MS_MAX: u64 = 30 * 24 * 3600 * 1000;

#[cfg(test)]
mod tests;
