//! The program: what each command prints, and the code it ends with.

use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::program::{
    FakeHub, Program, READY, dead_address, fanfare, fanfare_reading, fanfare_with, refused,
};

const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

#[test]
fn help_and_version_end_well_on_stdout() {
    let help = fanfare(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for part in [
        "serve",
        "publish",
        "subscribe",
        "token",
        "bench",
        "doctor",
        "check-config",
        "healthcheck",
    ] {
        assert!(help.stdout.contains(part), "no {part} in {}", help.stdout);
    }
    assert!(help.stdout.contains("Exit codes:"));
    let version = fanfare(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert_eq!(
        version.stdout,
        format!("fanfare {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &[][..],
        &["dance"],
        &["serve", "--nonsense"],
        &["publish"],
        &["subscribe"],
    ] {
        let ended = fanfare(arguments);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn serve_without_keys_says_what_to_set() {
    let ended = fanfare(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""));
    for part in [
        "FANFARE_PUBLISHER_JWT_KEY",
        "FANFARE_SUBSCRIBER_JWT_KEY",
        "anonymous",
        "--dev",
    ] {
        assert!(ended.stderr.contains(part), "no {part} in {}", ended.stderr);
    }
}

#[test]
fn ready_line_is_exact_and_alone() {
    let key = format!("--publisher-jwt-key={KEY}");
    let hub = Program::start(&["serve", "--listen", "127.0.0.1:0", &key, "--anonymous"]);
    let line = hub.line();
    let address = line
        .strip_prefix("fanfare is ready on http://127.0.0.1:")
        .unwrap();
    let port: u16 = address.parse().unwrap();
    assert_ne!(port, 0);
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    hub.signal(Signal::TERM);
    let ended = hub.wait();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), ""),
        "{}",
        ended.stderr
    );
}

#[test]
fn memory_broker_says_that_it_survives_nothing() {
    let (hub, _) = Program::serve(&["--dev", "--broker", "memory"]);
    hub.log_line_that(|line| line.contains("everything, when the process ends"));
}

#[test]
fn log_is_plain_text_off_a_terminal_and_json_on_demand() {
    let (hub, _) = Program::serve(&["--dev"]);
    let line = hub.log_line_that(|line| line.contains("the history is open"));
    assert!(!line.contains('\x1b'), "{line:?}");

    let (hub, _) = Program::serve(&["--dev", "--log-format", "json"]);
    let line = hub.log_line_that(|line| line.contains("the history is open"));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "INFO");
}

#[test]
fn taken_port_ends_with_4_and_names_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = fanfare(&["serve", "--dev", "--listen", &address]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(4), ""),
        "{}",
        ended.stderr
    );
    let (_, message) = ended.stderr.split_once("cannot listen on ").unwrap();
    assert!(message.starts_with(&address), "{message}");
}

#[test]
fn development_lines_work_when_pasted() {
    let hub = Program::start(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let mut lines = Vec::new();
    while !lines
        .last()
        .is_some_and(|line: &String| line.starts_with(READY))
    {
        lines.push(hub.line());
    }
    let after = |heading: &str| {
        let place = lines.iter().position(|line| line == heading).unwrap();
        lines[place + 1].trim().to_owned()
    };
    let url = lines.last().unwrap().strip_prefix(READY).unwrap();
    assert_eq!(after("page:"), format!("{url}/"));
    let token = fanfare(&["token", "inspect", &after("publisher token:")]);
    assert!(token.stdout.contains("\"publish\""), "{}", token.stdout);

    let subscriber = Program::paste(&after("subscribe:"));
    // The first comment says that the stream is open, so nothing is missed from here on.
    subscriber.line_that(|line| line.starts_with(':'));
    let publisher = Program::paste(&after("publish:")).wait();
    assert_eq!(publisher.code, Some(0), "{}", publisher.stderr);
    assert!(
        publisher.stdout.starts_with("urn:ff:"),
        "{}",
        publisher.stdout
    );
    assert_eq!(
        subscriber.line_that(|line| line.starts_with("data")),
        "data: hello"
    );
}

#[test]
fn signal_drains_and_ends_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let (hub, url) = Program::serve(&["--dev", "--drain", "1s"]);
        let stream = Program::paste(&format!("curl -sN '{url}/.well-known/mercure?topic=t'"));
        stream.line_that(|line| line.starts_with(':'));
        hub.signal(signal);
        // curl ends with 18 when a body is cut off before its end.
        assert_eq!(stream.wait().code, Some(0), "{signal:?}");
        let ended = hub.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("drained"), "{}", ended.stderr);
    }
}

