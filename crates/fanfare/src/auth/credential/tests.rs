use http::request::Parts;
use http::{HeaderValue, Method, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{CredentialError, Places};
use crate::dialect::{Dialect, Dialects};
use crate::form::Form;
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

/// The token had a reader of its own, for whom these were bad tokens, while all else in the query
/// was read without them.
#[test]
fn d0_s4_broken_pairs_of_a_query_are_no_token() {
    let a = token("a");
    for broken in [
        format!("{a};"),
        format!("{a}%"),
        "%zz".to_owned(),
        ";authorization=".to_owned(),
    ] {
        let uri = format!("/?authorization={broken}");
        let cookie = [("cookie", "mercureAuthorization=c")];
        let found = found(&parts(Method::GET, &uri, &cookie));
        assert_eq!(found, Ok(Some("c".to_owned())), "{broken}");
    }
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

/// What a place holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Held {
    Nothing,
    Token,
    Short,
    Twice,
}

fn held() -> impl Strategy<Value = Held> {
    select(vec![
        Held::Nothing,
        Held::Nothing,
        Held::Token,
        Held::Short,
        Held::Twice,
    ])
}

/// A request with its token in each of these places, each token of letters of its own.
fn request_with(header: Held, query: Held, one: bool, zero: bool) -> Parts {
    let values = |held, letter: &str| match held {
        Held::Nothing => Vec::new(),
        Held::Token => vec![token(letter)],
        Held::Short => vec![letter.repeat(40)],
        Held::Twice => vec![token(letter), token(letter)],
    };
    let query: String = values(query, "q")
        .iter()
        .map(|token| format!("&authorization={token}"))
        .collect();
    let bearers: Vec<_> = values(header, "h")
        .iter()
        .map(|token| format!("Bearer {token}"))
        .collect();
    let mut headers: Vec<(&str, &str)> = bearers
        .iter()
        .map(|bearer| ("authorization", bearer.as_str()))
        .collect();
    if zero {
        headers.push(("cookie", "mercureAuthorization=zero"));
    }
    if one {
        headers.push(("cookie", "x=y; __Secure-mercure_access_token=one"));
    }
    parts(Method::GET, &format!("/?x=1{query}"), &headers)
}

/// The ranks of D0-A1 to D0-A3, D1-A5 and DX-7, as they are written there.
fn expected(
    dialect: Option<Dialect>,
    header: Held,
    query: Held,
    one: bool,
    zero: bool,
) -> Result<Option<String>, CredentialError> {
    match header {
        Held::Token => return Ok(Some(token("h"))),
        Held::Short => return Err(CredentialError::HeaderMalformed),
        Held::Twice => return Err(CredentialError::HeaderRepeated),
        Held::Nothing => {}
    }
    if dialect != Some(Dialect::D1) {
        match query {
            Held::Token => return Ok(Some(token("q"))),
            Held::Short => return Err(CredentialError::QueryMalformed),
            Held::Twice => return Err(CredentialError::QueryRepeated),
            Held::Nothing => {}
        }
    }
    let cookie = match dialect {
        Some(Dialect::D0) => zero.then_some("zero"),
        Some(Dialect::D1) => one.then_some("one"),
        None => one.then_some("one").or(zero.then_some("zero")),
    };
    Ok(cookie.map(str::to_owned))
}

/// Queries in which something is an `authorization`, or nearly so.
fn query() -> impl Strategy<Value = String> {
    let long = "a".repeat(41);
    let fragments = vec![
        "authorization=",
        "authorization",
        "%61uthorization=",
        "Authorization=",
        "&",
        "&",
        ";",
        "%",
        "%zz",
        "%ff",
        "+",
        "=",
        "x",
        &long,
        &long,
    ];
    let fragments: Vec<String> = fragments.into_iter().map(str::to_owned).collect();
    vec(select(fragments), 0..8).prop_map(|fragments| fragments.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn d0_a1_d1_a5_dx_7_the_highest_place_alone_counts(
        header in held(), query in held(), one in any::<bool>(), zero in any::<bool>(),
        dialect in select(vec![None, Some(Dialect::D0), Some(Dialect::D1)]),
    ) {
        let parts = request_with(header, query, one, zero);
        let found = PLACES.find(&parts, dialect);
        let found = found.map(|found| found.map(|found| found.token.into_owned()));
        prop_assert_eq!(found, expected(dialect, header, query, one, zero));
    }

    /// Two readers that see different names in one query are two opinions on who is asking.
    #[test]
    fn d0_s4_a_query_holds_a_token_for_all_its_readers_or_for_none(query in query()) {
        let parts = parts(Method::GET, &format!("/?{query}"), &[]);
        let read = Form::from_query(&query);
        match PLACES.find(&parts, None) {
            Ok(None) => prop_assert!(!read.has("authorization")),
            Ok(Some(found)) => prop_assert_eq!(read.all("authorization"), Ok(vec![&*found.token])),
            Err(_) => prop_assert!(read.has("authorization")),
        }
    }

    /// Whatever the fields hold: a token that is found stands in the field as it is.
    #[test]
    fn d0_a1_d0_a3_a_token_is_found_as_it_was_sent(
        scheme in select(vec!["", "Bearer ", "bearer  ", "Bearer\t", "Basic "]),
        bytes in vec(any::<u8>(), 0..60),
        name in select(vec!["authorization", "cookie"]),
    ) {
        let value = [scheme.as_bytes(), b"mercureAuthorization=", &bytes].concat();
        let Ok(value) = HeaderValue::from_bytes(&value) else {
            return Ok(());
        };
        let mut parts = parts(Method::GET, "/", &[]);
        parts.headers.insert(name, value.clone());
        if let Ok(Some(found)) = PLACES.find(&parts, None) {
            let text = String::from_utf8_lossy(value.as_bytes());
            prop_assert!(text.contains(&*found.token), "{:?} in {:?}", found.token, text);
        }
    }
}
