use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Failure, Heard, Outcome, Scope};

/// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 §5.6.7.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

fn outcome(status: u16) -> Outcome {
    let status = StatusCode::from_u16(status).unwrap();
    Outcome::of_status(status, &HeaderMap::new(), now())
}

#[test]
fn standard_webhooks_only_2xx_is_success_and_most_of_3xx_and_4xx_is_final() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(outcome(status), Outcome::Told, "{status}");
    }
    for status in [300, 301, 307, 308, 400, 401, 404, 409, 410, 422, 499] {
        assert_eq!(outcome(status), Outcome::Refused, "{status}");
    }
}

#[test]
fn what_may_pass_is_tried_again_and_who_waits_depends_on_whose_fault_it_is() {
    let check = |status, scope, heard| {
        let retry_after = None;
        let expected = Failure {
            scope,
            heard,
            retry_after,
        };
        assert_eq!(outcome(status), Outcome::Failed(expected), "{status}");
    };
    check(429, Scope::Receiver, Heard::No);
    for status in [502, 503, 504] {
        check(status, Scope::Receiver, Heard::Maybe);
    }
    for status in [408, 425, 500, 501, 505, 599] {
        check(status, Scope::Notice, Heard::Maybe);
    }
}

#[test]
fn rfc_9110_10_2_3_retry_after_is_seconds_or_a_date() {
    let check = |text: &'static str, expected: Option<u64>| {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
        let outcome = Outcome::of_status(StatusCode::SERVICE_UNAVAILABLE, &headers, now());
        let Outcome::Failed(failure) = outcome else {
            panic!("503 is a failure");
        };
        assert_eq!(
            failure.retry_after,
            expected.map(Duration::from_secs),
            "{text}"
        );
    };
    check("120", Some(120));
    check("0", Some(0));
    check("Sun, 06 Nov 1994 08:51:37 GMT", Some(120));
    check("Sun, 06 Nov 1994 08:49:00 GMT", Some(0));
    check("soon", None);
    check("-5", None);
    check("99999999999999999999999", None);
}
