use super::check;

#[test]
fn d1_t1_control_and_format_characters_are_refused_with_their_place() {
    for (text, offset) in [
        ("\0", 0),
        ("a\n", 1),
        ("a\rb", 1),
        ("é\u{7f}", 2),
        ("\u{85}", 0),
        ("a\u{ad}", 1),
        ("a\u{200b}b", 1),
        ("\u{202e}x", 0),
        ("x\u{feff}", 1),
        ("\u{e0041}", 0),
    ] {
        let forbidden = check(text).expect_err(text);
        assert_eq!(forbidden.offset, offset, "{text:?}");
    }
}

#[test]
fn d1_t1_everything_else_passes() {
    for text in [
        "",
        "a b",
        "https://example.com/é?x=[1]#\"",
        "日本",
        "\u{2028}",
        "🎺",
    ] {
        assert_eq!(check(text), Ok(()), "{text:?}");
    }
}
