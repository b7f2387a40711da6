//! Who is connected: what is published of it, and what the API tells.

use fanfare_testkit::raw_http::{Answer, RawPeer};
use serde_json::{Value, json};

use crate::fixture::{HUB, Server, bearer, get, serve, token};

async fn watched() -> Server {
    serve(|config| config.subscriptions = true).await
}

/// Every subscription, in both shapes.
fn root() -> String {
    format!("{HUB}/subscriptions")
}

fn watcher() -> String {
    bearer(&token(&[], &["*"]))
}

/// An event of presence: its type, and its document.
async fn news(peer: &mut RawPeer) -> (Option<String>, Value) {
    let event = peer.read_until("\n\n").await;
    let field = |name: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix(name));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let data = field("data: ").join("\n");
    let document = serde_json::from_str(&data).unwrap_or_else(|_| panic!("JSON, not {event:?}"));
    (field("event: ").pop(), document)
}

/// What comes next is an ordinary event.
async fn no_more_news(server: &Server, peer: &mut RawPeer) {
    server.publish("topic=end&data=the+end").await;
    let rest = peer.read_until("data: the end\n\n").await;
    assert!(!rest.contains("ubscription"), "{rest}");
}

async fn list(server: &Server, path: &str, fields: &str) -> (Answer, Value) {
    let answer = server
        .ask(get(path, &format!("{}{fields}", watcher())))
        .await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let document = serde_json::from_str(&answer.body).unwrap();
    (answer, document)
}

#[tokio::test]
async fn d0_r1_to_r7_arrival_and_departure_are_published() {
    let server = watched().await;
    let mut watcher = server.subscribe("topic=*", &watcher()).await;
    let payload = token_with(&["a"], &json!({ "team": "<blue>" }));
    let topic = "https%3A%2F%2Fexample.com%2Fb%20c%2F%7Bid%7D";
    let guest = server
        .subscribe(&format!("topic={topic}"), &bearer(&payload))
        .await;

    let (event_type, arrival) = news(&mut watcher).await;
    assert_eq!(event_type, None, "D0-R6: the default type");
    let subscriber = arrival["subscriber"].as_str().unwrap().to_owned();
    assert!(subscriber.starts_with("urn:uuid:"), "D0-R2: {subscriber}");
    let encoded = subscriber.replace(':', "%3A");
    let id = format!("{HUB}/subscriptions/{topic}/{encoded}");
    let mut expected = json!({
        "@context": "https://mercure.rocks/",
        "id": id,
        "type": "Subscription",
        "subscriber": subscriber,
        "topic": "https://example.com/b c/{id}",
        "active": true,
        "payload": { "team": "<blue>" },
    });
    assert_eq!(arrival, expected);

    drop(guest);
    expected["active"] = false.into();
    assert_eq!(news(&mut watcher).await.1, expected);
}

#[tokio::test]
async fn d0_r6_body_is_indented_by_two_spaces() {
    let server = watched().await;
    let mut watcher = server.subscribe("topic=*", &watcher()).await;
    let _guest = server.subscribe("topic=a", "").await;
    let event = watcher.read_until("\n\n").await;
    assert!(
        event.contains("\ndata: {\ndata:   \"@context\": "),
        "{event}"
    );
    assert!(event.ends_with("\ndata: }\n\n"), "{event}");
}

#[tokio::test]
async fn d0_r5_own_arrival_is_not_seen_and_d1_r6_it_is() {
    let server = watched().await;
    let mut zero = server.subscribe("topic=*", &watcher()).await;
    let mut one = server.subscribe("match=*", &watcher()).await;
    let (_, first) = news(&mut zero).await;
    let (event_type, own) = news(&mut one).await;
    assert_eq!(event_type.as_deref(), Some("mercure"), "D1-R2");
    assert_eq!(
        first["subscriber"], own["subscriber"],
        "of 1.0's own arrival both hear first"
    );
    assert_eq!(own["type"], "subscription");
    assert_eq!(own["match"], "*");
    assert_eq!(own["active"], true);
}

