//! The events that tell of a subscription's beginning and end.

use serde_json::{Value, json};

use super::{event_about, selector_member, text, watch, watching};
use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::{DETAIL, Hub, SUBSCRIPTIONS, encoded};
use crate::objection::{Checked, Objection, holds, same};
use crate::setup::Setup;
use crate::stream::Stream;
use crate::token::Token;

#[expect(clippy::too_many_lines, reason = "a list, without control flow")]
pub(super) fn cases() -> Vec<Case> {
    use Level::{Impl, Must, Own};
    let mut cases: Vec<_> = [
        Case::pair(
            Must,
            [&["D0-R1", "D0-R2", "D0-R7"], &["D1-R1", "D1-R3", "D1-R4"]],
            "one event when a subscription begins and one when it ends, with its document",
            begin_and_end,
        ),
        Case::pair(
            Must,
            [&["D0-R1"], &["D1-R2"]],
            "presence is private: without a grant nothing is told",
            private,
        ),
        Case::pair(
            Must,
            [&["D0-R2"], &["D1-R4"]],
            "one connection is one subscriber, and the next one is another",
            identities,
        ),
        Case::pair(
            Impl,
            [&["D0-R4"], &["D1-R10"]],
            "presence events are part of the history",
            stored,
        ),
        Case::pair(
            Must,
            [&["D0-R5"], &["D1-R6"]],
            "a refused subscription is not told of",
            refused,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    cases.extend([
        Case::new(
            Impl,
            &["D0-R6"],
            "an event of the default type, with several data fields",
            older_bytes,
        ),
        Case::new(
            Must,
            &["D0-R7"],
            "the payload of the token, any JSON value, left out when null or absent",
            older_payload,
        ),
        Case::new(
            Own,
            &["D0-G4", "D0-R3"],
            "a space in a presence topic is %20",
            space,
        ),
        Case::new(
            Impl,
            &["D0-R5"],
            "a subscriber does not see its own arrival",
            older_arrival,
        ),
        Case::new(
            Must,
            &["D1-R1"],
            "a space is %20 and a percent sign is %25",
            space,
        ),
        Case::new(
            Must,
            &["D1-R5", "D1-A11"],
            "the payload of the first subscribe detail that matches the matcher's own text",
            newer_payload,
        ),
        Case::new(
            Impl,
            &["D1-R6"],
            "a subscriber sees its own arrival",
            newer_arrival,
        ),
    ]);
    cases
        .into_iter()
        .map(|case| case.on(Setup::Presence))
        .collect()
}

async fn begin_and_end(hub: Hub) -> Checked {
    let topic = hub.topic("{begin}");
    let mut watcher = watch(&hub).await?;
    let stream = hub.subscribe(&[&topic]).await?;
    let (event, begun) = event_about(&hub, &mut watcher, &topic).await?;
    let event_type = if hub.is_d1() { "mercure" } else { "message" };
    same("type", event_type, event.event_type.as_str())?;
    document(&hub, &begun, &topic, true)?;
    drop(stream);
    let (_, ended) = event_about(&hub, &mut watcher, &topic).await?;
    document(&hub, &ended, &topic, false)?;
    same(
        "subscriber",
        text(&begun, "subscriber"),
        text(&ended, "subscriber"),
    )
}

/// Holds an event's document to its shape.
fn document(hub: &Hub, document: &Value, topic: &str, is_active: bool) -> Checked {
    same("active", &Some(&json!(is_active)), &document.get("active"))?;
    let subscriber = text(document, "subscriber");
    holds(
        url::Url::parse(subscriber).is_ok(),
        "a subscriber that is an IRI",
        document,
    )?;
    let (middle, kind) = match hub.is_d1() {
        true => ("exact/", "subscription"),
        false => ("", "Subscription"),
    };
    let id = format!(
        "{SUBSCRIPTIONS}/{middle}{}/{}",
        encoded(topic),
        encoded(subscriber)
    );
    same("id", id.as_str(), text(document, "id"))?;
    same("type", kind, text(document, "type"))?;
    same("selector", topic, text(document, selector_member(hub)))?;
    match hub.is_d1() {
        true => same("match_type", "exact", text(document, "match_type")),
        false => same(
            "@context",
            "https://mercure.rocks/",
            text(document, "@context"),
        ),
    }
}

async fn private(hub: Hub) -> Checked {
    let (topic, mine) = (hub.topic("private"), hub.topic("mine"));
    let token = hub.token(&[], &[&mine]).sign();
    let request = watching_and(&hub, &mine).bearer(&token);
    let mut stranger = hub.open(&request).await?;
    let mut watcher = watch(&hub).await?;
    let stream = hub.subscribe(&[&topic]).await?;
    event_about(&hub, &mut watcher, &topic).await?;
    drop(stream);
    event_about(&hub, &mut watcher, &topic).await?;
    hub.mark(&mine, &hub.id("marker")).await?;
    let seen = stranger.ids_until(&hub.id("marker")).await?;
    holds(seen.is_empty(), "nothing told", format!("{seen:?}"))
}

async fn identities(hub: Hub) -> Checked {
    let (one, two) = (hub.topic("one"), hub.topic("two"));
    let mut watcher = watch(&hub).await?;
    let mut subscribers = Vec::new();
    for _ in 0..2 {
        let _stream = hub.subscribe(&[&one, &two]).await?;
        let first = arrival(&hub, &mut watcher, &one).await?;
        let second = arrival(&hub, &mut watcher, &two).await?;
        let subscriber = text(&first, "subscriber").to_owned();
        same(
            "subscriber",
            subscriber.as_str(),
            text(&second, "subscriber"),
        )?;
        subscribers.push(subscriber);
    }
    subscribers.dedup();
    same("subscribers of two connections", &2, &subscribers.len())
}

/// The document of the next arrival at `topic`.
async fn arrival(hub: &Hub, watcher: &mut Stream, topic: &str) -> Result<Value, Objection> {
    loop {
        let (_, document) = event_about(hub, watcher, topic).await?;
        if document.get("active") == Some(&json!(true)) {
            return Ok(document);
        }
    }
}

async fn stored(hub: Hub) -> Checked {
    let topic = hub.topic("stored");
    let start = hub.publish(&[("topic", &topic)]).await?;
    let _stream = hub.subscribe(&[&topic]).await?;
    let mut live = watch(&hub).await?;
    let _second = hub.subscribe(&[&topic]).await?;
    event_about(&hub, &mut live, &topic).await?;
    let request = watching(&hub).bearer(&hub.reader());
    let mut late = hub.open(&request.field("Last-Event-ID", &start)).await?;
    for _ in 0..2 {
        let (event, _) = event_about(&hub, &mut late, &topic).await?;
        holds(!event.id.is_empty(), "an id", "none")?;
    }
    Ok(())
}

async fn refused(hub: Hub) -> Checked {
    let (topic, next) = (hub.topic("refused"), hub.topic("next"));
    let mut watcher = watch(&hub).await?;
    let bad = hub
        .token(&[], &["*"])
        .key("a key of nobody's, long enough")
        .sign();
    let request = hub.subscription(&[&topic]).bearer(&bad);
    hub.ask(&request).await?.must_be(401)?;
    let _stream = hub.subscribe(&[&next]).await?;
    let member = selector_member(&hub);
    loop {
        let event = watcher.event().await?;
        let document = super::json(&event.data)?;
        match text(&document, member) {
            selector if selector == next => return Ok(()),
            selector => holds(selector != topic, "no event of a refused one", &document)?,
        }
    }
}

async fn older_bytes(hub: Hub) -> Checked {
    let topic = hub.topic("bytes");
    let mut watcher = watch(&hub).await?;
    let _stream = hub.subscribe(&[&topic]).await?;
    let (event, _) = event_about(&hub, &mut watcher, &topic).await?;
    same("type", "message", event.event_type.as_str())?;
    let indented = event
        .data
        .lines()
        .skip(1)
        .all(|line| line.starts_with("  ") || line == "}");
    holds(
        event.data.lines().count() > 5 && indented,
        "JSON indented by two spaces",
        &event.data,
    )
}

async fn older_payload(hub: Hub) -> Checked {
    let mut watcher = watch(&hub).await?;
    for (number, payload) in [
        json!({"team": "<blue> & \"green\""}),
        json!("text"),
        json!(7),
        json!([1, null]),
        json!(false),
        json!(null),
    ]
    .into_iter()
    .enumerate()
    {
        let topic = hub.topic(&format!("payload-{number}"));
        let mercure = json!({"subscribe": ["*"], "payload": payload});
        let token = Token::d0(&hub.key, mercure).sign();
        let _stream = hub.subscribe_by(&token, &[&topic]).await?;
        let (_, document) = event_about(&hub, &mut watcher, &topic).await?;
        let expected = Some(&payload).filter(|payload| !payload.is_null());
        same("payload", &expected, &document.get("payload"))?;
    }
    Ok(())
}

async fn space(hub: Hub) -> Checked {
    let topic = format!("{} 100% a+b/é", hub.topic("space"));
    let mut watcher = watch(&hub).await?;
    let _stream = hub.subscribe(&[&topic]).await?;
    let (_, document) = event_about(&hub, &mut watcher, &topic).await?;
    let wanted = super::path(&hub, &topic);
    holds(
        text(&document, "id").starts_with(&wanted),
        format!("an id that begins with {wanted}"),
        text(&document, "id"),
    )
}

/// A subscription to all presence events and to `topic`.
fn watching_and(hub: &Hub, topic: &str) -> Request {
    let mut request = watching(hub);
    let name = if hub.is_d1() { "match" } else { "topic" };
    request
        .target
        .push_str(&format!("&{name}={}", encoded(topic)));
    request
}

async fn older_arrival(hub: Hub) -> Checked {
    let (topic, marker) = (hub.topic("own"), hub.id("marker"));
    let request = watching_and(&hub, &topic).bearer(&hub.reader());
    let mut stream = hub.open(&request).await?;
    hub.mark(&topic, &marker).await?;
    loop {
        let event = stream.event().await?;
        if event.id == marker {
            return Ok(());
        }
        let document = super::json(&event.data)?;
        let is_own = text(&document, "topic") == topic;
        holds(!is_own, "not its own arrival", &document)?;
    }
}

async fn newer_arrival(hub: Hub) -> Checked {
    let topic = hub.topic("own");
    let request = watching_and(&hub, &topic).bearer(&hub.reader());
    let mut stream = hub.open(&request).await?;
    arrival(&hub, &mut stream, &topic).await?;
    Ok(())
}

async fn newer_payload(hub: Hub) -> Checked {
    let (exact, pattern) = (hub.topic("exact"), hub.topic(":id"));
    let details = json!([
        {"type": DETAIL, "actions": ["publish"], "topics": [{"match": exact}], "payload": {"n": 0}},
        {"type": DETAIL, "actions": ["subscribe"], "topics": [{"match": exact}], "payload": {"n": 1}},
        {"type": DETAIL, "actions": ["subscribe"],
         "topics": [{"match": pattern, "match_type": "urlpattern"}], "payload": {"n": 2}},
        {"type": DETAIL, "actions": ["subscribe"], "topics": [{"match": "*"}], "payload": {"n": 3}},
    ]);
    let token = hub.detailed(details).sign();
    let mut watcher = watch(&hub).await?;
    let other = "urn:x:other-than-all";
    for (name, value, number) in [
        ("match", exact.as_str(), 1),
        ("match_urlpattern", &pattern, 2),
        ("match", other, 3),
    ] {
        let request = hub.query(&[(name, value)]).bearer(&token);
        let _stream = hub.open(&request).await?;
        let (_, document) = event_about(&hub, &mut watcher, value).await?;
        let expected = json!({ "n": number });
        same("payload", &Some(&expected), &document.get("payload"))
            .map_err(|it| it.about(format!("{name}={value}")))?;
    }
    Ok(())
}
