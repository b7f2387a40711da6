use super::{Address, InvalidAddress, Login};
use crate::config::Ack;

fn parse(text: &str) -> Address {
    text.parse().unwrap()
}

#[test]
fn an_address_says_all_of_it() {
    let address = parse(
        "tls://me:s%40cret@a.example:4223,[::1]?hub=news&replicas=3&ack=relaxed&ca=/etc/ca.pem\
         &monitor=a.example",
    );
    assert!(address.tls);
    let (name, password) = ("me".to_owned(), "s@cret".to_owned());
    assert!(address.login == Login::User { name, password });
    assert_eq!(address.servers, ["a.example:4223", "[::1]:4222"]);
    assert_eq!(address.monitors, ["a.example:8222"]);
    assert_eq!((&*address.hub, address.replicas), ("news", 3));
    assert_eq!(address.ack, Ack::Relaxed);
}

#[test]
fn the_secret_is_not_shown() {
    for text in ["nats://me:secret@localhost", "nats://secret@localhost"] {
        let address = parse(text);
        assert!(!format!("{address} {address:?}").contains("secret"));
    }
    let shown = parse("nats://me:secret@localhost").to_string();
    assert_eq!(
        shown,
        "nats://me:***@localhost:4222?hub=default&replicas=1&ack=synced"
    );
}

#[test]
fn other_texts_are_refused() {
    for (text, expected) in [
        ("http://localhost", InvalidAddress::Scheme),
        ("nats://", InvalidAddress::Server),
        ("nats://localhost:0", InvalidAddress::Server),
        ("nats://localhost,", InvalidAddress::Server),
        ("nats://localhost?hub=a.b", InvalidAddress::Hub),
        ("nats://localhost?replicas=6", InvalidAddress::Replicas),
        ("nats://localhost?ack=all", InvalidAddress::Ack),
        ("nats://a:%ff@localhost", InvalidAddress::Encoding),
    ] {
        assert_eq!(text.parse::<Address>(), Err(expected), "{text}");
    }
    let unknown = "nats://localhost?replica=3".parse::<Address>();
    assert!(matches!(unknown, Err(InvalidAddress::Setting { .. })));
}
