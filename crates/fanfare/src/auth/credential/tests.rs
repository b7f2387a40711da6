use http::request::Parts;
use http::{Method, Request};

use super::{CredentialError, Places};
use crate::dialect::{Dialect, Dialects};
use crate::origins::Origins;

const PLACES: Places<'_> = Places {
    dialects: Dialects::Both,
    cookie_name: "mercureAuthorization",
    access_cookie_name: "__Secure-mercure_access_token",
};

fn parts(method: Method, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// What is found in a request that says nothing of its dialect, if it holds a token of 0.x.
fn found(parts: &Parts) -> Result<Option<String>, CredentialError> {
    found_as(parts, None, Dialect::D0)
}

fn found_as(
    parts: &Parts,
    request: Option<Dialect>,
    token: Dialect,
) -> Result<Option<String>, CredentialError> {
    let publish_origins = Origins::new(vec![
        "https://app.example".parse().unwrap(),
        "https://*.trusted.example".parse().unwrap(),
    ]);
    let Some(found) = PLACES.find(parts, request)? else {
        return Ok(None);
    };
    found.check(parts, token, &publish_origins)?;
    Ok(Some(found.token.into_owned()))
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
    let places = Places {
        cookie_name: "hub",
        ..PLACES
    };
    let found = places.find(&request, None).unwrap();
    assert_eq!(found.unwrap().token, "b");
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

#[test]
fn d1_a5_scheme_in_any_case() {
    let a = token("a");
    for scheme in ["bearer ", "BEARER ", "Bearer  "] {
        let header = format!("{scheme}{a}");
        let request = parts(Method::GET, "/?match=x", &[("authorization", &header)]);
        let as_one = found_as(&request, Some(Dialect::D1), Dialect::D1);
        assert_eq!(as_one, Ok(Some(a.clone())), "{scheme:?}");
        let as_zero = found_as(&request, Some(Dialect::D1), Dialect::D0);
        assert_eq!(as_zero, Err(CredentialError::HeaderMalformed), "{scheme:?}");
    }
}

#[test]
fn d1_a5_query_never_carries_an_access_token() {
    let a = token("a");
    let uri = format!("/?authorization={a}&access_token={a}");
    let request = parts(Method::GET, &uri, &[]);
    let in_one = found_as(&request, Some(Dialect::D1), Dialect::D1);
    assert_eq!(in_one, Ok(None), "ignored");
    for dialect in [None, Some(Dialect::D0)] {
        let refused = found_as(&request, dialect, Dialect::D1);
        assert_eq!(refused, Err(CredentialError::AccessTokenInQuery));
    }
}

#[test]
fn dx_7_each_dialect_has_its_cookie_and_a_request_without_one_takes_either() {
    let both = "mercureAuthorization=zero; __Secure-mercure_access_token=one";
    for (cookies, dialect, expected) in [
        (both, Some(Dialect::D0), Some("zero")),
        (both, Some(Dialect::D1), Some("one")),
        (both, None, Some("one")),
        ("mercureAuthorization=zero", Some(Dialect::D1), None),
        ("mercureAuthorization=zero", None, Some("zero")),
        ("__Secure-mercure_access_token=one", Some(Dialect::D0), None),
    ] {
        let request = parts(Method::GET, "/", &[("cookie", cookies)]);
        let found = found_as(&request, dialect, Dialect::D0).unwrap();
        assert_eq!(found.as_deref(), expected, "{cookies} {dialect:?}");
    }
}

#[test]
fn places_of_a_dialect_that_is_not_spoken_do_not_count() {
    let uri = format!("/?authorization={}", token("a"));
    let request = parts(
        Method::GET,
        &uri,
        &[("cookie", "mercureAuthorization=zero")],
    );
    let places = Places {
        dialects: Dialects::D1,
        ..PLACES
    };
    assert_eq!(places.find(&request, None), Ok(None));
}
