//! URL Patterns and exact matchers (D1-M1 to D1-M7).

use serde_json::json;

use super::{Vector, hold, hold_as_publish_grant};
use crate::case::{Case, Level};
use crate::clock;
use crate::hub::{DETAIL, Hub};
use crate::objection::{Checked, holds};
use crate::token::Token;

pub(super) fn cases() -> Vec<Case> {
    use Level::{Must, Own};
    vec![
        Case::new(
            Must,
            &["D1-M7", "D1-M1", "D1-M2"],
            "the table of URL Patterns, as matchers",
            as_matchers,
        ),
        Case::new(
            Must,
            &["D1-M7", "D1-M1", "D1-A13"],
            "the table of URL Patterns, as grants to subscribe",
            as_read_grants,
        ),
        Case::new(
            Must,
            &["D1-M7", "D1-M1", "D1-A13"],
            "the table of URL Patterns, as grants to publish",
            as_publish_grants,
        ),
        Case::new(
            Must,
            &["D1-M3", "D1-G3"],
            "relative patterns and topics resolve against the hub's URL",
            relative,
        ),
        Case::new(
            Must,
            &["D1-M7", "D1-M1"],
            "exact matchers are never templates, patterns or references",
            exact_matchers,
        ),
        Case::new(
            Own,
            &["D1-M4"],
            "a pattern that makes a backtracking engine run for ever costs the others nothing",
            costly_pattern,
        ),
    ]
}

fn vectors(rows: &[(&str, &str, bool)]) -> Vec<Vector> {
    let row = |(selector, topic, matches): &(&str, &str, bool)| Vector {
        selector: (*selector).to_owned(),
        topic: (*topic).to_owned(),
        matches: *matches,
    };
    rows.iter().map(row).collect()
}

const BOOKS: &str = "https://example.com/books/:id";
const ABSOLUTE: &[(&str, &str, bool)] = &[
    (BOOKS, "https://EXAMPLE.com/books/123", true),
    (BOOKS, "https://example.com/books/123", true),
    (BOOKS, "https://example.com/BOOKS/123", false),
    (BOOKS, "https://example.com/books/", false),
    (BOOKS, "https://example.com/books/a/b", false),
    (BOOKS, "https://example.com/books/a%2Fb", true),
    (BOOKS, "https://example.com/books/1?x=1", true),
    (BOOKS, "https://example.com/books/1#f", true),
    (BOOKS, "http://example.com/books/1", false),
    (BOOKS, "https://example.com/a/books/1", false),
    (BOOKS, "http://[bad", false),
    ("https://example.com/*", "https://example.com/a/b/c", true),
    ("https://example.com:443/a", "https://example.com/a", true),
    ("https://example.com/*", "http://[bad", false),
    ("*", "http://[bad", true),
    ("*", "whatever", true),
];

async fn as_matchers(hub: Hub) -> Checked {
    hold(&hub, &vectors(ABSOLUTE), &[], |vector, marker| {
        matcher(&hub, &vector.selector, marker)
    })
    .await
}

fn matcher(hub: &Hub, pattern: &str, marker: &str) -> crate::http::Request {
    hub.query(&[("match_urlpattern", pattern), ("match", marker)])
        .bearer(&hub.reader())
}

/// A token that grants `actions` on what `pattern` matches.
fn granting(hub: &Hub, action: &str, pattern: &str) -> Token {
    let topics = [json!({"match": pattern, "match_type": "urlpattern"})];
    hub.detailed(json!([{"type": DETAIL, "actions": [action], "topics": topics}]))
}

async fn as_read_grants(hub: Hub) -> Checked {
    hold(
        &hub,
        &vectors(ABSOLUTE),
        &[("private", "on")],
        |vector, marker| {
            let token = granting(&hub, "subscribe", &vector.selector).sign();
            hub.subscription(&["*", marker]).bearer(&token)
        },
    )
    .await
}

async fn as_publish_grants(hub: Hub) -> Checked {
    hold_as_publish_grant(&hub, &vectors(ABSOLUTE), |vector| {
        granting(&hub, "publish", &vector.selector).sign()
    })
    .await
}

async fn relative(hub: Hub) -> Checked {
    let here = hub.resolved("/books/123");
    let rows = [
        ("/books/:id", "/books/123", true),
        ("/books/:id", here.as_str(), true),
        ("/books/:id", "https://example.com/books/123", false),
        ("/books/:id", "/BOOKS/123", false),
        ("/books/:id", "../books/7", true),
        ("books/:id", "books/7", true),
        ("/w/subscriptions/*", "/w/subscriptions", false),
        ("/w/subscriptions{/*}?", "/w/subscriptions", true),
        ("/w/subscriptions{/*}?", "/w/subscriptions/a/b", true),
    ];
    hold(&hub, &vectors(&rows), &[], |vector, marker| {
        matcher(&hub, &vector.selector, marker)
    })
    .await
}

async fn exact_matchers(hub: Hub) -> Checked {
    let here = hub.resolved("/books/123");
    let rows = [
        ("{unclosed", "{unclosed", true),
        (
            "https://example.com/{foo}/bar",
            "https://example.com/{foo}/bar",
            true,
        ),
        (
            "https://example.com/{foo}/bar",
            "https://example.com/x/bar",
            false,
        ),
        ("https://example.com/:id", "https://example.com/1", false),
        ("/books/123", here.as_str(), false),
        ("/books/123", "/books/123", true),
    ];
    for name in ["match", "match_exact"] {
        let hub = Hub {
            tag: format!("{}-{name}", hub.tag),
            ..hub.clone()
        };
        hold(&hub, &vectors(&rows), &[], |vector, marker| {
            hub.query(&[(name, &vector.selector), (name, marker)])
                .bearer(&hub.reader())
        })
        .await?;
    }
    Ok(())
}

async fn costly_pattern(hub: Hub) -> Checked {
    let pattern = hub.topic("([a-z]+[a-z]+[a-z]+[a-z]+)x");
    let request = hub
        .query(&[("match_urlpattern", &pattern)])
        .bearer(&hub.reader());
    let answer = hub.ask(&request).await?;
    answer.must_be_one_of(&[200, 400])?;
    let _held_open = match answer.status {
        200 => Some(hub.open(&request).await?),
        _ => None,
    };
    let topic = hub.topic(&"a".repeat(1900));
    let mut other = hub.subscribe(&[&topic]).await?;
    let began = clock::now();
    hub.mark(&topic, &hub.id("after")).await?;
    other.event_of(&hub.id("after")).await?;
    let taken = began.elapsed();
    holds(
        taken.as_secs() < 3,
        "an event at once",
        format!("one after {taken:?}"),
    )
}
