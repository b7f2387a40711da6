//! What a publisher is told of its publication: stored, not stored, unknown (O1, O2).

use std::sync::Arc;
use std::time::Duration;

use fanfare::auth::{NewToken, mint};
use fanfare_broker::PublishError;
use fanfare_testkit::raw_http::Answer;
use serde_json::{Value, json};

use crate::failing_broker::FailingBroker;
use crate::fixture::{HUB, Server, bearer, key, post, post_form, serve, serve_broker, token};

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body))
}

async fn send(server: &Server, path: &str, key: &str, body: &str) -> Answer {
    let key = match key {
        "" => String::new(),
        key => format!("Idempotency-Key: {key}\r\n"),
    };
    let fields = bearer(&token(&["*"], &[])) + &key;
    match path {
        HUB => server.ask(post_form(path, &fields, body)).await,
        _ => {
            server
                .ask(post(path, &fields, "application/json", body))
                .await
        }
    }
}

#[tokio::test]
async fn o1_each_failure_of_the_broker_has_its_status_and_says_what_was_stored() {
    let broker = Arc::new(FailingBroker::default());
    let server = serve_broker(broker.clone(), fanfare_hub::Config::default(), |_| {}).await;
    let retry_after = Duration::from_millis(1500);
    for (error, status, wait, outcome) in [
        (PublishError::KeyReused, 422, None, "not_stored"),
        (
            PublishError::TooLarge {
                bytes: 9,
                bytes_max: 8,
            },
            413,
            None,
            "not_stored",
        ),
        (
            PublishError::Overloaded { retry_after },
            503,
            Some("2"),
            "not_stored",
        ),
        (
            PublishError::Unavailable { retry_after },
            503,
            Some("2"),
            "not_stored",
        ),
        (PublishError::Full, 507, None, "not_stored"),
        (PublishError::Unknown, 504, None, "unknown"),
    ] {
        *broker.publish_error.lock().unwrap() = Some(error.clone());
        let form = server.publish("topic=a").await;
        assert_eq!(
            (form.status, form.field("retry-after")),
            (status, wait),
            "{error:?}"
        );
        let answer = server.post_json("/broadcast", "1").await;
        assert_eq!(
            (answer.status, answer.field("retry-after")),
            (status, wait),
            "{error:?}"
        );
        assert_eq!(
            answer.field("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(body(&answer)["outcome"], outcome, "{error:?}");
        let batch = server.post_json("/publish", "1").await;
        assert_eq!(batch.status, status, "{error:?}");
        assert_eq!(body(&batch)["outcome"], outcome, "{error:?}");
        assert_eq!(body(&batch)["status"], status, "{error:?}");
    }
    *broker.publish_error.lock().unwrap() = None;
    assert_eq!(server.post_json("/broadcast", "1").await.status, 200);
}

#[tokio::test]
async fn o1_what_is_wrong_with_the_request_is_not_stored() {
    let server = serve(|config| config.body_bytes_max = 1000).await;
    let large = format!("\"{}\"", "x".repeat(1000));
    for path in ["/broadcast", "/publish"] {
        let json = "application/json";
        let key = bearer(&token(&["*"], &[])) + "Idempotency-Key: \r\n";
        let coded = bearer(&token(&["*"], &[])) + "Content-Encoding: gzip\r\n";
        for (status, request) in [
            (401, post(path, "", json, "1")),
            (
                403,
                post(
                    path,
                    &bearer(&token(&["b"], &[])),
                    json,
                    r#"{"data":1,"topic":"a"}"#,
                ),
            ),
            (
                400,
                post(
                    path,
                    &bearer(&token(&["*"], &[])),
                    json,
                    r#"{"data":1,"expires":0}"#,
                ),
            ),
            (400, post(path, &key, json, "1")),
            (413, post(path, &bearer(&token(&["*"], &[])), json, &large)),
            (415, post(path, &coded, json, "1")),
        ] {
            let answer = server.ask(request).await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(body(&answer)["outcome"], "not_stored", "{path} {status}");
        }
    }
    let other = server.get("/events?userId=%7Bx%7D").await;
    assert_eq!(
        body(&other).get("outcome"),
        None,
        "nothing was published there"
    );
}

#[tokio::test]
async fn o2_a_key_in_json_is_a_key_on_each_route() {
    let server = serve(|_| {}).await;
    let event = r#"{"data":"x","topic":"a","idempotencyKey":"k"}"#;
    let first = send(&server, "/broadcast", "", event).await;
    assert_eq!(
        (first.status, first.field("idempotent-replayed")),
        (200, None)
    );
    // Its own key beats the header's.
    for (path, key) in [("/broadcast", ""), ("/broadcast", "h"), ("/publish", "h")] {
        let again = send(&server, path, key, event).await;
        assert_eq!(again.status, 200, "{path}");
        assert_eq!(again.field("idempotent-replayed"), Some("true"), "{path}");
        assert_eq!(body(&again)["id"], body(&first)["id"], "{path}");
    }
    // On the hub's URL the same key is the same key.
    let form = send(&server, HUB, "k", "topic=a&data=x").await;
    assert_eq!(json!(form.body), body(&first)["id"]);
    assert_eq!(form.field("idempotent-replayed"), Some("true"));
    let other = r#"{"data":"y","topic":"a","idempotencyKey":"k"}"#;
    let answer = send(&server, "/broadcast", "", other).await;
    assert_eq!(
        (answer.status, &body(&answer)["outcome"]),
        (422, &json!("not_stored"))
    );
    let bad = r#"{"data":"y","idempotencyKey":"two words"}"#;
    assert_eq!(send(&server, "/broadcast", "", bad).await.status, 400);
}

#[tokio::test]
async fn o2_a_key_belongs_to_its_publisher() {
    let server = serve(|_| {}).await;
    let event = r#"{"data":"x","idempotencyKey":"k"}"#;
    let first = send(&server, "/broadcast", "", event).await;
    // Another subject cannot find out that the key is known.
    let token = NewToken {
        subject: Some("somebody else".to_owned()),
        publish: vec!["*".to_owned()],
        ..NewToken::default()
    };
    let fields = bearer(&mint(&key(), token).unwrap());
    let other = server
        .ask(post("/broadcast", &fields, "application/json", event))
        .await;
    assert_eq!(
        (other.status, other.field("idempotent-replayed")),
        (200, None)
    );
    assert_ne!(body(&other)["id"], body(&first)["id"]);
}

#[tokio::test]
async fn o2_a_batch_of_which_a_part_is_known_says_so_line_by_line() {
    let server = serve(|_| {}).await;
    let one = r#"{"data":1,"idempotencyKey":"k"}"#;
    send(&server, "/publish", "", one).await;
    let both = format!("{one}\n{{\"data\":2}}");
    let answer = send(&server, "/publish", "", &both).await;
    assert_eq!(
        (answer.status, answer.field("idempotent-replayed")),
        (200, None)
    );
    let replayed: Vec<bool> = answer
        .body
        .lines()
        .map(|line| line.contains("\"replayed\":true"))
        .collect();
    assert_eq!(replayed, [true, false]);
}

/// A publisher that sends `expires` in seconds again, a second later, means the same event.
#[tokio::test]
async fn o3_when_an_event_expires_is_no_part_of_what_a_key_stands_for() {
    let server = serve(|_| {}).await;
    for (expires, replayed) in [("60", None), ("59", Some("true"))] {
        let event = format!(r#"{{"data":"x","idempotencyKey":"k","expires":{expires}}}"#);
        let answer = send(&server, "/broadcast", "", &event).await;
        assert_eq!(
            (answer.status, answer.field("idempotent-replayed")),
            (200, replayed)
        );
    }
}
