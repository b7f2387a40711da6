use http::{HeaderMap, HeaderValue};

use super::Presented;
use crate::dialect::Dialect;
use crate::error::Refusal;
use crate::form::Form;

fn cursor(header: Option<&[u8]>, query: &str) -> Option<String> {
    let mut headers = HeaderMap::new();
    if let Some(header) = header {
        let value = HeaderValue::from_bytes(header).unwrap();
        headers.insert("last-event-id", value);
    }
    let cursor = Presented::of(&headers, &Form::from_query(query), Dialect::D0).unwrap();
    cursor.id.map(|id| id.as_str().to_owned())
}

#[test]
fn srv_13_header_first_then_the_query_names() {
    for (header, query, expected) in [
        (None, "", None),
        (Some(&b"h"[..]), "lastEventID=q", Some("h")),
        (Some(b""), "lastEventID=q", Some("q")),
        (None, "lastEventID=&Last-Event-ID=b", Some("b")),
        (None, "lastEventId=c", Some("c")),
        (
            None,
            "lastEventID=a&Last-Event-ID=b&lastEventId=c",
            Some("a"),
        ),
        (None, "lastEventID=urn%3Ax+y%23z", Some("urn:x y#z")),
    ] {
        assert_eq!(cursor(header, query).as_deref(), expected, "{query}");
    }
}

#[test]
fn srv_13_bytes_are_utf_8_and_anything_else_is_unknown() {
    assert_eq!(cursor(Some("é".as_bytes()), "").as_deref(), Some("é"));
    let unknown = Some("urn:ff:unreadable");
    assert_eq!(cursor(Some(b"\xff"), "").as_deref(), unknown);
    assert_eq!(cursor(None, "lastEventID=%FF").as_deref(), unknown);
    assert_eq!(cursor(None, "lastEventID=a%0Ab").as_deref(), unknown);
}

#[test]
fn srv_13_two_headers_are_refused() {
    let mut headers = HeaderMap::new();
    headers.append("last-event-id", HeaderValue::from_static("a"));
    headers.append("last-event-id", HeaderValue::from_static("a"));
    let refused = Presented::of(&headers, &Form::default(), Dialect::D0);
    assert_eq!(refused, Err(Refusal::TwoCursors));
}

#[test]
fn d1_h1_cursor_of_1_0_is_answered_also_when_it_is_empty() {
    let read = |header: Option<&'static str>, query| {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("last-event-id", HeaderValue::from_static(header));
        }
        let cursor = Presented::of(&headers, &Form::from_query(query), Dialect::D1).unwrap();
        let text = |id: &fanfare_wire::EventId| id.as_str().to_owned();
        (
            cursor.id.as_ref().map(text),
            cursor.answer().as_ref().map(text),
        )
    };
    let earliest = Some("earliest".to_owned());
    let found = |id: &str| Some(id.to_owned());
    assert_eq!(read(None, ""), (None, None));
    assert_eq!(read(None, "lastEventID=x&Last-Event-ID=y"), (None, None));
    assert_eq!(
        read(None, "last_event_id=x"),
        (found("x"), earliest.clone())
    );
    assert_eq!(read(Some("h"), "last_event_id=x").0, found("h"));
    assert_eq!(read(Some(""), "last_event_id=x").0, found("x"));
    assert_eq!(read(Some(""), ""), (None, earliest.clone()));
    assert_eq!(read(None, "last_event_id"), (None, earliest));
}
