//! One server does what its first lines say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use fanfare_testkit::program::Program;
use fanfare_testkit::raw_http::RawPeer;
use tokio::net::TcpStream;
use tokio::time::interval;

const PROGRAM: &str = env!("CARGO_BIN_EXE_notifications");

/// A page of `user` that has got its greeting.
async fn page(example: &Program, query: &str, user: &str) -> RawPeer {
    let (head, mut page) = example.stream(&format!("/events{query}"), "").await;
    assert_eq!(head.status, 200, "{}", head.head);
    let greeting = page.read_chunk().await;
    let welcome = greeting.strip_prefix(": connection established\n\nevent: Welcome\nretry: ");
    let (_, data) = welcome.unwrap().split_once('\n').unwrap();
    assert_eq!(data, format!("data: Welcome, {user}\n\n"));
    page
}

/// The next event, without its id.
async fn next(page: &mut RawPeer) -> String {
    let event = page.read_until("\n\n").await;
    // What comes before is the frame of a chunk, which may hold more than one event.
    let event = event.rsplit("\r\n").next().unwrap();
    let lines = event.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("id: ")).collect()
}

#[tokio::test]
async fn all_devices_of_a_user_hear_and_nobody_else() {
    let example = Program::start(PROGRAM, &[]);
    let mut phone = page(&example, "?userId=alice", "alice").await;
    let mut laptop = page(&example, "?userId=alice", "alice").await;
    let mut bob = page(&example, "?userId=bob", "bob").await;
    let mut nobody = page(&example, "", "anonymous").await;

    let sent = example
        .post("/send", r#"{"userId":"alice","data":"for you"}"#)
        .await;
    assert_eq!(sent.status, 200);
    assert_eq!(sent.field("content-type"), Some("application/json"));
    assert_eq!(sent.body, r#"{"sent":true,"clients":2}"#);
    let sent = example
        .post("/broadcast", r#"{"price":7, "of":"tea"}"#)
        .await;
    assert_eq!(sent.body, r#"{"sent":true,"clients":4}"#);

    let update = "event: update\ndata: {\"price\":7, \"of\":\"tea\"}\n\n";
    for page in [&mut phone, &mut laptop] {
        assert_eq!(next(page).await, "data: for you\n\n");
        assert_eq!(next(page).await, update);
    }
    // The broadcast is the first that they hear.
    for page in [&mut bob, &mut nobody] {
        assert_eq!(next(page).await, update);
    }
}

#[tokio::test]
async fn a_name_is_a_name_and_no_pattern() {
    let example = Program::start(PROGRAM, &[]);
    let mut eve = page(&example, "?userId=%7Bid%7D", "{id}").await;
    let mut star = page(&example, "?userId=*", "*").await;
    let sent = example
        .post("/send", r#"{"userId":"alice","data":"secret"}"#)
        .await;
    assert_eq!(sent.body, r#"{"sent":true,"clients":0}"#);
    example.post("/broadcast", "1").await;
    for page in [&mut eve, &mut star] {
        assert_eq!(next(page).await, "event: update\ndata: 1\n\n");
    }
}

#[tokio::test]
async fn a_page_that_comes_back_gets_what_it_missed() {
    let mut example = Program::start(PROGRAM, &[]);
    let mut alice = page(&example, "?userId=alice", "alice").await;
    let say = |data: &str| format!(r#"{{"userId":"alice","data":{data:?}}}"#);
    example.post("/send", &say("one")).await;
    let event = alice.read_chunk().await;
    let id = event.strip_prefix("id: ").unwrap().lines().next().unwrap();
    drop(alice);
    example.line_with("\"alice\" left");
    example.post("/send", &say("two")).await;

    let fields = format!("Last-Event-ID: {id}\r\n");
    let (_, mut alice) = example.stream("/events?userId=alice", &fields).await;
    alice.read_until("data: Welcome, alice\n\n").await;
    alice.read_until("data: two\n\n").await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let example = Program::start(PROGRAM, &[]);
    for (path, json) in [
        ("/send", r#"{"userId":"alice"}"#),
        ("/send", r#"{"userId":"al\nice","data":1}"#),
        ("/send", r#"{"event":"","data":1}"#),
        ("/broadcast", "{"),
    ] {
        assert_eq!(example.post(path, json).await.status, 400, "{json}");
    }
}

#[tokio::test]
async fn silence_is_filled_and_ctrl_c_ends_the_streams_in_order() {
    let example = Program::start(PROGRAM, &["--heartbeat-s", "1"]);
    let mut alice = page(&example, "?userId=alice", "alice").await;
    assert_eq!(alice.read_chunk().await, ":\n");
    assert!(example.interrupt().success());
    let rest = alice.read_to_end().await;
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

#[tokio::test]
async fn a_second_ctrl_c_waits_for_nobody() {
    let mut example = Program::start(PROGRAM, &[]);
    let mut hanging = RawPeer::connect(example.address()).await;
    let begun =
        "POST /broadcast HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    hanging.send(begun).await;
    // It waits for the body.
    hanging.read_until("100 Continue\r\n\r\n").await;
    example.press_ctrl_c();
    while TcpStream::connect(example.address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // Two presses in quick succession may count as one.
    let mut presses = interval(Duration::from_millis(50));
    while !example.has_ended() {
        presses.tick().await;
        example.press_ctrl_c();
    }
    assert!(example.interrupt().success());
    assert_eq!(hanging.read_to_end().await, "");
}

#[tokio::test]
async fn the_heartbeat_comes_after_fifteen_seconds() {
    let help = std::process::Command::new(PROGRAM).arg("--help").output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    assert!(help.contains("[default: 15]"), "{help}");
}
