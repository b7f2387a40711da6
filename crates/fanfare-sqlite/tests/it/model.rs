//! The broker against a model of it: a list, of which the newest are retained.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_broker::{
    Audience, Broker, Budget, Cursor, Epoch, Form, IdempotencyKey, Page, PageEnd, Publication,
    PublishError, ReadError, Receipt, Record, Resolved, TailItem,
};
use fanfare_sqlite::{Config, SqliteBroker};
use fanfare_wire::EventId;
use futures_util::StreamExt;
use proptest::prelude::*;

use crate::folder::{Folder, Names, publication};

/// What a publisher sends: small numbers, so that ids, keys and topics meet again.
#[derive(Clone, Debug, PartialEq)]
struct Sent {
    data: u8,
    bytes: usize,
    id: Option<u8>,
    key: Option<u8>,
    topics: Vec<u8>,
    private: bool,
}

#[derive(Clone, Debug)]
enum Step {
    /// A batch, and as many copies of its publications without id and key as make it long.
    Publish(Vec<Sent>, usize),
    Read {
        after: u64,
        length: u64,
        budget: Budget,
        filter: Names,
    },
    Resolve(Presented),
    Tail(u64),
    Reopen(End),
}

#[derive(Clone, Copy, Debug)]
enum End {
    Clean,
    Killed,
}

#[derive(Clone, Debug)]
enum Presented {
    OwnId(u8),
    /// The cursor of a record, counted from the newest.
    Stored(u64),
    /// An offset in the epoch of another record.
    Made(u64, u64),
    Earliest,
    Foreign,
}

fn sent() -> impl Strategy<Value = Sent> {
    let topics = prop::collection::vec(prop_oneof![8 => 0..3_u8, 1 => 3..9_u8], 1..3);
    let bytes = prop_oneof![20 => 0..50_usize, 2 => 2000..9000_usize, 1 => 90_000..130_000_usize];
    let id = prop::option::weighted(0.2, 0..6_u8);
    let key = prop::option::weighted(0.2, 0..6_u8);
    (0..3_u8, bytes, id, key, topics, any::<bool>()).prop_map(
        |(data, bytes, id, key, topics, private)| Sent {
            data,
            bytes,
            id,
            key,
            topics,
            private,
        },
    )
}

