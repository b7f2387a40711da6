//! Several nodes that share a broker: who is connected anywhere, and what is revoked everywhere.

use std::sync::Arc;
use std::time::Duration;

use fanfare::server::Config;
use fanfare_testkit::raw_http::{DEADLINE, RawPeer};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::fixture::{
    HUB, ISSUER, Server, bearer, claims_signed, get, issuer, key, post, serve_broker, token,
};
use crate::shared_broker::{NodeBroker, Shared};

const ADMIN: &str = "an admin token that nobody can guess";

async fn node(broker: &Arc<NodeBroker>) -> Server {
    let change = |config: &mut Config| {
        config.subscriptions = true;
        config.node_lease = LEASE;
        config.issuers = vec![issuer(ISSUER, &key())];
        config.admin_token = Some(ADMIN.parse().unwrap());
        config.drain = Duration::from_millis(100);
    };
    let hub = fanfare_hub::Config::default();
    serve_broker(Arc::clone(broker) as _, hub, change).await
}

/// Long enough for a test that is slow to be scheduled, short enough to wait for its end.
const LEASE: Duration = Duration::from_millis(1200);

async fn listed(server: &Server) -> Vec<Value> {
    let path = format!("{HUB}/subscriptions");
    let answer = server.ask(get(&path, &bearer(&token(&[], &["*"])))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let list: Value = serde_json::from_str(&answer.body).unwrap();
    list["subscriptions"].as_array().unwrap().clone()
}

/// Waits until the list at `server` has exactly these topics, and gives their subscribers.
async fn wait_for_list(server: &Server, topics: &[&str]) -> Vec<String> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut list = listed(server).await;
        let topic = |it: &Value| it["topic"].as_str().unwrap_or_default().to_owned();
        list.sort_by_key(topic);
        let subscriber = |it: &Value| it["subscriber"].as_str().unwrap().to_owned();
        if list.iter().map(topic).eq(topics.iter().copied()) {
            return list.iter().map(subscriber).collect();
        }
        assert!(Instant::now() < deadline, "{topics:?}, not {list:?}");
        tokio::time::sleep_until(Instant::now() + Duration::from_millis(20)).await;
    }
}

/// The next event of presence: its topic, its subscriber, and whether that came.
async fn news(peer: &mut RawPeer) -> (String, String, bool) {
    let event = peer.read_until("\n\n").await;
    let lines = event.lines().filter_map(|line| line.strip_prefix("data: "));
    let data = lines.collect::<Vec<_>>().join("\n");
    let document: Value = serde_json::from_str(&data).unwrap_or_else(|_| panic!("{event:?}"));
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    let active = document["active"].as_bool().unwrap();
    (text("topic"), text("subscriber"), active)
}

/// Watches events of presence in the shape of 0.x, its own arrival not among them.
async fn watcher(server: &Server) -> RawPeer {
    let query = format!("topic={HUB}/subscriptions/{{topic}}/{{subscriber}}&topic=end");
    server.subscribe(&query, &bearer(&token(&[], &["*"]))).await
}

const WATCHER: [&str; 2] = [
    "/.well-known/mercure/subscriptions/{topic}/{subscriber}",
    "end",
];

/// The watcher's topics and these.
fn beside_the_watcher<'a>(topics: &[&'a str]) -> Vec<&'a str> {
    let mut all: Vec<_> = WATCHER.iter().chain(topics).copied().collect();
    all.sort_unstable();
    all
}

/// What comes before an event that is published now.
async fn rest_of(server: &Server, peer: &mut RawPeer) -> String {
    let end = uuid::Uuid::new_v4();
    server.publish(&format!("topic=end&data={end}")).await;
    peer.read_until(&format!("data: {end}\n\n")).await
}

