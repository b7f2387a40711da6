//! Who is connected (§2.9, §3.9): events, and the API.

mod api;
mod events;

use serde_json::Value;

use crate::case::Case;
use crate::http::{Answer, Request};
use crate::hub::{Hub, SUBSCRIPTIONS, encoded};
use crate::objection::{Objection, failed};
use crate::stream::{Received, Stream};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = events::cases();
    cases.extend(api::cases());
    cases
}

/// Subscribes to all presence events of the dialect, with a token that may see everything.
pub(super) async fn watch(hub: &Hub) -> Result<Stream, Objection> {
    hub.open(&watching(hub).bearer(&hub.reader())).await
}

/// A subscription to all presence events of the dialect.
pub(super) fn watching(hub: &Hub) -> Request {
    let all = format!("{SUBSCRIPTIONS}/{{topic}}/{{subscriber}}");
    match hub.is_d1() {
        true => hub.query(&[("match_urlpattern", &format!("{SUBSCRIPTIONS}/*"))]),
        false => hub.query(&[("topic", &all)]),
    }
}

/// The path of all subscriptions to exactly `topic`.
pub(super) fn path(hub: &Hub, topic: &str) -> String {
    match hub.is_d1() {
        true => format!("{SUBSCRIPTIONS}/exact/{}", encoded(topic)),
        false => format!("{SUBSCRIPTIONS}/{}", encoded(topic)),
    }
}

/// The member of a document that names the selector.
pub(super) fn selector_member(hub: &Hub) -> &'static str {
    if hub.is_d1() { "match" } else { "topic" }
}

/// The next presence event about a subscription to exactly `topic`, and its document.
pub(super) async fn event_about(
    hub: &Hub,
    stream: &mut Stream,
    topic: &str,
) -> Result<(Received, Value), Objection> {
    let member = selector_member(hub);
    loop {
        let wanted = format!("a presence event about {topic}");
        let event = stream.event().await.map_err(|it| it.about(&wanted))?;
        let document = json(&event.data)?;
        if document.get(member).and_then(Value::as_str) == Some(topic) {
            return Ok((event, document));
        }
    }
}

/// A GET of `path` with a token that may see everything.
pub(super) async fn read(hub: &Hub, path: &str) -> Result<Answer, Objection> {
    let request = Request::new("GET", path).bearer(&hub.reader());
    let answer = hub.ask(&request).await?;
    answer.must_be(200)?;
    Ok(answer)
}

/// The subscriptions that a collection lists.
pub(super) fn listed(answer: &Answer) -> Result<Vec<Value>, Objection> {
    let document = json(&answer.body)?;
    let subscriptions = document.get("subscriptions").and_then(Value::as_array);
    subscriptions
        .cloned()
        .ok_or_else(|| failed("an array subscriptions", document))
}

pub(super) fn json(text: &str) -> Result<Value, Objection> {
    serde_json::from_str(text).map_err(|error| failed("JSON", format!("{error}: {text:?}")))
}

/// A member that is a string; empty if it is none.
pub(super) fn text<'a>(document: &'a Value, member: &str) -> &'a str {
    document
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
