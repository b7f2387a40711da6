//! The example does what its first lines say.

use fanfare_testkit::program::Program;
use fanfare_testkit::raw_http::{Answer, ask};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hello-stream");

#[track_caller]
fn has(answer: &Answer, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        assert_eq!(answer.field(name), Some(*value), "{}", answer.head);
    }
}

#[tokio::test]
async fn the_root_says_hello() {
    let example = Program::start(PROGRAM, &[]);
    let answer = example.fetch("/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("Hello!"), "{}", answer.body);
}

#[tokio::test]
async fn each_reader_is_counted_from_zero() {
    let example = Program::start(PROGRAM, &["--every-ms", "5"]);
    for _ in 0..2 {
        let (head, mut reader) = example.stream("/stream", "").await;
        assert_eq!(head.status, 200);
        has(
            &head,
            &[
                ("content-type", "text/event-stream"),
                ("connection", "keep-alive"),
                ("cache-control", "no-cache, no-store, no-transform"),
                ("x-accel-buffering", "no"),
                ("access-control-allow-origin", "*"),
                ("access-control-allow-methods", "GET"),
                ("access-control-allow-headers", "Content-Type"),
                ("vary", "Origin"),
            ],
        );
        let first = reader.read_chunk().await;
        let (retry, first) = first.split_once('\n').unwrap();
        assert!(retry.starts_with("retry: "), "{retry}");
        assert_eq!(
            first,
            "id: 0\ndata: hello from server sent events ---- [0]\n\n"
        );
        for count in 1..20 {
            assert_eq!(
                reader.read_chunk().await,
                format!("id: {count}\ndata: hello from server sent events ---- [{count}]\n\n")
            );
        }
    }
}

#[tokio::test]
async fn whoever_comes_back_is_counted_on() {
    let example = Program::start(PROGRAM, &[]);
    let (_, mut reader) = example.stream("/stream", "Last-Event-ID: 41\r\n").await;
    assert_eq!(
        reader.read_chunk().await,
        "id: 42\ndata: hello from server sent events ---- [42]\n\n"
    );
    // What is no count of ours begins anew.
    let (_, mut reader) = example.stream("/stream", "Last-Event-ID: x\r\n").await;
    let first = reader.read_chunk().await;
    assert!(first.ends_with("---- [0]\n\n"), "{first}");
}

#[tokio::test]
async fn one_origin_may_be_all_that_is_let_in() {
    let origin = "http://localhost:5173";
    let example = Program::start(PROGRAM, &["--allow-origin", origin]);
    let (head, _) = example
        .stream("/stream", "Origin: http://evil.test\r\n")
        .await;
    has(&head, &[("access-control-allow-origin", origin)]);
    let request = "OPTIONS /stream HTTP/1.1\r\nHost: x\r\n\r\n";
    let preflight = ask(example.address(), request).await;
    assert_eq!(preflight.status, 204);
    has(
        &preflight,
        &[
            ("access-control-allow-origin", origin),
            ("access-control-allow-methods", "GET"),
            ("access-control-allow-headers", "Content-Type"),
        ],
    );
}

#[tokio::test]
async fn ctrl_c_ends_the_streams_in_order() {
    let example = Program::start(PROGRAM, &[]);
    let (_, mut reader) = example.stream("/stream", "").await;
    reader.read_chunk().await;
    assert!(example.interrupt().success());
    let rest = reader.read_to_end().await;
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

#[tokio::test]
async fn hello_comes_each_second_on_port_4000() {
    let help = std::process::Command::new(PROGRAM).arg("--help").output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    assert!(help.contains("[default: 1000]"), "{help}");
    assert!(help.contains("[env: PORT=]"), "{help}");
    assert!(help.contains("[default: 4000]"), "{help}");
}
