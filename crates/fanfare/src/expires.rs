//! When an event expires, as publishers write it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fanfare_broker::Expiry;

/// The moment at which a request is judged, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) wall: SystemTime,
    pub(crate) monotonic: Instant,
}

impl Now {
    /// Reads the clocks.
    #[expect(
        clippy::disallowed_methods,
        reason = "where a publish comes in; what judges it gets the time as an argument"
    )]
    pub(crate) fn read() -> Self {
        Self {
            wall: SystemTime::now(),
            monotonic: Instant::now(),
        }
    }

    fn since_epoch(self) -> Duration {
        self.wall.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// Reads `text`: seconds from `now` in decimal digits, an HTTP-date (RFC 9110 §5.6.7), or a date of
/// RFC 3339.
pub(crate) fn parse(text: &str, now: Now) -> Result<Expiry, InvalidExpires> {
    let since_epoch = now.since_epoch();
    let at = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse().map_err(|_| InvalidExpires::TooFar)?;
        since_epoch.checked_add(Duration::from_secs(seconds))
    } else {
        let date = httpdate::parse_http_date(text).ok();
        let date = date.map(|date| date.duration_since(UNIX_EPOCH).unwrap_or_default());
        let date = date.or_else(|| rfc3339(text));
        Some(date.ok_or(InvalidExpires::NoTime)?)
    };
    let at = at.filter(|at| *at < LATEST).ok_or(InvalidExpires::TooFar)?;
    if at <= since_epoch {
        return Err(InvalidExpires::Past);
    }
    Ok(Expiry::at(millis(at), millis(since_epoch), now.monotonic))
}

/// Why a text says no time at which an event can expire.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum InvalidExpires {
    #[error(
        "`expires` must be seconds from now in decimal digits (`60`), an HTTP-date (`Sun, 06 Nov 1994 08:49:37 GMT`) or a date of RFC 3339 (`1994-11-06T08:49:37Z`)"
    )]
    NoTime,
    #[error("`expires` must be later than now; nobody would get an event that has expired")]
    Past,
    #[error("`expires` must be before the year 10000; leave it out for an event that stays")]
    TooFar,
}

/// The time since 1970 of a date as `2022-11-03T20:26:10.344+01:00` (RFC 3339 §5.6), zero for what
/// was before.
fn rfc3339(text: &str) -> Option<Duration> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let end = time.find(|c: char| c != ':' && c != '.' && !c.is_ascii_digit())?;
    let (time, zone) = time.split_at_checked(end)?;
    let (time, fraction) = match time.split_once('.') {
        Some((time, fraction)) => (time, nanos(fraction)?),
        None => (time, 0),
    };
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    // A leap second is the first of the next minute.
    let on_the_clock = hour < 24 && minute < 60 && second <= 60;
    let in_the_year = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !on_the_clock || !in_the_year {
        return None;
    }
    let seconds = days_to(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let seconds = seconds - offset(zone)?;
    let before_1970 = Duration::ZERO;
    Some(u64::try_from(seconds).map_or(before_1970, |seconds| Duration::new(seconds, fraction)))
}

/// Three numbers of so many digits, with `separator` between them.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut next = |digits: usize| number(parts.next()?, digits);
    let all = [next(digits[0])?, next(digits[1])?, next(digits[2])?];
    parts.next().is_none().then_some(all)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let whole = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| text.parse().ok())?
}

/// The nanoseconds of a fraction of a second; digits after the ninth do not count.
fn nanos(fraction: &str) -> Option<u32> {
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let nine = format!("{fraction:0<9}");
    (digits && !fraction.is_empty()).then(|| nine.get(..9)?.parse().ok())?
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let (sign, time) = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", time) => (1, time),
        ("-", time) => (-1, time),
        _ => return None,
    };
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
    (hour < 24 && minute < 60).then_some(sign * (hour * 3600 + minute * 60))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
///
/// Years begin in March here, so that a leap day is the last one of its year.
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Five months, from March and from August on, have 153 days.
    let in_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + in_year - DAYS_TO_1970
}

/// From 0000-03-01.
const DAYS_TO_1970: i64 = 719_468;

/// The first moment of the year 10000, which neither form of a date can write.
const LATEST: Duration = Duration::from_secs(253_402_300_800);

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
