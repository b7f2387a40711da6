//! Wall clock time, and its text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads the wall clock.
pub(super) fn now() -> SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "the moment of a change and of an attempt; the ledger gets it as an argument"
    )]
    SystemTime::now()
}

/// Time since 1970, zero for what was before.
pub(super) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `time` in UTC with microseconds, as `2022-11-03T20:26:10.344522Z` (RFC 3339 §5.6).
pub(super) fn rfc3339(time: SystemTime) -> String {
    let since_epoch = since_epoch(time);
    let seconds = since_epoch.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let micros = since_epoch.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// The Gregorian year, month and day, `days` after 1970-01-01.
///
/// Years begin in March here, so that a leap day is the last one of its year, and 400 of them have
/// the same number of days always.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_1970;
    let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months, from March and from August on, have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    match month {
        0..=9 => (year, month + 3, day),
        _ => (year + 1, month - 9, day),
    }
}

/// From 0000-03-01.
const DAYS_TO_1970: u64 = 719_468;
const DAYS_PER_ERA: u64 = 146_097;

#[cfg(test)]
mod tests;
