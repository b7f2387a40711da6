//! `fanfare doctor` against proxies that are set up badly on purpose, and against good ones.

use serde_json::Value;

use crate::hubs::{Hub, TwoHubs, token};
use crate::kind::{Kind, replaced};
use crate::program::{Ended, FakeHub, dead_address, fanfare_with};
use crate::proxy::Proxy;

/// Holds back everything, and gives in to nobody.
const HOLDS: &str = "proxy_ignore_headers X-Accel-Buffering;";

#[test]
fn nginx_as_people_have_it_has_no_fault() {
    is_well(Kind::Nginx);
}

#[test]
fn haproxy_as_people_have_it_has_no_fault() {
    is_well(Kind::Haproxy);
}

#[test]
fn caddy_as_people_have_it_has_no_fault() {
    is_well(Kind::Caddy);
}

#[test]
fn nginx_as_advised_has_no_fault() {
    is_well_as_advised(Kind::Nginx);
}

#[test]
fn haproxy_as_advised_has_no_fault() {
    is_well_as_advised(Kind::Haproxy);
}

#[test]
fn caddy_as_advised_has_no_fault() {
    is_well_as_advised(Kind::Caddy);
}

#[test]
fn a_hub_without_a_proxy_has_no_fault() {
    let hub = Hub::start(&[]);
    all_well(&doctor(&hub.url, &[], PATIENT));
}

#[test]
fn what_is_harmless_is_no_fault() {
    let hub = Hub::start(&[]);
    for (kind, lines) in [
        (Kind::Nginx, "proxy_http_version 1.0;"),
        (Kind::Haproxy, "    option http-buffer-request"),
        // Overruled for streams.
        (Kind::Caddy, "flush_interval 10s"),
    ] {
        let proxy = Proxy::by_default(kind, hub.address(), lines);
        all_well(&doctor(&proxy.url, &[], PATIENT));
    }
}

#[test]
fn buffering_is_found_in_nginx() {
    finds(
        Kind::Nginx,
        HOLDS,
        "first-bytes",
        "fail",
        "proxy_buffering off;",
    );
}

#[test]
fn a_cache_is_found_in_nginx() {
    let lines = format!(
        "{HOLDS} proxy_ignore_headers Cache-Control Expires; proxy_cache cache; \
         proxy_cache_valid 200 10m;"
    );
    finds(
        Kind::Nginx,
        &lines,
        "first-bytes",
        "fail",
        "proxy_cache off;",
    );
}

#[test]
fn compression_is_found_in_nginx() {
    let lines = "gzip on; gzip_types text/event-stream; gzip_min_length 0;";
    finds(Kind::Nginx, lines, "compression", "warn", "gzip off;");
}

#[test]
fn a_time_out_is_found_in_nginx() {
    let line = "proxy_read_timeout 75s;";
    finds_time_out(Kind::Nginx, "proxy_read_timeout 2s;", line);
}

#[test]
fn a_lost_header_is_found_in_nginx() {
    let lines = r#"proxy_set_header Last-Event-ID "";"#;
    let change = "proxy_set_header Last-Event-ID $http_last_event_id;";
    finds(Kind::Nginx, lines, "resume", "fail", change);
}

#[test]
fn a_lost_token_is_found_in_nginx() {
    let lines = r#"proxy_set_header Authorization "";"#;
    let change = "proxy_set_header Authorization $http_authorization;";
    finds(Kind::Nginx, lines, "authorization", "fail", change);
}

#[test]
fn a_changed_query_is_found_in_nginx() {
    // What is taken out of `$arg_topic` and put together again is not what was there.
    let lines = "set $args \"topic=$arg_topic&gap=1\";";
    finds(
        Kind::Nginx,
        lines,
        "query",
        "fail",
        "proxy_pass http://fanfare;",
    );
}

#[test]
fn a_hidden_header_is_found_in_nginx() {
    let lines = "proxy_hide_header Cache-Control;";
    let change = "proxy_hide_header Cache-Control;";
    finds(Kind::Nginx, lines, "caching", "warn", change);
}

#[test]
fn a_downgrade_is_found_in_nginx() {
    finds_downgrade(Kind::Nginx, " ssl http2;", " ssl;", "listen 443 ssl http2;");
}

#[test]
fn a_downgrade_is_found_in_haproxy() {
    let line = "bind :443 ssl crt /etc/haproxy/hub.pem alpn h2,http/1.1";
    finds_downgrade(Kind::Haproxy, "alpn h2,http/1.1", "alpn http/1.1", line);
}

#[test]
fn buffering_is_found_in_haproxy() {
    let lines = "    http-response wait-for-body time 60s at-least 100k";
    let change = "http-response wait-for-body";
    finds(Kind::Haproxy, lines, "first-bytes", "fail", change);
}

#[test]
fn a_time_out_is_found_in_haproxy() {
    let line = "timeout server 75s";
    finds_time_out(Kind::Haproxy, "    timeout server 2s", line);
}

