//! Streams on which nothing is published outlive a proxy's time-out by their heartbeats (N3).

use crate::hubs::Hub;
use crate::kind::{Kind, replaced};
use crate::program::Program;
use crate::proxy::{OUT_OF_TIME, Proxy};

#[test]
fn n3_heartbeats_keep_a_stream_through_nginx() {
    let hub = Hub::start(&[]);
    outlives(&hub, &nginx(&hub));
}

#[test]
fn n3_without_heartbeats_nginx_ends_a_stream() {
    let hub = Hub::start(&["--heartbeat=0"]);
    is_ended(&nginx(&hub));
}

#[test]
fn n3_heartbeats_keep_a_stream_through_haproxy() {
    let hub = Hub::start(&[]);
    outlives(&hub, &haproxy(&hub));
}

#[test]
fn n3_without_heartbeats_haproxy_ends_a_stream() {
    let hub = Hub::start(&["--heartbeat=0"]);
    is_ended(&haproxy(&hub));
}

#[test]
fn n3_heartbeats_keep_a_stream_through_caddy() {
    let hub = Hub::start(&[]);
    outlives(&hub, &caddy(&hub));
}

#[test]
fn n3_without_heartbeats_caddy_ends_a_stream() {
    let hub = Hub::start(&["--heartbeat=0"]);
    is_ended(&caddy(&hub));
}

/// What `docs/deploy` advises, with a time-out of three seconds.
fn nginx(hub: &Hub) -> Proxy {
    Proxy::recommended_but(Kind::Nginx, [hub.address(); 2], |text| {
        replaced(&text, "proxy_read_timeout 75s", "proxy_read_timeout 3s")
    })
}

fn haproxy(hub: &Hub) -> Proxy {
    Proxy::recommended_but(Kind::Haproxy, [hub.address(); 2], |text| {
        let text = replaced(&text, "timeout server 75s", "timeout server 3s");
        replaced(&text, "timeout client 75s", "timeout client 3s")
    })
}

/// By itself Caddy ends no stream.
fn caddy(hub: &Hub) -> Proxy {
    Proxy::recommended_but(Kind::Caddy, [hub.address(); 2], |text| {
        let timeout = "transport http {\nread_timeout 3s\n}";
        replaced(&text, "lb_try_duration 3s", timeout)
    })
}

/// Six heartbeats, each at least 0.8 s after the last, are longer than the time-out.
fn outlives(hub: &Hub, proxy: &Proxy) {
    let stream = proxy.subscribe("");
    for _ in 0..6 {
        stream.line_that(|line| line == ":");
    }
    hub.publish("still here");
    stream.line_that(|line| line == "data: still here");
}

fn is_ended(proxy: &Proxy) {
    let stream: Program = proxy.subscribe("");
    let ended = stream.wait();
    assert_ne!(ended.code, Some(OUT_OF_TIME), "{ended:?}");
    assert!(!ended.stdout.contains("data:"), "{ended:?}");
}
