use http::{HeaderMap, HeaderValue, Request, Version};

use super::{Cursor, StreamRoute, stream_head, user_topic};
use crate::dialect::Dialect;
use crate::error::{InvalidUserId, Refusal};
use crate::form::Form;

fn cursor(header: Option<&[u8]>, query: &str) -> Option<String> {
    let mut headers = HeaderMap::new();
    if let Some(header) = header {
        let value = HeaderValue::from_bytes(header).unwrap();
        headers.insert("last-event-id", value);
    }
    let cursor = Cursor::of(&headers, &Form::from_query(query), Dialect::D0).unwrap();
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
    let refused = Cursor::of(&headers, &Form::default(), Dialect::D0);
    assert_eq!(refused, Err(Refusal::TwoCursors));
}

#[test]
fn d1_h1_cursor_of_1_0_is_answered_also_when_it_is_empty() {
    let read = |header: Option<&'static str>, query| {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("last-event-id", HeaderValue::from_static(header));
        }
        let cursor = Cursor::of(&headers, &Form::from_query(query), Dialect::D1).unwrap();
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

#[test]
fn a_user_id_means_one_user() {
    assert_eq!(user_topic("42").unwrap().as_str(), "user/42");
    assert_eq!(user_topic("").unwrap_err(), InvalidUserId::Length);
    assert_eq!(
        user_topic(&"x".repeat(257)).unwrap_err(),
        InvalidUserId::Length
    );
    assert_eq!(user_topic("{id}").unwrap_err(), InvalidUserId::Braces);
    let error = user_topic("a\nb").unwrap_err();
    assert!(matches!(error, InvalidUserId::Forbidden(_)));
}

#[test]
fn srv_20_connection_by_version() {
    let connection = |version, asked: &'static str| {
        let request = Request::builder()
            .version(version)
            .header("connection", asked);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let head = stream_head(StreamRoute::Events, &parts, None);
        let value = head.headers().get("connection").cloned();
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    for (version, asked, expected) in [
        (Version::HTTP_11, "", Some("keep-alive")),
        (Version::HTTP_11, "Keep-Alive", Some("keep-alive")),
        (Version::HTTP_11, "x, Close", Some("close")),
        (Version::HTTP_10, "keep-alive", Some("close")),
        (Version::HTTP_2, "", None),
    ] {
        assert_eq!(connection(version, asked).as_deref(), expected, "{asked}");
    }
}
