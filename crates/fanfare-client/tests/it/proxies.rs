//! RC-31, CX-23: a proxy between.

use fanfare_client::error::Cause;
use fanfare_client::item::End;
use fanfare_client::network::Proxy;
use fanfare_client::{Client, EventSource, Network};
use http::HeaderValue;
use tokio::join;

use crate::peer::{Peer, config, ended, event, lost};

/// A source of `url` whose way out is `proxy`, with credentials for both.
fn source(proxy: &Peer, url: &str) -> EventSource {
    let mut network = Network::default();
    let via = format!("http://user:pass@{}", proxy.address);
    network.proxy = Proxy::Via(via.parse().unwrap());
    let mut config = config(url);
    config
        .headers
        .insert("authorization", HeaderValue::from_static("secret"));
    Client::new(&network).unwrap().event_source(config).unwrap()
}

const CREDENTIALS: Option<&str> = Some("Basic dXNlcjpwYXNz");

#[tokio::test]
async fn cx_23_http_goes_in_absolute_form() {
    let proxy = Peer::listen().await;
    let mut source = source(&proxy, "http://hub.example/stream?x");
    let (event, request) = join!(event(&mut source), proxy.stream("data: a\n\n"));
    assert_eq!(event.data, "a");
    assert_eq!(request.line(), "GET http://hub.example/stream?x");
    assert_eq!(request.field("proxy-authorization"), CREDENTIALS);
}

#[tokio::test]
async fn cx_23_https_goes_through_a_tunnel() {
    let proxy = Peer::listen().await;
    let mut source = source(&proxy, "https://hub.example/stream");
    let refusal = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    let ((cause, _), request) = join!(lost(&mut source), proxy.answer(refusal));
    assert!(matches!(cause, Cause::Unreachable(_)), "{cause:?}");
    assert_eq!(request.line(), "CONNECT hub.example:443");
    assert_eq!(request.field("proxy-authorization"), CREDENTIALS);
    assert_eq!(
        request.field("authorization"),
        None,
        "it is not the proxy's"
    );
}

#[tokio::test]
async fn cx_23_407_is_final() {
    for url in ["http://hub.example/", "https://hub.example/"] {
        let proxy = Peer::listen().await;
        let mut source = source(&proxy, url);
        let refusal = "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n";
        let (end, _) = join!(ended(&mut source), proxy.answer(refusal));
        assert!(
            matches!(end, End::Failed(Cause::ProxyCredentials)),
            "{url}: {end:?}"
        );
    }
}

#[tokio::test]
async fn cx_23_a_proxy_that_is_gone_is_waited_out() {
    let proxy = Peer::listen().await;
    let mut source = source(&proxy, "http://hub.example/");
    drop(proxy);
    let (cause, _) = lost(&mut source).await;
    assert!(matches!(cause, Cause::Unreachable(_)), "{cause:?}");
}