#[test]
fn second_signal_ends_at_once_with_7() {
    let (hub, url) = Program::serve(&["--dev", "--drain", "1h"]);
    let line = format!("curl -sN '{url}/.well-known/mercure?topic=t'");
    let streams: Vec<Program> = (0..4).map(|_| Program::paste(&line)).collect();
    for stream in &streams {
        stream.line_that(|line| line.starts_with(':'));
    }
    hub.signal(Signal::TERM);
    hub.log_line_that(|line| line.contains("draining"));
    hub.signal(Signal::TERM);
    let ended = hub.wait();
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    assert!(ended.stderr.contains("second signal"));
}

#[test]
fn soft_limit_of_open_files_is_raised() {
    let line = format!(
        "ulimit -S -n 64; exec '{}' serve --dev --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_fanfare")
    );
    let hub = Program::paste(&line);
    let ready = hub.line_that(|line| line.starts_with(READY));
    let address = ready
        .trim_start_matches(READY)
        .trim_start_matches("http://")
        .to_owned();
    let held: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(&address).unwrap())
        .collect();
    let ready = fanfare(&["healthcheck", "--url", &format!("http://{address}")]);
    assert_eq!(ready.code, Some(0), "{}", ready.stderr);
    drop(held);
}

#[test]
fn what_is_published_is_printed() {
    let (_hub, url) = Program::serve(&["--dev", &format!("--publisher-jwt-key={KEY}")]);
    let token = fanfare(&["token", "--key", KEY, "--publish", "*"]).stdout;
    let token = token.trim();
    let publish = |data: &str| {
        let ended = fanfare(&[
            "publish", "t", data, "--type", "greeting", "--url", &url, "--token", token,
        ]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout.trim().to_owned()
    };
    let first = publish("one\ntwo");
    let arguments = [
        "subscribe",
        "t",
        "--url",
        &url,
        "--json",
        "--last-event-id",
        "earliest",
    ];
    let subscriber = Program::start(&arguments);
    let event = |id: &str, data: &str| json!({ "type": "greeting", "id": id, "data": data });
    let printed = || serde_json::from_str::<Value>(&subscriber.line()).unwrap();
    assert_eq!(printed(), event(&first, "one\ntwo"));
    let second = publish("three");
    assert_eq!(printed(), event(&second, "three"));
}

#[test]
fn publish_sends_a_form() {
    let hub = FakeHub::answering(&["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nx-1"]);
    let ended = fanfare(&[
        "publish",
        "a b",
        "c&d",
        "--url",
        &hub.url,
        "--token",
        "secret",
        "--type",
        "t",
        "--id",
        "x-1",
        "--retry",
        "5",
        "--expires",
        "60",
        "--private",
    ]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "x-1\n"),
        "{}",
        ended.stderr
    );
    let request = hub.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /.well-known/mercure HTTP/1.1\r\n"),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    let authority = hub.url.trim_start_matches("http://");
    for field in [
        "authorization: bearer secret",
        "content-type: application/x-www-form-urlencoded",
        &format!("host: {authority}"),
    ] {
        assert_eq!(
            head.lines().filter(|line| *line == field).count(),
            1,
            "{field} in {head}"
        );
    }
    assert_eq!(
        body,
        "topic=a+b&data=c%26d&type=t&id=x-1&retry=5&expires=60&private=on"
    );
}