#[test]
fn a_lost_header_is_found_in_haproxy() {
    let lines = "    http-request del-header last-event-id";
    let change = "http-request del-header last-event-id";
    finds(Kind::Haproxy, lines, "resume", "fail", change);
}

#[test]
fn a_lost_token_is_found_in_haproxy() {
    let lines = "    http-request del-header authorization";
    let change = "http-request del-header authorization";
    finds(Kind::Haproxy, lines, "authorization", "fail", change);
}

/// HAProxy compresses nothing that says `no-transform`; so one takes that away, and a second, in
/// front of it, compresses.
#[test]
fn compression_is_found_in_haproxy() {
    let hub = Hub::start(&[]);
    let lines = "    http-response del-header cache-control";
    let inner = Proxy::by_default(Kind::Haproxy, hub.address(), lines);
    let lines = "    compression algo gzip\n    compression type text/event-stream";
    let inner = inner.url.trim_start_matches("http://").to_owned();
    // Whoever is dropped is gone: the inner one stays to the end.
    let outer = Proxy::by_default(Kind::Haproxy, &inner, lines);
    let ended = doctor(&outer.url, &[], HURRIED);
    found(
        &ended,
        "compression",
        "warn",
        "compression type text/event-stream",
    );
    found(
        &ended,
        "caching",
        "warn",
        "http-response del-header cache-control",
    );
}

#[test]
fn buffering_is_found_in_caddy() {
    finds(
        Kind::Caddy,
        "buffer_responses",
        "first-bytes",
        "fail",
        "buffer_responses",
    );
}

#[test]
fn a_time_out_is_found_in_caddy() {
    let lines = "transport http {\nread_timeout 2s\n}";
    finds_time_out(Kind::Caddy, lines, "read_timeout");
}

#[test]
fn a_bound_on_the_whole_answer_is_found_in_caddy() {
    let hub = Hub::start(&[]);
    let options = "{\nadmin off\nauto_https disable_redirects\n\
                   servers {\ntimeouts {\nwrite 4s\n}\n}\n}\n";
    let proxy = Proxy::with(Kind::Caddy, |listen| {
        let site = Kind::Caddy.default_configuration(listen, hub.address(), "");
        format!("{options}{site}")
    });
    let ended = doctor(&proxy.url, &[], &["--idle=10s"]);
    found(&ended, "idle", "fail", "timeouts { write … }");
}

#[test]
fn compression_is_found_in_caddy() {
    let hub = Hub::start(&[]);
    let proxy = Proxy::with(Kind::Caddy, |listen| {
        format!(
            "http://127.0.0.1:{listen} {{
                 encode {{
                     gzip
                     minimum_length 1
                     match {{
                         header Content-Type text/event-stream*
                     }}
                 }}
                 reverse_proxy {} {{
                     header_down -Cache-Control
                 }}
             }}",
            hub.address()
        )
    });
    // Here it also holds events back.
    let ended = doctor(&proxy.url, &[], HURRIED);
    found(&ended, "compression", "fail", "header_down -Cache-Control");
}

#[test]
fn a_lost_header_is_found_in_caddy() {
    let lines = "header_up -Last-Event-ID";
    finds(
        Kind::Caddy,
        lines,
        "resume",
        "fail",
        "header_up -Last-Event-ID",
    );
}

#[test]
fn a_lost_token_is_found_in_caddy() {
    let lines = "header_up -Authorization";
    finds(
        Kind::Caddy,
        lines,
        "authorization",
        "fail",
        "header_up -Authorization",
    );
}

#[test]
fn hubs_that_share_no_history_are_found() {
    let hubs = TwoHubs::start(None);
    let [one, two] = hubs.addresses();
    let proxy = Proxy::with(Kind::Nginx, |listen| {
        let site = Kind::Nginx.default_configuration(listen, "both", "");
        format!("upstream both {{ server {one}; server {two}; }}\n{site}")
    });
    let ended = doctor(&proxy.url, &[], HURRIED);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("share"), "{ended:?}");
}

#[test]
fn origins_are_asked_about() {
    let hub = Hub::start(&["--cors-origin=https://app.example.com"]);
    for (origin, verdict) in [
        ("https://app.example.com", "ok"),
        ("https://other.example.com", "fail"),
    ] {
        let origin = format!("--origin={origin}");
        let ended = doctor(&hub.url, &[], &["--idle=0", &origin]);
        let cors = finding(&ended, "cors");
        assert_eq!(cors["verdict"], verdict, "{ended:?}");
    }
}

#[test]
fn without_a_token_the_rest_is_said_to_be_unknown() {
    let hub = Hub::start(&[]);
    let arguments = ["doctor", &hub.url, "--json", "--idle=3s"];
    let ended = fanfare_with(&[], &arguments);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for (name, verdict) in [
        ("first-bytes", "ok"),
        ("events", "unknown"),
        ("resume", "unknown"),
        ("idle", "ok"),
    ] {
        assert_eq!(finding(&ended, name)["verdict"], verdict, "{ended:?}");
    }
}

