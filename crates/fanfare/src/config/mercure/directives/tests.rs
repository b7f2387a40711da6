use super::{NAMES, translate, transport_url};
use crate::config::environment::Environment;
use crate::config::loaded::{InvalidSetting, Source};
use crate::config::mercure::caddyfile::parse;
use crate::config::mercure::translation::Translation;

fn translated(text: &str) -> Result<Translation, InvalidSetting> {
    let directives = parse(text, &Environment::default())?;
    let mut translation = Translation::default();
    translate(&directives, &mut translation)?;
    Ok(translation)
}

/// `text` gives these settings, and so many warnings.
#[track_caller]
fn check(text: &str, settings: &[(&str, &[&str])], warnings: usize) {
    let translation = translated(text).expect(text);
    let given: Vec<(&str, Vec<&str>)> = translation
        .assignments
        .iter()
        .map(|it| {
            (
                it.key.as_str(),
                it.values.iter().map(String::as_str).collect(),
            )
        })
        .collect();
    let expected: Vec<_> = settings
        .iter()
        .map(|(key, values)| (*key, values.to_vec()))
        .collect();
    assert_eq!(given, expected, "{text:?}");
    let count = translation.warnings.len();
    assert_eq!(count, warnings, "{text:?}: {:?}", translation.warnings);
}

#[test]
fn cf_01_unknown_directive_names_its_line_and_the_nearest() {
    let refused = translated("anonymous\nhartbeat 15s").expect_err("a misspelt one");
    let InvalidSetting::UnknownDirective {
        place,
        name,
        nearest,
    } = refused
    else {
        panic!("{refused}");
    };
    assert_eq!(place, Source::Directive { line: 2 });
    assert_eq!((name.as_str(), nearest.as_str()), ("hartbeat", "heartbeat"));
    let inside = translated("transport bolt {\n\tsise 5\n}").expect_err("a misspelt one");
    assert!(
        matches!(inside, InvalidSetting::UnknownDirective { nearest, .. } if nearest == "size")
    );
    // A key without its quotes must not reach the log as the name of a directive.
    let key = translated("publisher_jwt \"x\"\nMCowBQYDK2VwAyEA").expect_err("no directive");
    assert!(!key.to_string().contains("MCow"), "{key}");
}

#[test]
fn cf_01_every_known_directive_is_known() {
    for name in NAMES {
        if let Err(refused) = translated(name) {
            assert!(
                matches!(refused, InvalidSetting::Directive { .. }),
                "{name}: {refused}"
            );
        }
    }
}

#[test]
fn cf_02_keys_come_with_their_algorithm() {
    check(
        "publisher_jwt \"a key\" RS256\nsubscriber_jwt k",
        &[
            ("publisher-jwt-key", &["a key"]),
            ("publisher-jwt-alg", &["RS256"]),
            ("subscriber-jwt-key", &["k"]),
            ("subscriber-jwt-alg", &["HS256"]),
        ],
        0,
    );
    check(
        "publisher_jwt k {env.NONE}",
        &[
            ("publisher-jwt-key", &["k"]),
            ("publisher-jwt-alg", &["HS256"]),
        ],
        0,
    );
    assert!(translated("publisher_jwt").is_err());
    let refused = translated("publisher_jwt secret HS256 more").expect_err("too many");
    assert!(!refused.to_string().contains("secret"), "{refused}");
}

#[test]
fn cf_03_key_sets() {
    check(
        "publisher_jwks_url https://a.example/p\nsubscriber_jwks_url file:///s.json",
        &[
            ("publisher-jwks-url", &["https://a.example/p"]),
            ("subscriber-jwks-url", &["file:///s.json"]),
        ],
        0,
    );
}