#[test]
fn publish_reads_stdin() {
    for arguments in [&["publish", "t"][..], &["publish", "t", "-"]] {
        let hub = FakeHub::answering(&["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"]);
        let ended = fanfare_reading("one\ntwo\n", &[arguments, &["--url", &hub.url]].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(hub.request().ends_with("\r\n\r\ntopic=t&data=one%0Atwo"));
    }
}

#[test]
fn publish_takes_url_and_token_from_variables() {
    let hub = FakeHub::answering(&["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"]);
    let variables = [
        ("FANFARE_URL", hub.url.as_str()),
        ("FANFARE_TOKEN", "secret"),
    ];
    assert_eq!(
        fanfare_with(&variables, &["publish", "t", "d"]).code,
        Some(0)
    );
    assert!(
        hub.request()
            .to_ascii_lowercase()
            .contains("authorization: bearer secret\r\n")
    );
}

#[test]
fn publish_tells_why_the_hub_refused() {
    let answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 17\r\n\r\nno \x1b[31mtoken\x1b[0m";
    let hub = FakeHub::answering(&[answer]);
    let ended = fanfare(&["publish", "t", "d", "--url", &hub.url]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(6), ""));
    assert!(ended.stderr.contains("401"), "{}", ended.stderr);
    // What a stranger wrote does not colour our terminal.
    assert!(
        ended.stderr.contains("no \\u{1b}[31mtoken"),
        "{}",
        ended.stderr
    );
}

#[test]
fn hub_out_of_reach_ends_with_5() {
    let url = format!("http://{}", dead_address());
    for arguments in [["publish", "t", "d"].as_slice(), &["subscribe", "t"]] {
        let ended = fanfare(&[arguments, &["--url", &url]].concat());
        assert_eq!(ended.code, Some(5), "{}", ended.stderr);
        assert!(ended.stderr.contains(url.trim_start_matches("http://")));
    }
}

#[test]
fn https_is_spoken_to_publish_and_to_subscribe() {
    let url = format!("https://{}", dead_address());
    for arguments in [["publish", "t", "d"].as_slice(), &["subscribe", "t"]] {
        let ended = fanfare(&[arguments, &["--url", &url]].concat());
        assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    }
    let ftp = fanfare(&["publish", "t", "d", "--url", "ftp://hub.example"]);
    assert_eq!(ftp.code, Some(2));
    assert!(ftp.stderr.contains("https://"), "{}", ftp.stderr);
}

#[test]
fn rc_14_subscribe_prints_a_gap_as_the_event_that_tells_it() {
    let gap = r#"{"from":"1","to":"7","reason":"trimmed"}"#;
    let told = format!("{STREAM}event: fanfare-gap\nid: 7\ndata: {gap}\n\n");
    let hub = FakeHub::answering(&[&told, NO_MORE]);
    let ended = fanfare(&[
        "subscribe",
        "t",
        "--json",
        "--last-event-id=1",
        "--url",
        &hub.url,
    ]);
    let event: Value = ended.stdout.parse().unwrap();
    assert_eq!(
        (&event["type"], &event["id"]),
        (&json!("fanfare-gap"), &json!("7"))
    );
    let data: Value = event["data"].as_str().unwrap().parse().unwrap();
    assert_eq!(data, gap.parse::<Value>().unwrap());
}

const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
const NO_MORE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn subscribe_asks_for_topics_as_an_event_source_does() {
    let hub = FakeHub::answering(&[NO_MORE]);
    let ended = fanfare(&[
        "subscribe",
        "a b",
        "https://example.com/{id}",
        "--url",
        &hub.url,
    ]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), ""),
        "{}",
        ended.stderr
    );
    let request = hub.request();
    let target = "/.well-known/mercure?topic=a+b&topic=https%3A%2F%2Fexample.com%2F%7Bid%7D&gap=1";
    assert!(
        request.starts_with(&format!("GET {target} HTTP/1.1\r\n")),
        "{request}"
    );
    let request = request.to_ascii_lowercase();
    assert!(
        request.contains("\r\naccept: text/event-stream\r\n"),
        "{request}"
    );
    assert!(!request.contains("last-event-id"), "{request}");
}

