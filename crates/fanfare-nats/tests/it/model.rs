//! The broker against a model of it: a list, of which the newest are retained.
//!
//! Two nodes take turns. The seeds are fixed: each run takes the same steps.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_broker::{
    Audience, Broker, Budget, Cursor, Form, IdempotencyKey, Page, PageEnd, Publication,
    PublishError, ReadError, Receipt, Record, Resolved, TailItem, Topic, TopicFilter, Verdict,
};
use fanfare_nats::{Config, NatsBroker};
use fanfare_testkit::nats_server::NatsServer;
use fanfare_wire::{Event, EventId};

use crate::sample::{Tail, wait_until_ready, within};

/// What a publisher sends: small numbers, so that ids, keys and topics meet again.
#[derive(Clone, Debug, PartialEq)]
struct Sent {
    data: String,
    id: Option<u64>,
    key: Option<u64>,
    topic: u64,
    private: bool,
}

impl Sent {
    fn random(dice: &mut Dice) -> Self {
        let length = match dice.roll(20) {
            0 => 100_000 + dice.roll(50_000),
            1 => 2_000 + dice.roll(7_000),
            _ => dice.roll(50),
        };
        let data = "x".repeat(usize::try_from(length).unwrap());
        Self {
            data: format!("{}{data}", dice.roll(3)),
            id: dice.one_in(5).then(|| dice.roll(6)),
            key: dice.one_in(5).then(|| dice.roll(6)),
            topic: dice.roll(4),
            private: dice.one_in(2),
        }
    }

    fn publication(&self) -> Publication {
        let mut event = Event::new(&*self.data);
        event.id = self.id.map(own_id);
        let mut publication = Publication::new(topic(self.topic), event);
        if let Some(key) = self.key {
            publication.idempotency_key = IdempotencyKey::parse(&key.to_string()).ok();
        }
        match self.private {
            true => publication.private(),
            false => publication,
        }
    }

    /// The same but for the key, which is no part of what is stored.
    fn without_key(&self) -> Self {
        Self {
            key: None,
            ..self.clone()
        }
    }
}

fn own_id(number: u64) -> EventId {
    EventId::parse(&format!("https://example.com/{number}")).unwrap()
}

fn topic(number: u64) -> Topic {
    Topic::parse(&number.to_string()).unwrap()
}

/// Who is subscribed to the topics below `subscribed`, and may see what is private below `granted`.
#[derive(Clone, Copy, Debug)]
struct Below {
    subscribed: u64,
    granted: u64,
}

impl Below {
    fn passes(self, sent: &Sent) -> bool {
        sent.topic < self.subscribed && (!sent.private || sent.topic < self.granted)
    }
}

impl TopicFilter for Below {
    fn verdict(&self, topic: &Topic) -> Verdict {
        let number: u64 = topic.as_str().parse().unwrap();
        Verdict {
            subscribed: number < self.subscribed,
            granted: number < self.granted,
        }
    }
}

/// A sequence of numbers that a seed stands for (splitmix64).
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

/// The model, beside the broker that must agree with it.
struct Pair {
    server: NatsServer,
    nodes: Vec<Arc<NatsBroker>>,
    turn: usize,
    count_max: u64,
    /// All that was ever stored, and under which cursor; offset n is at n - 1.
    stored: Vec<(Sent, Cursor)>,
    first: u64,
    keys: HashMap<u64, u64>,
    /// The server was restarted, and no key has come since.
    is_restarted: bool,
}

impl Pair {
    async fn new(count_max: u64) -> Self {
        let server = NatsServer::start();
        let mut nodes = Vec::new();
        for _ in 0..2 {
            nodes.push(open(&server, count_max).await);
        }
        Self {
            server,
            nodes,
            turn: 0,
            count_max,
            stored: Vec::new(),
            first: 1,
            keys: HashMap::new(),
            is_restarted: false,
        }
    }

    fn node(&self) -> &NatsBroker {
        self.nodes.get(self.turn).unwrap()
    }

    fn head(&self) -> u64 {
        self.stored.len() as u64
    }

