use super::*;

#[test]
fn any_text_without_controls_is_a_topic() {
    for text in ["a", "https://example.com/a b", "\u{e9}", "{id}", "*", " "] {
        assert_eq!(Topic::parse(text).unwrap().as_str(), text);
    }
}

#[test]
fn an_empty_topic_is_refused() {
    assert_eq!(Topic::parse(""), Err(InvalidTopic::Empty));
}

#[test]
fn a_topic_has_at_most_16_kib() {
    let longest = "\u{e9}".repeat(8192);
    assert_eq!(Topic::parse(&longest).unwrap().as_str(), longest);
    let bytes = 16_385;
    let error = Topic::parse(&"a".repeat(bytes)).unwrap_err();
    assert_eq!(error, InvalidTopic::TooLong { bytes });
}

#[test]
fn controls_are_refused_where_they_stand() {
    for (text, offset) in [
        ("\0", 0),
        ("a\n", 1),
        ("\u{e9}\r", 2),
        ("a\u{7f}", 1),
        ("a\u{85}", 1),
    ] {
        let error = Topic::parse(text).unwrap_err();
        assert_eq!(error, InvalidTopic::Control { offset }, "{text:?}");
    }
}
