//! URI Templates (D0-M1 to D0-M10).

use super::{Vector, hold, hold_as_publish_grant};
use crate::case::{Case, Level};
use crate::hub::Hub;
use crate::objection::{Checked, holds};

pub(super) fn cases() -> Vec<Case> {
    use Level::{Impl, Must, Own};
    vec![
        Case::new(
            Must,
            &["D0-M10", "D0-M3", "D0-M8", "D0-M9", "D0-M5"],
            "the table of templates, as selectors",
            as_selectors,
        ),
        Case::new(
            Must,
            &["D0-M10", "D0-A10", "D0-M3"],
            "the table of templates, as grants to subscribe",
            as_read_grants,
        ),
        Case::new(
            Must,
            &["D0-M10", "D0-A7", "D0-M3"],
            "the table of templates, as grants to publish",
            as_publish_grants,
        ),
        Case::new(
            Must,
            &["D0-M6", "D0-M8"],
            "a selector that is no template is a raw string, and no error",
            raw_strings,
        ),
        Case::new(
            Impl,
            &["D0-M2"],
            "a template matches the topic that is the same text",
            itself,
        ),
        Case::new(
            Own,
            &["D0-M7"],
            "a selector that cannot be compiled fails nobody else's publish",
            huge_selector,
        ),
    ]
}

/// The table. The presence topics of the reference stand here below `/w`, for into the hub's
/// namespace nobody publishes.
fn table() -> Vec<Vector> {
    let books = |rest: &str| format!("https://example.com/books/{rest}");
    let mut vectors = Vec::new();
    let mut row = |selector: &str, topics: &[&str], matches: bool| {
        vectors.extend(topics.iter().map(|topic| Vector {
            selector: selector.to_owned(),
            topic: (*topic).to_owned(),
            matches,
        }));
    };
    for (rest, matches) in [
        ("1", true),
        ("", true),
        ("a%2Fb", true),
        ("a,b", true),
        ("1/x", false),
        ("a:b", false),
        ("a b", false),
        ("a=b", false),
        ("%zz", false),
        ("été", false),
        ("1\n", false),
        ("{id}", true),
    ] {
        row(&books("{id}"), &[&books(rest)], matches);
    }
    row(&books("{other}"), &[&books("{id}")], false);
    for (selector, topics, matches) in ROWS {
        row(selector, topics, *matches);
    }
    vectors
}

const ROWS: &[(&str, &[&str], bool)] = &[
    (
        "https://example.com/{+path}",
        &["https://example.com/a/b?c=d#e", "https://example.com/"],
        true,
    ),
    (
        "https://example.com/{+path}",
        &["https://example.com/été"],
        false,
    ),
    (
        "https://example.com/u/42/{?topic}",
        &[
            "https://example.com/u/42/?topic=https%3A%2F%2Fx",
            "https://example.com/u/42/",
            "https://example.com/u/42/?other=1",
        ],
        true,
    ),
    (
        "https://example.com/u/42/{?topic}",
        &[
            "https://example.com/u/42/?a=1&b=2",
            "https://example.com/u/42/?topic=https://x",
        ],
        false,
    ),
    (
        "https://example.com/u/42/{?a,b}",
        &["https://example.com/u/42/?a=1&b=2"],
        true,
    ),
    (
        "https://example.com/u/42/{?a,b}",
        &["https://example.com/u/42/?a=1&b=2&c=3"],
        false,
    ),
    (
        "https://example.com/u/42/{?q*}",
        &["https://example.com/u/42/?a=1&b=2&c=3"],
        true,
    ),
    (
        "/w/subscriptions{/topic}{/subscriber}",
        &["/w/subscriptions", "/w/subscriptions/a"],
        true,
    ),
    (
        "/w/subscriptions{/topic}{/subscriber}",
        &["/w/subscriptions/a/b"],
        true,
    ),
    (
        "/w/subscriptions{/topic}{/subscriber}",
        &["/w/subscriptions/a/b/c"],
        false,
    ),
    (
        "/w/subscriptions/{topic}/{subscriber}",
        &["/w/subscriptions"],
        false,
    ),
    (
        "/w/subscriptions/{topic}/{subscriber}",
        &["/w/subscriptions/a/b"],
        true,
    ),
    (
        "{scheme}://{+host}/demo/books/{id}.jsonld",
        &["https://example.com:8443/demo/books/1.jsonld"],
        true,
    ),
    (
        "https://example.com/{a:3}",
        &["https://example.com/12345"],
        true,
    ),
    (
        "https://example.com{/segs*}",
        &["https://example.com/a/b/c"],
        true,
    ),
    (
        "https://example.com{/a,b}",
        &["https://example.com/1/2"],
        true,
    ),
    (
        "https://example.com{/a,b}",
        &["https://example.com/1/2/3"],
        false,
    ),
    ("x{#f}", &["x#a/b", "x"], true),
    ("x{.a}", &["x.b", "x.b.c"], true),
    ("x{;a}", &["x;a=1"], true),
    ("x{a*}", &["xk=1,l=2"], true),
    ("x{a,b*}", &["xk,l=2"], true),
    ("x{a,b*}", &["xk=1"], false),
    ("é{x}", &["é1"], true),
    ("https://example.com/*", &["https://example.com/a"], false),
    (
        "https://example.com/hub?topic=faulty{iri",
        &["https://example.com/hub?topic=faulty{iri"],
        true,
    ),
    (
        "https://example.com/hub?topic=faulty{iri",
        &["https://example.com/hub?topic=faulty1"],
        false,
    ),
];

