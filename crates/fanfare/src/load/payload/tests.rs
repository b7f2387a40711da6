use super::*;

const LONGEST: Payload = Payload {
    publisher: u32::MAX,
    sequence: u32::MAX,
    sent_nanos: u64::MAX,
};

#[test]
fn a_payload_has_the_asked_size_and_reads_back() {
    for bytes in [BYTES_MIN, 200, 100_000] {
        let text = LONGEST.text(bytes);
        assert_eq!(text.len(), bytes);
        assert_eq!(Payload::parse(&text), Some(LONGEST));
    }
}

#[test]
fn a_payload_needs_no_escape_in_json_or_a_form() {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
    assert!(LONGEST.text(200).bytes().all(plain));
}

#[test]
fn data_of_others_is_no_payload() {
    for text in ["", "hello", "1.2.", "1.2.x.", "1.2", "-1.2.3."] {
        assert_eq!(Payload::parse(text), None, "{text:?}");
    }
}
