//! Both generations of Mercure on one URL, told apart by each request.

use fanfare::dialect::Dialects;
use serde_json::Value;

use crate::fixture::{HUB, bearer, get, post, serve, token};
use crate::program::{Program, fanfare};

const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";
const FORM: &str = "application/x-www-form-urlencoded";

/// A `QUERY` on the hub's URL.
fn query(target: &str, fields: &str, content_type: &str, body: &str) -> String {
    post(target, fields, content_type, body).replacen("POST", "QUERY", 1)
}

#[tokio::test]
async fn dx_13_one_event_reaches_both_dialects() {
    let server = serve(|_| {}).await;
    let mut zero = server.subscribe("topic=https://e.com/b/%7Bid%7D", "").await;
    let mut one = server
        .subscribe("match_urlpattern=https://e.com/b/:id", "")
        .await;
    server.publish("topic=https://e.com/b/1&id=1").await;
    for peer in [&mut zero, &mut one] {
        assert_eq!(peer.read_chunk().await, "id: 1\ndata: \n\n");
    }
}

#[tokio::test]
async fn dx_3_both_dialects_in_one_request_are_400() {
    let server = serve(|_| {}).await;
    for names in [
        "topic=a&match=b",
        "topic=a&MATCHING=b",
        "match_urlpattern=b&topic",
    ] {
        let answer = server.get(&format!("{HUB}?{names}")).await;
        assert_eq!(answer.status, 400, "{names}");
        assert!(
            answer.body.contains("`topic`") && answer.body.to_lowercase().contains("\"match"),
            "{}",
            answer.body
        );
    }
    let request = query(&format!("{HUB}?topic=a"), "", FORM, "match=b");
    assert_eq!(server.ask(request).await.status, 400);
    let request = query(HUB, "", FORM, "topic=b");
    assert_eq!(server.ask(request).await.status, 400);
}

#[tokio::test]
async fn dx_4_neither_dialect_is_401_or_400() {
    let server = serve(|config| config.anonymous = false).await;
    assert_eq!(server.get(HUB).await.status, 401);
    let granted = bearer(&token(&[], &["*"]));
    let answer = server.ask(get(HUB, &granted)).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body, "Missing \"topic\" parameter.\n");
}

#[tokio::test]
async fn d1_s1_query_unites_its_url_and_its_body() {
    let server = serve(|_| {}).await;
    let mut peer = server.connect().await;
    let target = format!("{HUB}?match=a");
    peer.send(query(
        &target,
        "",
        FORM,
        "match=b&match_urlpattern=https://e.com/:x",
    ))
    .await;
    let head = peer.read_head().await;
    assert_eq!(head.status, 200);
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    assert_eq!(peer.read_chunk().await, ":\n");
    server.wait_for_subscribers(1).await;
    for (id, topic) in [
        ("1", "a"),
        ("2", "b"),
        ("3", "https://e.com/c"),
        ("4", "d"),
        ("5", "b"),
    ] {
        server.publish(&format!("topic={topic}&id={id}")).await;
    }
    let got = peer.read_until("id: 5\n").await;
    for (id, there) in [(1, true), (2, true), (3, true), (4, false)] {
        assert_eq!(got.contains(&format!("id: {id}\n")), there, "{got}");
    }
}

#[tokio::test]
async fn d1_s1_cursor_of_a_query() {
    let server = serve(|_| {}).await;
    server.publish("topic=a&id=1").await;
    server.publish("topic=a&id=2").await;
    let cursor_of = async |target: &str, fields: &str, body: &str| {
        let mut peer = server.connect().await;
        peer.send(query(target, fields, FORM, body)).await;
        let head = peer.read_head().await;
        head.field("mercure-last-event-id").map(str::to_owned)
    };
    let found = |id: &str| Some(id.to_owned());
    let url = format!("{HUB}?match=a&last_event_id=2");
    assert_eq!(
        cursor_of(HUB, "", "match=a&last_event_id=1").await,
        found("1")
    );
    assert_eq!(cursor_of(&url, "", "last_event_id=1").await, found("2"));
    let header = "Last-Event-ID: 1\r\n";
    assert_eq!(cursor_of(&url, header, "last_event_id=2").await, found("1"));
    assert_eq!(cursor_of(HUB, "", "match=a").await, None);
}

