use clap::FromArgMatches;

use super::{InvalidTrust, Keys, Trust};
use crate::config::{Settings, table};
use fanfare::auth::Algorithm;

/// Whatever stands in it: here nobody verifies with it.
const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n";
const URL: &str = "https://id.example/jwks.json";

fn trust(flags: &[&str]) -> Result<Trust, InvalidTrust> {
    let matches = table().try_get_matches_from(flags).expect("valid flags");
    let settings = Settings::from_arg_matches(&matches).expect("valid settings");
    Trust::new(&settings.access)
}

fn trusted(flags: &[&str]) -> Trust {
    trust(flags).expect("settings that fit together")
}

fn refused(flags: &[&str]) -> InvalidTrust {
    trust(flags).expect_err("settings that do not fit together")
}

fn one(key: &str, algorithm: &str) -> Option<Keys> {
    Some(Keys::One {
        key: key.parse().expect("a key"),
        algorithm: algorithm.parse().expect("an algorithm"),
    })
}

fn set(url: &str, algorithms: &[&str]) -> Option<Keys> {
    let named: Vec<Algorithm> = algorithms
        .iter()
        .map(|it| it.parse().expect("one"))
        .collect();
    Some(Keys::Set {
        url: url.parse().expect("a URL"),
        algorithms: (!named.is_empty()).then_some(named),
    })
}

#[test]
fn cf_02_key_is_for_hs256_or_for_what_is_said() {
    assert_eq!(
        trusted(&["--publisher-jwt-key=k"]).publisher,
        one("k", "HS256")
    );
    for algorithm in ["HS256", "HS384", "HS512"] {
        let said = format!("--subscriber-jwt-alg={algorithm}");
        let trust = trusted(&["--subscriber-jwt-key=k", &said]);
        assert_eq!(trust.subscriber, one("k", algorithm));
    }
    let pem = format!("--publisher-jwt-key={PEM}");
    for algorithm in ["RS256", "ES384", "PS512", "EdDSA"] {
        let said = format!("--publisher-jwt-alg={algorithm}");
        assert_eq!(trusted(&[&pem, &said]).publisher, one(PEM, algorithm));
    }
}

#[test]
fn cf_03_key_set_wins_over_the_key_and_its_algorithm() {
    let url = format!("--publisher-jwks-url={URL}");
    assert_eq!(trusted(&[&url]).publisher, set(URL, &[]));
    let both = trusted(&[&url, "--publisher-jwt-key=k", "--publisher-jwt-alg=HS256"]);
    assert_eq!(both.publisher, set(URL, &[]));
    let restricted = trusted(&[&url, "--publisher-jwt-alg=ES256 RS256"]);
    assert_eq!(restricted.publisher, set(URL, &["ES256", "RS256"]));
    let file = trusted(&["--subscriber-jwks-url=file:///etc/jwks.json"]);
    assert_eq!(file.subscriber, set("file:///etc/jwks.json", &[]));
}

