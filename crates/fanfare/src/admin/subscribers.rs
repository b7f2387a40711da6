//! `GET /admin/subscribers`: who is connected, a page at a time.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use fanfare_broker::Selector;
use fanfare_hub::{Lagging, Survey, Surveyed};
use http::Response;
use serde::Serialize;

use super::{Shared, number, query, shortened};
use crate::error::Refusal;
use crate::form::Form;
use crate::presence::Known;
use crate::server::Server;

pub(super) async fn get(State(server): Shared, request: Request) -> Response<Body> {
    let (parts, form) = query(request);
    let survey = match server.onlooker(&parts) {
        Ok(()) => asked(&server, &form).await,
        Err(refusal) => Err(refusal),
    };
    let page = survey.as_ref().map(|survey| Page::of(&server, survey));
    server.shown(&parts, page.map_err(Clone::clone))
}

async fn asked(server: &Server, form: &Form) -> Result<Survey, Refusal> {
    let limit = number(form, "limit", LIMIT, LIMIT_MAX)?;
    let from = match form.first("after")? {
        None => 0,
        Some(text) => text.parse().map_err(|_| Refusal::NoPage)?,
    };
    Ok(server.hub.survey(from, limit).await)
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    subscribers: Vec<Shown<'a>>,
    /// The next page's `after`; `None`: there is none.
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    /// Names it, as long as this process lives.
    id: String,
    /// The first few.
    topics: Vec<&'a str>,
    topics_count: usize,
    /// Whether it may see private events.
    private: bool,
    age_ms: u64,
    ends_in_ms: Option<u64>,
    address: Option<SocketAddr>,
    /// `socket`: HTTP/1.1 that a shard owns; `stream`: HTTP/2, TLS, or a kept-alive connection.
    lane: &'static str,
    lag: Option<Lag>,
    /// What presence knows of it.
    #[serde(flatten)]
    known: Option<Who>,
}

#[derive(Debug, Serialize)]
struct Lag {
    events: u64,
    held_bytes: usize,
    stuck_ms: u64,
    waits_for: &'static str,
}

#[derive(Debug, Serialize)]
struct Who {
    subscriber: String,
    subject: Option<String>,
    /// `0.x`, as on `/events`, or `1.0`.
    dialect: &'static str,
}

impl<'a> Page<'a> {
    fn of(server: &Server, survey: &'a Survey) -> Self {
        let shown = |it: &'a Surveyed| {
            let known = it.guest.and_then(|id| server.presence.known(id));
            Shown::of(it, known)
        };
        Self {
            subscribers: survey.subscribers.iter().map(shown).collect(),
            next: survey.next.map(|next| next.to_string()),
        }
    }
}

impl<'a> Shown<'a> {
    fn of(it: &'a Surveyed, known: Option<Known>) -> Self {
        let (topics, topics_count) = shortened(it.selectors.iter().map(Selector::as_str));
        Self {
            id: format!("{}-{}", it.shard, it.number),
            topics,
            topics_count,
            private: it.sees_private,
            age_ms: millis(it.age),
            ends_in_ms: it.ends_in.map(millis),
            address: it.address,
            lane: if it.owns_socket { "socket" } else { "stream" },
            lag: it.lag.map(Lag::of),
            known: known.map(|known| Who {
                subscriber: known.subscriber.to_string(),
                subject: known.subject,
                dialect: known.dialect,
            }),
        }
    }
}

impl Lag {
    fn of(lag: Lagging) -> Self {
        Self {
            events: lag.behind,
            held_bytes: lag.held_bytes,
            stuck_ms: millis(lag.stuck),
            waits_for: lag.waits_for,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 500;
