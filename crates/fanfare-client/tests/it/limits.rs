//! What is bounded: events, and what a slow consumer lets pile up.

use std::time::Duration;

use fanfare_client::config::Oversize;
use fanfare_client::item::End;
use fanfare_client::{EventId, Item};
use tokio::io::AsyncWriteExt;
use tokio::join;
use tokio::time::timeout;

use crate::peer::{Peer, during, ended, event, next, opened, source_of};

fn long_event(id: &str, bytes: usize) -> String {
    format!("id: {id}\ndata: {}\n\n", "x".repeat(bytes))
}

#[tokio::test]
async fn cx_16_rc_13_an_event_past_the_limit_ends_the_source() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let serve = peer.stream(long_event("2", 17 << 20));
    let read = async {
        opened(&mut source).await;
        ended(&mut source).await
    };
    let (_, end) = join!(serve, read);
    match end {
        End::TooLong {
            event_bytes_max,
            id,
        } => {
            assert_eq!(event_bytes_max, 16 << 20);
            assert_eq!(id, Some(EventId::parse("2").unwrap()));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn cx_16_rc_13_a_skipped_event_is_not_asked_for_again() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.oversize = Oversize::Skip;
    config.event_bytes_max = 1_000;
    let mut source = source_of(config);
    let serve = async {
        // The connection is lost in the middle of what is skipped.
        peer.stream("id: 1\ndata: a\n\nid: 2\ndata: ".to_owned() + &"x".repeat(2_000))
            .await;
        let second = peer.stream("data: b\n\n").await;
        assert_eq!(second.last_event_id(), Some("2"));
    };
    let read = async {
        opened(&mut source).await;
        assert_eq!(event(&mut source).await.data, "a");
        match next(&mut source).await {
            Item::Skipped {
                event_bytes_max,
                id,
            } => {
                assert_eq!(event_bytes_max, 1_000);
                assert_eq!(id, Some(EventId::parse("2").unwrap()));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(event(&mut source).await.data, "b");
    };
    join!(serve, read);
}

#[tokio::test]
async fn cx_16_an_endless_line_is_bounded() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.oversize = Oversize::Skip;
    config.event_bytes_max = 1_000;
    let mut source = source_of(config);
    let serve = async {
        let mut exchange = peer.accept().await;
        exchange.open().await;
        exchange.send("data: ").await;
        for _ in 0..256 {
            exchange.send(vec![b'x'; 256 << 10]).await;
        }
        exchange.send("\n\ndata: after\n\n").await;
        exchange
    };
    let read = async {
        opened(&mut source).await;
        let item = next(&mut source).await;
        assert!(matches!(item, Item::Skipped { id: None, .. }), "{item:?}");
        assert_eq!(event(&mut source).await.data, "after");
    };
    join!(serve, read);
}

#[tokio::test]
async fn cx_15_rc_01_rc_02_a_slow_consumer_holds_the_server_back() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.read_timeout = Some(Duration::from_millis(500));
    let mut source = source_of(config);
    let (_, mut exchange) = during(&mut source, async {
        let mut exchange = peer.accept().await;
        exchange.open().await;
        exchange
    })
    .await;
    let events: u64 = 64 * 16;
    let event_bytes = 64 << 10;
    let one = long_event("7", event_bytes);
    let all = one.repeat(usize::try_from(events).unwrap());
    // Nobody polls the source: the server is stuck long before it has sent all, and that for
    // longer than the source would listen to silence.
    let mut sent = 0;
    let stuck = loop {
        let write = exchange.socket().write(&all.as_bytes()[sent..]);
        match timeout(Duration::from_secs(1), write).await {
            Ok(written) => sent += written.unwrap(),
            Err(_) => break true,
        }
        if sent == all.len() {
            break false;
        }
    };
    assert!(stuck, "64 MiB were taken without a reader");
    let serve = async {
        exchange.send(&all.as_bytes()[sent..]).await;
        exchange
    };
    let read = async {
        for _ in 0..events {
            let item = next(&mut source).await;
            let Item::Event(event) = item else {
                panic!("{item:?}");
            };
            assert_eq!(event.data.len(), event_bytes);
        }
    };
    join!(serve, read);
}

#[tokio::test]
async fn cx_17_invalid_utf_8_does_not_end_a_stream() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let body = b"id: \xFF\nevent: \xC0\xAF\n: \xE8\ndata: a\xED\xA0\x80b\n\xFE: x\n\ndata: c\n\n";
    let read = async {
        let first = event(&mut source).await;
        assert_eq!(first.data, "a\u{fffd}\u{fffd}\u{fffd}b");
        assert_eq!(first.event_type, "\u{fffd}\u{fffd}");
        assert_eq!(first.last_event_id.as_str(), "\u{fffd}");
        assert_eq!(event(&mut source).await.data, "c");
    };
    join!(peer.stream(body), read);
}
