use super::*;

#[test]
fn enc_01_line_ends_and_nul_cannot_be_constructed() {
    for byte in ['\0', '\n', '\r'] {
        for (text, offset) in [
            (format!("{byte}"), 0),
            (format!("{byte}abc"), 0),
            (format!("ab{byte}c"), 2),
            (format!("é{byte}"), 2),
            (format!("a{byte}b\n"), 1),
        ] {
            let expected = InvalidField { offset };
            assert_eq!(EventId::parse(&text), Err(expected), "{text:?}");
            assert_eq!(EventType::parse(&text), Err(expected), "{text:?}");
            assert_eq!(Comment::parse(&text), Err(expected), "{text:?}");
        }
    }
}

#[test]
fn enc_01_all_other_text_is_kept_as_it_is() {
    for text in [
        " ",
        "a: b",
        "\u{85}\u{2028}",
        "\t\u{b}\u{7f}",
        "\u{feff}",
        "日本",
    ] {
        assert_eq!(EventId::parse(text).unwrap().as_str(), text);
        assert_eq!(EventType::parse(text).unwrap().as_str(), text);
        assert_eq!(Comment::parse(text).unwrap().as_str(), text);
    }
}

#[test]
fn enc_02_empty_is_an_id_and_a_comment_but_no_type() {
    assert_eq!(EventId::parse("").unwrap(), EventId::default());
    assert_eq!(Comment::parse("").unwrap().as_str(), "");
    assert_eq!(EventType::parse(""), Err(InvalidField { offset: 0 }));
}

#[test]
fn enc_07_retry_is_lowered_when_it_is_made() {
    assert_eq!(Retry::from_millis(1_000).as_millis(), 1_000);
    assert_eq!(Retry::from_millis(u64::MAX), Retry::MAX);
    assert_eq!(Retry::MAX.as_millis(), 2_147_483_647);
}
