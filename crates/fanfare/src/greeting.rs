//! How a stream's answer begins: its head, its first bytes, and what a browser gets instead.

use bytes::Bytes;
use fanfare_wire::{Comment, EventId, HEARTBEAT, Retry};
use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, PRAGMA};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use crate::error::{Refusal, with_body};
use crate::last_event_id::LAST_EVENT_ID;
use crate::subscribe::StreamRoute;

/// The head of a stream on `route`; `resumed` is what it says of the place it goes on from.
pub(crate) fn stream_head(
    route: StreamRoute,
    parts: &Parts,
    resumed: Option<&EventId>,
) -> Response<()> {
    let mut head = Response::new(());
    let headers = head.headers_mut();
    let connection = match parts.version {
        Version::HTTP_2 | Version::HTTP_3 => None,
        Version::HTTP_11 if !asks_to_close(&parts.headers) => Some("keep-alive"),
        _ => Some("close"),
    };
    if let Some(connection) = connection {
        headers.insert(CONNECTION, HeaderValue::from_static(connection));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    match route {
        StreamRoute::Mercure => {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(MERCURE_NO_CACHE));
            headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
            headers.insert(EXPIRE, HeaderValue::from_static("0"));
        }
        StreamRoute::Events => {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(NO_CACHE));
        }
    }
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    if let Some(id) = resumed {
        // An id that no header can hold is answered like one that is not known.
        let id = HeaderValue::from_bytes(id.as_str().as_bytes());
        let id = id.unwrap_or(HeaderValue::from_static("earliest"));
        if route == StreamRoute::Mercure {
            // Each dialect reads its own (DX-13).
            headers.insert(MERCURE_LAST_EVENT_ID, id.clone());
        }
        headers.insert(LAST_EVENT_ID, id);
    }
    head
}

fn asks_to_close(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(CONNECTION).iter();
    let mut options = fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// A comment, so that `onopen` fires, and the reconnection time `retry`, in ms (SRV-05).
pub(crate) fn first_bytes(route: StreamRoute, retry: Option<u64>) -> Bytes {
    let mut first = Vec::with_capacity(64);
    match route {
        StreamRoute::Mercure => first.extend_from_slice(HEARTBEAT),
        StreamRoute::Events => Comment::parse("connection established")
            .expect("it is one line")
            .encode(&mut first),
    }
    if let Some(retry) = retry {
        Retry::from_millis(retry).encode(&mut first);
    }
    first.into()
}

/// A reconnection time of one connection's own, in ms: browsers add no jitter of their own, so the
/// herd is spread here.
pub(crate) fn own_retry() -> u64 {
    rand::random_range(2000..=6000)
}

/// The answer after which a browser tries again (SRV-08): any other status, and EventSource gives
/// up for good.
///
/// `elsewhere`: another node takes it at once, if only the proxy asks that one.
pub(crate) fn come_back(refusal: &Refusal, elsewhere: bool) -> Response<Bytes> {
    let mut body = Vec::new();
    let after = if elsewhere {
        250..=1000
    } else {
        10_000..=60_000
    };
    Retry::from_millis(rand::random_range(after)).encode(&mut body);
    if let Ok(comment) = Comment::parse(&refusal.to_string()) {
        comment.encode(&mut body);
    }
    let mut response = with_body(StatusCode::OK, EVENT_STREAM, body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(NO_CACHE));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Whether the client is treated as an EventSource (SRV-01).
pub(crate) fn is_event_source(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter();
    accepted.any(|value| {
        let text = value.to_str().unwrap_or_default();
        text.to_ascii_lowercase().contains(EVENT_STREAM)
    })
}

const EVENT_STREAM: &str = "text/event-stream";
const NO_CACHE: &str = "no-cache, no-store, no-transform";
/// D0-S8's directives, and the one that keeps middleboxes from compressing (N1).
const MERCURE_NO_CACHE: &str =
    "private, no-cache, no-store, must-revalidate, max-age=0, no-transform";
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// So spelt by the reference.
const EXPIRE: HeaderName = HeaderName::from_static("expire");
const MERCURE_LAST_EVENT_ID: HeaderName = HeaderName::from_static("mercure-last-event-id");

#[cfg(test)]
mod tests;
