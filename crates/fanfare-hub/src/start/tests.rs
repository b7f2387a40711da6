use std::num::NonZeroU32;
use std::sync::Arc;

use fanfare_broker::{Cursor, Epoch, Lineage};

use super::*;

fn cursor(epoch: u32, offset: u64) -> Cursor {
    let epoch = Epoch::new(NonZeroU32::new(epoch).unwrap());
    Cursor { epoch, offset }
}

/// Epoch 1 up to offset 99, then epoch 2 up to 120, of which 50 and later are retained.
fn bounds() -> Bounds {
    let mut lineage = Lineage::of(cursor(1, 0).epoch);
    lineage.begin(100, cursor(2, 0).epoch);
    Bounds {
        head: Some(cursor(2, 120)),
        first: 50,
        lineage: Arc::new(lineage),
    }
}

/// With a broker on disk every run of the process is an epoch: a gap's cursor of an older offset in
/// the newest epoch was unknown when it came back.
#[test]
fn c1_the_cursor_of_a_gap_is_known_when_it_comes_back() {
    let bounds = bounds();
    for (presented, next, to) in [
        (cursor(1, 7), 50, cursor(1, 49)),
        (cursor(1, 105), 100, cursor(1, 99)),
        (cursor(2, 130), 121, cursor(2, 120)),
        (cursor(7, 3), 121, cursor(2, 120)),
    ] {
        let resolved = bounds.resolve(&presented.id()).unwrap();
        let start = Start::resolved(&presented.id(), resolved, &bounds, UnknownCursor::Head);
        assert_eq!(start.next, next, "{presented}");
        let gap = start.gap.unwrap();
        assert_eq!(gap.to, to.id(), "{presented}");
        let back = bounds.resolve(&gap.to);
        assert_eq!(back, Some(Resolved::At(to.offset)), "{presented}");
    }
}

#[test]
fn c6_everything_begins_after_what_an_older_epoch_has_kept() {
    let bounds = bounds();
    let id = cursor(7, 3).id();
    let start = Start::resolved(&id, Resolved::Unknown, &bounds, UnknownCursor::All);
    assert_eq!(
        (start.next, start.gap.unwrap().to),
        (50, cursor(1, 49).id())
    );
}

#[test]
fn c1_a_hub_that_has_stored_nothing_says_earliest() {
    let bounds = Bounds {
        head: None,
        first: 1,
        lineage: Arc::default(),
    };
    let id = cursor(7, 3).id();
    let start = Start::resolved(&id, Resolved::Unknown, &bounds, UnknownCursor::Head);
    assert_eq!((start.next, start.gap.unwrap().to.as_str()), (1, EARLIEST));
}
