//! How long to wait after failures.

use std::time::Duration;

/// Failures in a row. Pure: it is told what happened, and reads no clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

/// How the waits grow: to at most `first`, twice that, and so on, to at most `longest`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Backoff {
    /// Counts a failure and says how long to wait; `chance` is a random number from 0 to 1.
    ///
    /// The wait is spread over the whole span ("full jitter"), so hubs that failed together do not
    /// come back together. It is no shorter than `retry_after`, as far as that is reasonable.
    pub(super) fn failed(
        &mut self,
        pace: Pace,
        retry_after: Option<Duration>,
        chance: f64,
    ) -> Duration {
        let span = pace
            .first
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(pace.longest);
        self.failures = self.failures.saturating_add(1);
        let asked_for = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        span.mul_f64(chance.clamp(0.0, 1.0)).max(asked_for)
    }

    pub(super) fn failing(self) -> bool {
        self.failures > 0
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A receiver that asks for more gets this: a slip in its header must not silence it for days.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
