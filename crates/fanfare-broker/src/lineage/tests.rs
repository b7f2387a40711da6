use std::num::NonZeroU32;

use super::*;

fn epoch(number: u32) -> Epoch {
    Epoch::new(NonZeroU32::new(number).unwrap())
}

/// Epoch 7 from 1, epoch 8 from 11, epoch 9 from 101.
fn three() -> Lineage {
    let mut lineage = Lineage::of(epoch(7));
    assert!(lineage.begin(11, epoch(8)));
    assert!(lineage.begin(101, epoch(9)));
    lineage
}

#[test]
fn c3_grows_strictly() {
    let mut lineage = three();
    for (first, number) in [(101, 1), (100, 1), (200, 9), (200, 7)] {
        assert!(!lineage.begin(first, epoch(number)), "{first} {number}");
    }
    assert_eq!(lineage, three());
}

#[test]
fn c4_resolves_in_order() {
    let check = |number, offset, expected| {
        let cursor = Cursor {
            epoch: epoch(number),
            offset,
        };
        // Retained: 5 to 120.
        assert_eq!(
            three().resolve(cursor, 5, 120),
            expected,
            "{number} {offset}"
        );
    };
    check(6, 50, Resolved::Unknown);
    check(8, 10, Resolved::Unknown);
    check(9, 0, Resolved::Unknown);
    check(7, 11, Resolved::Diverged { end: 10 });
    check(8, 101, Resolved::Diverged { end: 100 });
    check(9, 121, Resolved::Diverged { end: 120 });
    check(9, u64::MAX, Resolved::Diverged { end: 120 });
    check(7, 3, Resolved::Trimmed { first: 5 });
    check(7, 0, Resolved::Trimmed { first: 5 });
    check(7, 4, Resolved::At(4));
    check(7, 10, Resolved::At(10));
    check(8, 11, Resolved::At(11));
    check(9, 120, Resolved::At(120));
}

/// The reader's log lost 101 to 105 and was refilled to 110 in another epoch: the same top as
/// before would pass a test of epoch and top alone.
#[test]
fn c4_catches_a_log_that_was_refilled() {
    let mut lineage = Lineage::of(epoch(1));
    assert!(lineage.begin(101, epoch(2)));
    let lost = Cursor {
        epoch: epoch(1),
        offset: 105,
    };
    assert_eq!(
        lineage.resolve(lost, 1, 110),
        Resolved::Diverged { end: 100 }
    );
}

#[test]
fn c1_a_cursor_carries_the_epoch_of_its_record() {
    let at = |offset| {
        three()
            .cursor_at(offset)
            .map(|cursor| cursor.epoch.number())
    };
    assert_eq!(
        [0, 1, 10, 11, 100, 101, 900].map(at),
        [7, 7, 7, 8, 8, 9, 9].map(Some)
    );
    assert_eq!(Lineage::default().cursor_at(1), None);
}

#[test]
fn u12_forgets_epochs_that_ended_before_the_floor() {
    let mut lineage = three();
    lineage.forget_before(10);
    assert_eq!(lineage, three());
    lineage.forget_before(11);
    assert_eq!(
        lineage.epochs().collect::<Vec<_>>(),
        [(11, epoch(8)), (101, epoch(9))]
    );
    lineage.forget_before(5000);
    assert_eq!(lineage.epochs().collect::<Vec<_>>(), [(101, epoch(9))]);
    assert_eq!(lineage.cursor_at(50), None);
}

#[test]
fn a7_a_cut_forgets_what_begins_after_it() {
    let mut lineage = three();
    lineage.cut(100);
    assert_eq!(lineage.newest(), Some(epoch(8)));
    lineage.cut(0);
    assert_eq!(lineage.newest(), None);
}
