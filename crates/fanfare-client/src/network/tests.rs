use super::{HttpVersion, Network, Proxy};
use crate::error::InvalidConfig;

#[test]
fn certificates_that_are_none_are_refused() {
    let mut network = Network::default();
    network.tls.roots = vec!["no PEM".to_owned()];
    assert!(matches!(
        network.connect(),
        Err(InvalidConfig::Certificate(_))
    ));

    let mut network = Network::default();
    network.tls.identity = Some("no PEM".to_owned());
    assert!(matches!(
        network.connect(),
        Err(InvalidConfig::Certificate(_))
    ));
}

#[test]
fn a_proxy_is_an_http_server() {
    let via = |url: &str| Network {
        proxy: Proxy::Via(url.parse().unwrap()),
        ..Network::default()
    };
    let refused = via("ftp://proxy.example").connect();
    assert!(matches!(refused, Err(InvalidConfig::Proxy(_))));
    let accepted = via("http://user:pass@proxy.example:3128").connect();
    assert!(accepted.is_ok());
}

#[test]
fn every_version_can_be_asked_for() {
    for http in [
        HttpVersion::Auto,
        HttpVersion::Http1,
        HttpVersion::Http2PriorKnowledge,
    ] {
        let network = Network {
            http,
            ..Network::default()
        };
        assert!(network.connect().is_ok(), "{http:?}");
    }
}

#[test]
fn rc_32_debug_hides_the_key() {
    let mut network = Network::default();
    network.tls.identity = Some("hunter2".to_owned());
    network.proxy = Proxy::Via("http://user:hunter2@proxy.example".parse().unwrap());
    let text = format!("{network:?}");
    assert!(!text.contains("hunter2"), "{text}");
}
