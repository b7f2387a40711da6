//! How long a publish and its delivery take: histograms that cost one addition a wake-up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long things took since the start: for each bucket that is not empty, the bound that its
/// durations are below, and how many there are. Bounds rise, by a quarter at most.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Latency {
    /// From the call of [`crate::Hub::publish`] to its outcomes, one for each call.
    pub stored: Vec<(Duration, u64)>,
    /// From when the broker's tail brought a record to the end of the writes to its subscribers.
    ///
    /// Counted once for each wake-up of a shard that wrote to somebody, for the oldest record that
    /// it took. Whoever lags gets it later; that is the subscriber's time, not the hub's.
    pub written: Vec<(Duration, u64)>,
}

/// A histogram that anybody adds to and anybody reads.
#[derive(Debug)]
pub(crate) struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Histogram {
    /// Counts one duration.
    pub(crate) fn add(&self, duration: Duration) {
        if let Some(count) = self.0.get(bucket_of(duration)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds its buckets to `sums`, which is as long as it is.
    pub(crate) fn add_to(&self, sums: &mut [u64; BUCKETS]) {
        for (sum, count) in sums.iter_mut().zip(&self.0) {
            *sum += count.load(Ordering::Relaxed);
        }
    }
}

/// The buckets of `sums` that are not empty, with their bounds.
pub(crate) fn filled(sums: &[u64; BUCKETS]) -> Vec<(Duration, u64)> {
    let filled = sums.iter().enumerate().filter(|(_, count)| **count > 0);
    filled.map(|(at, count)| (bound(at), *count)).collect()
}

/// Four buckets for each doubling: whole microseconds up to 4, then by their three highest bits.
fn bucket_of(duration: Duration) -> usize {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let Some(doublings) = micros.checked_ilog2().filter(|it| *it >= 2) else {
        return usize::try_from(micros).unwrap_or(0);
    };
    let quarter = usize::try_from(micros >> (doublings - 2) & 3).unwrap_or(0);
    (4 * (doublings as usize - 1) + quarter).min(BUCKETS - 1)
}

/// What the durations in bucket `at` are below.
fn bound(at: usize) -> Duration {
    let micros = match at {
        0..4 => at as u64 + 1,
        _ => (at as u64 % 4 + 5) << (at / 4 - 1),
    };
    Duration::from_micros(micros)
}

/// Up to half a minute; the last one has whatever is longer.
pub(crate) const BUCKETS: usize = 96;

#[cfg(test)]
mod tests;
