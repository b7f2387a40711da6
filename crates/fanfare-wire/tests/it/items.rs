//! The decoder's own promises: items at once, nothing lost by stopping early, one source after another.

use fanfare_wire::Item;

use crate::said::{Said, decoder_after, rest_of};

#[test]
fn sse_22_items_come_in_the_order_of_their_lines() {
    let mut decoder = decoder_after("");
    let body = b"data: a\n: c\nretry: 10\nid: 1\n\nid: 2\n\ndata\nevent: t\n\n";
    assert_eq!(
        rest_of(decoder.feed(body)),
        [
            Said::Comment(" c".to_owned()),
            Said::Retry(10),
            Said::event("message", "a", "1"),
            Said::Cursor("2".to_owned()),
            Said::event("t", "", "2"),
        ]
    );
}

#[test]
fn sse_22_dropped_items_lose_nothing() {
    let mut decoder = decoder_after("");
    let first = decoder
        .feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\nid: 4\nda")
        .next()
        .map(Said::from);
    assert_eq!(first, Some(Said::event("message", "a", "1")));
    // What was not yielded has not moved the cursor either.
    assert_eq!(decoder.last_event_id(), "1");

    let second = decoder.feed(b"").next().map(Said::from);
    assert_eq!(second, Some(Said::event("message", "b", "2")));
    assert_eq!(
        rest_of(decoder.feed(b"ta: d\n\n")),
        [
            Said::event("message", "c", "3"),
            Said::event("message", "d", "4"),
        ]
    );
    assert_eq!(
        rest_of(decoder.feed(b"data: e\n\n")),
        [Said::event("message", "e", "4")]
    );
}

#[test]
fn sse_22_items_never_asked_lose_nothing() {
    let mut decoder = decoder_after("");
    drop(decoder.feed(b"\xEF\xBB\xBFdata: a\r"));
    drop(decoder.feed(b"\n\r"));
    assert_eq!(
        rest_of(decoder.feed(b"\n")),
        [Said::event("message", "a", "")]
    );
}

#[test]
fn sse_14_retry_counts_without_a_blank_line() {
    let mut decoder = decoder_after("");
    assert_eq!(decoder.feed(b"retry: 250\n").next(), Some(Item::Retry(250)));
}

#[test]
fn sse_21_comment_is_said_inside_a_block_and_leaves_it_whole() {
    let mut decoder = decoder_after("");
    assert_eq!(rest_of(decoder.feed(b"event: t\ndata: a\n:")), []);
    assert_eq!(
        rest_of(decoder.feed(b" c\r")),
        [Said::Comment(" c".to_owned())]
    );
    assert_eq!(
        rest_of(decoder.feed(b"\ndata: b\r\n\r")),
        [Said::event("t", "a\nb", "")]
    );
}

#[test]
fn sse_19_end_of_body_forgets_what_was_not_dispatched() {
    let mut decoder = decoder_after("1");
    let unfinished = b"event: t\ndata: a\nid: 2\nretry: 5\ndata: unfinished";
    assert_eq!(rest_of(decoder.feed(unfinished)), [Said::Retry(5)]);
    decoder.restart();
    assert_eq!(decoder.last_event_id(), "1");
    assert_eq!(
        rest_of(decoder.feed(b"\ndata: b\n\n")),
        [Said::event("message", "b", "1")]
    );
}

#[test]
fn sse_20_next_body_goes_on_from_the_last_event_id() {
    let mut decoder = decoder_after("");
    decoder.event_bytes_max = 100;
    assert_eq!(
        rest_of(decoder.feed(b"id: 7\n\n")),
        [Said::Cursor("7".to_owned())]
    );
    decoder.restart();
    // A body's mark is dropped again (SSE-02), and the limit stays.
    let body = b"\xEF\xBB\xBFdata: a\n\n";
    assert_eq!(
        rest_of(decoder.feed(body)),
        [Said::event("message", "a", "7")]
    );
    assert_eq!(decoder.event_bytes_max, 100);
}
