use super::{implied_issuer, translate};
use crate::config::environment::Environment;
use crate::config::loaded::{Assignment, Source};

/// The settings that `variables` give, and the warnings.
fn given<const N: usize>(
    variables: [(&str, &str); N],
) -> (Vec<(String, String, String)>, Vec<String>) {
    let translation = translate(&Environment::from(variables)).expect("right variables");
    let row = |it: Assignment| (it.key, it.values.join(","), it.source.to_string());
    let rows = translation.assignments.into_iter().map(row).collect();
    (rows, translation.warnings)
}

#[track_caller]
fn check<const N: usize>(variables: [(&str, &str); N], expected: &[(&str, &str, &str)]) {
    let (rows, _) = given(variables);
    let rows: Vec<_> = rows
        .iter()
        .map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()))
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn cf_23_variables_of_the_image() {
    check(
        [
            ("MERCURE_PUBLISHER_JWT_KEY", "p"),
            ("MERCURE_PUBLISHER_JWT_ALG", "HS384"),
            ("MERCURE_SUBSCRIBER_JWT_KEY", "s"),
            ("MERCURE_SUBSCRIBER_JWT_ALG", "HS512"),
            (
                "MERCURE_TRUSTED_ISSUERS",
                "https://a.example https://b.example",
            ),
            ("MERCURE_TRANSPORT_URL", "bolt://m.db?size=9"),
        ],
        &[
            ("publisher-jwt-alg", "HS384", "MERCURE_PUBLISHER_JWT_ALG"),
            ("publisher-jwt-key", "p", "MERCURE_PUBLISHER_JWT_KEY"),
            ("subscriber-jwt-alg", "HS512", "MERCURE_SUBSCRIBER_JWT_ALG"),
            ("subscriber-jwt-key", "s", "MERCURE_SUBSCRIBER_JWT_KEY"),
            ("broker", "sqlite:fanfare-data", "MERCURE_TRANSPORT_URL"),
            ("history-count-max", "9", "MERCURE_TRANSPORT_URL"),
            (
                "issuer",
                "https://a.example,https://b.example",
                "MERCURE_TRUSTED_ISSUERS",
            ),
        ],
    );
}

#[test]
fn cf_23_directives_win_over_the_other_variables() {
    check(
        [
            ("MERCURE_PUBLISHER_JWT_KEY", "variable"),
            ("MERCURE_PUBLISHER_JWT_ALG", "HS512"),
            (
                "MERCURE_EXTRA_DIRECTIVES",
                "anonymous\npublisher_jwt {env.MINE}",
            ),
            ("MINE", "mine"),
        ],
        &[
            ("anonymous", "true", "MERCURE_EXTRA_DIRECTIVES, line 1"),
            (
                "publisher-jwt-key",
                "mine",
                "MERCURE_EXTRA_DIRECTIVES, line 2",
            ),
            (
                "publisher-jwt-alg",
                "HS256",
                "MERCURE_EXTRA_DIRECTIVES, line 2",
            ),
        ],
    );
}

#[test]
fn cf_23_server_name_counts_only_for_a_mercure_hub() {
    check([("SERVER_NAME", ":80")], &[]);
    check(
        [("SERVER_NAME", ":80"), ("MERCURE_PUBLISHER_JWT_KEY", "p")],
        &[
            ("publisher-jwt-key", "p", "MERCURE_PUBLISHER_JWT_KEY"),
            ("listen", "0.0.0.0:80", "SERVER_NAME"),
        ],
    );
    let (_, warnings) = given([("SERVER_NAME", ":80"), ("MERCURE_LICENSE", "x")]);
    assert_eq!(warnings.len(), 1, "only the licence: {warnings:?}");
    let (rows, warnings) = given([
        ("SERVER_NAME", "hub.example, hub.example:8443"),
        ("MERCURE_EXTRA_DIRECTIVES", "anonymous"),
    ]);
    assert_eq!(rows[0].1, "0.0.0.0:80");
    assert!(
        warnings[0].contains("speaks TLS only with FANFARE_TLS_CERT"),
        "{warnings:?}"
    );
    assert!(warnings[1].contains("several ports"), "{warnings:?}");
    let bad = Environment::from([("SERVER_NAME", ":x"), ("MERCURE_LICENSE", "x")]);
    assert!(translate(&bad).is_err());
}

#[test]
fn cf_23_what_cannot_be_honoured_is_said() {
    let (rows, warnings) = given([
        ("CADDY_EXTRA_CONFIG", "x"),
        ("CADDY_SERVER_EXTRA_DIRECTIVES", "x"),
        ("GLOBAL_OPTIONS", "x"),
        ("MERCURE_LICENSE", "secret"),
        ("MERCURE_URL", "https://hub.example"),
        ("MERCURE_EMPTY", ""),
    ]);
    assert_eq!(rows, []);
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    assert!(!format!("{warnings:?}").contains("secret"));
    // Without a Mercure hub's variables they are about another program.
    assert_eq!(given([("GLOBAL_OPTIONS", "x")]), (Vec::new(), Vec::new()));
}

#[test]
fn cf_23_issuer_of_the_image_is_the_default() {
    let layer = |key: &str, value: &str, source: Source| Assignment {
        key: key.to_owned(),
        values: vec![value.to_owned()],
        source,
    };
    let variable = |name: &str| Source::Variable(name.to_owned());
    let key = layer(
        "publisher-jwt-key",
        "k",
        variable("MERCURE_PUBLISHER_JWT_KEY"),
    );
    let implied = implied_issuer(std::slice::from_ref(&key)).expect("an issuer");
    assert_eq!(
        (implied.key.as_str(), implied.values.join(",").as_str()),
        ("issuer", "https://localhost")
    );
    let old = layer("dialect", "d0", Source::Flag);
    assert!(implied_issuer(&[key.clone(), old]).is_none());
    let named = layer("issuer", "https://a.example", Source::Flag);
    assert!(implied_issuer(&[key, named]).is_none());
    let ours = layer(
        "publisher-jwt-key",
        "k",
        variable("FANFARE_PUBLISHER_JWT_KEY"),
    );
    assert!(implied_issuer(&[ours]).is_none());
}
