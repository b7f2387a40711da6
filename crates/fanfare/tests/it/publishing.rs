//! Publishing a form to the hub's URL.

use std::time::Duration;

use crate::fixture::{HUB, bearer, get, post, post_form, serve, token};

#[tokio::test]
async fn d0_p8_success_is_200_and_the_bare_id() {
    let server = serve(|_| {}).await;
    let answer = server.publish("topic=a&data=x&id=urn%3Auuid%3A1").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, "urn:uuid:1");
    assert_eq!(
        answer.field("content-type"),
        Some("text/plain; charset=utf-8")
    );
}

#[tokio::test]
async fn d0_p1_to_p6_what_is_wrong_with_a_form() {
    let server = serve(|_| {}).await;
    let many = vec!["topic=a"; 1001].join("&");
    for (form, says) in [
        ("data=x", "Missing \"topic\" parameter\n"),
        ("", "Missing \"topic\" parameter\n"),
        (&many, "Too many \"topic\" parameters\n"),
        ("topic=a&retry=soon", "Invalid \"retry\" parameter\n"),
        ("topic=a&retry=-1", "Invalid \"retry\" parameter\n"),
        ("topic=a;b", "%3B"),
        ("topic=%zz", "two hexadecimal digits"),
        ("topic=a&data=%FF", "`data` must be UTF-8"),
        ("topic=%C3", "`topic` must be UTF-8"),
        ("topic=a&id=x%0Ay", "invalid `id`: U+000A at byte 1"),
        ("topic=a&id=x%0Dy", "invalid `id`: U+000D at byte 1"),
        ("topic=a&id=%00", "invalid `id`: U+0000 at byte 0"),
        (
            "topic=a&type=x%0Ddata:y",
            "invalid `type`: U+000D at byte 1",
        ),
        ("topic=a&type=%00", "invalid `type`: U+0000 at byte 0"),
        ("topic=a%0A", "invalid `topic`: U+000A at byte 1"),
        ("topic=*", "topic `*`"),
        ("topic=a&id=%23x", "hub's own"),
        ("topic=a&id=earliest", "hub's own"),
        ("topic=a&id=urn:ff:1-1", "hub's own"),
        ("topic=a&type=mercure", "reserved"),
        ("topic=a&type=fanfare-gap", "reserved"),
    ] {
        let answer = server.publish(form).await;
        assert_eq!(answer.status, 400, "{form}");
        assert!(answer.body.contains(says), "{form}: {}", answer.body);
        assert!(answer.body.ends_with('\n'));
    }
}

#[tokio::test]
async fn d0_p2_data_may_be_missing() {
    let server = serve(|_| {}).await;
    let mut peer = server.subscribe("topic=a", "").await;
    assert_eq!(server.publish("topic=a&id=1").await.status, 200);
    assert_eq!(peer.read_chunk().await, "id: 1\ndata: \n\n");
}

#[tokio::test]
async fn d0_p3_private_by_presence_alone() {
    let server = serve(|_| {}).await;
    let mut stranger = server.subscribe("topic=a", "").await;
    let mut granted = server
        .subscribe("topic=a", &bearer(&token(&[], &["a"])))
        .await;
    for (private, id) in [("&private", 1), ("&private=", 2), ("&private=off", 3)] {
        server.publish(&format!("topic=a&id={id}{private}")).await;
        assert_eq!(granted.read_chunk().await, format!("id: {id}\ndata: \n\n"));
    }
    server.publish("topic=a&id=4").await;
    assert_eq!(stranger.read_chunk().await, "id: 4\ndata: \n\n");
}

#[tokio::test]
async fn d0_p7_of_a_repeated_field_the_first_counts_and_others_are_ignored() {
    let server = serve(|_| {}).await;
    let answer = server
        .publish("topic=a&id=1&id=2&colour=red&retry=&type=")
        .await;
    assert_eq!(answer.body, "1");
}

#[tokio::test]
async fn d0_p12_media_types() {
    let server = serve(|_| {}).await;
    let bearer = bearer(&token(&["*"], &[]));
    for (content_type, status) in [
        ("application/x-www-form-urlencoded", 200),
        ("Application/X-WWW-Form-URLencoded; charset=UTF-8", 200),
        ("multipart/form-data; boundary=x", 400),
        ("text/plain", 400),
        ("nonsense", 400),
    ] {
        let answer = server
            .ask(post(HUB, &bearer, content_type, "topic=a"))
            .await;
        assert_eq!(answer.status, status, "{content_type}");
        if content_type == "text/plain" {
            assert_eq!(answer.body, "Missing \"topic\" parameter\n");
        }
    }
}

