//! The browser module as a file, and what streams say for its sake.

use std::time::Duration;

use fanfare::origins::Origins;

use crate::fixture::{HUB, get, serve, serve_hub};

const MODULE: &str = include_str!("../../../../web/fanfare.js");

#[tokio::test]
async fn module_is_served_with_its_type_and_asked_for_again_each_time() {
    let server = serve(|_| {}).await;
    let answer = server.get("/fanfare.js").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, MODULE));
    let javascript = "text/javascript; charset=utf-8";
    assert_eq!(answer.field("content-type"), Some(javascript));
    assert_eq!(answer.field("cache-control"), Some("no-cache"));
    let policy = "default-src 'none'; connect-src *";
    assert_eq!(answer.field("content-security-policy"), Some(policy));

    let tag = answer.field("etag").unwrap();
    for known in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let fields = format!("If-None-Match: {known}\r\n");
        let again = server.ask(get("/fanfare.js", &fields)).await;
        assert_eq!(
            (again.status, again.body.as_str()),
            (304, ""),
            "{}",
            again.head
        );
        assert_eq!(again.field("etag"), Some(tag));
    }
    let other = get("/fanfare.js", "If-None-Match: \"x\"\r\n");
    assert_eq!(server.ask(other).await.status, 200);
}

#[tokio::test]
async fn srv_18_pages_of_allowed_origins_may_import_the_module() {
    let app = "https://app.example".parse().unwrap();
    let server = serve(|config| config.cors_origins = Origins::new(vec![app])).await;
    for (origin, allowed) in [
        ("https://app.example", Some("https://app.example")),
        ("https://evil.example", None),
    ] {
        let fields = format!("Origin: {origin}\r\n");
        let answer = server.ask(get("/fanfare.js", &fields)).await;
        assert_eq!(answer.field("access-control-allow-origin"), allowed);
        assert_eq!(answer.field("vary"), Some("Origin"));
    }
}

#[tokio::test]
async fn srv_15_heartbeats_come_as_events_to_those_who_ask() {
    let mut hub = fanfare_hub::Config::default();
    hub.heartbeat = Duration::from_secs(1);
    let server = serve_hub(hub, |_| {}).await;
    let beat = "event: fanfare-heartbeat\ndata: {\"interval\":1000}\n\n";
    for target in [
        "/events?heartbeat=1".to_owned(),
        format!("{HUB}?topic=a&heartbeat=1"),
    ] {
        let (_, mut peer) = server.stream(&target, "").await;
        // One at the start, and one after each silence.
        peer.read_chunk().await;
        for _ in 0..2 {
            assert_eq!(peer.read_chunk().await, beat);
        }
    }
    let mut plain = server.subscribe("topic=a&heartbeat=0", "").await;
    assert_eq!(plain.read_chunk().await, ":\n");
}

#[tokio::test]
async fn who_comes_to_events_without_a_cursor_is_told_where_it_starts() {
    let server = serve(|_| {}).await;
    let start = async || {
        let (head, _) = server.stream("/events?topic=a", "").await;
        head.field("last-event-id").unwrap().to_owned()
    };
    assert_eq!(start().await, "earliest");
    let published = server.publish("topic=other&data=1").await.body;
    let place = start().await;
    assert_eq!(place, published);

    // It is cut off before its first event, and loses nothing.
    server.publish("topic=a&data=missed").await;
    let target = format!("/events?topic=a&lastEventId={place}");
    let (_, mut peer) = server.stream(&target, "").await;
    peer.read_until("data: missed\n").await;
}

#[tokio::test]
async fn a_private_id_is_never_where_somebody_starts() {
    let server = serve(|_| {}).await;
    server
        .publish("topic=a&data=1&private=on&id=whispered")
        .await;
    let (head, _) = server.stream("/events?topic=a", "").await;
    let place = head.field("last-event-id").unwrap();
    assert!(place.starts_with("urn:ff:"), "{place}");
}