#[test]
fn cf_04_issuers() {
    check(
        "issuer https://a.example {\nauthorization_server\npublisher {\njwt k\n}\nsubscriber {\n\
         jwks_uri https://a.example/jwks ES256 RS256\n}\n}\n\
         issuer https://b.example {\npublisher {\njwks_uri https://b.example/jwks\n}\n}",
        &[
            ("issuer", &["https://a.example", "https://b.example"]),
            ("authorization-server", &["https://a.example"]),
            ("issuer-publisher-key", &["k", "-"]),
            ("issuer-publisher-alg", &["-", "-"]),
            (
                "issuer-publisher-jwks-url",
                &["-", "https://b.example/jwks"],
            ),
            ("issuer-subscriber-key", &["-", "-"]),
            ("issuer-subscriber-alg", &["ES256 RS256", "-"]),
            (
                "issuer-subscriber-jwks-url",
                &["https://a.example/jwks", "-"],
            ),
        ],
        0,
    );
    for bad in [
        "issuer",
        "issuer a {\npublisher\n}",
        "issuer a {\npublisher {\njwt\n}\n}",
        "issuer a {\npublisher {\njwt k\njwt l\n}\n}",
        "issuer a {\npublisher k {\njwt k\n}\n}",
        "issuer a {\npublisher {\njwks_uri\n}\n}",
        "issuer a {\npublisher {\njwk k\n}\n}",
        "issuer a {\nserver\n}",
    ] {
        assert!(translated(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn cf_05_resource_identifier() {
    check(
        "resource_identifier https://hub.example/x",
        &[("resource-identifier", &["https://hub.example/x"])],
        0,
    );
}

#[test]
fn cf_06_public_urls() {
    check(
        "public_urls https://a.example https://b.example",
        &[("public-url", &["https://a.example", "https://b.example"])],
        0,
    );
}

#[test]
fn cf_07_anonymous() {
    check("anonymous", &[("anonymous", &["true"])], 0);
    assert!(translated("anonymous false").is_err());
}

#[test]
fn cf_08_subscriptions() {
    check("subscriptions", &[("subscriptions", &["true"])], 0);
}

#[test]
fn cf_09_heartbeat() {
    check("heartbeat 1m0s", &[("heartbeat", &["1m0s"])], 0);
}

#[test]
fn cf_10_write_timeout() {
    check("write_timeout 0s", &[("lifetime-max", &["0s"])], 0);
}

#[test]
fn cf_11_dispatch_timeout() {
    check("dispatch_timeout 5s", &[("stall-timeout", &["5s"])], 0);
    check("dispatch_timeout 0s", &[("stall-timeout", &["1d"])], 1);
}

#[test]
fn cf_12_origins() {
    check(
        "cors_origins https://a.example https://*.b.example\npublish_origins *\ncors_origins null",
        &[
            (
                "cors-origin",
                &["https://a.example", "https://*.b.example", "null"],
            ),
            ("publish-origin", &["*"]),
        ],
        0,
    );
    assert!(translated("cors_origins").is_err());
}

#[test]
fn cf_13_cookie_name_is_for_both_generations() {
    check(
        "cookie_name hub",
        &[("cookie-name", &["hub"]), ("access-cookie-name", &["hub"])],
        0,
    );
}

#[test]
fn cf_14_compatibility_needs_no_switch() {
    check("protocol_version_compatibility 8", &[], 0);
    check("protocol_version_compatibility 7", &[], 1);
}

#[test]
fn cf_15_bolt_is_kept_beside_the_old_database() {
    check(
        "transport bolt {\npath /data/mercure.db\nsize 5000\ncleanup_frequency 0.3\n}",
        &[
            ("broker", &["sqlite:/data/fanfare-data"]),
            ("history-count-max", &["5000"]),
        ],
        1,
    );
    let here = ("broker", &["sqlite:fanfare-data"] as &[&str]);
    check("transport bolt {\nsize 0\n}", &[here], 1);
    check("transport bolt", &[here], 1);
    assert!(translated("transport redis").is_err());
}

#[test]
fn cf_16_local_is_the_memory() {
    check("transport local", &[("broker", &["memory"])], 0);
}

#[test]
fn cf_17_transport_urls() {
    check(
        "transport_url bolt:///data/mercure.db?size=7&cleanup_frequency=0.5",
        &[
            ("broker", &["sqlite:/data/fanfare-data"]),
            ("history-count-max", &["7"]),
        ],
        1,
    );
    let here = ("broker", &["sqlite:fanfare-data"] as &[&str]);
    check("transport_url bolt://mercure.db", &[here], 1);
    let inside = ("broker", &["sqlite:data/fanfare-data"] as &[&str]);
    check("transport_url bolt://data/mercure.db", &[inside], 1);
    check("transport_url local://local", &[("broker", &["memory"])], 0);
    let source = Source::Variable("MERCURE_TRANSPORT_URL".to_owned());
    for bad in ["redis://user:secret@host", "mercure.db", "bolt"] {
        let refused = transport_url(bad, &source, &mut Translation::default());
        let refused = refused.expect_err(bad).to_string();
        assert!(refused.starts_with("MERCURE_TRANSPORT_URL: "), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
}

#[test]
fn cf_18_cf_19_caches_are_not_needed() {
    check(
        "topic_selector_cache 100\ntopic_matcher_cache -1\nsubscriber_list_cache_size 0",
        &[],
        0,
    );
}

#[test]
fn cf_20_body_size() {
    check(
        "max_request_body_size 2MiB",
        &[("body-bytes-max", &["2097152"])],
        0,
    );
    check(
        "max_request_body_size 10MB",
        &[("body-bytes-max", &["10000000"])],
        0,
    );
    check(
        "max_request_body_size 4096",
        &[("body-bytes-max", &["4096"])],
        0,
    );
    check(
        "max_request_body_size 0",
        &[("body-bytes-max", &["64MiB"])],
        1,
    );
    // What is no size is for the setting to refuse.
    check("max_request_body_size x", &[("body-bytes-max", &["x"])], 0);
}

#[test]
fn cf_21_name_is_let_pass() {
    check("name second", &[], 0);
}

#[test]
fn cf_22_pages_of_the_old_hub_are_said_to_be_missing() {
    for page in ["ui", "demo", "debugger", "playground"] {
        check(page, &[], 1);
    }
}

#[test]
fn later_directives_win() {
    check("heartbeat 1s\nheartbeat 2s", &[("heartbeat", &["2s"])], 0);
}
