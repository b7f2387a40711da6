//! `POST /broadcast`.

use fanfare::server::Dev;

use crate::fixture::{bearer, get, post, serve, token};

fn json(body: &str) -> serde_json::Value {
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn answer_says_how_many_subscribers_match() {
    let server = serve(|_| {}).await;
    let sent = server
        .post_json("/broadcast", r#"{"data":"x","id":"1"}"#)
        .await;
    assert_eq!(sent.status, 200);
    assert_eq!(sent.field("content-type"), Some("application/json"));
    assert_eq!(sent.body, "{\"sent\":true,\"clients\":0,\"id\":\"1\"}\n");

    let mut peers = Vec::new();
    for target in [
        "/events",
        "/events",
        "/events?topic=other",
        "/events?topic=*",
    ] {
        peers.push(server.stream(target, "").await.1);
    }
    server.wait_for_subscribers(4).await;
    let sent = server.post_json("/broadcast", r#"{"data":"x"}"#).await;
    assert_eq!(json(&sent.body)["clients"], 3);
    assert!(
        json(&sent.body)["id"]
            .as_str()
            .unwrap()
            .starts_with("urn:ff:")
    );
}

#[tokio::test]
async fn envelope_and_bare_values() {
    let server = serve(|_| {}).await;
    let (_, mut peer) = server.stream("/events?topic=*", "").await;
    peer.read_chunk().await;
    for (body, received) in [
        (
            r#"{"event":"price","data":{"b":1,"a":2.50},"id":"1","retry":5000,"topic":"t"}"#,
            "event: price\nretry: 5000\nid: 1\ndata: {\"b\":1,\"a\":2.50}\n\n",
        ),
        (
            r#"{"data":"two\nlines","id":2}"#,
            "id: 2\ndata: two\ndata: lines\n\n",
        ),
    ] {
        assert_eq!(server.post_json("/broadcast", body).await.status, 200);
        assert_eq!(peer.read_chunk().await, received);
    }
    server.post_json("/broadcast", r#"{"hello":"world"}"#).await;
    let bare = peer.read_chunk().await;
    assert!(bare.ends_with("data: {\"hello\":\"world\"}\n\n"), "{bare}");
}

#[tokio::test]
async fn enc_12_types_that_fire_a_pages_own_listeners_are_400_here_only() {
    let server = serve(|_| {}).await;
    for event_type in ["error", "open"] {
        let body = format!(r#"{{"data":"x","event":"{event_type}"}}"#);
        let answer = server.post_json("/broadcast", &body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(json(&answer.body)["outcome"], "not_stored");
        let form = format!("topic=a&type={event_type}");
        assert_eq!(server.publish(&form).await.status, 200);
    }
    let metrics = server.get("/metrics").await.body;
    assert!(
        metrics.contains("fanfare_lifecycle_types_total 2\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_body() {
    let server = serve(|_| {}).await;
    for (body, says) in [
        ("", "EOF"),
        ("{\"data\":", "EOF"),
        ("{} x", "trailing"),
        ("\"\\ud800\"", "JSON"),
        (r#"{"data":"x","topik":"t"}"#, "did you mean `topic`"),
        (r#"{"data":"x","retry":-1}"#, "retry"),
        (r#"{"data":"x","retry":"5"}"#, "retry"),
        (r#"{"data":"x","topic":[]}"#, "topic"),
        (r#"{"data":"x","id":"a\nb"}"#, "id"),
        (r#"{"data":"x","userId":"{a}"}"#, "userId"),
    ] {
        let answer = server.post_json("/broadcast", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(
            answer.field("content-type"),
            Some("application/problem+json")
        );
        let detail = json(&answer.body)["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(says), "{body}: {detail}");
    }
}

#[tokio::test]
async fn publish_grant_must_cover_every_topic_and_the_user() {
    let server = serve(|_| {}).await;
    let body = r#"{"data":"x","topic":"t","userId":7}"#;
    for (publish, status) in [
        (&[][..], 401),
        (&["t"][..], 403),
        (&["user/7"], 403),
        (&["t", "user/{id}"], 200),
    ] {
        let bearer = bearer(&token(publish, &[]));
        let request = post("/broadcast", &bearer, "application/json", body);
        assert_eq!(server.ask(request).await.status, status, "{publish:?}");
    }
    let request = post("/broadcast", "", "application/json", body);
    assert_eq!(server.ask(request).await.status, 401);
}

#[tokio::test]
async fn private_events_reach_their_user_alone() {
    let server = serve(|_| {}).await;
    let bearer = bearer(&token(&[], &["user/7"]));
    let (_, mut seven) = server.stream("/events?userId=7", &bearer).await;
    let (_, mut all) = server.stream("/events?topic=*", "").await;
    seven.read_chunk().await;
    all.read_chunk().await;
    server
        .post_json("/broadcast", r#"{"data":"x","userId":7,"id":1}"#)
        .await;
    server
        .post_json("/broadcast", r#"{"data":"y","id":2}"#)
        .await;
    assert_eq!(seven.read_chunk().await, "id: 1\ndata: x\n\n");
    assert_eq!(all.read_chunk().await, "id: 2\ndata: y\n\n");
}

#[tokio::test]
async fn development_needs_no_token_but_no_strange_page() {
    let server = serve(|config| config.dev = Some(Dev::new("token"))).await;
    let ask = |fields: &str| post("/broadcast", fields, "text/plain", "1");
    assert_eq!(server.ask(ask("")).await.status, 200);
    for (origin, status) in [
        ("http://hub.example", 200),
        ("http://localhost:5173", 200),
        ("http://127.0.0.1:8080", 200),
        ("https://evil.example", 401),
        ("http://localhost.evil.example", 401),
        ("null", 401),
    ] {
        let answer = server.ask(ask(&format!("Origin: {origin}\r\n"))).await;
        assert_eq!(answer.status, status, "{origin}");
    }
    // A token that is there is looked at.
    let bad = bearer(&format!("{}x", token(&["*"], &[])));
    assert_eq!(server.ask(ask(&bad)).await.status, 401);
    // And a user's private events need no grant.
    let (_, mut peer) = server.stream("/events?userId=7", "").await;
    peer.read_chunk().await;
    server
        .ask(post(
            "/broadcast",
            "",
            "text/plain",
            r#"{"data":1,"userId":7,"id":1}"#,
        ))
        .await;
    assert_eq!(peer.read_chunk().await, "id: 1\ndata: 1\n\n");
    assert_eq!(server.ask(get("/", "")).await.status, 200);
}
