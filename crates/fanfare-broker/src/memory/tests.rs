use fanfare_wire::Event;
use futures_util::{FutureExt, StreamExt};

use super::*;
use crate::broker::Verdict;
use crate::publication::IdempotencyKey;
use crate::record::Record;
use crate::topic::Topic;

#[expect(clippy::disallowed_methods, reason = "a time to start from")]
fn start() -> Instant {
    Instant::now()
}

fn broker(history_count_max: usize) -> MemoryBroker {
    MemoryBroker::new(Config {
        history_count_max,
        ..Config::default()
    })
}

fn publication(data: &str) -> Publication {
    Publication::new(Topic::parse("a").unwrap(), Event::new(data))
}

fn store(broker: &MemoryBroker, count: usize) -> Vec<Receipt> {
    let batch = (0..count).map(|n| publication(&n.to_string())).collect();
    let outcomes = broker.append(batch, start());
    outcomes.into_iter().map(Result::unwrap).collect()
}

fn next(tail: &mut BoxStream<'static, TailItem>) -> Option<TailItem> {
    tail.next().now_or_never().expect("the tail does not wait")
}

fn records(item: Option<TailItem>) -> Vec<u64> {
    match item {
        Some(TailItem::Records(records)) => records.iter().map(Record::offset).collect(),
        item => panic!("records, not {item:?}"),
    }
}

const NO_BUDGET: Budget = Budget {
    records_max: usize::MAX,
    bytes_max: usize::MAX,
};

/// Wants everything, and does something at each look.
struct Looking<F>(F);

impl<F: Fn() + Send + Sync> TopicFilter for Looking<F> {
    fn verdict(&self, _: &Topic) -> Verdict {
        self.0();
        Verdict {
            subscribed: true,
            granted: true,
        }
    }
}

#[test]
fn each_broker_is_an_epoch_of_its_own() {
    let epoch = || store(&broker(1), 1)[0].cursor.epoch;
    assert_ne!(epoch(), epoch());
}

#[test]
fn a_batch_becomes_visible_as_one() {
    let broker = Arc::new(broker(10_000));
    let writer = Arc::clone(&broker);
    let writing = std::thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || (0..500).for_each(|_| drop(store(&writer, 5))))
        .unwrap();
    while !writing.is_finished() {
        let head = lock(&broker.state).log.head();
        assert_eq!(head % 5, 0, "a batch is there or not");
    }
    writing.join().unwrap();
    assert_eq!(lock(&broker.state).log.head(), 2500);
}

#[test]
fn law_05_a_key_is_forgotten_after_the_window() {
    let broker = broker(10);
    let now = start();
    let publish = |data: &str, age: Duration| {
        let mut publication = publication(data);
        publication.idempotency_key = Some(IdempotencyKey::parse("k").unwrap());
        broker.append(vec![publication], now + age).remove(0)
    };
    let window = broker.capabilities().dedupe_window;
    let first = publish("x", Duration::ZERO).unwrap();
    let again = publish("x", window - Duration::from_secs(1)).unwrap();
    assert_eq!((again.cursor, again.duplicate), (first.cursor, true));
    let other = publish("y", window - Duration::from_secs(1));
    assert_eq!(other, Err(PublishError::KeyReused));
    let anew = publish("y", window).unwrap();
    assert_eq!((anew.cursor.offset, anew.duplicate), (2, false));
}

#[test]
fn a_publish_that_is_not_polled_does_nothing() {
    let broker = broker(10);
    drop(broker.publish(vec![publication("x")]));
    assert_eq!(lock(&broker.state).log.head(), 0);
}

#[test]
fn a_record_is_encoded_once() {
    let broker = broker(10);
    let mut tail = broker.tail(None);
    store(&broker, 1);
    let Some(TailItem::Records(told)) = next(&mut tail) else {
        panic!("a record waits");
    };
    let read = broker
        .slice(0, 1, NO_BUDGET, &Looking(|| ()))
        .unwrap()
        .records;
    let bytes = |records: &[Record]| records[0].frame().bytes(Form::Plain).as_ptr();
    assert_eq!(bytes(&told), bytes(&read));
}

