//! Subscribing: who is let in, to what, and how the answer begins. The same for both lanes.

use std::convert::Infallible;
use std::time::{Instant, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use fanfare_broker::{Selector, Selectors, Topic};
use fanfare_hub::{Admission, GapSignal, Subscription};
use fanfare_wire::{Comment, EventId, HEARTBEAT, Retry};
use futures_util::{StreamExt, stream};
use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, PRAGMA};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};

use crate::auth::Grant;
use crate::error::{InvalidUserId, Refusal, Style, with_body};
use crate::form::Form;
use crate::namespace::HUB_PATH;
use crate::protocol_string;
use crate::server::Server;

/// A route whose GET is a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StreamRoute {
    /// `/.well-known/mercure`
    Mercure,
    /// `/events`
    Events,
}

/// A subscriber that is let in: what remains is a way to the wire.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The answer's head, without what every answer carries.
    pub(crate) head: Response<()>,
    pub(crate) admission: Admission,
    /// The first bytes of the body.
    pub(crate) first: Bytes,
}

impl StreamRoute {
    /// The stream route at `path`, if `server` has one there.
    pub(crate) fn of(server: &Server, path: &str) -> Option<Self> {
        match path {
            _ if !server.subscribable() => None,
            HUB_PATH => Some(Self::Mercure),
            "/events" => Some(Self::Events),
            _ => None,
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Mercure => Style::Mercure,
            Self::Events => Style::Problem,
        }
    }
}

impl Server {
    /// Judges a subscriber, and takes its place in the hub; or says what to answer instead.
    ///
    /// Dropping the future, or what it returns, gives the place back.
    pub(crate) async fn admit(
        &self,
        route: StreamRoute,
        parts: &Parts,
    ) -> Result<Accepted, Response<Bytes>> {
        let accepted = self.judge(route, parts).await;
        accepted.map_err(|refusal| self.refused(route.style(), parts, &refusal))
    }

    /// Answers a stream request on the hyper lane.
    pub(crate) async fn stream(&self, route: StreamRoute, parts: &Parts) -> Response<Body> {
        let accepted = match self.admit(route, parts).await {
            Ok(accepted) => accepted,
            Err(refused) => return refused.map(Body::from),
        };
        // HEAD is answered as GET would be, without a subscription (SRV-16, D0-G10).
        if parts.method == Method::HEAD {
            // Of unknown length, as the stream's is: a length would be a promise.
            let body = Body::from_stream(stream::empty::<Result<Bytes, Infallible>>());
            return accepted.head.map(|()| body);
        }
        let held = self.metrics.hold_stream();
        let events = accepted.admission.into_stream(accepted.first);
        let counted = events.inspect(move |_| {
            // Lives as long as the stream does.
            let _ = &held;
        });
        accepted.head.map(|()| Body::from_stream(counted))
    }

    /// Counts a refusal and makes it an answer, for a browser one after which it comes back.
    pub(crate) fn refused(
        &self,
        style: Style,
        parts: &Parts,
        refusal: &Refusal,
    ) -> Response<Bytes> {
        self.metrics.refused(refusal.reason());
        if refusal.passes() && is_event_source(&parts.headers) {
            return come_back(refusal);
        }
        refusal.response(style)
    }

    /// The checks, in the order of D0-S3: token, topics, registration.
    async fn judge(&self, route: StreamRoute, parts: &Parts) -> Result<Accepted, Refusal> {
        let grant = self.subscriber(parts)?;
        let query = Form::from_query(parts.uri.query().unwrap_or_default());
        let mut subscription = match route {
            StreamRoute::Mercure => self.mercure_subscription(&query)?,
            StreamRoute::Events => self.events_subscription(&query, grant.as_ref())?,
        };
        if let Some(grant) = grant {
            let granted = grant.subscribe.unwrap_or_default();
            subscription.grant = union(&subscription.grant, &granted);
            subscription.ends_at = grant.expires_at.and_then(instant_of);
        }
        subscription.last_event_id = last_event_id(&parts.headers, &query)?;
        let admission = self.hub.subscribe(subscription).await?;
        Ok(Accepted {
            head: stream_head(route, parts, admission.resumed_after().as_ref()),
            admission,
            first: first_bytes(route, self.config.retry_hint),
        })
    }

    fn mercure_subscription(&self, query: &Form) -> Result<Subscription, Refusal> {
        let topics = query.all("topic")?;
        if topics.is_empty() {
            return Err(Refusal::NoSelector);
        }
        let mut subscription = Subscription::new(self.selectors(&topics)?);
        subscription.gap_signal = match query.first("gap")? {
            Some("1") => GapSignal::Event,
            _ => GapSignal::Cursor,
        };
        Ok(subscription)
    }

    /// No topic is the topic `broadcast`; a `userId` adds that user's private topic.
    fn events_subscription(
        &self,
        query: &Form,
        grant: Option<&Grant>,
    ) -> Result<Subscription, Refusal> {
        let mut topics = query.all("topic")?;
        if topics.is_empty() {
            topics.push("broadcast");
        }
        let Some(user_id) = query.first("userId")? else {
            return Ok(Subscription::new(self.selectors(&topics)?));
        };
        let user = user_topic(user_id)?;
        topics.push(user.as_str());
        let mut subscription = Subscription::new(self.selectors(&topics)?);
        if self.config.dev.is_some() {
            subscription.grant = Selectors::new(vec![Selector::parse(user.as_str())?]);
            return Ok(subscription);
        }
        let granted = grant.ok_or(Refusal::Unauthorized)?.subscribe.as_ref();
        if granted.is_some_and(|granted| granted.matches(&user)) {
            Ok(subscription)
        } else {
            let user_id = user_id.to_owned();
            Err(Refusal::UserNotGranted { user_id })
        }
    }

