//! When a token holds: the claims `exp` and `nbf` (RFC 7519 §2, §4.1).

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Number, Value};

use super::TokenError;

/// Checks both times as of `now`, without leeway (D0-A5), and returns the end.
///
/// `None`: it never ends, or later than any clock here can tell.
pub(super) fn check(
    exp: Option<&Number>,
    nbf: Option<&Number>,
    now: SystemTime,
) -> Result<Option<SystemTime>, TokenError> {
    let expires_at = match exp.map(NumericDate::new) {
        None => None,
        Some(NumericDate::BeforeTime) => return Err(TokenError::Expired),
        Some(NumericDate::At(end)) if end <= now => return Err(TokenError::Expired),
        Some(NumericDate::At(end)) => Some(end),
        Some(NumericDate::AfterTime) => None,
    };
    match nbf.map(NumericDate::new) {
        None | Some(NumericDate::BeforeTime) => {}
        Some(NumericDate::At(start)) if start <= now => {}
        Some(NumericDate::At(_) | NumericDate::AfterTime) => return Err(TokenError::NotYetValid),
    }
    Ok(expires_at)
}

/// Takes a number only: `null` or a string would switch the check off (S4).
pub(super) fn number<'de, D: serde::Deserializer<'de>>(
    value: D,
) -> Result<Option<Number>, D::Error> {
    Number::deserialize(value).map(Some)
}

/// The claim `iat`, in whole seconds since 1970; `None` if it is no such number, for nothing but
/// revocations asks for it (D0-A5).
pub(super) fn seconds(iat: &Value) -> Option<u64> {
    iat.as_u64()
}

/// A claimed time (RFC 7519 §2, seconds since 1970) on the clock of this machine.
enum NumericDate {
    BeforeTime,
    At(SystemTime),
    AfterTime,
}

impl NumericDate {
    fn new(number: &Number) -> Self {
        // `serde_json` reads no infinity and no NaN, so a number that is none cannot come this far.
        let since_epoch = match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => Some(Duration::from_secs(seconds)),
            (None, Some(seconds)) if seconds < 0.0 => return Self::BeforeTime,
            (None, Some(seconds)) => Duration::try_from_secs_f64(seconds).ok(),
            (None, None) => None,
        };
        since_epoch
            .and_then(|since_epoch| SystemTime::UNIX_EPOCH.checked_add(since_epoch))
            .map_or(Self::AfterTime, Self::At)
    }
}
