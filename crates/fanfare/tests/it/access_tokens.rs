//! Tokens of 1.0: what the hub takes, and how it tells what it does not take.

use fanfare::auth::Secret;
use fanfare::dialect::Dialects;
use fanfare::origins::Origins;
use serde_json::{Value, json};

use crate::fixture::{
    HUB, RESOURCE, Server, access_token, bearer, claims_signed, get, issuer, key, post_form, serve,
    serve_both, signed, token,
};

const METADATA: &str =
    "http://hub.example/.well-known/oauth-protected-resource/.well-known/mercure";

fn challenge(error: &str) -> String {
    match error {
        "" => format!("Bearer resource_metadata=\"{METADATA}\""),
        error => format!("Bearer error=\"{error}\", resource_metadata=\"{METADATA}\""),
    }
}

/// The status and the challenge of an answer to a subscriber of 1.0.
async fn subscribed(server: &Server, fields: &str) -> (u16, Option<String>) {
    let mut peer = server.connect().await;
    peer.send(get(&format!("{HUB}?match=a"), fields)).await;
    let head = peer.read_head().await;
    let challenge = head.field("www-authenticate").map(str::to_owned);
    (head.status, challenge)
}

async fn published(server: &Server, fields: &str, form: &str) -> (u16, Option<String>, String) {
    let answer = server.ask(post_form(HUB, fields, form)).await;
    let challenge = answer.field("www-authenticate").map(str::to_owned);
    (answer.status, challenge, answer.body)
}

fn invalid() -> (u16, Option<String>) {
    (401, Some(challenge("invalid_token")))
}

#[tokio::test]
async fn d1_a13_grants_to_publish_and_to_see_private_events() {
    let server = serve_both(|_| {}).await;
    let granted = bearer(&access_token(&["a", "b"], &[]));
    let reader = bearer(&access_token(&[], &["b"]));
    let mut peer = server.subscribe("match=a", &reader).await;
    for (form, status) in [
        ("topic=a&private&id=1", 200),
        ("topic=a&topic=b&private&id=2", 200),
        ("topic=a&topic=c&id=3", 403),
        ("topic=a&id=4", 200),
    ] {
        assert_eq!(published(&server, &granted, form).await.0, status, "{form}");
    }
    let got = peer.read_until("id: 4\n").await;
    assert!(got.contains("id: 2\n") && !got.contains("id: 1\n") && !got.contains("id: 3\n"));
}

#[tokio::test]
async fn d1_p8_answer_to_a_publish() {
    let server = serve_both(|_| {}).await;
    let granted = bearer(&access_token(&["*"], &[]));
    let answer = server.ask(post_form(HUB, &granted, "topic=a&id=x+y")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "x y"));
    assert_eq!(
        answer.field("content-type"),
        Some("text/plain; charset=utf-8")
    );
}

#[tokio::test]
async fn d1_e1_to_e4_errors_of_rfc_6750() {
    let server = serve_both(|config| config.anonymous = false).await;
    assert_eq!(
        subscribed(&server, "").await,
        (401, Some(challenge(""))),
        "D1-E1"
    );
    let expired = claims_signed(|claims| claims["exp"] = 1.into(), &[], &["*"]);
    assert_eq!(
        subscribed(&server, &bearer(&expired)).await,
        invalid(),
        "D1-E2"
    );

    let reader = bearer(&access_token(&[], &["*"]));
    let scope = Some(challenge("insufficient_scope"));
    let (status, told, _) = published(&server, &reader, "topic=a").await;
    assert_eq!((status, &told), (403, &scope), "D1-E3: no publish at all");
    let narrow = bearer(&access_token(&["b"], &[]));
    let (status, told, _) = published(&server, &narrow, "topic=a").await;
    assert_eq!((status, &told), (403, &scope), "D1-E3: another topic");

    let request = Some(challenge("invalid_request"));
    let good = access_token(&[], &["*"]);
    for malformed in [
        "Authorization: Basic YWJj\r\n".to_owned(),
        "Authorization: Bearer short\r\n".to_owned(),
        format!("{0}{0}", bearer(&good)),
    ] {
        let told = subscribed(&server, &malformed).await;
        assert_eq!(told, (400, request.clone()), "D1-E4: {malformed}");
    }
}

