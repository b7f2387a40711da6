use std::num::NonZeroU32;
use std::time::Duration;

use fanfare_broker::{Cursor, Epoch, Publication, Topic};
use fanfare_wire::Event;

use super::*;

fn record(offset: u64) -> Record {
    let epoch = Epoch::new(NonZeroU32::MIN);
    let publication = Publication::new(Topic::parse("t").unwrap(), Event::new("x"));
    Record::new(Cursor { epoch, offset }, publication)
}

fn records(offsets: std::ops::RangeInclusive<u64>) -> VecDeque<Record> {
    offsets.map(record).collect()
}

fn offsets(records: &[Record]) -> Vec<u64> {
    records.iter().map(Record::offset).collect()
}

#[test]
fn a_shard_takes_each_record_once_in_order() {
    let ring = Ring::new(1 << 20, 100, 1, 1);
    let mut taken = Vec::new();
    ring.append_what_fits(&mut records(1..=3));
    assert_eq!(
        ring.take(0, usize::MAX, &mut taken),
        Taken {
            cut: None,
            lineage: None,
            first: 1,
            more: false,
            since: None,
        }
    );
    ring.append_what_fits(&mut records(4..=4));
    ring.take(0, usize::MAX, &mut taken);
    ring.take(0, usize::MAX, &mut taken);
    assert_eq!(offsets(&taken), [1, 2, 3, 4]);
}

#[test]
fn a_budget_brings_at_least_one_record_and_says_that_more_waits() {
    let ring = Ring::new(1 << 20, 100, 1, 1);
    ring.append_what_fits(&mut records(1..=3));
    let mut taken = Vec::new();
    assert!(ring.take(0, 1, &mut taken).more);
    assert_eq!(offsets(&taken), [1]);
}

#[test]
fn the_oldest_leave_only_after_every_shard_has_taken_them() {
    let ring = Ring::new(1 << 20, 3, 2, 1);
    let mut waiting = records(1..=5);
    ring.append_what_fits(&mut waiting);
    assert_eq!(
        waiting.len(),
        2,
        "the ring is full and nobody has taken anything"
    );
    ring.take(0, usize::MAX, &mut Vec::new());
    ring.append_what_fits(&mut waiting);
    assert_eq!(waiting.len(), 2, "the second shard has not");
    ring.take(1, usize::MAX, &mut Vec::new());
    ring.append_what_fits(&mut waiting);
    assert_eq!(waiting.len(), 0);
    assert_eq!(ring.size().0, 3);
}

#[test]
fn a_shard_that_left_holds_nothing_up() {
    let ring = Ring::new(1 << 20, 2, 1, 1);
    let mut waiting = records(1..=5);
    ring.append_what_fits(&mut waiting);
    ring.leave(0);
    ring.append_what_fits(&mut waiting);
    assert!(waiting.is_empty());
}

#[test]
fn bytes_are_bounded_and_one_record_larger_than_the_ring_still_passes() {
    let size = weight(&record(1));
    let ring = Ring::new(size * 2, 100, 1, 1);
    for offset in 1..=5 {
        ring.append_what_fits(&mut records(offset..=offset));
        ring.take(0, usize::MAX, &mut Vec::new());
    }
    assert_eq!(ring.size(), (2, size * 2));
    let tiny = Ring::new(size / 2, 100, 1, 1);
    let mut waiting = records(1..=1);
    tiny.append_what_fits(&mut waiting);
    assert!(waiting.is_empty());
}

#[test]
fn a_lagging_subscriber_reads_from_its_offset_or_hears_where_the_ring_begins() {
    let ring = Ring::new(1 << 20, 3, 1, 1);
    for offset in 1..=5 {
        ring.append_what_fits(&mut records(offset..=offset));
        ring.take(0, usize::MAX, &mut Vec::new());
    }
    let mut read = Vec::new();
    assert_eq!(ring.read(0, 4, 6, usize::MAX, &mut read), Slice::Records);
    assert_eq!(offsets(&read), [4, 5]);
    assert_eq!(
        ring.read(0, 2, 6, usize::MAX, &mut read),
        Slice::Before { first: 3 }
    );
}

