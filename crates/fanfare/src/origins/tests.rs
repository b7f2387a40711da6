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
