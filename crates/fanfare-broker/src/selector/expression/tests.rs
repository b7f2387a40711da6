use super::*;

#[test]
fn the_same_source_is_compiled_once() {
    let first = Expression::shared("shared-by-two[a-z]*").unwrap();
    let second = Expression::shared("shared-by-two[a-z]*").unwrap();
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn the_whole_text_is_matched() {
    let expression = Expression::shared("a|b").unwrap();
    assert!(expression.matches("a") && expression.matches("b"));
    assert!(!expression.matches("ab") && !expression.matches("a\n"));
}

#[test]
fn s12_nesting_is_bounded() {
    let nested = |depth: usize| format!("{}a{}", "(?:".repeat(depth), ")".repeat(depth));
    assert!(Expression::shared(&nested(16)).is_some());
    assert!(Expression::shared(&nested(64)).is_none());
}
