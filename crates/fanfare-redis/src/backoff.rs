//! How long to wait before the next attempt: full jitter, so that nodes do not return in step.

use std::time::Duration;

/// The waits between attempts.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait: any time up to 50 ms, then up to twice that, up to 5 s.
    pub(crate) fn next(&mut self) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.failures.min(10)).min(LAST);
        self.failures += 1;
        ceiling.mul_f64(rand::random())
    }
}

const FIRST: Duration = Duration::from_millis(50);
const LAST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound() {
        let mut backoff = Backoff::default();
        for ceiling in [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            assert!(backoff.next() <= Duration::from_millis(ceiling));
        }
        let long: Vec<_> = (0..100).map(|_| backoff.next()).collect();
        assert!(long.iter().any(|wait| *wait > Duration::from_secs(2)));
        assert!(long.iter().any(|wait| *wait < Duration::from_secs(2)));
    }
}
