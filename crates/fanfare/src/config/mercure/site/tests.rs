use super::Site;

#[test]
fn cf_23_site_addresses_give_a_port() {
    let check = |text: &str, port: u16, tls: bool| {
        assert_eq!(Site::parse(text), Some(Site { port, tls }), "{text:?}");
    };
    check(":80", 80, false);
    check(":3000", 3000, false);
    check(":", 80, false);
    check("http://hub.example", 80, false);
    check("http://hub.example:8080/", 8080, false);
    check("http://", 80, false);
    check("hub.example:80", 80, false);
    check("[::1]:8080", 8080, true);
    check("[::1]", 80, true);
    check("localhost", 80, true);
    check("*.hub.example", 80, true);
    check("hub.example:8443", 8443, true);
    check(":443", 80, true);
    check("https://hub.example", 80, true);
    for bad in [":http", "ftp://hub.example", ":99999", "hub.example:{port}"] {
        assert_eq!(Site::parse(bad), None, "{bad:?}");
    }
}