#[test]
fn subscribe_asks_by_matchers_of_1_0_too() {
    let hub = FakeHub::answering(&[NO_MORE]);
    let matchers = [
        "subscribe",
        "--match=a b",
        "--match=c",
        "--match-urlpattern=/books/:id",
    ];
    let ended = fanfare(&[&matchers[..], &["--url", &hub.url]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let query = "match=a+b&match=c&match_urlpattern=%2Fbooks%2F%3Aid&gap=1";
    let request = hub.request();
    let line = format!("GET /.well-known/mercure?{query} HTTP/1.1\r\n");
    assert!(request.starts_with(&line), "{request}");
    // No request is of both generations (DX-3).
    let mixed = fanfare(&["subscribe", "topic", "--match=a"]);
    refused(&mixed, 2, &["--match", "cannot be used"]);
    let neither = fanfare(&["subscribe"]);
    refused(&neither, 2, &["URL|TOPIC"]);
}

#[test]
fn subscribe_reads_a_whole_url() {
    let hub = FakeHub::answering(&[NO_MORE]);
    let url = format!("{}/events?topic=t", hub.url);
    assert_eq!(fanfare(&["subscribe", &url]).code, Some(0));
    assert!(
        hub.request()
            .starts_with("GET /events?topic=t HTTP/1.1\r\n")
    );
}

#[test]
fn rc_10_subscribe_comes_back_with_its_last_id() {
    let hub = FakeHub::answering(&[
        &format!("{STREAM}retry: 1\n\nid: é-1\ndata: one\n\nid: lost\ndata: torn"),
        &format!("{STREAM}: brings nothing\n\n"),
        &format!("{STREAM}event: greeting\ndata: two\ndata: lines\n\n"),
        NO_MORE,
    ]);
    let ended = fanfare(&["subscribe", "t", "--json", "--url", &hub.url]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let printed: Vec<Value> = ended.stdout.lines().map(|it| it.parse().unwrap()).collect();
    assert_eq!(
        printed,
        [
            json!({ "type": "message", "id": "é-1", "data": "one" }),
            json!({ "type": "greeting", "id": "é-1", "data": "two\nlines" }),
        ]
    );
    assert!(!hub.request().contains("last-event-id"));
    for _ in 0..3 {
        assert!(hub.request().contains("last-event-id: é-1\r\n"));
    }
}

#[test]
fn subscribe_prints_for_people_and_escapes_control_characters() {
    let answer = format!("{STREAM}id: 1\ndata: a\x1b[2J\ndata: b\n\n");
    let hub = FakeHub::answering(&[&answer, NO_MORE]);
    let ended = fanfare(&["subscribe", "t", "--url", &hub.url]);
    assert_eq!(ended.stdout, "# message 1\na\\u{1b}[2J\nb\n\n");
}

#[test]
fn rc_16_subscribe_gives_up_where_the_hub_is_final() {
    for answer in [
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        let hub = FakeHub::answering(&[answer]);
        let ended = fanfare(&["subscribe", "t", "--url", &hub.url]);
        assert_eq!(ended.code, Some(6), "{answer}: {}", ended.stderr);
    }
}

#[test]
fn rc_16_subscribe_waits_out_an_overload_once_it_was_connected() {
    let hub = FakeHub::answering(&[
        &format!("{STREAM}retry: 1\n\n"),
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        &format!("{STREAM}data: back\n\n"),
        NO_MORE,
    ]);
    let ended = fanfare(&["subscribe", "t", "--url", &hub.url]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("\nback\n"), "{}", ended.stdout);
}

#[test]
fn healthcheck_answers_by_its_code() {
    let hub = FakeHub::answering(&["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]);
    assert_eq!(fanfare(&["healthcheck", "--url", &hub.url]).code, Some(0));
    assert!(hub.request().starts_with("GET /readyz HTTP/1.1\r\n"));

    let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\ndraining";
    let hub = FakeHub::answering(&[answer]);
    let ended = fanfare(&["healthcheck", "--url", &hub.url]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("draining"), "{}", ended.stderr);

    let url = format!("http://{}", dead_address());
    assert_eq!(fanfare(&["healthcheck", "--url", &url]).code, Some(1));
}