#[test]
fn an_item_of_a_tail_is_bounded() {
    let broker = broker(10_000);
    let mut tail = broker.tail(None);
    store(&broker, 2500);
    assert_eq!(records(next(&mut tail)), (1..=1024).collect::<Vec<_>>());
    assert_eq!(records(next(&mut tail)), (1025..=2048).collect::<Vec<_>>());
    assert_eq!(records(next(&mut tail)), (2049..=2500).collect::<Vec<_>>());
    assert!(tail.next().now_or_never().is_none(), "then it waits");
}

#[test]
fn law_02_a_tail_that_falls_behind_says_so() {
    let broker = broker(3);
    let mut tail = broker.tail(None);
    store(&broker, 5);
    assert!(matches!(
        next(&mut tail),
        Some(TailItem::Trimmed { next: 3 })
    ));
    assert_eq!(records(next(&mut tail)), [3, 4, 5]);
}

#[test]
fn a_tail_after_what_never_was_says_where_the_paths_part() {
    let ours = broker(3);
    let head = store(&ours, 2)[1].cursor;
    let beyond = Cursor { offset: 9, ..head };
    let mut tail = ours.tail(Some(beyond));
    let diverged = next(&mut tail);
    assert!(matches!(diverged, Some(TailItem::Diverged { end: 2, epoch }) if epoch == head.epoch));
    assert!(tail.next().now_or_never().is_none(), "then it waits");

    let stranger = store(&broker(3), 1)[0].cursor;
    let mut tail = ours.tail(Some(stranger));
    let diverged = next(&mut tail);
    assert!(matches!(diverged, Some(TailItem::Diverged { end: 0, epoch }) if epoch == head.epoch));
    assert_eq!(records(next(&mut tail)), [1, 2]);
}

#[test]
fn law_11_a_dropped_tail_leaks_nothing() {
    let broker = broker(3);
    for _ in 0..10 {
        let mut tail = broker.tail(None);
        assert!(tail.next().now_or_never().is_none());
    }
    assert_eq!(Arc::strong_count(&broker.state), 1);
    assert_eq!(broker.changed.receiver_count(), 0);
}

#[test]
fn a_dropped_broker_ends_its_tails_after_the_rest() {
    let broker = broker(3);
    let mut tail = broker.tail(None);
    store(&broker, 2);
    drop(broker);
    assert_eq!(records(next(&mut tail)), [1, 2]);
    assert!(next(&mut tail).is_none());
}

#[test]
fn law_12_a_closed_broker_ends_its_tails_after_the_rest() {
    let broker = broker(3);
    let mut tail = broker.tail(None);
    store(&broker, 2);
    broker.close(start()).now_or_never().unwrap();
    assert_eq!(records(next(&mut tail)), [1, 2]);
    assert!(next(&mut tail).is_none());
    let refused = broker.append(vec![publication("late")], start()).remove(0);
    assert!(matches!(refused, Err(PublishError::Unavailable { .. })));
    let read = broker.slice(0, 2, NO_BUDGET, &Looking(|| ()));
    assert_eq!(read.unwrap_err(), ReadError::Unavailable);
    assert!(matches!(broker.health(), Health::Failed { .. }));
}

#[test]
fn a_read_that_is_overtaken_brings_what_it_has() {
    let broker = broker(2 * STEP_RECORDS_MAX);
    store(&broker, 2 * STEP_RECORDS_MAX);
    // The filter runs without the lock: else this would never end.
    let once = std::sync::Once::new();
    let filter = Looking(|| once.call_once(|| drop(store(&broker, 2 * STEP_RECORDS_MAX))));
    let page = broker.slice(0, u64::MAX, NO_BUDGET, &filter).unwrap();
    assert_eq!(page.records.len(), STEP_RECORDS_MAX);
    assert_eq!((page.next, page.end), (257, PageEnd::Budget));
    let rest = broker.slice(page.next - 1, u64::MAX, NO_BUDGET, &filter);
    assert_eq!(rest.unwrap_err(), ReadError::Trimmed { first: 513 });
}

#[test]
fn defaults_are_as_documented() {
    let config = Config::default();
    assert_eq!(config.history_count_max, 100_000);
    assert_eq!(config.history_bytes_max, 256 * 1024 * 1024);
    assert_eq!(config.dedupe_window, Duration::from_secs(600));
    assert_eq!(config.dedupe_keys_max, 1_000_000);
}
