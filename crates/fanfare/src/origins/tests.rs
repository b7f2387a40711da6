use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;

use super::{InvalidOrigin, OriginPattern, Origins};

fn origins(list: &[&str]) -> Origins {
    let patterns = list
        .iter()
        .map(|text| text.parse().expect("a valid origin"));
    Origins::new(patterns.collect())
}

#[test]
fn d0_c6_what_is_an_origin() {
    let check = |text: &str, expected: Result<&str, InvalidOrigin>| {
        let parsed = text
            .parse::<OriginPattern>()
            .map(|pattern| pattern.to_string());
        assert_eq!(parsed, expected.map(str::to_owned), "{text:?}");
    };
    check("*", Ok("*"));
    check("null", Ok("null"));
    check("https://example.com", Ok("https://example.com"));
    check("https://example.com:8443", Ok("https://example.com:8443"));
    check("HTTPS://Example.COM", Ok("https://example.com"));
    check("https://example.com:443", Ok("https://example.com"));
    check(
        "https://bücher.example",
        Ok("https://xn--bcher-kva.example"),
    );
    check("http://[::1]:3000", Ok("http://[::1]:3000"));
    check("https://*.example.com", Ok("https://*.example.com"));
    check("http://localhost:*", Ok("http://localhost:*"));
    check("capacitor://localhost", Ok("capacitor://localhost"));

    check("", Err(InvalidOrigin::NotAbsolute));
    check("example.com", Err(InvalidOrigin::NotAbsolute));
    check("https://", Err(InvalidOrigin::NotAbsolute));
    check("https://example.com:port", Err(InvalidOrigin::NotAbsolute));
    check("*://example.com", Err(InvalidOrigin::NotAbsolute));
    check("https://example.com/", Err(InvalidOrigin::MoreThanOrigin));
    check(
        "https://example.com/path",
        Err(InvalidOrigin::MoreThanOrigin),
    );
    check("https://example.com?a", Err(InvalidOrigin::MoreThanOrigin));
    check("https://example.com#a", Err(InvalidOrigin::MoreThanOrigin));
    check("https://me@example.com", Err(InvalidOrigin::MoreThanOrigin));
    check("https://exa mple.com", Err(InvalidOrigin::MoreThanOrigin));
    check("https://*.*.example.com", Err(InvalidOrigin::Wildcards));
}

#[test]
fn s9_only_the_same_origin_matches() {
    let list = origins(&["https://example.com", "http://localhost:3000"]);
    assert!(list.matches("https://example.com"));
    assert!(list.matches("http://localhost:3000"));
    for stranger in [
        "https://evilexample.com",
        "https://example.com.evil",
        "https://example.com:8443",
        "http://example.com",
        "http://localhost",
        "null",
        "",
    ] {
        assert!(!list.matches(stranger), "{stranger}");
    }
}

#[test]
fn d0_c7_wildcard_is_prefix_and_suffix() {
    let list = origins(&["https://*.example.com"]);
    assert!(list.matches("https://app.example.com"));
    assert!(list.matches("https://a.b.example.com"));
    assert!(list.matches("HTTPS://App.Example.Com"));
    assert!(!list.matches("https://example.com"));
    assert!(!list.matches("https://app.example.com.evil"));
    assert!(!list.matches("https://evil/.example.com"));
    // Prefix and suffix may not share the characters in the middle.
    assert!(!origins(&["https://aba*aba.com"]).matches("https://aba.com"));
}

/// Browsers leave the default port away and write every host in ASCII; an entry that did otherwise
/// was taken, and matched nobody.
#[test]
fn d0_c7_wildcard_is_compared_with_what_browsers_send() {
    let list = origins(&["https://*.bücher.example", "https://*.example.com:443"]);
    assert!(list.matches("https://app.xn--bcher-kva.example"));
    assert!(list.matches("https://app.example.com"));
    assert!(!list.matches("https://app.example.com:8443"));
    assert!(origins(&["http://10.0.0.*:3000"]).matches("http://10.0.0.7:3000"));
    assert!(origins(&["http://*:3000"]).matches("http://10.0.0.7:3000"));
    let mixed = "https://bücher-*.example".parse::<OriginPattern>();
    assert_eq!(mixed, Err(InvalidOrigin::BeforeWildcard));
}

