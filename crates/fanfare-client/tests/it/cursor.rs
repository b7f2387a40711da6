//! Where a source goes on after its connections end.

use fanfare_client::error::Cause;
use fanfare_client::item::{End, Gap, GapReason};
use fanfare_client::{EventId, Item, State};
use tokio::join;

use crate::peer::{Peer, STREAM, during, ended, event, lost, next, opened, source_of};

/// What a server sees when it loses the client twice before it could say an id.
#[tokio::test]
async fn cx_01_rc_10_double_drop_keeps_the_cursor() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let serve = async {
        assert_eq!(
            peer.stream("id: 7\ndata: a\n\n").await.last_event_id(),
            None
        );
        let second = peer.stream("data: b\n\n").await;
        assert_eq!(second.last_event_id(), Some("7"));
        let mut third = peer.accept().await;
        third.open().await;
        assert_eq!(third.last_event_id(), Some("7"));
        third.reset();
        let fourth = peer.stream("id: 9\ndata: x").await;
        assert_eq!(fourth.last_event_id(), Some("7"));
        let fifth = peer.stream("data: c\n\n").await;
        assert_eq!(fifth.last_event_id(), Some("7"));
    };
    let read = async {
        let mut events = Vec::new();
        for _ in 0..3 {
            let event = event(&mut source).await;
            events.push((event.data, event.last_event_id.to_string()));
        }
        events
    };
    let ((), events) = join!(serve, read);
    let expected = [("a", "7"), ("b", "7"), ("c", "7")];
    assert_eq!(events, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[tokio::test]
async fn cx_02_rc_11_a_block_without_data_moves_the_cursor() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let serve = async {
        peer.stream("id: 1\ndata: a\n\nid: 2\n\n").await;
        let second = peer.stream("data: b\n\n").await;
        assert_eq!(second.last_event_id(), Some("2"));
    };
    let read = async {
        assert_eq!(event(&mut source).await.data, "a");
        assert_eq!(source.last_event_id().as_str(), "1");
        let next = event(&mut source).await;
        assert_eq!(
            (next.data.as_str(), next.last_event_id.as_str()),
            ("b", "2")
        );
    };
    join!(serve, read);
}

#[tokio::test]
async fn cx_03_rc_09_ids_that_are_not_plain() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let serve = async {
        peer.stream("id: é…🙂\ndata: a\n\n").await;
        let second = peer.stream("id: a b\ndata: b\n\n").await;
        assert_eq!(second.last_event_id(), Some("é…🙂"));
        let third = peer.stream("id: a\u{1}b\ndata: c\n\n").await;
        assert_eq!(third.last_event_id(), Some("a b"));
        for _ in 0..2 {
            let without = peer.stream("data: d\n\n").await;
            assert_eq!(without.last_event_id(), None);
        }
    };
    let read = async {
        let mut causes = 0;
        let mut data = String::new();
        while data != "abcdd" {
            match next(&mut source).await {
                Item::Event(event) => data += &event.data,
                Item::Lost { cause, .. } => {
                    causes += usize::from(matches!(cause, Cause::UnsendableId))
                }
                Item::Open(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(causes, 1, "said once");
        assert_eq!(source.last_event_id().as_str(), "a\u{1}b");
    };
    join!(serve, read);
}

#[tokio::test]
async fn rc_08_cursor_is_that_of_the_last_item_handed_out() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let serve = async {
        let mut first = peer.accept().await;
        first.open().await;
        first.send("id: 1\ndata: a\n\nid: 2\ndata: b\n\n").await;
        let second = peer.stream("").await;
        assert_eq!(second.last_event_id(), Some("1"));
    };
    let read = async {
        assert_eq!(event(&mut source).await.data, "a");
        assert_eq!(source.last_event_id().as_str(), "1");
        // The second event is in the source's hands, and was not handed out.
        source.restart();
        opened(&mut source).await;
    };
    join!(serve, read);
}

#[tokio::test]
async fn rc_05_restart_in_every_state() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.retry = std::time::Duration::from_secs(3600);
    let mut source = source_of(config);
    source.restart();
    assert_eq!(source.state(), State::Connecting);
    let (_, ()) = during(&mut source, async {
        peer.stream("data: a\n\n").await;
    })
    .await;
    assert_eq!(source.state(), State::Open);
    event(&mut source).await;
    lost(&mut source).await;
    assert_eq!(source.state(), State::Connecting);
    // Without it the next attempt would be an hour away.
    source.restart();
    let (item, ()) = during(&mut source, async {
        peer.stream("data: b\n\n").await;
    })
    .await;
    assert!(matches!(item, Item::Open(_)), "{item:?}");
    source.close();
    source.restart();
    assert!(matches!(ended(&mut source).await, End::Closed));
    assert_eq!(source.state(), State::Closed);
}

