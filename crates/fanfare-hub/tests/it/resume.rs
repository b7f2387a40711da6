//! Coming back with a last id: no gap and no double, or a gap that is said.

use fanfare_broker::memory;
use fanfare_hub::{Config, GapSignal, UnknownCursor};

use crate::hub::{Reader, from, hub, hub_with, publication, publish};

/// A hub whose ring holds 4 records and whose history holds 50.
async fn small_ring() -> fanfare_hub::Hub {
    let mut config = Config::default();
    config.ring_records_max = 4;
    let mut history = memory::Config::default();
    history.history_count_max = 50;
    hub_with(config, history).await
}

#[tokio::test]
async fn c6_resumes_by_cursor_from_the_ring() {
    let hub = hub().await;
    let first = publish(&hub, "t", "0").await;
    for number in 1..10 {
        publish(&hub, "t", &number.to_string()).await;
    }
    let mut reader = Reader::new(&hub, from(&["t"], first.id.as_str())).await;
    for number in 1..10 {
        assert_eq!(reader.data().await, number.to_string());
    }
    publish(&hub, "t", "live").await;
    assert_eq!(reader.data().await, "live");
}

#[tokio::test]
async fn c5_resumes_by_a_publishers_own_id_and_the_earliest_counts() {
    let hub = hub().await;
    for data in ["0", "1", "2"] {
        let mut publication = publication("t", data);
        publication.event.id = fanfare_wire::EventId::parse("mine").ok();
        hub.publish(vec![publication]).await.pop().unwrap().unwrap();
    }
    let mut reader = Reader::new(&hub, from(&["t"], "mine")).await;
    assert_eq!(reader.data().await, "1");
    assert_eq!(reader.data().await, "2");
}

#[tokio::test]
async fn q6_what_the_ring_no_longer_holds_comes_from_history_without_a_seam() {
    let hub = small_ring().await;
    let first = publish(&hub, "t", "0").await;
    for number in 1..40 {
        let topic = if number % 2 == 0 { "t" } else { "other" };
        publish(&hub, topic, &number.to_string()).await;
    }
    let mut reader = Reader::new(&hub, from(&["t"], first.id.as_str())).await;
    for number in (2..40).step_by(2) {
        assert_eq!(reader.data().await, number.to_string());
    }
}

#[tokio::test]
async fn c7_a_trimmed_place_is_said_by_header_and_event() {
    let hub = small_ring().await;
    let first = publish(&hub, "t", "0").await;
    for number in 1..=60 {
        publish(&hub, "t", &number.to_string()).await;
    }
    let admission = hub
        .subscribe(from(&["t"], first.id.as_str()))
        .await
        .unwrap();
    assert_eq!(admission.resumed_after().unwrap().as_str(), "earliest");
    let mut reader = Reader::of(admission.into_stream(bytes::Bytes::new()));
    let gap = reader.block().await.unwrap();
    assert!(gap.starts_with("event: fanfare-gap\nid: urn:ff:"), "{gap}");
    assert!(gap.contains(r#""reason":"trimmed""#), "{gap}");
    assert_eq!(
        reader.data().await,
        "11",
        "61 stored, 50 kept: 11 is the first retained"
    );
    assert_eq!(
        hub.counts()
            .gaps_total
            .iter()
            .find(|(why, _)| *why == "trimmed")
            .unwrap()
            .1,
        1
    );
}

#[tokio::test]
async fn c7_without_the_event_only_the_header_says_it() {
    let hub = small_ring().await;
    let first = publish(&hub, "t", "0").await;
    for number in 1..=60 {
        publish(&hub, "t", &number.to_string()).await;
    }
    let mut subscription = from(&["t"], first.id.as_str());
    subscription.gap_signal = GapSignal::Cursor;
    let mut reader = Reader::new(&hub, subscription).await;
    assert_eq!(reader.data().await, "11");
}

#[tokio::test]
async fn c6_an_unknown_id_goes_live_and_is_said() {
    let hub = hub().await;
    publish(&hub, "t", "old").await;
    let admission = hub.subscribe(from(&["t"], "never-seen")).await.unwrap();
    assert_eq!(admission.resumed_after().unwrap().as_str(), "earliest");
    let mut reader = Reader::of(admission.into_stream(bytes::Bytes::new()));
    assert!(
        reader
            .block()
            .await
            .unwrap()
            .contains(r#""from":"never-seen""#)
    );
    publish(&hub, "t", "new").await;
    assert_eq!(reader.data().await, "new");
}

#[tokio::test]
async fn c6_an_unknown_id_may_replay_everything() {
    let mut config = Config::default();
    config.unknown_cursor = UnknownCursor::All;
    let hub = hub_with(config, memory::Config::default()).await;
    publish(&hub, "t", "old").await;
    let mut reader = Reader::new(&hub, from(&["t"], "never-seen")).await;
    assert!(reader.block().await.unwrap().contains("fanfare-gap"));
    assert_eq!(reader.data().await, "old");
}

#[tokio::test]
async fn d0_h4_earliest_replays_everything_and_is_no_gap() {
    let hub = hub().await;
    publish(&hub, "t", "0").await;
    publish(&hub, "t", "1").await;
    let admission = hub.subscribe(from(&["t"], "earliest")).await.unwrap();
    assert_eq!(admission.resumed_after().unwrap().as_str(), "earliest");
    let mut reader = Reader::of(admission.into_stream(bytes::Bytes::new()));
    assert_eq!(reader.data().await, "0");
    assert_eq!(reader.data().await, "1");
}

#[tokio::test]
async fn d0_h3_no_gap_and_no_double_while_publishing_during_the_replay() {
    let hub = small_ring().await;
    let first = publish(&hub, "t", "0").await;
    for number in 1..30 {
        publish(&hub, "t", &number.to_string()).await;
    }
    let mut readers = Vec::new();
    for number in 30..45 {
        readers.push(Reader::new(&hub, from(&["t"], first.id.as_str())).await);
        publish(&hub, "t", &number.to_string()).await;
    }
    for reader in &mut readers {
        for number in 1..45 {
            assert_eq!(reader.data().await, number.to_string());
        }
    }
}

#[tokio::test]
async fn a_hub_that_starts_on_stored_events_serves_them() {
    use std::sync::Arc;

    use fanfare_broker::{Broker, MemoryBroker};

    let broker = Arc::new(MemoryBroker::new(memory::Config::default()));
    let stored = broker
        .publish(vec![publication("t", "0"), publication("t", "1")])
        .await;
    let first = stored.first().unwrap().clone().unwrap();
    let hub = fanfare_hub::Hub::start(broker, Config::default())
        .await
        .unwrap();
    let mut reader = Reader::new(&hub, from(&["t"], first.id.as_str())).await;
    assert_eq!(reader.data().await, "1");
    publish(&hub, "t", "2").await;
    assert_eq!(reader.data().await, "2");
}
