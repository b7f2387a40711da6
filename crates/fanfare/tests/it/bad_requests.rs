//! What is no request, or one for nothing that exists.

use std::time::Duration;

use fanfare_testkit::raw_http::Answer;

use crate::fixture::{HUB, bearer, get, post_form, serve, token};

#[tokio::test]
async fn s23_unparseable_request_is_400_with_advice_and_the_end() {
    let server = serve(|_| {}).await;
    for (request, says) in [
        (&b"hello\r\n\r\n"[..], "GET /events HTTP/1.1"),
        (b"GET  /events HTTP/1.1\r\n\r\n", "not HTTP/1.1"),
        (b"GET /events HTTP/1.1\r\nfolded: a\r\n b\r\n\r\n", "not HTTP/1.1"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "looks like TLS"),
        (
            b"POST /broadcast HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "not both",
        ),
    ] {
        let mut peer = server.connect().await;
        peer.send(request).await;
        let answer = peer.read_answer().await;
        assert_eq!(answer.status, 400, "{}", answer.head);
        assert!(answer.body.contains(says), "{}", answer.body);
        peer.finish().await;
        assert_eq!(peer.read_to_end().await, "");
    }
}

/// The fast lane looked at the first length alone, and answered with a stream.
#[tokio::test]
async fn rfc_9112_lengths_that_differ_are_400() {
    let server = serve(|_| {}).await;
    for lengths in [["0", "7"], ["7", "0"]] {
        let fields = lengths.map(|length| format!("Content-Length: {length}\r\n"));
        let answer = server.ask(get("/events", &fields.concat())).await;
        assert_eq!(answer.status, 400, "{lengths:?}");
    }
}

#[tokio::test]
async fn rfc_9112_host_is_exactly_one() {
    let server = serve(|_| {}).await;
    for fields in ["", "Host: a\r\nHost: b\r\n"] {
        let request = format!("GET /events HTTP/1.1\r\n{fields}\r\n");
        let answer = server.ask(request).await;
        assert_eq!(answer.status, 400, "{fields}");
        assert!(answer.body.contains("Host"));
    }
}

#[tokio::test]
async fn s11_head_past_its_limit_is_431() {
    let server = serve(|_| {}).await;
    let mut peer = server.connect().await;
    peer.send(format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(17 << 10)))
        .await;
    assert_eq!(peer.read_answer().await.status, 431);

    let fields: String = (0..101).map(|n| format!("x{n}: y\r\n")).collect();
    assert_eq!(server.ask(get("/healthz", &fields)).await.status, 431);
}

#[tokio::test]
async fn s11_target_past_its_limit_is_414_in_both_lanes() {
    let server = serve(|_| {}).await;
    let target = |length: usize| {
        let start = format!("{HUB}?topic=");
        format!("{start}{}", "x".repeat(length - start.len()))
    };
    let too_long = get(&target((8 << 10) + 1), "");
    assert_eq!(server.ask(&too_long).await.status, 414);
    // At the limit it is a selector that is longer than selectors are.
    assert_eq!(server.get(&target(8 << 10)).await.status, 400);

    let mut peer = server.connect().await;
    peer.send(get("/healthz", "")).await;
    assert_eq!(peer.read_answer().await.status, 200);
    peer.send(&too_long).await;
    assert_eq!(peer.read_answer().await.status, 414);
}

#[tokio::test]
async fn s10_head_not_finished_in_time_is_closed() {
    let server = serve(|config| config.head_timeout = Duration::from_millis(50)).await;
    for begun in ["", "GET /events HTTP/1.1\r\nHost: x\r\n"] {
        let mut peer = server.connect().await;
        peer.send(begun).await;
        assert_eq!(peer.read_to_end().await, "", "after {begun:?}");
    }
    // So is a kept-alive connection on which the next head does not come.
    let mut peer = server.connect().await;
    peer.send(get("/healthz", "")).await;
    assert_eq!(peer.read_answer().await.status, 200);
    peer.send("GET /hea").await;
    peer.read_to_end().await;
}

#[tokio::test]
async fn s10_slow_heads_keep_nobody_from_being_served() {
    let server = serve(|_| {}).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut peer = server.connect().await;
        peer.send("GET /events HTTP/1.1\r\nHo").await;
        slow.push(peer);
    }
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.publish("topic=a").await.status, 200);
}

#[tokio::test]
async fn s11_body_past_its_limit_is_413_before_it_is_read() {
    let server = serve(|config| config.body_bytes_max = 1000).await;
    let bearer = bearer(&token(&["*"], &[]));
    for path in [HUB, "/broadcast", "/publish"] {
        let mut peer = server.connect().await;
        // Only the head is sent: who waits for the body never answers.
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\n{bearer}Content-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: 1001\r\n\r\n"
        );
        peer.send(head).await;
        assert_eq!(peer.read_answer().await.status, 413, "{path}");
    }
}

#[tokio::test]
async fn s11_body_past_its_limit_without_a_length_is_413() {
    let server = serve(|config| config.body_bytes_max = 1000).await;
    let bearer = bearer(&token(&["*"], &[]));
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001));
    let request = format!(
        "POST {HUB} HTTP/1.1\r\nHost: x\r\n{bearer}Content-Type: \
         application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"
    );
    assert_eq!(server.ask(request).await.status, 413);
}

