use super::{LENGTH_MAX, Trail};
use crate::codec::Nonce;

#[test]
fn na_03_another_record_at_a_known_offset_is_noticed() {
    let mut trail = Trail::default();
    assert!(trail.note(1, Nonce(7)));
    assert!(
        trail.note(1, Nonce(7)),
        "told twice: by the tail, and by the publish"
    );
    assert!(!trail.note(1, Nonce(8)));
    trail.cut(0);
    assert!(trail.note(1, Nonce(8)), "what was lost may come anew");
}

#[test]
fn only_the_newest_steps_are_remembered() {
    let mut trail = Trail::default();
    let last = LENGTH_MAX as u64 + 10;
    for offset in 1..=last {
        trail.note(offset, Nonce(offset));
    }
    assert_eq!(trail.newest(), last);
    assert_eq!(trail.at_or_before(10), None);
    assert_eq!(trail.at_or_before(last + 5), Some((last, Nonce(last))));
    assert_eq!(trail.from(0).len(), LENGTH_MAX);
}
