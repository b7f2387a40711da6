//! How long events took: counts in buckets that are at most 1/64 wide, whatever the length.

use std::time::Duration;

/// A distribution of times, in a fixed 30 KiB however many are recorded.
///
/// Up to 127 ns exact, above that at most 1.6 % too long; the longest is exact.
#[derive(Clone)]
pub struct Latency {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

impl Latency {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
            longest: 0,
        }
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        if let Some(count) = self.counts.get_mut(bucket(nanos)) {
            *count += 1;
        }
        self.total += 1;
        self.longest = self.longest.max(nanos);
    }

    /// The time that a share of `quantile`, 0.0 to 1.0, did not exceed; zero if none was recorded.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count, clamped to it"
        )]
        let rank = ((self.total as f64 * quantile).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let nanos = reached.map_or(0, last_of_bucket);
        Duration::from_nanos(nanos.min(self.longest))
    }

    /// The longest time.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest)
    }
}

impl std::fmt::Debug for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latency")
            .field("total", &self.total)
            .field("p50", &self.quantile(0.5))
            .field("longest", &self.longest())
            .finish_non_exhaustive()
    }
}

/// Buckets of one power of two.
const STEPS: u32 = 64;
/// One bucket for each of the first 128 numbers, then [`STEPS`] for each of 57 powers of two.
const BUCKETS: usize = 128 + 57 * STEPS as usize;

fn bucket(nanos: u64) -> usize {
    let shift = (nanos | 1).ilog2().saturating_sub(6);
    let step = nanos >> shift;
    // `step` is below 128 without a shift, and 64 to 127 with one.
    let bucket = u64::from(shift) * u64::from(STEPS) + step;
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

fn last_of_bucket(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let steps = u64::from(STEPS);
    let shift = (bucket / steps).saturating_sub(1);
    let step = bucket - shift * steps;
    // The next bucket's first number less one; the last bucket ends where numbers end.
    ((u128::from(step) + 1) << shift)
        .checked_sub(1)
        .and_then(|nanos| u64::try_from(nanos).ok())
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
