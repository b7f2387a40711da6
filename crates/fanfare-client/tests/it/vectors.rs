//! CX-25: every vector of the format, through a socket, at every chunking.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_client::{Client, EventId, Item};
use futures_util::StreamExt;
use proptest::prelude::*;
use serde::Deserialize;
use std::fmt::Write as _;
use std::time::Duration;

use crate::peer::{Peer, STREAM, client, source_of};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) input_b64: String,
    pub(crate) start_last_event_id: String,
    pub(crate) events: Vec<VectorEvent>,
    retry: Option<u64>,
    pub(crate) last_event_id: String,
    comments: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub(crate) struct VectorEvent {
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) data: String,
    pub(crate) id: String,
}

pub(crate) fn vectors() -> Vec<(Vector, Vec<u8>)> {
    let text = include_str!("../../../fanfare-wire/tests/vectors/sse-vectors.json");
    let file: File = serde_json::from_str(text).unwrap();
    let with_body = |vector: Vector| {
        let body = STANDARD.decode(&vector.input_b64).unwrap();
        (vector, body)
    };
    file.vectors.into_iter().map(with_body).collect()
}

/// All that a source says of one body, and where it stands after it.
#[derive(Debug, Default, Eq, PartialEq)]
struct Outcome {
    events: Vec<VectorEvent>,
    comments: Vec<String>,
    /// The wait after the body, if the body set it.
    retry: Option<Duration>,
    last_event_id: String,
}

/// Sends `pieces`, each as a chunk of its own, to a source that last saw `start`.
async fn outcome(client: &Client, peer: &Peer, start: &str, pieces: &[&[u8]]) -> Outcome {
    let mut config = peer.config();
    config.last_event_id = EventId::parse(start).unwrap();
    config.comments = true;
    // A wait that no vector names tells whether the body named one.
    config.retry = UNSAID;
    config.retry_server_max = Duration::MAX;
    let mut source = client.event_source(config).unwrap();
    let serve = async {
        let mut exchange = peer.accept().await;
        let head = STREAM.replace("Connection: close", "Transfer-Encoding: chunked");
        exchange.send(head).await;
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
            chunk.extend_from_slice(piece);
            chunk.extend_from_slice(b"\r\n");
            exchange.send(chunk).await;
        }
        exchange.send("0\r\n\r\n").await;
    };
    let read = async {
        let mut outcome = Outcome::default();
        loop {
            match source.next().await.unwrap() {
                Item::Open(_) => {}
                Item::Event(event) => outcome.events.push(VectorEvent {
                    event_type: event.event_type,
                    data: event.data,
                    id: event.last_event_id.to_string(),
                }),
                Item::Comment(text) => outcome.comments.push(text),
                Item::Lost { retry_in, .. } => {
                    outcome.retry = Some(retry_in).filter(|wait| *wait < UNSAID);
                    outcome.last_event_id = source.last_event_id().to_string();
                    return outcome;
                }
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::join!(serve, read).1
}

const UNSAID: Duration = Duration::from_secs(20 * 365 * 24 * 3600);

async fn check(
    client: &Client,
    peer: &Peer,
    (vector, _): &(Vector, Vec<u8>),
    chunking: &str,
    pieces: &[&[u8]],
) {
    let actual = outcome(client, peer, &vector.start_last_event_id, pieces).await;
    let name = &vector.name;
    assert_eq!(actual.events, vector.events, "{name} {chunking}");
    assert_eq!(actual.comments, vector.comments, "{name} {chunking}");
    assert_eq!(
        actual.last_event_id, vector.last_event_id,
        "{name} {chunking}"
    );
    // Longer waits than the unsaid one cannot be told from it.
    let retry = vector.retry.map(Duration::from_millis);
    if let Some(retry) = retry.filter(|it| *it < UNSAID / 2) {
        let wait = actual.retry.unwrap();
        assert!(wait >= retry, "{name} {chunking}: {wait:?}");
        let longest = (retry + Duration::from_millis(500)).max(retry * 2);
        assert!(wait <= longest, "{name} {chunking}: {wait:?}");
    } else if retry.is_none() {
        assert_eq!(actual.retry, None, "{name} {chunking}");
    }
}

#[tokio::test]
async fn cx_25_every_vector_whole_and_in_small_chunks() {
    let client = client();
    let peer = Peer::listen().await;
    let vectors = vectors();
    assert_eq!(vectors.len(), 135);
    for vector in &vectors {
        let body = &vector.1;
        check(&client, &peer, vector, "whole", &[body]).await;
        for size in [1, 2, 3, 5, 7] {
            // A long body has a million pieces of one byte; its start and end show the same.
            let pieces: Vec<_> = match body.len() {
                0..5_000 => body.chunks(size).collect(),
                length => {
                    let (start, rest) = body.split_at(64);
                    let (middle, end) = rest.split_at(length - 128);
                    start
                        .chunks(size)
                        .chain([middle])
                        .chain(end.chunks(size))
                        .collect()
                }
            };
            check(&client, &peer, vector, &format!("by {size}"), &pieces).await;
        }
    }
}

#[tokio::test]
async fn cx_25_every_vector_cut_in_two() {
    let client = client();
    let peer = Peer::listen().await;
    for vector in &vectors() {
        let body = &vector.1;
        let step = body.len() / 2_000 * 997 + 1;
        for place in (0..=body.len()).step_by(step) {
            let (head, tail) = body.split_at(place);
            let chunking = format!("cut at {place}");
            check(&client, &peer, vector, &chunking, &[head, tail]).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes of any kind, as a body and as a whole answer: a source neither panics nor hangs.
    #[test]
    fn rc_07_no_bytes_break_a_source(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        lines in prop::collection::vec("(data|id|event|retry|:)?[ -~\u{0}é]{0,12}(\r|\n|\r\n)", 0..40),
        as_body in any::<bool>(),
    ) {
        let mut bytes = bytes;
        for (index, line) in lines.iter().enumerate() {
            let place = bytes.len() * index / (lines.len() + 1);
            bytes.splice(place..place, line.bytes());
        }
        let answer = match as_body {
            true => [STREAM.as_bytes(), &bytes].concat(),
            false => bytes,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let peer = Peer::listen().await;
            let mut config = peer.config();
            config.comments = true;
            config.event_bytes_max = 100;
            config.attempts_max = Some(1);
            config.read_timeout = Some(Duration::from_secs(5));
            let mut source = source_of(config);
            let read = async {
                let mut text = String::new();
                while let Some(item) = source.next().await {
                    write!(text, "{item:?}").unwrap();
                    if matches!(item, Item::Lost { .. }) {
                        source.close();
                    }
                }
                text
            };
            let (_, text) = tokio::join!(peer.answer(&answer), read);
            assert!(text.contains("End("), "{text}");
        });
    }
}
