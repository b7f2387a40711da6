//! CC-58 to CC-77: what is requested, and when again.

use fanfare_testkit::raw_http::RawPeer;
use serde_json::json;

use crate::harness::{Harness, event, event_of};

/// The value of the field `name` in a head in lower case.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields
        .find(|(field, _)| *field == name)
        .map(|(_, value)| value)
}

async fn cut(mut peer: RawPeer) {
    peer.finish().await;
}

#[tokio::test]
async fn cc_58_a_plain_request() {
    let harness = Harness::start().await;
    harness.create(json!({})).await;
    let (head, _peer) = harness.open().await;
    assert!(head.starts_with("get / http/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "accept"), Some("text/event-stream"));
    assert_eq!(field(&head, "cache-control"), Some("no-cache"));
    assert_eq!(field(&head, "last-event-id"), None);
}

#[tokio::test]
async fn cc_59_204_is_the_last_request() {
    let mut harness = Harness::start().await;
    harness.create(json!({})).await;
    let (_, mut peer) = harness.request().await;
    peer.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        .await;
    cut(peer).await;
    // The source has ended, and a restart does not wake it: the next request is another one's.
    let (status, path) = (
        harness
            .ask("POST", "/streams/1", r#"{"command":"restart"}"#)
            .await
            .status,
        "/streams/1",
    );
    assert_eq!((status, path), (202, "/streams/1"));
    harness.create(json!({ "lastEventId": "marker" })).await;
    let (head, mut peer) = harness.open().await;
    assert_eq!(field(&head, "last-event-id"), Some("marker"));
    peer.send("data: Hello\n\n").await;
    harness
        .expect(&event_of("message", "Hello", "marker"))
        .await;
}

#[tokio::test]
async fn cc_60_cc_61_redirects() {
    for status in [301, 307] {
        let mut harness = Harness::start().await;
        harness.create(json!({})).await;
        let (_, mut peer) = harness.request().await;
        let location = format!("{}elsewhere", harness.stream_url());
        peer.send(format!(
            "HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ))
        .await;
        cut(peer).await;
        let (head, mut peer) = harness.open().await;
        assert!(head.starts_with("get /elsewhere "), "{head}");
        peer.send("data: Hello\n\n").await;
        harness.expect(&event("Hello")).await;
    }
}

#[tokio::test]
async fn cc_62_to_cc_65_redirects_that_lead_nowhere() {
    for status in [301, 307] {
        for location in ["Location:\r\n", ""] {
            let mut harness = Harness::start().await;
            harness.create(json!({})).await;
            let (_, mut peer) = harness.request().await;
            peer.send(format!(
                "HTTP/1.1 {status} X\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n"
            ))
            .await;
            harness.error().await;
        }
    }
}

#[tokio::test]
async fn cc_66_headers() {
    let harness = Harness::start().await;
    harness
        .create(json!({ "headers": { "x-one": "1", "x-two": "2" } }))
        .await;
    let (head, _peer) = harness.open().await;
    assert_eq!(field(&head, "x-one"), Some("1"));
    assert_eq!(field(&head, "x-two"), Some("2"));
}

#[tokio::test]
async fn cc_67_cc_68_methods_and_bodies() {
    for method in ["POST", "REPORT"] {
        let harness = Harness::start().await;
        harness
            .create(json!({
                "method": method,
                "body": "{\"a\":1}",
                "headers": { "content-type": "application/json; charset=utf-8" },
            }))
            .await;
        let (head, mut peer) = harness.request().await;
        assert!(head.starts_with(&method.to_lowercase()), "{head}");
        assert_eq!(
            field(&head, "content-type"),
            Some("application/json; charset=utf-8")
        );
        assert_eq!(field(&head, "content-length"), Some("7"));
        assert_eq!(peer.read_exactly(7).await, b"{\"a\":1}");
    }
}

#[tokio::test]
async fn cc_69_a_starting_id() {
    let harness = Harness::start().await;
    harness.create(json!({ "lastEventId": "abc" })).await;
    let (head, _peer) = harness.open().await;
    assert_eq!(field(&head, "last-event-id"), Some("abc"));
}

#[tokio::test]
async fn cc_70_a_restart_is_no_error() {
    let mut harness = Harness::start().await;
    let path = harness.create(json!({})).await;
    let (_, mut first) = harness.open().await;
    first.send("data: Hello\n\n").await;
    harness.expect(&event("Hello")).await;
    let answer = harness.ask("POST", &path, r#"{"command":"restart"}"#).await;
    assert_eq!(answer.status, 202);
    let (_, mut second) = harness.open().await;
    second.send("data: World\n\n").await;
    harness.expect(&event("World")).await;
}

#[tokio::test]
async fn cc_71_to_cc_73_the_id_of_a_reconnect() {
    let abc = event_of("message", "Hello", "abc");
    let kept = event_of("message", "World", "abc");
    let cleared = event("World");
    let cases: [(&str, &[_], Option<&str>); 3] = [
        ("id: abc\ndata: Hello\n\n", &[&abc], Some("abc")),
        (
            "id: abc\ndata: Hello\n\ndata: World\n\n",
            &[&abc, &kept],
            Some("abc"),
        ),
        (
            "id: abc\ndata: Hello\n\nid: \ndata: World\n\n",
            &[&abc, &cleared],
            None,
        ),
    ];
    for (stream, events, expected) in cases {
        let mut harness = Harness::start().await;
        harness.create(json!({})).await;
        let (_, mut peer) = harness.open().await;
        peer.send(stream).await;
        for event in events {
            harness.expect(event).await;
        }
        cut(peer).await;
        let (head, _peer) = harness.open().await;
        assert_eq!(field(&head, "last-event-id"), expected);
    }
}

#[tokio::test]
async fn cc_74_a_post_is_repeated_as_it_was() {
    let harness = Harness::start().await;
    harness
        .create(json!({ "method": "POST", "body": "again" }))
        .await;
    for _ in 0..2 {
        let (head, mut peer) = harness.open().await;
        assert!(head.starts_with("post / "), "{head}");
        assert_eq!(peer.read_exactly(5).await, b"again");
        cut(peer).await;
    }
}

#[tokio::test]
async fn cc_75_silence_is_a_loss() {
    let mut harness = Harness::start().await;
    harness.create(json!({ "readTimeoutMs": 500 })).await;
    let (_, mut peer) = harness.open().await;
    peer.send("data: Hello\n\n").await;
    harness.expect(&event("Hello")).await;
    harness.error().await;
    harness.open().await;
}

#[tokio::test]
async fn cc_76_a_block_that_was_cut_off_does_not_count() {
    let mut harness = Harness::start().await;
    harness.create(json!({})).await;
    let (_, mut first) = harness.open().await;
    first
        .send("id: abc\ndata: Hello\n\nid: def\ndata: Goodbye")
        .await;
    harness.expect(&event_of("message", "Hello", "abc")).await;
    cut(first).await;
    harness.error().await;
    let (head, mut second) = harness.open().await;
    assert_eq!(field(&head, "last-event-id"), Some("abc"));
    second.send("data: World\n\n").await;
    harness.expect(&event_of("message", "World", "abc")).await;
}

#[tokio::test]
async fn cc_77_one_error_between_two_connections() {
    let mut harness = Harness::start().await;
    harness.create(json!({})).await;
    let (_, mut first) = harness.open().await;
    first.send("id: abc\ndata: Hello\n\n").await;
    harness.expect(&event_of("message", "Hello", "abc")).await;
    cut(first).await;
    let (_, mut second) = harness.open().await;
    second.send("id: def\ndata: World\n\n").await;
    harness.error().await;
    harness.expect(&event_of("message", "World", "def")).await;
}

/// RC-31: the environment's proxy is asked, in capitals or not, and not for who is named.
#[tokio::test]
async fn cx_23_proxies_of_the_environment() {
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let variables = [(name, url.clone()), ("NO_PROXY", "127.0.0.1".to_owned())];
        let harness = Harness::start_with(&variables).await;
        harness
            .create(json!({ "streamUrl": "http://hub.example/x" }))
            .await;
        let (socket, _) = proxy.accept().await.unwrap();
        let line = RawPeer::from_socket(socket).read_until("\r\n").await;
        assert_eq!(line, "GET http://hub.example/x HTTP/1.1\r\n", "{name}");
        // Who is in `NO_PROXY` is gone to straight.
        harness.create(json!({})).await;
        harness.open().await;
    }
}
