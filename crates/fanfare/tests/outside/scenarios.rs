//! What users of Mercure try out in a browser, in both dialects: a page of the hub's own origin
//! subscribes with `EventSource` and publishes with `fetch`.

use serde_json::{Value, json};

use crate::chromium::Browser;
use crate::program::{Program, fanfare};

/// The key of Mercure's documentation (CF-24).
const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";
const ISSUER: &str = "https://localhost";
const RESOURCE: &str = "https://localhost/.well-known/mercure";
/// Browsers take cookies whose names begin with `__Secure-` over TLS alone (D1-A6).
const ACCESS_COOKIE: &str = "mercure_access_token";

/// `play` subscribes, publishes once the stream is open, and tells what the publisher was
/// answered and which events came before the last one, `urn:end`.
const PAGE: &str = "
    window.hub = '/.well-known/mercure';
    window.publish = (token, pairs) => fetch(hub, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}` },
        body: new URLSearchParams(pairs),
    });
    window.opened = (query, options) => new Promise((resolve, reject) => {
        const source = new EventSource(`${hub}?${new URLSearchParams(query)}`, options);
        source.onopen = () => resolve(source);
        source.onerror = () => reject(`no stream for ${JSON.stringify(query)}`);
    });
    window.play = async ({ token, query, forms, withCredentials }) => {
        const source = await opened(query, { withCredentials });
        const seen = [];
        const ended = new Promise(resolve => {
            source.onmessage = ({ lastEventId, data }) =>
                lastEventId === 'urn:end' ? resolve() : seen.push([lastEventId, data]);
        });
        const told = [];
        for (const form of forms) {
            const answer = await publish(token, form);
            const type = answer.headers.get('content-type').split(';')[0];
            told.push([answer.status, type, await answer.text()]);
        }
        await publish(token, [['topic', 'urn:end'], ['id', 'urn:end'], ['data', 'end']]);
        await ended;
        source.close();
        return { told, seen };
    };
    window.outcome = async promise => {
        window.result = null;
        window.result = await promise.catch(error => String(error));
    };
";

/// What a dialect calls things.
struct Dialect {
    exact: &'static str,
    pattern: &'static str,
    books: &'static str,
    cookie: &'static str,
    presence: &'static str,
    /// The SSE type of events that tell of presence, and the `type` of their documents.
    presence_type: &'static str,
    presence_kind: &'static str,
    /// The member of such a document that holds the selector.
    selector: &'static str,
    /// What makes a token one of this dialect.
    parties: &'static [&'static str],
}

const ZERO: Dialect = Dialect {
    exact: "topic",
    pattern: "topic",
    books: "https://example.com/books/{id}",
    cookie: "mercureAuthorization",
    presence: "/.well-known/mercure/subscriptions/{topic}/{subscriber}",
    presence_type: "message",
    presence_kind: "Subscription",
    selector: "topic",
    parties: &[],
};

const ONE: Dialect = Dialect {
    exact: "match",
    pattern: "match_urlpattern",
    books: "https://example.com/books/:id",
    cookie: ACCESS_COOKIE,
    presence: "/.well-known/mercure/subscriptions/:match_type/:match/:subscriber",
    presence_type: "mercure",
    presence_kind: "subscription",
    selector: "match",
    parties: &["--iss", ISSUER, "--aud", RESOURCE],
};

impl Dialect {
    fn token(&self, grants: &[&str]) -> String {
        let ended = fanfare(&[&["token", "--key", KEY], self.parties, grants].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout.trim().to_owned()
    }

    fn token_for_all(&self) -> String {
        self.token(&["--publish", "*", "--subscribe", "*"])
    }

    /// The flag that grants what `pattern` matches.
    fn subscribe_pattern(&self) -> &'static str {
        match self.parties {
            [] => "--subscribe",
            _ => "--subscribe-urlpattern",
        }
    }

    /// Selectors, topics published, whether privately, and whether the event comes.
    fn scenarios(&self) -> Vec<Scenario> {
        let Self {
            exact,
            pattern,
            books,
            ..
        } = *self;
        let one = |selector, topic, private, received| Scenario {
            selectors: vec![selector],
            topics: vec![topic],
            private,
            received,
        };
        let (book, raw) = ("https://example.com/books/1", "a string");
        let mut scenarios = vec![
            one((exact, raw), raw, false, true),
            Scenario {
                selectors: vec![(exact, "another"), (exact, raw)],
                topics: vec![raw],
                private: false,
                received: true,
            },
            one((exact, book), book, false, true),
            one((pattern, books), book, false, true),
            one((exact, raw), "another", false, false),
            one((exact, book), "https://example.com/books/2", false, false),
            one(
                (pattern, books),
                "https://example.com/authors/1",
                false,
                false,
            ),
            one((exact, raw), raw, true, false),
            one((exact, book), book, true, false),
            one((pattern, books), book, true, false),
        ];
        if exact == "topic" {
            scenarios.push(Scenario {
                selectors: vec![(exact, raw)],
                topics: vec!["another", raw],
                private: false,
                received: true,
            });
        }
        scenarios
    }
}

struct Scenario {
    selectors: Vec<(&'static str, &'static str)>,
    topics: Vec<&'static str>,
    private: bool,
    received: bool,
}

const DATA: &str = "first line\n\n  second line";

/// A publisher's own id, unlike any other.
fn id(number: usize) -> String {
    format!("\"[urn:example]\": a/{number}")
}

/// The fields of a form, each topic one of them.
fn form(topics: &[&str], id: &str, private: bool) -> Value {
    let mut form: Vec<_> = topics.iter().map(|topic| json!(["topic", topic])).collect();
    form.extend([json!(["id", id]), json!(["data", DATA])]);
    if private {
        form.push(json!(["private", "on"]));
    }
    json!(form)
}

/// A hub that lets everybody subscribe and believes the tokens of both dialects, with a page of its
/// own origin; that nothing is there to be found does not matter.
async fn open_page(browser: &Browser) -> Program {
    let (hub, url) = Program::serve(&[
        "--anonymous",
        "--subscriptions",
        "--publisher-jwt-key",
        KEY,
        "--subscriber-jwt-key",
        KEY,
        "--issuer",
        ISSUER,
        "--issuer-publisher-key",
        KEY,
        "--issuer-subscriber-key",
        KEY,
        "--resource-identifier",
        RESOURCE,
        "--access-cookie-name",
        ACCESS_COOKIE,
    ]);
    browser.open(&format!("{url}/")).await;
    browser.wait_for("location.origin", url).await;
    browser.run(PAGE).await;
    hub
}

/// Whom a page without a cookie hears from, and what its publishers are answered.
async fn play_anonymously(browser: &Browser, dialect: &Dialect) {
    let token = dialect.token_for_all();
    let (mut plays, mut expected) = (Vec::new(), Vec::new());
    for (number, scenario) in dialect.scenarios().iter().enumerate() {
        let mut query = scenario.selectors.clone();
        query.push((dialect.exact, "urn:end"));
        let id = id(number);
        let form = form(&scenario.topics, &id, scenario.private);
        plays.push(json!({ "token": token, "query": query, "forms": [form] }));
        let seen = if scenario.received {
            json!([[id, DATA]])
        } else {
            json!([])
        };
        expected.push(json!({ "told": [[200, "text/plain", id]], "seen": seen }));
    }
    let plays = json!(plays);
    let script = format!(
        "outcome((async () => {{
            const results = [];
            for (const it of {plays}) results.push(await play(it));
            return results;
        }})());"
    );
    browser.run(&script).await;
    browser.wait_for("window.result", expected).await;
}

/// The cookie's token covers one of two private events.
async fn play_with_a_cookie(browser: &Browser, dialect: &Dialect) {
    set_cookie(
        browser,
        dialect,
        &[dialect.subscribe_pattern(), dialect.books],
    )
    .await;
    let (granted, withheld) = (
        "https://example.com/books/1",
        "https://example.com/authors/1",
    );
    let play = json!({
        "token": dialect.token_for_all(),
        "query": [[dialect.exact, granted], [dialect.exact, withheld], [dialect.exact, "urn:end"]],
        "forms": [form(&[withheld], "urn:x:1", true), form(&[granted], "urn:x:2", true)],
        "withCredentials": true,
    });
    browser.run(&format!("outcome(play({play}))")).await;
    let told = |id| json!([200, "text/plain", id]);
    let told = [told("urn:x:1"), told("urn:x:2")];
    let expected = json!({ "told": told, "seen": [["urn:x:2", DATA]] });
    browser.wait_for("window.result", expected).await;
}

/// A page that may watch presence sees somebody come and go.
async fn watch_presence(browser: &Browser, dialect: &Dialect) {
    set_cookie(
        browser,
        dialect,
        &[dialect.subscribe_pattern(), dialect.presence],
    )
    .await;
    let query = json!([[dialect.pattern, dialect.presence]]);
    let guest = json!([[dialect.exact, "urn:guest"]]);
    let (event_type, selector) = (dialect.presence_type, dialect.selector);
    let script = format!(
        "window.seen = [];
         outcome((async () => {{
             window.watcher = await opened({query}, {{ withCredentials: true }});
             watcher.addEventListener('{event_type}', event => {{
                 const document = JSON.parse(event.data);
                 if (document['{selector}'] === 'urn:guest')
                     seen.push([document.type, document.active]);
             }});
             window.guest = await opened({guest});
             return 'opened';
         }})());"
    );
    browser.run(&script).await;
    browser.wait_for("window.result", "opened").await;
    let kind = dialect.presence_kind;
    browser.wait_for("seen", json!([[kind, true]])).await;
    browser.run("guest.close()").await;
    let both = json!([[kind, true], [kind, false]]);
    browser.wait_for("seen", both).await;
    browser.run("watcher.close()").await;
}

/// Replaces the page's cookies by one with a token of `grants`.
async fn set_cookie(browser: &Browser, dialect: &Dialect, grants: &[&str]) {
    let (cookie, token) = (dialect.cookie, dialect.token(grants));
    let attributes = "path=/.well-known/mercure; SameSite=Strict";
    let script = format!(
        "for (const name of ['{}', '{}']) document.cookie = `${{name}}=; {attributes}; max-age=0`;
         document.cookie = '{cookie}={token}; {attributes}';",
        ZERO.cookie, ONE.cookie
    );
    browser.run(&script).await;
}

#[tokio::test]
async fn dx_16_page_of_the_hubs_origin_publishes_and_subscribes_in_both_dialects() {
    let browser = Browser::start("scenarios").await;
    let _hub = open_page(&browser).await;
    for dialect in [ZERO, ONE] {
        play_anonymously(&browser, &dialect).await;
    }
    for dialect in [ZERO, ONE] {
        play_with_a_cookie(&browser, &dialect).await;
        watch_presence(&browser, &dialect).await;
    }
}
