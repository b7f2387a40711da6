use super::encoded;

#[test]
fn d1_r1_variables_are_encoded_once_and_as_a_whole() {
    for (text, expected) in [
        (
            "https://example.com/b/1",
            "https%3A%2F%2Fexample.com%2Fb%2F1",
        ),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("%20", "%2520"),
        ("AZaz09-._~", "AZaz09-._~"),
        ("{id}?*", "%7Bid%7D%3F%2A"),
        ("é", "%C3%A9"),
    ] {
        assert_eq!(encoded(text), expected);
    }
}
