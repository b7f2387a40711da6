use futures_util::stream::{self, StreamExt as _};

use super::*;

const FIRST: &str = ": connection established\nretry: 1000\n\n";
/// What is ready is taken first, however short this is.
const SOON: Duration = Duration::from_millis(1);

/// The piece of `writes` after the first bytes; after them silence.
async fn check(writes: &[&'static str], expected: &str) {
    let writes: Vec<_> = [FIRST]
        .iter()
        .chain(writes)
        .map(|it| Bytes::from(*it))
        .collect();
    let events = stream::iter(writes.into_iter().map(Ok)).chain(stream::pending());
    let piece = piece(events, FIRST.len(), SOON).await;
    assert_eq!(piece, format!("{FIRST}{expected}"));
}

#[tokio::test]
async fn srv_26_a_piece_ends_with_the_first_write_that_has_an_event() {
    check(
        &["id: 1\ndata: a\n\nid: 2\ndata: b\n\n", "data: later\n\n"],
        "id: 1\ndata: a\n\nid: 2\ndata: b\n\n",
    )
    .await;
    check(&[":\n", ":\n", "data: a\n\n"], "data: a\n\n").await;
    // A write that was cut goes on to the end of its event.
    check(
        &["data: a\n\ndata: b", "c\n\n", "data: later\n\n"],
        "data: a\n\ndata: bc\n\n",
    )
    .await;
}

#[tokio::test]
async fn srv_26_without_an_event_the_first_bytes_are_all() {
    check(&[], "").await;
    check(&[":\n"], "").await;
    check(&["data: half"], "").await;
}

#[tokio::test]
async fn srv_26_a_gap_that_comes_with_the_first_bytes_is_an_event() {
    let both = format!("{FIRST}event: fanfare-gap\ndata: x\n\n");
    let events = stream::iter([Ok(Bytes::from(both.clone()))]).chain(stream::pending());
    assert_eq!(piece(events, FIRST.len(), SOON).await, both);
}

#[tokio::test]
async fn srv_26_a_stream_that_the_hub_ends_is_a_piece() {
    let events = stream::iter([FIRST, "retry: 5000\n\n"]).map(|it| Ok(Bytes::from(it)));
    let piece = piece(events, FIRST.len(), SOON).await;
    assert_eq!(piece, format!("{FIRST}retry: 5000\n\n"));
}

#[test]
fn srv_26_the_pair_counts_as_it_is_written() {
    let asked = |target: &str| {
        let request = http::Request::builder().uri(target).body(()).unwrap();
        is_asked(&request.into_parts().0)
    };
    assert!(asked("/events?topic=a&poll=1"));
    for target in [
        "/events",
        "/events?poll=0",
        "/events?poll=11",
        "/events?topic=poll=1",
    ] {
        assert!(!asked(target), "{target}");
    }
}
