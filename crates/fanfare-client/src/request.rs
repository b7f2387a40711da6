//! The request of one attempt (RC-04, RC-09).

use fanfare_wire::EventId;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::answer::EVENT_STREAM;
use crate::config::Config;
use crate::error::InvalidConfig;
use crate::redirect::Route;

/// The header that carries the cursor.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The request for `route`, as a reader that last saw `cursor`.
pub(crate) fn request(
    config: &Config,
    route: &Route,
    authorization: &HeaderMap,
    cursor: &EventId,
) -> reqwest::Request {
    let mut url = route.url.clone();
    if config.signals {
        add_to_query(&mut url, &[("gap", "1"), ("heartbeat", "1"), ("live", "1")]);
    }
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    replace(&mut headers, &config.headers);
    if route.secrets {
        replace(&mut headers, authorization);
    } else {
        for name in &config.secret_headers {
            headers.remove(name);
        }
    }
    headers.remove(LAST_EVENT_ID);
    match header_of(cursor) {
        Some(value) => {
            headers.insert(LAST_EVENT_ID, value);
        }
        None if config.signals && !cursor.as_str().is_empty() => {
            add_to_query(&mut url, &[("lastEventId", cursor.as_str())]);
        }
        None => {}
    }
    let mut request = reqwest::Request::new(route.method.clone(), url);
    *request.headers_mut() = headers;
    if let Some(body) = config.body.clone().filter(|_| route.body) {
        *request.body_mut() = Some(body.into());
    }
    request
}

/// Puts `headers` into `into`, in place of those of the same names.
fn replace(into: &mut HeaderMap, headers: &HeaderMap) {
    for name in headers.keys() {
        into.remove(name);
    }
    for (name, value) in headers {
        into.append(name, value.clone());
    }
}

/// Appends the pairs whose names are not there yet.
fn add_to_query(url: &mut Url, pairs: &[(&str, &str)]) {
    for (name, value) in pairs {
        if url.query_pairs().all(|(there, _)| there != *name) {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
}

/// `cursor` as a header's value: `None` if it is empty, or has a control character.
pub(crate) fn header_of(cursor: &EventId) -> Option<HeaderValue> {
    let bytes = cursor.as_str().as_bytes();
    // Not `from_str`, which refuses all that is not ASCII.
    HeaderValue::from_bytes(bytes)
        .ok()
        .filter(|it| !it.is_empty())
}

/// The first request of a source, and the settings without the credentials of the URL.
///
/// # Errors
///
/// [`InvalidConfig`] when the URL or the method cannot be used.
pub(crate) fn first_route(
    client: &reqwest::Client,
    config: &mut Config,
) -> Result<Route, InvalidConfig> {
    if config.method == http::Method::CONNECT {
        return Err(InvalidConfig::Method);
    }
    if let Some(basic) = take_credentials(client, &mut config.url)? {
        config.headers.entry(AUTHORIZATION).or_insert(basic);
    }
    Ok(Route {
        url: config.url.clone(),
        method: config.method.clone(),
        body: true,
        secrets: true,
    })
}

/// Takes user and password out of `url`, as the basic credentials that they mean.
///
/// # Errors
///
/// [`InvalidConfig::Url`] when it is no URL of an HTTP server.
pub(crate) fn take_credentials(
    client: &reqwest::Client,
    url: &mut Url,
) -> Result<Option<HeaderValue>, InvalidConfig> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(InvalidConfig::Url);
    }
    let plain = client.get(url.clone()).build();
    let plain = plain.map_err(|_| InvalidConfig::Url)?;
    *url = plain.url().clone();
    url.set_fragment(None);
    Ok(plain.headers().get(AUTHORIZATION).cloned())
}

#[cfg(test)]
mod tests;
