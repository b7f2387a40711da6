//! `GET /admin/events`: what subscribers are not told of the newest events, their topics above all.

use axum::body::Body;
use axum::extract::{Request, State};
use fanfare_broker::{Audience, Form, Record, Topic};
use http::Response;
use serde::Serialize;

use super::{Shared, number, query, shortened};

pub(super) async fn get(State(server): Shared, request: Request) -> Response<Body> {
    let (parts, form) = query(request);
    let limit = server
        .onlooker(&parts)
        .and_then(|()| number(&form, "limit", LIMIT, LIMIT_MAX));
    let records = limit.map(|limit| server.hub.recent(limit));
    let events = records.as_ref().map(|records| Events {
        events: records.iter().map(Shown::of).collect(),
    });
    server.shown(&parts, events.map_err(Clone::clone))
}

#[derive(Debug, Serialize)]
struct Events<'a> {
    /// Oldest first; what the ring in memory has of them.
    events: Vec<Shown<'a>>,
}

/// One event, without its data: that is for whom it was published.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: String,
    /// Its place in the hub's order.
    offset: u64,
    /// The first few.
    topics: Vec<&'a str>,
    topics_count: usize,
    private: bool,
    /// When it is no longer worth delivering, in ms since 1970.
    expires_ms: Option<u64>,
    /// Bytes on the wire.
    bytes: usize,
}

impl<'a> Shown<'a> {
    fn of(record: &'a Record) -> Self {
        let publication = record.publication();
        let (topics, topics_count) = shortened(publication.topics().iter().map(Topic::as_str));
        Self {
            id: record.id().as_str().to_owned(),
            offset: record.offset(),
            topics,
            topics_count,
            private: publication.audience == Audience::Private,
            expires_ms: publication.expires.map(|expires| expires.unix_ms()),
            bytes: record.frame().bytes(Form::Plain).len(),
        }
    }
}

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 500;
