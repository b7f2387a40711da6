//! The example does what its first lines say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use fanfare_testkit::program::Program;
use fanfare_testkit::raw_http::RawPeer;

const PROGRAM: &str = env!("CARGO_BIN_EXE_server-time");
const QUICK: &[&str] = &["--every-ms", "20"];
const QUIET: &[&str] = &["--every-ms", "3600000", "--keep-alive-s", "1"];

/// The id and time of the next event, whose other bytes are as they must be.
async fn next(reader: &mut RawPeer) -> (String, String) {
    // What comes before is a comment, and the frames of chunks.
    reader.read_until("retry: 2000\nid: ").await;
    let event = reader.read_until("\n\n").await;
    let (id, data) = event.split_once('\n').unwrap();
    let time = data.strip_prefix("data: Server time: ").unwrap();
    (id.to_owned(), time.trim_end().to_owned())
}

#[tokio::test]
async fn the_root_welcomes() {
    let example = Program::start(PROGRAM, QUICK);
    let answer = example.fetch("/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("Welcome!"), "{}", answer.body);
}

#[tokio::test]
async fn each_event_has_the_time_an_id_and_a_retry() {
    let example = Program::start(PROGRAM, QUICK);
    let (head, mut reader) = example.stream("/events", "").await;
    assert_eq!(head.status, 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("connection", "keep-alive"),
        ("cache-control", "no-cache, no-store, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(head.field(name), Some(value), "{}", head.head);
    }
    assert_eq!(reader.read_chunk().await, ": keep-alive\n\n");
    let (first, time) = next(&mut reader).await;
    let (second, _) = next(&mut reader).await;
    assert!(first.starts_with("urn:ff:"), "{first}");
    assert_ne!(first, second);
    // 2026-03-01 18:04:07 +01:00
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape.replace('-', "+"), "0000+00+00 00:00:00 +00:00");
}

#[tokio::test]
async fn the_time_is_local() {
    // Half an hour beside every whole hour, so that it is nobody's own.
    let arguments = ["TZ=EXA-5:30", PROGRAM, "--every-ms", "20"];
    let example = Program::start("/usr/bin/env", &arguments);
    let (_, mut reader) = example.stream("/events", "").await;
    let (_, time) = next(&mut reader).await;
    assert!(time.ends_with(" +05:30"), "{time}");
}

#[tokio::test]
async fn whoever_brings_its_last_id_gets_what_it_missed() {
    let example = Program::start(PROGRAM, QUICK);
    let (_, mut reader) = example.stream("/events", "").await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(next(&mut reader).await);
    }
    drop(reader);
    // Time goes by, as another reader sees.
    let (_, mut witness) = example.stream("/events", "").await;
    for _ in 0..5 {
        next(&mut witness).await;
    }
    let fields = format!("Last-Event-ID: {}\r\n", seen[0].0);
    let (_, mut reader) = example.stream("/events", &fields).await;
    // The two that it has seen after that one, and then on without a hole.
    assert_eq!(next(&mut reader).await, seen[1]);
    assert_eq!(next(&mut reader).await, seen[2]);
    let offset = |id: &str| u64::from_str_radix(id.rsplit('-').next().unwrap(), 36).unwrap();
    let last = offset(&seen[2].0);
    for expected in last + 1..last + 10 {
        let (id, _) = next(&mut reader).await;
        assert_eq!(offset(&id), expected);
    }
}

#[tokio::test]
async fn silence_is_filled_with_comments() {
    let example = Program::start(PROGRAM, QUIET);
    let (_, mut reader) = example.stream("/events", "").await;
    // A chunk that is a comment and nothing else.
    reader.read_until("\r\n2\r\n:\n\r\n").await;
}

#[tokio::test]
async fn ctrl_c_ends_the_streams_in_order() {
    let example = Program::start(PROGRAM, QUICK);
    let (_, mut reader) = example.stream("/events", "").await;
    next(&mut reader).await;
    assert!(example.interrupt().success());
    let rest = reader.read_to_end().await;
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

#[tokio::test]
async fn the_time_comes_each_second_on_port_3111() {
    let help = std::process::Command::new(PROGRAM).arg("--help").output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    assert!(help.contains("[default: 1000]"), "{help}");
    assert!(help.contains("[env: PORT=]"), "{help}");
    assert!(help.contains("[default: 3111]"), "{help}");
}
