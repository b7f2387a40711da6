//! The browser module as a file, and what streams say for its sake.

use std::time::Duration;

use fanfare::origins::Origins;

use crate::fixture::{HUB, get, serve, serve_hub};

#[tokio::test]
async fn module_is_served_with_its_type_and_asked_for_again_each_time() {
    let server = serve(|_| {}).await;
    let answer = server.get("/fanfare.js").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("\nexport class Fanfare "));
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

#[tokio::test]
async fn srv_15_live_comes_once_after_what_was_missed() {
    let server = serve(|_| {}).await;
    let before = server.publish("topic=a&data=before").await.body;
    server.publish("topic=a&data=missed").await;
    let live = "event: fanfare-live\ndata: {}\n\n";
    for target in ["/events?topic=a".to_owned(), format!("{HUB}?topic=a")] {
        let (_, mut peer) = server
            .stream(&format!("{target}&live=1&lastEventId={before}"), "")
            .await;
        let read = peer.read_until("fanfare-live\ndata: {}\n\n").await;
        assert!(read.find("data: missed") < read.find(live), "{read}");
        server.publish("topic=a&data=new").await;
        let after = peer.read_until("data: new\n\n").await;
        assert!(!after.contains("fanfare-live"), "{after}");
    }
    // Who does not ask is not told.
    let (_, mut plain) = server.stream("/events?topic=a", "").await;
    server.publish("topic=a&data=last").await;
    let read = plain.read_until("data: last\n\n").await;
    assert!(!read.contains("fanfare-live"), "{read}");
}

#[tokio::test]
async fn srv_26_poll_answers_with_what_was_missed_and_ends() {
    let server = serve(|_| {}).await;
    let before = server.publish("topic=a&data=before").await.body;
    for n in 0..3 {
        server.publish(&format!("topic=a&id={n}&data={n}")).await;
    }
    let first = ": connection established\nretry: 1000\n\n";
    // Neither heartbeats nor the news that it is live are events to wait for.
    let fields = format!("Last-Event-ID: {before}\r\n");
    let mut peer = server.connect().await;
    peer.send(get("/events?topic=a&heartbeat=1&live=1&poll=1", &fields))
        .await;
    let answer = peer.read_answer().await;
    let missed = "id: 0\ndata: 0\n\nid: 1\ndata: 1\n\nid: 2\ndata: 2\n\n";
    assert_eq!(answer.body, format!("{first}{missed}"));
    assert_eq!(answer.field("content-type"), Some("text/event-stream"));
    assert_eq!(answer.field("last-event-id"), Some(before.as_str()));
    let length = answer.body.len().to_string();
    assert_eq!(answer.field("content-length"), Some(length.as_str()));
    assert_eq!(answer.field("transfer-encoding"), None);

    // The next piece is asked for on the same connection, and waits for an event.
    peer.send(get("/events?topic=a&poll=1", "Last-Event-ID: 2\r\n"))
        .await;
    server.wait_for_subscribers(1).await;
    server.publish("topic=a&id=3&data=3").await;
    let answer = peer.read_answer().await;
    assert_eq!(answer.body, format!("{first}id: 3\ndata: 3\n\n"));
    server.wait_for_subscribers(0).await;

    // A gap is an event too.
    peer.send(get("/events?topic=a&poll=1&lastEventId=lost", ""))
        .await;
    let answer = peer.read_answer().await;
    let gap = format!("{first}event: fanfare-gap\n");
    assert!(answer.body.starts_with(&gap), "{}", answer.body);
}
