//! What is said by `PUBLISH` in a real Redis reaches browsers, once, at every node.

use std::sync::Arc;
use std::time::Duration;

use fanfare_testkit::raw_http::{DEADLINE, RawPeer};
use fanfare_testkit::redis_server::RedisServer;
use tokio::time::{Instant, sleep_until};

use crate::fixture::{Server, bearer, get, serve_broker, token};
use crate::shared_broker::{NodeBroker, Shared};

async fn node(broker: &Arc<NodeBroker>, redis: &RedisServer) -> Server {
    let bridge = format!("{}/sse-channel", redis.url().trim_end_matches('/'));
    let hub = fanfare_hub::Config::default();
    serve_broker(Arc::clone(broker) as _, hub, |config| {
        config.bridge = Some(bridge.parse().unwrap());
        config.drain = Duration::from_millis(100);
    })
    .await
}

/// Two nodes that hear, the first of which stores.
async fn two(redis: &RedisServer) -> (Shared, [Arc<NodeBroker>; 2], [Server; 2]) {
    let shared = Shared::default();
    let brokers = [shared.node(), shared.node()];
    let first = node(&brokers[0], redis).await;
    until(async || metric(&first, "fanfare_bridge_holding").await == 1).await;
    let second = node(&brokers[1], redis).await;
    until(async || metric(&second, "fanfare_bridge_connected").await == 1).await;
    (shared, brokers, [first, second])
}

async fn metric(server: &Server, name: &str) -> u64 {
    let answer = server.ask(get("/metrics", "")).await;
    let mut lines = answer.body.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {name} in {}", answer.body))
        .parse()
        .unwrap()
}

async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < deadline);
        sleep_until(Instant::now() + Duration::from_millis(20)).await;
    }
}

async fn wait_for_listeners(redis: &RedisServer, count: usize) {
    let expected = format!("sse-channel\n{count}");
    until(async || {
        redis
            .command(&["PUBSUB", "NUMSUB", "sse-channel"])
            .contains(&expected)
    })
    .await;
}

fn say(redis: &RedisServer, json: &str) {
    redis.command(&["PUBLISH", "sse-channel", json]);
}

async fn user123(server: &Server) -> RawPeer {
    let grant = bearer(&token(&[], &["user/user123"]));
    server.subscribe("topic=user/user123", &grant).await
}

