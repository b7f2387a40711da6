//! Events that expire: what publishers may write, and what late subscribers do not get.

use std::time::Duration;

use crate::fixture::{HUB, serve};

#[tokio::test]
async fn a_time_to_expire_is_seconds_or_a_date_on_each_route() {
    let server = serve(|_| {}).await;
    for text in [
        "60",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "9999-12-31T23:59:59Z",
    ] {
        let form = format!("topic=a&expires={}", text.replace(' ', "+"));
        assert_eq!(server.publish(&form).await.status, 200, "{text}");
        let json = format!("{{\"data\":1,\"expires\":\"{text}\"}}");
        assert_eq!(
            server.post_json("/broadcast", &json).await.status,
            200,
            "{text}"
        );
        assert_eq!(
            server.post_json("/publish", &json).await.status,
            200,
            "{text}"
        );
    }
    for json in [r#"{"data":1,"expires":60}"#, r#"{"data":1,"expires":null}"#] {
        assert_eq!(
            server.post_json("/broadcast", json).await.status,
            200,
            "{json}"
        );
    }
    assert_eq!(server.publish("topic=a&expires=").await.status, 200);
}

#[tokio::test]
async fn a_bad_or_past_time_is_400_and_says_what_would_be_right() {
    let server = serve(|_| {}).await;
    for (text, says) in [
        ("soon", "RFC 3339"),
        ("-1", "RFC 3339"),
        ("1.5", "RFC 3339"),
        ("0", "later than now"),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "later than now"),
        ("1994-11-06T08:49:37Z", "later than now"),
        ("253402300800", "year 10000"),
    ] {
        let form = format!("topic=a&expires={}", text.replace(' ', "+"));
        let json = format!("{{\"data\":1,\"expires\":\"{text}\"}}");
        for answer in [
            server.publish(&form).await,
            server.post_json("/broadcast", &json).await,
            server.post_json("/publish", &json).await,
        ] {
            assert_eq!(answer.status, 400, "{text}");
            assert!(answer.body.contains(says), "{text}: {}", answer.body);
        }
    }
    for json in [r#"{"data":1,"expires":1.5}"#, r#"{"data":1,"expires":[]}"#] {
        let answer = server.post_json("/broadcast", json).await;
        assert_eq!(answer.status, 400, "{json}");
        assert!(answer.body.contains("`expires`"), "{}", answer.body);
    }
}

/// Many objects have such a field: it alone makes no envelope.
#[tokio::test]
async fn an_object_that_has_expires_alone_is_data() {
    let server = serve(|_| {}).await;
    let mut peer = server.subscribe("topic=broadcast", "").await;
    let answer = server
        .post_json("/broadcast", r#"{"id":7,"expires":"never"}"#)
        .await;
    assert_eq!(answer.status, 200);
    peer.read_until("data: {\"id\":7,\"expires\":\"never\"}\n\n")
        .await;
}

#[tokio::test]
async fn an_event_that_has_expired_is_not_replayed() {
    let server = serve(|_| {}).await;
    assert_eq!(
        server.publish("topic=a&data=brief&expires=1").await.status,
        200
    );
    assert_eq!(
        server
            .publish("topic=a&data=long&expires=3600")
            .await
            .status,
        200
    );
    let newest = server.hub.newest().unwrap();
    let (_, mut early) = server
        .stream(&format!("{HUB}?topic=a&lastEventID=earliest"), "")
        .await;
    early.read_until("data: long\n\n").await;
    assert!(newest.publication().expires.is_some());
    // The events' own clock is what is waited for.
    let expired = async {
        loop {
            let (_, mut late) = server
                .stream(&format!("{HUB}?topic=a&lastEventID=earliest&gap=1"), "")
                .await;
            let text = late.read_until("data: long\n\n").await;
            if !text.contains("data: brief\n") {
                return text;
            }
            tokio::task::yield_now().await;
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(20), expired)
        .await
        .unwrap();
    assert!(!text.contains("fanfare-gap"), "{text}");
}
