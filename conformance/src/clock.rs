//! The time, read in one place.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Seconds since 1970, as tokens count them.
#[expect(
    clippy::disallowed_methods,
    reason = "tokens tell their end in real time"
)]
pub(crate) fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// A moment to measure from.
#[expect(
    clippy::disallowed_methods,
    reason = "cases measure how long a hub takes"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
