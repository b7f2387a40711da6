//! What a hub's answer says about an event (O1).

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fanfare_wire::EventId;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::trial::{Fault, Outcome, Receipt};
use crate::answer::retry_after;

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// What the answer to a single event says.
    pub(super) fn outcome(&self) -> Outcome {
        if !self.status.is_success() {
            return self.refusal();
        }
        let id = std::str::from_utf8(&self.body).ok();
        match id.and_then(|id| EventId::parse(id.trim()).ok()) {
            Some(id) if !id.as_str().is_empty() => Outcome::Stored(Receipt {
                id,
                replayed: self.headers.contains_key("idempotent-replayed"),
            }),
            // Somebody who is no hub took it; what became of it is anybody's guess.
            _ => Outcome::again(
                true,
                Fault::Unreadable {
                    status: self.status,
                },
            ),
        }
    }

    /// What an answer without success says about all that was sent.
    pub(super) fn refusal(&self) -> Outcome {
        let problem: Problem = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = String::from_utf8_lossy(&self.body);
        let detail = problem.detail.unwrap_or_else(|| short(text.trim()));
        refusal(self.status, detail, self.retry_after())
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, now())
    }
}

/// What `status` says about an event.
pub(super) fn refusal(
    status: StatusCode,
    detail: String,
    retry_after: Option<Duration>,
) -> Outcome {
    let fault = Fault::Status { status, detail };
    match status.as_u16() {
        // Limits and outages, which pass; the request was not taken.
        408 | 425 | 429 | 503 => Outcome::Again {
            may_be_stored: false,
            retry_after,
            fault,
        },
        507 => Outcome::NotStored(fault),
        // A proxy says so too when it has lost the hub.
        500..=599 => Outcome::Again {
            may_be_stored: true,
            retry_after,
            fault,
        },
        _ => Outcome::Refused(fault),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: Option<String>,
}

/// The beginning of a text that may be a whole page.
fn short(text: &str) -> String {
    text.chars().take(DETAIL_CHARS_MAX).collect()
}

const DETAIL_CHARS_MAX: usize = 256;

#[expect(clippy::disallowed_methods, reason = "`Retry-After` may be a date")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests;
