//! The fast lane and the hyper lane answer with the same bytes.

use fanfare_testkit::raw_http::{Answer, RawPeer};

use crate::fixture::{HUB, Server, bearer, get, serve, token};

fn without_date(text: &str) -> String {
    let masked = text
        .split_inclusive("\r\n")
        .map(|line| match line.strip_prefix("date: ") {
            Some(date) => {
                assert_eq!(
                    date.len(),
                    "Tue, 15 Nov 1994 08:12:31 GMT\r\n".len(),
                    "{date}"
                );
                "date: *\r\n"
            }
            None => line,
        });
    masked.collect()
}

/// A connection whose first request is over, so that the next one is hyper's.
async fn kept_alive(server: &Server) -> RawPeer {
    let mut peer = server.connect().await;
    peer.send(get("/healthz", "")).await;
    assert_eq!(peer.read_answer().await.status, 200);
    peer
}

#[tokio::test]
async fn both_lanes_send_the_same_bytes() {
    let cors = |config: &mut fanfare::server::Config| {
        let origins = vec!["https://app.example".parse().unwrap()];
        config.cors_origins = fanfare::origins::Origins::new(origins);
    };
    let granted = format!(
        "{}Origin: https://app.example\r\n",
        bearer(&token(&[], &["*"]))
    );
    for (target, fields) in [
        (format!("{HUB}?topic=t"), ""),
        (format!("{HUB}?topic=t&topic=%7Bid%7D"), granted.as_str()),
        ("/events?topic=t".to_owned(), granted.as_str()),
        ("/events?topic=t".to_owned(), "Connection: close\r\n"),
        (
            "/events?topic=t".to_owned(),
            "Accept: text/event-stream\r\n",
        ),
    ] {
        let server = serve(cors).await;
        let mut fast = server.connect().await;
        let mut slow = kept_alive(&server).await;
        fast.send(get(&target, fields)).await;
        slow.send(get(&target, fields)).await;
        server.wait_for_subscribers(2).await;
        // Sizes of chunks that have letters in them. Each event is awaited, for events that wait
        // together may share a chunk.
        for length in [1, 0xa, 0xab, 0xabc] {
            server
                .publish(&format!("topic=t&data={}", "y".repeat(length)))
                .await;
            let end = format!("data: {}\n\n\r\n", "y".repeat(length));
            let (fast, slow) = (fast.read_until(&end).await, slow.read_until(&end).await);
            assert_eq!(without_date(&fast), without_date(&slow), "{target}");
        }
    }
}

/// What was missed may be cut into other chunks; the head and the events are the same.
#[tokio::test]
async fn both_lanes_resume_with_the_same_events() {
    let server = serve(|_| {}).await;
    server.publish("topic=t&id=before&data=x").await;
    for n in 0..100 {
        server.publish(&format!("topic=t&id={n}&data=x")).await;
    }
    server.publish("topic=t&id=last&data=x").await;
    for (target, fields) in [
        (format!("{HUB}?topic=t"), "Last-Event-ID: before\r\n"),
        (format!("{HUB}?topic=t&lastEventID=earliest"), ""),
        ("/events?topic=t&lastEventId=50".to_owned(), ""),
    ] {
        let mut answers = Vec::new();
        for mut peer in [server.connect().await, kept_alive(&server).await] {
            peer.send(get(&target, fields)).await;
            let mut text = without_date(&peer.read_head().await.head);
            while !text.ends_with("id: last\ndata: x\n\n") {
                text.push_str(&peer.read_chunk().await);
            }
            answers.push(text);
        }
        assert_eq!(answers[0], answers[1], "{target}");
    }
}

#[tokio::test]
async fn both_lanes_refuse_with_the_same_bytes() {
    let server = serve(|_| {}).await;
    for (target, fields) in [
        (HUB, ""),
        ("/events?topic=%FF", ""),
        ("/events?userId=1", ""),
        ("/events", "Last-Event-ID: 1\r\nLast-Event-ID: 2\r\n"),
    ] {
        let mut slow = kept_alive(&server).await;
        slow.send(get(target, fields)).await;
        let slow = slow.read_answer().await;
        let fast = server.ask(get(target, fields)).await;
        assert!(fast.status >= 400);
        assert_eq!(without_date(&fast.head), without_date(&slow.head));
        assert_eq!(fast.body, slow.body);
    }
}

