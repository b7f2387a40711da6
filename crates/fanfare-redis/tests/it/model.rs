//! Two nodes on one server against a model of them: a list, of which the newest are retained.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_broker::{
    Audience, Broker, Budget, Cursor, Epoch, Form, IdempotencyKey, PageEnd, Publication,
    PublishError, ReadError, Receipt, Record, Resolved, Topic, TopicFilter, Verdict,
};
use fanfare_redis::{Config, RedisBroker};
use fanfare_testkit::redis_server::RedisServer;
use fanfare_wire::{Event, EventId};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::sample::{Follower, Told, connect_as, publish, run, within};

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
    Read(u64, u64, Budget, Names),
    Resolve(Presented),
    /// From so many before the newest on.
    Tail(u64),
    /// Another node takes the place of one.
    Replace,
    /// The server cuts all connections.
    Cut,
    /// The server is killed; it had all on its disk.
    Restart,
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

/// Subscribed and granted topics by name.
#[derive(Clone, Debug)]
struct Names {
    subscribed: Vec<u8>,
    granted: Vec<u8>,
}

impl TopicFilter for Names {
    fn verdict(&self, topic: &Topic) -> Verdict {
        let number = topic.as_str().parse().unwrap();
        Verdict {
            subscribed: self.subscribed.contains(&number),
            granted: self.granted.contains(&number),
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let topics = prop::collection::vec(0..5_u8, 1..3);
    let bytes = prop_oneof![20 => 0..50_usize, 1 => 90_000..130_000_usize];
    let number = || prop::option::weighted(0.2, 0..6_u8);
    (0..3_u8, bytes, number(), number(), topics, any::<bool>()).prop_map(
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

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![0..100_u64, Just(u64::MAX)];
    let records_max = prop_oneof![0..100_usize, Just(usize::MAX)];
    let bytes_max = prop_oneof![0..9000_usize, Just(usize::MAX)];
    let budget = (records_max, bytes_max).prop_map(|(records_max, bytes_max)| Budget {
        records_max,
        bytes_max,
    });
    let set = || prop::collection::vec(0..5_u8, 0..4);
    let names = (set(), set()).prop_map(|(subscribed, granted)| Names {
        subscribed,
        granted,
    });
    let presented = prop_oneof![
        (0..7_u8).prop_map(Presented::OwnId),
        (0..300_u64).prop_map(Presented::Stored),
        (0..300_u64, 0..400_u64).prop_map(|(from, offset)| Presented::Made(from, offset)),
        Just(Presented::Earliest),
        Just(Presented::Foreign),
    ];
    let batch = prop::collection::vec(sent(), 0..6);
    prop_oneof![
        6 => (batch, prop_oneof![0..10_usize, 60..200_usize])
            .prop_map(|(batch, copies)| Step::Publish(batch, copies)),
        6 => (0..300_u64, length, budget, names)
            .prop_map(|(after, length, budget, names)| Step::Read(after, length, budget, names)),
        6 => presented.prop_map(Step::Resolve),
        2 => (0..300_u64).prop_map(Step::Tail),
        1 => Just(Step::Replace),
        1 => Just(Step::Cut),
        1 => Just(Step::Restart),
    ]
}

impl Sent {
    fn publication(&self) -> Publication {
        let topics = self.topics.iter().map(u8::to_string);
        let mut topics = topics.map(|name| Topic::parse(&name).unwrap());
        let first = topics.next().unwrap();
        let mut publication = Publication::new(first, Event::new(self.data()));
        for topic in topics {
            publication = publication.also(topic);
        }
        publication.event.id = self.id.map(own_id);
        let key = self.key.map(|key| key.to_string());
        publication.idempotency_key = key.and_then(|key| IdempotencyKey::parse(&key).ok());
        match self.private {
            true => publication.private(),
            false => publication,
        }
    }

    fn data(&self) -> String {
        format!("{}{}", self.data, "x".repeat(self.bytes))
    }

    fn passes(&self, names: &Names) -> bool {
        let some_in = |set: &[u8]| self.topics.iter().any(|topic| set.contains(topic));
        some_in(&names.subscribed) && (!self.private || some_in(&names.granted))
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

/// The model, beside the nodes that must agree with it.
struct Pair {
    server: RedisServer,
    nodes: [Arc<RedisBroker>; 2],
    config: Config,
    /// All that was ever stored, and under which cursor; offset n is at n - 1.
    stored: Vec<(Sent, Cursor)>,
    keys: HashMap<u8, u64>,
    /// Every epoch that stored something, by its first offset.
    epochs: Vec<(u64, Epoch)>,
    /// Nothing was stored in this life of the server yet.
    fresh: bool,
}

impl Pair {
    async fn new(count_max: u64) -> Self {
        let server = RedisServer::start(&["appendonly yes", "appendfsync always"]);
        let mut config = Config::default();
        config.history_count_max = count_max;
        let url = server.url();
        let node = async || connect_as(&url, config.clone()).await;
        Self {
            nodes: [node().await, node().await],
            server,
            config,
            stored: Vec::new(),
            keys: HashMap::new(),
            epochs: Vec::new(),
            fresh: true,
        }
    }

    fn head(&self) -> u64 {
        self.stored.len() as u64
    }

    fn first(&self) -> u64 {
        self.head().saturating_sub(self.config.history_count_max) + 1
    }

    fn at(&self, offset: u64) -> &(Sent, Cursor) {
        &self.stored[usize::try_from(offset - 1).unwrap()]
    }

    /// Takes `step` at the first node; the other is the first of the next.
    async fn take(&mut self, step: Step) {
        self.nodes.reverse();
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
            Step::Read(after, length, budget, names) => {
                self.read(after, after.saturating_add(length), budget, &names)
                    .await;
            }
            Step::Resolve(presented) => self.resolve(&presented).await,
            Step::Tail(back) => self.tail(back).await,
            Step::Replace => self.nodes[0] = self.connect().await,
            Step::Cut => self.cut().await,
            Step::Restart => {
                self.server.kill();
                self.server.start_again();
                self.nodes = [self.connect().await, self.connect().await];
                self.fresh = true;
            }
        }
        for node in &self.nodes {
            let bounds = node.bounds().await.unwrap();
            assert_eq!(bounds.first, self.first());
            let newest = self.stored.last().map(|(_, cursor)| *cursor);
            assert_eq!(bounds.head, newest);
        }
    }

    async fn connect(&self) -> Arc<RedisBroker> {
        connect_as(&self.server.url(), self.config.clone()).await
    }

    /// Both nodes publish again, under one key until they know; it is stored once. Reads are cut, too.
    async fn cut(&mut self) {
        self.server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        let sent = Sent {
            data: 0,
            bytes: 0,
            id: None,
            // A key of its own for each cut.
            key: u8::try_from(100 + self.keys.len()).ok(),
            topics: vec![0],
            private: false,
        };
        for (place, node) in self.nodes.clone().iter().enumerate() {
            let known = async {
                loop {
                    match publish(node, sent.publication()).await {
                        Ok(receipt) => return receipt,
                        Err(PublishError::Unknown | PublishError::Unavailable { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                    tokio::task::yield_now().await;
                }
            };
            let mut receipt = within("it is known", known).await;
            // An attempt whose answer was cut may have stored it.
            receipt.duplicate = place > 0;
            self.note(&sent, Ok(receipt));
            within("it reads", async {
                while node.bounds().await.is_err() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
    }

    async fn publish(&mut self, batch: &[Sent]) {
        let publications = batch.iter().map(Sent::publication).collect();
        let outcomes = within("it answers", self.nodes[0].publish(publications)).await;
        assert_eq!(outcomes.len(), batch.len());
        for (sent, outcome) in batch.iter().zip(outcomes) {
            self.note(sent, outcome);
        }
    }

    fn note(&mut self, sent: &Sent, outcome: Result<Receipt, PublishError>) {
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
        assert_eq!(self.epochs.last().unwrap().1, cursor.epoch);
        self.stored.push((sent.without_key(), cursor));
        if let Some(key) = sent.key {
            self.keys.insert(key, self.head());
        }
    }

    async fn read(&self, after: u64, upto: u64, budget: Budget, names: &Names) {
        let (mut after, end) = (after, upto.min(self.head()));
        loop {
            let filter = Arc::new(names.clone());
            let page = match self.nodes[0].read(after, upto, budget, filter).await {
                Ok(page) => page,
                Err(error) => {
                    let first = self.first();
                    assert_eq!(error, ReadError::Trimmed { first });
                    assert!(after + 1 < first);
                    return;
                }
            };
            assert!(after + 1 >= self.first());
            assert!(page.missing.is_empty());
            assert!(page.next <= end.max(after) + 1, "not beyond the end");
            let passes = |offset: &u64| self.at(*offset).0.passes(names);
            let wanted: Vec<_> = (after + 1..page.next).filter(passes).collect();
            let offsets: Vec<_> = page.records.iter().map(Record::offset).collect();
            assert_eq!(offsets, wanted);
            for record in &page.records {
                self.assert_is(record);
            }
            assert!(wanted.len() <= budget.records_max.max(1));
            let bytes = |record: &Record| record.frame().bytes(Form::Plain).len();
            let brought: usize = page.records.iter().map(bytes).sum();
            let last = page.records.last().map_or(0, bytes);
            assert!(page.records.is_empty() || brought - last < budget.bytes_max.max(1));
            match page.end {
                PageEnd::Upto => {
                    assert!(page.next > end);
                    return;
                }
                PageEnd::Budget => assert!(page.next > after + 1, "it goes on"),
            }
            after = page.next - 1;
        }
    }

    fn assert_is(&self, record: &Record) {
        let (sent, cursor) = self.at(record.offset());
        let (expected, publication) = (sent.publication(), record.publication());
        assert_eq!(record.cursor(), *cursor);
        assert_eq!(publication.topics(), expected.topics());
        assert_eq!(publication.event.data, expected.event.data);
        assert_eq!(publication.audience == Audience::Private, sent.private);
        assert_eq!(record.id(), sent.id.map_or(cursor.id(), own_id));
    }

    async fn resolve(&self, presented: &Presented) {
        let (id, expected) = match presented {
            Presented::OwnId(number) => {
                let named = |offset: &u64| self.at(*offset).0.id == Some(*number);
                let found = (self.first()..=self.head()).find(named);
                let place = found.map_or(Resolved::Unknown, Resolved::At);
                (own_id(*number), place)
            }
            Presented::Earliest => {
                let id = EventId::parse("earliest").unwrap();
                (id, Resolved::At(self.first() - 1))
            }
            Presented::Foreign => (EventId::parse("urn:ff:x").unwrap(), Resolved::Unknown),
            Presented::Stored(back) | Presented::Made(back, _) => {
                let Some(offset @ 1..) = self.head().checked_sub(*back) else {
                    return;
                };
                let mut cursor = self.at(offset).1;
                if let Presented::Made(_, offset) = presented {
                    cursor.offset = *offset;
                }
                (cursor.id(), self.place_of(cursor))
            }
        };
        assert_eq!(self.nodes[0].resolve(&id).await, Ok(expected), "{id:?}");
    }

    /// C4, said once more.
    fn place_of(&self, cursor: Cursor) -> Resolved {
        let (first, head) = (self.first(), self.head());
        let mut epochs = self.epochs.iter();
        let begins = epochs.find(|(_, epoch)| *epoch == cursor.epoch).unwrap().0;
        let next = epochs.next().map_or(u64::MAX, |(next, _)| *next);
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

    /// What a tail tells from there on, each record as it was sent, and a trim for what is gone.
    async fn tail(&self, back: u64) {
        let Some(offset @ 1..) = self.head().checked_sub(back) else {
            return;
        };
        let mut follower = Follower::attach(&self.nodes[0], Some(self.at(offset).1));
        let head = self.head();
        let reached = |it: &Follower| it.last >= head;
        follower.read_until("the tail is at the end", reached).await;
        let mut told = follower.told.into_iter();
        let mut last = offset;
        if last + 1 < self.first() {
            assert_eq!(told.next(), Some(Told::Trimmed(self.first())));
            last = self.first() - 1;
        }
        for offset in last + 1..=head {
            let (sent, cursor) = self.at(offset);
            assert_eq!(told.next(), Some(Told::Record(*cursor, sent.data())));
        }
        assert_eq!(told.next(), None);
    }
}

/// The same steps every time, so that what fails fails again.
#[test]
fn nodes_agree_with_a_list() {
    let config = ProptestConfig {
        cases: 40,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let count_max = prop_oneof![1..30_u64, 100..400_u64, Just(100_000)];
    let steps = (count_max, prop::collection::vec(step(), 1..50));
    let agreed = TestRunner::new_with_rng(config, rng).run(&steps, |(count_max, steps)| {
        run(async {
            let mut pair = Pair::new(count_max).await;
            for step in steps {
                pair.take(step).await;
            }
        });
        Ok(())
    });
    agreed.unwrap();
}
