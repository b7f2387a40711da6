use http::request::Parts;
use http::{Method, Request};

use super::{CredentialError, token_of};
use crate::origins::Origins;

const COOKIE_NAME: &str = "mercureAuthorization";

fn parts(method: Method, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn found(parts: &Parts) -> Result<Option<String>, CredentialError> {
    let publish_origins = Origins::new(vec![
        "https://app.example".parse().unwrap(),
        "https://*.trusted.example".parse().unwrap(),
    ]);
    token_of(parts, COOKIE_NAME, &publish_origins).map(|token| token.map(String::from))
}

/// 41 characters, the fewest that a token may have.
fn token(letter: &str) -> String {
    letter.repeat(41)
}

#[test]
fn d0_a1_header() {
    let check = |headers: &[(&str, &str)], expected| {
        assert_eq!(
            found(&parts(Method::GET, "/", headers)),
            expected,
            "{headers:?}"
        );
    };
    let a = token("a");
    check(&[], Ok(None));
    check(
        &[("authorization", &format!("Bearer {a}"))],
        Ok(Some(a.clone())),
    );
    let malformed = Err(CredentialError::HeaderMalformed);
    for bad in [
        String::new(),
        a.clone(),
        "Bearer ".to_owned(),
        format!("bearer {a}"),
        format!("Basic {a}aaaaaaa"),
        format!("Bearer\t{a}"),
        format!("Bearer {}", &a[1..]),
    ] {
        check(&[("authorization", &bad)], malformed.clone());
    }
    let twice = format!("Bearer {a}");
    check(
        &[("authorization", &twice), ("authorization", &twice)],
        Err(CredentialError::HeaderRepeated),
    );
}

#[test]
fn d0_a2_query() {
    let check = |uri: &str, expected| {
        for method in [Method::GET, Method::POST] {
            assert_eq!(found(&parts(method, uri, &[])), expected, "{uri}");
        }
    };
    let a = token("a");
    check(&format!("/?topic=t&authorization={a}"), Ok(Some(a.clone())));
    check(
        &format!("/?authorization={}%61", &a[1..]),
        Ok(Some(a.clone())),
    );
    check(&format!("/?Authorization={a}"), Ok(None));
    check("/?authorization=", Err(CredentialError::QueryMalformed));
    check(
        &format!("/?authorization={}", &a[1..]),
        Err(CredentialError::QueryMalformed),
    );
    check(
        &format!("/?authorization={a}&authorization={a}"),
        Err(CredentialError::QueryRepeated),
    );
}

#[test]
fn d0_a3_cookie() {
    let check = |headers: &[(&str, &str)], expected: Option<&str>| {
        let request = parts(Method::GET, "/", headers);
        assert_eq!(
            found(&request),
            Ok(expected.map(str::to_owned)),
            "{headers:?}"
        );
    };
    check(&[("cookie", "mercureAuthorization=abc")], Some("abc"));
    check(
        &[("cookie", "a=1; mercureAuthorization=abc; b=2")],
        Some("abc"),
    );
    check(
        &[("cookie", "a=1"), ("cookie", "mercureAuthorization=abc")],
        Some("abc"),
    );
    check(&[("cookie", "mercureAuthorization=\"abc\"")], Some("abc"));
    check(
        &[("cookie", "mercureAuthorization=x; mercureAuthorization=y")],
        Some("x"),
    );
    check(&[("cookie", "mercureAuthorizationX=abc")], None);
    check(&[("cookie", "Xmercure=mercureAuthorization=abc")], None);
    check(&[("cookie", "mercureauthorization=abc")], None);
    check(&[("cookie", "")], None);
}

#[test]
fn d0_a3_cookie_name_is_configured() {
    let request = parts(
        Method::GET,
        "/",
        &[("cookie", "mercureAuthorization=a; hub=b")],
    );
    let token = token_of(&request, "hub", &Origins::default()).unwrap();
    assert_eq!(token.as_deref(), Some("b"));
}

#[test]
fn d0_a1_higher_place_hides_the_lower_even_if_bad() {
    let (a, b) = (token("a"), token("b"));
    let uri = format!("/?authorization={b}");
    let cookie = ("cookie", "mercureAuthorization=c");
    let header = format!("Bearer {a}");

    let all = parts(Method::GET, &uri, &[("authorization", &header), cookie]);
    assert_eq!(found(&all), Ok(Some(a)));
    let bad_header = parts(Method::GET, &uri, &[("authorization", "Bearer x"), cookie]);
    assert_eq!(found(&bad_header), Err(CredentialError::HeaderMalformed));
    let query = parts(Method::GET, &uri, &[cookie]);
    assert_eq!(found(&query), Ok(Some(b)));
    let bad_query = parts(Method::GET, "/?authorization=x", &[cookie]);
    assert_eq!(found(&bad_query), Err(CredentialError::QueryMalformed));
}

#[test]
fn s8_post_by_cookie_needs_a_trusted_origin() {
    let check = |headers: &[(&str, &str)], expected: Result<(), CredentialError>| {
        let mut all = vec![("cookie", "mercureAuthorization=abc")];
        all.extend_from_slice(headers);
        let outcome = found(&parts(Method::POST, "/", &all)).map(|token| {
            assert_eq!(token.as_deref(), Some("abc"));
        });
        assert_eq!(outcome, expected, "{headers:?}");
    };
    check(&[], Err(CredentialError::OriginMissing));
    check(&[("origin", "")], Err(CredentialError::OriginMissing));
    check(
        &[("referer", "/relative")],
        Err(CredentialError::OriginMissing),
    );
    check(&[("origin", "https://app.example")], Ok(()));
    check(&[("origin", "https://APP.example")], Ok(()));
    check(&[("origin", "https://a.trusted.example")], Ok(()));
    check(&[("referer", "https://app.example/page?x=1")], Ok(()));
    check(&[("referer", "https://app.example:443/")], Ok(()));
    let refused = Err(CredentialError::OriginRefused);
    check(&[("origin", "https://evil.example")], refused);
    check(&[("origin", "null")], refused);
    check(
        &[("referer", "https://evil.example/https://app.example")],
        refused,
    );
    check(&[("referer", "https://app.example@evil.example/")], refused);
    check(&[("referer", "https://app.example:8443/")], refused);
    // `Origin` wins over `Referer`.
    check(
        &[
            ("origin", "https://evil.example"),
            ("referer", "https://app.example/"),
        ],
        refused,
    );
}

#[test]
fn s8_origin_does_not_count_for_reading_or_for_bearers() {
    let reading = parts(
        Method::GET,
        "/",
        &[
            ("cookie", "mercureAuthorization=abc"),
            ("origin", "https://evil.example"),
        ],
    );
    assert_eq!(found(&reading), Ok(Some("abc".to_owned())));
    let a = token("a");
    let header = format!("Bearer {a}");
    let bearer = parts(
        Method::POST,
        "/",
        &[
            ("authorization", &header),
            ("origin", "https://evil.example"),
        ],
    );
    assert_eq!(found(&bearer), Ok(Some(a)));
}