    fn at(&self, offset: u64) -> &(Sent, Cursor) {
        let place = usize::try_from(offset - 1).unwrap();
        self.stored.get(place).unwrap()
    }

    async fn step(&mut self, dice: &mut Dice) {
        self.turn = usize::from(dice.one_in(2));
        match dice.roll(60) {
            0 => self.restart_server().await,
            1..=2 => self.restart_node().await,
            3..=22 => self.publish(dice).await,
            23..=42 => self.read_pages(dice).await,
            43..=55 => self.resolve(dice).await,
            _ => self.tail(dice).await,
        }
        let bounds = self.node().bounds().await.unwrap();
        assert_eq!(bounds.first, self.first);
        let newest = self.stored.last().map(|(_, cursor)| *cursor);
        assert_eq!(bounds.head, newest);
    }

    async fn restart_server(&mut self) {
        self.server.kill();
        self.server.restart();
        for node in &self.nodes {
            // They need not have noticed yet.
            let answers = async { while node.bounds().await.is_err() {} };
            within("the node reads again", answers).await;
            wait_until_ready(node).await;
        }
        self.is_restarted = true;
    }

    async fn restart_node(&mut self) {
        let node = open(&self.server, self.count_max).await;
        *self.nodes.get_mut(self.turn).unwrap() = node;
    }

    async fn publish(&mut self, dice: &mut Dice) {
        let count = match dice.one_in(4) {
            true => 60 + dice.roll(140),
            false => dice.roll(8),
        };
        let batch: Vec<_> = (0..count).map(|_| Sent::random(dice)).collect();
        let publications = batch.iter().map(Sent::publication).collect();
        let outcomes = within("an answer", self.node().publish(publications)).await;
        assert_eq!(outcomes.len(), batch.len());
        let stored = outcomes.iter().flatten().filter(|it| !it.duplicate).count();
        let head = self.head() + stored as u64;
        self.first = self.first.max((head + 1).saturating_sub(self.count_max));
        for (sent, outcome) in batch.iter().zip(outcomes) {
            self.note(sent, outcome);
        }
        assert_eq!(self.head(), head);
    }

    fn note(&mut self, sent: &Sent, outcome: Result<Receipt, PublishError>) {
        if sent.key.is_some() && std::mem::take(&mut self.is_restarted) {
            // It learns them now, from the events that it still has.
            let first = (self.head() + 1).saturating_sub(self.count_max);
            self.keys.retain(|_, offset| *offset >= first);
        }
        let known = sent.key.and_then(|key| self.keys.get(&key).copied());
        if let Some(offset) = known {
            let (first, cursor) = self.at(offset);
            if *first == sent.without_key() {
                let receipt = outcome.unwrap();
                assert_eq!((receipt.cursor, receipt.duplicate), (*cursor, true));
                assert_eq!(receipt.id, first.id.map_or(cursor.id(), own_id));
            } else if offset >= self.first {
                assert_eq!(outcome, Err(PublishError::KeyReused));
            } else if let Ok(receipt) = outcome {
                // What is trimmed cannot be compared; within the batch it may yet have been there.
                assert_eq!((receipt.cursor, receipt.duplicate), (*cursor, true));
            } else {
                assert_eq!(outcome, Err(PublishError::KeyReused));
            }
            return;
        }
        let receipt = outcome.unwrap();
        let cursor = receipt.cursor;
        assert_eq!((cursor.offset, receipt.duplicate), (self.head() + 1, false));
        assert_eq!(receipt.id, sent.id.map_or(cursor.id(), own_id));
        let epoch = self.stored.first().map_or(cursor.epoch, |it| it.1.epoch);
        assert_eq!(cursor.epoch, epoch);
        self.stored.push((sent.without_key(), cursor));
        if let Some(key) = sent.key {
            self.keys.insert(key, self.head());
        }
    }

