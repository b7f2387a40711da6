use http::{HeaderValue, Method, StatusCode};

use super::{InvalidRedirect, Leave, Route};

const STRICT: Leave = Leave {
    insecure: false,
    body_across_origins: false,
};

fn route(method: Method, url: &str) -> Route {
    Route {
        url: url.parse().unwrap(),
        method,
        body: true,
        secrets: true,
    }
}

fn follow(from: &Route, status: u16, location: &str) -> Result<Route, InvalidRedirect> {
    let location = HeaderValue::from_bytes(location.as_bytes()).unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    from.follow(status, Some(&location), STRICT)
}

#[test]
fn rc_18_method_and_body_by_status() {
    let check = |status, before: Method, after: Method| {
        let to = follow(&route(before.clone(), "http://a/x"), status, "/y").unwrap();
        assert_eq!(to.method, after, "{status} {before}");
        assert_eq!(to.body, before == after, "{status} {before}");
    };
    for status in [301, 302] {
        check(status, Method::POST, Method::GET);
        check(status, Method::PUT, Method::PUT);
        check(status, Method::GET, Method::GET);
    }
    for method in [Method::POST, Method::PUT] {
        check(303, method.clone(), Method::GET);
        check(307, method.clone(), method.clone());
        check(308, method.clone(), method);
    }
}

#[test]
fn cx_13_locations_are_resolved_against_the_current_url() {
    let from = route(Method::GET, "http://a.example/x/y?z");
    let to = |location| follow(&from, 307, location).unwrap().url.to_string();
    assert_eq!(to("w"), "http://a.example/x/w");
    assert_eq!(to("?q"), "http://a.example/x/y?q");
    assert_eq!(to("//b.example/"), "http://b.example/");
    assert_eq!(to("https://c.example/é#f"), "https://c.example/%C3%A9");
}

#[test]
fn cx_11_rc_18_secrets_stay_behind_at_another_origin() {
    let from = route(Method::POST, "https://a.example/x");
    let kept = |location| {
        let to = follow(&from, 307, location).unwrap();
        (to.secrets, to.body)
    };
    assert_eq!(kept("/y"), (true, true));
    assert_eq!(kept("https://a.example:443/y"), (true, true));
    assert_eq!(kept("https://b.example/x"), (false, false));
    assert_eq!(kept("https://a.example:444/x"), (false, false));

    let away = follow(&from, 307, "https://b.example/x").unwrap();
    let back = follow(&away, 307, "https://a.example/x").unwrap();
    assert!(!back.secrets, "dropped for the rest of the chain");

    let upgraded = follow(
        &route(Method::GET, "http://a.example/"),
        301,
        "https://a.example/",
    );
    assert!(
        !upgraded.unwrap().secrets,
        "another scheme is another origin"
    );
}

#[test]
fn rc_18_body_crosses_origins_by_leave_only() {
    let leave = Leave {
        body_across_origins: true,
        ..STRICT
    };
    let location = HeaderValue::from_static("http://b.example/");
    let from = route(Method::POST, "http://a.example/");
    let to = from.follow(StatusCode::TEMPORARY_REDIRECT, Some(&location), leave);
    assert!(to.unwrap().body);
}

#[test]
fn rc_16_redirects_that_lead_nowhere() {
    let from = route(Method::GET, "https://a.example/x");
    let fault = |location| follow(&from, 301, location).unwrap_err();
    assert_eq!(fault(""), InvalidRedirect::NoLocation);
    assert_eq!(fault("https://"), InvalidRedirect::Malformed);
    assert_eq!(fault("ftp://a.example/"), InvalidRedirect::Malformed);
    assert_eq!(fault("data:,x"), InvalidRedirect::Malformed);
    assert_eq!(fault("https://u@a.example/"), InvalidRedirect::UserInfo);
    assert_eq!(fault("https://:p@a.example/"), InvalidRedirect::UserInfo);
    assert_eq!(fault("http://a.example/x"), InvalidRedirect::Insecure);
    let absent = from.follow(StatusCode::FOUND, None, STRICT);
    assert_eq!(absent, Err(InvalidRedirect::NoLocation));
    let latin = HeaderValue::from_bytes(b"/\xE9").unwrap();
    let malformed = from.follow(StatusCode::FOUND, Some(&latin), STRICT);
    assert_eq!(malformed, Err(InvalidRedirect::Malformed));
}
