//! What the dialects share: history, order, fan-out, and who is connected (DX-9, DX-13, DX-14).

use serde_json::{Value, json};

use super::both;
use crate::case::{Case, Level};
use crate::cases::presence;
use crate::http::Request;
use crate::hub::{Hub, SUBSCRIPTIONS, encoded};
use crate::objection::{Checked, Objection, holds, same};
use crate::setup::Setup;
use crate::stream::Stream;

pub(super) fn cases() -> Vec<Case> {
    use Level::Own;
    let mut cases = vec![
        Case::new(
            Own,
            &["DX-13"],
            "what one dialect's client publishes reaches the other's, in one order",
            one_order,
        ),
        Case::new(
            Own,
            &["DX-13"],
            "a cursor of one dialect resumes in the other, and both cursor headers are sent",
            one_history,
        ),
    ];
    cases.extend(
        [
            Case::new(
                Own,
                &["DX-14"],
                "an exact selector's presence is told in both shapes, each watcher gets its own once",
                exact_presence,
            ),
            Case::new(
                Own,
                &["DX-14"],
                "templates and patterns show in their own dialect only",
                untranslatable,
            ),
            Case::new(
                Own,
                &["DX-8"],
                "a presence path that begins with a matcher type is of the newer dialect",
                ambiguous_path,
            ),
            Case::new(
                Own,
                &["DX-9"],
                "the bare presence path: token, then Accept, then the older dialect",
                bare_path,
            ),
        ]
        .map(|case| case.on(Setup::Presence)),
    );
    cases
}

async fn one_order(hub: Hub) -> Checked {
    let topic = hub.topic("order");
    let mut streams = Vec::new();
    for hub in both(&hub) {
        streams.push(hub.subscribe(&[&topic]).await?);
    }
    let mut ids = Vec::new();
    for number in 0..10 {
        for hub in both(&hub) {
            let id = hub.id(&format!("{number}-{}", hub.dialect.name()));
            let private = [("private", "on")];
            let pairs = [("topic", topic.as_str()), ("id", &id)];
            let more = private.get(number % 2..).unwrap_or_default();
            hub.publish(&[&pairs, more].concat()).await?;
            ids.push(id);
        }
    }
    let last = ids.pop().unwrap_or_default();
    for stream in &mut streams {
        same("ids", &ids, &stream.ids_until(&last).await?)?;
    }
    Ok(())
}

async fn one_history(hub: Hub) -> Checked {
    let topic = hub.topic("history");
    let [older, newer] = both(&hub);
    let first = older.publish(&[("topic", &topic)]).await?;
    let second = newer.publish(&[("topic", &topic)]).await?;
    for hub in [&older, &newer] {
        let request = hub.subscription(&[&topic]).bearer(&hub.reader());
        let mut stream = hub.open(&request.field("Last-Event-ID", &first)).await?;
        stream.head.must_have("Last-Event-ID", &first)?;
        stream.head.must_have("Mercure-Last-Event-ID", &first)?;
        stream.event_of(&second).await?;
    }
    Ok(())
}

/// Reads presence events until the next one about `after`, and returns those about `topic`.
async fn told_about(
    stream: &mut Stream,
    topic: &str,
    after: &str,
) -> Result<Vec<(String, Value)>, Objection> {
    let mut told = Vec::new();
    loop {
        let event = stream.event().await?;
        let document = presence::json(&event.data)?;
        let selector = ["topic", "match"]
            .map(|member| presence::text(&document, member))
            .concat();
        if selector == after {
            return Ok(told);
        }
        if selector == topic {
            told.push((event.event_type, document));
        }
    }
}

