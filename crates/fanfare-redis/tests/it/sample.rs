//! Brokers on servers of a test's own.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{
    Broker, Budget, Cursor, Publication, PublishError, Receipt, Record, TailItem, Topic,
    TopicFilter, Verdict,
};
use fanfare_redis::{Address, Config, RedisBroker};
use fanfare_testkit::redis_server::RedisServer;
use fanfare_wire::Event;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

/// Connects to `server` as its users do.
pub(crate) async fn connect(server: &RedisServer) -> Arc<RedisBroker> {
    connect_as(&server.url(), Config::default()).await
}

/// Connects to `address`.
pub(crate) async fn connect_as(address: &str, config: Config) -> Arc<RedisBroker> {
    let address: Address = address.parse().unwrap();
    Arc::new(RedisBroker::connect(address, config).await.unwrap())
}

/// Runs a test to its end.
pub(crate) fn run(test: impl Future<Output = ()>) {
    fanfare_testkit::broker_suite::run(test);
}

pub(crate) fn publication(data: &str) -> Publication {
    let topic = Topic::parse("https://example.com/a").unwrap();
    Publication::new(topic, Event::new(data))
}

pub(crate) async fn publish(
    broker: &RedisBroker,
    publication: Publication,
) -> Result<Receipt, PublishError> {
    let outcome = within("a publish is answered", broker.publish(vec![publication])).await;
    outcome.into_iter().next().unwrap()
}

/// Stores the numbers in `range`, each as its own text.
pub(crate) async fn store(broker: &RedisBroker, range: std::ops::Range<u32>) -> Vec<Receipt> {
    let batch = range.map(|n| publication(&n.to_string())).collect();
    let outcomes = within("a batch is answered", broker.publish(batch)).await;
    outcomes.into_iter().map(Result::unwrap).collect()
}

/// Waits for `future`; `what` must happen in twenty seconds.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_) => panic!("not within 20 s: {what}"),
    }
}

/// Waits until `condition` holds, without blocking the thread.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        while !condition().await {
            pause.tick().await;
        }
    };
    within(what, holds).await;
}

/// A tail, and what it told.
pub(crate) struct Follower {
    tail: BoxStream<'static, TailItem>,
    /// The newest offset that was told.
    pub(crate) last: u64,
    /// Everything that was told, in order; a loss by its end, a trim by its next.
    pub(crate) told: Vec<Told>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    Record(Cursor, String),
    Trimmed(u64),
    Diverged(u64),
}

impl Follower {
    pub(crate) fn attach(broker: &RedisBroker, after: Option<Cursor>) -> Self {
        Self {
            tail: broker.tail(after),
            last: after.map_or(0, |cursor| cursor.offset),
            told: Vec::new(),
        }
    }

    /// Reads on until `done`.
    pub(crate) async fn read_until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let read = async {
            while !done(self) {
                let item = self.tail.next().await.expect("it does not end by itself");
                self.take(item);
            }
        };
        let told = match tokio::time::timeout(Duration::from_secs(20), read).await {
            Ok(()) => return,
            Err(_) => &self.told,
        };
        panic!("not within 20 s: {what}; told: {told:?}");
    }

    /// Reads on until the record at `cursor` was told.
    pub(crate) async fn reach(&mut self, cursor: Cursor) {
        let is_it = |told: &Told| matches!(told, Told::Record(at, _) if *at == cursor);
        self.read_until("the tail reaches a record", |it| it.told.iter().any(is_it))
            .await;
    }

    /// Reads on until a loss was told, and gives its end.
    pub(crate) async fn diverges(&mut self) -> u64 {
        let end = |it: &Self| {
            it.told.iter().find_map(|told| match told {
                Told::Diverged(end) => Some(*end),
                Told::Record(..) | Told::Trimmed(_) => None,
            })
        };
        self.read_until("the tail tells a loss", |it| end(it).is_some())
            .await;
        end(self).unwrap()
    }

    fn take(&mut self, item: TailItem) {
        match item {
            TailItem::Records(records) => {
                for record in records {
                    assert_eq!(record.offset(), self.last + 1, "offsets are dense");
                    self.last = record.offset();
                    let data = record.publication().event.data.to_string();
                    self.told.push(Told::Record(record.cursor(), data));
                }
            }
            TailItem::Trimmed { next } => {
                assert!(next > self.last + 1, "trimmed is what was not told");
                self.last = next - 1;
                self.told.push(Told::Trimmed(next));
            }
            TailItem::Diverged { end, .. } => {
                assert!(end <= self.last, "lost is what was told");
                self.last = end;
                self.told.push(Told::Diverged(end));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Everything that is retained.
pub(crate) async fn history(broker: &RedisBroker) -> Vec<Record> {
    let budget = Budget {
        records_max: usize::MAX,
        bytes_max: usize::MAX,
    };
    let bounds = broker.bounds().await.unwrap();
    let mut records = Vec::new();
    let mut next = bounds.first;
    while next <= bounds.head_offset() {
        let page = broker.read(next - 1, u64::MAX, budget, Arc::new(Everything));
        let page = page.await.unwrap();
        assert_eq!(page.missing, [], "nothing was damaged");
        records.extend(page.records);
        next = page.next;
    }
    records
}

/// Wants everything and may see it.
pub(crate) struct Everything;

impl TopicFilter for Everything {
    fn verdict(&self, _: &Topic) -> Verdict {
        Verdict {
            subscribed: true,
            granted: true,
        }
    }
}
