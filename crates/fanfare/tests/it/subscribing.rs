//! Subscribing on the hub's URL and on `/events`.

use std::time::Duration;

use fanfare_broker::{Publication, Topic};
use fanfare_wire::Event;

use crate::fixture::{HUB, bearer, get, serve, token, token_for};

#[tokio::test]
async fn d0_s8_head_and_d0_s5_first_bytes_of_a_stream() {
    let server = serve(|_| {}).await;
    let (head, mut peer) = server.stream(&format!("{HUB}?topic=a"), "").await;
    let fields: Vec<_> = head
        .head
        .lines()
        .filter(|line| !line.starts_with("date: "))
        .collect();
    assert_eq!(
        fields,
        [
            "HTTP/1.1 200 OK",
            "connection: keep-alive",
            "content-type: text/event-stream",
            "cache-control: private, no-cache, no-store, must-revalidate, max-age=0, no-transform",
            "pragma: no-cache",
            "expire: 0",
            "x-accel-buffering: no",
            "x-frame-options: DENY",
            "x-content-type-options: nosniff",
            "x-xss-protection: 1; mode=block",
            "referrer-policy: no-referrer",
            "content-security-policy: default-src 'self'",
            "transfer-encoding: chunked",
            "",
        ]
    );
    assert_eq!(peer.read_chunk().await, ":\n");
}

#[tokio::test]
async fn srv_02_head_and_greeting_of_events() {
    let server = serve(|_| {}).await;
    let (head, mut peer) = server.stream("/events", "").await;
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    assert_eq!(
        head.field("cache-control"),
        Some("no-cache, no-store, no-transform")
    );
    assert_eq!(head.field("x-accel-buffering"), Some("no"));
    assert_eq!(head.field("last-event-id"), Some("earliest"));
    assert_eq!(peer.read_chunk().await, ": connection established\n");
}

#[tokio::test]
async fn srv_05_every_stream_begins_with_a_retry_of_its_own() {
    let server = serve(|config| config.retry_hint = true).await;
    let mut hints = Vec::new();
    for _ in 0..8 {
        let (_, mut peer) = server.stream("/events", "").await;
        let first = peer.read_chunk().await;
        let hint = first
            .strip_prefix(": connection established\nretry: ")
            .unwrap();
        let hint: u32 = hint.strip_suffix("\n\n").unwrap().parse().unwrap();
        assert!((2000..=6000).contains(&hint), "{hint}");
        hints.push(hint);
    }
    hints.dedup();
    assert!(hints.len() > 1, "all hints are {hints:?}");
}

#[tokio::test]
async fn op_17_no_event_gets_a_retry_that_its_publisher_did_not_give() {
    let server = serve(|config| config.retry_hint = true).await;
    let (_, mut peer) = server.stream(&format!("{HUB}?topic=t"), "").await;
    let first = peer.read_chunk().await;
    assert!(first.starts_with(":\nretry: "), "{first}");
    server.publish("topic=t&id=1&data=x").await;
    assert_eq!(peer.read_chunk().await, "id: 1\ndata: x\n\n");
    server.publish("topic=t&id=2&data=x&retry=0").await;
    assert_eq!(peer.read_chunk().await, "id: 2\ndata: x\n\n");
    server.publish("topic=t&id=3&data=x&retry=9").await;
    assert_eq!(peer.read_chunk().await, "retry: 9\nid: 3\ndata: x\n\n");
}

#[tokio::test]
async fn d0_s1_no_topic_is_400() {
    let server = serve(|_| {}).await;
    for target in [
        HUB.to_owned(),
        format!("{HUB}?data=1"),
        format!("{HUB}?topic=%zz"),
    ] {
        let answer = server.get(&target).await;
        assert_eq!(answer.status, 400, "{target}");
        assert_eq!(answer.body, "Missing \"topic\" parameter.\n");
        assert_eq!(
            answer.field("content-type"),
            Some("text/plain; charset=utf-8")
        );
    }
}

