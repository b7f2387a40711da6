use super::*;
use crate::event::{EventId, EventType};

fn encoded(event: &Event) -> String {
    let mut out = Vec::new();
    event.encode(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn enc_02_fields_stand_in_one_order() {
    let event = Event {
        event_type: Some(EventType::parse("update").unwrap()),
        retry: Some(Retry::from_millis(1_500)),
        id: Some(EventId::parse("42").unwrap()),
        data: "x".into(),
    };
    assert_eq!(
        encoded(&event),
        "event: update\nretry: 1500\nid: 42\ndata: x\n\n"
    );
}

#[test]
fn enc_02_absent_fields_are_not_written() {
    assert_eq!(encoded(&Event::new("x")), "data: x\n\n");
}

#[test]
fn enc_02_explicit_message_is_written_as_given() {
    let mut event = Event::new("x");
    event.event_type = Some(EventType::parse("message").unwrap());
    assert_eq!(encoded(&event), "event: message\ndata: x\n\n");
}

#[test]
fn enc_03_data_is_split_at_every_line_end() {
    let check = |data: &str, expected: &str| {
        assert_eq!(encoded(&Event::new(data)), expected, "{data:?}");
    };
    check("a\nb", "data: a\ndata: b\n\n");
    check("a\rb", "data: a\ndata: b\n\n");
    check("a\r\nb", "data: a\ndata: b\n\n");
    check("a\n\rb", "data: a\ndata: \ndata: b\n\n");
    check("a\r\r\nb", "data: a\ndata: \ndata: b\n\n");
    check("a\n", "data: a\ndata: \n\n");
    check("a\r", "data: a\ndata: \n\n");
    check("a\r\n", "data: a\ndata: \n\n");
    check("\n", "data: \ndata: \n\n");
    check("a\n\nid: 7", "data: a\ndata: \ndata: id: 7\n\n");
    // SSE-05: these are text.
    check(
        "a\u{85}b\u{2028}c\u{b}d",
        "data: a\u{85}b\u{2028}c\u{b}d\n\n",
    );
}

#[test]
fn enc_04_one_space_stands_before_leading_spaces() {
    assert_eq!(encoded(&Event::new(" a")), "data:  a\n\n");
    let mut event = Event::new("");
    event.id = Some(EventId::parse(" 7").unwrap());
    event.event_type = Some(EventType::parse(" t").unwrap());
    assert_eq!(encoded(&event), "event:  t\nid:  7\ndata: \n\n");
}

#[test]
fn enc_06_empty_data_is_one_line() {
    assert_eq!(encoded(&Event::new("")), "data: \n\n");
}

#[test]
fn enc_06_retry_alone_is_a_block_without_data() {
    let mut out = Vec::new();
    Retry::from_millis(3_000).encode(&mut out);
    assert_eq!(out, b"retry: 3000\n\n");
}

#[test]
fn enc_07_retry_is_lowered_to_what_every_browser_reads() {
    let check = |millis: u64, expected: &str| {
        let mut event = Event::new("");
        event.retry = Some(Retry::from_millis(millis));
        assert_eq!(encoded(&event), format!("retry: {expected}\ndata: \n\n"));
    };
    check(0, "0");
    check(2_147_483_646, "2147483646");
    check(2_147_483_647, "2147483647");
    check(2_147_483_648, "2147483647");
    check(4_294_967_396, "2147483647");
    check(u64::MAX, "2147483647");
}

#[test]
fn enc_08_comment_is_one_line() {
    let check = |text: &str, expected: &[u8]| {
        let mut out = Vec::new();
        Comment::parse(text).unwrap().encode(&mut out);
        assert_eq!(out, expected, "{text:?}");
    };
    check("connection established", b": connection established\n");
    check("", b": \n");
    check(": x", b": : x\n");
}

#[test]
fn enc_08_heartbeat_is_two_bytes() {
    assert_eq!(HEARTBEAT, b":\n");
}

#[test]
fn enc_09_blocks_follow_one_another_without_a_mark() {
    let mut out = Vec::new();
    Event::new("1").encode(&mut out);
    Event::new("\u{feff}2").encode(&mut out);
    assert_eq!(out, "data: 1\n\ndata: \u{feff}2\n\n".as_bytes());
}
