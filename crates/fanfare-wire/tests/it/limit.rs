//! SSE-24: one past the limit, and what still counts after it.

use fanfare_wire::Item;

use crate::said::{Said, decode, decoder_after, decoder_with_limit};

/// Decodes `body` with a limit of 8 bytes, whole and byte by byte.
#[track_caller]
fn check(body: &str, expected: &[Said]) {
    let (whole, _) = decode(decoder_with_limit(8), [body.as_bytes()]);
    assert_eq!(whole, expected, "{body:?} whole");
    let (pieces, _) = decode(decoder_with_limit(8), body.as_bytes().chunks(1));
    assert_eq!(pieces, expected, "{body:?} by 1");
}

#[test]
fn sse_24_limit_itself_is_allowed() {
    check(
        "data: 12345678\n\n",
        &[Said::event("message", "12345678", "")],
    );
    check(
        "data: 123\ndata: 5678\n\n",
        &[Said::event("message", "123\n5678", "")],
    );
}

#[test]
fn sse_24_one_byte_more_is_too_long() {
    check("data: 123456789\n\n", &[Said::TooLong]);
    check("data: 123\ndata: 56789\n\n", &[Said::TooLong]);
    check("data: 1234\nevent: 6789\n\n", &[Said::TooLong]);
    check("event: 123456789\n\n", &[Said::TooLong]);
    check("id: 123456789\n\n", &[Said::TooLong]);
}

/// Data that fills the limit leaves less than no room, for its LF counts too. A line without a value
/// fitted in there if it came whole, and was too long if it came in pieces.
#[test]
fn sse_24_empty_line_after_data_that_fills_the_limit_is_too_long() {
    check("data: 12345678\ndata\n\n", &[Said::TooLong]);
    check("data: 12345678\nid\n\n", &[Said::TooLong]);
}

#[test]
fn sse_24_too_long_is_said_once_and_decoding_goes_on() {
    check(
        "data: 123456789\ndata: 123456789\ndata: x\nevent: y\n\ndata: z\n\n",
        &[Said::TooLong, Said::event("message", "z", "")],
    );
    check(
        "data: 123456789\n\ndata: 123456789\n\n",
        &[Said::TooLong, Said::TooLong],
    );
}

#[test]
fn sse_24_id_and_retry_of_the_block_still_count() {
    let expected = [
        Said::TooLong,
        Said::Retry(5),
        Said::Cursor("7".to_owned()),
        Said::event("message", "z", "7"),
    ];
    check("data: 123456789\nid: 7\nretry: 5\n\ndata: z\n\n", &expected);
    check("id: 7\ndata: 123456789\nretry: 5\n\ndata: z\n\n", &expected);
}

#[test]
fn sse_24_too_long_is_said_before_the_line_ends() {
    let (said, _) = decode(decoder_with_limit(8), [b"data: 123456789".as_slice()]);
    assert_eq!(said, [Said::TooLong]);
}

#[test]
fn sse_24_comment_is_cut() {
    check(
        ":123456789\ndata: x\n\n",
        &[
            Said::Comment("12345678".to_owned()),
            Said::event("message", "x", ""),
        ],
    );
}

#[test]
fn sse_15_unknown_field_is_ignored_at_any_length() {
    check(
        "unknown: 123456789\ndata: x\n\n",
        &[Said::event("message", "x", "")],
    );
}

/// The longest line among the public contract cases for event sources.
#[test]
fn sse_24_default_takes_14_megabytes_in_one_line() {
    let data = "x".repeat(13_981_016);
    let body = format!("data: {data}\n\n");
    for size in [1_460, 65_536, body.len()] {
        let (said, _) = decode(decoder_after(""), body.as_bytes().chunks(size));
        assert!(said == [Said::event("message", &data, "")], "by {size}");
    }
}

#[test]
fn sse_24_default_is_16_mebibytes() {
    let body = |bytes: usize| format!("data: {}\n\n", "x".repeat(bytes));
    let (said, _) = decode(decoder_after(""), [body(16 * 1024 * 1024).as_bytes()]);
    assert!(said != [Said::TooLong]);
    let (said, _) = decode(decoder_after(""), [body(16 * 1024 * 1024 + 1).as_bytes()]);
    assert!(said == [Said::TooLong]);
}

#[test]
fn rc_13_the_block_that_is_given_up_tells_its_id() {
    let mut decoder = decoder_with_limit(8);
    assert_eq!(decoder.block_id(), None);
    let mut items = decoder.feed(b"id: 7\ndata: 123456789\ndata: x");
    assert_eq!(items.next(), Some(Item::TooLong));
    drop(items);
    assert_eq!(decoder.block_id(), Some("7"));
    assert_eq!(decoder.last_event_id(), "");
    assert_eq!(decoder.feed(b"\n\n").next(), Some(Item::Cursor("7")));
    assert_eq!(decoder.block_id(), None);
    // An id after the data is too late.
    assert_eq!(
        decoder.feed(b"data: 123456789\nid: 8\n").next(),
        Some(Item::TooLong)
    );
    assert_eq!(decoder.block_id(), None);
}
