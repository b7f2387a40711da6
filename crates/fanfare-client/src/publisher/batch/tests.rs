use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{Answer, Fault, Outcome, outcomes};

fn told(status: u16, body: &'static str, count: usize) -> Vec<String> {
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
    };
    let text = |outcome| match outcome {
        Outcome::Stored(receipt) => format!("stored {} {}", receipt.id, receipt.replayed),
        Outcome::Refused(Fault::Status { status, detail }) => format!("refused {status} {detail}"),
        Outcome::Refused(fault) => panic!("{fault:?}"),
        Outcome::NotStored(fault) => format!("not stored: {fault}"),
        Outcome::Again { may_be_stored, .. } => format!("again {may_be_stored}"),
    };
    outcomes(&answer, count).into_iter().map(text).collect()
}

#[test]
fn o6_one_outcome_a_line() {
    let body = "{\"outcome\":\"stored\",\"id\":\"1\"}\n\
                {\"outcome\":\"stored\",\"id\":\"2\",\"replayed\":true}\n\
                {\"outcome\":\"not_stored\",\"status\":503,\"detail\":\"full\"}\n\
                {\"outcome\":\"not_stored\",\"status\":422,\"detail\":\"reused\"}\n\
                {\"outcome\":\"unknown\",\"status\":504,\"detail\":\"?\"}\n\
                {\"outcome\":\"odd\"}\n";
    assert_eq!(
        told(207, body, 6),
        [
            "stored 1 false",
            "stored 2 true",
            "again false",
            "refused 422 Unprocessable Entity reused",
            "again true",
            "again true",
        ]
    );
}

#[test]
fn o6_an_answer_about_the_request_is_about_all() {
    let body = "{\"type\":\"about:blank\",\"detail\":\"no token\"}";
    let refused = "refused 401 Unauthorized no token";
    assert_eq!(told(401, body, 2), [refused, refused]);
    assert_eq!(told(503, "", 2), ["again false", "again false"]);
    assert_eq!(told(502, "<html>", 1), ["again true"]);
}

#[test]
fn o6_an_answer_with_other_lines_proves_nothing() {
    let one = "{\"outcome\":\"stored\",\"id\":\"1\"}\n";
    assert_eq!(told(200, one, 2), ["again true", "again true"]);
    assert_eq!(told(200, "", 1), ["again true"]);
}
