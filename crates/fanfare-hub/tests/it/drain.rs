//! An orderly end.

use std::time::Duration;

use fanfare_hub::{SubscribeError, Subscription};

use crate::hub::{Reader, hub, publication, publish, selectors, within};

#[tokio::test]
async fn n8_a_drain_ends_every_stream_with_a_hint_and_closes_the_broker() {
    let hub = hub().await;
    let mut readers = Vec::new();
    for _ in 0..20 {
        readers.push(Reader::new(&hub, Subscription::new(selectors(&["t"]))).await);
    }
    publish(&hub, "t", "last").await;
    let drained = within(hub.drain(Duration::from_millis(500))).await;
    assert_eq!((drained.ended, drained.cut), (20, 0));
    for reader in &mut readers {
        assert_eq!(reader.data().await, "last");
        let hint = reader.block().await.unwrap();
        assert!(hint.starts_with("retry: "), "{hint}");
        assert_eq!(reader.block().await, None);
    }
    let refused = hub
        .subscribe(Subscription::new(selectors(&["t"])))
        .await
        .unwrap_err();
    assert!(matches!(refused, SubscribeError::Draining { .. }));
    assert!(
        hub.publish(vec![publication("t", "x")])
            .await
            .pop()
            .unwrap()
            .is_err()
    );
}

#[tokio::test]
async fn a_hub_that_is_dropped_ends_its_streams() {
    let hub = hub().await;
    let mut reader = Reader::new(&hub, Subscription::new(selectors(&["t"]))).await;
    drop(hub);
    assert_eq!(reader.block().await, None);
}
