use super::*;

#[test]
fn brokers_are_read_as_they_are_shown() {
    for text in [
        "memory",
        "sqlite:data",
        "sqlite:/var/lib/fanfare",
        "sqlite:a:b",
        "redis://127.0.0.1:6379?hub=main&ack=server&fence=run_id",
        "redis+sentinel://a:26379,b:1/mymaster?hub=main&ack=server&fence=run_id",
    ] {
        assert_eq!(text.parse::<BrokerAddress>().unwrap().to_string(), text);
    }
    let default = "sqlite".parse::<BrokerAddress>().unwrap().to_string();
    assert_eq!(default, "sqlite:fanfare-data");
    for bad in ["", "redis", "kafka:data", "memory:", "SQLITE:data"] {
        assert_eq!(
            bad.parse::<BrokerAddress>(),
            Err(InvalidBroker::Unknown),
            "{bad}"
        );
    }
    let nats = "nats://me:secret@a.example?hub=news&replicas=3";
    let shown = nats.parse::<BrokerAddress>().unwrap().to_string();
    assert_eq!(
        shown,
        "nats://me:***@a.example:4222?hub=news&replicas=3&ack=synced"
    );
    let bad = "nats://a.example?replica=3".parse::<BrokerAddress>();
    assert!(matches!(bad, Err(InvalidBroker::Nats(_))));
    let secret: BrokerAddress = "rediss://:hunter2@host/3?ack=fsync".parse().unwrap();
    let expected = "rediss://:[redacted]@host:6379/3?hub=main&ack=fsync&fence=run_id";
    assert_eq!(secret.to_string(), expected);
    let nowhere = "sqlite:".parse::<BrokerAddress>();
    assert_eq!(nowhere, Err(InvalidBroker::NoDirectory));
}

#[test]
fn an_address_is_shown_without_its_secret() {
    let check = |typed: &str, shown: &str| assert_eq!(without_secret(typed), shown);
    check("sqlite:a@b", "sqlite:a@b");
    check("nats://a.example?hub=x", "nats://a.example?hub=x");
    check(
        "nats://me:s:e@c@a.example",
        "nats://me:[redacted]@a.example",
    );
    check("tls://token@a.example", "tls://[redacted]@a.example");
}

#[test]
fn w10_durabilities_are_read_as_they_are_shown() {
    let check = |text: &str, shown: &str| {
        assert_eq!(text.parse::<Durability>().unwrap().to_string(), shown);
    };
    check("always", "always");
    check("never", "never");
    check("interval", "interval:100ms");
    check("interval:250", "interval:250ms");
    check("interval:2s", "interval:2s");
    for bad in [
        "",
        "sometimes",
        "interval:",
        "interval:0",
        "interval:soon",
        "always:1s",
    ] {
        assert_eq!(bad.parse::<Durability>(), Err(InvalidDurability), "{bad}");
    }
}
