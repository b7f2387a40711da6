//! Who gets what, and in which order.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use bytes::Bytes;
use fanfare_broker::{Form, Topic, memory};
use fanfare_hub::{Config, Subscription};

use crate::hub::{Reader, hub, hub_with, publication, publish, selectors, within};

#[tokio::test]
async fn p1_every_subscriber_sees_its_part_of_one_order() {
    let hub = hub().await;
    let mut all = Reader::new(&hub, Subscription::new(selectors(&["*"]))).await;
    let mut books = Reader::new(&hub, Subscription::new(selectors(&["books/{id}"]))).await;
    for number in 0..100 {
        publish(
            &hub,
            if number % 3 == 0 { "books/1" } else { "news" },
            &number.to_string(),
        )
        .await;
    }
    for number in 0..100 {
        assert_eq!(all.data().await, number.to_string());
    }
    for number in (0..100).step_by(3) {
        assert_eq!(books.data().await, number.to_string());
    }
}

#[tokio::test]
async fn d0_a10_private_events_reach_only_grants_that_cover_a_topic() {
    let hub = hub().await;
    let mut granted = Subscription::new(selectors(&["news"]));
    granted.grant = selectors(&["user/{id}"]);
    let mut granted = Reader::new(&hub, granted).await;
    let mut other = Reader::new(&hub, Subscription::new(selectors(&["news"]))).await;
    let private = publication("news", "secret")
        .also(Topic::parse("user/7").unwrap())
        .private();
    hub.publish(vec![private]).await.pop().unwrap().unwrap();
    publish(&hub, "news", "marker").await;
    assert_eq!(granted.data().await, "secret");
    assert_eq!(other.data().await, "marker", "the secret never came");
}

#[tokio::test]
async fn a_subscriber_misses_nothing_from_the_moment_it_is_admitted() {
    let hub = hub().await;
    for round in 0..50 {
        let admission = hub
            .subscribe(Subscription::new(selectors(&["t"])))
            .await
            .unwrap();
        publish(&hub, "t", &round.to_string()).await;
        let mut reader = Reader::of(admission.into_stream(Bytes::new()));
        assert_eq!(reader.data().await, round.to_string());
    }
}

#[tokio::test]
async fn a_socket_gets_its_first_bytes_and_then_chunks() {
    let hub = hub().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    let admission = hub
        .subscribe(Subscription::new(selectors(&["t"])))
        .await
        .unwrap();
    admission.into_socket(socket, Bytes::from_static(b"HEAD"), Form::Chunked);
    let id = publish(&hub, "t", "x").await.id;
    let block = format!("id: {id}\ndata: x\n\n");
    let expected = format!("HEAD{:X}\r\n{block}\r\n", block.len());
    let got = tokio::task::spawn_blocking(move || {
        let mut got = vec![0; expected.len()];
        client.read_exact(&mut got).unwrap();
        (String::from_utf8(got).unwrap(), expected, client)
    });
    let (got, expected, client) = within(got).await.unwrap();
    assert_eq!(got, expected);
    assert_eq!(hub.counts().subscribers, 1);
    drop(client);
    within(async {
        while hub.counts().subscribers > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn count_matching_counts_lagging_and_live_subscribers_of_all_shards() {
    let mut config = Config::default();
    config.shards = 3;
    let hub = hub_with(config, memory::Config::default()).await;
    let mut readers = Vec::new();
    for number in 0..10 {
        let topic = if number < 7 { "a" } else { "b" };
        readers.push(Reader::new(&hub, Subscription::new(selectors(&[topic]))).await);
    }
    assert_eq!(hub.count_matching(&publication("a", "")), 7);
    assert_eq!(hub.count_matching(&publication("b", "")), 3);
    assert_eq!(hub.count_matching(&publication("c", "")), 0);
    drop(readers);
    within(async {
        while hub.count_matching(&publication("a", "")) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
