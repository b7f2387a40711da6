//! How long to wait before the next connection (RC-20 to RC-25).

use std::time::Duration;

/// What the waits are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The wait as long as the server names none.
    pub(crate) retry: Duration,
    /// Ceiling of what is added at random.
    pub(crate) retry_max: Duration,
    /// So much of what a server asks for counts.
    pub(crate) retry_server_max: Duration,
    /// A connection that was open for so long was good.
    pub(crate) stable_after: Duration,
}

/// Connections in a row that were not good. Pure: it is told what happened, and reads no clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pace: Pace,
    /// The server's `retry`; it holds until it says another.
    hint: Option<Duration>,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace: Pace {
                retry: pace.retry.min(FOREVER),
                retry_max: pace.retry_max.min(FOREVER),
                retry_server_max: pace.retry_server_max.min(FOREVER),
                stable_after: pace.stable_after,
            },
            hint: None,
            failures: 0,
        }
    }

    /// The server says how long to wait from now on, in milliseconds (RC-24).
    pub(crate) fn hint(&mut self, millis: u64) {
        self.hint = Some(Duration::from_millis(millis).min(self.pace.retry_server_max));
    }

    /// A stream has ended that was open for `lasted`. A good one starts the count anew (RC-25).
    pub(crate) fn stream_ended(&mut self, brought_event: bool, lasted: Duration) {
        // A server that says `retry: 0` and closes would otherwise be stormed (RC-22).
        let rushed = self.base() < BASE_MIN && lasted < RUSHED;
        if (brought_event || lasted >= self.pace.stable_after) && !rushed {
            self.failures = 0;
        } else {
            self.attempt_failed();
        }
    }

    /// An attempt brought no stream.
    pub(crate) fn attempt_failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Connections in a row that were not good.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The wait before the next connection; `chance` is a random number from 0 to 1.
    ///
    /// Never less than the server's `retry`, which lies below the random part, nor less than its
    /// `retry_after` (RC-23).
    pub(crate) fn wait(&self, retry_after: Option<Duration>, chance: f64) -> Duration {
        let chance = chance.clamp(0.0, 1.0);
        let base = self.base();
        let spread = match self.failures.checked_sub(1) {
            None => (base / 10).min(SPREAD_WHEN_GOOD),
            Some(doublings) => {
                let factor = 2_u32.saturating_pow(doublings);
                let spread = base.max(BASE_MIN).saturating_mul(factor);
                spread.min(self.pace.retry_max)
            }
        };
        let asked_for = retry_after.unwrap_or_default();
        let asked_for = asked_for.min(self.pace.retry_server_max);
        let asked_for = asked_for + (asked_for / 10).mul_f64(chance);
        (base + spread.mul_f64(chance)).max(asked_for)
    }

    fn base(&self) -> Duration {
        self.hint.unwrap_or(self.pace.retry)
    }
}

/// A shorter hint is obeyed only after a connection that lasted for [`RUSHED`].
const BASE_MIN: Duration = Duration::from_millis(500);
const RUSHED: Duration = Duration::from_secs(1);

/// Enough to keep those who lost one hub apart, and short enough not to be felt.
const SPREAD_WHEN_GOOD: Duration = Duration::from_millis(200);

/// Longer than anybody waits, and short enough to be added to any time.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

#[cfg(test)]
mod tests;