#[test]
fn cf_04_pem_with_a_symmetric_algorithm_or_without_one_is_refused() {
    let pem = format!("--publisher-jwt-key={PEM}");
    let issuer_pem = format!("--issuer-publisher-key={PEM}");
    let as_secret = |refused: InvalidTrust, expected: &str| {
        let InvalidTrust::PemAsSecret { key, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!(key, expected);
    };
    as_secret(refused(&[&pem]), "publisher-jwt-key");
    as_secret(
        refused(&[&pem, "--publisher-jwt-alg=HS512"]),
        "publisher-jwt-key",
    );
    let issuer = ["--issuer=https://a.example", &issuer_pem];
    as_secret(refused(&issuer), "issuer-publisher-key");
    assert!(matches!(
        refused(&["--publisher-jwt-key=k", "--publisher-jwt-alg=RS256"]),
        InvalidTrust::NotPem { .. }
    ));
    assert!(matches!(
        refused(&["--publisher-jwt-key=k", "--publisher-jwt-alg=HS256 HS384"]),
        InvalidTrust::SeveralAlgorithms { .. }
    ));
    let url = format!("--publisher-jwks-url={URL}");
    assert!(matches!(
        refused(&[&url, "--publisher-jwt-alg=HS256"]),
        InvalidTrust::SecretInSet { .. }
    ));
}

#[test]
fn cf_04_issuers_have_the_common_keys_unless_they_have_their_own() {
    let keys = ["--publisher-jwt-key=p", "--subscriber-jwt-key=s"];
    let issuers = ["--issuer=https://a.example", "--issuer=https://b.example"];
    let both = [keys, issuers].concat();

    let trust = trusted(&both);
    assert_eq!(trust.publisher, one("p", "HS256"));
    for (issuer, id) in trust
        .issuers
        .iter()
        .zip(["https://a.example", "https://b.example"])
    {
        assert_eq!(issuer.id, id);
        assert_eq!(issuer.publisher, one("p", "HS256"));
        assert_eq!(issuer.subscriber, one("s", "HS256"));
        assert!(!issuer.authorization_server);
    }

    let trust = trusted(&[both.as_slice(), &["--issuer-publisher-key=own"]].concat());
    for issuer in &trust.issuers {
        assert_eq!(issuer.publisher, one("own", "HS256"));
        assert_eq!(issuer.subscriber, one("s", "HS256"));
    }

    let url = format!("--issuer-subscriber-jwks-url={URL}");
    let flags = [
        "--issuer-publisher-key=one",
        "--issuer-publisher-key=two",
        "--issuer-publisher-alg=HS384",
        "--issuer-subscriber-key=three",
        "--issuer-subscriber-key=-",
        "--issuer-subscriber-jwks-url=-",
        &url,
        "--authorization-server=https://b.example",
    ];
    let trust = trusted(&[both.as_slice(), &flags].concat());
    let [a, b] = trust.issuers.as_slice() else {
        panic!("{trust:?}");
    };
    assert_eq!(a.publisher, one("one", "HS384"));
    assert_eq!(b.publisher, one("two", "HS384"));
    assert_eq!(a.subscriber, one("three", "HS256"));
    assert_eq!(b.subscriber, set(URL, &[]));
    assert!(!a.authorization_server && b.authorization_server);
}

#[test]
fn cf_04_role_without_a_verifier_is_none() {
    let trust = trusted(&[
        "--publisher-jwt-key=p",
        "--issuer=https://a.example",
        "--issuer-publisher-key=-",
    ]);
    assert_eq!(trust.issuers[0].publisher, None);
    assert_eq!(trust.issuers[0].subscriber, None);
    assert!(trust.publishers() && !trust.subscribers());
}

#[test]
fn cf_04_lists_that_do_not_fit_the_issuers_are_refused() {
    let issuers = ["--issuer=https://a.example,https://b.example,https://c.example"];
    let with = |flags: &[&'static str]| refused(&[issuers.as_slice(), flags].concat());
    assert_eq!(
        with(&["--issuer-publisher-key=1", "--issuer-publisher-key=2"]),
        InvalidTrust::Count {
            setting: "issuer-publisher-key",
            given: 2,
            issuers: 3
        }
    );
    assert_eq!(
        with(&["--issuer=https://a.example"]),
        InvalidTrust::IssuerTwice {
            id: "https://a.example".to_owned()
        }
    );
    assert_eq!(
        with(&["--authorization-server=https://d.example"]),
        InvalidTrust::NotAnIssuer {
            id: "https://d.example".to_owned()
        }
    );
    assert!(matches!(
        with(&["--issuer-publisher-alg=HS512"]),
        InvalidTrust::AlgorithmAlone { .. }
    ));
    assert_eq!(
        refused(&["--issuer-subscriber-key=k"]),
        InvalidTrust::NoIssuer {
            setting: "issuer-subscriber-key"
        }
    );
}

#[test]
fn dialect_and_issuers_go_together() {
    let issuer = "--issuer=https://a.example";
    let key = "--publisher-jwt-key=p";
    assert_eq!(refused(&[key, "--dialect=d1"]), InvalidTrust::NoIssuerInD1);
    assert_eq!(
        refused(&[key, issuer, "--dialect=d0"]),
        InvalidTrust::IssuerInD0
    );
    let old = trusted(&[key, "--dialect=d0"]);
    assert!(old.publisher.is_some() && old.issuers.is_empty());
}

/// DX-6: with 1.0 alone, a token without `typ: at+jwt` must find no key.
#[test]
fn dx_06_d1_alone_has_no_keys_for_tokens_without_an_issuer() {
    let trust = trusted(&[
        "--publisher-jwt-key=p",
        "--subscriber-jwt-key=s",
        "--issuer=https://a.example",
        "--dialect=d1",
    ]);
    assert_eq!((&trust.publisher, &trust.subscriber), (&None, &None));
    assert_eq!(trust.issuers[0].publisher, one("p", "HS256"));
    assert!(trust.publishers() && trust.subscribers());
}
