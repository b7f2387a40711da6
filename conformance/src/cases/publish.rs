//! Publishing (§2.6, §3.4): what is refused, what is answered, what is dispatched.

mod namespace;
mod refused;

use crate::case::{Case, Level};
use crate::http::Connection;
use crate::hub::Hub;
use crate::objection::{Checked, holds, same};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = accepted();
    cases.extend(refused::cases());
    cases.extend(namespace::cases());
    cases
}

fn accepted() -> Vec<Case> {
    use Level::{Impl, Must};
    [
        Case::pair(
            Must,
            [&["D0-P2"], &["D1-P2"]],
            "an event without data",
            no_data,
        ),
        Case::pair(
            Must,
            [&["D0-P9", "D0-H1"], &["D1-P8"]],
            "generated ids are IRIs or #fragments, unique, and resume",
            generated_id,
        ),
        Case::pair(
            Impl,
            [&["D0-P4", "D0-P8", "DX-16"], &["D1-P3", "D1-P8"]],
            "a custom id with quotes and brackets comes back as it was given, and on the wire",
            custom_id,
        ),
        Case::pair(
            Must,
            [&["D0-P8"], &["D1-P8"]],
            "a publication is answered 200 with the bare id as text/plain",
            answer_of_success,
        ),
        Case::pair(
            Must,
            [&["D0-P3"], &["D1-P7"]],
            "private by the presence of the name, whatever its value",
            private_by_presence,
        ),
        Case::pair(
            Impl,
            [&["D0-P7"], &["D1-P7"]],
            "unknown fields are ignored, the first of repeated ones counts",
            unknown_fields,
        ),
        Case::pair(
            Must,
            [&["D0-P1"], &["D1-P1"]],
            "each topic of an event reaches its subscribers",
            every_topic,
        ),
        Case::pair(
            Impl,
            [&["D0-P1"], &["D1-P6"]],
            "a thousand topics are taken",
            thousand_topics,
        ),
        Case::pair(
            Impl,
            [&["D0-P6"], &["D1-P5"]],
            "an empty retry is none, and so is zero",
            empty_retry,
        ),
        Case::pair(
            Impl,
            [&["D0-P10"], &["OP-5"]],
            "a publisher that hangs up does not cancel its event",
            hang_up,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn no_data(hub: Hub) -> Checked {
    let topic = hub.topic("no-data");
    let mut stream = hub.subscribe(&[&topic]).await?;
    hub.mark(&topic, &hub.id("no-data")).await?;
    let event = stream.event_of(&hub.id("no-data")).await?;
    same("data", "", event.data.as_str())
}

async fn generated_id(hub: Hub) -> Checked {
    let topic = hub.topic("generated");
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(hub.publish(&[("topic", &topic), ("data", "x")]).await?);
    }
    for id in &ids {
        let is_iri = id.starts_with('#') || url::Url::parse(id).is_ok();
        holds(is_iri, "an IRI or a #fragment", format!("{id:?}"))?;
    }
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    same("unique ids", &ids.len(), &unique.len())?;
    let first = ids.first().map(String::as_str).unwrap_or_default();
    let last = ids.last().map(String::as_str).unwrap_or_default();
    let resuming = hub
        .subscription(&[&topic])
        .bearer(&hub.reader())
        .field("Last-Event-ID", first);
    let mut stream = hub.open(&resuming).await?;
    let mut seen = stream.ids_until(last).await?;
    seen.push(last.to_owned());
    same(
        "events after the first",
        ids.get(1..).unwrap_or_default(),
        &seen,
    )
}

async fn custom_id(hub: Hub) -> Checked {
    let topic = hub.topic("custom");
    let mut stream = hub.subscribe(&[&topic]).await?;
    let id = format!("{}/\"quoted\"[1]:2", hub.id("custom"));
    let answered = hub.publish(&[("topic", &topic), ("id", &id)]).await?;
    same("body", id.as_str(), answered.as_str())?;
    let event = stream.event().await?;
    same("id on the wire", id.as_str(), event.id.as_str())
}

async fn answer_of_success(hub: Hub) -> Checked {
    let (topic, id) = (hub.topic("answer"), hub.id("answer"));
    let pairs = [("topic", topic.as_str()), ("id", &id)];
    let answer = hub.ask(&hub.publication(&hub.writer(), &pairs)).await?;
    answer.must_be(200)?;
    let media_type = answer.value("Content-Type");
    holds(
        media_type.split(';').next() == Some("text/plain"),
        "Content-Type: text/plain",
        format!("Content-Type: {media_type}"),
    )?;
    same("body", id.as_str(), answer.body.as_str())
}

async fn private_by_presence(hub: Hub) -> Checked {
    let topic = hub.topic("private");
    let mut granted = hub.subscribe(&[&topic]).await?;
    let mut stranger = hub.subscribe_by(&hub.stranger(), &[&topic]).await?;
    for value in ["", "on", "off", "0", "false"] {
        let id = hub.id(&format!("private-{value}"));
        hub.publish(&[("topic", &topic), ("private", value), ("id", &id)])
            .await?;
        granted.event_of(&id).await?;
    }
    let marker = hub.id("marker");
    hub.mark(&topic, &marker).await?;
    let seen = stranger.ids_until(&marker).await?;
    holds(seen.is_empty(), "no private event", format!("{seen:?}"))
}

async fn unknown_fields(hub: Hub) -> Checked {
    let topic = hub.topic("unknown");
    let mut stream = hub.subscribe(&[&topic]).await?;
    let (first, second) = (hub.id("first"), hub.id("second"));
    let answered = hub
        .publish(&[
            ("colour", "red"),
            ("topic", &topic),
            ("id", &first),
            ("id", &second),
            ("data", "one"),
            ("data", "two"),
        ])
        .await?;
    same("body", first.as_str(), answered.as_str())?;
    let event = stream.event_of(&first).await?;
    same("data", "one", event.data.as_str())
}

async fn every_topic(hub: Hub) -> Checked {
    let topics = ["one", "two", "three"].map(|name| hub.topic(name));
    let id = hub.id("event");
    let mut streams = Vec::new();
    for topic in &topics {
        streams.push(hub.subscribe(&[topic]).await?);
    }
    let mut pairs: Vec<_> = topics.iter().map(|it| ("topic", it.as_str())).collect();
    pairs.push(("id", &id));
    hub.publish(&pairs).await?;
    for stream in &mut streams {
        stream.event_of(&id).await?;
    }
    Ok(())
}

async fn thousand_topics(hub: Hub) -> Checked {
    let topics: Vec<_> = (0..1000).map(|n| hub.topic(&n.to_string())).collect();
    let pairs: Vec<_> = topics.iter().map(|it| ("topic", it.as_str())).collect();
    let mut stream = hub.subscribe(&[&hub.topic("999")]).await?;
    let id = hub.publish(&pairs).await?;
    stream.event_of(&id).await?;
    Ok(())
}

async fn empty_retry(hub: Hub) -> Checked {
    let topic = hub.topic("retry");
    let mut stream = hub.subscribe(&[&topic]).await?;
    for retry in ["", "0"] {
        let id = hub.id(&format!("retry-{retry}"));
        hub.publish(&[("topic", &topic), ("retry", retry), ("id", &id)])
            .await?;
        stream.event_of(&id).await?;
    }
    let events = stream.text.split_once("id: ").map(|(_, events)| events);
    let has_retry = events.is_some_and(|events| events.contains("retry:"));
    holds(!has_retry, "no retry field", &stream.text)
}

async fn hang_up(hub: Hub) -> Checked {
    let topic = hub.topic("hang-up");
    let mut stream = hub.subscribe(&[&topic]).await?;
    // Whether the end is noticed before the event is stored is a race: many times, not once.
    for number in 0..20 {
        let id = hub.id(&number.to_string());
        let request = hub.publication(&hub.writer(), &[("topic", &topic), ("id", &id)]);
        let mut connection = Connection::open(&hub.address).await?;
        connection.send(&request.bytes(&hub.authority)).await?;
        drop(connection);
        stream.event_of(&id).await?;
    }
    Ok(())
}
