use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_broker::{InvalidSelector, Selector, Selectors, Topic};
use futures_util::FutureExt;
use serde_json::{Value, json};
use url::Url;

use super::super::detail::TYPE;
use super::super::test_keys::Pair;
use super::super::{Algorithm, Grant, Secret, SigningKey, TokenError, Verifier};
use super::{Audience, Issuer, Role, verify_access_token};
use crate::dialect::Dialect;

const HUB: &str = "https://hub.example/.well-known/mercure";
const ISSUER: &str = "https://issuer.example";

/// 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;

fn key() -> Secret {
    "a key for tests, with enough bytes for HMAC"
        .parse()
        .unwrap()
}

fn issuer() -> Issuer {
    Issuer {
        id: ISSUER.to_owned(),
        publisher: vec![Verifier::hs256(&key())],
        subscriber: vec![Verifier::hs256(&key())],
        authorization_server: false,
    }
}

fn verify_as(issuers: &[Issuer], role: Role, token: &str) -> Result<Grant, TokenError> {
    let hub_url = Url::parse(HUB).unwrap();
    let audience = Audience {
        resource: HUB,
        hub_url: &hub_url,
    };
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let verified = verify_access_token(issuers, role, token, &audience, now);
    verified.now_or_never().expect("fixed keys do not wait")
}

fn verify(token: &str) -> Result<Grant, TokenError> {
    verify_as(&[issuer()], Role::Subscriber, token)
}

fn signed(header: &Value, claims: &str) -> String {
    let key = SigningKey::hs256(&key());
    key.sign(&header.to_string(), claims).unwrap()
}

fn access_header() -> Value {
    json!({ "typ": "at+jwt", "alg": "HS256" })
}

fn with_claims(claims: &Value) -> Result<Grant, TokenError> {
    verify(&signed(&access_header(), &claims.to_string()))
}

/// Claims that are right, without rights.
fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": HUB,
        "exp": NOW + 60,
        "sub": "me",
        "client_id": "tests",
        "iat": NOW,
        "jti": "17",
    })
}

/// Right claims with one of them changed; null: without it.
fn changed(claim: &str, value: Value) -> Result<Grant, TokenError> {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(claim);
    } else {
        claims[claim] = value;
    }
    with_claims(&claims)
}

fn with_details(details: Value) -> Result<Grant, TokenError> {
    changed("authorization_details", details)
}

fn detail(actions: Value, topics: Value) -> Value {
    let mut detail = json!({ "type": TYPE });
    detail["actions"] = actions;
    detail["topics"] = topics;
    detail
}

fn matches(selectors: Option<&Selectors>, topic: &str) -> bool {
    let topic = Topic::parse(topic).unwrap();
    selectors.is_some_and(|selectors| selectors.matches(&topic))
}

#[test]
fn d1_a1_typ_is_at_jwt() {
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "application/AT+jwt",
    ] {
        let header = json!({ "typ": typ, "alg": "HS256" });
        let verified = verify(&signed(&header, &claims().to_string()));
        assert!(verified.is_ok(), "{typ}");
    }
    for header in [
        json!({ "alg": "HS256" }),
        json!({ "alg": "HS256", "typ": null }),
        json!({ "alg": "HS256", "typ": "JWT" }),
        json!({ "alg": "HS256", "typ": "text/at+jwt" }),
    ] {
        let verified = verify(&signed(&header, &claims().to_string()));
        assert_eq!(verified, Err(TokenError::Type), "{header}");
    }
}

#[test]
fn d1_a2_algorithm_is_a_configured_one() {
    for alg in ["none", "HS512", "ES256", "hs256"] {
        let header = json!({ "typ": "at+jwt", "alg": alg });
        let allowed = vec![Algorithm::Hs256];
        assert_eq!(
            verify(&signed(&header, &claims().to_string())),
            Err(TokenError::Algorithm { allowed }),
            "{alg}"
        );
    }
    let mut header = access_header();
    header["crit"] = json!(["exp"]);
    let critical = verify(&signed(&header, &claims().to_string()));
    assert_eq!(critical, Err(TokenError::Critical));
}