async fn as_selectors(hub: Hub) -> Checked {
    hold(&hub, &table(), &[], |vector, marker| {
        hub.subscription(&[&vector.selector, marker])
            .bearer(&hub.reader())
    })
    .await
}

async fn as_read_grants(hub: Hub) -> Checked {
    hold(&hub, &table(), &[("private", "on")], |vector, marker| {
        let token = hub.token(&[], &[&vector.selector]).sign();
        hub.subscription(&["*", marker]).bearer(&token)
    })
    .await
}

async fn as_publish_grants(hub: Hub) -> Checked {
    hold_as_publish_grant(&hub, &table(), |vector| {
        hub.token(&[&vector.selector], &[]).sign()
    })
    .await
}

/// Selectors that are no templates, each with a topic that a lenient reading would match.
const RAW: [(&str, &str); 12] = [
    ("a}b{x}", "a}bx"),
    ("a b{x}", "a bx"),
    ("{=x}", "x"),
    ("{x..y}", "x"),
    ("{x:0}", "x"),
    ("{x:10000}", "x"),
    ("{x*:3}", "x"),
    ("{}", "x"),
    ("a{x", "ax"),
    ("a\"{x}", "a\"x"),
    ("a%zz{x}", "a%zzx"),
    ("{!x}", "x"),
];

async fn raw_strings(hub: Hub) -> Checked {
    let vectors: Vec<_> = RAW
        .iter()
        .flat_map(|(selector, other)| {
            [(*selector, true), (other, false)].map(|(topic, matches)| Vector {
                selector: (*selector).to_owned(),
                topic: topic.to_owned(),
                matches,
            })
        })
        .collect();
    hold(&hub, &vectors, &[], |vector, marker| {
        hub.subscription(&[&vector.selector, marker])
            .bearer(&hub.reader())
    })
    .await
}

async fn itself(hub: Hub) -> Checked {
    let template = hub.topic("{a}/{b:3}/{?c*}");
    let mut stream = hub.subscribe(&[&template]).await?;
    hub.mark(&template, &hub.id("itself")).await?;
    stream.event_of(&hub.id("itself")).await?;
    Ok(())
}

async fn huge_selector(hub: Hub) -> Checked {
    let many: Vec<_> = (0..1100).map(|number| format!("v{number}")).collect();
    let selector = hub.topic(&format!("{{{}}}", many.join(",")));
    let request = hub.subscription(&[&selector]).bearer(&hub.reader());
    let answer = hub.ask(&request).await?;
    holds(
        matches!(answer.status, 200 | 400 | 414 | 431),
        "a stream or a refusal",
        &answer,
    )?;
    let topic = hub.topic("v");
    let mut other = hub.subscribe(&[&topic]).await?;
    hub.mark(&topic, &hub.id("after")).await?;
    other.event_of(&hub.id("after")).await?;
    Ok(())
}
