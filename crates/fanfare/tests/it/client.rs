//! `fanfare-client` with a hub: resume over lost connections and a restart, publishes whose answer
//! is lost.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test fails by its panic")]

use std::net::SocketAddr;
use std::time::Duration;

use fanfare_client::config::bearer;
use fanfare_client::item::GapReason;
use fanfare_client::network::Proxy;
use fanfare_client::publisher::{self, PublishError};
use fanfare_client::{Client, Config, EventId, EventSource, Item, Network, Publication, Publisher};
use fanfare_testkit::raw_http::DEADLINE;
use futures_util::StreamExt;
use futures_util::future::join_all;
use http::header::AUTHORIZATION;
use tokio::time::timeout;

use crate::fixture::{HUB, Server, serve, token};
use crate::relay::Relay;

fn client() -> Client {
    let mut network = Network::default();
    network.proxy = Proxy::None;
    Client::new(&network).unwrap()
}

fn source(client: &Client, address: SocketAddr, path: &str) -> EventSource {
    let url = format!("http://{address}{path}");
    let mut config = Config::get(url.parse().unwrap());
    config.retry = Duration::from_millis(10);
    config.signals = true;
    client.event_source(config).unwrap()
}

fn publisher(address: SocketAddr, publish: &[&str]) -> Publisher {
    let url = format!("http://{address}{HUB}");
    let mut config = publisher::Config::new(url.parse().unwrap());
    config.retry_max = Duration::from_millis(10);
    let token = bearer(&token(publish, &[])).unwrap();
    config.headers.insert(AUTHORIZATION, token);
    client().publisher(config).unwrap()
}

async fn next(source: &mut EventSource) -> Item {
    let item = timeout(DEADLINE, source.next()).await;
    item.expect("an item in time").expect("not the end")
}

/// The next item that says something of events.
async fn news(source: &mut EventSource) -> Item {
    loop {
        match next(source).await {
            Item::Open(_) | Item::Lost { .. } | Item::Live => {}
            other => return other,
        }
    }
}

async fn data(source: &mut EventSource) -> String {
    match news(source).await {
        Item::Event(event) => event.data,
        other => panic!("{other:?}"),
    }
}

/// Events 0 to `count`, published one after the other; every 20th cuts all connections.
async fn publish_and_cut(server: &Server, relay: &Relay, count: u32) {
    let publisher = publisher(server.address, &["*"]);
    for number in 0..count {
        let publication = Publication::new("t", number.to_string());
        publisher.publish(&publication).await.unwrap();
        if number % 20 == 19 {
            relay.cut();
        }
    }
}

/// 100 clients lose their connections again and again while events flow.
#[tokio::test]
async fn cx_24_every_client_gets_every_event_once_over_lost_connections() {
    const EVENTS: u32 = 200;
    let server = serve(|_| {}).await;
    let relay = Relay::before(server.address).await;
    let client = client();
    let path = format!("{HUB}?topic=t");
    let mut sources: Vec<_> = (0..100)
        .map(|_| source(&client, relay.address, &path))
        .collect();
    for source in &mut sources {
        assert!(matches!(next(source).await, Item::Open(_)));
    }
    // A first event gives each of them a place to come back to.
    server.publish("topic=t&data=begin").await;
    for source in &mut sources {
        assert_eq!(data(source).await, "begin");
    }
    let read = join_all(sources.iter_mut().map(async |source| {
        let (mut events, mut losses) = (0, 0);
        while events < EVENTS {
            match next(source).await {
                Item::Event(event) => {
                    assert_eq!(event.data, events.to_string());
                    events += 1;
                }
                Item::Lost { .. } => losses += 1,
                Item::Open(_) | Item::Live => {}
                other => panic!("{other:?}"),
            }
        }
        losses
    }));
    let ((), losses) = tokio::join!(publish_and_cut(&server, &relay, EVENTS), read);
    assert!(losses.iter().all(|losses| *losses > 0), "{losses:?}");
}

#[tokio::test]
async fn rc_14_a_hub_that_lost_its_memory_is_a_gap() {
    for path in ["/events?topic=t".to_owned(), format!("{HUB}?topic=t")] {
        let first = serve(|_| {}).await;
        let relay = Relay::before(first.address).await;
        let mut source = source(&client(), relay.address, &path);
        assert!(matches!(next(&mut source).await, Item::Open(_)));
        let id = first.publish("topic=t&data=a").await.body;
        assert_eq!(data(&mut source).await, "a");

        let second = serve(|_| {}).await;
        relay.turn_to(second.address);
        match news(&mut source).await {
            Item::Gap(gap) => {
                assert_eq!(gap.from, id);
                assert_eq!(gap.reason, Some(GapReason::Unknown));
            }
            other => panic!("{other:?}"),
        }
        second.wait_for_subscribers(1).await;
        second.publish("topic=t&data=b").await;
        assert_eq!(data(&mut source).await, "b");
    }
}