#[tokio::test]
async fn pr1_list_and_events_are_of_all_nodes() {
    let shared = Shared::default();
    let (first, second) = (shared.node(), shared.node());
    let (first, second) = (node(&first).await, node(&second).await);
    let mut watcher = watcher(&second).await;
    let guest = first.subscribe("topic=a", "").await;
    let arrived = news(&mut watcher).await;
    assert_eq!((arrived.0.as_str(), arrived.2), ("a", true));
    let expected = beside_the_watcher(&["a"]);
    let there = wait_for_list(&second, &expected).await;
    assert!(there.contains(&arrived.1), "the same name: {there:?}");
    assert_eq!(wait_for_list(&first, &expected).await, there);

    drop(guest);
    let left = news(&mut watcher).await;
    assert_eq!(left, (arrived.0, arrived.1, false));
    wait_for_list(&second, &beside_the_watcher(&[])).await;
}

#[tokio::test]
async fn pr5_who_reads_the_list_and_follows_misses_nobody() {
    let shared = Shared::default();
    let (first, second) = (shared.node(), shared.node());
    let (first, second) = (node(&first).await, node(&second).await);
    let path = format!("{HUB}/subscriptions");
    let watch = bearer(&token(&[], &["*"]));
    for round in 0..4 {
        let topic = format!("t{round}");
        let guest = first.subscribe(&format!("topic={topic}"), "").await;
        // At once: the second node has not been told yet.
        let answer = second.ask(get(&path, &watch)).await;
        let list: Value = serde_json::from_str(&answer.body).unwrap();
        let after = list["lastEventID"].as_str().unwrap();
        let subscriptions = list["subscriptions"].as_array().unwrap().iter();
        let mut there = subscriptions
            .filter(|it| it["topic"] == topic.as_str())
            .count()
            > 0;
        let mut events = second
            .subscribe(
                &format!("topic={path}/{topic}/{{subscriber}}&topic=end&lastEventID={after}"),
                &watch,
            )
            .await;
        if rest_of(&second, &mut events)
            .await
            .contains("\"active\": true")
        {
            there = true;
        }
        assert!(there, "{topic} after {after}: {}", answer.body);
        drop(guest);
    }
}

#[tokio::test]
async fn pr2_departures_of_a_dead_node_are_told_once() {
    let shared = Shared::default();
    let (dying, second, third) = (shared.node(), shared.node(), shared.node());
    let dead = node(&dying).await;
    let (second, third) = (node(&second).await, node(&third).await);
    let mut watcher = watcher(&second).await;
    let _guests = [
        dead.subscribe("topic=a", "").await,
        dead.subscribe("topic=b&topic=c", "").await,
    ];
    for _ in 0..3 {
        assert!(news(&mut watcher).await.2);
    }
    let mut all = beside_the_watcher(&["a", "b", "c"]);
    wait_for_list(&third, &all).await;
    assert_eq!(shared.nodes().len(), 3);

    dying.set_away(true);
    drop(dead);
    let mut left = Vec::new();
    for _ in 0..3 {
        let (topic, _, active) = news(&mut watcher).await;
        assert!(!active);
        left.push(topic);
    }
    left.sort_unstable();
    assert_eq!(left, ["a", "b", "c"]);
    all = beside_the_watcher(&[]);
    wait_for_list(&third, &all).await;
    wait_for_nodes(&shared, 2).await;
    let rest = rest_of(&third, &mut watcher).await;
    assert!(!rest.contains("active"), "{rest}");
}

