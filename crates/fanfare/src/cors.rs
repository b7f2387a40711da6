//! What other origins' pages may do and read (D0-C rules, SRV-17, SRV-18).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::origins::Origins;

/// Lets the page that asked, from `origin`, read the answer, if it is in `origins`.
///
/// Belongs on every answer, errors too: without it a page sees a network error instead of the
/// status (SRV-18). An origin that is not allowed gets nothing; the request is served all the same
/// (D0-C4).
pub(crate) fn allow_origin(
    origins: &Origins,
    origin: Option<&HeaderValue>,
    answer: &mut HeaderMap,
) {
    if origins.is_empty() {
        return;
    }
    answer.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin.filter(|origin| is_allowed(origins, origin)) else {
        return;
    };
    if origins.any() {
        // Never together with credentials: any page could read what a cookie opens (S9, D1-C1).
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let credentials = HeaderValue::from_static("true");
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials);
    }
    let exposed = HeaderValue::from_static(EXPOSED);
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

/// Answers a preflight: always 204, with permissions only when all that it asks for is allowed
/// (D0-C3). `None`: the request is no preflight, or nobody is allowed anything.
pub(crate) fn preflight(
    origins: &Origins,
    method: &Method,
    request: &HeaderMap,
) -> Option<Response<()>> {
    let wanted = request.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    if origins.is_empty() || method != Method::OPTIONS {
        return None;
    }
    let mut answer = Response::new(());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.append(
        VARY,
        HeaderValue::from_static("Access-Control-Request-Method"),
    );
    headers.append(
        VARY,
        HeaderValue::from_static("Access-Control-Request-Headers"),
    );

    let known_method = METHODS.iter().any(|known| wanted == known);
    let fields = request.get(ACCESS_CONTROL_REQUEST_HEADERS);
    let origin = request.get(ORIGIN);
    let known_origin = origin.is_some_and(|origin| is_allowed(origins, origin));
    if known_origin && known_method && fields.is_none_or(all_known) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, wanted.clone());
        if let Some(fields) = fields {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, fields.clone());
        }
        // Chromium keeps an answer for two hours at most.
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    }
    Some(answer)
}

const EXPOSED: &str =
    "Last-Event-ID, Mercure-Last-Event-ID, Link, ETag, Retry-After, Idempotent-Replayed";
const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "QUERY"];
const FIELDS: [&str; 5] = [
    "authorization",
    "cache-control",
    "content-type",
    "idempotency-key",
    "last-event-id",
];

fn is_allowed(origins: &Origins, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| origins.matches(origin))
}

fn all_known(fields: &HeaderValue) -> bool {
    let Ok(fields) = fields.to_str() else {
        return false;
    };
    let mut fields = fields.split(',').map(str::trim);
    fields.all(|field| FIELDS.iter().any(|known| known.eq_ignore_ascii_case(field)))
}

#[cfg(test)]
mod tests;
