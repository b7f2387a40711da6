//! Resuming (§2.8, §3.8, §5.3): what is sent again, and what the answer says of it.

mod long;

use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::Hub;
use crate::objection::{Checked, Objection, holds, same};
use crate::stream::Stream;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = both();
    cases.extend(one_dialect());
    cases.extend(long::cases());
    cases
}

#[expect(clippy::too_many_lines, reason = "a list, without control flow")]
fn both() -> Vec<Case> {
    use Level::{Impl, Must, Own, Should};
    [
        Case::pair(
            Should,
            [&["D0-H2", "D0-H3"], &["D1-H1"]],
            "by header and by query parameter: everything after the cursor, in order, then live",
            resumed,
        ),
        Case::pair(
            Must,
            [&["D0-H2"], &["D1-H1"]],
            "the header wins; an empty header falls through to the parameter",
            precedence,
        ),
        Case::pair(
            Impl,
            [&["D0-H5", "D0-H6"], &["D1-H1"]],
            "a known cursor is echoed in the answer's header",
            echoed,
        ),
        Case::pair(
            Must,
            [&["D0-H5", "D0-G3"], &["D1-H2"]],
            "an unknown cursor: the answer says earliest",
            unknown,
        ),
        Case::pair(
            Own,
            [&["D0-H7"], &["D1-H2"]],
            "an unknown cursor replays nothing, and the stream is live",
            unknown_is_live,
        ),
        Case::pair(
            Should,
            [&["D0-H4", "D0-H6"], &["D1-H1"]],
            "earliest: everything kept, and the answer says earliest",
            earliest,
        ),
        Case::pair(
            Must,
            [&["D0-H3", "D0-A10"], &["D1-H3"]],
            "private events of the past go to those who may see them now, and to nobody else",
            narrowed,
        ),
        Case::pair(
            Must,
            [&["D0-H7"], &["D1-H2"]],
            "no answer discloses the id of a private event",
            undisclosed,
        ),
        Case::pair(
            Impl,
            [&["D0-H10"], &["D1-H4"]],
            "of an id that was used twice the earliest counts",
            duplicate_ids,
        ),
        Case::pair(
            Should,
            [&["D0-H3"], &["D1-G9"]],
            "the cursor may be an event that the subscriber did not ask for",
            foreign_cursor,
        ),
        Case::pair(
            Should,
            [&["D0-H3"], &["OP-5"]],
            "no gap and no duplicate while events are published during the replay",
            busy_replay,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn one_dialect() -> Vec<Case> {
    use Level::{Impl, Must, Own};
    vec![
        Case::new(
            Must,
            &["D0-H2"],
            "an empty cursor is none: no header in the answer",
            |hub| empty(hub, ["lastEventID", "Last-Event-ID"]),
        ),
        Case::new(
            Must,
            &["D1-H1"],
            "an empty cursor is one: the answer says earliest",
            |hub| empty(hub, ["last_event_id", "Mercure-Last-Event-ID"]),
        ),
        Case::new(
            Own,
            &["D0-H2", "DX-16", "D0-S4"],
            "the parameters Last-Event-ID and lastEventId, also beside lastEventID",
            aliases,
        ),
        Case::new(
            Impl,
            &["D0-H6", "D0-H5"],
            "no history at all: the answer says earliest",
            |hub| first(hub, "Last-Event-ID"),
        )
        .alone(),
        Case::new(
            Must,
            &["D1-H2", "D1-H1"],
            "no history at all: the answer says earliest",
            |hub| first(hub, "Mercure-Last-Event-ID"),
        )
        .alone(),
    ]
}

/// The query parameter that carries a cursor.
fn parameter(hub: &Hub) -> &'static str {
    if hub.is_d1() {
        "last_event_id"
    } else {
        "lastEventID"
    }
}

/// The field of the answer that does.
fn answered(hub: &Hub) -> &'static str {
    if hub.is_d1() {
        "Mercure-Last-Event-ID"
    } else {
        "Last-Event-ID"
    }
}

/// A subscription to `topic` that carries `cursor` in its query.
fn by_query(hub: &Hub, topic: &str, name: &str, cursor: &str) -> Request {
    let mut request = hub.subscription(&[topic]).bearer(&hub.reader());
    let pair = form_urlencoded::Serializer::new(String::new())
        .append_pair(name, cursor)
        .finish();
    request.target.push_str(&format!("&{pair}"));
    request
}

fn by_header(hub: &Hub, topic: &str, cursor: &str) -> Request {
    hub.subscription(&[topic])
        .bearer(&hub.reader())
        .field("Last-Event-ID", cursor)
}

/// Publishes events `1` to `count` and returns their ids.
async fn history(hub: &Hub, topic: &str, count: usize) -> Result<Vec<String>, Objection> {
    let mut ids = Vec::new();
    for number in 1..=count {
        let id = hub.id(&number.to_string());
        hub.mark(topic, &id).await?;
        ids.push(id);
    }
    Ok(ids)
}

/// Publishes an event, which is the last that `stream` is expected to get after `ids`.
async fn ends_with_live(hub: &Hub, topic: &str, mut stream: Stream, ids: &[String]) -> Checked {
    let live = hub.id(&uuid::Uuid::new_v4().to_string());
    hub.mark(topic, &live).await?;
    let seen = stream.ids_until(&live).await?;
    same("ids before the live one", ids, seen.as_slice())
}

async fn resumed(hub: Hub) -> Checked {
    let topic = hub.topic("resumed");
    let ids = history(&hub, &topic, 5).await?;
    for request in [
        by_header(&hub, &topic, &hub.id("2")),
        by_query(&hub, &topic, parameter(&hub), &hub.id("2")),
    ] {
        let mut stream = hub.open(&request).await?;
        for id in ids.get(2..).unwrap_or_default() {
            same("id", id, &stream.event().await?.id)?;
        }
        let live = hub.id(&uuid::Uuid::new_v4().to_string());
        hub.mark(&hub.topic("elsewhere"), &hub.id("elsewhere"))
            .await?;
        hub.mark(&topic, &live).await?;
        let seen = stream.ids_until(&live).await?;
        // The first request's live event is history for the second.
        let others = seen.iter().filter(|id| ids.contains(id)).count();
        same("events that came twice", &0, &others)?;
    }
    Ok(())
}

async fn precedence(hub: Hub) -> Checked {
    let topic = hub.topic("precedence");
    let ids = history(&hub, &topic, 4).await?;
    let last = ids.last().map(String::as_str).unwrap_or_default();
    let in_query = by_query(&hub, &topic, parameter(&hub), &hub.id("1"));
    let in_both = in_query.clone().field("Last-Event-ID", hub.id("3"));
    let mut stream = hub.open(&in_both).await?;
    same("ids after 3", &Vec::new(), &stream.ids_until(last).await?)?;
    let mut stream = hub.open(&in_query.field("Last-Event-ID", "")).await?;
    let expected = vec![hub.id("2"), hub.id("3")];
    same("ids after 1", &expected, &stream.ids_until(last).await?)
}

async fn echoed(hub: Hub) -> Checked {
    let topic = hub.topic("echoed");
    history(&hub, &topic, 2).await?;
    for id in [hub.id("1"), hub.id("2")] {
        let stream = hub.open(&by_header(&hub, &topic, &id)).await?;
        stream.head.must_have(answered(&hub), &id)?;
    }
    let generated = hub.publish(&[("topic", &topic), ("data", "x")]).await?;
    let stream = hub.open(&by_header(&hub, &topic, &generated)).await?;
    stream.head.must_have(answered(&hub), &generated)
}

async fn unknown(hub: Hub) -> Checked {
    let topic = hub.topic("unknown");
    history(&hub, &topic, 2).await?;
    for id in ["urn:uuid:never-seen", "never seen", "\u{e9}"] {
        let request = by_query(&hub, &topic, parameter(&hub), id);
        let stream = hub.open(&request).await?;
        stream.head.must_have(answered(&hub), "earliest")?;
    }
    Ok(())
}

async fn unknown_is_live(hub: Hub) -> Checked {
    let topic = hub.topic("unknown-is-live");
    history(&hub, &topic, 2).await?;
    let stream = hub
        .open(&by_header(&hub, &topic, "urn:uuid:never-seen"))
        .await?;
    ends_with_live(&hub, &topic, stream, &[]).await
}

async fn earliest(hub: Hub) -> Checked {
    let topic = hub.topic("earliest");
    let ids = history(&hub, &topic, 3).await?;
    let stream = hub.open(&by_header(&hub, &topic, "earliest")).await?;
    stream.head.must_have(answered(&hub), "earliest")?;
    ends_with_live(&hub, &topic, stream, &ids).await
}

async fn narrowed(hub: Hub) -> Checked {
    let topic = hub.topic("narrowed");
    let ids = ["start", "public", "private"].map(|name| hub.id(name));
    let [start, public, private] = &ids;
    hub.mark(&topic, start).await?;
    hub.mark(&topic, public).await?;
    hub.publish(&[("topic", &topic), ("id", private), ("private", "on")])
        .await?;
    let after_start = |token: &str| {
        let request = hub.subscription(&[&topic]).bearer(token);
        request.field("Last-Event-ID", start)
    };
    let granted = hub.open(&after_start(&hub.reader())).await?;
    let stranger = hub.open(&after_start(&hub.stranger())).await?;
    let marker = hub.id("marker");
    hub.mark(&topic, &marker).await?;
    for (mut stream, expected) in [
        (granted, vec![public.clone(), private.clone()]),
        (stranger, vec![public.clone()]),
    ] {
        same("ids", &expected, &stream.ids_until(&marker).await?)?;
    }
    Ok(())
}

async fn undisclosed(hub: Hub) -> Checked {
    let topic = hub.topic("undisclosed");
    let private = hub.id("private");
    hub.mark(&topic, &hub.id("public")).await?;
    hub.publish(&[("topic", &topic), ("id", &private), ("private", "on")])
        .await?;
    for cursor in ["urn:uuid:never-seen", "earliest", ""] {
        let request = hub.subscription(&[&topic]).bearer(&hub.stranger());
        let stream = hub.open(&request.field("Last-Event-ID", cursor)).await?;
        let told = stream
            .head
            .fields
            .iter()
            .any(|(_, value)| *value == private);
        holds(!told, "no private id", "the private event's id in a field")?;
    }
    Ok(())
}

async fn duplicate_ids(hub: Hub) -> Checked {
    let topic = hub.topic("duplicates");
    let [twice, between, marker] = ["twice", "between", "marker"].map(|name| hub.id(name));
    for id in [&twice, &between, &twice] {
        hub.mark(&topic, id).await?;
    }
    let mut stream = hub.open(&by_header(&hub, &topic, &twice)).await?;
    hub.mark(&topic, &marker).await?;
    let seen = stream.ids_until(&marker).await?;
    same("ids", &vec![between, twice], &seen)
}

async fn foreign_cursor(hub: Hub) -> Checked {
    let (topic, other) = (hub.topic("mine"), hub.topic("other"));
    let [before, cursor, after, marker] =
        ["before", "cursor", "after", "marker"].map(|name| hub.id(name));
    hub.mark(&topic, &before).await?;
    hub.mark(&other, &cursor).await?;
    hub.mark(&topic, &after).await?;
    let mut stream = hub.open(&by_header(&hub, &topic, &cursor)).await?;
    hub.mark(&topic, &marker).await?;
    same("ids", &vec![after], &stream.ids_until(&marker).await?)
}

async fn busy_replay(hub: Hub) -> Checked {
    let topic = hub.topic("busy");
    let ids = history(&hub, &topic, 100).await?;
    let mut stream = hub.open(&by_header(&hub, &topic, &hub.id("1"))).await?;
    let publish = async {
        for number in 101..=200 {
            hub.mark(&topic, &hub.id(&number.to_string())).await?;
        }
        Ok::<(), Objection>(())
    };
    let last = hub.id("200");
    let (published, seen) = tokio::join!(publish, stream.ids_until(&last));
    published?;
    let expected: Vec<_> = (2..200).map(|number| hub.id(&number.to_string())).collect();
    same("history", &100, &ids.len())?;
    same("ids 2 to 199", &expected, &seen?)
}

async fn empty(hub: Hub, [parameter, field]: [&str; 2]) -> Checked {
    let topic = hub.topic("empty");
    hub.mark(&topic, &hub.id("1")).await?;
    for request in [
        by_query(&hub, &topic, parameter, ""),
        by_header(&hub, &topic, ""),
    ] {
        let stream = hub.open(&request).await?;
        match hub.is_d1() {
            true => stream.head.must_have(field, "earliest")?,
            false => stream.head.must_lack(field)?,
        }
    }
    Ok(())
}

async fn aliases(hub: Hub) -> Checked {
    let topic = hub.topic("aliases");
    let ids = history(&hub, &topic, 3).await?;
    let last = ids.last().map(String::as_str).unwrap_or_default();
    for names in [
        &["Last-Event-ID"][..],
        &["lastEventId"],
        &["lastEventID", "Last-Event-ID"],
    ] {
        let mut request = hub.subscription(&[&topic]).bearer(&hub.reader());
        for name in names {
            request.target.push_str(&format!("&{name}={}", hub.id("1")));
        }
        let mut stream = hub.open(&request).await?;
        let seen = stream.ids_until(last).await?;
        same("ids", &vec![hub.id("2")], &seen).map_err(|it| it.about(names.join(", ")))?;
    }
    Ok(())
}

async fn first(hub: Hub, field: &str) -> Checked {
    if hub.process.is_none() {
        let why = "the hub may have a history already".to_owned();
        return Err(Objection::Inapplicable(why));
    }
    let topic = hub.topic("first");
    for cursor in ["urn:uuid:never-seen", "earliest"] {
        let stream = hub.open(&by_header(&hub, &topic, cursor)).await?;
        stream.head.must_have(field, "earliest")?;
    }
    Ok(())
}
