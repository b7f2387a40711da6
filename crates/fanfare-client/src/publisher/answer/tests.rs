use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Answer, Fault, Outcome};

fn answer(status: u16, body: &'static str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
    }
}

#[test]
fn o1_stored() {
    let mut stored = answer(200, "urn:ff:a-1");
    assert!(
        matches!(stored.outcome(), Outcome::Stored(it) if it.id.as_str() == "urn:ff:a-1" && !it.replayed)
    );
    let replayed = HeaderValue::from_static("true");
    stored.headers.insert("idempotent-replayed", replayed);
    assert!(matches!(stored.outcome(), Outcome::Stored(it) if it.replayed));
}

#[test]
fn o1_every_other_status() {
    for status in 300..600 {
        let outcome = answer(status, "").outcome();
        let as_expected = match status {
            408 | 425 | 429 | 503 => matches!(
                outcome,
                Outcome::Again {
                    may_be_stored: false,
                    ..
                }
            ),
            507 => matches!(outcome, Outcome::NotStored(_)),
            500.. => matches!(
                outcome,
                Outcome::Again {
                    may_be_stored: true,
                    ..
                }
            ),
            _ => matches!(outcome, Outcome::Refused(_)),
        };
        assert!(as_expected, "{status}: {outcome:?}");
    }
}

#[test]
fn o1_a_success_that_is_no_hubs_is_no_proof() {
    for body in ["", "two\nlines"] {
        let outcome = answer(200, body).outcome();
        let is_unknown = matches!(
            outcome,
            Outcome::Again {
                may_be_stored: true,
                fault: Fault::Unreadable { .. },
                ..
            }
        );
        assert!(is_unknown, "{outcome:?}");
    }
}

#[test]
fn o1_retry_after_and_detail() {
    let mut limited = answer(429, "{\"title\":\"t\",\"detail\":\"slow down\"}");
    limited
        .headers
        .insert(RETRY_AFTER, HeaderValue::from_static("7"));
    let Outcome::Again {
        retry_after,
        fault: Fault::Status { detail, .. },
        ..
    } = limited.outcome()
    else {
        panic!("429 is worth another attempt");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert_eq!(detail, "slow down");

    let Outcome::Refused(Fault::Status { detail, .. }) = answer(400, " plain words ").outcome()
    else {
        panic!("400 is not");
    };
    assert_eq!(detail, "plain words");
}
