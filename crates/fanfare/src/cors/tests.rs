use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{allow_origin, preflight};
use crate::origins::Origins;

fn origins(list: &[&str]) -> Origins {
    Origins::new(list.iter().map(|text| text.parse().unwrap()).collect())
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let fields = fields.iter().map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    fields.collect()
}

fn answer(list: &[&str], origin: &'static str) -> HeaderMap {
    let mut answer = HeaderMap::new();
    let origin = HeaderValue::from_static(origin);
    allow_origin(&origins(list), Some(&origin), &mut answer);
    answer
}

#[test]
fn d0_c1_no_origins_no_headers() {
    assert_eq!(answer(&[], "https://a.example"), HeaderMap::new());
    let request = headers(&[("access-control-request-method", "GET")]);
    assert!(preflight(&origins(&[]), &Method::OPTIONS, &request).is_none());
}

#[test]
fn d0_c2_allowed_origin_is_echoed_with_credentials() {
    let answer = answer(
        &["https://a.example", "https://b.example"],
        "https://b.example",
    );
    assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "https://b.example");
    assert_eq!(answer[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
    assert_eq!(answer[VARY], "Origin");
    let exposed = answer[ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
    assert!(exposed.contains("Last-Event-ID"), "d0_g9: {exposed}");
}

#[test]
fn s9_other_origins_get_nothing_but_vary() {
    for origin in [
        "https://evil-a.example",
        "https://a.example.evil",
        "http://a.example",
        "https://a.example:8443",
        "null",
    ] {
        let answer = answer(&["https://a.example"], origin);
        assert_eq!(answer.get(ACCESS_CONTROL_ALLOW_ORIGIN), None, "{origin}");
        assert_eq!(answer[VARY], "Origin");
    }
}

#[test]
fn d0_c5_any_origin_means_no_credentials() {
    let answer = answer(&["*", "https://a.example"], "https://a.example");
    assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(answer.get(ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
}

#[test]
fn d0_c3_preflight_echoes_what_is_allowed() {
    let ask = |method, fields| {
        let request = headers(&[
            ("origin", "https://a.example"),
            ("access-control-request-method", method),
            ("access-control-request-headers", fields),
        ]);
        preflight(&origins(&["https://a.example"]), &Method::OPTIONS, &request).unwrap()
    };
    let answer = ask("POST", "Authorization, last-event-id");
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_METHODS], "POST");
    let fields = &answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS];
    assert_eq!(fields, "Authorization, last-event-id");

    for (method, fields) in [("DELETE", "authorization"), ("GET", "x-evil")] {
        let answer = ask(method, fields);
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.headers().get(ACCESS_CONTROL_ALLOW_METHODS), None);
        assert_eq!(answer.headers().get_all(VARY).iter().count(), 2);
    }
}

#[test]
fn d1_c2_query_is_allowed_and_what_1_0_reads_is_exposed() {
    let request = headers(&[
        ("origin", "https://a.example"),
        ("access-control-request-method", "QUERY"),
        (
            "access-control-request-headers",
            "authorization, cache-control, last-event-id",
        ),
    ]);
    let allowed = preflight(&origins(&["https://a.example"]), &Method::OPTIONS, &request).unwrap();
    assert_eq!(allowed.headers()[ACCESS_CONTROL_ALLOW_METHODS], "QUERY");

    let answer = answer(&["https://a.example"], "https://a.example");
    let exposed = answer[ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
    for field in ["Link", "Mercure-Last-Event-ID", "Last-Event-ID", "ETag"] {
        assert!(
            exposed.split(", ").any(|it| it == field),
            "d1_h6, d1_g5: {field}"
        );
    }
}
