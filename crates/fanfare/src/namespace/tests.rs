const HUB: &str = "/.well-known/mercure";

fn is_reserved(topic: &str) -> bool {
    super::is_reserved(HUB, topic)
}

#[test]
fn d1_p9_reserved_topics() {
    for topic in [
        "https://any.host/.well-known/mercure/x",
        "/.well-known/mercure",
        "mercure/subscriptions/foo",
        "./mercure/x",
        "mercure",
        "https://e.com/.well-known/%6Dercure/x",
        "https://e.com\\.well-known\\mercure\\x",
        "https://e.com/.well-known/mercure/../mercure/x",
        "https://e.com/.well-known/%2e/mercure/x",
        "foo:/.well-known/mercure/x",
        "//h/.well-known/mercure",
        "",
        "?x=1",
        "#f",
    ] {
        assert!(is_reserved(topic), "{topic:?}");
    }
}

#[test]
fn d1_p9_free_topics() {
    for topic in [
        "https://example.com/foo/.well-known/mercure/bar",
        "https://example.com/.well-known/mercureXXX",
        "subscriptions/foo",
        "bar",
        "a topic with spaces",
        "urn:example:mercure",
        "../mercure/x",
        "https://e.com/.well-known/mercure%2Fx",
        "http://[bad",
        "https://example.com/?next=/.well-known/mercure",
        "100%",
        "%6",
        "%é",
    ] {
        assert!(!is_reserved(topic), "{topic:?}");
    }
}
