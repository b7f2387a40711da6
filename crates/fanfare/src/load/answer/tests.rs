use super::*;

#[test]
fn a_head_is_read_once_it_is_whole() {
    let wire = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n";
    let head_bytes = wire.len() - 3;
    for cut in 0..head_bytes {
        let held = wire.get(..cut).unwrap();
        assert!(matches!(Head::parse(held), Ok(None)), "{cut} bytes");
    }
    let mut head = Head::parse(wire).unwrap().unwrap();
    assert_eq!((head.status, head.bytes), (403, head_bytes));
    let mut rest = &wire[head_bytes..];
    assert_eq!(head.body.next(&mut rest), Ok(Some(&b"no\n"[..])));
    assert!(head.body.ended());
}

#[test]
fn a_chunked_body_counts_before_a_length() {
    let wire = b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n";
    let head = Head::parse(wire).unwrap().unwrap();
    assert!(matches!(head.body, Body::Chunked(_)));
}

#[test]
fn a_body_without_framing_lasts_until_the_close() {
    let head = Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").unwrap().unwrap();
    let mut body = head.body;
    assert_eq!(body.next(&mut &b"data"[..]), Ok(Some(&b"data"[..])));
    assert!(!body.ended());
}

#[test]
fn what_is_no_answer_is_refused() {
    for wire in [
        &b"SSH-2.0-OpenSSH\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ] {
        assert_eq!(Head::parse(wire).unwrap_err(), Malformed, "{wire:?}");
    }
    let endless = [
        b"HTTP/1.1 200 OK\r\nx: ".as_slice(),
        &[b'x'; HEAD_BYTES_MAX],
    ]
    .concat();
    assert_eq!(Head::parse(&endless).unwrap_err(), Malformed);
}
