use std::time::{Duration, SystemTime};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Fault, Meaning, meaning, retry_after};
use crate::config::{Judge, Policy, Verdict};

fn stream_headers() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))])
}

#[track_caller]
fn check(status: u16, resilient: Meaning, spec: Meaning) {
    let headers = stream_headers();
    let code = StatusCode::from_u16(status).unwrap();
    let of = |policy| meaning(code, &headers, &policy);
    assert_eq!(of(Policy::Resilient), resilient, "{status}, resilient");
    assert_eq!(of(Policy::Spec), spec, "{status}, by the Standard");
}

const FAIL: Meaning = Meaning::Fail(Fault::Status);

#[test]
fn rc_16_every_status() {
    for status in 100..=599 {
        let resilient = match status {
            200 => Meaning::Open,
            204 => Meaning::End,
            301 | 302 | 303 | 307 | 308 => Meaning::Follow,
            401 | 403 => Meaning::Authorize,
            408 | 425 | 429 => Meaning::Retry,
            500.. => Meaning::Retry,
            _ => FAIL,
        };
        let spec = match status {
            200 => Meaning::Open,
            301 | 302 | 303 | 307 | 308 => Meaning::Follow,
            _ => FAIL,
        };
        check(status, resilient, spec);
    }
}

#[test]
fn rc_16_a_function_decides_what_the_format_leaves_open() {
    let headers = stream_headers();
    let judge = |status: StatusCode, _: &HeaderMap| match status.as_u16() {
        404 => Verdict::Retry,
        410 => Verdict::End,
        _ => Verdict::Fail,
    };
    let policy = Policy::Judge(Judge::new(judge));
    let of = |status| meaning(StatusCode::from_u16(status).unwrap(), &headers, &policy);
    assert_eq!(of(404), Meaning::Retry);
    assert_eq!(of(410), Meaning::End);
    assert_eq!(of(503), FAIL);
    assert_eq!(of(200), Meaning::Open);
    assert_eq!(of(307), Meaning::Follow);
}

#[test]
fn cx_06_rc_17_media_types() {
    let of = |content_type: Option<&'static str>| {
        let value = content_type.map(|it| (CONTENT_TYPE, HeaderValue::from_static(it)));
        let headers = HeaderMap::from_iter(value);
        meaning(StatusCode::OK, &headers, &Policy::Resilient)
    };
    let wrong = Meaning::Fail(Fault::ContentType);
    assert_eq!(of(Some("text/event-streamx")), wrong);
    assert_eq!(of(Some("text/html")), wrong);
    assert_eq!(of(None), wrong);
    assert_eq!(of(Some("")), wrong);
    assert_eq!(of(Some("text/event-stream, text/plain")), wrong);
    assert_eq!(of(Some("TEXT/EVENT-STREAM ; a=b")), Meaning::Open);
    assert_eq!(of(Some("text/event-stream;")), Meaning::Open);
    assert_eq!(of(Some("text/event-stream;charset=latin1")), Meaning::Open);
}

#[test]
fn cx_19_rc_16_encoded_bodies_are_final() {
    let of = |encoding| {
        let mut headers = stream_headers();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        meaning(StatusCode::OK, &headers, &Policy::Resilient)
    };
    assert_eq!(of("gzip"), Meaning::Fail(Fault::Encoding));
    assert_eq!(of("identity, br"), Meaning::Fail(Fault::Encoding));
    assert_eq!(of("Identity"), Meaning::Open);
}

#[test]
fn cx_05_rc_23_retry_after() {
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    let of = |text: &'static str, now: SystemTime| {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
        retry_after(&headers, now)
    };
    let secs = Duration::from_secs;
    assert_eq!(of("2", now), Some(secs(2)));
    assert_eq!(of(" 2 ", now), Some(secs(2)));
    assert_eq!(of("Sun, 06 Nov 1994 08:49:39 GMT", now), Some(secs(2)));
    assert_eq!(of("Sun, 06 Nov 1994 08:49:30 GMT", now), None);
    assert_eq!(of("1000000000", now), Some(secs(1_000_000_000)));
    assert_eq!(of("99999999999999999999999", now), Some(secs(u64::MAX)));
    for rubbish in ["", "soon", "-1", "1.5", "1e9"] {
        assert_eq!(of(rubbish, now), None, "{rubbish:?}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), now), None);
}
