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
    check(
        "redis+sentinel://a,b:1,[::1]:2/mymaster",
        &format!("redis+sentinel://a:26379,b:1,[::1]:2/mymaster?{defaults}"),
    );
    check(
        "valkeys+sentinel://me:hunter2@a,b/one%2Ftwo/3?ca=/etc/ca.pem",
        &format!(
            "rediss+sentinel://me:[redacted]@a:26379,b:26379/one%2Ftwo/3?{defaults}&ca=/etc/ca.pem"
        ),
    );
}

#[test]
fn sentinels_are_places_and_their_primary_has_a_name() {
    let address: Address = "redis+sentinel://u:a%40,b@one,[::1]:7/my/2"
        .parse()
        .unwrap();
    let places: Vec<_> = address.places().iter().map(Place::to_string).collect();
    assert_eq!(places, ["one:26379", "[::1]:7"]);
    assert_eq!(address.places()[1].host, "::1");
    assert_eq!(address.primary(), Some("my"));
    assert_eq!(address.database(), 2);
    assert_eq!(address.password(), Some("a@,b"));
    assert_eq!(address.server(), "my of the sentinels one:26379,[::1]:7");
    let address: Address = "redis://one".parse().unwrap();
    assert_eq!(address.primary(), None);
}

#[test]
fn passwords_are_decoded() {
    let address: Address = "redis://u%40x:p%2Fw%20@host".parse().unwrap();
    assert_eq!(address.user(), Some("u@x"));
    assert_eq!(address.password(), Some("p/w "));
    let check = |address: &Address, host: &str| {
        let (host, port) = (host.to_owned(), 6379);
        assert_eq!(address.places(), [Place { host, port }]);
    };
    check(&address, "host");
    check(&"redis://[::1]".parse().unwrap(), "::1");
}

#[test]
fn what_is_no_address_is_told_why() {
    for (text, expected) in [
        ("redis", InvalidAddress::Url),
        ("http://host", InvalidAddress::Scheme),
        ("redis://host/main", InvalidAddress::Database),
        ("redis://a,b:1", InvalidAddress::Url),
        ("redis+sentinel://", InvalidAddress::Url),
        ("redis+sentinel://a,,b/m", InvalidAddress::Url),
        ("redis+sentinel://a,b", InvalidAddress::Primary),
        ("redis+sentinel://a,b/?hub=x", InvalidAddress::Primary),
        ("redis+sentinel://a,b/m/x", InvalidAddress::Database),
        ("nats+sentinel://a,b/m", InvalidAddress::Scheme),
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
