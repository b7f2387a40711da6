//! The scenarios of upstream's browser suite (§6.2), as a browser would send them.

use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::{HUB, Hub};
use crate::objection::{Checked, holds, same};
use crate::setup::Setup;
use crate::stream::Stream;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, scenario) in SCENARIOS {
        for rules in [
            &["D0-S5", "D0-P8", "D0-W2"][..],
            &["D1-S4", "D1-P8", "D1-S8"],
        ] {
            let is_d1 = rules.iter().any(|rule| rule.starts_with("D1"));
            if is_d1 && scenario.topics.len() > 1 {
                continue;
            }
            let name = format!("as a browser: {name}");
            let check = move |hub| received(hub, scenario);
            cases.push(Case::new(Level::Must, rules, &name, check).on(Setup::Anonymous));
        }
    }
    cases
}

/// What a page asks for, what is published, and whether the page must get it.
struct Scenario {
    /// Exact in either dialect.
    asked: &'static [&'static str],
    /// A URI Template and the URL Pattern of the same meaning.
    pattern: Option<[&'static str; 2]>,
    topics: &'static [&'static str],
    private: bool,
    arrives: bool,
}

/// Asked for and published alike, public.
const PLAIN: Scenario = Scenario {
    asked: &["raw string"],
    pattern: None,
    topics: &["raw string"],
    private: false,
    arrives: true,
};

const URI: &str = "https://example.net/books/1";
const BOOKS: Option<[&str; 2]> = Some([
    "https://example.net/books/{id}",
    "https://example.net/books/:id",
]);

const SCENARIOS: &[(&str, Scenario)] = &[
    ("a raw string", PLAIN),
    (
        "two topics, the second asked for",
        Scenario {
            topics: &["first", "raw string"],
            ..PLAIN
        },
    ),
    (
        "two selectors, the second matching",
        Scenario {
            asked: &["first", "raw string"],
            ..PLAIN
        },
    ),
    (
        "a URI",
        Scenario {
            asked: &[URI],
            topics: &[URI],
            ..PLAIN
        },
    ),
    (
        "a URI by its pattern",
        Scenario {
            asked: &[],
            pattern: BOOKS,
            topics: &[URI],
            ..PLAIN
        },
    ),
    (
        "a raw string that does not match",
        Scenario {
            topics: &["other"],
            arrives: false,
            ..PLAIN
        },
    ),
    (
        "a URI that does not match",
        Scenario {
            asked: &[URI],
            topics: &["https://example.net/books/2"],
            arrives: false,
            ..PLAIN
        },
    ),
    (
        "a pattern that does not match",
        Scenario {
            asked: &[],
            pattern: BOOKS,
            topics: &["https://example.net/authors/1"],
            arrives: false,
            ..PLAIN
        },
    ),
    (
        "a private raw string",
        Scenario {
            private: true,
            arrives: false,
            ..PLAIN
        },
    ),
    (
        "a private URI",
        Scenario {
            asked: &[URI],
            topics: &[URI],
            private: true,
            arrives: false,
            ..PLAIN
        },
    ),
    (
        "a private URI by its pattern",
        Scenario {
            asked: &[],
            pattern: BOOKS,
            topics: &[URI],
            private: true,
            arrives: false,
        },
    ),
];

async fn received(hub: Hub, scenario: &Scenario) -> Checked {
    let marker = hub.topic("marker");
    let mut stream = page(&hub, scenario, &marker).await?;
    let id = format!("{}/[\"id\"]:1", hub.id("browser"));
    let data = "first line\n\n   third line";
    let mut pairs: Vec<_> = scenario.topics.iter().map(|it| ("topic", *it)).collect();
    pairs.extend([("id", id.as_str()), ("data", data)]);
    if scenario.private {
        pairs.push(("private", "on"));
    }
    let request = hub.publication(&hub.token(&["*"], &["*"]).sign(), &pairs);
    let answer = hub.ask(&from_browser(&hub, request)).await?;
    answer.must_be(200)?;
    holds(
        answer.value("Content-Type").starts_with("text/plain"),
        "Content-Type: text/plain",
        answer.value("Content-Type"),
    )?;
    same("body", id.as_str(), answer.body.as_str())?;
    if scenario.arrives {
        let event = stream.event_of(&id).await?;
        same("type", "message", event.event_type.as_str())?;
        return same("data", data, event.data.as_str());
    }
    hub.mark(&marker, &hub.id("marker")).await?;
    let seen = stream.ids_until(&hub.id("marker")).await?;
    holds(!seen.contains(&id), "nothing", "the event")
}

/// Opens the page's stream, without credentials.
async fn page(
    hub: &Hub,
    scenario: &Scenario,
    marker: &str,
) -> Result<Stream, crate::objection::Objection> {
    let (exact, pattern) = match hub.is_d1() {
        true => ("match", "match_urlpattern"),
        false => ("topic", "topic"),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for asked in scenario.asked {
        query.append_pair(exact, asked);
    }
    if let Some([template, url_pattern]) = scenario.pattern {
        query.append_pair(pattern, if hub.is_d1() { url_pattern } else { template });
    }
    query.append_pair(exact, marker);
    let request = Request::new("GET", format!("{HUB}?{}", query.finish()))
        .field("Accept", "text/event-stream")
        .field("Cache-Control", "no-cache");
    let mut stream = hub.open(&from_browser(hub, request)).await?;
    // `open` is fired when the answer has begun.
    stream.read_until(":").await?;
    Ok(stream)
}

/// Adds what browsers add to requests of a page of the hub's own origin.
fn from_browser(hub: &Hub, request: Request) -> Request {
    request
        .field("User-Agent", "Mozilla/5.0")
        .field("Accept-Encoding", "gzip, deflate")
        .field("Referer", format!("http://{}/", hub.authority))
        .field("Sec-Fetch-Site", "same-origin")
}
