//! When a source comes back, and how long it listens to silence.

use std::time::Duration;

use fanfare_client::error::Cause;
use fanfare_client::{EventSource, Item};
use tokio::join;
use tokio::time::{Instant, interval};

use crate::peer::{Peer, during, event, lost, next, opened, source_of};

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The wait after a stream that said `body` and ended.
async fn wait_after(source: &mut EventSource, peer: &Peer, body: &str) -> Duration {
    // What is waited for is known; no need to wait for it.
    source.restart();
    let (item, _) = during(source, peer.stream(body)).await;
    assert!(matches!(item, Item::Open(_)), "{item:?}");
    loop {
        match next(source).await {
            Item::Event(_) => {}
            Item::Lost { retry_in, .. } => return retry_in,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn cx_07_rc_20_good_streams_are_returned_to_soon() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    for _ in 0..20 {
        let wait = wait_after(&mut source, &peer, "retry: 500\ndata: a\n\n").await;
        assert!((millis(500)..=millis(550)).contains(&wait), "{wait:?}");
    }
}

#[tokio::test]
async fn cx_09_rc_22_retry_0_makes_no_storm() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let mut longest = Duration::ZERO;
    for failures in 0..12 {
        let wait = wait_after(&mut source, &peer, "retry: 0\ndata: a\n\n").await;
        assert!(wait <= millis(500 << failures), "{wait:?}");
        longest = longest.max(wait);
    }
    // All twelve below this would be one chance in millions.
    assert!(longest > millis(1_000), "{longest:?}");
}

#[tokio::test]
async fn cx_10_rc_24_a_hint_counts_until_the_next() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    // A passing refusal; its block has no blank line, and counts all the same.
    let wait = wait_after(&mut source, &peer, "retry: 45000\n").await;
    assert!(
        (millis(45_000)..=millis(90_000)).contains(&wait),
        "{wait:?}"
    );
    for _ in 0..3 {
        let wait = wait_after(&mut source, &peer, "retry: 2000\ndata: a\n\n").await;
        assert!((millis(2_000)..=millis(2_200)).contains(&wait), "{wait:?}");
    }
    let wait = wait_after(&mut source, &peer, "data: a\n\n").await;
    assert!((millis(2_000)..=millis(2_200)).contains(&wait), "{wait:?}");
}

#[tokio::test]
async fn rc_20_a_wait_is_waited() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let serve = async {
        peer.stream("retry: 600\ndata: a\n\n").await;
        let ended = Instant::now();
        peer.stream("data: b\n\n").await;
        ended.elapsed()
    };
    let read = async {
        event(&mut source).await;
        event(&mut source).await;
    };
    let (waited, ()) = join!(serve, read);
    assert!(waited >= millis(590), "{waited:?}");
}

#[tokio::test]
async fn cx_14_rc_02_any_byte_ends_silence() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.read_timeout = Some(millis(1_000));
    let mut source = source_of(config);
    let serve = async {
        let mut exchange = peer.accept().await;
        exchange.open().await;
        let mut ticks = interval(millis(250));
        for byte in ["d", "a", "t", "a", ":", "a", "\n", "\n"] {
            ticks.tick().await;
            exchange.send(byte).await;
        }
        exchange.closed().await;
    };
    let read = async {
        opened(&mut source).await;
        assert_eq!(event(&mut source).await.data, "a");
        let (cause, _) = lost(&mut source).await;
        let read_timeout = millis(1_000);
        assert!(matches!(cause, Cause::Silent { read_timeout: it } if it == read_timeout));
    };
    join!(serve, read);
}

#[tokio::test]
async fn rc_15_a_heartbeats_interval_bounds_silence() {
    let peer = Peer::listen().await;
    let mut source = peer.source();
    let serve = async {
        let mut exchange = peer.accept().await;
        exchange.open().await;
        exchange
            .send("event: fanfare-heartbeat\ndata: {\"interval\":40}\n\n")
            .await;
        exchange.closed().await;
    };
    let read = async {
        opened(&mut source).await;
        let (cause, _) = lost(&mut source).await;
        assert!(matches!(cause, Cause::Silent { read_timeout } if read_timeout == millis(100)));
    };
    join!(serve, read);
}

#[tokio::test]
async fn rc_07_rc_15_no_interval_and_no_setting_is_too_long() {
    let peer = Peer::listen().await;
    let mut config = peer.config();
    config.read_timeout = None;
    config.retry = Duration::MAX;
    config.retry_max = Duration::MAX;
    config.retry_server_max = Duration::MAX;
    let mut source = source_of(config);
    let body = format!(
        "event: fanfare-heartbeat\ndata: {{\"interval\":{}}}\n\ndata: a\n\n",
        u64::MAX
    );
    let serve = async {
        let mut exchange = peer.accept().await;
        exchange.open().await;
        exchange.send(body).await;
        exchange
    };
    let read = async {
        opened(&mut source).await;
        assert_eq!(event(&mut source).await.data, "a");
    };
    let (mut exchange, ()) = join!(serve, read);
    exchange.close().await;
    let (_, wait) = lost(&mut source).await;
    assert!(wait > Duration::from_secs(3600));
}
