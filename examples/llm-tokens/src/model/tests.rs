use super::tokens;

#[test]
fn tokens_are_words_with_the_space_before_them() {
    let tokens = tokens(" why\u{a0}so? ");
    assert_eq!(
        &tokens[..6],
        ["You", " asked:", " why", "\u{a0}so?", "\n", "\n1."]
    );
    let text = tokens.concat();
    assert!(text.starts_with("You asked: why\u{a0}so?\n\n1. An answer"));
    assert!(text.ends_with("waits for more.\n"));
}
