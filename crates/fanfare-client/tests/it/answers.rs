//! RC-16 over real connections: which answers end a source, and which it waits out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare_client::config::{Authorize, Judge, Policy, Verdict, bearer};
use fanfare_client::error::Cause;
use fanfare_client::item::End;
use fanfare_client::{Client, Config, EventId, EventSource, Item};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tokio::join;

use crate::peer::{Peer, STREAM, client, during, ended, event, lost, next, opened, source_of};

fn answer(status: u16, fields: &str) -> String {
    format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n{fields}\r\n")
}

/// The first item of a source that gets `answer`.
async fn first(client: &Client, peer: &Peer, config: Config, answer: &str) -> (Item, EventSource) {
    let mut source = client.event_source(config).unwrap();
    let (item, _) = during(&mut source, peer.answer(answer)).await;
    (item, source)
}

#[tokio::test]
async fn cx_04_rc_16_every_status_in_both_policies() {
    let client = client();
    let peer = Peer::listen().await;
    for status in (200..600).filter(|status| !matches!(status, 301..=303 | 307 | 308)) {
        let fields = match status {
            200 => "Content-Type: text/event-stream\r\n",
            _ => "",
        };
        for spec in [false, true] {
            let mut config = peer.config();
            if spec {
                config.policy = Policy::Spec;
            }
            let answer = answer(status, fields);
            let (item, _) = first(&client, &peer, config, &answer).await;
            let as_expected = match status {
                200 => matches!(item, Item::Open(_)),
                204 if !spec => matches!(item, Item::End(End::NoContent)),
                408 | 425 | 429 | 500.. if !spec => matches!(item, Item::Lost { .. }),
                _ => matches!(item, Item::End(End::Failed(_))),
            };
            assert!(as_expected, "{status}, spec {spec}: {item:?}");
        }
    }
}

#[tokio::test]
async fn cc_59_204_ends_the_source() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let (end, _) = join!(ended(&mut source), peer.answer(answer(204, "")));
    assert!(matches!(end, End::NoContent));
}

