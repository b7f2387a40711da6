//! curl and h2load: what people and their tools see.

use std::fs;
use std::path::Path;

use crate::dev_hub::DevHub;
use crate::program::Program;

#[test]
fn curl_shows_each_event_as_it_comes() {
    let hub = DevHub::start();
    let curl = Program::paste(&format!("exec curl -sN '{}/events?topic=t'", hub.url));
    curl.line_that(|line| line == ": connection established");
    // Each is seen before the next is published: nothing waits for a buffer to fill.
    for number in 0..5 {
        let id = hub.publish("t", &number.to_string());
        curl.line_that(|line| line == format!("id: {id}"));
        curl.line_that(|line| line == format!("data: {number}"));
    }
}

#[test]
fn curl_publishes_and_subscribes_over_http_2() {
    let hub = DevHub::start();
    let stream = format!("{}/.well-known/mercure?topic=t", hub.url);
    let subscriber = format!("exec curl -siN --http2-prior-knowledge '{stream}'");
    let subscriber = Program::paste(&subscriber);
    subscriber.line_that(|line| line.trim_end() == "HTTP/2 200");
    let publisher = format!(
        "exec curl -si --http2-prior-knowledge -H 'Authorization: Bearer {}' -d topic=t \
         -d data=hello {}/.well-known/mercure",
        hub.token, hub.url
    );
    let publisher = Program::paste(&publisher).wait();
    assert!(publisher.stdout.starts_with("HTTP/2 200"), "{publisher:?}");
    let id = publisher.stdout.lines().last().unwrap();
    subscriber.line_that(|line| line == format!("id: {id}"));
    subscriber.line_that(|line| line == "data: hello");
}

#[test]
fn h2load_publishes_a_thousand_events_that_all_arrive() {
    let hub = DevHub::start();
    let curl = Program::paste(&format!("exec curl -sN '{}/events?topic=load'", hub.url));
    curl.line_that(|line| line == ": connection established");
    let body = Path::new(env!("CARGO_TARGET_TMPDIR")).join("h2load-body.json");
    fs::write(&body, r#"{"topic":"load","data":"x"}"#).unwrap();
    let load = format!(
        "exec h2load -n 1000 -c 8 -m 10 -H 'content-type: application/json' -d {} {}/broadcast",
        body.display(),
        hub.url
    );
    let load = Program::paste(&load).wait();
    assert!(
        load.stdout.contains("Application protocol: h2c"),
        "{load:?}"
    );
    let all = "status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx";
    assert!(load.stdout.contains(all), "{load:?}");
    for _ in 0..1000 {
        curl.line_that(|line| line == "data: x");
    }
    hub.publish("load", "the end");
    let next = curl.line_that(|line| line.starts_with("data: "));
    assert_eq!(next, "data: the end");
}
