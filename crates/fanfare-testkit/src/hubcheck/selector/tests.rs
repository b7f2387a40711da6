//! The rows of D0-M10 that a check's selectors can have.

use super::Selector;

#[test]
fn d0_m10_selectors_match_as_the_table_says() {
    let matches = |selector: &str, topic: &str| Selector::from(selector.to_owned()).matches(topic);
    let template = "https://example.com/books/{id}";
    for topic in ["1", "", "a,b"] {
        assert!(matches(
            template,
            &format!("https://example.com/books/{topic}")
        ));
    }
    for topic in ["1/x", "a:b", "a b", "a=b", "1\n"] {
        assert!(!matches(
            template,
            &format!("https://example.com/books/{topic}")
        ));
    }
    assert!(matches("*", "anything"));
    assert!(matches("urn:a", "urn:a"));
    assert!(!matches("urn:a", "urn:ab"));
}

#[test]
fn text_comes_back() {
    for text in ["*", "urn:a", "urn:a:{b}:c"] {
        assert_eq!(String::from(Selector::from(text.to_owned())), text);
    }
}