/// What makes a token good or bad is tested where it is judged (`auth/access_token`); here, that
/// the server judges by it.
#[tokio::test]
async fn d1_a1_to_a3_and_a7_tokens_of_other_kinds_hubs_and_issuers() {
    let other: Secret = "another key, which is just as long as it".parse().unwrap();
    let server = serve_both(|config| {
        config.dialects = Dialects::D1;
        config.issuers.push(issuer("https://b.example", &other));
    })
    .await;
    let with = |change: fn(&mut Value)| claims_signed(change, &[], &["*"]);
    let good = with(|claims| claims["aud"] = json!(["x", RESOURCE]));
    assert_eq!(subscribed(&server, &bearer(&good)).await.0, 200);
    for (bad, why) in [
        (token(&[], &["*"]), "D1-A1: typ"),
        (
            with(|claims| claims["aud"] = "https://x.example".into()),
            "D1-A3: aud",
        ),
        (
            with(|claims| claims["iss"] = "https://x.example".into()),
            "D1-A3: iss",
        ),
        (
            with(|claims| claims["iss"] = "https://b.example".into()),
            "D1-A7: another's key",
        ),
    ] {
        assert_eq!(subscribed(&server, &bearer(&bad)).await, invalid(), "{why}");
    }
}

#[tokio::test]
async fn d1_a12_one_bad_detail_spoils_the_good_one_beside_it() {
    let server = serve_both(|_| {}).await;
    let with = |detail: Value| {
        let add = |claims: &mut Value| {
            let details = claims["authorization_details"].as_array_mut();
            details.unwrap().push(detail);
        };
        bearer(&claims_signed(add, &["x"], &[]))
    };
    let detail = |topics: Value| {
        json!({
            "type": "https://mercure.rocks/authorization-detail",
            "actions": ["subscribe"],
            "topics": topics,
        })
    };
    let good = with(detail(json!([{ "match": "a" }])));
    assert_eq!(published(&server, &good, "topic=x").await.0, 200);
    for topics in [json!([]), json!(["a"]), json!([{ "match": "" }])] {
        let bad = with(detail(topics));
        assert_eq!(subscribed(&server, &bad).await, invalid());
        assert_eq!(published(&server, &bad, "topic=x").await.0, 401);
    }
}

#[tokio::test]
async fn d1_a5_header_hides_the_cookie_and_the_query_never_counts() {
    let server = serve_both(|config| {
        config.anonymous = false;
        config.access_cookie_name = "access".to_owned();
    })
    .await;
    let (good, bad) = (access_token(&[], &["*"]), "x".repeat(60));
    let lower = bearer(&good).replace("Bearer", "bearer");
    assert_eq!(subscribed(&server, &lower).await.0, 200, "any case");
    let cookie = |token: &str| format!("Cookie: access={token}\r\n");
    assert_eq!(subscribed(&server, &cookie(&good)).await.0, 200);
    assert_eq!(
        subscribed(&server, &format!("{}{}", bearer(&good), cookie(&bad)))
            .await
            .0,
        200
    );
    assert_eq!(
        subscribed(&server, &format!("{}{}", bearer(&bad), cookie(&good)))
            .await
            .0,
        401
    );
    let zero = format!("Cookie: mercureAuthorization={good}\r\n");
    assert_eq!(
        subscribed(&server, &zero).await.0,
        401,
        "DX-7: another's cookie"
    );
    for name in ["authorization", "access_token"] {
        let answer = server.get(&format!("{HUB}?match=a&{name}={good}")).await;
        assert_eq!(answer.status, 401, "{name}");
        assert_eq!(
            answer.field("www-authenticate"),
            Some(challenge("").as_str())
        );
    }
    let answer = server
        .get(&format!("{HUB}?topic=a&authorization={good}"))
        .await;
    assert_eq!(
        answer.status, 401,
        "DX-7: no token of 1.0 in the query of 0.x either"
    );
}

#[tokio::test]
async fn d1_a6_publishing_by_cookie_needs_a_trusted_page() {
    let trusted = Origins::new(vec!["https://app.example".parse().unwrap()]);
    let server = serve_both(|config| {
        config.publish_origins = trusted;
        config.access_cookie_name = "access".to_owned();
    })
    .await;
    let cookie = format!("Cookie: access={}\r\n", access_token(&["*"], &[]));
    for (from, status) in [
        ("", 400),
        ("Origin: https://app.example\r\n", 200),
        ("Origin: https://evil.example\r\n", 400),
        ("Referer: https://app.example/page\r\n", 200),
    ] {
        let (told, _, _) = published(&server, &format!("{cookie}{from}"), "topic=a").await;
        assert_eq!(told, status, "D1-E4: {from}");
    }
}

#[tokio::test]
async fn dx_5_token_and_route_are_judged_apart() {
    let server = serve_both(|_| {}).await;
    let one = bearer(&access_token(&[], &["a"]));
    let zero = bearer(&token(&[], &["a"]));
    let mut peers = [
        server.subscribe("topic=a", &one).await,
        server.subscribe("match=a", &zero).await,
        server.subscribe("topic=a", &zero).await,
        server.subscribe("match=a", &one).await,
    ];
    server.publish("topic=a&private&id=1").await;
    for peer in &mut peers {
        assert_eq!(peer.read_chunk().await, "id: 1\ndata: \n\n");
    }
}

