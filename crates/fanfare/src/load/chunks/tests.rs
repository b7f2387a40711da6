use super::*;

/// Feeds `wire` in pieces of `piece` bytes.
fn read(wire: &[u8], piece: usize) -> Result<(Vec<u8>, bool), MalformedChunk> {
    let mut chunks = Chunks::new();
    let mut data = Vec::new();
    for mut input in wire.chunks(piece) {
        while let Some(part) = chunks.next(&mut input)? {
            data.extend_from_slice(part);
        }
    }
    Ok((data, chunks.ended()))
}

#[test]
fn chunks_cut_anywhere_give_the_same_data() {
    // RFC 9112 §7.1: sizes are hexadecimal in either case, with leading zeros and extensions.
    let wire = b"4\r\nWiki\r\n00A;name=\"x\"\r\n0123456789\r\n1\r\n\n\r\n0\r\nTrailer: x\r\n\r\n";
    for piece in 1..=wire.len() {
        assert_eq!(
            read(wire, piece),
            Ok((b"Wiki0123456789\n".to_vec(), true)),
            "in pieces of {piece} bytes",
        );
    }
}

#[test]
fn an_unfinished_body_has_not_ended() {
    assert_eq!(read(b"4\r\nWi", 3), Ok((b"Wi".to_vec(), false)));
    assert_eq!(read(b"2\r\nWi\r\n", 3), Ok((b"Wi".to_vec(), false)));
}

#[test]
fn what_is_no_chunk_is_refused() {
    for wire in [
        &b"\r\nWiki"[..],
        b"g\r\n",
        b"2\r\nWiki\r\n",
        b"11111111111111111\r\n",
    ] {
        assert_eq!(read(wire, wire.len()), Err(MalformedChunk), "{wire:?}");
    }
}
