use std::num::NonZeroU32;

use super::*;

fn epoch(number: u32) -> Epoch {
    Epoch::new(NonZeroU32::new(number).unwrap())
}

fn lineage(epochs: &[(u32, u64)]) -> Lineage {
    let mut lineage = Lineage::default();
    for (number, first) in epochs {
        assert!(lineage.begin(*first, epoch(*number)));
    }
    lineage
}

/// RD11: a reader that was told all up to an offset, and what the server has after a reconnect.
#[test]
fn rd_11_loss_is_seen_however_the_history_looks() {
    let check = |known: &[(u32, u64)], last, has: &[(u32, u64)], head, expected: Option<u64>| {
        let known = lineage(known);
        let has = lineage(has);
        let bounds = Bounds {
            head: has.cursor_at(head).filter(|_| head > 0),
            first: 1,
            lineage: Arc::new(has),
        };
        let of_last = known.cursor_at(last).map(|cursor| cursor.epoch);
        let parted = divergence(&known, last, of_last, &bounds);
        let what = format!("{known:?} to {last}, {bounds:?}");
        assert_eq!(parted.map(|(end, _)| end), expected, "{what}");
    };
    // Nothing was lost: more of the same, or another epoch from the next offset on.
    check(&[(1, 1)], 105, &[(1, 1)], 105, None);
    check(&[(1, 1)], 105, &[(1, 1)], 300, None);
    check(&[(1, 1)], 105, &[(1, 1), (2, 106)], 300, None);
    // A shorter log, and one that was refilled.
    check(&[(1, 1)], 105, &[(1, 1)], 100, Some(100));
    check(&[(1, 1)], 105, &[(1, 1), (2, 101)], 110, Some(100));
    check(
        &[(1, 1)],
        105,
        &[(1, 1), (2, 101), (3, 103)],
        110,
        Some(100),
    );
    // An epoch that was lost as a whole: the one before it tells where.
    check(&[(1, 1), (2, 101)], 105, &[(1, 1)], 100, Some(100));
    check(&[(1, 1), (2, 101)], 105, &[(1, 1)], 90, Some(90));
    check(&[(1, 1), (2, 101)], 105, &[(1, 1), (3, 91)], 110, Some(90));
    check(
        &[(1, 1), (2, 101)],
        105,
        &[(1, 1), (3, 101)],
        110,
        Some(100),
    );
    // Nothing in common.
    check(&[(1, 1)], 105, &[(2, 1)], 110, Some(0));
    check(&[(1, 1)], 105, &[], 0, Some(0));
}
