//! What the log says of publishers and subscribers, and what it never says.

use fanfare_testkit::raw_http::{Answer, RawPeer, ask};
use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{HUB, bearer, get, post_form, token};
use crate::program::Program;

const KEY: &str = "a key for tests, with enough bytes for HMAC";

/// A hub whose log is JSON.
struct Hub {
    program: Program,
    address: String,
}

impl Hub {
    fn start(level: &str) -> Self {
        let arguments = [
            "--publisher-jwt-key",
            KEY,
            "--subscriber-jwt-key",
            KEY,
            "--subscriptions",
            "--publish-origin=https://a.example",
            "--log-format=json",
            "--log-level",
            level,
        ];
        let (program, url) = Program::serve(&arguments);
        let address = url.trim_start_matches("http://").to_owned();
        Self { program, address }
    }

    async fn ask(&self, request: &str) -> Answer {
        ask(self.address.parse().unwrap(), request).await
    }

    /// The fields of the next line whose text is `text`.
    fn fields(&self, text: &str) -> Value {
        let text = format!("\"message\":\"{text}\"");
        let line = self.program.log_line_that(|line| line.contains(&text));
        serde_json::from_str::<Value>(&line).unwrap()["fields"].take()
    }
}

#[tokio::test]
async fn op_16_publication_and_subscriber_are_told_at_debug_level() {
    let hub = Hub::start("debug");
    let bearer = bearer(&token(&["*"], &["*"]));
    let mut peer = RawPeer::connect(hub.address.parse().unwrap()).await;
    peer.send(get(&format!("{HUB}?topic=a%7Bb%7D&lastEventID=x"), &bearer))
        .await;
    assert_eq!(peer.read_head().await.status, 200);
    let fields = hub.fields("subscribed");
    assert_eq!(fields["topics"], r#"["a{b}"]"#);
    assert_eq!(fields["last_event_id"], "x");
    let id = fields["id"].as_str().unwrap();
    assert!(id.starts_with("urn:uuid:"), "{id}");

    let form = "topic=a&topic=b&id=i&type=t&retry=7&private=on&data=one%0Atwo";
    assert_eq!(hub.ask(&post_form(HUB, &bearer, form)).await.status, 200);
    let fields = hub.fields("published");
    assert_eq!(fields["topics"], r#"["a", "b"]"#);
    assert_eq!(fields["id"], "i");
    assert_eq!(fields["type"], "t");
    assert_eq!(fields["retry"], 7);
    assert_eq!(fields["private"], true);
    assert_eq!(fields["data"], "one\ntwo");

    let form = format!("topic=a&data={}", "é".repeat(5000));
    assert_eq!(hub.ask(&post_form(HUB, &bearer, &form)).await.status, 200);
    let fields = hub.fields("published");
    assert_eq!(fields["data"].as_str().unwrap(), "é".repeat(128));
}

/// Whether it is right or wrong, and wherever it is (S7).
#[tokio::test]
async fn op_16_token_is_in_no_line_at_any_level() {
    let hub = Hub::start("trace");
    let right = token(&["*"], &["*"]);
    let signature = right.rsplit('.').next().unwrap().to_owned();
    let wrong = format!("{right}x");
    for token in [&right, &wrong] {
        let cookie = format!("Cookie: mercureAuthorization={token}\r\n");
        let origin = "Origin: https://a.example\r\n";
        for (query, fields) in [
            (String::new(), bearer(token)),
            (format!("authorization={token}"), String::new()),
            (String::new(), format!("{cookie}{origin}")),
        ] {
            let status = if token == &right { 200 } else { 401 };
            let target = format!("{HUB}?{query}");
            let published = hub.ask(&post_form(&target, &fields, "topic=a")).await;
            assert_eq!(published.status, status, "{target}");
            let mut peer = RawPeer::connect(hub.address.parse().unwrap()).await;
            peer.send(get(&format!("{target}&topic=a"), &fields)).await;
            assert_eq!(peer.read_head().await.status, status, "{target}");
            let target = format!("{HUB}/subscriptions?{query}");
            assert_eq!(hub.ask(&get(&target, &fields)).await.status, status);
        }
    }
    hub.program.signal(Signal::TERM);
    let ended = hub.program.wait();
    assert!(ended.stderr.contains("\"published\""), "{}", ended.stderr);
    for secret in [signature.as_str(), KEY] {
        assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    }
}