async fn exact_presence(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    for asking in [&older, &newer] {
        let topic = hub.topic(&format!("exact-{}", asking.dialect.name()));
        let marker = hub.topic(&format!("marker-{}", asking.dialect.name()));
        let mut watchers = [
            presence::watch(&older).await?,
            presence::watch(&newer).await?,
        ];
        let _streams = (
            asking.subscribe(&[&topic]).await?,
            asking.subscribe(&[&marker]).await?,
        );
        for (watcher, (kind, event_type)) in watchers
            .iter_mut()
            .zip([("Subscription", "message"), ("subscription", "mercure")])
        {
            let told = told_about(watcher, &topic, &marker).await?;
            same("arrivals", &1, &told.len())?;
            for (told_type, document) in told {
                same("type of the event", event_type, told_type.as_str())?;
                same("type", kind, presence::text(&document, "type"))?;
            }
        }
        for hub in [&older, &newer] {
            let answer = presence::read(hub, &presence::path(hub, &topic)).await?;
            let entries = presence::listed(&answer)?;
            same("subscriptions listed", &1, &entries.len())?;
        }
    }
    Ok(())
}

async fn untranslatable(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    let (template, pattern) = (hub.topic("{id}"), hub.topic(":id"));
    let marker = hub.topic("marker");
    let mut watchers = [
        presence::watch(&older).await?,
        presence::watch(&newer).await?,
    ];
    let _template = older.subscribe(&[&template]).await?;
    let request = newer.query(&[("match_urlpattern", &pattern)]);
    let _pattern = hub.open(&request.bearer(&newer.reader())).await?;
    let _marker = older.subscribe(&[&marker]).await?;
    for (hub, watcher) in [&older, &newer].into_iter().zip(&mut watchers) {
        let selectors = match hub.is_d1() {
            true => [(&template, 0), (&pattern, 1)],
            false => [(&template, 1), (&pattern, 0)],
        };
        let mut counts = [0, 0];
        loop {
            let event = watcher.event().await?;
            let document = presence::json(&event.data)?;
            let selector = presence::text(&document, presence::selector_member(hub));
            if selector == marker {
                break;
            }
            for (count, (wanted, _)) in counts.iter_mut().zip(&selectors) {
                *count += usize::from(selector == *wanted);
            }
        }
        for ((selector, expected), count) in selectors.into_iter().zip(counts) {
            same(selector, &expected, &count)?;
        }
        let all = presence::listed(&presence::read(hub, SUBSCRIPTIONS).await?)?;
        let own = if hub.is_d1() { &pattern } else { &template };
        let member = presence::selector_member(hub);
        let listed = |selector: &str| {
            all.iter()
                .filter(|entry| presence::text(entry, member) == selector)
                .count()
        };
        same("its own listed", &1, &listed(own))?;
        same("all listed", &1, &(listed(&template) + listed(&pattern)))?;
    }
    Ok(())
}

async fn ambiguous_path(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    let topic = hub.topic("path");
    let _stream = newer.subscribe(&[&topic]).await?;
    // A token of the older dialect: it is the path that decides.
    let path = format!("{SUBSCRIPTIONS}/exact/{}", encoded(&topic));
    let answer = presence::read(&older, &path).await?;
    same(
        "Content-Type",
        "application/json",
        answer.value("Content-Type"),
    )?;
    same("subscriptions", &1, &presence::listed(&answer)?.len())?;
    let path = format!("{SUBSCRIPTIONS}/{}", encoded(&topic));
    let answer = presence::read(&newer, &path).await?;
    same(
        "Content-Type",
        "application/ld+json",
        answer.value("Content-Type"),
    )
}

async fn bare_path(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    for (token, accept, media_type) in [
        (older.reader(), "application/json", "application/ld+json"),
        (newer.reader(), "application/ld+json", "application/json"),
    ] {
        let request = Request::new("GET", SUBSCRIPTIONS)
            .bearer(&token)
            .field("Accept", accept);
        let answer = hub.ask(&request).await?;
        same("Content-Type", media_type, answer.value("Content-Type"))?;
        let document = presence::json(&answer.body)?;
        let cursor = document.get("lastEventID").is_some();
        holds(
            cursor == (media_type == "application/ld+json"),
            "the document of the same dialect",
            json!(document),
        )?;
    }
    Ok(())
}
