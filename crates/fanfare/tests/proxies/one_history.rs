//! Two hubs of one history behind each proxy: whoever loses its hub goes on at the other.

use fanfare_testkit::redis_server::RedisServer;

use crate::hubs::{Hub, TwoHubs};
use crate::kind::Kind;
use crate::program::Program;
use crate::proxy::Proxy;
use crate::two_hubs::resumes_on_the_other;

#[test]
fn c7_behind_nginx_the_other_hub_of_one_history_has_what_was_missed() {
    resumes(Kind::Nginx);
}

#[test]
fn c7_behind_haproxy_the_other_hub_of_one_history_has_what_was_missed() {
    resumes(Kind::Haproxy);
}

#[test]
fn c7_behind_caddy_the_other_hub_of_one_history_has_what_was_missed() {
    resumes(Kind::Caddy);
}

#[test]
fn n8_behind_nginx_a_drained_hub_costs_no_event_and_doubles_none() {
    goes_on(Kind::Nginx, Hub::drain);
}

#[test]
fn n8_behind_haproxy_a_drained_hub_costs_no_event_and_doubles_none() {
    goes_on(Kind::Haproxy, Hub::drain);
}

#[test]
fn n8_behind_caddy_a_drained_hub_costs_no_event_and_doubles_none() {
    goes_on(Kind::Caddy, Hub::drain);
}

#[test]
fn c1_behind_nginx_a_killed_hub_costs_no_event_and_doubles_none() {
    goes_on(Kind::Nginx, Hub::kill);
}

#[test]
fn c1_behind_haproxy_a_killed_hub_costs_no_event_and_doubles_none() {
    goes_on(Kind::Haproxy, Hub::kill);
}

#[test]
fn c1_behind_caddy_a_killed_hub_costs_no_event_and_doubles_none() {
    goes_on(Kind::Caddy, Hub::kill);
}

fn resumes(kind: Kind) {
    let redis = RedisServer::start(&[]);
    resumes_on_the_other(kind, TwoHubs::start(Some(&redis.url())));
}

/// A client's hub `ends` while events are published. It comes back through the balancer with the
/// last id that it has, wherever that is in the order, and what it saw in all is every event, once.
fn goes_on(kind: Kind, end: impl Fn(&Hub)) {
    let redis = RedisServer::start(&[]);
    let hubs = TwoHubs::start(Some(&redis.url()));
    let proxy = Proxy::recommended(kind, hubs.addresses());
    let first = proxy.subscribe("");
    let (home, away) = hubs.home_and_away();
    let mut published = vec![home.publish("0")];
    first.line_that(|line| line == format!("id: {}", published[0]));
    end(&home);
    // Some of these its hub may still send, if it drains.
    published.extend((1..5).map(|number| away.publish(&number.to_string())));
    let mut seen = vec![published[0].clone()];
    seen.extend(ids(|| first.line_or_end()));
    home.ended();
    published.extend((5..8).map(|number| away.publish(&number.to_string())));

    let last = seen.last().unwrap();
    let second = proxy.subscribe(&format!("-H 'Last-Event-ID: {last}'"));
    assert_eq!(away.subscribers(), 1);
    published.push(away.publish("and on"));
    seen.extend(ids_until(&second, "data: and on"));
    assert_eq!(seen, published, "each once, in their order");
}

/// The ids of the events that `next` brings, and of nothing else.
fn ids(next: impl FnMut() -> Option<String>) -> Vec<String> {
    let lines: Vec<_> = std::iter::from_fn(next).collect();
    let gap = lines.iter().find(|line| line.starts_with("event: "));
    assert_eq!(gap, None, "these have no type; a gap has");
    let ids = lines.iter().filter_map(|line| line.strip_prefix("id: "));
    ids.map(str::to_owned).collect()
}

/// The same up to the line `last`.
fn ids_until(stream: &Program, last: &str) -> Vec<String> {
    let mut ended = false;
    ids(|| {
        let line = (!ended).then(|| stream.line())?;
        ended = line == last;
        Some(line)
    })
}