#[tokio::test]
async fn d1_s1_body_of_a_query_is_a_form_of_limited_size() {
    let server = serve(|config| config.body_bytes_max = 1000).await;
    for content_type in ["application/json", "text/plain", "multipart/form-data"] {
        let answer = server.ask(query(HUB, "", content_type, "match=a")).await;
        assert_eq!(answer.status, 415, "{content_type}");
    }
    let long = format!("match={}", "a".repeat(1000));
    assert_eq!(server.ask(query(HUB, "", FORM, &long)).await.status, 413);
    assert_eq!(
        server.ask(query(HUB, "", FORM, "match=%zz")).await.status,
        400
    );
    assert_eq!(
        server.ask(query(HUB, "", FORM, "")).await.status,
        400,
        "no matcher"
    );
    assert_eq!(
        server
            .ask(query("/events", "", FORM, "match=a"))
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn d1_s3_s4_s5_bad_matchers_are_400() {
    let server = serve(|_| {}).await;
    let many = vec!["match=a"; 101].join("&");
    let long = format!("match={}", "a".repeat(4097));
    for bad in [
        "Match=a",
        "matchURLPattern=a",
        "match_regexp=a",
        "matching=a",
        "match=a%0ab",
        "match=%e2%80%8b",
        "match=%ff",
        "match_urlpattern=%7Bunclosed",
        &many,
        &long,
    ] {
        let answer = server.get(&format!("{HUB}?{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.field("content-type").is_some());
        // D1-S4: never the compiler's own message.
        assert!(
            !answer.body.to_lowercase().contains("tokenizer"),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn d1_h1_answer_to_a_cursor() {
    let server = serve(|_| {}).await;
    server.publish("topic=a&id=1").await;
    for (target, fields, expected) in [
        ("match=a", "", None),
        ("match=a&last_event_id=1", "", Some("1")),
        ("match=a&last_event_id=", "", Some("earliest")),
        ("match=a&last_event_id=unknown", "", Some("earliest")),
        ("match=a&last_event_id=earliest", "", Some("earliest")),
        ("match=a", "Last-Event-ID:\r\n", Some("earliest")),
        ("match=a&last_event_id=x", "Last-Event-ID: 1\r\n", Some("1")),
        ("match=a&last_event_id=1", "Last-Event-ID: \r\n", Some("1")),
        ("match=a&lastEventID=1", "", None),
        ("topic=a&lastEventID=", "", None),
        ("topic=a&lastEventID=1", "", Some("1")),
    ] {
        let (head, _) = server.stream(&format!("{HUB}?{target}"), fields).await;
        assert_eq!(
            head.field("mercure-last-event-id"),
            expected,
            "{target} {fields}"
        );
        assert_eq!(
            head.field("last-event-id"),
            expected,
            "DX-13: {target} {fields}"
        );
    }
}

#[tokio::test]
async fn d1_m3_d1_g3_relative_pattern_resolves_on_the_url_of_the_request() {
    let server = serve(|_| {}).await;
    let mut peer = server.subscribe("match_urlpattern=/books/:id", "").await;
    for (id, topic) in [
        ("1", "https://hub.example/books/1"),
        ("2", "/books/2"),
        ("3", "http://hub.example/books/3"),
        ("4", "http://other.example/books/4"),
    ] {
        server.publish(&format!("topic={topic}&id={id}")).await;
    }
    server.publish("topic=/books/end&id=end").await;
    let got = peer.read_until("id: end\n").await;
    assert!(got.contains("id: 2\n") && got.contains("id: 3\n"), "{got}");
    assert!(
        !got.contains("id: 1\n") && !got.contains("id: 4\n"),
        "{got}"
    );
}

#[tokio::test]
async fn pinned_hub_speaks_one_dialect() {
    let zero = serve(|config| config.dialects = Dialects::D0).await;
    assert_eq!(zero.get(&format!("{HUB}?match=a")).await.status, 400);
    zero.subscribe("topic=a&match=b", "").await;
    let answer = zero.ask(query(HUB, "", FORM, "match=a")).await;
    assert_eq!(
        (answer.status, answer.field("allow")),
        (405, Some("GET, HEAD, POST"))
    );

    let one = serve(|config| config.dialects = Dialects::D1).await;
    assert_eq!(one.get(&format!("{HUB}?topic=a")).await.status, 400);
    let answer = one
        .ask(format!("PUT {HUB} HTTP/1.1\r\nHost: h\r\n\r\n"))
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (405, ""));
    assert_eq!(answer.field("allow"), Some("GET, HEAD, QUERY"));
    one.subscribe("match=a&topic=b", "").await;
}

#[tokio::test]
async fn d1_g4_hub_path_is_configured() {
    let server = serve(|config| {
        config.hub_path = "/push/hub".to_owned();
        config.subscriptions = true;
    })
    .await;
    server.stream("/push/hub?topic=a", "").await;
    let elsewhere = server.get(&format!("{HUB}?topic=a")).await;
    assert_eq!(elsewhere.status, 404);
    assert!(elsewhere.body.contains("there are /push/hub, "));
    let all = bearer(&token(&["*"], &["*"]));
    let publish = |topic: &str| post("/push/hub", &all, FORM, &format!("topic={topic}"));
    assert_eq!(
        server.ask(publish("/push/hub/x")).await.status,
        403,
        "D1-P9"
    );
    assert_eq!(
        server.ask(publish("/.well-known/mercure/x")).await.status,
        200
    );
    assert_eq!(
        server
            .ask(get("/push/hub/subscriptions", &all))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn d1_e8_other_hosts_are_misdirected() {
    let public = "https://hub.example".parse().unwrap();
    let server = serve(|config| config.public_urls = vec![public]).await;
    server.subscribe("match=a", "").await;
    let elsewhere = |request: String| request.replace("hub.example", "other.example");
    for request in [
        get(&format!("{HUB}?match=a"), ""),
        get(&format!("{HUB}?topic=a"), ""),
        post(HUB, &bearer(&token(&["*"], &[])), FORM, "topic=a"),
    ] {
        assert_eq!(server.ask(elsewhere(request)).await.status, 421);
    }
    assert_eq!(server.ask(elsewhere(get("/healthz", ""))).await.status, 200);
}

#[test]
fn d1_l1_commands_find_a_hub_at_another_path() {
    let flags = ["--dev", "--hub-path=/push", "--publisher-jwt-key", KEY];
    let (_hub, url) = Program::serve(&flags);
    let url = format!("{url}/push");
    let token = fanfare(&["token", "--key", KEY, "--publish", "*"]).stdout;
    let token = token.trim();
    let published = fanfare(&["publish", "t", "data", "--url", &url, "--token", token]);
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    let arguments = ["subscribe", "--match=t", "--last-event-id=earliest"];
    let subscriber = Program::start(&[&arguments[..], &["--json", "--url", &url]].concat());
    let event: Value = serde_json::from_str(&subscriber.line()).unwrap();
    assert_eq!(event["id"], published.stdout.trim());
    let inspected = fanfare(&["token", "inspect", token, "--hub", &url]);
    assert_eq!(inspected.code, Some(0), "{}", inspected.stderr);
    let line = "as a publisher: taken";
    assert!(inspected.stdout.contains(line), "{}", inspected.stdout);
}
