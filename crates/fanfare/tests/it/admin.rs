//! What operators are told, and who may ask.

use fanfare::auth::Verifier;
use fanfare::server::{Config, Dev};
use fanfare_testkit::raw_http::Answer;
use serde_json::{Value, json};

use crate::fixture::{HUB, Server, bearer, get, key, post, serve, token};

const ADMIN: &str = "an admin token that nobody can guess";
const DEV: &str = "the token that a development hub prints";

/// Routes that show something.
const SHOWN: [&str; 3] = ["/admin/status", "/admin/subscribers", "/admin/events"];

async fn administered() -> Server {
    serve(|config| config.admin_token = Some(ADMIN.parse().unwrap())).await
}

async fn development() -> Server {
    serve(in_development).await
}

fn in_development(config: &mut Config) {
    let mut dev = Dev::new(DEV);
    dev.keys = [Some(key()), Some(key())];
    config.dev = Some(dev);
}

async fn shown(server: &Server, target: &str) -> Value {
    let answer = server.ask(get(target, &bearer(ADMIN))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    serde_json::from_str(&answer.body).unwrap()
}

/// A GET as a browser, or a program, on this machine sends it.
async fn from_here(server: &Server, target: &str, fields: &str) -> Answer {
    let address = server.address;
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n");
    server.ask(request).await
}

#[tokio::test]
async fn s19_looking_needs_the_admin_token() {
    let server = administered().await;
    for target in SHOWN {
        for fields in [
            "",
            &bearer("an admin token"),
            &bearer(&token(&["*"], &["*"])),
        ] {
            let answer = from_here(&server, target, fields).await;
            assert_eq!(answer.status, 401, "{target} {fields}");
            assert!(answer.field("www-authenticate").is_some());
        }
        shown(&server, target).await;
    }
    assert_eq!(
        server
            .ask(post(
                "/admin/token",
                &bearer(ADMIN),
                "application/json",
                "{}"
            ))
            .await
            .status,
        404,
        "outside of development nothing signs"
    );
}

#[tokio::test]
async fn without_an_admin_token_there_is_nothing_to_look_at() {
    let server = serve(|_| {}).await;
    for target in SHOWN {
        assert_eq!(from_here(&server, target, "").await.status, 404, "{target}");
    }
}

/// In development pages of all origins may read what the hub answers, so a stranger's page that a
/// developer has open could have read the token that publishes everything.
#[tokio::test]
async fn development_opens_to_this_machine_and_to_its_own_page_alone() {
    let server = development().await;
    let own = format!("Origin: http://{}\r\n", server.address);
    for (fields, status) in [
        ("", 200),
        (own.as_str(), 200),
        ("Origin: https://stranger.example\r\n", 401),
        ("Origin: null\r\n", 401),
        ("X-Forwarded-For: 192.0.2.1\r\n", 401),
        ("Forwarded: for=192.0.2.1\r\n", 401),
        (&bearer("another token"), 401),
        (&bearer(DEV), 200),
    ] {
        for target in SHOWN {
            let answer = from_here(&server, target, fields).await;
            assert_eq!(answer.status, status, "{target} {fields}");
        }
    }
    // A name that has come to mean this machine (DNS rebinding).
    assert_eq!(server.get("/admin/status").await.status, 401);
    let local = "GET /admin/status HTTP/1.1\r\nHost: localhost:3000\r\n\r\n";
    assert_eq!(server.ask(local).await.status, 200);
}

#[tokio::test]
async fn status_counts_what_happened() {
    let server = administered().await;
    let _peer = server.subscribe("topic=a", "").await;
    server.wait_for_subscribers(1).await;
    server.publish("topic=a").await;
    let mut status = shown(&server, "/admin/status").await;
    while status["totals"]["deliveries"] != 1 || status["latency"]["written"] == json!([]) {
        status = shown(&server, "/admin/status").await;
    }
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["hub_path"], HUB);
    for (name, expected) in [
        ("development", json!(false)),
        ("publishers", json!(true)),
        ("subscribers", json!(true)),
        ("anonymous", json!(true)),
        ("state", json!("ready")),
        ("broker", json!("memory")),
        ("token", Value::Null),
    ] {
        assert_eq!(status[name], expected, "{name}");
    }
    assert_eq!(status["now"]["subscribers"], 1);
    assert_eq!(status["now"]["lagging"], 0);
    assert_eq!(status["totals"]["published"], 1);
    assert_eq!(status["ended"]["left"], 0);
    assert!(status["now"]["memory_bytes"].as_u64().unwrap() > 1 << 20);
    for name in ["stored", "written"] {
        let [[bound, 1]] = serde_json::from_value::<[[u64; 2]; 1]>(status["latency"][name].clone())
            .map(|it| it.map(|[bound, count]| [bound, count]))
            .unwrap()
        else {
            panic!("{name}: {status}");
        };
        assert!(bound > 0);
    }
}