#[tokio::test]
async fn dx_6_tokens_of_0_x_need_keys_of_0_x() {
    let server = serve_both(|config| {
        config.publisher = None;
        config.subscriber = None;
    })
    .await;
    let zero = bearer(&token(&["*"], &["*"]));
    assert_eq!(subscribed(&server, &zero).await, invalid());
    let (status, told, _) = published(&server, &zero, "topic=a").await;
    assert_eq!((status, told), invalid());
    let (status, told, _) = published(&server, "", "topic=a").await;
    assert_eq!((status, told), (401, Some(challenge(""))), "DX-11");
}

#[tokio::test]
async fn without_an_issuer_at_jwt_is_a_token_of_0_x() {
    let server = serve(|_| {}).await;
    let claims = json!({ "mercure": { "publish": ["a"] } });
    let token = signed(&json!({ "alg": "HS256", "typ": "at+jwt" }), &claims, &key());
    assert_eq!(published(&server, &bearer(&token), "topic=a").await.0, 200);
    assert_eq!(published(&server, &bearer(&token), "topic=b").await.0, 401);
}

#[tokio::test]
async fn dx_10_d1_p_statuses_go_by_the_token() {
    let server = serve_both(|config| config.topics_max = 2).await;
    let zero = bearer(&token(&["*"], &[]));
    let one = bearer(&access_token(&["*"], &[]));
    for (form, of_zero, of_one) in [
        ("topic=/.well-known/mercure/x", 403, 400),
        ("topic=a&topic=b&topic=c", 400, 413),
        ("topic=*", 400, 400),
        ("topic=a&id=%23x", 400, 400),
        ("topic=a&id=earliest", 400, 400),
        ("topic=a&type=mercure", 400, 400),
        ("topic=a&retry=x", 400, 400),
        ("topic=a&data=%ff", 400, 400),
        ("topic=a%e2%80%8b", 400, 400),
        ("data=x", 400, 400),
    ] {
        assert_eq!(
            published(&server, &zero, form).await.0,
            of_zero,
            "0.x {form}"
        );
        assert_eq!(published(&server, &one, form).await.0, of_one, "1.0 {form}");
    }
    let (_, _, body) = published(&server, &zero, "data=x").await;
    assert_eq!(body, "Missing \"topic\" parameter\n");
    let (_, _, body) = published(&server, &one, "data=x").await;
    assert!(body.contains("\"status\":400"), "{body}");
}

#[tokio::test]
async fn d1_p6_body_over_the_limit_is_413() {
    let server = serve_both(|config| config.body_bytes_max = 100).await;
    let one = bearer(&access_token(&["*"], &[]));
    let form = format!("topic=a&data={}", "x".repeat(100));
    assert_eq!(published(&server, &one, &form).await.0, 413);
}