#[tokio::test]
async fn d1_r1_to_r4_document_of_a_matcher() {
    let server = watched().await;
    let mut watcher = server.subscribe("match=x", &watcher()).await;
    let _ = &mut watcher;
    let mut all = server
        .subscribe(
            "match_urlpattern=/.well-known/mercure/subscriptions/*",
            &bearer(&token(&[], &["*"])),
        )
        .await;
    let (_, own) = news(&mut all).await;
    assert_eq!(
        own["match"], "/.well-known/mercure/subscriptions/*",
        "D1-R6"
    );
    let _guest = server
        .subscribe("match=a%20b%25&match_urlpattern=/books/:id", "")
        .await;
    let (_, exact) = news(&mut all).await;
    let subscriber = exact["subscriber"].as_str().unwrap();
    let encoded = subscriber.replace(':', "%3A");
    assert_eq!(
        exact,
        json!({
            "id": format!("{HUB}/subscriptions/exact/a%20b%25/{encoded}"),
            "type": "subscription",
            "match_type": "exact",
            "match": "a b%",
            "subscriber": subscriber,
            "active": true,
        })
    );
    let (_, pattern) = news(&mut all).await;
    let id = format!("{HUB}/subscriptions/urlpattern/%2Fbooks%2F%3Aid/{encoded}");
    assert_eq!(pattern["id"], id);
    assert_eq!(pattern["match_type"], "urlpattern");
    assert_eq!(
        pattern["subscriber"], subscriber,
        "D1-R4: one for each connection"
    );
}

#[tokio::test]
async fn presence_is_private() {
    let server = watched().await;
    let granted = "/.well-known/mercure/subscriptions/{topic}/{subscriber}";
    let granted = bearer(&token(&[], &[granted]));
    let mut stranger = server.subscribe("topic=*", "").await;
    let mut watcher = server.subscribe("topic=*", &granted).await;
    let _guest = server.subscribe("topic=a", "").await;
    assert_eq!(news(&mut watcher).await.1["topic"], "a");
    server.publish("topic=end&id=end").await;
    assert_eq!(stranger.read_chunk().await, "id: end\ndata: \n\n");
}

#[tokio::test]
async fn dx_14_each_watcher_gets_an_arrival_once_in_its_own_shape() {
    let server = watched().await;
    let mut zero = server.subscribe("topic=*", &watcher()).await;
    let mut one = server.subscribe("match=*", &watcher()).await;
    news(&mut zero).await;
    news(&mut one).await;

    // An exact selector is visible in both shapes, a template and a pattern in their own only.
    let _guests = [
        server.subscribe("topic=a", "").await,
        server.subscribe("topic=a/%7Bx%7D", "").await,
        server.subscribe("match_urlpattern=/a/:x", "").await,
        server.subscribe("match=b", "").await,
    ];
    for topic in ["a", "a/{x}", "b"] {
        let (event_type, arrival) = news(&mut zero).await;
        assert_eq!((event_type, &arrival["topic"]), (None, &json!(topic)));
    }
    for (match_type, matched) in [("exact", "a"), ("urlpattern", "/a/:x"), ("exact", "b")] {
        let (_, arrival) = news(&mut one).await;
        assert_eq!(arrival["match_type"], match_type);
        assert_eq!(arrival["match"], matched);
    }
    no_more_news(&server, &mut zero).await;
    no_more_news(&server, &mut one).await;
}

#[tokio::test]
async fn presence_of_a_pinned_dialect_has_one_shape() {
    let server = serve(|config| {
        config.subscriptions = true;
        config.dialects = fanfare::dialect::Dialects::D0;
    })
    .await;
    let mut watcher = server.subscribe("topic=*", &watcher()).await;
    let _guest = server.subscribe("topic=a", "").await;
    assert_eq!(news(&mut watcher).await.1["topic"], "a");
    no_more_news(&server, &mut watcher).await;
    let answer = server
        .ask(get(&format!("{}/exact/a", root()), &self::watcher()))
        .await;
    assert_eq!(answer.status, 404, "a topic named `exact`: {}", answer.body);
}