/// The data of what comes, up to the event `end`.
async fn data_until_end(peer: &mut RawPeer) -> Vec<String> {
    let read = peer.read_until("data: end\n\n").await;
    let lines = read.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn what_an_application_says_reaches_a_user_at_every_node_once() {
    let redis = RedisServer::start(&[]);
    let (_, _, [first, second]) = two(&redis).await;
    let mut readers = [user123(&first).await, user123(&second).await];
    say(&redis, r#"{"userId":"user456","data":"for another"}"#);
    say(&redis, r#"{"userId":"user123","data":"twice"}"#);
    say(&redis, r#"{"userId":"user123","data":"twice"}"#);
    say(
        &redis,
        r#"{"userId":"user123","event":"note","id":"n1","retry":2500,"data":{"a":1}}"#,
    );
    say(&redis, r#"{"userId":"user123","data":"end"}"#);
    for reader in &mut readers {
        let read = reader.read_until("data: end\n\n").await;
        let twice = read.matches("data: twice\n\n").count();
        assert_eq!(twice, 2, "two that are alike are two: {read}");
        assert!(
            read.contains("event: note\nretry: 2500\nid: n1\ndata: {\"a\":1}\n\n")
                || read.contains("id: n1\nevent: note\nretry: 2500\ndata: {\"a\":1}\n\n")
                || read.contains("event: note\nid: n1\nretry: 2500\ndata: {\"a\":1}\n\n"),
            "{read}"
        );
        assert!(!read.contains("for another"));
    }
    assert_eq!(metric(&first, "fanfare_bridge_stored_total").await, 5);
    assert_eq!(metric(&second, "fanfare_bridge_stored_total").await, 0);
    assert_eq!(metric(&second, "fanfare_bridge_heard_total").await, 5);
}

#[tokio::test]
async fn what_is_no_event_is_counted_and_passed_over() {
    let redis = RedisServer::start(&[]);
    let (_, _, [first, _second]) = two(&redis).await;
    let mut reader = user123(&first).await;
    for malformed in [
        "",
        "{",
        "\u{1b}[31m not JSON",
        r#"{"userId":"user123"}"#,
        r#"{"userID":"user123","event":"x","data":"misspelt"}"#,
        r#"{"userId":"user123","data":"a","event":"mercure"}"#,
        r#"{"topic":"/.well-known/mercure/subscriptions/a/b","data":"forged"}"#,
    ] {
        say(&redis, malformed);
    }
    say(&redis, r#"{"userId":"user123","data":"end"}"#);
    assert_eq!(data_until_end(&mut reader).await, ["end"]);
    assert_eq!(metric(&first, "fanfare_bridge_malformed_total").await, 7);
}

#[tokio::test]
async fn takeover_loses_nothing_and_doubles_nothing() {
    let redis = RedisServer::start(&[]);
    let (_, [dying, _], [first, second]) = two(&redis).await;
    let mut reader = user123(&second).await;
    let number = |n: u32| say(&redis, &format!(r#"{{"userId":"user123","data":"{n}"}}"#));
    (0..50).for_each(number);
    until(async || metric(&first, "fanfare_bridge_stored_total").await == 50).await;
    // It hears these and can store none of them; and then it is dead.
    dying.set_away(true);
    (50..100).for_each(number);
    until(async || metric(&first, "fanfare_bridge_heard_total").await == 100).await;
    drop(first);
    (100..150).for_each(number);
    until(async || metric(&second, "fanfare_bridge_holding").await == 1).await;
    (150..200).for_each(number);
    say(&redis, r#"{"userId":"user123","data":"end"}"#);
    let mut expected: Vec<_> = (0..200).map(|n| n.to_string()).collect();
    expected.push("end".to_owned());
    assert_eq!(data_until_end(&mut reader).await, expected);
    let repeated = metric(&second, "fanfare_bridge_repeated_total").await;
    assert_eq!(repeated, 50, "what the first had stored is known again");
}

#[tokio::test]
async fn node_that_stops_hands_over_at_once() {
    let redis = RedisServer::start(&[]);
    let (_, _, [mut first, second]) = two(&redis).await;
    let mut reader = user123(&second).await;
    first.stop();
    for n in 0..20 {
        say(&redis, &format!(r#"{{"userId":"user123","data":"{n}"}}"#));
    }
    say(&redis, r#"{"userId":"user123","data":"end"}"#);
    first.stopped().await;
    let holder = redis.command(&["GET", "fanfare:bridge:sse-channel:lease"]);
    let expected: Vec<_> = (0..20)
        .map(|n| n.to_string())
        .chain(["end".to_owned()])
        .collect();
    assert_eq!(
        data_until_end(&mut reader).await,
        expected,
        "the lease is {holder:?}'s"
    );
}

#[tokio::test]
async fn bridge_comes_back_with_its_server() {
    let mut redis = RedisServer::start(&[]);
    let (_, _, [first, second]) = two(&redis).await;
    let mut reader = user123(&first).await;
    redis.kill();
    until(async || metric(&first, "fanfare_bridge_connected").await == 0).await;
    redis.start_again();
    wait_for_listeners(&redis, 2).await;
    say(&redis, r#"{"userId":"user123","data":"end"}"#);
    assert_eq!(data_until_end(&mut reader).await, ["end"]);
    let failures = metric(&second, "fanfare_bridge_failures_total").await;
    assert!(failures >= 1, "{failures}");
}