    fn selectors(&self, topics: &[&str]) -> Result<Selectors, Refusal> {
        let count_max = self.config.selectors_max;
        if topics.len() > count_max {
            return Err(Refusal::TooManySelectors { count_max });
        }
        let selectors = topics.iter().map(|topic| Selector::parse(topic));
        Ok(Selectors::new(selectors.collect::<Result<_, _>>()?))
    }
}

/// The private topic of a user.
pub(crate) fn user_topic(user_id: &str) -> Result<Topic, InvalidUserId> {
    if user_id.is_empty() || user_id.len() > USER_ID_BYTES_MAX {
        return Err(InvalidUserId::Length);
    }
    // As a selector it must mean this user and nobody else.
    if user_id.contains(['{', '}']) {
        return Err(InvalidUserId::Braces);
    }
    protocol_string::check(user_id)?;
    Topic::parse(&format!("user/{user_id}")).map_err(|_| InvalidUserId::Length)
}

/// The answer after which a browser tries again (SRV-08): any other status, and EventSource gives
/// up for good.
pub(crate) fn come_back(refusal: &Refusal) -> Response<Bytes> {
    let mut body = Vec::new();
    Retry::from_millis(rand::random_range(10_000..=60_000)).encode(&mut body);
    if let Ok(comment) = Comment::parse(&refusal.to_string()) {
        comment.encode(&mut body);
    }
    let mut response = with_body(StatusCode::OK, EVENT_STREAM, body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(NO_CACHE));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

const EVENT_STREAM: &str = "text/event-stream";
const NO_CACHE: &str = "no-cache, no-store, no-transform";
/// D0-S8's directives, and the one that keeps middleboxes from compressing (N1).
const MERCURE_NO_CACHE: &str =
    "private, no-cache, no-store, must-revalidate, max-age=0, no-transform";
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// So spelt by the reference.
const EXPIRE: HeaderName = HeaderName::from_static("expire");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const USER_ID_BYTES_MAX: usize = 256;

/// Whether the client is treated as an EventSource (SRV-01).
fn is_event_source(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter();
    accepted.any(|value| {
        let text = value.to_str().unwrap_or_default();
        text.to_ascii_lowercase().contains(EVENT_STREAM)
    })
}

/// The id that the stream goes on after (SRV-13, D0-H2).
///
/// The header wins: EventSource repeats its URL, with the old cursor, on every reconnect.
fn last_event_id(headers: &HeaderMap, query: &Form) -> Result<Option<EventId>, Refusal> {
    let mut fields = headers.get_all(LAST_EVENT_ID).iter();
    let header = fields.next().map(HeaderValue::as_bytes);
    if fields.next().is_some() {
        return Err(Refusal::TwoCursors);
    }
    let names = ["lastEventID", "Last-Event-ID", "lastEventId"].iter();
    let in_query = names.filter_map(|name| query.first_bytes(name));
    let mut presented = header.into_iter().chain(in_query);
    let id = presented.find(|id| !id.is_empty());
    // What cannot be an id is one that was never seen, so that its sender hears of the gap.
    Ok(id.map(|id| {
        let text = str::from_utf8(id).unwrap_or(NEVER_SEEN);
        EventId::parse(text).unwrap_or_else(|_| never_seen())
    }))
}

/// Unknown for certain: it begins as cursors do and is none, and publishers may not use it (C2).
const NEVER_SEEN: &str = "urn:ff:unreadable";

fn never_seen() -> EventId {
    EventId::parse(NEVER_SEEN).expect("it has no line end")
}

fn stream_head(route: StreamRoute, parts: &Parts, resumed: Option<&EventId>) -> Response<()> {
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
        headers.insert(LAST_EVENT_ID, id);
    }
    head
}

fn asks_to_close(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(CONNECTION).iter();
    let mut options = fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// A comment, so that `onopen` fires, and a reconnection time of this connection's own (SRV-05).
fn first_bytes(route: StreamRoute, retry_hint: bool) -> Bytes {
    let mut first = Vec::with_capacity(64);
    match route {
        StreamRoute::Mercure => first.extend_from_slice(HEARTBEAT),
        StreamRoute::Events => Comment::parse("connection established")
            .expect("it is one line")
            .encode(&mut first),
    }
    if retry_hint {
        // Browsers add no jitter of their own, so the herd is spread here.
        Retry::from_millis(rand::random_range(2000..=6000)).encode(&mut first);
    }
    first.into()
}

fn union(one: &Selectors, other: &Selectors) -> Selectors {
    if one.is_empty() {
        return other.clone();
    }
    Selectors::new(one.iter().chain(other.iter()).cloned().collect())
}

/// A token's end on the clock that subscribers are timed by.
#[expect(
    clippy::disallowed_methods,
    reason = "the clocks are read once per request"
)]
fn instant_of(end: SystemTime) -> Option<Instant> {
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now().checked_add(left)
}

#[cfg(test)]
mod tests;
