//! Tokens: where they may be, what they allow, and what is said of bad ones.

use fanfare::auth::{NewToken, mint};
use fanfare::origins::Origins;
use fanfare_testkit::raw_http::ask;
use rustix::process::Signal;

use crate::fixture::{HUB, bearer, get, post_form, serve, token};
use crate::program::Program;

#[tokio::test]
async fn d0_a8_subscribing_with_and_without_a_token() {
    let server = serve(|_| {}).await;
    let target = format!("{HUB}?topic=a");
    let (bad, good) = (bearer(&bad_token()), bearer(&token(&[], &[])));
    assert_eq!(
        server.ask(get(&target, &bad)).await.status,
        401,
        "even with anonymous"
    );
    server.stream(&target, &good).await;
    server.stream(&target, "").await;

    let server = serve(|config| config.anonymous = false).await;
    assert_eq!(server.get(&target).await.status, 401);
    server.stream(&target, &good).await;
}

#[tokio::test]
async fn d0_a9_without_a_key_tokens_are_ignored() {
    let server = serve(|config| config.subscriber = None).await;
    let mut peer = server.subscribe("topic=a", &bearer(&bad_token())).await;
    server.publish("topic=a&private&id=1").await;
    server.publish("topic=a&id=2").await;
    assert_eq!(peer.read_chunk().await, "id: 2\ndata: \n\n");
}

#[tokio::test]
async fn d0_a10_routed_by_one_topic_and_granted_by_another() {
    let server = serve(|_| {}).await;
    let granted = bearer(&token(&[], &["https://example.com/u/42/{?topic}"]));
    let mut peer = server
        .subscribe("topic=https://example.com/books/%7Bid%7D", &granted)
        .await;
    let book = "topic=https://example.com/books/1&private";
    server.publish(&format!("{book}&id=1")).await;
    server
        .publish(&format!(
            "{book}&topic=https://example.com/u/42/?topic%3Db&id=2"
        ))
        .await;
    assert_eq!(peer.read_chunk().await, "id: 2\ndata: \n\n");
}

#[tokio::test]
async fn d0_a1_to_a3_header_hides_query_hides_cookie() {
    let server = serve(|config| config.anonymous = false).await;
    let (good, bad) = (token(&[], &["*"]), bad_token());
    let cookie = |token: &str| format!("Cookie: x=1; mercureAuthorization={token}\r\n");
    for (header, query, in_cookie, status) in [
        (Some(&good), Some(&bad), Some(&bad), 200),
        (Some(&bad), Some(&good), Some(&good), 401),
        (None, Some(&good), Some(&bad), 200),
        (None, Some(&bad), Some(&good), 401),
        (None, None, Some(&good), 200),
        (None, None, Some(&bad), 401),
    ] {
        let query = query.map(|token| format!("&authorization={token}"));
        let target = format!("{HUB}?topic=a{}", query.unwrap_or_default());
        let header = header.map(|token| bearer(token)).unwrap_or_default();
        let cookie = in_cookie.map(|token| cookie(token)).unwrap_or_default();
        let mut peer = server.connect().await;
        peer.send(get(&target, &format!("{header}{cookie}"))).await;
        assert_eq!(peer.read_head().await.status, status, "{target}");
    }
}

#[tokio::test]
async fn s8_publishing_by_cookie_needs_a_trusted_page() {
    let trusted = Origins::new(vec!["https://app.example".parse().unwrap()]);
    let server = serve(|config| config.publish_origins = trusted).await;
    let cookie = format!("Cookie: mercureAuthorization={}\r\n", token(&["*"], &[]));
    for (from, status) in [
        ("", 401),
        ("Origin: https://app.example\r\n", 200),
        ("Origin: https://evil.example\r\n", 401),
        ("Origin: null\r\n", 401),
        ("Referer: https://app.example/page?x\r\n", 200),
        ("Referer: https://app.example.evil/\r\n", 401),
        (
            "Origin: https://evil.example\r\nReferer: https://app.example/\r\n",
            401,
        ),
    ] {
        let answer = server
            .ask(post_form(HUB, &format!("{cookie}{from}"), "topic=a"))
            .await;
        assert_eq!(answer.status, status, "{from}");
    }
}

#[tokio::test]
async fn d0_a7_publishing_without_the_claim() {
    let server = serve(|_| {}).await;
    for fields in [
        "".to_owned(),
        bearer(&token(&[], &["*"])),
        bearer(&bad_token()),
    ] {
        let answer = server.ask(post_form(HUB, &fields, "topic=a")).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, "Unauthorized\n")
        );
        assert_eq!(answer.field("www-authenticate"), Some("Bearer"));
    }
}

/// By the real program: what a library logs inside one test depends on what the other tests, in
/// other threads, have logged before.
#[tokio::test]
async fn s19_answer_to_a_bad_token_says_nothing_and_the_log_says_why() {
    let keys = ["--publisher-jwt-key", KEY, "--subscriber-jwt-key", KEY];
    let (hub, url) = Program::serve(&[&keys[..], &["--log-level", "trace"]].concat());
    let address = url.trim_start_matches("http://").parse().unwrap();

    let (bad, target) = (bad_token(), format!("{HUB}?topic=a"));
    let by_header = ask(address, get(&target, &bearer(&bad))).await;
    let by_query = ask(address, get(&format!("{target}&authorization={bad}"), "")).await;
    let cookie = format!("Cookie: mercureAuthorization={bad}\r\n");
    let by_cookie = ask(address, get(&target, &cookie)).await;
    for answer in [&by_header, &by_query, &by_cookie] {
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, "Unauthorized\n")
        );
        assert!(!answer.head.contains(&bad[..20]));
    }
    let metrics = ask(address, get("/metrics", "")).await.body;
    assert!(
        metrics.contains("fanfare_auth_failures_total{role=\"subscriber\"} 3\n"),
        "{metrics}"
    );

    hub.signal(Signal::TERM);
    let log = hub.wait().stderr;
    assert_eq!(log.matches("signature").count(), 3, "{log}");
    // S7: no part of the token, header, payload or signature.
    for part in bad.split('.') {
        assert!(!log.contains(part), "{log}");
    }
}

const KEY: &str = "a key for tests, with enough bytes for HMAC";

/// Signed with another key.
fn bad_token() -> String {
    let token = NewToken {
        publish: vec!["*".to_owned()],
        subscribe: vec!["*".to_owned()],
        ..NewToken::default()
    };
    mint(
        &"another key, which is just as long as it".parse().unwrap(),
        token,
    )
    .unwrap()
}
