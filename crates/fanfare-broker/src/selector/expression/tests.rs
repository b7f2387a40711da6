use super::*;

#[test]
fn the_same_source_is_compiled_once() {
    let first = Expression::shared("shared-by-two[a-z]*").unwrap();
    let second = Expression::shared("shared-by-two[a-z]*").unwrap();
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn an_expression_goes_with_its_last_holder() {
    let in_use = InUse::default();
    for i in 0..10_000 {
        let source = format!("a{i}");
        let expression = Arc::new(Expression::compile("a").unwrap());
        drop(in_use.share(&source, expression));
        assert!(in_use.find(&source).is_none());
    }
    assert!(in_use.lock().by_source.len() <= 2 * SWEEP_MIN);
}

#[test]
fn a_sweep_leaves_what_is_held() {
    let in_use = InUse::default();
    let held: Vec<_> = (0..1000)
        .map(|i| {
            in_use.share(
                &format!("a{i}"),
                Arc::new(Expression::compile("a").unwrap()),
            )
        })
        .collect();
    for (i, expression) in held.iter().enumerate() {
        assert!(Arc::ptr_eq(
            expression,
            &in_use.find(&format!("a{i}")).unwrap()
        ));
    }
}

#[test]
fn the_whole_text_is_matched() {
    let expression = Expression::shared("a|b").unwrap();
    assert!(expression.matches("a") && expression.matches("b"));
    assert!(!expression.matches("ab") && !expression.matches("a\n"));
}
