use super::*;

#[test]
fn a_value_goes_with_its_last_holder() {
    let memo = Memo::default();
    for i in 0..10_000 {
        drop(memo.share(i, Arc::new(i)));
        assert!(memo.find(&i).is_none());
    }
    assert!(memo.lock().by_key.len() <= 2 * SWEEP_MIN);
}

#[test]
fn a_sweep_leaves_what_is_held() {
    let memo = Memo::default();
    let held: Vec<_> = (0..1000).map(|i| memo.share(i, Arc::new(i))).collect();
    for (i, value) in held.iter().enumerate() {
        assert!(Arc::ptr_eq(value, &memo.find(&i).unwrap()));
    }
}

#[test]
fn the_first_of_two_is_shared() {
    let memo = Memo::default();
    let first = memo.share("a", Arc::new(1));
    let second = memo.share("a", Arc::new(2));
    assert!(Arc::ptr_eq(&first, &second));
}
