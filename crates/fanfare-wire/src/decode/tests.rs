//! What only the inside of the decoder shows: memory held, and work done.

use std::cell::Cell;

use super::*;

thread_local! {
    static WORK_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Notes that `bytes` were searched or checked.
pub(super) fn count_work(bytes: usize) {
    WORK_BYTES.set(WORK_BYTES.get() + bytes);
}

fn feed_all(decoder: &mut Decoder, chunk: &[u8]) -> usize {
    let mut items = decoder.feed(chunk);
    let mut count = 0;
    while items.next().is_some() {
        count += 1;
    }
    count
}

fn buffer_bytes(decoder: &Decoder) -> usize {
    decoder.unread.capacity()
        + decoder.line.capacity()
        + decoder.data.capacity()
        + decoder.event_type.capacity()
        + decoder.pending_id.as_ref().map_or(0, String::capacity)
        + decoder.repaired.capacity()
}

#[test]
fn sse_14_retry_is_digits_only_and_saturates() {
    let check = |value: &str, expected| {
        assert_eq!(retry_millis(value.as_bytes()), expected, "{value:?}");
    };
    check("0", Some(0));
    check("007", Some(7));
    check("18446744073709551615", Some(u64::MAX));
    check("18446744073709551616", Some(u64::MAX));
    check("99999999999999999999999999", Some(u64::MAX));
    for other in [
        "", "+5", "-5", "1e3", "0x10", "1.5", "10 ", " 10", "\u{665}",
    ] {
        check(other, None);
    }
}

#[test]
fn sse_09_line_is_split_at_its_first_colon() {
    let check = |line: &str, expected: (Field, &str)| {
        let (field, value) = Field::split(line.as_bytes());
        assert_eq!(
            (field, value),
            (expected.0, expected.1.as_bytes()),
            "{line:?}"
        );
    };
    check("data: a:b ", (Field::Data, "a:b "));
    check("data:a", (Field::Data, "a"));
    check("data:  a", (Field::Data, " a"));
    check("data:\ta", (Field::Data, "\ta"));
    check("data", (Field::Data, ""));
    check("event: x", (Field::Type, "x"));
    check("event", (Field::Type, ""));
    check("id:", (Field::Id, ""));
    check("retry: 1", (Field::Retry, "1"));
    check(": a", (Field::Comment, " a"));
    check(":", (Field::Comment, ""));
    for unknown in [
        "Data: a",
        " data: a",
        "data : a",
        "data\0: a",
        "datax",
        "eventx: a",
    ] {
        assert_eq!(
            Field::split(unknown.as_bytes()).0,
            Field::Unknown,
            "{unknown:?}"
        );
    }
}

#[test]
fn sse_22_event_in_one_chunk_costs_no_allocation() {
    let mut decoder = Decoder::default();
    assert_eq!(feed_all(&mut decoder, b"event: a\nid: 100\ndata: x\n\n"), 1);
    let id_place = decoder.last_event_id.as_ptr();
    for _ in 0..100 {
        assert_eq!(
            feed_all(&mut decoder, b"event: b\nid: 200\ndata: y\n\n: c\n"),
            2
        );
    }
    assert_eq!(buffer_bytes(&decoder), 0);
    assert_eq!(decoder.last_event_id.as_ptr(), id_place);
}

#[test]
fn sse_22_field_in_one_chunk_is_borrowed_from_it() {
    let chunk = b"event: greeting\ndata: hello\n\n:comment\n";
    let within = |text: &str| chunk.as_ptr_range().contains(&text.as_ptr());
    let mut decoder = Decoder::default();
    let mut items = decoder.feed(chunk);
    let Some(Item::Event {
        event_type, data, ..
    }) = items.next()
    else {
        panic!("expected an event");
    };
    assert!(within(event_type) && within(data));
    let Some(Item::Comment(text)) = items.next() else {
        panic!("expected a comment");
    };
    assert!(within(text));
}

#[test]
fn sse_22_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 208, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::default();
    let event = format!("event: big\nid: 7\ndata: {}\n\n", "x".repeat(100_000));
    for piece in event.as_bytes().chunks(1_460) {
        feed_all(&mut decoder, piece);
    }
    assert_eq!(decoder.last_event_id(), "7");
    assert!(
        buffer_bytes(&decoder) <= 2 * KEPT_BYTES_MAX,
        "{}",
        buffer_bytes(&decoder)
    );
}

#[test]
fn sse_23_work_is_linear_at_any_chunking() {
    let line = [b"data: ".as_slice(), &[b'x'; 1_000_000], b"\n\n"].concat();
    let many = b"id: 1\ndata: x\ndata: y\n\n".repeat(1_000);
    let odd = [
        b"data: ".as_slice(),
        &[0xFF; 100_000],
        b"\n:",
        &[b'c'; 100_000],
        b"\n\n",
    ]
    .concat();
    for body in [line, many, odd] {
        for size in [1, 7, 1_460, 65_536, body.len()] {
            WORK_BYTES.set(0);
            let mut decoder = Decoder::default();
            let items: usize = body
                .chunks(size)
                .map(|chunk| feed_all(&mut decoder, chunk))
                .sum();
            assert!(items > 0);
            // Once to find its line's end, once to check its text.
            let work = WORK_BYTES.get();
            assert!(
                work <= 2 * body.len(),
                "{work} for {} by {size}",
                body.len()
            );
        }
    }
}

#[test]
fn sse_24_memory_is_bounded() {
    const LIMIT: usize = 4_096;
    const PIECE: usize = 512;
    let endless: [&[u8]; 7] = [
        b"data: ",
        b"event: ",
        b"id: ",
        b"retry: ",
        b"unknown: ",
        b": ",
        b"noname",
    ];
    for start in endless {
        let mut decoder = Decoder {
            event_bytes_max: LIMIT,
            ..Decoder::default()
        };
        feed_all(&mut decoder, start);
        for _ in 0..1_000 {
            feed_all(&mut decoder, &[b'7'; PIECE]);
            // Growing doubles a buffer's room.
            assert!(buffer_bytes(&decoder) <= 2 * (LIMIT + PIECE), "{start:?}");
        }
    }
    let mut decoder = Decoder {
        event_bytes_max: LIMIT,
        ..Decoder::default()
    };
    for _ in 0..10_000 {
        feed_all(&mut decoder, b"data: many short lines\n");
        assert!(buffer_bytes(&decoder) <= 2 * LIMIT);
    }
}