#[tokio::test]
async fn refused_first_request_is_counted_once_and_the_connection_lives() {
    let server = serve(|_| {}).await;
    let mut peer = server.connect().await;
    peer.send(get(HUB, "Authorization: Basic x\r\n")).await;
    assert_eq!(peer.read_answer().await.status, 401);
    peer.send(get("/metrics", "")).await;
    let metrics = peer.read_answer().await.body;
    for line in [
        "fanfare_auth_failures_total{role=\"subscriber\"} 1\n",
        "fanfare_refusals_total{reason=\"unauthorized\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test]
async fn srv_20_http_1_0_has_no_chunks_and_ends_with_the_connection() {
    let server = serve(|_| {}).await;
    let request = format!("GET {HUB}?topic=t HTTP/1.0\r\n\r\n");
    let mut fast = server.connect().await;
    fast.send(&request).await;
    let mut slow = server.connect().await;
    slow.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        .await;
    assert_eq!(slow.read_answer().await.status, 200);
    slow.send(&request).await;
    server.wait_for_subscribers(2).await;
    server.publish("topic=t&id=1&data=x").await;

    let end = "id: 1\ndata: x\n\n";
    let (fast, slow) = (fast.read_until(end).await, slow.read_until(end).await);
    assert_eq!(without_date(&fast), without_date(&slow));
    let (head, body) = fast.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.0 200 OK\r\nconnection: close\r\n"),
        "{head}"
    );
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert_eq!(body, ":\nid: 1\ndata: x\n\n");
}

#[tokio::test]
async fn srv_16_head_answers_as_get_would_and_subscribes_nobody() {
    let server = serve(|_| {}).await;
    server.publish("topic=t&id=1").await;
    for target in [format!("{HUB}?topic=t"), "/events".to_owned()] {
        let fields = "Last-Event-ID: 1\r\n";
        let (stream, peer) = server.stream(&target, fields).await;
        let mut other = server.connect().await;
        other
            .send(get(&target, fields).replacen("GET", "HEAD", 1))
            .await;
        let head = other.read_head().await;
        assert_eq!(head.field("last-event-id"), Some("1"));
        let framing = |answer: &Answer| {
            let head = without_date(&answer.head);
            let lines = head
                .lines()
                .filter(|line| !line.starts_with("transfer-encoding"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(framing(&head), framing(&stream));
        drop(peer);
        server.wait_for_subscribers(0).await;
        // No body follows: the next answer begins at once.
        other.send(get("/healthz", "")).await;
        assert_eq!(other.read_head().await.status, 200);
    }
    let mut peer = server.connect().await;
    peer.send(get(HUB, "").replacen("GET", "HEAD", 1)).await;
    assert_eq!(peer.read_head().await.status, 400);
}

#[tokio::test]
async fn head_in_pieces_is_read_like_a_whole_one() {
    let server = serve(|_| {}).await;
    let mut peer = server.connect().await;
    peer.socket().set_nodelay(true).unwrap();
    for byte in get("/events", "X: y\r\n").as_bytes() {
        peer.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(peer.read_head().await.status, 200);
    assert_eq!(peer.read_chunk().await, ": connection established\n");
}

#[tokio::test]
async fn what_follows_a_subscribe_request_waits_and_harms_nothing() {
    let server = serve(|_| {}).await;
    let mut peer = server.connect().await;
    peer.send([get("/events", ""), get("/healthz", "")].concat())
        .await;
    assert_eq!(peer.read_head().await.status, 200);
    assert_eq!(peer.read_chunk().await, ": connection established\n");
    // Later bytes on a shard's socket as well.
    let (_, mut peer) = server.stream("/events", "").await;
    peer.read_chunk().await;
    peer.send(get("/healthz", "")).await;
    server.publish("topic=broadcast&id=1").await;
    assert_eq!(peer.read_chunk().await, "id: 1\ndata: \n\n");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = serve(|_| {}).await;
    let mut peer = server.connect().await;
    peer.send([get("/healthz", ""), get("/nowhere", ""), get("/readyz", "")].concat())
        .await;
    for status in [200, 404, 200] {
        assert_eq!(peer.read_answer().await.status, status);
    }
}
