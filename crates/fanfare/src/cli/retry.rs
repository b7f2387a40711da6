//! When to connect again (RC-20 to RC-22, RC-25).

use std::time::Duration;

/// How long to wait before the next connection. Pure: it is told what happened, and reads no clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// The hub's hint.
    hint: Duration,
    /// Connections in a row that brought nothing.
    failures: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            hint: Duration::from_secs(2),
            failures: 0,
        }
    }
}

impl Retry {
    /// The hub says how long to wait from now on, in milliseconds (RC-24).
    pub(super) fn hint(&mut self, millis: u64) {
        self.hint = Duration::from_millis(millis).min(HINT_MAX);
    }

    /// A connection has ended, after `lasted`; it was good if it brought an event (RC-25).
    pub(super) fn ended(&mut self, brought_event: bool, lasted: Duration) {
        // A hub that says `retry: 0` and closes would otherwise be stormed (RC-22).
        let rushed = self.hint < HINT_MIN && lasted < Duration::from_secs(1);
        self.failures = match brought_event && !rushed {
            true => 0,
            false => self.failures.saturating_add(1),
        };
    }

    /// The wait before the next connection; `chance` is a random number from 0 to 1.
    pub(super) fn wait(&self, chance: f64) -> Duration {
        let spread = match self.failures.checked_sub(1) {
            None => (self.hint / 10).min(Duration::from_millis(200)),
            Some(doublings) => {
                let factor = 2_u32.saturating_pow(doublings);
                self.hint
                    .max(HINT_MIN)
                    .saturating_mul(factor)
                    .min(SPREAD_MAX)
            }
        };
        self.hint + spread.mul_f64(chance.clamp(0.0, 1.0))
    }
}

/// A shorter hint is obeyed only after a connection that was good for a second.
const HINT_MIN: Duration = Duration::from_millis(500);
const HINT_MAX: Duration = Duration::from_secs(5 * 60);
const SPREAD_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
