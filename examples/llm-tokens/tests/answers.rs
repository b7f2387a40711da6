//! The example does what its first lines say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use fanfare_testkit::program::Program;
use fanfare_testkit::raw_http::RawPeer;

const PROGRAM: &str = env!("CARGO_BIN_EXE_llm-tokens");
const DONE: &str = "event: done\n";

/// One event of an answer.
#[derive(Clone, Debug, PartialEq)]
struct Token {
    id: String,
    text: String,
}

/// The next token; `None` at the answer's end.
async fn next(reader: &mut RawPeer) -> Option<Token> {
    let event = reader.read_until("\n\n").await;
    let (before, rest) = event.split_once("id: ").unwrap();
    if before.ends_with(DONE) {
        return None;
    }
    let mut lines = rest.lines();
    let id = lines.next().unwrap().to_owned();
    let data: Vec<_> = lines
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let text = data.join("\n");
    Some(Token { id, text })
}

async fn rest(reader: &mut RawPeer) -> Vec<Token> {
    let mut tokens = Vec::new();
    while let Some(token) = next(reader).await {
        tokens.push(token);
    }
    tokens
}

async fn read(example: &Program, id: &str, fields: &str) -> RawPeer {
    let (head, mut reader) = example.stream(&format!("/answers/{id}"), fields).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    assert_eq!(head.field("x-accel-buffering"), Some("no"));
    let first = "retry: 1000\n: connection established\n\n";
    assert_eq!(reader.read_chunk().await, first);
    reader
}

#[tokio::test]
async fn whenever_it_is_read_it_is_whole() {
    let example = Program::start(PROGRAM, &["--every-ms", "3"]);
    let id = example.post("/answers", "why so slow?").await.body;
    let mut first = read(&example, &id, "").await;
    let mut tokens = Vec::new();
    for _ in 0..10 {
        tokens.push(next(&mut first).await.unwrap());
    }
    // Leaves in the middle, and comes back as a browser does.
    drop(first);
    let last = format!("Last-Event-ID: {}\r\n", tokens[9].id);
    let mut again = read(&example, &id, &last).await;
    // Meanwhile somebody comes late.
    let mut late = read(&example, &id, "").await;

    tokens.extend(rest(&mut again).await);
    let text: String = tokens.iter().map(|token| token.text.as_str()).collect();
    assert!(
        text.starts_with("You asked: why so slow?\n\n1. An"),
        "{text}"
    );
    assert!(text.ends_with("nobody waits for more.\n"), "{text}");
    assert_eq!(rest(&mut late).await, tokens);
    // And somebody after its end.
    assert_eq!(rest(&mut read(&example, &id, "").await).await, tokens);
}

#[tokio::test]
async fn it_is_written_when_nobody_reads() {
    let mut example = Program::start(PROGRAM, &["--every-ms", "1"]);
    let id = example.post("/answers", "x").await.body;
    example.line_with(&format!("answer/{id} is complete"));
    let tokens = rest(&mut read(&example, &id, "").await).await;
    assert_eq!(tokens[0].text, "You");
}

#[tokio::test]
async fn answers_do_not_mix() {
    let example = Program::start(PROGRAM, &["--every-ms", "1"]);
    let one = example.post("/answers", "one").await.body;
    let two = example.post("/answers", "two").await.body;
    assert_ne!(one, two);
    for (id, question) in [(one, " one"), (two, " two")] {
        let tokens = rest(&mut read(&example, &id, "").await).await;
        assert_eq!(tokens[2].text, question);
        let asked = tokens.iter().filter(|token| token.text == " asked:");
        assert_eq!(asked.count(), 1);
    }
}

#[tokio::test]
async fn ctrl_c_ends_an_answer_in_its_middle() {
    let example = Program::start(PROGRAM, &["--every-ms", "1000"]);
    let id = example.post("/answers", "x").await.body;
    let mut reader = read(&example, &id, "").await;
    next(&mut reader).await;
    assert!(example.interrupt().success());
    let rest = reader.read_to_end().await;
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
}
