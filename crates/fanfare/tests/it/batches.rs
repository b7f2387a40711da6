//! `POST /publish`.

use serde_json::{Value, json};

use crate::fixture::{bearer, post, serve, token};

fn lines(body: &str) -> Vec<Value> {
    assert!(body.ends_with('\n'));
    body.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn o6_one_outcome_per_publication_in_their_order() {
    let server = serve(|_| {}).await;
    let mut peer = server.subscribe("topic=t&topic=broadcast", "").await;
    for body in [
        "{\"data\":\"a\",\"topic\":\"t\",\"id\":1}\n\n \"bare\"\r\n{\"data\":3,\"id\":\"3\"}\n",
        "[{\"data\":\"a\",\"topic\":\"t\",\"id\":1}, \"bare\",\n{\"data\":3,\"id\":\"3\"}]",
    ] {
        let answer = server.post_json("/publish", body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.field("content-type"), Some("application/x-ndjson"));
        let outcomes = lines(&answer.body);
        assert_eq!(outcomes.len(), 3);
        assert_eq!(outcomes[0], json!({"outcome": "stored", "id": "1"}));
        assert_eq!(outcomes[1]["outcome"], "stored");
        assert_eq!(outcomes[2], json!({"outcome": "stored", "id": "3"}));
        let received = peer.read_until("data: 3\n\n").await;
        let order = ["id: 1\ndata: a\n\n", "data: bare\n\n", "id: 3\ndata: 3\n\n"];
        let places: Vec<_> = order
            .iter()
            .map(|event| received.find(event).unwrap())
            .collect();
        assert!(places.is_sorted(), "{received}");
    }
}

#[tokio::test]
async fn o6_one_bad_publication_keeps_all_from_being_stored() {
    let server = serve(|_| {}).await;
    let mut peer = server.subscribe("topic=*", "").await;
    let answer = server
        .post_json("/publish", "\"good\"\n{\"data\":1,\"id\":\"#x\"}\nnonsense")
        .await;
    assert_eq!(answer.status, 400);
    let outcomes = lines(&answer.body);
    assert_eq!(outcomes.len(), 3);
    for outcome in &outcomes {
        assert_eq!(outcome["outcome"], "not_stored");
    }
    assert_eq!(outcomes[1]["status"], 400);
    assert!(outcomes[1]["detail"].as_str().unwrap().contains("id"));
    server.publish("topic=marker&id=m").await;
    assert_eq!(peer.read_chunk().await, "id: m\ndata: \n\n");
}

#[tokio::test]
async fn o6_grant_is_checked_for_each() {
    let server = serve(|_| {}).await;
    let fields = bearer(&token(&["a"], &[]));
    let body = "{\"data\":1,\"topic\":\"a\"}\n{\"data\":1,\"topic\":\"b\"}";
    let answer = server
        .ask(post("/publish", &fields, "application/x-ndjson", body))
        .await;
    assert_eq!(answer.status, 403);
    assert_eq!(lines(&answer.body)[1]["status"], 403);
}

#[tokio::test]
async fn o2_keys_of_a_batch() {
    let server = serve(|_| {}).await;
    let own = "{\"data\":1,\"idempotencyKey\":\"k\"}\n{\"data\":2,\"idempotencyKey\":\"l\"}";
    let first = lines(&server.post_json("/publish", own).await.body);
    let again = lines(&server.post_json("/publish", own).await.body);
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(first["id"], again["id"]);
        assert_eq!(again["replayed"], true);
    }
    // A header's key holds for the whole request: each publication has its part of it.
    let fields = format!("{}Idempotency-Key: h\r\n", bearer(&token(&["*"], &[])));
    let request = post("/publish", &fields, "application/json", "[1, 1]");
    let first = lines(&server.ask(&request).await.body);
    assert_ne!(first[0]["id"], first[1]["id"]);
    let again = lines(&server.ask(&request).await.body);
    assert_eq!(first[0]["id"], again[0]["id"]);
    assert_eq!(again[1]["replayed"], true);

    let reused = "{\"data\":3,\"idempotencyKey\":\"k\"}\n{\"data\":4}";
    let answer = server.post_json("/publish", reused).await;
    let outcomes = lines(&answer.body);
    assert_eq!(
        (outcomes[0]["status"].as_u64(), &outcomes[1]["outcome"]),
        (Some(422), &json!("stored"))
    );
    assert_eq!(answer.status, 207);
}

#[tokio::test]
async fn s11_a_batch_has_its_limit() {
    let server = serve(|config| config.batch_max = 3).await;
    for body in ["[1,2,3]", "1\n2\n3"] {
        assert_eq!(server.post_json("/publish", body).await.status, 200);
    }
    for body in ["[1,2,3,4]", "1\n2\n3\n4"] {
        assert_eq!(server.post_json("/publish", body).await.status, 413);
    }
    for body in ["", "[]", "[1,", "\n"] {
        assert_eq!(
            server.post_json("/publish", body).await.status,
            400,
            "{body:?}"
        );
    }
}
