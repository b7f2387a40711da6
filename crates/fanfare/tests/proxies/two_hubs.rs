//! Two hubs behind each proxy: who comes back lands on the other one, and is told what that means.

use std::time::Duration;

use crate::hubs::{Hub, TwoHubs};
use crate::kind::Kind;
use crate::program::{DEADLINE, Program, dead_address};
use crate::proxy::Proxy;

#[test]
fn c7_behind_nginx_the_other_hub_tells_of_the_gap() {
    resumes_on_the_other(Kind::Nginx, TwoHubs::start(None));
}

#[test]
fn c7_behind_haproxy_the_other_hub_tells_of_the_gap() {
    resumes_on_the_other(Kind::Haproxy, TwoHubs::start(None));
}

#[test]
fn c7_behind_caddy_the_other_hub_tells_of_the_gap() {
    resumes_on_the_other(Kind::Caddy, TwoHubs::start(None));
}

#[test]
fn n8_nginx_moves_the_streams_of_a_hub_that_drains() {
    moves(Kind::Nginx);
}

#[test]
fn n8_haproxy_moves_the_streams_of_a_hub_that_drains() {
    moves(Kind::Haproxy);
}

#[test]
fn n8_caddy_moves_the_streams_of_a_hub_that_drains() {
    moves(Kind::Caddy);
}

#[test]
fn n8_haproxy_sends_no_new_stream_to_a_hub_that_drains() {
    avoids(Kind::Haproxy);
}

#[test]
fn n8_caddy_sends_no_new_stream_to_a_hub_that_drains() {
    avoids(Kind::Caddy);
}

#[test]
fn n6_nginx_without_a_hub_has_browsers_come_back() {
    come_back(Kind::Nginx);
}

#[test]
fn n6_haproxy_without_a_hub_has_browsers_come_back() {
    come_back(Kind::Haproxy);
}

#[test]
fn n6_caddy_without_a_hub_has_browsers_come_back() {
    come_back(Kind::Caddy);
}

/// A client comes back with the id that one hub gave it, while it holds a stream there still: so
/// the balancer, which counts streams, sends it to the other.
///
/// With one history the event that was missed comes first. With two nobody can know what was
/// missed, and that is what the client hears, before anything else: never silence.
pub(crate) fn resumes_on_the_other(kind: Kind, hubs: TwoHubs) {
    let proxy = Proxy::recommended(kind, hubs.addresses());
    let first = proxy.subscribe("");
    let share_history = hubs.share_history;
    let (home, away) = hubs.home_and_away();
    let last = home.publish("seen");
    first.line_that(|line| line == "data: seen");
    home.publish("missed");

    let second = proxy.subscribe(&format!("-H 'Last-Event-ID: {last}'"));
    until("the other hub has it", || away.subscribers() == 1);
    match share_history {
        true => {
            assert_eq!(second.line_that(begins_data), "data: missed");
        }
        false => {
            let event = second.line_that(|line| line.starts_with("event: "));
            assert_eq!(event, "event: fanfare-gap");
            let data = second.line_that(begins_data);
            assert!(data.contains(r#""reason":"unknown""#), "{data}");
        }
    }
    away.publish("and on");
    assert_eq!(second.line_that(begins_data), "data: and on");
}

/// A stream ends in good order when its hub drains, and the next one is the other hub's.
fn moves(kind: Kind) {
    let hubs = TwoHubs::start(None);
    let proxy = Proxy::recommended(kind, hubs.addresses());
    let stream = proxy.subscribe("");
    let (home, away) = hubs.home_and_away();
    home.drain();
    let ended = stream.wait();
    assert_eq!(ended.code, Some(0), "an end, not a cut: {ended:?}");
    assert!(ended.stdout.contains("retry: "), "{ended:?}");
    assert_eq!(home.ended().code, Some(0));

    let next = proxy.subscribe("");
    assert_eq!(away.subscribers(), 1);
    away.publish("moved");
    next.line_that(|line| line == "data: moved");
}

/// Readiness is asked for every second: then all new streams are the other hub's, while the one
/// that drains still takes connections.
fn avoids(kind: Kind) {
    let own = ["--drain=30s"];
    let (draining, other) = (Hub::on("memory", &own), Hub::on("memory", &own));
    let proxy = Proxy::recommended(kind, [draining.address(), other.address()]);
    // They end one by one over the drain, so it lasts.
    let held: Vec<_> = (0..6).map(|_| draining.subscribe()).collect();
    draining.drain();
    until("it is not asked any more", || {
        let answers = || proxy.curl("--max-time 0.5 -H 'Accept: text/event-stream'", "/events");
        let asked: Vec<_> = (0..4).map(|_| answers().wait().stdout).collect();
        asked.iter().all(|it| it.contains("connection established"))
    });
    let status = "-o /dev/null -w '%{http_code}'";
    let ready = Program::paste(&format!("exec curl -s {status} {}/readyz", draining.url)).wait();
    assert_eq!(ready.stdout.trim(), "503", "it drains still: {ready:?}");
    drop(held);
}

/// With no hub there, a browser is answered like a stream, for any other answer ends its
/// `EventSource` for good. Everybody else gets the truth.
fn come_back(kind: Kind) {
    let gone = [dead_address().to_string(), dead_address().to_string()];
    let proxy = Proxy::recommended(kind, [&gone[0], &gone[1]]);
    let ask = |flags: &str| proxy.curl(&format!("-i {flags}"), "/events").wait().stdout;
    // HAProxy takes a hub for well until it has asked.
    until("the proxy knows", || {
        let browser = ask("-H 'Accept: text/event-stream'");
        let head = browser.to_ascii_lowercase();
        browser.starts_with("HTTP/2 200")
            && head.contains("content-type: text/event-stream\n")
            && head.contains("cache-control: no-store\n")
            && has_retry(&browser)
    });
    let other = ask("");
    assert!(other.starts_with("HTTP/2 50"), "{other}");
}

/// A reconnection time within SRV-08's bounds, in a block that has an end.
fn has_retry(answer: &str) -> bool {
    let retry = answer.split("\nretry: ").nth(1);
    let millis = retry.and_then(|it| it.strip_suffix("\n\n"));
    let millis = millis.and_then(|it| it.parse().ok());
    millis.is_some_and(|it: u64| (10_000..=60_000).contains(&it))
}

fn begins_data(line: &str) -> bool {
    line.starts_with("data: ")
}

/// Waits until `holds` does.
#[expect(clippy::disallowed_methods, reason = "it waits for a condition")]
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < DEADLINE,
            "not within {DEADLINE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
