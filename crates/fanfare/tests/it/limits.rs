//! Too many: connections, subscribers, descriptors, events.

use std::time::Duration;

use fanfare_testkit::raw_http::{DEADLINE, RawPeer, ask};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::fixture::{HUB, Server, get, post, serve, serve_hub};
use crate::program::{Program, READY, fanfare};

const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_clearly_and_old_ones_live() {
    let server = serve(|config| config.connections_max = 5).await;
    let mut peers = Vec::new();
    for _ in 0..5 {
        peers.push(server.subscribe("topic=a", "").await);
    }
    server.wait_for_subscribers(5).await;
    let refused = server.get("/healthz").await;
    assert_eq!(refused.status, 503, "{}", refused.head);
    assert!(refused.field("retry-after").is_some());
    // A browser that got a 503 would never come back (SRV-08).
    let browser = server
        .ask(get("/events", "Accept: text/event-stream\r\n"))
        .await;
    assert_eq!(browser.status, 200);
    assert!(browser.body.starts_with("retry: "), "{}", browser.body);

    drop(peers.pop());
    server.wait_for_subscribers(4).await;
    assert_eq!(eventually_published(&server).await, 200);
    for peer in &mut peers {
        assert_eq!(peer.read_chunk().await, "id: 1\ndata: \n\n");
    }
}

/// The refused connections may still be at their farewell.
async fn eventually_published(server: &Server) -> u16 {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let status = server.publish("topic=a&id=1").await.status;
        if status == 200 || Instant::now() > deadline {
            return status;
        }
    }
}

#[tokio::test]
async fn streams_of_one_connection_count_as_one() {
    let server = serve(|config| config.connections_max = 2).await;
    let mut peer = server.connect().await;
    peer.send(get("/healthz", "")).await;
    peer.read_answer().await;
    peer.send(get("/events", "")).await;
    peer.read_head().await;
    server.wait_for_subscribers(1).await;
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn subscribers_beyond_the_limit_are_told_to_come_back() {
    let mut hub = fanfare_hub::Config::default();
    hub.subscribers_max = 1;
    let server = serve_hub(hub, |_| {}).await;
    let _peer = server.subscribe("topic=a", "").await;
    let answer = server.get(&format!("{HUB}?topic=a")).await;
    assert_eq!(answer.status, 503);
    assert!(answer.field("retry-after").is_some());
    assert_eq!(
        answer.field("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let browser = server
        .ask(get("/events", "Accept: text/event-stream\r\n"))
        .await;
    assert_eq!(browser.status, 200);
    assert!(
        browser
            .body
            .contains("\n\n: the hub has its 1 subscribers\n")
    );
}

#[tokio::test]
async fn out_of_descriptors_refuses_newcomers_and_serves_the_others() {
    // Room for a runtime and some forty connections.
    let fanfare = env!("CARGO_BIN_EXE_fanfare");
    let line = format!("ulimit -n 64; exec '{fanfare}' serve --dev --listen 127.0.0.1:0");
    let program = Program::paste(&line);
    let ready = program.line_that(|line| line.starts_with(READY));
    let address = ready.rsplit('/').next().unwrap().parse().unwrap();

    let mut streams = Vec::new();
    let mut refused = 0;
    while refused < 20 {
        let mut peer = RawPeer::connect(address).await;
        peer.send(get("/events", "")).await;
        match peer.read_head().await.status {
            200 => {
                peer.read_chunk().await;
                streams.push(peer);
            }
            503 => refused += 1,
            status => panic!("status {status}"),
        }
        assert!(streams.len() < 64);
    }
    assert!(streams.len() > 5, "only {} were let in", streams.len());
    let before = cpu_time(program.id());
    // Nothing is to come, so this takes as long as it may.
    let silence = timeout(Duration::from_millis(300), streams[0].read_exactly(1)).await;
    assert!(silence.is_err());
    let spent = cpu_time(program.id()) - before;
    assert!(spent < Duration::from_millis(100), "it spins: {spent:?}");

    // One leaves, and there is room to publish to the others.
    drop(streams.pop());
    let deadline = Instant::now() + DEADLINE;
    let body = "{\"data\":\"x\",\"id\":\"1\"}";
    let request = post("/broadcast", "", "application/json", body);
    while ask(address, &request).await.status != 200 {
        assert!(Instant::now() < deadline, "no room after one has left");
    }
    for peer in &mut streams {
        peer.read_until("id: 1\ndata: x\n\n").await;
    }
}

/// User and system time of a process so far.
fn cpu_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    let ticks = after_name.split(' ').skip(11).take(2);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[test]
fn op_09_history_never_grows_past_its_limits() {
    for limit in ["--history-count-max=2", "--history-bytes-max=100KiB"] {
        let flags = ["--dev", "--subscriptions=false", "--ring-bytes-max=1MiB"];
        let key = format!("--publisher-jwt-key={KEY}");
        let ring = ["--ring-records-max=1", &key, limit];
        let (_hub, url) = Program::serve(&[&flags[..], &ring].concat());
        let token = fanfare(&["token", "--key", KEY, "--publish", "*"]).stdout;
        let data = "x".repeat(40 << 10);
        for id in ["1", "2", "3", "4"] {
            let to = ["--url", &url, "--token", token.trim(), "--id", id];
            let ended = fanfare(&[&["publish", "t", &data][..], &to].concat());
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        }
        let arguments = ["subscribe", "t", "--json", "--last-event-id=earliest"];
        let subscriber = Program::start(&[&arguments[..], &["--url", &url]].concat());
        // Room is for two of them.
        for id in ["3", "4"] {
            let event: Value = serde_json::from_str(&subscriber.line()).unwrap();
            assert_eq!(event["id"], id, "{limit}");
        }
    }
}