#[tokio::test]
async fn d0_s2_more_than_a_thousand_topics_is_400() {
    let server = serve(|_| {}).await;
    let query = |count: usize| vec!["topic=a"; count].join("&");
    let answer = server.get(&format!("{HUB}?{}", query(1001))).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body, "Too many \"topic\" parameters.\n");
    server.subscribe(&query(1000), "").await;

    let answer = server.get(&format!("/events?{}", query(1001))).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("at most 1000 topics"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn bad_utf_8_in_a_topic_is_400_and_says_so() {
    let server = serve(|_| {}).await;
    for path in [HUB, "/events"] {
        let answer = server.get(&format!("{path}?topic=%FF")).await;
        assert_eq!(answer.status, 400);
        assert!(
            answer.body.contains("`topic` must be UTF-8"),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn d0_s3_token_before_topics() {
    let server = serve(|config| config.anonymous = false).await;
    assert_eq!(server.get(HUB).await.status, 401);
    let with_token = get(HUB, &bearer(&token(&[], &["*"])));
    assert_eq!(server.ask(with_token).await.status, 400);
}

#[tokio::test]
async fn d0_s4_unknown_and_broken_parameters_are_ignored() {
    let server = serve(|_| {}).await;
    let query = "x=1&topic=%zz&topic=a;b&topic=a&authorization";
    // `authorization` without a value is a token that is too short.
    assert_eq!(server.get(&format!("{HUB}?{query}")).await.status, 401);
    let query = "x=1&topic=%zz&topic=a;b&topic=a&Last-Event-ID=&lastEventID=";
    let mut peer = server.subscribe(query, "").await;
    server.publish("topic=a&data=x&id=1").await;
    assert_eq!(peer.read_chunk().await, "id: 1\ndata: x\n\n");
}

#[tokio::test]
async fn d0_w1_an_event_on_the_wire() {
    let server = serve(|_| {}).await;
    let mut peer = server
        .subscribe("topic=https%3A%2F%2Fexample.com%2F%7Bid%7D", "")
        .await;
    let form = "topic=https%3A%2F%2Fexample.com%2F1&type=price&retry=5000&id=tick-77\
                &data=first+line%0D%0Asecond%0A%0A++indented%0D";
    assert_eq!(server.publish(form).await.body, "tick-77");
    assert_eq!(
        peer.read_chunk().await,
        "event: price\nretry: 5000\nid: tick-77\ndata: first line\ndata: second\ndata: \n\
         data:   indented\ndata: \n\n"
    );
}

#[tokio::test]
async fn d0_s6_stream_ends_with_its_token() {
    let server = serve(|_| {}).await;
    let bearer = bearer(&token_for(&["*"], Duration::from_secs(2)));
    let mut peer = server.subscribe("topic=a", &bearer).await;
    let rest = peer.read_to_end().await;
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
    server.wait_for_subscribers(0).await;
}

#[tokio::test]
async fn events_without_topic_are_broadcast() {
    let server = serve(|_| {}).await;
    let (_, mut peer) = server.stream("/events", "").await;
    peer.read_chunk().await;
    server.publish("topic=elsewhere&data=0&id=0").await;
    server.publish("topic=broadcast&data=1&id=1").await;
    assert_eq!(peer.read_chunk().await, "id: 1\ndata: 1\n\n");
}

#[tokio::test]
async fn events_with_a_user_need_a_grant_for_it() {
    let server = serve(|_| {}).await;
    let target = "/events?topic=a&userId=42";
    assert_eq!(server.get(target).await.status, 401);
    let other = bearer(&token(&[], &["user/41"]));
    assert_eq!(server.ask(get(target, &other)).await.status, 403);

    let own = bearer(&token(&[], &["user/{id}"]));
    let (_, mut peer) = server.stream(target, &own).await;
    peer.read_chunk().await;
    server.publish("topic=user/41&private&data=1&id=1").await;
    server.publish("topic=user/42&private&data=2&id=2").await;
    assert_eq!(peer.read_chunk().await, "id: 2\ndata: 2\n\n");
}

#[tokio::test]
async fn events_with_a_bad_user_are_400() {
    let server = serve(|_| {}).await;
    for user_id in ["%7Bid%7D", "a%0Ab", &"x".repeat(257)] {
        let answer = server.get(&format!("/events?userId={user_id}")).await;
        assert_eq!(answer.status, 400, "{user_id}");
        assert!(answer.body.contains("userId"));
    }
}

#[tokio::test]
async fn hubs_embedded_ids_that_no_header_can_hold_are_answered_as_unknown() {
    let server = serve(|_| {}).await;
    let mut event = Event::new("x");
    event.id = Some(fanfare_wire::EventId::parse("a\u{7f}b").unwrap());
    let publication = Publication::new(Topic::parse("a").unwrap(), event);
    server.hub.publish(vec![publication]).await[0]
        .as_ref()
        .unwrap();
    let target = format!("{HUB}?topic=a&lastEventID=a%7Fb");
    let (head, _) = server.stream(&target, "").await;
    assert_eq!(head.field("last-event-id"), Some("earliest"));
}
