//! What a source asks for, and how long it keeps asking.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_wire::EventId;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

pub use crate::authorize::{Authorize, AuthorizeError};
use crate::mask::{Masked, masked_headers};
use crate::retry::Pace;

/// The settings of one [`EventSource`](crate::EventSource): make it with [`Config::get`], then assign.
///
/// Its `Debug` masks secrets (RC-32).
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the stream is; `http` or `https`. A user and password in it become basic credentials.
    pub url: Url,
    /// The request's method. Default `GET`.
    pub method: Method,
    /// Headers of every request; they replace ours of the same name, except `Last-Event-ID`.
    pub headers: HeaderMap,
    /// The request's body, sent again with each attempt. Default none.
    pub body: Option<Bytes>,
    /// Asked for headers before *every* attempt, for tokens that expire. Default none.
    pub authorize: Option<Authorize>,
    /// Where to go on: the id that was last handled. Default empty, from now on.
    pub last_event_id: EventId,
    /// What answers that are no stream mean. Default [`Policy::Resilient`].
    pub policy: Policy,
    /// The wait before a reconnect, until the server says otherwise. Default 1 s.
    pub retry: Duration,
    /// Ceiling of what failures in a row add to the wait. Default 60 s.
    pub retry_max: Duration,
    /// A server's `retry` or `Retry-After` counts at most this much. Default 1 h.
    pub retry_server_max: Duration,
    /// A connection that was open for so long was good, even without an event. Default 10 s.
    pub stable_after: Duration,
    /// Failures in a row before the source ends with [`End::GaveUp`](crate::item::End::GaveUp).
    /// Default none: it tries for ever.
    pub attempts_max: Option<u32>,
    /// For the connection and the complete head of an answer; each redirect has its own. Default 30 s.
    pub head_timeout: Duration,
    /// Silence on an open stream, after which it counts as lost; any byte ends it. Default 60 s.
    /// `None` waits for ever.
    ///
    /// Only time spent waiting for the peer counts. A hub's heartbeat interval lowers it to 2.5 ×
    /// that, for the connection it came on (RC-15).
    pub read_timeout: Option<Duration>,
    /// Bytes of one event: its data, and the line being read. Default 16 MiB.
    ///
    /// At the limit `oversize` decides.
    pub event_bytes_max: usize,
    /// What happens to an event past `event_bytes_max`. Default [`Oversize::Fail`].
    pub oversize: Oversize,
    /// Redirects in a row that are followed. Default 20; past it the source fails.
    pub redirects_max: u32,
    /// Whether a redirect may lead from https to http. Default false.
    pub insecure_redirect: bool,
    /// Whether a redirect may take the body to another origin. Default false.
    pub body_across_origins: bool,
    /// Headers that no redirect takes to another origin. Default `authorization`, `cookie`,
    /// `proxy-authorization`. Those from `authorize` count among them, whatever their names.
    pub secret_headers: Vec<HeaderName>,
    /// Whether comments are handed out. Default false.
    pub comments: bool,
    /// Asks a Fanfare hub for gap, heartbeat and live signals (`gap=1&heartbeat=1&live=1` in the
    /// query). Default false.
    pub signals: bool,
}

impl Config {
    /// A plain `GET` of `url`, as a page's `EventSource` would make it.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self {
            url,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: None,
            authorize: None,
            last_event_id: EventId::default(),
            policy: Policy::Resilient,
            retry: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
            retry_server_max: Duration::from_secs(3600),
            stable_after: Duration::from_secs(10),
            attempts_max: None,
            head_timeout: Duration::from_secs(30),
            read_timeout: Some(Duration::from_secs(60)),
            event_bytes_max: 16 << 20,
            oversize: Oversize::Fail,
            redirects_max: 20,
            insecure_redirect: false,
            body_across_origins: false,
            secret_headers: vec![AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION],
            comments: false,
            signals: false,
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace {
            retry: self.retry,
            retry_max: self.retry_max,
            retry_server_max: self.retry_server_max,
            stable_after: self.stable_after,
        }
    }
}

/// What answers that are no stream mean (RC-16).
///
/// A 200 with an event stream is always opened, and a redirect always followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Policy {
    /// 5xx, 408, 425 and 429 pass; 204 is a clean end; 401 and 403 are asked once more if
    /// [`Config::authorize`] then says otherwise; all else is final.
    Resilient,
    /// As the HTML Standard has it for browsers: all of them are final.
    Spec,
    /// A function decides.
    Judge(Judge),
}

/// A function that decides what an answer means.
#[derive(Clone)]
pub struct Judge(Arc<JudgeFn>);

type JudgeFn = dyn Fn(StatusCode, &HeaderMap) -> Verdict + Send + Sync;

impl Judge {
    /// Lets `judge` decide.
    pub fn new(judge: impl Fn(StatusCode, &HeaderMap) -> Verdict + Send + Sync + 'static) -> Self {
        Self(Arc::new(judge))
    }

    pub(crate) fn verdict(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        (self.0)(status, headers)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

/// What a [`Judge`] decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is nothing else to do about an answer"
)]
pub enum Verdict {
    /// Try again later; `Retry-After` counts.
    Retry,
    /// The source fails.
    Fail,
    /// The source ends as if there were nothing more to come.
    End,
}

/// What happens to an event past [`Config::event_bytes_max`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Oversize {
    /// The source ends with its id.
    Fail,
    /// It is left out: an [`Item::Skipped`](crate::Item::Skipped) tells, and the source goes on
    /// after it.
    Skip,
}

/// A token as the value of `Authorization`, that no log will show.
///
/// # Errors
///
/// [`http::header::InvalidHeaderValue`] when a character cannot stand in a header.
pub fn bearer(token: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = masked_headers(&self.headers, &self.secret_headers);
        f.debug_struct("Config")
            .field("url", &Masked(&self.url))
            .field("method", &self.method)
            .field("headers", &headers)
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .field("last_event_id", &self.last_event_id.as_str())
            .field("policy", &self.policy)
            .field("read_timeout", &self.read_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