fn names() -> impl Strategy<Value = Names> {
    let set = || prop::collection::vec(0..9_u8, 0..4);
    (set(), set(), any::<bool>()).prop_map(|(subscribed, granted, exact)| {
        let names = |set: Vec<u8>| set.iter().map(u8::to_string).collect();
        Names {
            subscribed: names(subscribed),
            granted: names(granted),
            exact,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![0..100_u64, 100..1000_u64, Just(u64::MAX)];
    let records_max = prop_oneof![0..100_usize, Just(usize::MAX)];
    let bytes_max = prop_oneof![0..9000_usize, Just(usize::MAX)];
    let budget = (records_max, bytes_max).prop_map(|(records_max, bytes_max)| Budget {
        records_max,
        bytes_max,
    });
    let presented = prop_oneof![
        (0..7_u8).prop_map(Presented::OwnId),
        (0..600_u64).prop_map(Presented::Stored),
        (0..600_u64, 0..900_u64).prop_map(|(from, offset)| Presented::Made(from, offset)),
        Just(Presented::Earliest),
        Just(Presented::Foreign),
    ];
    let batch = prop::collection::vec(sent(), 0..6);
    let end = prop_oneof![Just(End::Clean), Just(End::Killed)];
    prop_oneof![
        5 => (batch, prop_oneof![0..10_usize, 60..200_usize])
            .prop_map(|(batch, copies)| Step::Publish(batch, copies)),
        6 => (0..600_u64, length, budget, names()).prop_map(|(after, length, budget, filter)| {
            Step::Read { after, length, budget, filter }
        }),
        4 => presented.prop_map(Step::Resolve),
        1 => (0..600_u64).prop_map(Step::Tail),
        1 => end.prop_map(Step::Reopen),
    ]
}

impl Sent {
    fn publication(&self) -> Publication {
        let topics: Vec<_> = self.topics.iter().map(u8::to_string).collect();
        let topics: Vec<_> = topics.iter().map(String::as_str).collect();
        let mut publication = publication(&topics, self.data());
        publication.event.id = self.id.map(own_id);
        if let Some(key) = self.key {
            publication.idempotency_key = IdempotencyKey::parse(&key.to_string()).ok();
        }
        if self.private {
            publication = publication.private();
        }
        publication
    }

    fn data(&self) -> String {
        format!("{}{}", self.data, "x".repeat(self.bytes))
    }

    /// T1, said once more.
    fn weight(&self) -> u64 {
        let id = self.id.map_or(0, |id| own_id(id).as_str().len());
        (128 + 33 * self.topics.len() + id + self.data().len()) as u64
    }

    fn passes(&self, filter: &Names) -> bool {
        let some_in = |set: &[String]| {
            self.topics
                .iter()
                .any(|topic| set.contains(&topic.to_string()))
        };
        some_in(&filter.subscribed) && (!self.private || some_in(&filter.granted))
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
    folder: Folder,
    broker: Option<SqliteBroker>,
    config: Config,
    /// All that was ever stored, and under which cursor; offset n is at n - 1.
    stored: Vec<(Sent, Cursor)>,
    first: u64,
    keys: HashMap<u8, u64>,
    /// Every epoch that stored something, by its first offset.
    epochs: Vec<(u64, Epoch)>,
    /// Nothing was stored in this life yet.
    fresh: bool,
}

impl Pair {
    fn new(count_max: u64, bytes_max: u64) -> Self {
        let folder = Folder::new();
        let mut config = Config::default();
        config.history_count_max = count_max;
        config.history_bytes_max = bytes_max;
        // Flushes cost time, and change nothing here.
        config.durability = fanfare_sqlite::Durability::Never;
        config.disk_free_min = 0;
        Self {
            broker: Some(folder.open(&config)),
            folder,
            config,
            stored: Vec::new(),
            first: 1,
            keys: HashMap::new(),
            epochs: Vec::new(),
            fresh: true,
        }
    }

    fn broker(&self) -> &SqliteBroker {
        self.broker.as_ref().unwrap()
    }

    fn head(&self) -> u64 {
        self.stored.len() as u64
    }

    fn at(&self, offset: u64) -> &(Sent, Cursor) {
        let place = usize::try_from(offset - 1).unwrap();
        self.stored.get(place).unwrap()
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Publish(mut batch, copies) => {
                let copied: Vec<_> = batch.iter().cycle().take(copies).cloned().collect();
                batch.extend(copied.into_iter().map(|sent| Sent {
                    id: None,
                    key: None,
                    bytes: sent.bytes % 100,
                    ..sent
                }));
                self.publish(&batch).await;
            }
            Step::Read {
                after,
                length,
                budget,
                filter,
            } => {
                let upto = after.saturating_add(length);
                self.read(after, upto, budget, &filter).await;
            }
            Step::Resolve(presented) => self.resolve(&presented).await,
            Step::Tail(after) => self.tail(after).await,
            Step::Reopen(end) => self.reopen(end),
        }
        let bounds = self.broker().bounds().await.unwrap();
        assert_eq!(bounds.first, self.first);
        let newest = self.stored.last().map(|(_, cursor)| *cursor);
        assert_eq!(bounds.head, newest);
    }

    fn reopen(&mut self, end: End) {
        if let End::Killed = end {
            let copy = self.folder.copy();
            self.broker = None;
            self.folder = copy;
        }
        self.broker = None;
        self.broker = Some(self.folder.open(&self.config));
        self.fresh = true;
    }

    async fn publish(&mut self, batch: &[Sent]) {
        let publications = batch.iter().map(Sent::publication).collect();
        let outcomes = self.broker().publish(publications).await;
        assert_eq!(outcomes.len(), batch.len());
        for (sent, outcome) in batch.iter().zip(outcomes) {
            self.note(sent, outcome);
        }
        self.trim();
    }

    fn note(&mut self, sent: &Sent, outcome: Result<Receipt, PublishError>) {
        if sent.weight() > self.config.history_bytes_max {
            assert!(matches!(outcome, Err(PublishError::TooLarge { .. })));
            return;
        }
        let known = sent.key.and_then(|key| self.keys.get(&key).copied());
        if let Some(offset) = known {
            let (first, cursor) = self.at(offset);
            if *first == sent.without_key() {
                let receipt = outcome.unwrap();
                assert_eq!((receipt.cursor, receipt.duplicate), (*cursor, true));
                assert_eq!(receipt.id, first.id.map_or(cursor.id(), own_id));
            } else {
                assert_eq!(outcome, Err(PublishError::KeyReused));
            }
            return;
        }
        let receipt = outcome.unwrap();
        let cursor = receipt.cursor;
        assert_eq!((cursor.offset, receipt.duplicate), (self.head() + 1, false));
        assert_eq!(receipt.id, sent.id.map_or(cursor.id(), own_id));
        if self.fresh {
            assert!(self.epochs.iter().all(|(_, epoch)| *epoch != cursor.epoch));
            self.epochs.push((cursor.offset, cursor.epoch));
            self.fresh = false;
        }
        assert_eq!(
            Some(cursor.epoch),
            self.epochs.last().map(|(_, epoch)| *epoch)
        );
        self.stored.push((sent.without_key(), cursor));
        if let Some(key) = sent.key {
            self.keys.insert(key, self.head());
        }
    }

    fn trim(&mut self) {
        let retained = |pair: &Self| {
            (pair.first..=pair.head())
                .map(|it| pair.at(it).0.weight())
                .sum::<u64>()
        };
        while self.head() + 1 - self.first > self.config.history_count_max
            || retained(self) > self.config.history_bytes_max
        {
            self.first += 1;
        }
    }

    async fn read(&self, after: u64, upto: u64, budget: Budget, filter: &Names) {
        let mut after = after;
        loop {
            let read = self
                .broker()
                .read(after, upto, budget, Arc::new(filter.clone()));
            let page = match read.await {
                Ok(page) => page,
                Err(error) => {
                    let first = self.first;
                    assert_eq!(error, ReadError::Trimmed { first });
                    assert!(after + 1 < first);
                    return;
                }
            };
            assert!(after + 1 >= self.first);
            self.assert_is_right(&page, after, upto, budget, filter);
            if page.end == PageEnd::Upto {
                return;
            }
            after = page.next - 1;
        }
    }

    fn assert_is_right(&self, page: &Page, after: u64, upto: u64, budget: Budget, filter: &Names) {
        let end = upto.min(self.head());
        assert!(page.missing.is_empty());
        assert!(page.next <= end.max(after) + 1, "not beyond the end");
        let wanted = (after + 1..page.next).filter(|offset| self.at(*offset).0.passes(filter));
        let wanted: Vec<_> = wanted.collect();
        assert_eq!(
            page.records.iter().map(Record::offset).collect::<Vec<_>>(),
            wanted
        );
        for record in &page.records {
            self.assert_is(record);
        }
        assert!(wanted.len() <= budget.records_max.max(1));
        let bytes = |record: &Record| record.frame().bytes(Form::Plain).len();
        let brought: usize = page.records.iter().map(bytes).sum();
        let last = page.records.last().map_or(0, bytes);
        assert!(page.records.is_empty() || brought - last < budget.bytes_max.max(1));
        match page.end {
            PageEnd::Upto => assert!(page.next > end),
            PageEnd::Budget => assert!(page.next > after + 1, "it goes on"),
        }
    }

    fn assert_is(&self, record: &Record) {
        let (sent, cursor) = self.at(record.offset());
        let expected = sent.publication();
        let publication = record.publication();
        assert_eq!(record.cursor(), *cursor);
        assert_eq!(publication.topics(), expected.topics());
        assert_eq!(publication.event.data, expected.event.data);
        assert_eq!(publication.audience == Audience::Private, sent.private);
        assert_eq!(record.id(), sent.id.map_or(cursor.id(), own_id));
    }

    async fn resolve(&self, presented: &Presented) {
        let stored = |back: u64| self.head().checked_sub(back).filter(|offset| *offset > 0);
        let (id, expected) = match presented {
            Presented::OwnId(number) => {
                let named = |offset: &u64| self.at(*offset).0.id == Some(*number);
                let found = (self.first..=self.head()).find(named);
                (
                    own_id(*number),
                    found.map_or(Resolved::Unknown, Resolved::At),
                )
            }
            Presented::Earliest => {
                let id = EventId::parse("earliest").unwrap();
                (id, Resolved::At(self.first - 1))
            }
            Presented::Foreign => (EventId::parse("urn:ff:x").unwrap(), Resolved::Unknown),
            Presented::Stored(back) | Presented::Made(back, _) => {
                let Some(offset) = stored(*back) else { return };
                let mut cursor = self.at(offset).1;
                if let Presented::Made(_, offset) = presented {
                    cursor.offset = *offset;
                }
                (cursor.id(), self.place_of(cursor))
            }
        };
        assert_eq!(self.broker().resolve(&id).await, Ok(expected), "{id:?}");
    }

    /// C4, said once more; no run of this test has so many epochs that one is forgotten (U12).
    fn place_of(&self, cursor: Cursor) -> Resolved {
        let (first, head) = (self.first, self.head());
        let place = self
            .epochs
            .iter()
            .position(|(_, epoch)| *epoch == cursor.epoch)
            .unwrap();
        let begins = self.epochs.get(place).unwrap().0;
        let next = self
            .epochs
            .get(place + 1)
            .map_or(u64::MAX, |(next, _)| *next);
        if cursor.offset.max(1) < begins {
            Resolved::Unknown
        } else if cursor.offset >= next || cursor.offset > head {
            let end = head.min(next - 1);
            Resolved::Diverged { end }
        } else if cursor.offset + 1 < first {
            Resolved::Trimmed { first }
        } else {
            Resolved::At(cursor.offset)
        }
    }

    async fn tail(&self, back: u64) {
        let offset = self.head().saturating_sub(back);
        let cursor = (offset > 0).then(|| self.at(offset).1);
        if cursor.is_some_and(|cursor| self.place_of(cursor) == Resolved::Unknown) {
            return;
        }
        let mut tail = self.broker().tail(cursor);
        let mut last = offset;
        while last < self.head() {
            match tail.next().await.unwrap() {
                TailItem::Records(records) => {
                    for record in records {
                        last += 1;
                        assert_eq!(record.offset(), last);
                        self.assert_is(&record);
                    }
                }
                TailItem::Trimmed { next } => {
                    assert!(next > last + 1 && next <= self.first);
                    last = next - 1;
                }
                other @ (TailItem::Diverged { .. } | _) => panic!("{other:?}"),
            }
        }
    }
}

fn run(count_max: u64, bytes_max: u64, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let mut pair = Pair::new(count_max, bytes_max);
        for step in steps {
            pair.take(step).await;
        }
        // Whatever the steps were: everything that is retained, by the index and without.
        for exact in [true, false] {
            let subscribed: Vec<_> = (0..9).map(|topic: u8| topic.to_string()).collect();
            let filter = Names {
                granted: subscribed.clone(),
                subscribed,
                exact,
            };
            let budget = crate::folder::NO_BOUND;
            pair.read(pair.first - 1, u64::MAX, budget, &filter).await;
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_broker_agrees_with_a_list(
        count_max in prop_oneof![1..30_u64, 100..900_u64, Just(100_000)],
        bytes_max in prop_oneof![200..3000_u64, 10_000..200_000_u64, Just(1 << 30)],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        run(count_max, bytes_max, steps);
    }
}
