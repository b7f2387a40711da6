//! Everything has a limit, and a clear answer at it.

use fanfare_broker::memory;
use fanfare_hub::{Config, Hub, StartError, SubscribeError, Subscription};
use std::sync::Arc;

use crate::hub::{Reader, hub_with, publish, selectors, within};

#[tokio::test]
async fn one_subscriber_too_many_is_refused_and_a_place_given_back_is_free_again() {
    let mut config = Config::default();
    config.subscribers_max = 2;
    let hub = hub_with(config, memory::Config::default()).await;
    let subscription = || Subscription::new(selectors(&["t"]));
    let one = hub.subscribe(subscription()).await.unwrap();
    let _two = Reader::new(&hub, subscription()).await;
    let refused = hub.subscribe(subscription()).await.unwrap_err();
    assert_eq!(refused, SubscribeError::TooMany { subscribers_max: 2 });
    drop(one);
    let three = Reader::new(&hub, subscription()).await;
    drop(three);
    within(async {
        while hub.subscribe(subscription()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn p6_a_stream_that_nobody_reads_holds_a_bounded_number_of_bytes() {
    let mut config = Config::default();
    config.stream_bytes_max = 1024;
    let hub = hub_with(config, memory::Config::default()).await;
    let mut idle = Reader::new(&hub, Subscription::new(selectors(&["t"]))).await;
    let mut other = Reader::new(&hub, Subscription::new(selectors(&["t"]))).await;
    let data = "x".repeat(100);
    for _ in 0..200 {
        publish(&hub, "t", &data).await;
        assert_eq!(other.data().await, data);
    }
    assert_eq!(hub.counts().lagging, 1);
    assert!(hub.counts().written_bytes_total < 200 * 200 + 1024);
    // It lost nothing: it was only behind.
    for _ in 0..200 {
        assert_eq!(idle.data().await, data);
    }
}

#[tokio::test]
async fn a_field_out_of_range_is_named() {
    let mut config = Config::default();
    config.shards = 0;
    let broker = Arc::new(fanfare_broker::MemoryBroker::new(memory::Config::default()));
    match Hub::start(broker, config).await {
        Err(StartError::Config(invalid)) => assert_eq!(invalid.field, "shards"),
        other => panic!("{other:?}"),
    }
}
