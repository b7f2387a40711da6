use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_broker::Topic;
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::json;

use super::{Grant, InvalidKey, NewToken, Secret, Token, TokenError, Verifier, mint};
use crate::dialect::Dialect;

const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

/// 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;

fn verify(token: &str) -> Result<Grant, TokenError> {
    verify_with(&KEY.parse().unwrap(), token, NOW)
}

fn verify_with(key: &Secret, token: &str, now: u64) -> Result<Grant, TokenError> {
    let verifier = Verifier::hs256(key);
    let verified = verifier.verify(token, UNIX_EPOCH + Duration::from_secs(now));
    verified.now_or_never().expect("a fixed key does not wait")
}

fn not_the_algorithm<T>() -> Result<T, TokenError> {
    Err(TokenError::Algorithm {
        allowed: vec![super::Algorithm::Hs256],
    })
}

/// A token with exactly this header and payload, genuinely signed with [`KEY`] by `algorithm`.
fn signed(header: &str, payload: &str, algorithm: Algorithm) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let key = EncodingKey::from_secret(KEY.as_bytes());
    let signature = crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn with_header(header: &str) -> Result<Grant, TokenError> {
    verify(&signed(header, "{}", Algorithm::HS256))
}

fn with_claims(claims: &str) -> Result<Grant, TokenError> {
    verify(&signed(r#"{"alg":"HS256"}"#, claims, Algorithm::HS256))
}

fn publishes_to(grant: &Grant, topic: &str) -> bool {
    let topic = Topic::parse(topic).unwrap();
    grant.publish.as_ref().is_some_and(|it| it.matches(&topic))
}

/// The token of RFC 7515, appendix A.1: its header has a line break and its key is binary, so
/// only the shape can be taken from it; its signature cannot fit ours.
#[test]
fn d0_a4_signature_of_another_key_is_refused() {
    let foreign = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
        .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(verify(foreign), Err(TokenError::Signature));
}

#[test]
fn d0_a4_changed_payload_is_refused() {
    let token = signed(r#"{"alg":"HS256"}"#, r#"{"sub":"me"}"#, Algorithm::HS256);
    let mut parts: Vec<&str> = token.split('.').collect();
    let forged = URL_SAFE_NO_PAD.encode(r#"{"sub":"you"}"#);
    parts[1] = &forged;
    assert_eq!(verify(&parts.join(".")), Err(TokenError::Signature));
}

#[test]
fn s3_only_the_configured_algorithm() {
    for alg in [
        "none", "NONE", "None", "", "hs256", "HS384", "HS512", "RS256", "ES256", "PS256",
    ] {
        let header = json!({ "alg": alg }).to_string();
        assert_eq!(with_header(&header), not_the_algorithm(), "{alg:?}");
    }
    // Genuinely signed by another member of the family, too.
    let token = signed(r#"{"alg":"HS512"}"#, "{}", Algorithm::HS512);
    assert_eq!(verify(&token), not_the_algorithm());
}

#[test]
fn s3_unsigned_token_is_refused() {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    assert_eq!(verify(&format!("{header}.e30.")), not_the_algorithm());
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    assert_eq!(
        verify(&format!("{header}.e30.")),
        Err(TokenError::Signature)
    );
}

#[test]
fn s3_algorithm_must_be_one_text() {
    for header in [
        "{}",
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        "[]",
        "HS256",
        r#"["HS256","JWT","a"]"#,
    ] {
        assert_eq!(with_header(header), Err(TokenError::Malformed), "{header}");
    }
}

#[test]
fn s3_critical_extension_is_refused() {
    for header in [
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
    ] {
        assert_eq!(with_header(header), Err(TokenError::Critical), "{header}");
    }
}

#[test]
fn s3_keys_that_the_token_brings_are_ignored() {
    let header = json!({
        "alg": "HS256",
        "kid": "../../dev/null",
        "jku": "http://169.254.169.254/keys",
        "x5u": "http://169.254.169.254/cert",
        "jwk": { "kty": "oct", "k": URL_SAFE_NO_PAD.encode("attacker") },
    });
    assert!(with_header(&header.to_string()).is_ok());

    // Signed with the key that it brings along.
    let message = format!("{}.e30", URL_SAFE_NO_PAD.encode(header.to_string()));
    let key = EncodingKey::from_secret(b"attacker");
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    let token = format!("{message}.{signature}");
    assert_eq!(verify(&token), Err(TokenError::Signature));
}

#[test]
fn s3_pem_as_a_secret_is_bytes() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";
    let secret: Secret = pem.parse().unwrap();
    let token = mint(&secret, NewToken::default()).unwrap();
    assert!(verify_with(&secret, &token, NOW).is_ok());
}

/// CF-4: everybody knows a public key, so nobody can have meant it for a secret.
#[test]
fn s3_pem_with_an_hmac_algorithm_is_refused() {
    for label in ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE", "PRIVATE KEY"] {
        let pem = format!("\n-----BEGIN {label}-----\nMCow\n-----END {label}-----\n");
        let algorithm = super::Algorithm::Hs256;
        let refused = Verifier::new(&pem.parse().unwrap(), algorithm).map(drop);
        assert_eq!(
            refused,
            Err(InvalidKey::PemAsSecret { algorithm }),
            "{label}"
        );
    }
}

#[test]
fn s3_huge_and_deep_tokens_are_refused() {
    let bytes = 10 << 20;
    let huge = "a".repeat(bytes);
    assert_eq!(verify(&huge), Err(TokenError::TooLong { bytes }));

    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    let payload = format!(r#"{{"mercure":{{"payload":{deep}}}}}"#);
    assert_eq!(with_claims(&payload), Err(TokenError::Claims));
    // What nobody reads is skipped without recursion.
    assert!(with_claims(&format!(r#"{{"x":{deep}}}"#)).is_ok());
}

#[test]
fn d0_a4_shape_is_three_parts_of_base64url() {
    for token in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "not a token",
        "a.b.c.d",
        "ä.ö.ü",
    ] {
        assert_eq!(verify(token), Err(TokenError::Malformed), "{token:?}");
    }
    let good = signed(r#"{"alg":"HS256"}"#, "{}", Algorithm::HS256);
    assert!(verify(&good).is_ok());
    assert_eq!(verify(&format!("{good}=")), Err(TokenError::Malformed));
}

#[test]
fn d0_a5_exp_and_nbf_hold_without_leeway() {
    let check = |claims: serde_json::Value, expected: Result<(), TokenError>| {
        assert_eq!(
            with_claims(&claims.to_string()).map(|_| ()),
            expected,
            "{claims}"
        );
    };
    check(json!({}), Ok(()));
    check(json!({ "exp": NOW + 1 }), Ok(()));
    check(json!({ "exp": NOW }), Err(TokenError::Expired));
    check(json!({ "exp": NOW - 1 }), Err(TokenError::Expired));
    check(json!({ "exp": NOW as f64 + 0.5 }), Ok(()));
    check(json!({ "exp": NOW as f64 - 0.5 }), Err(TokenError::Expired));
    check(json!({ "nbf": NOW }), Ok(()));
    check(json!({ "nbf": NOW - 1 }), Ok(()));
    check(json!({ "nbf": NOW + 1 }), Err(TokenError::NotYetValid));
    check(
        json!({ "iat": "yesterday", "iss": 7, "aud": "others" }),
        Ok(()),
    );
}

#[test]
fn s4_times_are_finite_numbers() {
    for value in [
        r#""1767225601""#,
        "null",
        "1e400",
        "-1e400",
        "true",
        "[]",
        "{}",
        "NaN",
    ] {
        for claim in ["exp", "nbf"] {
            let claims = format!(r#"{{"{claim}":{value}}}"#);
            assert_eq!(with_claims(&claims), Err(TokenError::Claims), "{claims}");
        }
    }
    assert_eq!(with_claims(r#"{"exp":-1}"#), Err(TokenError::Expired));
    assert_eq!(with_claims(r#"{"exp":-1.5}"#), Err(TokenError::Expired));
    assert!(with_claims(r#"{"nbf":-1}"#).is_ok());
    for far in ["9223372036854775808", "18446744073709551615", "1e300"] {
        let grant = with_claims(&format!(r#"{{"exp":{far}}}"#)).unwrap();
        assert_eq!(grant.expires_at, None, "{far}");
        let early = with_claims(&format!(r#"{{"nbf":{far}}}"#));
        assert_eq!(early, Err(TokenError::NotYetValid), "{far}");
    }
}

#[test]
fn s3_claim_that_comes_twice_is_refused() {
    for claims in [
        r#"{"exp":1,"exp":9999999999}"#,
        r#"{"mercure":{"publish":[]},"mercure":{"publish":["*"]}}"#,
        r#"{"mercure":{"publish":[],"publish":["*"]}}"#,
    ] {
        assert_eq!(with_claims(claims), Err(TokenError::Claims), "{claims}");
    }
}

#[test]
fn d0_a5_end_is_told() {
    let grant = with_claims(&json!({ "exp": NOW + 60, "sub": "me" }).to_string()).unwrap();
    let end = UNIX_EPOCH + Duration::from_secs(NOW + 60);
    assert_eq!(grant.expires_at, Some(end));
    assert_eq!(grant.subject.as_deref(), Some("me"));
    let grant = with_claims(r#"{"jti":"17"}"#).unwrap();
    assert_eq!(grant.token_id.as_deref(), Some("17"));
}

#[test]
fn d0_a6_claim_gives_the_grant() {
    let grant = with_claims(r#"{"mercure":{"publish":["a"],"payload":{"name":"x"}}}"#).unwrap();
    assert!(publishes_to(&grant, "a"));
    assert!(!publishes_to(&grant, "b"));
    assert_eq!(grant.subscribe, None);
    // D0-R1: whatever the subscription is.
    assert_eq!(grant.payload_for("a"), Some(&json!({ "name": "x" })));
    assert_eq!(grant.payload_for("{b}"), Some(&json!({ "name": "x" })));
    assert_eq!((grant.dialect, grant.issuer), (Dialect::D0, None));
    let without = with_claims(r#"{"mercure":{"payload":null}}"#).unwrap();
    assert_eq!(without.payload_for("a"), None);
}

#[test]
fn d0_a7_missing_null_and_empty_publish_differ() {
    for claims in [
        "{}",
        r#"{"mercure":{}}"#,
        r#"{"mercure":{"publish":null}}"#,
        r#"{"mercure":null}"#,
    ] {
        assert_eq!(with_claims(claims).unwrap().publish, None, "{claims}");
    }
    let grant = with_claims(r#"{"mercure":{"publish":[]}}"#).unwrap();
    assert!(grant.publish.is_some_and(|publish| publish.is_empty()));
}

#[test]
fn d0_a8_subscribe_may_be_missing() {
    assert_eq!(
        with_claims(r#"{"mercure":{"publish":["*"]}}"#)
            .unwrap()
            .subscribe,
        None
    );
}

#[test]
fn d0_a10_subscribe_selectors_are_kept() {
    let grant = with_claims(r#"{"mercure":{"subscribe":["user/1"]}}"#).unwrap();
    let subscribe = grant.subscribe.unwrap();
    assert!(subscribe.matches(&Topic::parse("user/1").unwrap()));
    assert!(!subscribe.matches(&Topic::parse("user/2").unwrap()));
}

#[test]
fn d0_a6_namespaced_claim_replaces() {
    let claims = json!({
        "mercure": { "publish": ["a"], "subscribe": ["a"] },
        "https://mercure.rocks/": { "publish": ["b"] },
    });
    let grant = with_claims(&claims.to_string()).unwrap();
    assert!(!publishes_to(&grant, "a"));
    assert!(publishes_to(&grant, "b"));
    assert_eq!(grant.subscribe, None);
}

#[test]
fn d0_a6_arrays_of_strings_only() {
    for value in [r#""*""#, "1", "{}", "true", "[1]", "[null]", r#"[["*"]]"#] {
        for claim in ["publish", "subscribe"] {
            let claims = format!(r#"{{"mercure":{{"{claim}":{value}}}}}"#);
            assert_eq!(with_claims(&claims), Err(TokenError::Claims), "{claims}");
        }
    }
    assert_eq!(with_claims(r#"{"mercure":["*"]}"#), Err(TokenError::Claims));
    assert_eq!(with_claims(r#"{"mercure":"*"}"#), Err(TokenError::Claims));
    // Fields by their position are no fields.
    assert_eq!(
        with_claims(r#"{"mercure":[["*"],["*"],null]}"#),
        Err(TokenError::Claims)
    );
    assert_eq!(
        with_claims(r#"[1767225601,0,"me","id",{"publish":["*"]},null]"#),
        Err(TokenError::Claims)
    );
}

#[test]
fn d0_a6_a_thousand_entries_and_no_more() {
    let claims = |count| json!({ "mercure": { "subscribe": vec!["a"; count] } }).to_string();
    assert!(with_claims(&claims(1000)).is_ok());
    let (claim, count) = ("subscribe", 1001);
    let refused = Err(TokenError::TooManySelectors { claim, count });
    assert_eq!(with_claims(&claims(1001)), refused);
}

/// D1-A1, RFC 7515 §4.1.9: a `typ` without a slash is a media type of `application/`.
#[test]
fn dx_5_typ_tells_the_dialect() {
    let is_access_token = |header: &str| {
        let token = signed(header, "{}", Algorithm::HS256);
        Token::parse(&token).unwrap().is_access_token()
    };
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+JWT",
    ] {
        let header = json!({ "alg": "HS256", "typ": typ }).to_string();
        assert!(is_access_token(&header), "{typ}");
    }
    for typ in ["JWT", "jwt", "", "at", "at+jwt ", "text/at+jwt"] {
        let header = json!({ "alg": "HS256", "typ": typ }).to_string();
        assert!(!is_access_token(&header), "{typ}");
    }
    assert!(!is_access_token(r#"{"alg":"none"}"#));
    // Nobody looks at the rest.
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"?","typ":"at+jwt"}"#);
    let strange = format!("{header}.?.?");
    let strange = Token::parse(&strange).unwrap();
    assert!(strange.is_access_token());
    assert_eq!(format!("{strange:?}"), "Token([redacted])");
    assert_eq!(Token::parse("?.e30.").map(drop), Err(TokenError::Malformed));
}

#[test]
fn minted_token_is_verified() {
    let key = Secret::random();
    let token = NewToken {
        publish: vec!["*".to_owned()],
        expires_at: Some(UNIX_EPOCH + Duration::from_secs(NOW)),
        payload: Some(json!([1])),
        ..NewToken::default()
    };
    let token = mint(&key, token).unwrap();
    let grant = verify_with(&key, &token, NOW - 1).unwrap();
    assert!(publishes_to(&grant, "anything"));
    assert_eq!(grant.subscribe, None);
    assert_eq!(grant.payload_for("x"), Some(&json!([1])));
    assert_eq!(verify(&token), Err(TokenError::Signature));
}

#[test]
fn s19_secrets_do_not_show() {
    let secret: Secret = "hunter2".parse().unwrap();
    let verifier = Verifier::hs256(&secret);
    let shown = format!("{secret:?} {secret} {verifier:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(format!("{secret:?}"), "[redacted]");
    assert!("".parse::<Secret>().is_err());
    assert_ne!(Secret::random(), Secret::random());
}
