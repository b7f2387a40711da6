//! NA7: a server that is away, and comes back.

use std::sync::Arc;

use fanfare_broker::{Broker, Health, PublishError};
use fanfare_nats::{Config, NatsBroker, OpenError};
use fanfare_testkit::nats_server::NatsServer;
use tokio::task::JoinSet;

use crate::sample::{
    Tail, connect, data, history, publication, publish, store, store_at_last, wait_until,
    wait_until_ready, within,
};

/// The client library sends after a reconnection what was queued while it was away, seconds after
/// its publishers were told that nothing of it is stored.
#[tokio::test(flavor = "multi_thread")]
async fn na_07_what_was_refused_is_never_sent() {
    let mut server = NatsServer::start();
    let broker = connect(&server.host(), "").await;
    let mut tail = Tail::of(&broker, None);
    store(&broker, &["before"]).await;
    server.kill();

    let mut refused = 0;
    while refused < 50 {
        match publish(&broker, publication("refused")).await {
            Err(PublishError::Unavailable { .. }) => refused += 1,
            // The moment before the connection is known to be broken.
            outcome => assert_eq!(outcome, Err(PublishError::Unknown)),
        }
    }
    assert!(matches!(broker.health(), Health::Degraded { .. }));
    server.restart();
    wait_until_ready(&broker).await;
    let after = store(&broker, &["after"]).await[0].cursor;
    assert_eq!(data(&history(&broker).await), ["before", "after"]);
    // An outage by itself drops nothing, and tells nobody of a gap.
    let told = tail.records_upto(after.offset).await;
    assert_eq!(data(&told), ["before", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_fails_after_the_grace_and_recovers_by_itself() {
    let mut server = NatsServer::start();
    let mut config = Config::default();
    config.broker_grace = std::time::Duration::from_millis(300);
    let address = format!("nats://{}?ack=relaxed", server.host());
    let broker = NatsBroker::connect(address.parse().unwrap(), config).await;
    let broker = broker.unwrap();
    server.kill();
    wait_until("health is told to be bad at once", || {
        broker.health() != Health::Ready
    })
    .await;
    wait_until("health fails", || {
        matches!(broker.health(), Health::Failed { .. })
    })
    .await;
    server.restart();
    wait_until_ready(&broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_server_is_refused() {
    let mut server = NatsServer::start();
    server.kill();
    let mut config = Config::default();
    config.broker_start_patience = std::time::Duration::from_millis(300);
    let address = format!("nats://{}?ack=relaxed", server.host());
    let refused = NatsBroker::connect(address.parse().unwrap(), config).await;
    assert!(matches!(refused, Err(OpenError::Unreachable { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_its_server() {
    let mut server = NatsServer::start();
    server.kill();
    let address = format!("nats://{}?ack=relaxed", server.host());
    let starting = NatsBroker::connect(address.parse().unwrap(), Config::default());
    let mut starting = std::pin::pin!(starting);
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut starting).await;
    assert!(early.is_err(), "it waits");
    server.restart();
    let broker = within("the start is done", starting).await.unwrap();
    store(&broker, &["in"]).await;
}

/// What was acknowledged is there, in each publisher's order, once; also what had to be repeated.
#[tokio::test(flavor = "multi_thread")]
async fn l_03_a_server_killed_under_publishes_loses_nothing() {
    let mut server = NatsServer::start();
    let broker = connect(&server.host(), "").await;
    let mut tail = Tail::of(&broker, None);
    let mut publishers = JoinSet::new();
    for publisher in 0..8 {
        let broker = Arc::clone(&broker);
        publishers.spawn(async move {
            let mut last = 0;
            for n in 0..200 {
                let receipt = store_at_last(&broker, &format!("{publisher}-{n}")).await;
                assert!(
                    receipt.cursor.offset > last,
                    "each publisher's order is kept"
                );
                last = receipt.cursor.offset;
            }
        });
    }
    for offset in [100, 300, 600] {
        tail.records_upto(offset).await;
        server.kill();
        server.restart();
    }
    publishers.join_all().await;
    let mut seen = data(&history(&broker).await);
    seen.sort_unstable();
    let mut expected: Vec<_> = (0..8)
        .flat_map(|publisher| (0..200).map(move |n| format!("{publisher}-{n}")))
        .collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    tail.records_upto(1600).await;
}