#[tokio::test]
async fn cx_05_rc_23_retry_after_is_waited_for() {
    let client = client();
    let peer = Peer::listen().await;
    let cases = [
        ("120", 120..=132),
        ("1000000000", 3600..=3960),
        ("soon", 0..=1),
    ];
    for (value, expected) in cases {
        let answer = answer(503, &format!("Retry-After: {value}\r\n"));
        match first(&client, &peer, peer.config(), &answer).await.0 {
            Item::Lost { cause, retry_in } => {
                assert!(matches!(cause, Cause::Status { status, .. } if status == 503));
                assert!(
                    expected.contains(&retry_in.as_secs()),
                    "{value}: {retry_in:?}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn cx_06_rc_16_another_type_is_shown() {
    let client = client();
    let peer = Peer::listen().await;
    let long = "é".repeat(300);
    let page =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{long}");
    match first(&client, &peer, peer.config(), &page).await.0 {
        Item::End(End::Failed(Cause::NotAStream { content_type, body })) => {
            assert_eq!(content_type, "text/html");
            assert_eq!(body, "é".repeat(128));
        }
        other => panic!("{other:?}"),
    }
    let untyped = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: a\n\n";
    match first(&client, &peer, peer.config(), untyped).await.0 {
        Item::End(End::Failed(Cause::NotAStream { content_type, .. })) => {
            assert_eq!(content_type, "");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn cx_19_a_compressed_stream_is_named() {
    let client = client();
    let peer = Peer::listen().await;
    let answer = STREAM.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n");
    match first(&client, &peer, peer.config(), &answer).await.0 {
        Item::End(End::Failed(Cause::Encoded { content_encoding })) => {
            assert_eq!(content_encoding, "gzip");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rc_16_a_judge_decides() {
    let client = client();
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.policy = Policy::Judge(Judge::new(|status, _: &HeaderMap| match status.as_u16() {
        404 => Verdict::Retry,
        410 => Verdict::End,
        _ => Verdict::Fail,
    }));
    let first = async |status| {
        let answer = answer(status, "");
        first(&client, &peer, config.clone(), &answer).await.0
    };
    assert!(matches!(first(404).await, Item::Lost { .. }));
    assert!(matches!(first(410).await, Item::End(End::NoContent)));
    assert!(matches!(first(503).await, Item::End(End::Failed(_))));
}

/// An `authorize` that gives `token-0`, `token-1` and so on, or the same each time.
fn tokens(renews: bool) -> (Authorize, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let authorize = Authorize::new(move || {
        let call = count.fetch_add(1, Ordering::SeqCst);
        async move {
            let token = format!("token-{}", if renews { call } else { 0 });
            Ok(HeaderMap::from_iter([(AUTHORIZATION, bearer(&token)?)]))
        }
    });
    (authorize, calls)
}

#[tokio::test]
async fn cx_20_a_new_token_after_401_goes_on_with_the_cursor() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    let (authorize, calls) = tokens(true);
    config.authorize = Some(authorize);
    config.last_event_id = EventId::parse("7").unwrap();
    let mut source = source_of(config);
    let serve = async {
        let first = peer.answer(answer(401, "")).await;
        assert_eq!(first.field("authorization"), Some("Bearer token-0"));
        let second = peer.stream("data: a\n\n").await;
        assert_eq!(second.field("authorization"), Some("Bearer token-1"));
        assert_eq!(second.last_event_id(), Some("7"));
        // Every attempt asks anew.
        let third = peer.stream("data: b\n\n").await;
        assert_eq!(third.field("authorization"), Some("Bearer token-2"));
    };
    let read = async {
        opened(&mut source).await;
        assert_eq!(event(&mut source).await.data, "a");
        assert_eq!(event(&mut source).await.data, "b");
    };
    join!(serve, read);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn cx_20_the_same_token_after_401_fails() {
    for status in [401, 403] {
        let peer = Peer::listen().await;
        let mut config = peer.config();
        config.authorize = Some(tokens(false).0);
        let mut source = source_of(config);
        let (end, _) = join!(ended(&mut source), peer.answer(answer(status, "")));
        assert!(matches!(end, End::Failed(Cause::Status { .. })), "{end:?}");
    }
}

#[tokio::test]
async fn cx_20_two_401_in_a_row_fail() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.authorize = Some(tokens(true).0);
    let mut source = source_of(config);
    let serve = async {
        peer.answer(answer(401, "")).await;
        peer.answer(answer(401, "")).await;
    };
    let (end, ()) = join!(ended(&mut source), serve);
    assert!(matches!(end, End::Failed(Cause::Status { .. })), "{end:?}");
}

#[tokio::test]
async fn an_authorize_that_fails_is_asked_again() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.authorize = Some(Authorize::new(|| async { Err("no token today".into()) }));
    config.attempts_max = Some(2);
    let mut source = source_of(config);
    assert!(matches!(lost(&mut source).await.0, Cause::Authorize(_)));
    let end = ended(&mut source).await;
    assert!(matches!(end, End::GaveUp(Cause::Authorize(_))), "{end:?}");
}

#[tokio::test]
async fn rc_16_nobody_there_is_waited_out() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    drop(peer);
    config.attempts_max = Some(3);
    let mut source = source_of(config);
    for _ in 0..2 {
        assert!(matches!(lost(&mut source).await.0, Cause::Unreachable(_)));
        source.restart();
    }
    assert!(matches!(ended(&mut source).await, End::GaveUp(_)));
}

#[tokio::test]
async fn rc_16_rubbish_and_a_reset_are_waited_out() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let (item, _) = during(&mut source, peer.answer("SSH-2.0-OpenSSH_9.2\r\n\r\n")).await;
    assert!(matches!(item, Item::Lost { .. }), "{item:?}");
    let (item, ()) = during(&mut source, async { peer.accept().await.reset() }).await;
    assert!(matches!(item, Item::Lost { .. }), "{item:?}");
}

#[tokio::test]
async fn head_timeout_is_a_loss() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.head_timeout = Duration::from_millis(50);
    let mut source = source_of(config);
    let (item, mut exchange) = during(&mut source, peer.accept()).await;
    let as_expected = matches!(
        item,
        Item::Lost {
            cause: Cause::HeadTimeout { .. },
            ..
        }
    );
    assert!(as_expected, "{item:?}");
    exchange.closed().await;
}

#[tokio::test]
async fn cx_22_bodies_cut_short_are_lost_and_resumed() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let chunked = STREAM.replace("Connection: close", "Transfer-Encoding: chunked");
    let counted = STREAM.replace("Connection: close", "Content-Length: 1000");
    let old = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let serve = async {
        peer.answer(chunked + "10\r\nid: 1\ndata: a\n\n").await;
        let second = peer.answer(counted + "id: 2\ndata: b\n\n").await;
        assert_eq!(second.last_event_id(), Some("1"));
        let third = peer.answer(old.to_owned() + "id: 3\ndata: c\n\n").await;
        assert_eq!(third.last_event_id(), Some("2"));
        let fourth = peer.answer(answer(204, "")).await;
        assert_eq!(fourth.last_event_id(), Some("3"));
    };
    let read = async {
        let mut causes = Vec::new();
        let mut data = String::new();
        loop {
            match next(&mut source).await {
                Item::Event(event) => data += &event.data,
                Item::Lost { cause, .. } => causes.push(matches!(cause, Cause::Ended)),
                Item::Open(_) => {}
                Item::End(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(data, "abc");
        assert_eq!(causes, [false, false, true], "broken, broken, ended");
    };
    join!(serve, read);
}