#[test]
fn d1_a2_keys_that_the_token_brings_are_ignored() {
    let attacker: Secret = "attacker".parse().unwrap();
    let header = json!({
        "typ": "at+jwt",
        "alg": "HS256",
        "kid": "../../dev/null",
        "jku": "http://169.254.169.254/keys",
        "x5u": "http://169.254.169.254/cert",
        "jwk": { "kty": "oct", "k": "YXR0YWNrZXI" },
    });
    let forger = SigningKey::hs256(&attacker);
    let forged = forger.sign(&header.to_string(), &claims().to_string());
    assert_eq!(verify(&forged.unwrap()), Err(TokenError::Signature));
    assert!(verify(&signed(&header, &claims().to_string())).is_ok());
}

#[test]
fn d1_a3_right_token_gives_its_grant() {
    let grant = with_claims(&claims()).unwrap();
    assert_eq!(grant.dialect, Dialect::D1);
    assert_eq!(grant.issuer.as_deref(), Some(ISSUER));
    assert_eq!(grant.subject.as_deref(), Some("me"));
    assert_eq!(grant.token_id.as_deref(), Some("17"));
    let end = UNIX_EPOCH + Duration::from_secs(NOW + 60);
    assert_eq!(grant.expires_at, Some(end));
}

/// What issuers must fill for others, the hub does not need.
#[test]
fn d1_a3_four_claims_are_enough() {
    let claims = json!({ "iss": ISSUER, "aud": HUB, "exp": NOW + 1 });
    let grant = with_claims(&claims).unwrap();
    assert_eq!((grant.subject, grant.token_id), (None, None));
}

#[test]
fn d1_a3_issuer_is_known() {
    for iss in ["https://issuer.example/", "https://other.example", ""] {
        let refused = changed("iss", iss.into());
        assert_eq!(refused, Err(TokenError::UnknownIssuer), "{iss}");
    }
    for iss in [Value::Null, json!(7), json!([ISSUER])] {
        let refused = changed("iss", iss.clone());
        assert_eq!(refused, Err(TokenError::AccessClaims), "{iss}");
    }
    let token = signed(&access_header(), &claims().to_string());
    let none = verify_as(&[], Role::Subscriber, &token);
    assert_eq!(none, Err(TokenError::UnknownIssuer));
}

#[test]
fn d1_a3_audience_contains_the_hub() {
    assert!(changed("aud", json!([HUB])).is_ok());
    assert!(changed("aud", json!(["https://api.example", HUB])).is_ok());
    for aud in [
        json!("https://other.example/.well-known/mercure"),
        json!("https://hub.example"),
        json!(format!("{HUB}/")),
        json!(""),
        json!([]),
        json!([format!("{HUB}x")]),
    ] {
        let refused = changed("aud", aud.clone());
        assert_eq!(refused, Err(TokenError::Audience), "{aud}");
    }
    for aud in [Value::Null, json!(7), json!({ "x": HUB }), json!([HUB, 7])] {
        let refused = changed("aud", aud.clone());
        assert_eq!(refused, Err(TokenError::AccessClaims), "{aud}");
    }
}

