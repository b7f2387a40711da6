//! The service's own protocol.

use serde_json::{Value, json};

use crate::harness::{Harness, event};

#[tokio::test]
async fn the_service_says_what_it_can() {
    let harness = Harness::start().await;
    let answer = harness.ask("GET", "/", "").await;
    assert_eq!(answer.status, 200);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(told["name"], "fanfare-client");
    let capabilities = told["capabilities"].as_array().unwrap();
    assert_eq!(capabilities.len(), 9);
    assert!(!capabilities.contains(&json!("event-type-listeners")));
}

#[tokio::test]
async fn what_makes_no_stream_is_refused() {
    let harness = Harness::start().await;
    let url = "\"callbackUrl\":\"http://127.0.0.1:1/\"";
    let bodies = [
        "",
        "{",
        &format!("{{{url}}}"),
        "{\"streamUrl\":\"http://127.0.0.1:1/\"}",
        &format!("{{{url},\"streamUrl\":\"no url\"}}"),
        &format!("{{{url},\"streamUrl\":\"ftp://a.example/\"}}"),
        &format!("{{{url},\"streamUrl\":\"http://127.0.0.1:1/\",\"method\":\"A B\"}}"),
        &format!("{{{url},\"streamUrl\":\"http://127.0.0.1:1/\",\"headers\":{{\"a b\":\"c\"}}}}"),
    ];
    for body in bodies {
        let answer = harness.ask("POST", "/", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body.len() > 10, "{body}: {:?}", answer.body);
    }
}

#[tokio::test]
async fn commands_to_a_stream() {
    let harness = Harness::start().await;
    let path = harness.create(json!({})).await;
    let listen = r#"{"command":"listen","listen":{"type":"greeting"}}"#;
    assert_eq!(harness.ask("POST", &path, listen).await.status, 202);
    for body in ["", "{}", r#"{"command":"dance"}"#] {
        assert_eq!(harness.ask("POST", &path, body).await.status, 400, "{body}");
    }
    for method in ["POST", "DELETE"] {
        assert_eq!(harness.ask(method, "/streams/99", listen).await.status, 404);
    }
}

#[tokio::test]
async fn a_deleted_stream_says_nothing_more() {
    let mut harness = Harness::start().await;
    let path = harness.create(json!({})).await;
    let (_, mut first) = harness.open().await;
    assert_eq!(harness.ask("DELETE", &path, "").await.status, 204);
    assert_eq!(harness.ask("DELETE", &path, "").await.status, 404);
    // It has hung up, so this reaches nobody.
    first.read_to_end().await;
    first.send("data: lost\n\n").await;
    harness.create(json!({})).await;
    let (_, mut second) = harness.open().await;
    second.send("data: Hello\n\n").await;
    harness.expect(&event("Hello")).await;
}

#[tokio::test]
async fn the_service_stops_when_it_is_told_to() {
    let mut harness = Harness::start().await;
    harness.create(json!({})).await;
    let (_, _peer) = harness.open().await;
    assert_eq!(harness.ask("DELETE", "/", "").await.status, 204);
    let ended = harness.service.wait().unwrap();
    assert_eq!(ended.code(), Some(0));
}
