use super::*;

fn shared(text: &str) -> Option<Arc<Expression>> {
    Expression::shared(&Source {
        text: text.to_owned(),
        program_bytes_max: 64 << 10,
    })
}

#[test]
fn the_same_source_is_compiled_once() {
    let first = shared("shared-by-two[a-z]*").unwrap();
    let second = shared("shared-by-two[a-z]*").unwrap();
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn the_whole_text_is_matched() {
    let expression = shared("a|b").unwrap();
    assert!(expression.matches("a") && expression.matches("b"));
    assert!(!expression.matches("ab") && !expression.matches("a\n"));
}

#[test]
fn s12_nesting_is_bounded() {
    let nested = |depth: usize| format!("{}a{}", "(?:".repeat(depth), ")".repeat(depth));
    assert!(shared(&nested(16)).is_some());
    assert!(shared(&nested(64)).is_none());
}
