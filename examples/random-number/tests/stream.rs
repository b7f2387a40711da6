//! The example does what its first lines say.

use fanfare_testkit::program::Program;

const PROGRAM: &str = env!("CARGO_BIN_EXE_random-number");

#[tokio::test]
async fn a_client_is_greeted_and_gets_numbers_until_it_leaves() {
    let mut example = Program::start(PROGRAM, &["--every-ms", "5"]);
    let (head, mut client) = example.stream("/sse", "").await;
    assert_eq!(head.status, 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("connection", "keep-alive"),
        ("cache-control", "no-cache, no-store, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(head.field(name), Some(value), "{}", head.head);
    }
    let greeting = client.read_chunk().await;
    let (retry, greeting) = greeting.split_once('\n').unwrap();
    assert!(retry.starts_with("retry: "), "{retry}");
    assert_eq!(greeting, "data: Hello, client! This is a test message.\n\n");
    let mut numbers = Vec::new();
    for _ in 0..200 {
        let event = client.read_chunk().await;
        let number = event.strip_prefix("data: Random number: ");
        let number = number.and_then(|rest| rest.strip_suffix("\n\n")).unwrap();
        numbers.push(number.parse::<u64>().unwrap());
    }
    assert!(numbers.iter().all(|number| *number < 100), "{numbers:?}");
    assert!(numbers.iter().any(|number| *number != numbers[0]));
    drop(client);
    assert_eq!(
        example.line_with("left"),
        "client 1 left, and its timer is gone"
    );
}

#[tokio::test]
async fn each_client_has_a_timer_of_its_own() {
    let mut example = Program::start(PROGRAM, &["--every-ms", "5"]);
    let (_, first) = example.stream("/sse", "").await;
    let (_, mut second) = example.stream("/sse", "").await;
    drop(first);
    example.line_with("client 1 left");
    for _ in 0..10 {
        second.read_chunk().await;
    }
}

#[tokio::test]
async fn ctrl_c_ends_the_streams_in_order() {
    let mut example = Program::start(PROGRAM, &[]);
    let (_, mut client) = example.stream("/sse", "").await;
    client.read_chunk().await;
    example.line_with("client 1 is here");
    let address = example.address();
    assert!(example.interrupt().success());
    // The last chunk: the body is whole, not cut.
    assert_eq!(client.read_to_end().await, "0\r\n\r\n");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn numbers_come_every_five_seconds_on_port_3000() {
    let help = std::process::Command::new(PROGRAM).arg("--help").output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    assert!(help.contains("[default: 5000]"), "{help}");
    assert!(help.contains("[env: PORT=]"), "{help}");
    assert!(help.contains("[default: 3000]"), "{help}");
}