#[test]
fn d1_a3_end_is_required_and_holds() {
    let malformed = |claims: &str| {
        let refused = verify(&signed(&access_header(), claims));
        assert_eq!(refused, Err(TokenError::AccessClaims), "{claims}");
    };
    malformed(&format!(r#"{{"iss":"{ISSUER}","aud":"{HUB}"}}"#));
    // S4: as a number, and a finite one.
    for exp in [
        "null",
        r#""1767225601""#,
        "1e400",
        "-1e400",
        "true",
        "[]",
        "{}",
    ] {
        malformed(&format!(
            r#"{{"iss":"{ISSUER}","aud":"{HUB}","exp":{exp}}}"#
        ));
    }
    for nbf in ["null", r#""1767225601""#, "1e400"] {
        malformed(&format!(
            r#"{{"iss":"{ISSUER}","aud":"{HUB}","exp":1767225601,"nbf":{nbf}}}"#
        ));
    }
    assert_eq!(changed("exp", json!(NOW)), Err(TokenError::Expired));
    assert_eq!(changed("exp", json!(-1)), Err(TokenError::Expired));
    assert!(changed("exp", json!(NOW + 1)).is_ok());
    let far = changed("exp", json!(u64::MAX)).unwrap();
    assert_eq!(far.expires_at, None::<SystemTime>);
    assert_eq!(changed("nbf", json!(NOW + 1)), Err(TokenError::NotYetValid));
    assert!(changed("nbf", json!(NOW)).is_ok());
}

#[test]
fn s3_claim_that_comes_twice_is_refused() {
    for twice in [
        format!(r#"{{"iss":"x","iss":"{ISSUER}","aud":"{HUB}","exp":9999999999}}"#),
        format!(r#"{{"iss":"{ISSUER}","aud":"x","aud":"{HUB}","exp":9999999999}}"#),
        format!(r#"{{"iss":"{ISSUER}","aud":"{HUB}","exp":1,"exp":9999999999}}"#),
        format!(r#"["{ISSUER}","{HUB}",9999999999,0,"me","id",[]]"#),
    ] {
        let refused = verify(&signed(&access_header(), &twice));
        assert_eq!(refused, Err(TokenError::AccessClaims), "{twice}");
    }
    let detail = r#"[{"type":"https://mercure.rocks/authorization-detail","actions":["x"],
        "actions":["publish"],"topics":[{"match":"a"}]}]"#;
    let claims = format!(
        r#"{{"iss":"{ISSUER}","aud":"{HUB}","exp":9999999999,"authorization_details":{detail}}}"#
    );
    let refused = verify(&signed(&access_header(), &claims));
    assert_eq!(refused, Err(TokenError::Details));
}

#[test]
fn d1_a7_keys_of_one_issuer_verify_no_other() {
    let (a, b) = (
        Pair::generate(Algorithm::Es256),
        Pair::generate(Algorithm::Es256),
    );
    let issuer_of = |id: &str, pair: &Pair| Issuer {
        id: id.to_owned(),
        publisher: vec![pair.verifier()],
        subscriber: vec![pair.verifier()],
        authorization_server: true,
    };
    let issuers = [issuer_of("a", &a), issuer_of("b", &b)];
    let token = |pair: &Pair, iss: &str| {
        let mut claims = claims();
        claims["iss"] = iss.into();
        let header = json!({ "typ": "at+jwt", "alg": "ES256" }).to_string();
        pair.signing().sign(&header, &claims.to_string()).unwrap()
    };
    for role in [Role::Publisher, Role::Subscriber] {
        assert!(verify_as(&issuers, role, &token(&a, "a")).is_ok());
        assert!(verify_as(&issuers, role, &token(&b, "b")).is_ok());
        let refused = verify_as(&issuers, role, &token(&a, "b"));
        assert_eq!(refused, Err(TokenError::Signature));
    }
}

#[test]
fn d1_a7_keys_are_tried_in_order() {
    let (old, new) = (
        Pair::generate(Algorithm::Es256),
        Pair::generate(Algorithm::EdDsa),
    );
    let mut issuer = issuer();
    issuer.subscriber = vec![old.verifier(), new.verifier()];
    let issuers = [issuer];
    for pair in [&old, &new] {
        let header = json!({ "typ": "at+jwt", "alg": pair.algorithm.name() }).to_string();
        let token = pair.signing().sign(&header, &claims().to_string()).unwrap();
        assert!(verify_as(&issuers, Role::Subscriber, &token).is_ok());
        // The publishers' key is another one.
        let allowed = vec![Algorithm::Hs256];
        assert_eq!(
            verify_as(&issuers, Role::Publisher, &token),
            Err(TokenError::Algorithm { allowed })
        );
    }
    let stranger = Pair::generate(Algorithm::Es256);
    let header = json!({ "typ": "at+jwt", "alg": "ES256" }).to_string();
    let token = stranger.signing().sign(&header, &claims().to_string());
    assert_eq!(
        verify_as(&issuers, Role::Subscriber, &token.unwrap()),
        Err(TokenError::Signature)
    );
}

#[test]
fn d1_a3_role_without_a_key_refuses() {
    let mut issuer = issuer();
    issuer.publisher.clear();
    let token = signed(&access_header(), &claims().to_string());
    let issuers = [issuer];
    assert_eq!(
        verify_as(&issuers, Role::Publisher, &token),
        Err(TokenError::RoleWithoutKey)
    );
    assert!(verify_as(&issuers, Role::Subscriber, &token).is_ok());
}

#[test]
fn d1_a8_only_details_of_mercure_count() {
    for details in [
        Value::Null,
        json!([]),
        json!([{ "type": "payment", "actions": 7, "topics": "x" }]),
        json!([{ "type": "https://mercure.rocks/authorization-detail/" }]),
        json!([{ "type": "HTTPS://mercure.rocks/authorization-detail", "actions": ["publish"] }]),
    ] {
        let grant = with_details(details.clone()).unwrap();
        assert_eq!((grant.publish, grant.subscribe), (None, None), "{details}");
    }
    for details in [json!({}), json!("x"), json!(7)] {
        let refused = with_details(details.clone());
        assert_eq!(refused, Err(TokenError::AccessClaims), "{details}");
    }
    // RFC 9396 §2: objects with a type.
    for details in [
        json!([7]),
        json!([null]),
        json!([{}]),
        json!([{ "type": 7 }]),
    ] {
        let refused = with_details(details.clone());
        assert_eq!(refused, Err(TokenError::Details), "{details}");
    }
}

#[test]
fn d1_a9_actions_grant_what_they_name() {
    let topics = json!([{ "match": "a" }]);
    let publish = with_details(json!([detail(json!(["publish"]), topics.clone())])).unwrap();
    assert!(matches(publish.publish.as_ref(), "a"));
    assert_eq!(publish.subscribe, None);
    let subscribe = with_details(json!([detail(json!(["subscribe"]), topics.clone())])).unwrap();
    assert!(matches(subscribe.subscribe.as_ref(), "a"));
    assert_eq!(subscribe.publish, None);
    // Two details of one action add up.
    let others = json!([{ "match": "b" }]);
    let both = with_details(json!([
        detail(json!(["publish"]), topics.clone()),
        detail(json!(["publish", "subscribe"]), others),
    ]))
    .unwrap();
    assert!(matches(both.publish.as_ref(), "a") && matches(both.publish.as_ref(), "b"));
    assert!(matches(both.subscribe.as_ref(), "b"));
    assert!(!matches(both.subscribe.as_ref(), "a"));
    // Unknown ones do no harm, and are as case-sensitive as any.
    let unknown = json!(["delete", "Publish", ""]);
    let unknown = with_details(json!([detail(unknown, topics.clone())])).unwrap();
    assert_eq!((unknown.publish, unknown.subscribe), (None, None));

    for actions in [
        json!([]),
        json!(null),
        json!("publish"),
        json!(["publish", 7]),
    ] {
        let refused = with_details(json!([detail(actions.clone(), topics.clone())]));
        assert_eq!(refused, Err(TokenError::Details), "{actions}");
    }
}

#[test]
fn d1_a10_topics_are_objects_with_match() {
    for topics in [
        json!(null),
        json!([]),
        json!("a"),
        json!(["a"]),
        json!([null]),
        json!([["a", "exact"]]),
        json!([{}]),
        json!([{ "match": null }]),
        json!([{ "match": 7 }]),
        // D1-G8.
        json!([{ "match": "" }]),
        json!([{ "match": "a", "match_type": null }]),
        json!([{ "match": "a", "match_type": "Exact" }]),
        json!([{ "match": "a", "match_type": "URLPattern" }]),
        json!([{ "match": "a", "match_type": "regexp" }]),
        json!([{ "match": "a", "match_type": "" }]),
        json!([{ "match": "a", "match_type": { "exact": null } }]),
    ] {
        let refused = with_details(json!([detail(json!(["publish"]), topics.clone())]));
        assert_eq!(refused, Err(TokenError::Details), "{topics}");
    }
    let topics = json!([
        { "match": "https://example.com/books/:id", "match_type": "urlpattern" },
        { "match": "https://example.com/:x", "match_type": "exact", "later": true },
    ]);
    let grant = with_details(json!([detail(json!(["publish"]), topics)])).unwrap();
    let publish = grant.publish.as_ref();
    assert!(matches(publish, "https://example.com/books/1"));
    assert!(matches(publish, "https://example.com/:x"));
    assert!(!matches(publish, "https://example.com/y"));
}

#[test]
fn d1_a10_star_matches_everything() {
    for match_type in ["exact", "urlpattern"] {
        let topics = json!([{ "match": "*", "match_type": match_type }]);
        let grant = with_details(json!([detail(json!(["subscribe"]), topics)])).unwrap();
        assert!(
            matches(grant.subscribe.as_ref(), "anything"),
            "{match_type}"
        );
    }
}

#[test]
fn d1_a10_bad_pattern_is_refused() {
    let topics = json!([{ "match": "https://[", "match_type": "urlpattern" }]);
    let refused = with_details(json!([detail(json!(["subscribe"]), topics)]));
    assert!(
        matches!(refused, Err(TokenError::Selector { .. })),
        "{refused:?}"
    );

    let bytes = Selector::BYTES_MAX + 1;
    let topics = json!([{ "match": "a".repeat(bytes) }]);
    let refused = with_details(json!([detail(json!(["subscribe"]), topics)]));
    let source = InvalidSelector::TooLong { bytes };
    assert_eq!(refused, Err(TokenError::Selector { source }));
}

#[test]
fn d1_t1_match_is_a_protocol_string() {
    for text in [
        "a\nb",
        "a\u{0}",
        "\u{7f}",
        "\u{85}",
        "a\u{202e}b",
        "\u{feff}a",
    ] {
        let topics = json!([{ "match": text }]);
        let refused = with_details(json!([detail(json!(["publish"]), topics)]));
        assert_eq!(refused, Err(TokenError::Details), "{text:?}");
    }
}

#[test]
fn d1_a12_one_bad_detail_spoils_all() {
    let good = detail(json!(["publish"]), json!([{ "match": "*" }]));
    let bad = detail(json!(["publish"]), json!([{ "match": "a" }, "b"]));
    // It grants nothing, but it is ours.
    let idle = detail(json!(["delete"]), json!([]));
    for details in [
        json!([good, bad]),
        json!([bad, good]),
        json!([good, idle]),
        json!([good, null]),
    ] {
        let refused = with_details(details.clone());
        assert_eq!(refused, Err(TokenError::Details), "{details}");
    }
}

#[test]
fn d1_a12_a_hundred_and_no_more() {
    let detail_of = |count| {
        detail(
            json!(["publish"]),
            json!(vec![json!({ "match": "a" }); count]),
        )
    };
    assert!(with_details(json!([detail_of(100)])).is_ok());
    assert!(with_details(json!(vec![detail_of(1); 100])).is_ok());
    assert!(with_details(json!([detail_of(60), detail_of(40)])).is_ok());
    let refused = |details: Value| match with_details(details) {
        Err(TokenError::TooManyDetails { details, matchers }) => (details, matchers),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(json!([detail_of(101)])), (1, 101));
    assert_eq!(refused(json!([detail_of(60), detail_of(41)])), (2, 101));
    assert_eq!(refused(json!(vec![detail_of(0); 101])), (101, 0));
    // Those of others do not count.
    let other = json!({ "type": "x" });
    let mut details = vec![other; 101];
    details.push(detail_of(1));
    assert!(with_details(json!(details)).is_ok());
}

#[test]
fn d1_r5_payload_is_of_the_first_detail_that_matches() {
    let with_payload = |topics: Value, payload: Value| {
        let mut detail = detail(json!(["subscribe"]), topics);
        detail["payload"] = payload;
        detail
    };
    let mut publish = detail(json!(["publish"]), json!([{ "match": "*" }]));
    publish["payload"] = json!("of a publisher");
    let grant = with_details(json!([
        publish,
        with_payload(
            json!([{ "match": "a" }, { "match": "b" }]),
            json!({ "n": 1 })
        ),
        with_payload(json!([{ "match": "a" }]), json!({ "n": 2 })),
        with_payload(
            json!([{ "match": "/books/:id", "match_type": "urlpattern" }]),
            // D1-G7: any JSON.
            json!([3])
        ),
        detail(json!(["subscribe"]), json!([{ "match": "c" }])),
        with_payload(json!([{ "match": "*" }]), json!({ "n": 4 })),
    ]))
    .unwrap();
    let check = |matcher: &str, payload: Option<Value>| {
        assert_eq!(grant.payload_for(matcher), payload.as_ref(), "{matcher}");
    };
    check("a", Some(json!({ "n": 1 })));
    check("b", Some(json!({ "n": 1 })));
    check("/books/:id", Some(json!([3])));
    check("c", None);
    check("*", Some(json!({ "n": 4 })));
    check("d", Some(json!({ "n": 4 })));
    check("", None);
}
