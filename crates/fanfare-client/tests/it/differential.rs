//! Ours beside `sse-stream` on the same bytes (DP-01): they agree wherever that one keeps to the
//! Standard.

use std::collections::BTreeSet;

use bytes::Bytes;
use fanfare_client::{EventId, Item};
use futures_util::{StreamExt, stream};
use sse_stream::SseStream;

use crate::peer::{Peer, client};
use crate::vectors::{Vector, VectorEvent, vectors};

/// What ours hands out of `body`.
async fn ours(peer: &Peer, start: &str, body: &[u8]) -> Vec<VectorEvent> {
    let mut config = peer.config();
    config.last_event_id = EventId::parse(start).unwrap();
    let mut source = client().event_source(config).unwrap();
    let read = async {
        let mut events = Vec::new();
        loop {
            match source.next().await.unwrap() {
                Item::Event(event) => events.push(VectorEvent {
                    event_type: event.event_type,
                    data: event.data,
                    id: event.last_event_id.to_string(),
                }),
                Item::Lost { .. } => return events,
                _ => {}
            }
        }
    };
    tokio::join!(peer.stream(body), read).1
}

/// What theirs does; default type and last event id are not its business, so they are made here.
async fn theirs(start: &str, body: &[u8]) -> Option<Vec<VectorEvent>> {
    let chunks = body.chunks(7).map(Bytes::copy_from_slice);
    let chunks: Vec<_> = chunks.map(Ok::<_, std::convert::Infallible>).collect();
    let mut blocks = SseStream::from_bytes_stream(stream::iter(chunks));
    let mut id = start.to_owned();
    let mut events = Vec::new();
    while let Some(block) = blocks.next().await {
        let block = block.ok()?;
        if let Some(own) = block.id {
            id = own;
        }
        let Some(data) = block.data else {
            continue;
        };
        events.push(VectorEvent {
            event_type: match block.event {
                Some(own) if !own.is_empty() => own,
                _ => "message".to_owned(),
            },
            data,
            id: id.clone(),
        });
    }
    Some(events)
}

#[tokio::test]
async fn dp_01_differences_from_sse_stream_are_its_known_faults() {
    let peer = Peer::listen().await;
    let mut differing = BTreeSet::new();
    for (vector, body) in vectors() {
        let Vector {
            name,
            start_last_event_id: start,
            ..
        } = &vector;
        let ours = ours(&peer, start, &body).await;
        assert_eq!(ours, vector.events, "{name}");
        if theirs(start, &body).await.as_ref() != Some(&ours) {
            differing.insert(name.clone());
        }
    }
    let known = [
        "utf8-invalid-in-event-name",
        "utf8-invalid-in-id",
        "utf8-invalid-replaced",
        "utf8-overlong",
        "utf8-surrogate",
        "utf8-truncated-seq",
        "utf8-windows1252-bytes",
    ];
    assert_eq!(differing, known.map(str::to_owned).into());
}
