use fanfare_wire::EventId;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{LAST_EVENT_ID, first_route, request};
use crate::config::Config;
use crate::error::InvalidConfig;

fn config(url: &str) -> Config {
    Config::get(url.parse().unwrap())
}

/// The first request of a source that last saw `cursor`.
fn first(mut config: Config, cursor: &str) -> reqwest::Request {
    let client = reqwest::Client::new();
    let route = first_route(&client, &mut config).unwrap();
    let cursor = EventId::parse(cursor).unwrap();
    request(&config, &route, &HeaderMap::new(), &cursor)
}

fn field(request: &reqwest::Request, name: HeaderName) -> Option<&[u8]> {
    request.headers().get(name).map(HeaderValue::as_bytes)
}

#[test]
fn rc_04_cc_58_headers_of_a_plain_source() {
    let request = first(config("http://a.example/x"), "");
    assert_eq!(request.method(), Method::GET);
    assert_eq!(field(&request, ACCEPT), Some(&b"text/event-stream"[..]));
    assert_eq!(field(&request, CACHE_CONTROL), Some(&b"no-cache"[..]));
    assert_eq!(field(&request, ACCEPT_ENCODING), Some(&b"identity"[..]));
    assert_eq!(request.headers().len(), 3);
}

#[test]
fn rc_04_the_users_headers_replace_ours_but_the_cursor() {
    let mut config = config("http://a.example/x");
    let pairs = [
        ("accept", "*/*"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("last-event-id", "mine"),
    ];
    for (name, value) in pairs {
        config.headers.append(name, HeaderValue::from_static(value));
    }
    let request = first(config, "7");
    assert_eq!(field(&request, ACCEPT), Some(&b"*/*"[..]));
    assert_eq!(request.headers().get_all("x-a").iter().count(), 2);
    assert_eq!(field(&request, LAST_EVENT_ID), Some(&b"7"[..]));
}

#[test]
fn cx_03_rc_09_cursors_as_headers() {
    let sent = |cursor: &str| {
        let request = first(config("http://a.example/x"), cursor);
        field(&request, LAST_EVENT_ID).map(<[u8]>::to_vec)
    };
    assert_eq!(sent(""), None, "not an empty header");
    assert_eq!(sent("é…🙂"), Some("é…🙂".into()));
    assert_eq!(sent(" a b "), Some(" a b ".into()));
    assert_eq!(sent("a\tb"), Some("a\tb".into()));
    assert_eq!(sent("a\u{1}b"), None);
    assert_eq!(sent("a\u{7f}b"), None);
}

#[test]
fn rc_09_signals_carry_the_cursor_that_no_header_can() {
    let mut config = config("http://a.example/x?topic=t&gap=0");
    config.signals = true;
    let request = first(config.clone(), "a\u{1}b");
    assert_eq!(
        request.url().query(),
        Some("topic=t&gap=0&heartbeat=1&live=1&lastEventId=a%01b")
    );
    let request = first(config, "7");
    assert_eq!(
        request.url().query(),
        Some("topic=t&gap=0&heartbeat=1&live=1")
    );
}

#[test]
fn rc_18_secrets_are_left_out_of_a_route_that_lost_them() {
    let mut config = config("http://a.example/x");
    for name in ["authorization", "cookie", "x-api-key", "x-other"] {
        config.headers.insert(name, HeaderValue::from_static("v"));
    }
    config
        .secret_headers
        .push(HeaderName::from_static("x-api-key"));
    let mut route = first_route(&reqwest::Client::new(), &mut config).unwrap();
    route.secrets = false;
    let made = HeaderMap::from_iter([(
        HeaderName::from_static("x-made"),
        HeaderValue::from_static("v"),
    )]);
    let request = request(&config, &route, &made, &EventId::parse("7").unwrap());
    for name in ["authorization", "cookie", "x-api-key", "x-made"] {
        assert!(!request.headers().contains_key(name), "{name}");
    }
    assert!(request.headers().contains_key("x-other"));
    assert_eq!(field(&request, LAST_EVENT_ID), Some(&b"7"[..]), "it stays");
    assert!(config.headers.contains_key(COOKIE), "for the original URL");
}

#[test]
fn srv_24_credentials_of_the_url_become_a_header() {
    let request = first(config("http://us%C3%A9r:p%40ss@a.example/x#f"), "");
    assert_eq!(request.url().as_str(), "http://a.example/x");
    let value = request.headers().get(AUTHORIZATION).unwrap();
    assert_eq!(value, "Basic dXPDqXI6cEBzcw==");
    assert!(value.is_sensitive());
}

#[test]
fn urls_and_methods_that_cannot_be_used() {
    let client = reqwest::Client::new();
    for url in ["ftp://a.example/", "data:,x", "file:///x"] {
        let refused = first_route(&client, &mut config(url));
        assert!(matches!(refused, Err(InvalidConfig::Url)), "{url}");
    }
    let mut tunnel = config("http://a.example/");
    tunnel.method = Method::CONNECT;
    let refused = first_route(&client, &mut tunnel);
    assert!(matches!(refused, Err(InvalidConfig::Method)));
}
