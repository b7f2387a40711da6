//! Selectors against topics (§1, §2.3, §3.2): the tables of vectors, and the two filters.

mod patterns;
mod templates;

use futures_util::future::try_join_all;

use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::Hub;
use crate::objection::{Checked, Objection, failed, holds, same};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = filters();
    cases.extend(templates::cases());
    cases.extend(patterns::cases());
    cases
}

fn filters() -> Vec<Case> {
    use Level::Must;
    [
        Case::pair(
            Must,
            [&["D0-M1", "D0-A10"], &["D1-M2", "D1-A13"]],
            "* as selector and as grant matches every topic",
            star,
        ),
        Case::pair(
            Must,
            [&["D0-M2"], &["D1-M1", "D1-T2"]],
            "equal byte for byte: no folding, no normalization, no resolution",
            exact,
        ),
        Case::pair(
            Must,
            [&["D0-A10", "D0-P1"], &["D1-A13", "D1-P1"]],
            "routed by one topic and authorized by another, canonical or alternate",
            two_filters,
        ),
        Case::pair(
            Must,
            [&["D0-M4", "D0-A10"], &["D1-M1", "D1-A13"]],
            "without a match nothing arrives, and a grant alone routes nothing",
            no_match,
        ),
        Case::pair(
            Level::Own,
            [&["OP-11"], &["OP-11"]],
            "topics put together from others' names disclose nothing",
            crafted_topics,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A row of a table: whether `selector` matches `topic`.
#[derive(Clone, Debug)]
struct Vector {
    selector: String,
    topic: String,
    matches: bool,
}

/// A subscription for each row, and whether it matched; row `i` has the events `i` and a marker.
///
/// `ask` makes the subscription to the row's selector and the marker's topic. All rows' events are
/// published before one marker, which must arrive everywhere: nobody waits for silence.
async fn hold(
    hub: &Hub,
    vectors: &[Vector],
    form: &[(&str, &str)],
    ask: impl Fn(&Vector, &str) -> Request,
) -> Checked {
    let marker = hub.topic("marker");
    for (part, vectors) in vectors.chunks(ROWS_AT_ONCE).enumerate() {
        let open = vectors.iter().map(|vector| {
            let request = ask(vector, &marker);
            async move {
                let row = format!("selector {:?}", vector.selector);
                let stream = hub.open(&request).await;
                stream.map_err(|it| it.about(row))
            }
        });
        let mut streams = try_join_all(open).await?;
        let id = |row: usize| hub.id(&format!("{part}-{row}"));
        for (row, vector) in vectors.iter().enumerate() {
            publish_row(hub, vector, &id(row), form).await?;
        }
        let last = hub.id(&format!("marker-{part}"));
        hub.mark(&marker, &last).await?;
        for (row, (vector, stream)) in vectors.iter().zip(&mut streams).enumerate() {
            let seen = stream.ids_until(&last).await?.contains(&id(row));
            if seen != vector.matches {
                let word = |matches| if matches { "match" } else { "no match" };
                let (selector, topic) = (&vector.selector, &vector.topic);
                return Err(failed(
                    format!("{selector:?}, {topic:?}: {}", word(vector.matches)),
                    word(seen),
                ));
            }
        }
    }
    Ok(())
}

/// Streams that are open at the same time.
const ROWS_AT_ONCE: usize = 50;

async fn publish_row(hub: &Hub, vector: &Vector, id: &str, form: &[(&str, &str)]) -> Checked {
    let pairs = [&[("topic", vector.topic.as_str()), ("id", id)], form].concat();
    let answer = hub.ask(&hub.publication(&hub.writer(), &pairs)).await?;
    // A hub may refuse topics with control characters; then nothing arrives, as it should be.
    if answer.status == 400 && !vector.matches && vector.topic.contains(char::is_control) {
        return Ok(());
    }
    answer
        .must_be(200)
        .map_err(|it| it.about(format!("publishing {:?}", vector.topic)))
}

async fn star(hub: Hub) -> Checked {
    let topics = [
        "urn:x:a",
        "not a URL",
        "https://example.com/*",
        "https://été.example/",
    ];
    let nowhere = hub.topic("nowhere");
    let star = hub.subscription(&["*"]).bearer(&hub.reader());
    let mut all = hub.open(&star).await?;
    let only = hub.token(&[], &[&nowhere]).sign();
    let mut public_only = hub.open(&hub.subscription(&["*"]).bearer(&only)).await?;
    let marker = hub.id("marker");
    let mut ids = Vec::new();
    for (number, topic) in topics.iter().enumerate() {
        let id = hub.id(&number.to_string());
        hub.publish(&[("topic", topic), ("id", &id), ("private", "on")])
            .await?;
        ids.push(id);
    }
    hub.mark(&nowhere, &marker).await?;
    let own = |id: &String| id.contains(&hub.tag);
    let mut seen = all.ids_until(&marker).await?;
    seen.retain(own);
    same("ids by *", &ids, &seen)?;
    let mut seen = public_only.ids_until(&marker).await?;
    seen.retain(own);
    same("ids without a grant", &Vec::new(), &seen)
}

async fn exact(hub: Hub) -> Checked {
    let base = hub.topic("");
    let pairs = [
        ("a", "a"),
        ("A", "a"),
        ("a", "a/"),
        ("a", "a?x"),
        ("a%62", "ab"),
        ("a%2f", "a%2F"),
        ("é", "é"),
        ("e\u{301}", "é"),
        ("x/../a", "a"),
        ("*", "a"),
        ("a b", "a b"),
        ("a+b", "a b"),
    ];
    let vectors: Vec<_> = pairs
        .iter()
        .map(|(selector, topic)| Vector {
            selector: format!("{base}{selector}"),
            topic: format!("{base}{topic}"),
            matches: selector == topic,
        })
        .collect();
    let as_selector = |vector: &Vector, marker: &str| {
        hub.subscription(&[&vector.selector, marker])
            .bearer(&hub.reader())
    };
    hold(&hub, &vectors, &[], as_selector).await?;
    let granting = |vector: &Vector, marker: &str| {
        let token = hub.token(&[], &[&vector.selector]).sign();
        hub.subscription(&["*", marker]).bearer(&token)
    };
    let granted = hub.speaking(hub.dialect);
    let again = Hub {
        tag: format!("{}-grant", hub.tag),
        ..granted
    };
    hold(&again, &vectors, &[("private", "on")], granting).await
}

async fn two_filters(hub: Hub) -> Checked {
    let (book, user) = (hub.topic("book"), hub.topic("user"));
    let token = hub.token(&[], &[&user]).sign();
    let mut stream = hub.subscribe_by(&token, &[&book]).await?;
    let mut stranger = hub.subscribe_by(&hub.stranger(), &[&book]).await?;
    let marker = hub.id("marker");
    let mut ids = Vec::new();
    for (number, topics) in [[&book, &user], [&user, &book]].iter().enumerate() {
        let id = hub.id(&number.to_string());
        let [first, second] = topics.map(|topic| ("topic", topic.as_str()));
        hub.publish(&[first, second, ("private", "on"), ("id", &id)])
            .await?;
        ids.push(id);
    }
    hub.mark(&book, &marker).await?;
    same("ids", &ids, &stream.ids_until(&marker).await?)?;
    let seen = stranger.ids_until(&marker).await?;
    holds(seen.is_empty(), "no private event", format!("{seen:?}"))
}

async fn no_match(hub: Hub) -> Checked {
    let (asked, granted, other) = (hub.topic("asked"), hub.topic("granted"), hub.topic("other"));
    let token = hub.token(&[], &[&granted]).sign();
    let mut stream = hub.subscribe_by(&token, &[&asked]).await?;
    for (name, topic, private) in [
        ("public elsewhere", &other, false),
        ("private elsewhere", &other, true),
        ("public, granted", &granted, false),
        ("private, granted", &granted, true),
        ("private, asked", &asked, true),
    ] {
        let id = hub.id(name);
        let mut pairs = vec![("topic", topic.as_str()), ("id", &id)];
        if private {
            pairs.push(("private", "on"));
        }
        hub.publish(&pairs).await?;
    }
    let marker = hub.id("marker");
    hub.mark(&asked, &marker).await?;
    let seen = stream.ids_until(&marker).await?;
    holds(seen.is_empty(), "nothing", format!("{seen:?}"))
}

/// Names that a match cache might confuse when it joins them to one key.
async fn crafted_topics(hub: Hub) -> Checked {
    let secret = hub.topic("secret");
    let mut allowed = hub.subscribe(&[&secret]).await?;
    let token = hub.token(&[], &["a", "b"]).sign();
    let marker = hub.id("marker");
    let mut spies = Vec::new();
    for separator in ["_", ",", "|", " ", ";", "&", "::", "/"] {
        let joined = format!("a{separator}{secret}");
        let topics = [joined.as_str(), "a", &secret];
        spies.push(hub.subscribe_by(&token, &topics).await?);
        hub.publish(&[("topic", &joined), ("topic", "a"), ("private", "")])
            .await?;
        hub.publish(&[("topic", &joined), ("topic", "b"), ("private", "")])
            .await?;
    }
    let id = hub.id("secret");
    hub.publish(&[("topic", &secret), ("id", &id), ("private", "on")])
        .await?;
    hub.mark(&secret, &marker).await?;
    allowed.event_of(&id).await?;
    for spy in &mut spies {
        let seen = spy.ids_until(&marker).await?;
        let told = seen.contains(&id);
        holds(!told, "no private event", "the private event")?;
    }
    Ok(())
}

/// Publishes on `topics` with a token that grants each selector; whether it is taken is the match.
async fn hold_as_publish_grant(
    hub: &Hub,
    vectors: &[Vector],
    token: impl Fn(&Vector) -> String,
) -> Checked {
    for vector in vectors {
        if !vector.matches && vector.topic.contains(char::is_control) {
            continue;
        }
        let request = hub.publication(&token(vector), &[("topic", &vector.topic)]);
        let answer = hub.ask(&request).await?;
        let statuses = match vector.matches {
            true => &[200],
            false => hub.not_granted(),
        };
        let row = format!(
            "publishing {:?}, granted {:?}",
            vector.topic, vector.selector
        );
        let right: Result<(), Objection> = answer.must_be_one_of(statuses);
        right.map_err(|it| it.about(row))?;
    }
    Ok(())
}
