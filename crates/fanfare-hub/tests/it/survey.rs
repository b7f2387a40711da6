//! Who is connected, and how long things take: asked of a hub that works on.

use std::collections::HashSet;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::{Form, memory};
use fanfare_hub::{Config, GuestBook, Hub, Subscription, Surveyed};

use crate::hub::{Reader, hub, hub_with, publish, selectors, within};

/// All subscribers, in pages of `limit`.
async fn all(hub: &Hub, limit: usize) -> Vec<Surveyed> {
    let (mut all, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let survey = within(hub.survey(place, limit)).await;
        assert!(survey.subscribers.len() <= limit);
        all.extend(survey.subscribers);
        from = survey.next;
    }
    all
}

#[tokio::test]
async fn every_subscriber_of_every_shard_is_told_once() {
    let mut config = Config::default();
    config.shards = 3;
    let hub = hub_with(config, memory::Config::default()).await;
    let mut readers = Vec::new();
    for nth in 0..20 {
        let topic = format!("t/{nth}");
        readers.push(Reader::new(&hub, Subscription::new(selectors(&[&topic]))).await);
    }
    for limit in [1, 7, 1000] {
        let all = all(&hub, limit).await;
        let names: HashSet<_> = all.iter().map(|it| (it.shard, it.number)).collect();
        let topics: HashSet<String> = all
            .iter()
            .flat_map(|it| it.selectors.iter())
            .map(|selector| selector.as_str().to_owned())
            .collect();
        assert_eq!((all.len(), names.len(), topics.len()), (20, 20, 20));
    }
    drop(readers);
    while !all(&hub, 1000).await.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_socket_knows_its_peer_and_a_stream_what_it_was_told() {
    let (hub, book) = (hub().await, GuestBook::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut subscription = Subscription::new(selectors(&["a"]));
    subscription.guest = Some(book.guest(7));
    let admission = hub.subscribe(subscription).await.unwrap();
    admission.into_socket(socket, Bytes::from_static(b"HEAD"), Form::Chunked);

    let mut subscription = Subscription::new(selectors(&["b"]));
    let told = "192.0.2.1:7".parse().unwrap();
    subscription.address = Some(told);
    subscription.grant = selectors(&["*"]);
    let _reader = Reader::new(&hub, subscription).await;

    let mut found = all(&hub, 10).await;
    found.sort_by_key(|it| !it.owns_socket);
    let [on_socket, on_stream] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(on_socket.address, peer.local_addr().ok());
    assert_eq!((on_socket.guest, on_socket.sees_private), (Some(7), false));
    assert_eq!(on_stream.address, Some(told));
    assert!(on_stream.sees_private && !on_stream.owns_socket);
}

#[tokio::test]
async fn latency_counts_publishes_and_the_wake_ups_that_wrote() {
    let hub = hub().await;
    let count = |buckets: &[(Duration, u64)]| buckets.iter().map(|(_, count)| count).sum::<u64>();
    let before = publish(&hub, "t", "nobody is there").await;
    within(hub.caught_up(before.cursor.offset)).await;
    let mut reader = Reader::new(&hub, Subscription::new(selectors(&["t"]))).await;
    // What it reads before it is live is its own affair.
    while hub.counts().subscribers == 0 || hub.counts().lagging > 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        publish(&hub, "t", "x").await;
        reader.data().await;
    }
    // The last turn is counted when it is over, which is after its writes.
    within(async {
        while count(&hub.latency().written) < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let latency = hub.latency();
    assert_eq!((count(&latency.stored), count(&latency.written)), (4, 3));
}

#[tokio::test]
async fn recent_records_are_those_of_the_ring() {
    let hub = hub().await;
    for data in ["one", "two", "three"] {
        let offset = publish(&hub, "t", data).await.cursor.offset;
        within(hub.caught_up(offset)).await;
    }
    let data = |count| -> Vec<String> {
        let recent = hub.recent(count);
        let events = recent.iter().map(|record| &record.publication().event.data);
        events.map(ToString::to_string).collect()
    };
    assert_eq!(data(2), ["two", "three"]);
    assert_eq!(data(9), ["one", "two", "three"]);
}
