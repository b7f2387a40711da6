//! MB/s of the encoder and the decoder, beside `sse-stream` in the same run.
//!
//! `cargo bench -p fanfare-wire`. Both take turns on the same bytes; the best of several rounds
//! counts. A round whose events or data bytes are not those that went in fails the run.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints its figures and reads the clock"
)]

use std::convert::Infallible;
use std::hint::black_box;
use std::time::{Duration, Instant};

use fanfare_wire::{Decoder, Event, EventId, EventType, Item};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use sse_stream::{Sse, SseByteStream};

/// Events and bytes of data that were seen, which must be those that went in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Seen {
    events: usize,
    data_bytes: usize,
}

/// A body, and where a network would have cut it.
struct Workload {
    name: &'static str,
    chunks: Vec<Vec<u8>>,
    expected: Seen,
}

fn main() {
    // `cargo test --benches` only checks that all is counted right.
    let rounds = if std::env::args().any(|arg| arg == "--bench") {
        15
    } else {
        1
    };
    println!("{:<36}{:>12}{:>12}", "MB/s", "fanfare", "sse-stream");
    encode(rounds);

    let events = events();
    let whole: Vec<Vec<u8>> = events.iter().map(block).collect();
    let body = whole.concat();
    let ticker = |name, chunks| Workload {
        name,
        chunks,
        expected: expected(&events),
    };
    decode(rounds, &ticker("decode 200 B events, one a chunk", whole));
    decode(
        rounds,
        &ticker("decode 200 B events, 64 KiB", cut(&body, 64 * 1024)),
    );
    decode(
        rounds,
        &ticker("decode 200 B events, 1,460 B", cut(&body, 1_460)),
    );

    let event = [Event::new("x".repeat(8_000_000))];
    let body = block(&event[0]);
    let long_line = |name, chunks| Workload {
        name,
        chunks,
        expected: expected(&event),
    };
    let whole = decode(
        rounds,
        &long_line("decode an 8 MB line, whole", vec![body.clone()]),
    );
    let pieces = decode(
        rounds,
        &long_line("decode an 8 MB line, 1,460 B", cut(&body, 1_460)),
    );
    let [ours, peer] = [(pieces[0], whole[0]), (pieces[1], whole[1])]
        .map(|(pieces, whole)| pieces.as_secs_f64() / whole.as_secs_f64());
    println!("{:<36}{ours:>12.2}{peer:>12.2}", "time in pieces / whole");

    // What pieces cost any reader, and an event lent from its chunk does not.
    let copy = copy_alone(rounds, &cut(&body, 1_460));
    print_row("copy alone of those pieces", body.len(), [copy, copy]);
    let [ours, peer] = [(pieces[0], whole[0]), (pieces[1], whole[1])]
        .map(|(pieces, whole)| pieces.as_secs_f64() / (whole + copy).as_secs_f64());
    println!(
        "{:<36}{ours:>12.2}{peer:>12.2}",
        "time in pieces / (whole + copy)"
    );
}

/// Sixteen megabytes of events of 200 bytes each, with a type and an id.
fn events() -> Vec<Event> {
    let event = |number: usize| {
        let mut event = Event::new("");
        event.event_type = EventType::parse("ticker").ok();
        event.id = EventId::parse(&format!("urn:ff:3k9f-{number:06}")).ok();
        let room = 200 - block(&event).len();
        event.data = "{\"price\": 1} ".repeat(20)[..room].into();
        event
    };
    (0..80_000).map(event).collect()
}

fn block(event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    event.encode(&mut out);
    out
}

fn cut(body: &[u8], bytes: usize) -> Vec<Vec<u8>> {
    body.chunks(bytes).map(<[u8]>::to_vec).collect()
}

fn expected(events: &[Event]) -> Seen {
    Seen {
        events: events.len(),
        data_bytes: events.iter().map(|event| event.data.len()).sum(),
    }
}

fn encode(rounds: usize) {
    let events = events();
    let peers: Vec<Sse> = events.iter().map(peer_event).collect();
    let bytes = 200 * events.len();
    let mut best = [Duration::MAX; 2];
    for _ in 0..rounds {
        let mut out = Vec::new();
        let started = Instant::now();
        let mut written = 0;
        for event in &events {
            out.clear();
            event.encode(&mut out);
            written += black_box(&out).len();
        }
        best[0] = best[0].min(started.elapsed());
        assert_eq!(written, bytes);

        // It consumes its event, so the copies are made before the clock starts.
        let peers = peers.clone();
        let started = Instant::now();
        for event in peers {
            black_box(event.encode().expect("its fields are lines"));
        }
        best[1] = best[1].min(started.elapsed());
    }
    print_row("encode 200 B events", bytes, best);
}

fn peer_event(event: &Event) -> Sse {
    let mut peer = Sse::default().data(&*event.data);
    peer.event = event.event_type.as_ref().map(ToString::to_string);
    peer.id = event.id.as_ref().map(ToString::to_string);
    peer
}

/// Decodes the workload with both, and gives the best time of each.
fn decode(rounds: usize, workload: &Workload) -> [Duration; 2] {
    let mut best = [Duration::MAX; 2];
    for _ in 0..rounds {
        for (decode, best) in [decode_ours, decode_peer].into_iter().zip(&mut best) {
            let started = Instant::now();
            let seen = decode(&workload.chunks);
            *best = (*best).min(started.elapsed());
            assert_eq!(seen, workload.expected, "{}", workload.name);
        }
    }
    let bytes = workload.chunks.iter().map(Vec::len).sum();
    print_row(workload.name, bytes, best);
    best
}

fn decode_ours(chunks: &[Vec<u8>]) -> Seen {
    let mut seen = Seen::default();
    let mut decoder = Decoder::default();
    for chunk in chunks {
        let mut items = decoder.feed(chunk);
        while let Some(item) = items.next() {
            if let Item::Event { data, .. } = black_box(item) {
                seen.events += 1;
                seen.data_bytes += data.len();
            }
        }
    }
    seen
}

fn decode_peer(chunks: &[Vec<u8>]) -> Seen {
    let mut seen = Seen::default();
    let chunks = chunks
        .iter()
        .map(|chunk| Ok::<_, Infallible>(chunk.as_slice()));
    let mut events = SseByteStream::new(stream::iter(chunks));
    while let Some(event) = events
        .next()
        .now_or_never()
        .expect("its source never waits")
    {
        let event = black_box(event).expect("the body is well formed");
        seen.events += 1;
        seen.data_bytes += event.data.map_or(0, |data| data.len());
    }
    seen
}

/// The time to gather `chunks` in one buffer that grows, and nothing else.
fn copy_alone(rounds: usize, chunks: &[Vec<u8>]) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let started = Instant::now();
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend_from_slice(black_box(chunk));
        }
        drop(black_box(out));
        best = best.min(started.elapsed());
    }
    best
}

fn print_row(name: &str, bytes: usize, best: [Duration; 2]) {
    let [ours, peer] = best.map(|time| bytes as f64 / 1e6 / time.as_secs_f64());
    println!("{name:<36}{ours:>12.0}{peer:>12.0}");
}