#[tokio::test]
async fn d1_r5_payload_of_the_first_detail_that_matches() {
    let server = serve_both(|config| config.subscriptions = true).await;
    let detail = |matched: Value, payload: &str| {
        json!({
            "type": "https://mercure.rocks/authorization-detail",
            "actions": ["subscribe"],
            "topics": [matched],
            "payload": { "is": payload },
        })
    };
    let token = claims_signed(
        |claims| {
            claims["authorization_details"] = json!([
                detail(json!({ "match": "a" }), "exact"),
                detail(
                    json!({ "match": "/b/:c", "match_type": "urlpattern" }),
                    "pattern"
                ),
                detail(json!({ "match": "*" }), "default"),
                detail(json!({ "match": "d" }), "late"),
            ]);
        },
        &[],
        &[],
    );
    let query = "match=a&match=/b/1&match=d&match_urlpattern=/b/:c";
    let _guest = server.subscribe(query, &bearer(&token)).await;
    let request = get(&format!("{HUB}/subscriptions"), &bearer(&token));
    let answer = server.ask(request).await;
    let all: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(all["type"], "subscriptions", "DX-9: by the token");
    let payloads: Vec<_> = all["subscriptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["match"].as_str().unwrap(),
                it["payload"]["is"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("a", "exact"),
        ("/b/1", "pattern"),
        ("d", "default"),
        ("/b/:c", "pattern"),
    ];
    assert_eq!(payloads, expected);
}

#[tokio::test]
async fn d1_r8_r9_presence_not_granted_is_403() {
    let server = serve_both(|config| config.subscriptions = true).await;
    let path = format!("{HUB}/subscriptions/exact/a");
    let ask = async |fields: String| {
        let answer = server.ask(get(&path, &fields)).await;
        let challenge = answer.field("www-authenticate").map(str::to_owned);
        (answer.status, challenge)
    };
    let scope = (403, Some(challenge("insufficient_scope")));
    let denied = bearer(&access_token(&[], &["a"]));
    assert_eq!(ask(denied.clone()).await, scope);
    let all = server
        .ask(get(&format!("{HUB}/subscriptions"), &denied))
        .await;
    assert!(all.body.contains("\"status\":403"), "DX-11: {}", all.body);
    assert_eq!(
        ask(String::new()).await,
        (401, Some(challenge(""))),
        "also with anonymous"
    );
    assert_eq!(
        ask(bearer(&access_token(&[], &[&path]))).await.0,
        200,
        "exact by bytes"
    );
    let pattern = claims_signed(
        |claims| {
            claims["authorization_details"][0]["topics"][0] = json!({
                "match": "/.well-known/mercure/subscriptions/*",
                "match_type": "urlpattern",
            });
        },
        &[],
        &["x"],
    );
    assert_eq!(ask(bearer(&pattern)).await.0, 200);
}

#[tokio::test]
async fn d1_d1_to_d8_metadata() {
    let path = "/.well-known/oauth-protected-resource/.well-known/mercure";
    let server = serve_both(|config| {
        config.subscriptions = true;
        let mut other = issuer("https://b.example", &key());
        other.authorization_server = true;
        config.issuers.push(other);
    })
    .await;
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    let metadata: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        metadata,
        json!({
            "resource": RESOURCE,
            "authorization_servers": ["https://b.example"],
            "authorization_details_types_supported":
                ["https://mercure.rocks/authorization-detail"],
            "bearer_methods_supported": ["header"],
            "mercure_cookie": "__Secure-mercure_access_token",
            "mercure_matcher_types_supported": ["exact", "urlpattern"],
            "mercure_subscriptions": true,
        })
    );
    let zero = serve(|_| {}).await;
    assert_eq!(
        zero.get(path).await.status,
        404,
        "D1-D1: only where tokens of 1.0 are verified"
    );

    let quiet = serve_both(|config| {
        config.resource_identifier = Some("https://pinned.example/hub".to_owned());
    })
    .await;
    let metadata: Value = serde_json::from_str(&quiet.get(path).await.body).unwrap();
    assert_eq!(metadata["resource"], "https://pinned.example/hub");
    assert_eq!(metadata.get("authorization_servers"), None);
    assert_eq!(metadata.get("mercure_subscriptions"), None);
}

#[tokio::test]
async fn d1_a4_resource_is_the_host_that_was_asked_or_the_pinned_one() {
    let server = serve_both(|_| {}).await;
    let granted = bearer(&access_token(&[], &["*"]));
    let elsewhere = get(&format!("{HUB}?match=a"), &granted).replace("hub.example", "h.example");
    assert_eq!(server.ask(elsewhere.clone()).await.status, 401);

    let pinned = serve_both(|config| {
        config.resource_identifier = Some(RESOURCE.to_owned());
    })
    .await;
    let mut peer = pinned.connect().await;
    peer.send(elsewhere).await;
    assert_eq!(peer.read_head().await.status, 200);
}

#[tokio::test]
async fn d1_h3_replay_is_judged_by_the_token_of_today() {
    let server = serve_both(|_| {}).await;
    server.publish("topic=a&private&id=1").await;
    server.publish("topic=a&id=2").await;
    let wide = bearer(&access_token(&[], &["a"]));
    let narrow = bearer(&access_token(&[], &["b"]));
    let mut peer = server
        .subscribe("match=a&last_event_id=earliest", &wide)
        .await;
    assert!(peer.read_until("id: 2\n").await.contains("id: 1\n"));
    let mut peer = server
        .subscribe("match=a&last_event_id=earliest", &narrow)
        .await;
    assert!(!peer.read_until("id: 2\n").await.contains("id: 1\n"));
}

#[tokio::test]
async fn dev_says_why_a_token_fails() {
    let server = serve_both(|config| config.dev = Some(fanfare::server::Dev::new("x"))).await;
    let expired = claims_signed(|claims| claims["exp"] = 1.into(), &[], &["*"]);
    let answer = server
        .ask(get(&format!("{HUB}?match=a"), &bearer(&expired)))
        .await;
    assert!(
        answer.body.contains("the token has expired"),
        "{}",
        answer.body
    );
    let zero = bearer(&token(&[], &[]));
    let answer = server.ask(post_form(HUB, &zero, "topic=a")).await;
    assert!(
        answer
            .body
            .starts_with("Unauthorized\nthe token may not publish"),
        "{}",
        answer.body
    );
}