#[tokio::test]
async fn d0_p13_fields_in_the_url_do_not_count() {
    let server = serve(|_| {}).await;
    let bearer = bearer(&token(&["*"], &[]));
    let target = format!("{HUB}?topic=a&data=x");
    let answer = server.ask(post_form(&target, &bearer, "data=y")).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn d0_p14_reserved_namespace_is_403_and_names_the_topic() {
    let server = serve(|_| {}).await;
    for topic in [
        "/.well-known/mercure/subscriptions/a",
        "mercure",
        "https://h/.well-known/%256Dercure",
    ] {
        let form = format!("topic={}", topic.replace('%', "%25"));
        let answer = server.publish(&form.replace("%2525", "%25")).await;
        assert_eq!(answer.status, 403, "{topic}: {}", answer.body);
        assert!(answer.body.contains("namespace"), "{}", answer.body);
    }
    let free = "https://example.com/.well-known/mercureX";
    assert_eq!(server.publish(&format!("topic={free}")).await.status, 200);
}

#[tokio::test]
async fn d0_p11_token_then_form_then_grant_then_namespace() {
    let server = serve(|_| {}).await;
    let one = bearer(&token(&["a"], &[]));
    for (fields, form, status) in [
        ("", "retry=x", 401),
        (one.as_str(), "topic=b;&retry=x", 400),
        (&one, "topic=b&retry=x", 400),
        (&one, "topic=b", 401),
        (&one, "topic=a&topic=b", 401),
        (&one, "topic=mercure", 401),
        (&one, "topic=a&id=%0A", 400),
        (&one, "topic=a", 200),
    ] {
        let answer = server.ask(post_form(HUB, fields, form)).await;
        assert_eq!(answer.status, status, "{form}");
    }
}

#[tokio::test]
async fn d0_a7_partly_granted_publish_dispatches_nothing() {
    let server = serve(|_| {}).await;
    let mut peer = server.subscribe("topic=a", "").await;
    let one = bearer(&token(&["a"], &[]));
    let answer = server
        .ask(post_form(HUB, &one, "topic=a&topic=b&id=1"))
        .await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (401, "Unauthorized\n")
    );
    server.publish("topic=a&id=2").await;
    assert_eq!(peer.read_chunk().await, "id: 2\ndata: \n\n");
}

#[tokio::test]
async fn o2_repeated_publish_with_the_same_key_is_one_event() {
    let server = serve(|_| {}).await;
    let mut peer = server.subscribe("topic=a", "").await;
    let fields = format!(
        "{}Idempotency-Key: \"k-1\"\r\n",
        bearer(&token(&["*"], &[]))
    );
    let first = server.ask(post_form(HUB, &fields, "topic=a&data=x")).await;
    let again = server.ask(post_form(HUB, &fields, "topic=a&data=x")).await;
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.body, again.body);
    assert_eq!(first.field("idempotent-replayed"), None);
    assert_eq!(again.field("idempotent-replayed"), Some("true"));
    let other = server.ask(post_form(HUB, &fields, "topic=a&data=y")).await;
    assert_eq!(other.status, 422);

    server.publish("topic=a&data=marker").await;
    let received = peer.read_until("data: marker\n\n").await;
    assert_eq!(received.matches("data: x\n").count(), 1, "{received}");
}

#[tokio::test]
async fn o2_bad_keys_are_400() {
    let server = serve(|_| {}).await;
    let bearer = bearer(&token(&["*"], &[]));
    let long = "x".repeat(256);
    for key in ["", "\"\"", "a b", &long, "é"] {
        let fields = format!("{bearer}Idempotency-Key: {key}\r\n");
        let answer = server.ask(post_form(HUB, &fields, "topic=a")).await;
        assert_eq!(answer.status, 400, "{key}");
    }
    let twice = format!("{bearer}Idempotency-Key: a\r\nIdempotency-Key: a\r\n");
    assert_eq!(
        server.ask(post_form(HUB, &twice, "topic=a")).await.status,
        400
    );
}

#[tokio::test]
async fn d0_p10_publisher_that_hangs_up_cancels_nothing() {
    let server = serve(|_| {}).await;
    let mut peer = server.subscribe("topic=a", "").await;
    let bearer = bearer(&token(&["*"], &[]));
    // Whether the end is noticed before the request is looked at is a race: often, not once.
    for id in 1..=50 {
        let mut publisher = server.connect().await;
        let form = format!("topic=a&id={id}");
        publisher.send(post_form(HUB, &bearer, &form)).await;
        drop(publisher);
        assert_eq!(peer.read_chunk().await, format!("id: {id}\ndata: \n\n"));
    }
}

#[tokio::test]
async fn publishing_to_nobody_works() {
    let server = serve(|_| {}).await;
    let bearer = bearer(&token(&["*"], &[]));
    let mut peer = server.connect().await;
    for id in 1..=100 {
        peer.send(post_form(HUB, &bearer, &format!("topic=nobody&id={id}")))
            .await;
        assert_eq!(peer.read_answer().await.body, id.to_string());
    }
    peer.send(get("/healthz", "")).await;
    assert_eq!(peer.read_answer().await.status, 200);
}

/// It was taken for one that had left, and the answer was dropped.
#[tokio::test]
async fn publisher_that_ends_its_half_gets_its_answer() {
    let server = serve(|config| config.body_timeout = Duration::from_secs(3600)).await;
    let bearer = bearer(&token(&["*"], &[]));
    let request = post_form(HUB, &bearer, "topic=a&id=x");
    for first in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut peer = server.connect().await;
        if !first.is_empty() {
            peer.send(first).await;
            assert_eq!(peer.read_answer().await.status, 200);
        }
        peer.send(&request).await;
        peer.finish().await;
        let answer = peer.read_answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "x"));
        assert_eq!(peer.read_to_end().await, "");
    }
    // So does a subscriber that is refused.
    let mut peer = server.connect().await;
    peer.send(get(HUB, "")).await;
    peer.finish().await;
    assert_eq!(peer.read_answer().await.status, 400);
    // Half a body is no publication, and is not waited for.
    let mut peer = server.connect().await;
    peer.send(&request[..request.len() - 1]).await;
    peer.finish().await;
    let answer = peer.read_answer().await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(peer.read_to_end().await, "");
}
