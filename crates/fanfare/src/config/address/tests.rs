use super::{KeySetUrl, absolute_url, hub_path, public_url, web_url};

#[test]
fn d1_g4_hub_paths_are_plain() {
    for good in [
        "/.well-known/mercure",
        "/hub",
        "/a/b-c_d~e.f",
        "/events/hub",
        "/admin",
    ] {
        assert_eq!(hub_path(good).as_deref(), Ok(good));
    }
    for bad in [
        "",
        "/",
        "hub",
        "/hub/",
        "//hub",
        "/a/../b",
        "/a/./b",
        "/a b",
        "/a?b",
        "/a#b",
        "/a%2Fb",
        "/été",
        "/events",
        "/metrics",
        "/admin/revoke",
        "/admin/status",
        "/dashboard/hub.js",
        "/fanfare.js",
        "/mercure/health/live",
    ] {
        assert!(hub_path(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn cf_06_public_urls_are_scheme_host_and_port() {
    for good in [
        "https://hub.example",
        "http://127.0.0.1:3000",
        "https://hub.example/",
    ] {
        assert!(public_url(good).is_ok(), "{good:?}");
    }
    for bad in [
        "hub.example",
        "ftp://hub.example",
        "https://hub.example/path",
        "https://hub.example?a",
        "https://hub.example#a",
        "https://user@hub.example",
        "",
    ] {
        assert!(public_url(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn cf_05_identifiers_stay_as_they_are_typed() {
    // `Url` would write the first with a slash; a token's `aud` is compared byte for byte.
    for good in [
        "https://hub.example",
        "https://hub.example/.well-known/mercure",
        "urn:hub",
    ] {
        assert_eq!(absolute_url(good).as_deref(), Ok(good));
    }
    for bad in ["hub", "/hub", "https://hub.example/#a", ""] {
        assert!(absolute_url(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn cf_03_key_sets_are_fetched_or_read() {
    for good in [
        "https://a.example/jwks",
        "http://127.0.0.1:1/jwks",
        "file:///jwks.json",
    ] {
        assert!(good.parse::<KeySetUrl>().is_ok(), "{good:?}");
    }
    for bad in ["ftp://a.example/jwks", "data:,{}", "/jwks.json", ""] {
        assert!(bad.parse::<KeySetUrl>().is_err(), "{bad:?}");
    }
    assert!(web_url("https://hook.example/a?b").is_ok());
    assert!(web_url("file:///hook").is_err());
}
