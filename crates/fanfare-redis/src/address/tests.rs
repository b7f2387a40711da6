use super::*;

#[test]
fn addresses_are_read_and_shown_without_the_password() {
    let check = |text: &str, shown: &str| {
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), shown);
        assert!(!format!("{address:?}").contains("hunter2"));
    };
    let defaults = "hub=main&ack=server&fence=run_id";
    check("redis://host", &format!("redis://host:6379?{defaults}"));
    check("valkey://host:1", &format!("redis://host:1?{defaults}"));
    check("redis://[::1]:7/", &format!("redis://[::1]:7?{defaults}"));
    check(
        "rediss://:hunter2@host/2?hub=a-b&ack=fsync&fence=replid&ca=/etc/ca.pem",
        "rediss://:[redacted]@host:6379/2?hub=a-b&ack=fsync&fence=replid&ca=/etc/ca.pem",
    );
    check(
        "redis://me:hunter2@host?ack=replicated",
        "redis://me:[redacted]@host:6379?hub=main&ack=replicated&fence=run_id",
    );
}

#[test]
fn passwords_are_decoded() {
    let address: Address = "redis://u%40x:p%2Fw%20@host".parse().unwrap();
    assert_eq!(address.user(), Some("u@x"));
    assert_eq!(address.password(), Some("p/w "));
    assert_eq!(address.place(), ("host", 6379));
    let address: Address = "redis://[::1]".parse().unwrap();
    assert_eq!(address.place(), ("::1", 6379));
}

#[test]
fn what_is_no_address_is_told_why() {
    for (text, expected) in [
        ("redis", InvalidAddress::Url),
        ("http://host", InvalidAddress::Scheme),
        ("redis://host/main", InvalidAddress::Database),
        ("redis://host?hub=", InvalidAddress::Hub),
        ("redis://host?hub=a{b}", InvalidAddress::Hub),
        ("redis://host?ack=maybe", InvalidAddress::Ack),
        ("redis://host?fence=none", InvalidAddress::Fence),
        ("redis://host?ca=file", InvalidAddress::AuthorityWithoutTls),
        ("redis://host?db=1", InvalidAddress::Option("db".to_owned())),
    ] {
        assert_eq!(text.parse::<Address>(), Err(expected), "{text}");
    }
}
