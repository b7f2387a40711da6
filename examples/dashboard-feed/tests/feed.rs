//! The example does what its first lines say.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use fanfare_testkit::program::Program;
use fanfare_testkit::raw_http::RawPeer;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dashboard-feed");
const SYMBOLS: [&str; 8] = [
    "ACME", "BOLT", "CRUX", "DYNE", "ECHO", "FLUX", "GRID", "HALO",
];

#[derive(Debug, PartialEq)]
struct Quote {
    symbol: String,
    id: String,
    number: u64,
    at: u64,
}

async fn next(reader: &mut RawPeer) -> Quote {
    let event = reader.read_until("\n\n").await;
    // Without the chunk's frame.
    let (_, event) = event.split_once("event: ").unwrap();
    let lines: Vec<_> = event.lines().collect();
    let data = lines[2].strip_prefix("data: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert!(data["price"].as_f64().unwrap() > 0.0, "{data}");
    Quote {
        symbol: lines[0].to_owned(),
        id: lines[1].strip_prefix("id: ").unwrap().to_owned(),
        number: data["number"].as_u64().unwrap(),
        at: data["at"].as_u64().unwrap(),
    }
}

async fn read(example: &Program, fields: &str) -> RawPeer {
    let (head, mut reader) = example.stream("/feed", fields).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    assert_eq!(head.field("x-accel-buffering"), Some("no"));
    let first = reader.read_chunk().await;
    assert!(first.ends_with(": connection established\n\n"), "{first}");
    reader
}

#[tokio::test]
async fn all_shares_come_over_one_connection_fifty_a_second() {
    let example = Program::start(PROGRAM, &[]);
    let mut reader = read(&example, "").await;
    let mut quotes = Vec::new();
    for _ in 0..50 {
        quotes.push(next(&mut reader).await);
    }
    for (index, quote) in (0..).zip(&quotes) {
        assert_eq!(quote.number, index + 1);
        assert_eq!(quote.symbol, SYMBOLS[usize::try_from(index).unwrap() % 8]);
    }
    // By its own plan, which a busy machine catches up with; not by the clock of this test.
    assert_eq!(quotes[49].at, 1000);
}

#[tokio::test]
async fn whoever_comes_back_misses_none() {
    let example = Program::start(PROGRAM, &["--every-ms", "2"]);
    let mut reader = read(&example, "").await;
    let mut last = next(&mut reader).await;
    while last.number < 20 {
        last = next(&mut reader).await;
    }
    drop(reader);
    let fields = format!("Last-Event-ID: {}\r\n", last.id);
    let mut reader = read(&example, &fields).await;
    for number in 21..60 {
        assert_eq!(next(&mut reader).await.number, number);
    }
    // A page that is opened now has the beginning too.
    assert_eq!(next(&mut read(&example, "").await).await.number, 1);
}

#[tokio::test]
async fn ctrl_c_ends_the_streams_in_order() {
    let example = Program::start(PROGRAM, &[]);
    let mut reader = read(&example, "").await;
    next(&mut reader).await;
    assert!(example.interrupt().success());
    let rest = reader.read_to_end().await;
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
}