async fn wait_for_nodes(shared: &Shared, count: usize) {
    let deadline = Instant::now() + DEADLINE;
    while shared.nodes().len() != count {
        assert!(Instant::now() < deadline, "{:?}", shared.nodes());
        sleep_until(Instant::now() + Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn pr3_node_that_lost_its_lease_comes_back_under_new_names() {
    let shared = Shared::default();
    let (lost, second) = (shared.node(), shared.node());
    let (first, second) = (node(&lost).await, node(&second).await);
    let mut watcher = watcher(&second).await;
    let guest = first.subscribe("topic=a", "").await;
    let (_, old, _) = news(&mut watcher).await;
    wait_for_list(&second, &beside_the_watcher(&["a"])).await;
    let before = shared.nodes();

    lost.set_away(true);
    assert_eq!(
        news(&mut watcher).await,
        ("a".to_owned(), old.clone(), false)
    );
    wait_for_list(&second, &beside_the_watcher(&[])).await;

    lost.set_away(false);
    let (topic, new, active) = news(&mut watcher).await;
    assert!(active && topic == "a");
    assert_ne!(new, old);
    let there = wait_for_list(&second, &beside_the_watcher(&["a"])).await;
    assert!(there.contains(&new) && !there.contains(&old), "{there:?}");
    let after = shared.nodes();
    let kept = after.iter().filter(|it| before.contains(it)).count();
    assert_eq!((after.len(), kept), (2, 1), "one of two has a new id");

    drop(guest);
    assert_eq!(news(&mut watcher).await, ("a".to_owned(), new, false));
    let rest = rest_of(&second, &mut watcher).await;
    assert!(!rest.contains("active"), "each is told once: {rest}");
}

#[tokio::test]
async fn node_that_stops_in_order_leaves_nothing_behind() {
    let shared = Shared::default();
    let (first, second) = (shared.node(), shared.node());
    let (mut first, second) = (node(&first).await, node(&second).await);
    let mut watcher = watcher(&second).await;
    let _guest = first.subscribe("topic=a", "").await;
    assert!(news(&mut watcher).await.2);
    first.stop();
    first.stopped().await;
    assert_eq!(shared.nodes().len(), 1);
    assert!(!news(&mut watcher).await.2);
    wait_for_list(&second, &beside_the_watcher(&[])).await;
}

fn held(id: &'static str) -> String {
    let claims = |claims: &mut Value| claims["jti"] = id.into();
    bearer(&claims_signed(claims, &["*"], &["*"]))
}

async fn revoke(server: &Server, id: &str) -> u16 {
    let order = json!({ "jti": id }).to_string();
    let request = post("/admin/revoke", &bearer(ADMIN), "application/json", &order);
    server.ask(request).await.status
}

#[tokio::test]
async fn s6_what_one_node_revokes_ends_and_is_refused_at_all() {
    let shared = Shared::default();
    let (first, second) = (shared.node(), shared.node());
    let (first, second) = (node(&first).await, node(&second).await);
    let mut ends = second.subscribe("match=a", &held("t1")).await;
    let mut all = second.subscribe("match=*", &held("t2")).await;
    all.read_until("\n\n").await;
    assert_eq!(revoke(&first, "t1").await, 200);
    ends.read_to_end().await;
    let target = format!("{HUB}?match=a");
    assert_eq!(second.ask(get(&target, &held("t1"))).await.status, 401);
    let started = shared.node();
    let started = node(&started).await;
    assert_eq!(started.ask(get(&target, &held("t1"))).await.status, 401);
    let _stays = started.subscribe("match=a", &held("t2")).await;

    let rest = rest_of(&second, &mut all).await;
    assert!(
        !rest.contains("revoked"),
        "who may see all sees no revocations: {rest}"
    );
}

#[tokio::test]
async fn s6_revocation_that_is_not_stored_is_told_later() {
    let shared = Shared::default();
    let (cut, second) = (shared.node(), shared.node());
    let (first, second) = (node(&cut).await, node(&second).await);
    let mut ends = second.subscribe("match=a", &held("t1")).await;
    cut.set_away(true);
    assert_eq!(revoke(&first, "t1").await, 503);
    let target = format!("{HUB}?match=a");
    assert_eq!(first.ask(get(&target, &held("t1"))).await.status, 401);
    cut.set_away(false);
    ends.read_to_end().await;
}

#[tokio::test]
async fn srv_08_node_that_drains_sends_newcomers_to_another_soon() {
    let shared = Shared::default();
    let broker = shared.node();
    let change = |config: &mut Config| config.drain = Duration::from_secs(3);
    let hub = fanfare_hub::Config::default();
    let mut server = serve_broker(broker as _, hub, change).await;
    let _stream = server.subscribe("topic=a", "").await;
    server.stop();
    let deadline = Instant::now() + DEADLINE;
    while server.get("/readyz").await.status != 503 {
        assert!(Instant::now() < deadline, "readiness stays green");
    }
    let answer = server
        .ask(get("/events", "Accept: text/event-stream\r\n"))
        .await;
    assert_eq!(answer.status, 200);
    let first = answer
        .body
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("retry: "));
    let millis: u32 = first.unwrap().parse().unwrap();
    assert!((250..=1000).contains(&millis), "{millis}");
}