#[test]
fn a_hub_in_development_needs_no_token() {
    let hub = Hub::start(&["--dev"]);
    let ended = fanfare_with(&[], &["doctor", &hub.url, "--json", "--idle=3s"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for name in ["events", "query", "resume", "idle"] {
        assert_eq!(finding(&ended, name)["verdict"], "ok", "{ended:?}");
    }
}

#[test]
fn people_read_the_fault_and_below_it_the_line() {
    let hub = Hub::start(&[]);
    let proxy = Proxy::by_default(Kind::Nginx, hub.address(), HOLDS);
    let ended = fanfare_with(&[], &["doctor", &proxy.url, "--patience=3s"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let mut lines = ended.stdout.lines();
    let fault = lines.next().unwrap();
    assert!(fault.starts_with("FAIL  first-bytes    "), "{ended:?}");
    assert_eq!(
        lines.next().unwrap().trim(),
        "nginx: set `proxy_buffering off;`"
    );
}

#[test]
fn what_is_no_hub_is_told_apart_from_nothing_at_all() {
    let ended = doctor(&format!("http://{}", dead_address()), &[], HURRIED);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(5), ""),
        "{ended:?}"
    );
    for answer in [
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    ] {
        let ended = doctor(&FakeHub::answering(&[answer]).url, &[], HURRIED);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(finding(&ended, "answer")["verdict"], "fail", "{ended:?}");
    }
}

/// Time enough for a slow machine: what should come, comes sooner.
const PATIENT: &[&str] = &["--idle=3s"];
/// What a bad proxy holds back never comes, so nobody need wait for it long.
const HURRIED: &[&str] = &["--idle=0", "--patience=3s"];

fn is_well(kind: Kind) {
    let hub = Hub::start(&[]);
    let proxy = Proxy::by_default(kind, hub.address(), "");
    all_well(&doctor(&proxy.url, &[], PATIENT));
}

fn is_well_as_advised(kind: Kind) {
    let hub = Hub::start(&[]);
    let proxy = Proxy::recommended(kind, [hub.address(); 2]);
    let ended = doctor(&proxy.url, &proxy.trust(), PATIENT);
    all_well(&ended);
    assert_eq!(finding(&ended, "protocol")["seen"], "HTTP/2");
}

/// The doctor says of a proxy with `lines` that `name` is `verdict`, and names the line `change`.
fn finds(kind: Kind, lines: &str, name: &str, verdict: &str, change: &str) {
    let hub = Hub::start(&[]);
    let proxy = Proxy::by_default(kind, hub.address(), lines);
    let ended = doctor(&proxy.url, &[], HURRIED);
    found(&ended, name, verdict, change);
}

/// The same of a time-out of two seconds, with a hub that is silent for longer.
fn finds_time_out(kind: Kind, lines: &str, change: &str) {
    let hub = Hub::start(&["--heartbeat=1m"]);
    let proxy = Proxy::by_default(kind, hub.address(), lines);
    let ended = doctor(&proxy.url, &[], &["--idle=30s"]);
    found(&ended, "idle", "fail", change);
}

fn finds_downgrade(kind: Kind, shown: &str, bad: &str, change: &str) {
    let hub = Hub::start(&[]);
    let proxy =
        Proxy::recommended_but(kind, [hub.address(); 2], |text| replaced(&text, shown, bad));
    let ended = doctor(&proxy.url, &proxy.trust(), HURRIED);
    found(&ended, "protocol", "warn", change);
}

fn doctor(url: &str, variables: &[(&str, String)], arguments: &[&str]) -> Ended {
    let token = token();
    let variables = variables.iter().map(|(name, it)| (*name, it.as_str()));
    let variables: Vec<_> = variables.chain([("FANFARE_TOKEN", &*token)]).collect();
    fanfare_with(
        &variables,
        &[&["doctor", url, "--json"], arguments].concat(),
    )
}

fn all_well(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 10, "{ended:?}");
    assert!(findings.iter().all(|it| it["verdict"] == "ok"), "{ended:?}");
}

fn found(ended: &Ended, name: &str, verdict: &str, change: &str) {
    let code = if verdict == "fail" { 1 } else { 0 };
    assert_eq!(ended.code, Some(code), "{ended:?}");
    let finding = finding(ended, name);
    assert_eq!(finding["verdict"], verdict, "{ended:?}");
    let changes = finding["change"].as_array().unwrap();
    assert!(changes.iter().any(|it| it["line"] == change), "{ended:?}");
}

fn finding(ended: &Ended, name: &str) -> Value {
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|it| it["name"] == name);
    finding
        .unwrap_or_else(|| panic!("no {name} in {ended:?}"))
        .clone()
}