#[tokio::test]
async fn rc_06_close_hands_out_nothing_more_and_closes_the_connection() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let (_, mut exchange) = during(&mut source, async {
        let mut exchange = peer.accept().await;
        exchange.open().await;
        exchange.send("data: a\n\ndata: b\n\n").await;
        exchange
    })
    .await;
    assert_eq!(event(&mut source).await.data, "a");
    source.close();
    assert!(matches!(ended(&mut source).await, End::Closed));
    exchange.closed().await;
}

#[tokio::test]
async fn rc_03_dropping_a_source_closes_its_connection() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let (_, mut exchange) = during(&mut source, async {
        let mut exchange = peer.accept().await;
        exchange.open().await;
        exchange
    })
    .await;
    drop(source);
    exchange.closed().await;
}

#[tokio::test]
async fn cx_21_rc_14_gap_of_the_head() {
    for name in ["Last-Event-ID", "Mercure-Last-Event-ID"] {
        let peer = Peer::listen().await;
        let mut config = peer.config();
        config.last_event_id = EventId::parse("7").unwrap();
        let mut source = source_of(config);
        let answer = STREAM.replace("\r\n\r\n", &format!("\r\n{name}: earliest\r\n\r\n"));
        let serve = peer.answer(answer.clone() + ":\n\ndata: a\n\ndata: b\n\n");
        let read = async {
            opened(&mut source).await;
            let Item::Gap(Gap {
                from, to, reason, ..
            }) = next(&mut source).await
            else {
                panic!("a gap before the first event");
            };
            assert_eq!(
                (from.as_str(), to.as_str(), reason),
                ("7", "earliest", None)
            );
            assert_eq!(event(&mut source).await.data, "a");
            assert_eq!(event(&mut source).await.data, "b");
        };
        join!(serve, read);
    }
}

#[tokio::test]
async fn cx_21_rc_14_gap_of_head_and_event_is_one() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.last_event_id = EventId::parse("7").unwrap();
    let mut source = source_of(config);
    let answer = STREAM.replace("\r\n\r\n", "\r\nLast-Event-ID: 9\r\n\r\n");
    let gap =
        "event: fanfare-gap\nid: 9\ndata: {\"from\":\"7\",\"to\":\"9\",\"reason\":\"trimmed\"}\n\n";
    let serve = peer.answer(answer + gap + "data: a\n\n");
    let read = async {
        opened(&mut source).await;
        let Item::Gap(gap) = next(&mut source).await else {
            panic!("a gap");
        };
        assert_eq!(gap.reason, Some(GapReason::Trimmed));
        assert_eq!(source.last_event_id().as_str(), "9");
        let item = next(&mut source).await;
        assert!(matches!(item, Item::Event(_)), "{item:?}");
    };
    join!(serve, read);
}

#[tokio::test]
async fn rc_14_a_head_that_confirms_the_cursor_is_no_gap() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.last_event_id = EventId::parse("7").unwrap();
    let mut source = source_of(config);
    let answer = STREAM.replace("\r\n\r\n", "\r\nLast-Event-ID: 7\r\n\r\n");
    let serve = peer.answer(answer + "data: a\n\n");
    let read = async {
        assert_eq!(event(&mut source).await.data, "a");
    };
    join!(serve, read);
}
