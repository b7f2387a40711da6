//! Events through each proxy: one by one, as soon as they are published.

use crate::hubs::{Hub, publish};
use crate::kind::Kind;
use crate::proxy::Proxy;

#[test]
fn srv_25_nginx_as_people_have_it_passes_each_event_on_at_once() {
    by_default(Kind::Nginx);
}

#[test]
fn srv_25_haproxy_as_people_have_it_passes_each_event_on_at_once() {
    by_default(Kind::Haproxy);
}

#[test]
fn srv_25_caddy_as_people_have_it_passes_each_event_on_at_once() {
    by_default(Kind::Caddy);
}

#[test]
fn srv_25_nginx_as_advised_passes_each_event_on_at_once_over_http_2() {
    as_advised(Kind::Nginx);
}

#[test]
fn srv_25_haproxy_as_advised_passes_each_event_on_at_once_over_http_2() {
    as_advised(Kind::Haproxy);
}

#[test]
fn srv_25_caddy_as_advised_passes_each_event_on_at_once_over_http_2() {
    as_advised(Kind::Caddy);
}

fn by_default(kind: Kind) {
    let hub = Hub::start(&[]);
    let proxy = Proxy::by_default(kind, hub.address(), "");
    one_by_one(&proxy, "-i --http1.1", "HTTP/1.1 200 OK");
}

fn as_advised(kind: Kind) {
    let hub = Hub::start(&[]);
    let proxy = Proxy::recommended(kind, [hub.address(); 2]);
    one_by_one(&proxy, "-i --http2", "HTTP/2 200");
    one_by_one(&proxy, "-i --http1.1", "HTTP/1.1 200 OK");
}

/// Each event is seen before the next is published: nothing waits for a buffer to fill.
fn one_by_one(proxy: &Proxy, flags: &str, status: &str) {
    let stream = proxy.curl(flags, "/events?topic=t");
    stream.line_that(|line| line.trim_end() == status);
    stream.line_that(|line| line == ": connection established");
    let trust = proxy.trust();
    let trust: Vec<_> = trust
        .iter()
        .map(|(name, it)| (*name, it.as_str()))
        .collect();
    for number in 0..5 {
        let id = publish(&proxy.url, &trust, &number.to_string());
        stream.line_that(|line| line == format!("id: {id}"));
        stream.line_that(|line| line == format!("data: {number}"));
    }
}