#[tokio::test]
async fn d0_r8_to_r12_collections_and_one() {
    let server = watched().await;
    let (_, empty) = list(&server, &root(), "").await;
    assert_eq!(empty["subscriptions"], json!([]));
    assert_eq!(empty["lastEventID"], "earliest");

    let _guests = [
        server.subscribe("topic=a%2Fb&topic=c", "").await,
        server.subscribe("topic=a%2Fb", "").await,
        server.subscribe("topic=%7Bid%7D", "").await,
    ];
    server.publish("topic=x&id=newest").await;
    let (answer, all) = list(&server, &root(), "").await;
    assert_eq!(
        answer.field("content-type"),
        Some("application/ld+json"),
        "D0-R11"
    );
    assert_eq!(all["@context"], "https://mercure.rocks/");
    assert_eq!(all["id"], root());
    assert_eq!(all["type"], "Subscriptions");
    assert_eq!(all["lastEventID"], "newest", "D0-R12");
    let listed = all["subscriptions"].as_array().unwrap();
    assert_eq!(listed.len(), 4);
    let first = listed[0].as_object().unwrap();
    assert!(!first.contains_key("@context") && !first.contains_key("lastEventID"));
    assert_eq!(first["active"], true, "D0-R15");
    let count = |topic: &str| {
        let counts = all["counts"].as_array().unwrap().iter();
        counts.clone().find(|it| it["topic"] == topic).unwrap()["subscribers"].clone()
    };
    assert_eq!((count("a/b"), count("c")), (json!(2), json!(1)));

    let path = format!("{}/a%2Fb", root());
    let (_, some) = list(&server, &path, "").await;
    assert_eq!(some["id"], path);
    let some = some["subscriptions"].as_array().unwrap();
    assert_eq!(some.len(), 2, "D0-R9: equal, not matched by it");
    assert!(some.iter().all(|it| it["topic"] == "a/b"));

    let path = first["id"].as_str().unwrap();
    let (_, one) = list(&server, path, "").await;
    assert_eq!(one["id"], path);
    assert_eq!(one["lastEventID"], "newest");
    assert_eq!(one["@context"], "https://mercure.rocks/");
    for unknown in ["/c/urn%3Auuid%3A0", "/x/y"] {
        let request = get(&format!("{}{unknown}", root()), &watcher());
        let answer = server.ask(request).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (404, "404 page not found\n")
        );
    }
}

#[tokio::test]
async fn d0_g4_space_in_a_path_in_both_spellings() {
    let server = watched().await;
    let _guest = server.subscribe("topic=a+b", "").await;
    for spelling in ["a%20b", "a+b"] {
        let (_, found) = list(&server, &format!("{}/{spelling}", root()), "").await;
        assert_eq!(
            found["subscriptions"].as_array().unwrap().len(),
            1,
            "{spelling}"
        );
    }
}