#[tokio::test]
async fn development_status_has_the_token_that_it_printed() {
    let server = development().await;
    let answer = from_here(&server, "/admin/status", "").await;
    let status: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(status["token"], DEV);
    assert_eq!(status["development"], true);
}

#[tokio::test]
async fn subscribers_are_told_with_topics_address_and_lag() {
    let server = serve(|config| {
        config.admin_token = Some(ADMIN.parse().unwrap());
        config.subscriptions = true;
    })
    .await;
    let fields = bearer(&token(&[], &["*"]));
    let peer = server.subscribe("topic=a&topic=b/{id}", &fields).await;
    server.wait_for_subscribers(1).await;
    let mut page = shown(&server, "/admin/subscribers").await;
    while page["subscribers"][0]["lag"] != Value::Null {
        page = shown(&server, "/admin/subscribers").await;
    }
    let it = &page["subscribers"][0];
    let mut topics: Vec<&str> = it["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|topic| topic.as_str().unwrap())
        .collect();
    topics.sort_unstable();
    assert_eq!(topics, ["a", "b/{id}"]);
    assert_eq!(it["topics_count"], 2);
    assert_eq!(
        (&it["private"], &it["lane"]),
        (&json!(true), &json!("socket"))
    );
    assert_eq!(it["dialect"], "0.x");
    assert_eq!(
        it["address"],
        peer.socket().local_addr().unwrap().to_string()
    );
    assert!(it["age_ms"].as_u64().unwrap() < 60_000);
    assert!(it["subscriber"].as_str().unwrap().len() == 36);
    assert_eq!(page["next"], Value::Null);
}

/// One that reads nothing: the socket fills up, and the list says how far behind it is and why.
#[tokio::test]
async fn lag_of_a_subscriber_that_does_not_read_is_told() {
    let server = administered().await;
    let _deaf = server.subscribe("topic=a", "").await;
    server.wait_for_subscribers(1).await;
    let data = "x".repeat(500_000);
    let mut lag = Value::Null;
    for _ in 0..100 {
        server.publish(&format!("topic=a&data={data}")).await;
        lag = shown(&server, "/admin/subscribers").await["subscribers"][0]["lag"].take();
        if lag["waits_for"] == "sink" && lag["events"].as_u64() > Some(1) {
            break;
        }
    }
    assert_eq!(lag["waits_for"], "sink");
    assert!(lag["held_bytes"].as_u64() > Some(0));
    assert_eq!(shown(&server, "/admin/status").await["now"]["lagging"], 1);
}

#[tokio::test]
async fn subscribers_come_in_pages() {
    let server = administered().await;
    let mut peers = Vec::new();
    for nth in 0..5 {
        peers.push(server.subscribe(&format!("topic=t/{nth}"), "").await);
    }
    server.wait_for_subscribers(5).await;
    let (mut topics, mut after) = (Vec::new(), String::new());
    loop {
        let page = shown(&server, &format!("/admin/subscribers?limit=2{after}")).await;
        let found = page["subscribers"].as_array().unwrap();
        assert!(found.len() <= 2);
        topics.extend(found.iter().map(|it| it["topics"][0].to_string()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    topics.sort_unstable();
    let expected: Vec<String> = (0..5).map(|nth| format!("\"t/{nth}\"")).collect();
    assert_eq!(topics, expected);
    for query in ["limit=0", "limit=501", "limit=x", "after=x", "after=-1"] {
        let target = format!("/admin/subscribers?{query}");
        let answer = server.ask(get(&target, &bearer(ADMIN))).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test]
async fn events_are_told_with_their_topics_and_without_their_data() {
    let server = administered().await;
    server.publish("topic=a&data=public").await;
    let many: String = (0..12).map(|nth| format!("topic=t/{nth}&")).collect();
    let form = format!("{many}private=on&id=urn:example:7&data=secret");
    server.publish(&form).await;
    let mut page = shown(&server, "/admin/events").await;
    while page["events"].as_array().unwrap().len() < 2 {
        page = shown(&server, "/admin/events").await;
    }
    let [first, second] = page["events"].as_array().unwrap().as_slice() else {
        panic!("{page}");
    };
    assert_eq!(
        (&first["topics"], &first["private"]),
        (&json!(["a"]), &json!(false))
    );
    assert_eq!(
        (&second["id"], &second["private"]),
        (&json!("urn:example:7"), &json!(true))
    );
    assert_eq!(second["topics"].as_array().unwrap().len(), 10);
    assert_eq!(
        (&second["topics_count"], &second["offset"]),
        (&json!(12), &json!(2))
    );
    assert!(!page.to_string().contains("secret"));
    let newest = shown(&server, "/admin/events?limit=1").await;
    assert_eq!(newest["events"], json!([second]));
}

async fn minted(server: &Server, order: &str) -> Answer {
    let (address, length) = (server.address, order.len());
    let head = format!("POST /admin/token HTTP/1.1\r\nHost: {address}\r\n");
    let request = format!("{head}Content-Length: {length}\r\n\r\n{order}");
    server.ask(request).await
}

#[tokio::test]
async fn development_makes_tokens_that_the_hub_takes() {
    let server = development().await;
    let order = r#"{"publish":["a"],"subscribe":["*"],"seconds":60,"sub":"alice"}"#;
    let answer = minted(&server, order).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let made: Value = serde_json::from_str(&answer.body).unwrap();
    let made = made["token"].as_str().unwrap();
    let form = |topic| crate::fixture::post_form(HUB, &bearer(made), topic);
    assert_eq!(server.ask(form("topic=a")).await.status, 200);
    assert_eq!(server.ask(form("topic=b")).await.status, 401);
}

#[tokio::test]
async fn tokens_that_cannot_be_made_are_refused() {
    let server = development().await;
    for order in [
        "{}",
        r#"{"publish":[]}"#,
        r#"{"publish":["a"],"seconds":0}"#,
        r#"{"publish":["a"],"seconds":18446744073709551615}"#,
        r#"{"publish":["a"],"admin":true}"#,
        "no JSON",
    ] {
        assert_eq!(minted(&server, order).await.status, 400, "{order}");
    }
    let strict = serve(|config| {
        in_development(config);
        let other = "another key, also with enough bytes for HMAC"
            .parse()
            .unwrap();
        config.subscriber = Some(Verifier::hs256(&other));
        config.dev.as_mut().unwrap().keys = [Some(key()), Some(other)];
    })
    .await;
    let both = minted(&strict, r#"{"publish":["a"],"subscribe":["a"]}"#).await;
    assert_eq!(both.status, 400, "one token cannot be of two keys");
    assert_eq!(minted(&strict, r#"{"subscribe":["a"]}"#).await.status, 200);
    let mute = serve(|config| config.dev = Some(Dev::new(""))).await;
    assert_eq!(minted(&mute, r#"{"publish":["a"]}"#).await.status, 404);
}
