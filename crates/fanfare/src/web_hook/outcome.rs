//! What an attempt has come to.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::receiver::Answer;

/// Whether the receiver took a notice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Yes: 2xx.
    Told,
    /// No, and it would not the next time: 3xx and 4xx with few exceptions. A redirect is not
    /// followed, for the body and its signature are meant for one place (Standard Webhooks,
    /// "Delivery success and failure").
    Refused,
    /// No, or nobody knows; another attempt may do better.
    Failed(Failure),
}

/// An attempt to be repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Failure {
    pub(super) scope: Scope,
    pub(super) heard: Heard,
    /// How long the receiver asked to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// Who waits after a failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    /// Every topic: the receiver is away or has too much to do.
    Receiver,
    /// One topic: the receiver stumbles over this notice, others may be well.
    Notice,
}

/// Whether the receiver may have acted on a notice all the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Heard {
    /// It certainly did not.
    No,
    /// It may have: the answer got lost, or something behind it failed half-way.
    Maybe,
}

impl Outcome {
    /// Judges `answer`, which came at `now`.
    pub(super) fn of(answer: &Answer, now: SystemTime) -> Self {
        match answer {
            Ok(response) => Self::of_status(response.status(), response.headers(), now),
            Err(error) => Self::Failed(Failure {
                scope: Scope::Receiver,
                heard: match error.is_connect() {
                    true => Heard::No,
                    false => Heard::Maybe,
                },
                retry_after: None,
            }),
        }
    }

    fn of_status(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Self {
        let (scope, heard) = match status.as_u16() {
            200..300 => return Self::Told,
            408 | 425 => (Scope::Notice, Heard::Maybe),
            429 => (Scope::Receiver, Heard::No),
            300..500 => return Self::Refused,
            502..=504 => (Scope::Receiver, Heard::Maybe),
            _ => (Scope::Notice, Heard::Maybe),
        };
        Self::Failed(Failure {
            scope,
            heard,
            retry_after: retry_after(headers, now),
        })
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3); nothing if it is neither.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests;