/// A subscriber of a shard that had not taken what was lost, but that waited beyond it, went on in
/// the new epoch as if nothing had happened (seed 256).
#[test]
fn a_cut_is_told_once_to_every_shard() {
    let ring = Ring::new(1 << 20, 100, 2, 1);
    ring.append_what_fits(&mut records(1..=5));
    ring.take(0, usize::MAX, &mut Vec::new());
    ring.cut(3);
    assert_eq!(ring.read(0, 2, 6, usize::MAX, &mut Vec::new()), Slice::Cut);
    let mut taken = Vec::new();
    assert_eq!(
        ring.take(0, usize::MAX, &mut taken),
        Taken {
            cut: Some(3),
            lineage: None,
            first: 4,
            more: false,
            since: None,
        }
    );
    assert_eq!(ring.take(0, usize::MAX, &mut taken).cut, None);
    ring.take(1, usize::MAX, &mut taken);
    assert_eq!(
        offsets(&taken),
        [1, 2, 3],
        "the other shard never saw what is lost"
    );
}

#[test]
fn after_a_skip_the_next_offset_says_what_is_missing() {
    let ring = Ring::new(1 << 20, 100, 1, 1);
    ring.append_what_fits(&mut records(1..=2));
    ring.skip_to(7, None);
    assert_eq!(ring.take(0, usize::MAX, &mut Vec::new()).first, 7);
}

#[test]
fn c3_what_began_in_a_skip_is_told_as_a_later_cut_leaves_it() {
    let epoch = |number| Epoch::new(NonZeroU32::new(number).unwrap());
    let mut lineage = Lineage::of(epoch(1));
    lineage.begin(4, epoch(2));
    let kept = lineage.clone();
    lineage.begin(9, epoch(3));
    let ring = Ring::new(1 << 20, 100, 1, 1);
    ring.skip_to(7, Some(&Arc::new(lineage)));
    ring.cut(8);
    let taken = ring.take(0, usize::MAX, &mut Vec::new());
    assert_eq!(taken.lineage.as_deref(), Some(&kept));
    assert_eq!(ring.take(0, usize::MAX, &mut Vec::new()).lineage, None);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn what_is_taken_says_when_its_oldest_record_came() {
    let ring = Ring::new(1 << 20, 100, 2, 1);
    let one = Instant::now();
    let later = one + Duration::from_secs(1);
    let since = |shard, budget| ring.take(shard, budget, &mut Vec::new()).since;
    ring.arrived(one);
    assert_eq!(since(0, usize::MAX), None, "nothing is there yet");
    ring.append_what_fits(&mut records(1..=2));
    ring.arrived(later);
    ring.append_what_fits(&mut records(3..=3));
    assert_eq!(since(0, 1), Some(one));
    assert_eq!(since(0, usize::MAX), Some(one), "the rest of it");
    assert_eq!(since(1, usize::MAX), Some(one), "each shard for itself");
    ring.arrived(later);
    ring.append_what_fits(&mut records(4..=4));
    assert_eq!(since(0, usize::MAX), Some(later));
    assert_eq!(since(0, usize::MAX), None);

    ring.arrived(one);
    ring.append_what_fits(&mut records(5..=5));
    ring.cut(4);
    ring.arrived(later);
    ring.append_what_fits(&mut records(5..=5));
    assert_eq!(
        since(0, usize::MAX),
        Some(later),
        "what was lost waits no more"
    );
}

#[test]
fn recent_records_are_the_newest_oldest_first() {
    let ring = Ring::new(1 << 20, 100, 1, 1);
    ring.append_what_fits(&mut records(1..=5));
    assert_eq!(offsets(&ring.recent(2)), [4, 5]);
    assert_eq!(offsets(&ring.recent(9)), [1, 2, 3, 4, 5]);
}
