//! The memory broker against a model of it: a list, of which the newest are retained.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_broker::{
    Audience, Broker, Budget, Cursor, IdempotencyKey, MemoryBroker, Page, PageEnd, Publication,
    PublishError, ReadError, Record, Resolved, TailItem, Topic, TopicFilter, Verdict, memory,
};
use fanfare_wire::{Event, EventId};
use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;

/// What a publisher sends: small numbers, so that ids, keys and topics meet again.
#[derive(Clone, Debug, PartialEq)]
struct Sent {
    data: u8,
    id: Option<u8>,
    key: Option<u8>,
    topics: Vec<u8>,
    private: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<Sent>),
    Read {
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Filter,
    },
    Resolve(Presented),
    Tail {
        after: u64,
    },
}

#[derive(Clone, Debug)]
enum Presented {
    OwnId(u8),
    Cursor(u64),
    Earliest,
}

/// Subscribed and granted topics, as bits.
#[derive(Clone, Copy, Debug)]
struct Filter {
    subscribed: u8,
    granted: u8,
}

impl TopicFilter for Filter {
    fn verdict(&self, topic: &Topic) -> Verdict {
        let number: u8 = topic.as_str().parse().unwrap();
        Verdict {
            subscribed: self.subscribed & (1 << number) != 0,
            granted: self.granted & (1 << number) != 0,
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let topics = prop::collection::vec(0..3_u8, 1..3);
    let id = prop::option::of(0..4_u8);
    let key = prop::option::weighted(0.3, 0..4_u8);
    (0..3_u8, id, key, topics, any::<bool>()).prop_map(|(data, id, key, topics, private)| Sent {
        data,
        id,
        key,
        topics,
        private,
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    (0..8_u8, 0..8_u8).prop_map(|(subscribed, granted)| Filter {
        subscribed,
        granted,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let upto = prop_oneof![0..40_u64, Just(u64::MAX)];
    let budget = (0..10_usize, prop_oneof![0..200_usize, Just(usize::MAX)]).prop_map(
        |(records_max, bytes_max)| Budget {
            records_max,
            bytes_max,
        },
    );
    let presented = prop_oneof![
        (0..5_u8).prop_map(Presented::OwnId),
        (0..40_u64).prop_map(Presented::Cursor),
        Just(Presented::Earliest),
    ];
    prop_oneof![
        3 => prop::collection::vec(sent(), 0..5).prop_map(Step::Publish),
        2 => (0..40_u64, upto, budget, filter()).prop_map(|(after, upto, budget, filter)| {
            Step::Read { after, upto, budget, filter }
        }),
        2 => presented.prop_map(Step::Resolve),
        1 => (0..40_u64).prop_map(|after| Step::Tail { after }),
    ]
}

impl Sent {
    fn publication(&self) -> Publication {
        let mut topics = self.topics.iter().map(u8::to_string);
        let mut topics = topics.by_ref().map(|text| Topic::parse(&text).unwrap());
        let first = topics.next().unwrap();
        let event = Event::new(self.data.to_string());
        let mut publication = topics.fold(Publication::new(first, event), Publication::also);
        publication.event.id = self.id.map(own_id);
        if let Some(key) = self.key {
            publication.idempotency_key = IdempotencyKey::parse(&key.to_string()).ok();
        }
        if self.private {
            publication = publication.private();
        }
        publication
    }

    fn passes(&self, filter: Filter) -> bool {
        let some_in = |set: u8| self.topics.iter().any(|topic| set & (1 << topic) != 0);
        some_in(filter.subscribed) && (!self.private || some_in(filter.granted))
    }

    /// The same but for the key, which is no part of what is stored.
    fn without_key(&self) -> Self {
        Self {
            key: None,
            ..self.clone()
        }
    }
}

fn own_id(number: u8) -> EventId {
    EventId::parse(&format!("https://example.com/{number}")).unwrap()
}

/// The model, beside the broker that must agree with it.
struct Pair {
    broker: MemoryBroker,
    /// All that was ever stored; offset n is at n - 1.
    stored: Vec<Sent>,
    keys: HashMap<u8, u64>,
    count_max: u64,
    /// Some cursor of the broker; none before the first record.
    cursor: Option<Cursor>,
}

impl Pair {
    fn new(count_max: usize) -> Self {
        let mut config = memory::Config::default();
        config.history_count_max = count_max;
        Self {
            broker: MemoryBroker::new(config),
            stored: Vec::new(),
            keys: HashMap::new(),
            count_max: count_max as u64,
            cursor: None,
        }
    }

    fn head(&self) -> u64 {
        self.stored.len() as u64
    }

    fn first(&self) -> u64 {
        1 + self.head().saturating_sub(self.count_max)
    }

    /// The retained ones in (`after`, `upto`], and their offsets.
    fn between(&self, after: u64, upto: u64) -> impl Iterator<Item = (u64, &Sent)> {
        let all = (1..).zip(&self.stored);
        all.filter(move |(offset, _)| (after + 1..=upto).contains(offset))
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Publish(batch) => self.publish(&batch),
            Step::Read {
                after,
                upto,
                budget,
                filter,
            } => self.read(after, upto, budget, filter),
            Step::Resolve(presented) => self.resolve(&presented),
            Step::Tail { after } => self.tail(after),
        }
        let bounds = self.broker.bounds().now_or_never().unwrap().unwrap();
        assert_eq!(bounds.first, self.first());
        assert_eq!(bounds.head.map_or(0, |head| head.offset), self.head());
    }

    fn publish(&mut self, batch: &[Sent]) {
        let publications = batch.iter().map(Sent::publication).collect();
        let outcomes = self.broker.publish(publications).now_or_never().unwrap();
        assert_eq!(outcomes.len(), batch.len());
        for (sent, outcome) in batch.iter().zip(outcomes) {
            let known = sent.key.and_then(|key| self.keys.get(&key).copied());
            if let Some(offset) = known {
                let first = &self.stored[usize::try_from(offset - 1).unwrap()];
                if *first == sent.without_key() {
                    let receipt = outcome.unwrap();
                    assert_eq!((receipt.cursor.offset, receipt.duplicate), (offset, true));
                } else {
                    assert_eq!(outcome, Err(PublishError::KeyReused));
                }
                continue;
            }
            self.stored.push(sent.without_key());
            let receipt = outcome.unwrap();
            assert_eq!(
                (receipt.cursor.offset, receipt.duplicate),
                (self.head(), false)
            );
            assert_eq!(receipt.id, sent.id.map_or(receipt.cursor.id(), own_id));
            self.cursor = Some(receipt.cursor);
            if let Some(key) = sent.key {
                self.keys.insert(key, self.head());
            }
        }
    }

    fn read(&self, after: u64, upto: u64, budget: Budget, filter: Filter) {
        let read = self.broker.read(after, upto, budget, Arc::new(filter));
        let page = match read.now_or_never().unwrap() {
            Ok(page) => page,
            Err(error) => {
                let first = self.first();
                assert_eq!(error, ReadError::Trimmed { first });
                assert!(after + 1 < first);
                return;
            }
        };
        assert!(after + 1 >= self.first());
        let looked_at = self.between(after, page.next - 1);
        let wanted: Vec<_> = looked_at.filter(|(_, sent)| sent.passes(filter)).collect();
        self.assert_are(&page.records, &wanted);
        self.assert_within(&page, after, upto, budget);
    }

    fn assert_within(&self, page: &Page, after: u64, upto: u64, budget: Budget) {
        let looked_at = usize::try_from(page.next - 1 - after).unwrap();
        assert!(looked_at <= budget.records_max.max(1));
        let bytes = |record: &Record| record.frame().bytes(fanfare_broker::Form::Plain).len();
        let brought: usize = page.records.iter().map(bytes).sum();
        let last = page.records.last().map_or(0, bytes);
        assert!(page.records.is_empty() || brought - last < budget.bytes_max.max(1));
        let end = upto.min(self.head());
        if page.end == PageEnd::Upto {
            assert!(page.next > end, "it says that it reached {end}: {page:?}");
        } else {
            assert!(looked_at == budget.records_max.max(1) || brought >= budget.bytes_max);
        }
        assert!(page.next - 1 <= end.max(after));
        assert!(page.missing.is_empty());
    }

    fn resolve(&self, presented: &Presented) {
        let id = match (presented, self.cursor) {
            (Presented::OwnId(number), _) => own_id(*number),
            (Presented::Earliest, _) => EventId::parse("earliest").unwrap(),
            (Presented::Cursor(offset), Some(cursor)) => Cursor {
                offset: *offset,
                ..cursor
            }
            .id(),
            (Presented::Cursor(_), None) => return,
        };
        let (first, end) = (self.first(), self.head());
        let expected = match presented {
            Presented::OwnId(number) => self
                .between(first - 1, end)
                .find(|(_, sent)| sent.id == Some(*number))
                .map_or(Resolved::Unknown, |(offset, _)| Resolved::At(offset)),
            Presented::Cursor(offset) if *offset > end => Resolved::Diverged { end },
            Presented::Cursor(offset) if offset + 1 < first => Resolved::Trimmed { first },
            Presented::Cursor(offset) => Resolved::At(*offset),
            Presented::Earliest => Resolved::At(first - 1),
        };
        assert_eq!(
            self.broker.resolve(&id).now_or_never().unwrap(),
            Ok(expected)
        );
    }

    fn tail(&self, after: u64) {
        let Some(cursor) = self.cursor else { return };
        let mut tail = self.broker.tail(Some(Cursor {
            offset: after,
            ..cursor
        }));
        let mut next = || tail.next().now_or_never().flatten();
        let mut last = after;
        if after > self.head() {
            let diverged = next().unwrap();
            assert!(matches!(diverged, TailItem::Diverged { end, .. } if end == self.head()));
            last = self.head();
        }
        if last + 1 < self.first() {
            let trimmed = next().unwrap();
            assert!(matches!(trimmed, TailItem::Trimmed { next } if next == self.first()));
            last = self.first() - 1;
        }
        if last < self.head() {
            let Some(TailItem::Records(records)) = next() else {
                panic!("records wait");
            };
            let expected: Vec<_> = self.between(last, self.head()).collect();
            self.assert_are(&records, &expected);
        }
        assert!(next().is_none(), "at the head a tail waits");
    }

    fn assert_are(&self, records: &[Record], expected: &[(u64, &Sent)]) {
        assert_eq!(records.len(), expected.len());
        for (record, (offset, sent)) in records.iter().zip(expected) {
            let publication = record.publication();
            let expected = sent.publication();
            assert_eq!(record.offset(), *offset);
            assert_eq!(Some(record.cursor().epoch), self.cursor.map(|c| c.epoch));
            assert_eq!(publication.topics(), expected.topics());
            assert_eq!(publication.event.data, expected.event.data);
            assert_eq!(publication.audience == Audience::Private, sent.private);
            assert_eq!(record.id(), sent.id.map_or(record.cursor().id(), own_id));
        }
    }
}

proptest! {
    #[test]
    fn the_memory_broker_agrees_with_a_list(
        count_max in 1..12_usize,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut pair = Pair::new(count_max);
        for step in steps {
            pair.take(step);
        }
    }

    #[test]
    fn law_10_filtered_read_is_read_then_filter(
        sent in prop::collection::vec(sent(), 0..600),
        filter in filter(),
    ) {
        let mut pair = Pair::new(10_000);
        pair.publish(&sent);
        let head = pair.head();
        let budget = Budget { records_max: usize::MAX, bytes_max: usize::MAX };
        let all = pair.broker.read(0, head, budget, Arc::new(Filter { subscribed: 7, granted: 7 }));
        let all = all.now_or_never().unwrap().unwrap().records;
        let expected: Vec<_> = all
            .iter()
            .filter(|record| filter.wants(record.publication()))
            .map(Record::cursor)
            .collect();
        let read = pair.broker.read(0, head, budget, Arc::new(filter));
        let read = read.now_or_never().unwrap().unwrap();
        prop_assert_eq!(read.records.iter().map(Record::cursor).collect::<Vec<_>>(), expected);
        prop_assert_eq!(read.next, head + 1);
    }
}