#[tokio::test]
async fn s10_body_that_does_not_come_is_408() {
    let server = serve(|config| config.body_timeout = Duration::from_millis(50)).await;
    let bearer = bearer(&token(&["*"], &[]));
    let request = post_form(HUB, &bearer, "topic=a&data=x");
    let mut peer = server.connect().await;
    peer.send(&request[..request.len() - 1]).await;
    assert_eq!(peer.read_answer().await.status, 408);
}

#[tokio::test]
async fn s14_packed_bodies_are_415() {
    let server = serve(|_| {}).await;
    let fields = format!("{}Content-Encoding: gzip\r\n", bearer(&token(&["*"], &[])));
    for path in [HUB, "/broadcast", "/publish"] {
        let answer = server.ask(post_form(path, &fields, "topic=a")).await;
        assert_eq!(answer.status, 415, "{path}");
    }
}

/// It was read as chunked, and its packed bytes taken for the body.
#[tokio::test]
async fn s14_s23_packed_transfers_are_501_and_the_end() {
    let server = serve(|_| {}).await;
    let bearer = bearer(&token(&["*"], &[]));
    for (codings, status) in [
        ("Transfer-Encoding: Chunked\r\n", 200),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            501,
        ),
        ("Transfer-Encoding: chunked, chunked\r\n", 501),
        ("Transfer-Encoding: identity, chunked\r\n", 501),
    ] {
        for first in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"] {
            let mut peer = server.connect().await;
            if !first.is_empty() {
                peer.send(first).await;
                assert_eq!(peer.read_answer().await.status, 200);
            }
            peer.send(format!(
                "POST {HUB} HTTP/1.1\r\nHost: x\r\n{bearer}{codings}Content-Type: \
                 application/x-www-form-urlencoded\r\n\r\n7\r\ntopic=a\r\n0\r\n\r\n"
            ))
            .await;
            let answer = peer.read_answer().await;
            assert_eq!(answer.status, status, "{codings}");
            if status != 200 {
                assert_eq!(answer.field("connection"), Some("close"));
                assert_eq!(peer.read_to_end().await, "");
            }
        }
    }
}

fn is_problem(answer: &Answer) -> serde_json::Value {
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json")
    );
    let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["status"], answer.status);
    problem
}

#[tokio::test]
async fn unknown_route_is_404_and_names_a_near_one() {
    let server = serve(|_| {}).await;
    let answer = server.get("/event").await;
    assert_eq!(answer.status, 404);
    let problem = is_problem(&answer);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("did you mean /events")
    );

    for target in ["/", "/events/", "//events", "/%65vents"] {
        assert_eq!(server.get(target).await.status, 404, "{target}");
    }
}

#[tokio::test]
async fn d0_u4_paths_below_the_hub_are_404_in_plain_text() {
    let server = serve(|_| {}).await;
    for target in ["/subscriptions", "/subscriptions/a%2Fb", "/ui/", "/x"] {
        let answer = server.get(&format!("{HUB}{target}")).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.body, "Not Found\n");
    }
}

#[tokio::test]
async fn d0_u2_wrong_method_is_405_with_allow() {
    let server = serve(|_| {}).await;
    for (request, allow) in [
        (format!("DELETE {HUB}"), "GET, HEAD, QUERY, POST"),
        ("POST /events".to_owned(), "GET,HEAD"),
        ("GET /broadcast".to_owned(), "POST"),
        ("PUT /publish".to_owned(), "POST"),
        ("POST /healthz".to_owned(), "GET,HEAD"),
        // D0-C1: without CORS, OPTIONS is a method like any other.
        (format!("OPTIONS {HUB}"), "GET, HEAD, QUERY, POST"),
    ] {
        let answer = server
            .ask(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert_eq!(answer.status, 405, "{request}");
        assert_eq!(answer.field("allow"), Some(allow), "{request}");
        if request.contains(HUB) {
            assert_eq!(answer.body, "");
        } else {
            is_problem(&answer);
        }
    }
}

#[tokio::test]
async fn d0_u3_roles_that_are_not_configured_do_not_exist() {
    let server = serve(|config| config.publisher = None).await;
    let answer = server.publish("topic=a").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.field("allow"), Some("GET, HEAD, QUERY"));
    assert_eq!(server.post_json("/broadcast", "1").await.status, 404);

    let server = serve(|config| {
        config.subscriber = None;
        config.anonymous = false;
    })
    .await;
    let answer = server.get(&format!("{HUB}?topic=a")).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.field("allow"), Some("POST"));
    assert_eq!(server.get("/events").await.status, 404);
}

#[tokio::test]
async fn d0_u6_every_answer_carries_the_security_headers() {
    let server = serve(|_| {}).await;
    let (stream, _peer) = server.stream("/events", "").await;
    let answers = [
        stream,
        server.get("/nowhere").await,
        server.get(HUB).await,
        server.get("/healthz").await,
        server.publish("").await,
    ];
    for answer in answers {
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("x-xss-protection", "1; mode=block"),
            ("content-security-policy", "default-src 'self'"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.field(name), Some(value), "{}", answer.head);
        }
    }
}