#[test]
fn d0_c5_star_is_every_origin() {
    let list = origins(&["*"]);
    assert!(list.any());
    assert!(list.matches("https://anything.example"));
    assert!(!origins(&["https://*"]).any());
}

#[test]
fn d0_c1_empty_list_matches_nothing() {
    assert!(Origins::default().is_empty());
    assert!(!Origins::default().matches("https://example.com"));
}

#[test]
fn s9_null_only_when_listed() {
    assert!(origins(&["null"]).matches("null"));
    assert!(!origins(&["https://*"]).matches("null"));
}

/// The origin of a page, and a text that an operator may write for it.
fn origin() -> impl Strategy<Value = String> {
    let scheme = select(vec!["https", "http", "HTTPS", "capacitor"]);
    let label = select(vec![
        "a",
        "B",
        "xn--bcher-kva",
        "bücher",
        "evil",
        "example",
        "1",
    ]);
    let addresses = vec!["localhost", "[::1]", "127.0.0.1", "[2001:DB8::0]"];
    let host = prop_oneof![
        4 => vec(label, 1..4).prop_map(|labels| labels.join(".") + ".com"),
        1 => select(addresses).prop_map(str::to_owned),
    ];
    let port = select(vec!["", "", ":80", ":443", ":3000", ":08443"]);
    (scheme, host, port).prop_map(|(scheme, host, port)| format!("{scheme}://{host}{port}"))
}

/// As a browser writes it (HTML §7.1.1); of a scheme that it does not know, as the app does.
fn sent(origin: &str) -> String {
    let origin_of = Url::parse(origin).unwrap().origin();
    match origin_of.is_tuple() {
        true => origin_of.ascii_serialization(),
        false => origin.to_ascii_lowercase(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn s9_an_origin_matches_itself_and_nothing_else(one in origin(), other in origin()) {
        let list = origins(&[&one]);
        prop_assert!(list.matches(&sent(&one)), "{}", sent(&one));
        prop_assert_eq!(list.matches(&sent(&other)), sent(&one) == sent(&other));
    }

    /// `https://*.…` takes every label there, as a browser would send it, and no other site.
    #[test]
    fn d0_c7_a_wildcard_takes_labels_alone(one in origin(), other in origin()) {
        let (scheme, rest) = one.split_once("://").unwrap();
        prop_assume!(!rest.starts_with('[') && !rest.starts_with("127"));
        let list = origins(&[&format!("{scheme}://*.{rest}")]);
        for label in ["app", "a.b"] {
            let below = sent(&format!("{scheme}://{label}.{rest}"));
            prop_assert!(list.matches(&below), "{}", below);
        }
        prop_assert!(!list.matches(&sent(&one)));
        let (one, other) = (sent(&one), sent(&other));
        let below = other.starts_with(&format!("{}://", scheme.to_ascii_lowercase()))
            && other.ends_with(&format!(".{}", one.split_once("://").unwrap().1));
        prop_assert_eq!(list.matches(&other), below, "{} {}", one, other);
    }

    /// What an operator is shown is what was understood.
    #[test]
    fn d0_c6_every_text_is_judged_and_reads_again_as_it_is_shown(
        text in prop_oneof![any::<String>(), "(https?://)?[a-z*.:@/?#\\\\\\[\\]0-9é -]{0,16}"],
        origin in any::<String>(),
    ) {
        if let Ok(pattern) = text.parse::<OriginPattern>() {
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern.clone()), "{}", pattern);
            _ = Origins::new(vec![pattern]).matches(&origin);
        }
    }
}
