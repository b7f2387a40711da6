//! The API that lists live subscriptions.

use serde_json::{Value, json};

use super::{event_about, json, listed, path, read, selector_member, text, watch};
use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::{Hub, SUBSCRIPTIONS, detail, encoded};
use crate::objection::{Checked, holds, same};
use crate::setup::Setup;

#[expect(clippy::too_many_lines, reason = "a list, without control flow")]
pub(super) fn cases() -> Vec<Case> {
    use Level::{Impl, Must, Own, Should};
    let mut cases: Vec<_> = [
        Case::pair(
            Should,
            [&["D0-R8", "D0-R9", "D0-R10", "D0-R11"], &["D1-R7"]],
            "the collection, the subscriptions of one selector, and a single one",
            documents,
        ),
        Case::pair(
            Should,
            [&["D0-R9"], &["D1-R7"]],
            "one selector's subscriptions: equal to it, not matched by it",
            equal_only,
        ),
        Case::pair(
            Should,
            [&["D0-R10", "D0-R15"], &["D1-R7", "D1-R8"]],
            "a subscription that is unknown or has ended is not live",
            ended,
        ),
        Case::pair(
            Must,
            [&["D0-R14"], &["D1-E1", "D1-R9"]],
            "without a token: 401",
            without_token,
        ),
        Case::pair(
            Must,
            [&["D0-R14"], &["D1-R8", "D1-R9", "D1-E3"]],
            "a token that does not cover the path is refused",
            not_granted,
        ),
        Case::pair(
            Own,
            [&["D0-G6", "D0-R14"], &["D1-R9"]],
            "the grant is for the path, without the query",
            path_only,
        ),
        Case::pair(
            Impl,
            [&["D0-U5"], &["D1-R1"]],
            "an encoded slash in a segment is data",
            encoded_slash,
        ),
        Case::pair(
            Impl,
            [&["D0-R13", "D0-G5"], &["D1-R11"]],
            "an ETag, and 304 when nothing has happened since",
            not_modified,
        )
        .map(Case::alone),
    ]
    .into_iter()
    .flatten()
    .collect();
    cases.extend([
        Case::new(
            Must,
            &["D0-R12", "D0-R11"],
            "lastEventID is the hub's last event",
            older_cursor,
        )
        .alone(),
        Case::new(
            Own,
            &["D0-G5"],
            "Link and Cache-Control, and a quoted ETag",
            older_headers,
        ),
        Case::new(
            Must,
            &["D1-R10", "D1-R11"],
            "Link with the last event id on every answer, and Cache-Control",
            newer_headers,
        )
        .alone(),
        Case::new(
            Must,
            &["D1-R8"],
            "an unknown match_type, bad escapes: 400",
            bad_paths,
        ),
    ]);
    cases
        .into_iter()
        .map(|case| case.on(Setup::Presence))
        .collect()
}

fn media_type(hub: &Hub) -> &'static str {
    if hub.is_d1() {
        "application/json"
    } else {
        "application/ld+json"
    }
}

/// The bare path of all subscriptions says nothing of the dialect; the token does (DX-9).
async fn documents(hub: Hub) -> Checked {
    let topic = hub.topic("documents");
    let _streams = (
        hub.subscribe(&[&topic]).await?,
        hub.subscribe(&[&topic]).await?,
    );
    for (path, count) in [
        (SUBSCRIPTIONS.to_owned(), 2),
        (path(&hub, &topic), 2),
        (path(&hub, &hub.topic("nobody")), 0),
    ] {
        let answer = read(&hub, &path).await?;
        same(
            "Content-Type",
            media_type(&hub),
            answer.value("Content-Type"),
        )?;
        let document = json(&answer.body)?;
        same("id", path.as_str(), text(&document, "id"))?;
        let kind = if hub.is_d1() {
            "subscriptions"
        } else {
            "Subscriptions"
        };
        same("type", kind, text(&document, "type"))?;
        let mut entries = listed(&answer)?;
        entries.retain(|entry| text(entry, selector_member(&hub)) == topic);
        same("subscriptions", &count, &entries.len())?;
        for entry in &entries {
            single(&hub, entry).await?;
        }
    }
    Ok(())
}

