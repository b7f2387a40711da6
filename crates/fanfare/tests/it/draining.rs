//! The stop signal: streams end in order, newcomers are told to come back, the listener goes last.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::fixture::{HUB, get, serve};

#[tokio::test]
async fn srv_10_streams_get_a_hint_and_a_clean_end() {
    let mut server = serve(|config| config.drain = Duration::from_millis(300)).await;
    let mut fast = server.subscribe("topic=a", "").await;
    let mut slow = server.connect().await;
    slow.send(get("/healthz", "")).await;
    slow.read_answer().await;
    slow.send(get(&format!("{HUB}?topic=a"), "")).await;
    slow.read_until(":\n\r\n").await;
    server.wait_for_subscribers(2).await;
    let address = server.address;
    server.stop();
    for peer in [&mut fast, &mut slow] {
        let last = peer.read_to_end().await;
        assert!(last.contains("retry: "), "{last:?}");
        assert!(last.ends_with("\r\n0\r\n\r\n"), "{last:?}");
    }
    let drained = server.stopped().await;
    assert_eq!((drained.ended, drained.cut), (2, 0));
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the listener is closed"
    );
}

#[tokio::test]
async fn srv_08_newcomers_are_told_to_come_back_while_it_lasts() {
    let mut server = serve(|config| config.drain = Duration::from_secs(3)).await;
    let mut stream = server.subscribe("topic=a", "").await;
    server.wait_for_subscribers(1).await;
    server.stop();
    let deadline = Instant::now() + Duration::from_secs(3);
    while server.get("/readyz").await.status != 503 {
        assert!(Instant::now() < deadline, "readiness stays green");
    }
    assert_eq!(server.get("/healthz").await.status, 200);
    let browser = server
        .ask(get("/events", "Accept: text/event-stream\r\n"))
        .await;
    assert_eq!(browser.status, 200);
    assert_eq!(browser.field("content-type"), Some("text/event-stream"));
    let hint = browser
        .body
        .strip_prefix("retry: ")
        .unwrap()
        .split('\n')
        .next()
        .unwrap();
    assert!(
        (10_000..=60_000).contains(&hint.parse::<u32>().unwrap()),
        "{hint}"
    );
    assert!(
        browser.body.contains("\n\n: the hub is draining\n"),
        "{}",
        browser.body
    );

    let program = server.get("/events").await;
    assert_eq!(program.status, 503);
    assert!(program.field("retry-after").is_some());
    let publish = server.publish("topic=a").await;
    assert_eq!(publish.status, 503);
    assert!(publish.field("retry-after").is_some());
    stream.read_to_end().await;
    server.stopped().await;
}

#[tokio::test]
async fn idle_connections_end_with_the_drain() {
    let mut server = serve(|config| config.drain = Duration::from_millis(10)).await;
    let mut idle = server.connect().await;
    idle.send(get("/healthz", "")).await;
    idle.read_answer().await;
    let mut silent = server.connect().await;
    server.get("/healthz").await;
    server.stop();
    assert_eq!(idle.read_to_end().await, "");
    assert_eq!(silent.read_to_end().await, "");
    server.stopped().await;
}