#[tokio::test]
async fn rc_15_the_end_of_catching_up_is_told_once() {
    let server = serve(|_| {}).await;
    server.publish("topic=t&data=missed").await;
    let url = format!("http://{}/events?topic=t", server.address);
    let mut config = Config::get(url.parse().unwrap());
    config.signals = true;
    config.last_event_id = EventId::parse("earliest").unwrap();
    let mut source = client().event_source(config).unwrap();
    assert!(matches!(next(&mut source).await, Item::Open(_)));
    assert!(matches!(next(&mut source).await, Item::Event(event) if event.data == "missed"));
    assert!(matches!(next(&mut source).await, Item::Live));
    server.publish("topic=t&data=new").await;
    assert!(matches!(next(&mut source).await, Item::Event(event) if event.data == "new"));
}

#[tokio::test]
async fn rc_14_a_head_alone_tells_a_gap_too() {
    let server = serve(|_| {}).await;
    let url = format!("http://{}{HUB}?topic=t", server.address);
    let mut config = Config::get(url.parse().unwrap());
    config.last_event_id = EventId::parse("never").unwrap();
    let mut source = client().event_source(config).unwrap();
    assert!(matches!(next(&mut source).await, Item::Open(_)));
    server.publish("topic=t&data=a").await;
    match next(&mut source).await {
        Item::Gap(gap) => assert_eq!((gap.from.as_str(), gap.to.as_str()), ("never", "earliest")),
        other => panic!("{other:?}"),
    }
    assert_eq!(data(&mut source).await, "a");
}

/// The hub stores the event, and its answer is lost, twice.
#[tokio::test]
async fn o5_a_publish_whose_answer_is_lost_is_stored_once() {
    let server = serve(|_| {}).await;
    let relay = Relay::before(server.address).await;
    let mut source = source(&client(), server.address, &format!("{HUB}?topic=t"));
    assert!(matches!(next(&mut source).await, Item::Open(_)));
    relay.lose_answers(2);
    let publisher = publisher(relay.address, &["*"]);
    let receipt = publisher.publish(&Publication::new("t", "once")).await;
    let receipt = receipt.unwrap();
    assert!(receipt.replayed);
    match news(&mut source).await {
        Item::Event(event) => {
            assert_eq!(event.data, "once");
            assert_eq!(event.last_event_id, receipt.id);
        }
        other => panic!("{other:?}"),
    }
    let marker = publisher.publish(&Publication::new("t", "marker")).await;
    assert!(!marker.unwrap().replayed);
    assert_eq!(data(&mut source).await, "marker");
}

#[tokio::test]
async fn o6_a_batch_whose_answer_is_lost_is_stored_once() {
    let server = serve(|_| {}).await;
    let relay = Relay::before(server.address).await;
    let mut source = source(&client(), server.address, "/events?topic=t");
    assert!(matches!(next(&mut source).await, Item::Open(_)));
    relay.lose_answers(1);
    let publisher = publisher(relay.address, &["*"]);
    let batch = ["a", "b", "c"].map(|data| Publication::new("t", data));
    for receipt in publisher.publish_batch(&batch).await {
        assert!(receipt.unwrap().replayed);
    }
    publisher
        .publish(&Publication::new("t", "marker"))
        .await
        .unwrap();
    for expected in ["a", "b", "c", "marker"] {
        assert_eq!(data(&mut source).await, expected);
    }
}

#[tokio::test]
async fn o5_what_the_hub_refuses_is_told_in_its_words() {
    let server = serve(|_| {}).await;
    let publisher = publisher(server.address, &["mine"]);
    let error = publisher.publish(&Publication::new("other", "x")).await;
    match error.unwrap_err() {
        PublishError::Refused(publisher::Fault::Status { status, detail }) => {
            assert_eq!(status, 401);
            assert!(!detail.is_empty());
        }
        other => panic!("{other:?}"),
    }
    let batch = [
        Publication::new("mine", "x"),
        Publication::new("other", "x"),
    ];
    for result in publisher.publish_batch(&batch).await {
        assert!(
            matches!(result, Err(PublishError::Refused(_))),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn srv_20_http_2_by_prior_knowledge_is_the_same_stream() {
    let server = serve(|_| {}).await;
    let mut network = Network::default();
    network.proxy = Proxy::None;
    network.http = fanfare_client::network::HttpVersion::Http2PriorKnowledge;
    let client = Client::new(&network).unwrap();
    let mut source = source(&client, server.address, "/events?topic=t");
    assert!(matches!(next(&mut source).await, Item::Open(_)));
    server.publish("topic=t&data=a").await;
    assert_eq!(data(&mut source).await, "a");
}