/// Reads what a collection's `entry` names by its id.
async fn single(hub: &Hub, entry: &Value) -> Checked {
    let answer = read(hub, text(entry, "id")).await?;
    same(
        "Content-Type",
        media_type(hub),
        answer.value("Content-Type"),
    )?;
    let mut document = json(&answer.body)?;
    if let Some(members) = document.as_object_mut().filter(|_| !hub.is_d1()) {
        holds(
            members.remove("lastEventID").is_some(),
            "a member lastEventID",
            &answer.body,
        )?;
        let context = members.remove("@context");
        same("@context", &Some(json!("https://mercure.rocks/")), &context)?;
    }
    let mut entry = entry.clone();
    if let Some(members) = entry.as_object_mut() {
        members.remove("@context");
    }
    same("the same document", &entry, &document)
}

async fn equal_only(hub: Hub) -> Checked {
    let (topic, template) = (hub.topic("books/1"), hub.topic("books/{id}"));
    let _streams = (
        hub.subscribe(&[&topic]).await?,
        hub.subscribe(&[&template]).await?,
    );
    for selector in [&topic, &template] {
        let entries = listed(&read(&hub, &path(&hub, selector)).await?)?;
        same("subscriptions", &1, &entries.len())?;
        for entry in entries {
            same(
                "selector",
                selector.as_str(),
                text(&entry, selector_member(&hub)),
            )?;
        }
    }
    Ok(())
}

async fn ended(hub: Hub) -> Checked {
    let topic = hub.topic("ended");
    let mut watcher = watch(&hub).await?;
    let stream = hub.subscribe(&[&topic]).await?;
    let (_, begun) = event_about(&hub, &mut watcher, &topic).await?;
    drop(stream);
    event_about(&hub, &mut watcher, &topic).await?;
    let entries = listed(&read(&hub, &path(&hub, &topic)).await?)?;
    let live = |entry: &&Value| entry.get("active") == Some(&json!(true));
    same(
        "live subscriptions",
        &0,
        &entries.iter().filter(live).count(),
    )?;
    let unknown = format!("{}/urn%3Auuid%3Anobody", path(&hub, &topic));
    for (path, may_be_told) in [(text(&begun, "id"), true), (&unknown, false)] {
        let request = Request::new("GET", path).bearer(&hub.reader());
        let answer = hub.ask(&request).await?;
        if may_be_told && answer.status == 200 {
            let document = json(&answer.body)?;
            same("active", &Some(&json!(false)), &document.get("active"))?;
        } else {
            answer.must_be(404)?;
        }
    }
    Ok(())
}

async fn without_token(hub: Hub) -> Checked {
    for path in [SUBSCRIPTIONS.to_owned(), path(&hub, "a")] {
        let answer = hub.ask(&Request::new("GET", path)).await?;
        answer.must_be(401)?;
    }
    Ok(())
}

async fn not_granted(hub: Hub) -> Checked {
    let topic = hub.topic("granted");
    let granted = hub.token(&[], &[&path(&hub, &topic)]).sign();
    let asked = Request::new("GET", path(&hub, &topic)).bearer(&granted);
    hub.ask(&asked).await?.must_be(200)?;
    for (path, token) in [
        (SUBSCRIPTIONS.to_owned(), &granted),
        (path(&hub, &hub.topic("other")), &granted),
        (SUBSCRIPTIONS.to_owned(), &hub.stranger()),
        (path(&hub, &topic), &hub.stranger()),
    ] {
        let request = Request::new("GET", &path).bearer(token);
        let answer = hub.ask(&request).await?;
        let right = answer.must_be_one_of(hub.not_granted());
        let right = match hub.is_d1() {
            true => right.and_then(|()| {
                super::super::tokens::challenge(&answer, Some("insufficient_scope"))
            }),
            false => right,
        };
        right.map_err(|it| it.about(path))?;
    }
    Ok(())
}

async fn path_only(hub: Hub) -> Checked {
    let path = path(&hub, &hub.topic("path-only"));
    let token = hub.token(&[], &[&path]).sign();
    let request = Request::new("GET", format!("{path}?x=1")).bearer(&token);
    hub.ask(&request).await?.must_be(200)?;
    let with_query = hub.token(&[], &[&format!("{path}?x=1")]).sign();
    let request = Request::new("GET", format!("{path}?x=1")).bearer(&with_query);
    hub.ask(&request).await?.must_be_one_of(hub.not_granted())
}

