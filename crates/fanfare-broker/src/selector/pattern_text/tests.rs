use super::*;

#[track_caller]
fn refused(texts: &[&str]) {
    for text in texts {
        assert_eq!(check(text), Err(InvalidSelector::Pattern), "{text:?}");
    }
}

#[test]
fn a_host_closes_no_bracket_that_is_not_open() {
    refused(&[
        "https://]/",
        "https://a]b/",
        r"https:\/\/\]",
        "https://([)]/",
    ]);
    refused(&[
        "https://{[}]/",
        r"https://([\()]",
        "https:a]b/",
        "https://[@]",
    ]);
    for text in [
        "https://[::1]:8080/a",
        "https://{[::1]}/",
        "/a]b",
        "books/a]b",
        "?a[]=1",
    ] {
        assert_eq!(check(text), Ok(()), "{text:?}");
    }
}

#[test]
fn custom_groups_are_closed_and_ascii() {
    refused(&[
        "(", "(a", "((a)", "(?:a)", "()", "(\u{e9})", "(\\", r"(\é)", "\\",
    ]);
    for text in ["(a)", "(a(?:b)c)", r"(\)\()", "/([)])", ")"] {
        assert_eq!(check(text), Ok(()), "{text:?}");
    }
}

#[test]
fn braces_are_closed_and_not_nested() {
    refused(&["{", "/{a", "}", "{a}}", "{{a}}", "https://[}]{"]);
    for text in ["{a}?{b}", r"\{", r"\}", "({)", "(a{2})"] {
        assert_eq!(check(text), Ok(()), "{text:?}");
    }
}

#[test]
fn s12_variables_are_bounded() {
    for one in [":a", "*", "(a)", "{a}?"] {
        let text = |count: usize| format!("/{}", one.repeat(count));
        assert_eq!(check(&text(32)), Ok(()), "{one}");
        assert_eq!(check(&text(33)), Err(InvalidSelector::TooComplex), "{one}");
    }
    assert_eq!(check(&format!("https://[{}1]:8/", "::".repeat(99))), Ok(()));
}