    async fn read_pages(&self, dice: &mut Dice) {
        let mut after = dice.roll(self.head() + 3);
        let upto = match dice.roll(3) {
            0 => u64::MAX,
            1 => after + 1 + dice.roll(100),
            _ => after + 1 + dice.roll(1000),
        };
        let bound = |dice: &mut Dice, most| match dice.one_in(2) {
            true => usize::MAX,
            false => usize::try_from(dice.roll(most)).unwrap(),
        };
        let budget = Budget {
            records_max: bound(dice, 300),
            bytes_max: bound(dice, 9000),
        };
        let filter = Below {
            subscribed: dice.roll(5),
            granted: dice.roll(5),
        };
        loop {
            let read = self.node().read(after, upto, budget, Arc::new(filter));
            let page = match within("a page", read).await {
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

    fn assert_is_right(&self, page: &Page, after: u64, upto: u64, budget: Budget, filter: Below) {
        let end = upto.min(self.head());
        assert!(page.missing.is_empty());
        assert!(page.next <= end.max(after) + 1, "not beyond the end");
        let wanted = (after + 1..page.next).filter(|offset| filter.passes(&self.at(*offset).0));
        let wanted: Vec<_> = wanted.collect();
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
            PageEnd::Upto => assert!(page.next > end),
            PageEnd::Budget => assert!(page.next > after + 1, "it goes on"),
        }
    }

    fn assert_is(&self, record: &Record) {
        let (sent, cursor) = self.at(record.offset());
        let publication = record.publication();
        assert_eq!(record.cursor(), *cursor);
        assert_eq!(publication.topics(), [topic(sent.topic)]);
        assert_eq!(*publication.event.data, *sent.data);
        assert_eq!(publication.audience == Audience::Private, sent.private);
        assert_eq!(record.id(), sent.id.map_or(cursor.id(), own_id));
    }

    async fn resolve(&self, dice: &mut Dice) {
        let (id, expected) = match dice.roll(5) {
            0 => {
                let number = dice.roll(7);
                let named = |offset: &u64| self.at(*offset).0.id == Some(number);
                let found = (self.first..=self.head()).find(named);
                let expected = found.map_or(Resolved::Unknown, Resolved::At);
                (own_id(number), expected)
            }
            1 => {
                let id = EventId::parse("earliest").unwrap();
                (id, Resolved::At(self.first - 1))
            }
            2 => (EventId::parse("urn:ff:x").unwrap(), Resolved::Unknown),
            _ => {
                let Some((_, mut cursor)) = self.stored.last().cloned() else {
                    return;
                };
                cursor.offset = dice.roll(self.head() + 5);
                (cursor.id(), self.place_of(cursor.offset))
            }
        };
        assert_eq!(self.node().resolve(&id).await, Ok(expected), "{id:?}");
    }

    /// C4, said once more for one epoch.
    fn place_of(&self, offset: u64) -> Resolved {
        let (first, head) = (self.first, self.head());
        if offset > head {
            Resolved::Diverged { end: head }
        } else if offset + 1 < first {
            Resolved::Trimmed { first }
        } else {
            Resolved::At(offset)
        }
    }

    async fn tail(&self, dice: &mut Dice) {
        let mut last = dice.roll(self.head() + 1);
        let after = (last > 0).then(|| self.at(last).1);
        let mut tail = Tail::of(self.node(), after);
        while last < self.head() {
            match tail.next().await {
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

async fn open(server: &NatsServer, count_max: u64) -> Arc<NatsBroker> {
    let mut config = Config::default();
    config.history_count_max = count_max;
    let address = format!("nats://{}?ack=relaxed", server.host());
    let broker = NatsBroker::connect(address.parse().unwrap(), config);
    Arc::new(broker.await.unwrap())
}

async fn agree(seed: u64, count_max: u64) {
    let mut pair = Pair::new(count_max).await;
    let mut dice = Dice(seed);
    for _ in 0..100 {
        pair.step(&mut dice).await;
    }
    assert!(
        pair.head() > count_max.min(500),
        "it has trimmed, or stored much"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_agrees_with_a_list_of_few() {
    agree(1, 20).await;
    agree(2, 150).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_agrees_with_a_list_of_many() {
    agree(3, 700).await;
    agree(4, 100_000).await;
}
