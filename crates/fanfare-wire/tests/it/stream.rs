//! Arbitrary streams: equality with the Standard's rules, and what must not change the outcome.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cut::{cut, cuts};
use crate::said::{decode, decoder_after, decoder_with_limit};
use crate::standard;

/// Bytes that look like a stream, with everything that a reader may trip over.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let fragments: Vec<&'static [u8]> = vec![
        b"data",
        b"data:",
        b"data: ",
        b"event:",
        b"event: ",
        b"id",
        b"id:",
        b"id: ",
        b"retry:",
        b"retry: ",
        b":",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\r\n\r\n",
        b"\0",
        b"7",
        b"18446744073709551615",
        b"x",
        b"text",
        b"\xEF\xBB\xBF",
        b"\xEF\xBB",
        b"\xEF",
        b"\xBF",
        b"\xE8\xB1",
        b"\xED\xA0\x80",
        b"\xF0\x9F\x98\x80",
        b"\xC0\xAF",
        b"\xC2\x85",
    ];
    let fragment = prop_oneof![
        9 => select(fragments).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(fragment, 0..60).prop_map(|fragments| fragments.concat())
}

/// Lines without their ends, many of them blank.
fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = body().prop_map(|mut bytes| {
        bytes.retain(|byte| !matches!(byte, b'\r' | b'\n'));
        bytes.truncate(12);
        bytes
    });
    vec(prop_oneof![2 => line, 1 => Just(Vec::new())], 0..20)
}

fn joined(lines: &[Vec<u8>], end: &[u8]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line, end].concat()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn sse_25_decoder_follows_the_standard(
        body in body(), cuts in cuts(), start in select(vec!["", "41"]),
    ) {
        let expected = standard::interpret(&body, start);
        prop_assert_eq!(decode(decoder_after(start), [body.as_slice()]), expected.clone());
        prop_assert_eq!(decode(decoder_after(start), cut(&body, &cuts)), expected.clone());
        prop_assert_eq!(decode(decoder_after(start), body.chunks(1)), expected);
    }

    #[test]
    fn sse_24_chunking_changes_nothing_at_any_limit(
        body in body(), cuts in cuts(), limit in 0_usize..24,
    ) {
        let whole = decode(decoder_with_limit(limit), [body.as_slice()]);
        prop_assert_eq!(&decode(decoder_with_limit(limit), cut(&body, &cuts)), &whole);
        prop_assert_eq!(&decode(decoder_with_limit(limit), body.chunks(1)), &whole);
    }

    #[test]
    fn sse_05_line_ends_are_equal(lines in lines(), cuts in cuts()) {
        let by_lf = joined(&lines, b"\n");
        let expected = decode(decoder_after(""), cut(&by_lf, &cuts));
        for end in [b"\r".as_slice(), b"\r\n"] {
            let body = joined(&lines, end);
            prop_assert_eq!(&decode(decoder_after(""), cut(&body, &cuts)), &expected);
        }
    }
}

#[test]
fn sse_06_crlf_across_chunks_is_one_end() {
    let (said, _) = decode(
        decoder_after(""),
        [b"data: a\r".as_slice(), b"", b"\ndata: b\r", b"\n\r", b"\n"],
    );
    assert_eq!(said, [crate::said::Said::event("message", "a\nb", "")]);
}