async fn encoded_slash(hub: Hub) -> Checked {
    let topic = hub.topic("a/b/../c//d");
    let mut watcher = watch(&hub).await?;
    let _stream = hub.subscribe(&[&topic]).await?;
    event_about(&hub, &mut watcher, &topic).await?;
    let lower = path(&hub, &topic).replace("%2F", "%2f");
    for path in [path(&hub, &topic), lower] {
        let entries = listed(&read(&hub, &path).await?)?;
        same("subscriptions", &1, &entries.len()).map_err(|it| it.about(path))?;
    }
    Ok(())
}

async fn not_modified(hub: Hub) -> Checked {
    let answer = read(&hub, SUBSCRIPTIONS).await?;
    let etag = answer.value("ETag").to_owned();
    holds(!etag.is_empty(), "an ETag", "none")?;
    let again = Request::new("GET", SUBSCRIPTIONS).bearer(&hub.reader());
    let again = again.field("If-None-Match", &etag);
    let answer = hub.ask(&again).await?;
    answer.must_be(304)?;
    if hub.is_d1() {
        answer.must_have("ETag", &etag)?;
    } else {
        let unquoted = Request::new("GET", SUBSCRIPTIONS).bearer(&hub.reader());
        let unquoted = unquoted.field("If-None-Match", etag.trim_matches('"'));
        hub.ask(&unquoted).await?.must_be(304)?;
    }
    hub.mark(&hub.topic("etag"), &hub.id("next")).await?;
    hub.ask(&again).await?.must_be(200)
}

async fn older_cursor(hub: Hub) -> Checked {
    let topic = hub.topic("cursor");
    for name in ["1", "2"] {
        let id = hub
            .publish(&[("topic", &topic), ("id", &hub.id(name))])
            .await?;
        let document = json(&read(&hub, SUBSCRIPTIONS).await?.body)?;
        same("lastEventID", id.as_str(), text(&document, "lastEventID"))?;
    }
    Ok(())
}

async fn older_headers(hub: Hub) -> Checked {
    let answer = read(&hub, SUBSCRIPTIONS).await?;
    let etag = answer.value("ETag");
    holds(
        etag.starts_with('"') && etag.ends_with('"'),
        "a quoted ETag",
        format!("ETag: {etag}"),
    )?;
    let link = answer.value("Link");
    holds(
        link.starts_with("</.well-known/mercure>") && link.contains("rel=\"mercure\""),
        "a Link to the hub",
        format!("Link: {link}"),
    )?;
    answer.must_have("Cache-Control", "must-revalidate")
}

async fn newer_headers(hub: Hub) -> Checked {
    let topic = hub.topic("headers");
    let id = hub
        .publish(&[("topic", &topic), ("id", &hub.id("1"))])
        .await?;
    for path in [SUBSCRIPTIONS.to_owned(), path(&hub, &topic)] {
        let answer = read(&hub, &path).await?;
        let link = answer.value("Link");
        for part in [
            "</.well-known/mercure>",
            "rel=\"mercure\"",
            &format!("last-event-id=\"{id}\""),
            "type=\"mercure\"",
            "content-type=\"application/json\"",
        ] {
            holds(
                link.contains(part),
                format!("a Link with {part}"),
                format!("Link: {link}"),
            )?;
        }
        answer.must_have("Cache-Control", "must-revalidate")?;
    }
    Ok(())
}

async fn bad_paths(hub: Hub) -> Checked {
    let all = json!([detail("subscribe", &["*"])]);
    let token = hub.detailed(all).sign();
    let subscriber = encoded("urn:uuid:x");
    for (path, statuses) in [
        // A hub that speaks both dialects may take an unknown type for a path of the older one.
        (
            format!("{SUBSCRIPTIONS}/regexp/a/{subscriber}"),
            &[400, 404][..],
        ),
        (format!("{SUBSCRIPTIONS}/Exact/a/{subscriber}"), &[400, 404]),
        (format!("{SUBSCRIPTIONS}/exact/%zz"), &[400]),
        (format!("{SUBSCRIPTIONS}/exact/a%2"), &[400]),
        (format!("{SUBSCRIPTIONS}/exact/%ff"), &[400]),
    ] {
        let request = Request::new("GET", &path).bearer(&token);
        let answer = hub.ask(&request).await?;
        answer
            .must_be_one_of(statuses)
            .map_err(|it| it.about(path))?;
    }
    Ok(())
}