#[tokio::test]
async fn d0_r13_d0_g5_etag_link_and_not_modified() {
    let server = watched().await;
    server.publish("topic=x&id=a+%22b%22").await;
    let (answer, _) = list(&server, &root(), "").await;
    let tag = "\"a%20%22b%22\"";
    assert_eq!(answer.field("etag"), Some(tag));
    assert_eq!(answer.field("cache-control"), Some("must-revalidate"));
    let link = answer.field("link").unwrap();
    assert!(
        link.starts_with(&format!(
            "<{HUB}>; rel=\"mercure\"; last-event-id=\"a \\\"b\\\"\""
        )),
        "{link}"
    );
    for known in [
        tag,
        "W/\"a%20%22b%22\"",
        "a%20%22b%22",
        "\"x\", \"a%20%22b%22\"",
        "*",
    ] {
        let fields = format!("{}If-None-Match: {known}\r\n", watcher());
        let mut peer = server.connect().await;
        peer.send(get(&root(), &fields)).await;
        let answer = peer.read_head().await;
        assert_eq!(answer.status, 304, "{known}");
        assert_eq!(answer.field("etag"), None, "D0-R13");
    }
    let (answer, _) = list(&server, &root(), "If-None-Match: \"other\"\r\n").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn d0_r14_api_needs_a_grant_for_the_path() {
    let server = watched().await;
    let _guest = server.subscribe("topic=a", "").await;
    let ask = |path: String, fields: String| server.ask(get(&path, &fields));
    assert_eq!(
        ask(root(), String::new()).await.status,
        401,
        "also with anonymous"
    );
    let other = bearer(&token(&[], &["a"]));
    assert_eq!(ask(root(), other).await.status, 401);
    let publisher = bearer(&token(&["*"], &[]));
    assert_eq!(
        ask(root(), publisher).await.status,
        401,
        "without the claim"
    );
    let exact = bearer(&token(&[], &["/.well-known/mercure/subscriptions"]));
    assert_eq!(ask(root(), exact.clone()).await.status, 200);
    assert_eq!(
        ask(format!("{}?x=1", root()), exact.clone()).await.status,
        200,
        "D0-G6"
    );
    assert_eq!(ask(format!("{}/a", root()), exact).await.status, 401);
    let template = "/.well-known/mercure/subscriptions{/topic}{/subscriber}";
    let template = bearer(&token(&[], &[template]));
    assert_eq!(ask(format!("{}/a", root()), template).await.status, 200);

    let open = serve(|config| {
        config.subscriptions = true;
        config.subscriber = None;
    })
    .await;
    assert_eq!(
        open.get(&root()).await.status,
        200,
        "no key for subscribers: open"
    );
}

#[tokio::test]
async fn d0_u4_without_subscriptions_there_is_no_api() {
    let server = serve(|_| {}).await;
    for path in ["", "/a", "/exact/a"] {
        let answer = server
            .ask(get(&format!("{}{path}", root()), &watcher()))
            .await;
        assert_eq!(answer.status, 404);
    }
}

#[tokio::test]
async fn d1_r7_r8_r10_r11_api_of_1_0() {
    let server = watched().await;
    let _guests = [
        server
            .subscribe("match=a%2Fb&match_urlpattern=/c/:d", "")
            .await,
        server.subscribe("topic=a%2Fb", "").await,
    ];
    let path = format!("{}/exact/a%2Fb", root());
    let (answer, some) = list(&server, &path, "").await;
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(some["type"], "subscriptions");
    assert_eq!(some["id"], path);
    assert_eq!(some.get("@context"), None);
    assert_eq!(some.get("lastEventID"), None);
    let listed = some["subscriptions"].as_array().unwrap();
    assert_eq!(listed.len(), 2, "DX-14: the exact selector of 0.x too");
    assert!(
        listed
            .iter()
            .all(|it| it["match_type"] == "exact" && it["match"] == "a/b")
    );
    let link = answer.field("link").unwrap();
    assert!(
        link.contains("rel=\"mercure\"; last-event-id=\"urn:ff:"),
        "{link}"
    );
    assert!(
        link.ends_with("type=\"mercure\"; content-type=\"application/json\""),
        "{link}"
    );
    let tag = answer.field("etag").unwrap();
    let fields = format!("{}If-None-Match: {tag}\r\n", watcher());
    let answer = server.ask(get(&path, &fields)).await;
    assert_eq!(
        (answer.status, answer.field("etag")),
        (304, Some(tag)),
        "D1-R11"
    );

    let one = listed[0]["id"].as_str().unwrap();
    let (_, document) = list(&server, one, "").await;
    assert_eq!(document, listed[0], "unchanged");
    let (_, pattern) = list(&server, &format!("{}/urlpattern/%2Fc%2F%3Ad", root()), "").await;
    assert_eq!(pattern["subscriptions"].as_array().unwrap().len(), 1);

    for (path, status) in [
        ("/exact/a%2Fb/urn%3Auuid%3A0", 404),
        ("/regexp/a/b", 400),
        ("/exact/%zz", 400),
        ("/exact/%ff", 400),
        ("/a/b/c/d", 404),
    ] {
        let answer = server
            .ask(get(&format!("{}{path}", root()), &watcher()))
            .await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        let told = answer.field("link").is_some();
        assert_eq!(
            told,
            path.starts_with("/exact/a"),
            "D1-R10: where there is an answer at all"
        );
    }
}

#[tokio::test]
async fn dx_9_bare_collection_goes_by_what_is_accepted() {
    let server = serve(|config| {
        config.subscriptions = true;
        config.subscriber = None;
    })
    .await;
    for (accept, kind) in [
        ("", "Subscriptions"),
        ("Accept: application/json\r\n", "subscriptions"),
        ("Accept: application/ld+json\r\n", "Subscriptions"),
        (
            "Accept: application/json, application/ld+json\r\n",
            "Subscriptions",
        ),
    ] {
        let answer = server.ask(get(&root(), accept)).await;
        let document: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(document["type"], kind, "{accept}");
    }
}

#[tokio::test]
async fn private_id_is_not_told_to_whom_may_not_read_it() {
    let server = watched().await;
    server.publish("topic=secret&private&id=chosen").await;
    let narrow = bearer(&token(&[], &["/.well-known/mercure/subscriptions"]));
    let answer = server.ask(get(&root(), &narrow)).await;
    assert!(
        answer.body.contains("\"lastEventID\": \"urn:ff:"),
        "{}",
        answer.body
    );
    let (_, all) = list(&server, &root(), "").await;
    assert_eq!(all["lastEventID"], "chosen");
}

#[tokio::test]
async fn d0_r5_failed_registration_takes_its_arrival_back() {
    let mut limits = fanfare_hub::Config::default();
    limits.subscribers_max = 1;
    let server = crate::fixture::serve_hub(limits, |config| config.subscriptions = true).await;
    let mut watcher = server.subscribe("topic=*", &watcher()).await;
    assert_eq!(server.get(&format!("{HUB}?topic=a")).await.status, 503);
    for active in [true, false] {
        assert_eq!(news(&mut watcher).await.1["active"], active);
    }
    assert_eq!(server.get(&format!("{HUB}?match=a")).await.status, 503);
    // D1-R6: nothing is published.
    no_more_news(&server, &mut watcher).await;
}

#[tokio::test]
async fn head_is_nobody() {
    let server = watched().await;
    let mut watcher = server.subscribe("topic=*", &watcher()).await;
    let request = format!("HEAD {HUB}?topic=a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(server.ask(request).await.status, 200);
    no_more_news(&server, &mut watcher).await;
}

#[tokio::test]
async fn d1_s7_d1_g6_d1_e7_d0_s7_subscribers_of_one_address_are_limited() {
    let server = serve(|config| config.subscribers_per_address_max = 2).await;
    let target = format!("{HUB}?topic=a");
    let first = server.subscribe("topic=a", "").await;
    let _second = server.subscribe("topic=a", "").await;
    let refused = server.get(&target).await;
    assert_eq!(refused.status, 429);
    assert!(refused.field("retry-after").is_some());
    drop(first);
    server.wait_for_subscribers(1).await;
    // Who leaves signs out on the way; a moment later there is room again.
    loop {
        let mut peer = server.connect().await;
        peer.send(get(&target, "")).await;
        if peer.read_head().await.status == 200 {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn token_with(subscribe: &[&str], payload: &Value) -> String {
    let token = fanfare::auth::NewToken {
        subscribe: subscribe.iter().map(ToString::to_string).collect(),
        payload: Some(payload.clone()),
        ..fanfare::auth::NewToken::default()
    };
    fanfare::auth::mint(&crate::fixture::key(), token).unwrap()
}
