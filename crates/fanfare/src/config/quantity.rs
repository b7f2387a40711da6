//! Lengths of time and numbers of bytes, as people write them: `15s`, `64MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time: whole numbers, each with `ms`, `s`, `m`, `h` or `d` (`1h30m`); or `0`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TimeSpan(pub(crate) Duration);

impl FromStr for TimeSpan {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let invalid = InvalidQuantity::TimeSpan;
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut rest = text;
        let mut sum = 0_u64;
        loop {
            let (number, tail) = split(rest).ok_or(invalid)?;
            let end = tail.find(|c: char| c.is_ascii_digit());
            let (unit, next) = tail
                .split_at_checked(end.unwrap_or(tail.len()))
                .ok_or(invalid)?;
            let millis = TIME_UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .and_then(|(_, millis)| number.checked_mul(*millis));
            sum = millis
                .and_then(|millis| sum.checked_add(millis))
                .ok_or(invalid)?;
            if next.is_empty() {
                return Ok(Self(Duration::from_millis(sum)));
            }
            rest = next;
        }
    }
}

impl fmt::Display for TimeSpan {
    /// Writes it in the largest unit that leaves no rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0");
        }
        let fits = |(_, unit): &&(_, u64)| millis.is_multiple_of(u128::from(*unit));
        let (name, unit) = TIME_UNITS.iter().find(fits).unwrap_or(&("ms", 1));
        write!(f, "{}{name}", millis / u128::from(*unit))
    }
}

/// In milliseconds, the largest first.
const TIME_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// A number of bytes: a whole number, by itself or with `KiB`, `MiB` or `GiB`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ByteCount(pub(crate) usize);

impl ByteCount {
    /// As many as this machine can count.
    pub(crate) fn from_u64(bytes: u64) -> Self {
        Self(usize::try_from(bytes).unwrap_or(usize::MAX))
    }
}

impl FromStr for ByteCount {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let invalid = InvalidQuantity::ByteCount;
        let (number, unit) = split(text).ok_or(invalid)?;
        let bytes = BYTE_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .and_then(|(_, bytes)| usize::try_from(number).ok()?.checked_mul(*bytes))
            .ok_or(invalid)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for ByteCount {
    /// Writes it in the largest unit that leaves no rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, unit): &&(_, usize)| self.0 > 0 && self.0.is_multiple_of(*unit);
        let (name, unit) = BYTE_UNITS.iter().find(fits).unwrap_or(&("", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

/// In bytes, the largest first.
const BYTE_UNITS: [(&str, usize); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("", 1),
];

/// Splits a whole number from the unit after it.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit))
}

/// A text that is no such quantity, or one that is too large.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum InvalidQuantity {
    #[error(
        "a length of time is a whole number and its unit, ms, s, m, h or d, such as 15s, or several \
         of them, such as 1h30m; or 0"
    )]
    TimeSpan,
    #[error("a number of bytes is a whole number, alone or with KiB, MiB or GiB, such as 64MiB")]
    ByteCount,
}

#[cfg(test)]
mod tests;
