//! Tokens that are revoked: their streams end, and they open no others.

use fanfare_testkit::raw_http::Answer;
use serde_json::json;

use crate::fixture::{
    HUB, Server, access_token, bearer, claims_signed, get, post, post_form, serve, serve_both,
};

const ADMIN: &str = "an admin token that nobody can guess";

async fn administered() -> Server {
    serve_both(|config| config.admin_token = Some(ADMIN.parse().unwrap())).await
}

async fn revoke(server: &Server, token: &str, order: serde_json::Value) -> Answer {
    let order = order.to_string();
    let request = post("/admin/revoke", &bearer(token), "application/json", &order);
    server.ask(request).await
}

fn held(subject: &'static str, id: &'static str, issued_at: u64) -> String {
    let token = claims_signed(
        |claims| {
            claims["sub"] = subject.into();
            claims["jti"] = id.into();
            claims["iat"] = issued_at.into();
        },
        &["*"],
        &["*"],
    );
    bearer(&token)
}

#[tokio::test]
async fn s6_streams_of_a_revoked_token_end_and_others_go_on() {
    let server = administered().await;
    let (first, second) = (held("alice", "t1", 1), held("alice", "t2", 1));
    let mut ends = server.subscribe("match=a", &first).await;
    let mut stays = server.subscribe("match=a", &second).await;
    let answer = revoke(&server, ADMIN, json!({ "jti": "t1" })).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, "{\"revoked\":true,\"closed\":1}\n");
    assert_eq!(ends.read_chunk().await, "", "the last chunk: a clean end");
    assert_eq!(ends.read_to_end().await, "");

    server.publish("topic=a&id=1").await;
    assert_eq!(stays.read_chunk().await, "id: 1\ndata: \n\n");
    let target = format!("{HUB}?match=a");
    assert_eq!(server.ask(get(&target, &first)).await.status, 401);
    assert_eq!(
        server.ask(post_form(HUB, &first, "topic=a")).await.status,
        401
    );
    assert_eq!(
        server.ask(post_form(HUB, &second, "topic=a")).await.status,
        200
    );
}

#[tokio::test]
async fn s6_subject_is_out_until_it_has_a_newer_token() {
    let server = administered().await;
    let mut ends = server.subscribe("topic=a", &held("alice", "t1", 1)).await;
    let _other = server.subscribe("topic=a", &held("bob", "t2", 1)).await;
    let answer = revoke(&server, ADMIN, json!({ "sub": "alice" })).await;
    assert_eq!(answer.body, "{\"revoked\":true,\"closed\":1}\n");
    assert_eq!(ends.read_chunk().await, "");
    let form = "topic=a";
    for (token, status) in [
        (held("alice", "t3", 1), 401),
        (held("bob", "t2", 1), 200),
        (held("alice", "t4", 4_102_444_000), 200),
    ] {
        assert_eq!(
            server.ask(post_form(HUB, &token, form)).await.status,
            status
        );
    }
}

#[tokio::test]
async fn s19_revoking_needs_the_admin_token() {
    let server = administered().await;
    let order = json!({ "jti": "t1" });
    for token in [
        "",
        "an admin token that nobody can gues",
        &access_token(&["*"], &["*"]),
    ] {
        let answer = revoke(&server, token, order.clone()).await;
        assert_eq!(answer.status, 401, "{token}");
        assert!(answer.field("www-authenticate").is_some());
    }
    let without = serve(|_| {}).await;
    assert_eq!(
        revoke(&without, ADMIN, order).await.status,
        404,
        "no such route"
    );
}

#[tokio::test]
async fn bad_orders_say_what_would_be_right() {
    let server = administered().await;
    for order in [
        json!({}),
        json!({ "jti": "a", "sub": "b" }),
        json!({ "iss": "a" }),
        json!({ "jti": 1 }),
        json!({ "jit": "a" }),
        json!(["a"]),
    ] {
        let answer = revoke(&server, ADMIN, order.clone()).await;
        assert_eq!(answer.status, 400, "{order}");
        assert!(answer.body.contains("jti"), "{}", answer.body);
    }
}

#[tokio::test]
async fn past_the_limit_nothing_is_revoked() {
    let server = serve_both(|config| {
        config.admin_token = Some(ADMIN.parse().unwrap());
        config.revocations_max = 1;
    })
    .await;
    assert_eq!(
        revoke(&server, ADMIN, json!({ "jti": "1" })).await.status,
        200
    );
    let answer = revoke(&server, ADMIN, json!({ "jti": "2" })).await;
    assert_eq!(answer.status, 507);
    assert!(answer.body.contains("revocations-max"));
}
