use super::{BadHead, Opening};

const MAX: usize = 16 << 10;

fn error(bytes: &[u8]) -> BadHead {
    Opening::parse(bytes, MAX).expect_err("refused")
}

#[test]
fn a_head_is_read_at_its_last_byte_and_not_before() {
    let head = b"GET /events?topic=a HTTP/1.1\r\nHost: x\r\nLast-Event-ID: \xc3\xa9\r\n\r\n";
    for end in 0..head.len() {
        assert!(
            Opening::parse(&head[..end], MAX).unwrap().is_none(),
            "{end}"
        );
    }
    let with_rest = [head, &b"GET"[..]].concat();
    let Some(Opening::Http1 { parts, head_bytes }) = Opening::parse(&with_rest, MAX).unwrap()
    else {
        panic!("a request of HTTP/1.1")
    };
    assert_eq!(head_bytes, head.len());
    assert_eq!(parts.uri.path(), "/events");
    assert_eq!(parts.headers["last-event-id"].as_bytes(), "é".as_bytes());
}

#[test]
fn http2_preface_is_known_when_whole() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for end in 0..preface.len() {
        assert!(
            Opening::parse(&preface[..end], MAX).unwrap().is_none(),
            "{end}"
        );
    }
    assert!(matches!(
        Opening::parse(preface, MAX),
        Ok(Some(Opening::Http2))
    ));
}

#[test]
fn s11_a_head_has_its_bytes_and_its_fields() {
    let sized = |bytes: usize| {
        let start = "GET / HTTP/1.1\r\nx: ";
        format!("{start}{}\r\n\r\n", "x".repeat(bytes - start.len() - 4))
    };
    assert!(
        Opening::parse(sized(MAX).as_bytes(), MAX)
            .unwrap()
            .is_some()
    );
    let too_large = BadHead::TooLarge { bytes_max: MAX };
    assert_eq!(error(sized(MAX + 1).as_bytes()), too_large);
    assert_eq!(error(&sized(MAX + 100).as_bytes()[..MAX]), too_large);

    let with_fields = |count: usize| {
        let fields: String = (0..count).map(|n| format!("x{n}: 1\r\n")).collect();
        format!("GET / HTTP/1.1\r\n{fields}\r\n")
    };
    assert!(
        Opening::parse(with_fields(100).as_bytes(), MAX)
            .unwrap()
            .is_some()
    );
    assert_eq!(error(with_fields(101).as_bytes()), BadHead::TooManyFields);
}

#[test]
fn s23_what_two_readers_could_read_differently_is_refused() {
    for head in [
        &b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.7\r\n\r\n",
        b"hello there\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        error(head);
    }
    assert_eq!(
        error(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        BadHead::Tls
    );
}
