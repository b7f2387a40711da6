//! The hub's own namespace, into which nobody publishes (D1-P9, D0-P14).

use crate::case::{Case, Level};
use crate::hub::Hub;
use crate::objection::{Checked, failed};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            Level::Impl,
            &["D0-P14", "D0-P11"],
            "below the hub's path: 403",
            |hub| table(hub, &RESERVED[..2], &[]),
        ),
        Case::new(
            Level::Own,
            &["D0-G7", "D0-P14"],
            "the table of the reserved namespace: 403",
            |hub| table(hub, &RESERVED, &FREE),
        ),
        Case::new(
            Level::Must,
            &["D1-P9", "D1-P1"],
            "the table of the reserved namespace: 400",
            |hub| table(hub, &RESERVED, &FREE),
        ),
    ]
}

async fn table(hub: Hub, reserved: &[&str], free: &[&str]) -> Checked {
    let wanted = if hub.is_d1() { 400 } else { 403 };
    let rows = reserved.iter().map(|topic| (topic, wanted));
    for (topic, status) in rows.chain(free.iter().map(|topic| (topic, 200))) {
        let request = hub.publication(&hub.writer(), &[("topic", topic)]);
        let answer = hub.ask(&request).await?;
        if answer.status != status {
            let expected = format!("status {status} for the topic {topic:?}");
            return Err(failed(expected, answer));
        }
    }
    Ok(())
}

const RESERVED: [&str; 16] = [
    "/.well-known/mercure",
    "https://any.host/.well-known/mercure/x",
    "mercure/subscriptions/foo",
    "./mercure/x",
    "mercure",
    "https://e.com/.well-known/%6Dercure/x",
    r"https://e.com\.well-known\mercure\x",
    "https://e.com/.well-known/mercure/../mercure/x",
    "https://e.com/.well-known/x/%2e%2e/mercure/x",
    "foo:/.well-known/mercure/x",
    "//h/.well-known/mercure",
    "/.well-known/mercure/subscriptions/exact/a/b",
    "https://e.com/.well-known/mercure?x=1",
    "",
    "?x=1",
    "#f",
];

const FREE: [&str; 9] = [
    "https://example.com/foo/.well-known/mercure/bar",
    "https://example.com/.well-known/mercureXXX",
    "subscriptions/foo",
    "bar",
    "a topic with spaces",
    "urn:example:mercure",
    "../mercure/x",
    "https://e.com/.well-known/mercure%2Fx",
    "http://[bad",
];
