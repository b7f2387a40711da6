use fanfare_wire::Event;

use super::*;
use crate::topic::Topic;

fn log(count_max: usize, bytes_max: usize) -> Log {
    Log::new(Epoch::random(), count_max, bytes_max)
}

fn publication(id: Option<&str>, data: &str) -> Publication {
    let mut event = Event::new(data);
    event.id = id.map(|id| EventId::parse(id).unwrap());
    Publication::new(Topic::parse("a").unwrap(), event)
}

fn resolve(log: &Log, id: &str) -> Resolved {
    log.resolve(&EventId::parse(id).unwrap())
}

#[test]
fn t1_the_oldest_go_when_there_are_too_many() {
    let mut log = log(2, usize::MAX);
    for _ in 0..5 {
        log.append(publication(None, "")).unwrap();
    }
    assert_eq!((log.first, log.head()), (4, 5));
    assert_eq!(
        log.records(3, 5, 9).unwrap_err(),
        ReadError::Trimmed { first: 4 }
    );
    assert_eq!(log.records(4, 5, 9).unwrap().len(), 2);
}

#[test]
fn t1_the_oldest_go_when_they_are_too_heavy() {
    let mut log = log(usize::MAX, 4 * 1024);
    for _ in 0..100 {
        log.append(publication(None, "0123456789")).unwrap();
        assert!(log.bytes <= 4 * 1024);
    }
    // Each weighs its 512, a topic of one byte, and its data twice with some 30 bytes around it.
    assert!((6..=7).contains(&log.entries.len()));
    let weights: usize = log.entries.iter().map(|entry| entry.weight).sum();
    assert_eq!(log.bytes, weights);
}

#[test]
fn law_04_what_is_too_large_takes_no_offset_and_trims_nothing() {
    let mut log = log(usize::MAX, 1024);
    log.append(publication(None, "kept")).unwrap();
    let refused = log.append(publication(Some("large"), &"x".repeat(1024)));
    assert!(matches!(
        refused,
        Err(PublishError::TooLarge {
            bytes: 2049..,
            bytes_max: 1024
        })
    ));
    assert_eq!((log.first, log.head()), (1, 1));
    assert_eq!(resolve(&log, "large"), Resolved::Unknown);
}

#[test]
fn a_limit_of_no_records_keeps_one() {
    let mut log = log(0, usize::MAX);
    log.append(publication(None, "")).unwrap();
    assert_eq!(log.records(1, 1, 1).unwrap().len(), 1);
}

#[test]
fn c5_the_earliest_retained_occurrence_counts() {
    let mut log = log(4, usize::MAX);
    let mut seen = Vec::new();
    for id in ["a", "b", "a", "a", "b", "c", "c", "c", "c"] {
        log.append(publication(Some(id), "")).unwrap();
        seen.push(resolve(&log, "a"));
    }
    let at = Resolved::At;
    let gone = Resolved::Unknown;
    // Four are retained: the first `a` goes with the fifth record, the second with the seventh.
    assert_eq!(
        seen,
        [at(1), at(1), at(1), at(1), at(3), at(3), at(4), gone, gone]
    );
    assert_eq!(resolve(&log, "b"), gone);
    assert_eq!(resolve(&log, "c"), at(6));
}

#[test]
fn c5_the_index_holds_nothing_that_is_trimmed() {
    let mut log = log(10, usize::MAX);
    for n in 0..1000 {
        let id = format!("id {}", n % 37);
        log.append(publication(Some(&id), "")).unwrap();
        log.append(publication(None, "")).unwrap();
    }
    assert_eq!(log.ids.len(), 5);
}

#[test]
fn c4_before_everything_is_a_place_too() {
    let mut log = log(2, usize::MAX);
    let before = Cursor {
        epoch: log.epoch(),
        offset: 0,
    };
    let before = before.to_string();
    assert_eq!(resolve(&log, &before), Resolved::At(0));
    assert_eq!(resolve(&log, "earliest"), Resolved::At(0));
    for _ in 0..3 {
        log.append(publication(None, "")).unwrap();
    }
    assert_eq!(resolve(&log, &before), Resolved::Trimmed { first: 2 });
    assert_eq!(resolve(&log, "earliest"), Resolved::At(1));
}

#[test]
fn c2_what_looks_like_a_cursor_is_decoded_not_looked_up() {
    let mut log = log(9, usize::MAX);
    log.append(publication(Some("urn:ff:no-cursor-"), ""))
        .unwrap();
    assert_eq!(resolve(&log, "urn:ff:no-cursor-"), Resolved::Unknown);
}
