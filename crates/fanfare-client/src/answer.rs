//! What an answer means (RC-16, RC-17, RC-23).

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use crate::config::{Policy, Verdict};

/// What is to be done about an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Meaning {
    /// It is a stream.
    Open,
    /// It points elsewhere, perhaps.
    Follow,
    /// Other credentials may help.
    Authorize,
    /// The server may think better of it later.
    Retry,
    /// The server has nothing more for us, ever.
    End,
    /// It is final.
    Fail(Fault),
}

/// What is wrong with an answer that is final.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Status,
    ContentType,
    Encoding,
}

pub(crate) fn meaning(status: StatusCode, headers: &HeaderMap, policy: &Policy) -> Meaning {
    let fault = match status {
        StatusCode::OK if !is_event_stream(headers) => Fault::ContentType,
        StatusCode::OK if !is_identity(headers) => Fault::Encoding,
        StatusCode::OK => return Meaning::Open,
        // RFC 9110 §15.4: these five name another place to ask.
        _ if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) => return Meaning::Follow,
        _ => Fault::Status,
    };
    match policy {
        Policy::Spec => Meaning::Fail(fault),
        Policy::Judge(judge) => match judge.verdict(status, headers) {
            Verdict::Retry => Meaning::Retry,
            Verdict::Fail => Meaning::Fail(fault),
            Verdict::End => Meaning::End,
        },
        Policy::Resilient => match status.as_u16() {
            204 => Meaning::End,
            401 | 403 => Meaning::Authorize,
            408 | 425 | 429 | 500..=599 => Meaning::Retry,
            _ => Meaning::Fail(fault),
        },
    }
}

/// Whether the body is an event stream: the text before the first `;` decides (RC-17).
fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(|it| it.as_bytes());
    let essence = content_type.and_then(|it| it.split(|&byte| byte == b';').next());
    essence.is_some_and(|it| {
        it.trim_ascii()
            .eq_ignore_ascii_case(EVENT_STREAM.as_bytes())
    })
}

/// The media type of a stream.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

fn is_identity(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.all(|it| it.is_empty() || it.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The wait that an answer asks for: seconds, or a date that is still to come.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are as long as a wait can be.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(now).ok()
}

#[cfg(test)]
mod tests;
