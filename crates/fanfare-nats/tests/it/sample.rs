//! What the tests publish, and ways to publish, read and wait.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{
    Broker, Budget, Cursor, Health, IdempotencyKey, Publication, PublishError, Receipt, Record,
    Resolved, TailItem, Topic, TopicFilter, Verdict,
};
use fanfare_nats::{Config, NatsBroker};
use fanfare_wire::Event;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

/// How long a test waits for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(DEADLINE, future).await;
    waited.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"))
}

/// Connects to `hosts`; `more` are settings of the address.
pub(crate) async fn connect(hosts: &str, more: &str) -> Arc<NatsBroker> {
    let address = format!("nats://{hosts}?ack=relaxed{more}");
    let broker = NatsBroker::connect(address.parse().unwrap(), Config::default());
    Arc::new(broker.await.unwrap())
}

pub(crate) fn publication(data: &str) -> Publication {
    let topic = Topic::parse("https://example.com/a").unwrap();
    Publication::new(topic, Event::new(data))
}

pub(crate) fn keyed(data: &str) -> Publication {
    let mut publication = publication(data);
    publication.idempotency_key = Some(IdempotencyKey::parse(data).unwrap());
    publication
}

pub(crate) async fn publish(
    broker: &NatsBroker,
    publication: Publication,
) -> Result<Receipt, PublishError> {
    let mut outcomes = within("an answer", broker.publish(vec![publication])).await;
    outcomes.remove(0)
}

/// Publishes each text, which must be stored.
pub(crate) async fn store(broker: &NatsBroker, texts: &[&str]) -> Vec<Receipt> {
    let batch = texts.iter().map(|text| publication(text)).collect();
    let outcomes = within("an answer", broker.publish(batch)).await;
    outcomes.into_iter().map(Result::unwrap).collect()
}

/// Publishes under a key, again and again, until it is known to be stored.
pub(crate) async fn store_at_last(broker: &NatsBroker, data: &str) -> Receipt {
    let mut last = None;
    let stored = async {
        loop {
            match publish(broker, keyed(data)).await {
                Ok(receipt) => return receipt,
                Err(PublishError::KeyReused | PublishError::TooLarge { .. }) => {
                    panic!("{data} is refused")
                }
                Err(error) => last = Some(error),
            }
            moment().await;
        }
    };
    match tokio::time::timeout(DEADLINE, stored).await {
        Ok(receipt) => receipt,
        Err(_) => panic!("not stored: {data}: {last:?}, {:?}", broker.health()),
    }
}

/// Between two looks at what cannot be waited for.
pub(crate) async fn moment() {
    let never = std::future::pending::<()>();
    _ = tokio::time::timeout(Duration::from_millis(10), never).await;
}

pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            moment().await;
        }
    };
    within(what, waited).await;
}

pub(crate) async fn wait_until_ready(broker: &NatsBroker) {
    wait_until("the broker is ready", || broker.health() == Health::Ready).await;
}

pub(crate) async fn resolve(broker: &NatsBroker, cursor: Cursor) -> Resolved {
    broker.resolve(&cursor.id()).await.unwrap()
}

/// Everything retained.
pub(crate) async fn history(broker: &NatsBroker) -> Vec<Record> {
    let bounds = broker.bounds().await.unwrap();
    let budget = Budget {
        records_max: usize::MAX,
        bytes_max: usize::MAX,
    };
    let page = broker.read(bounds.first - 1, u64::MAX, budget, Arc::new(Everything));
    let page = within("history is read", page).await.unwrap();
    assert_eq!(page.missing, [], "nothing is missing");
    page.records
}

pub(crate) fn data(records: &[Record]) -> Vec<String> {
    let data = |record: &Record| record.publication().event.data.to_string();
    records.iter().map(data).collect()
}

/// A tail that is read item by item.
pub(crate) struct Tail(BoxStream<'static, TailItem>);

impl Tail {
    pub(crate) fn of(broker: &NatsBroker, after: Option<Cursor>) -> Self {
        Self(broker.tail(after))
    }

    pub(crate) async fn next(&mut self) -> TailItem {
        within("the tail goes on", self.0.next()).await.unwrap()
    }

    /// Reads records, and nothing else, up to `offset`.
    pub(crate) async fn records_upto(&mut self, offset: u64) -> Vec<Record> {
        let mut records = Vec::new();
        loop {
            match self.next().await {
                TailItem::Records(more) => records.extend(more),
                item @ (TailItem::Trimmed { .. } | TailItem::Diverged { .. } | _) => {
                    panic!("{item:?}")
                }
            }
            if records.last().is_some_and(|last| last.offset() >= offset) {
                return records;
            }
        }
    }
}

struct Everything;

impl TopicFilter for Everything {
    fn verdict(&self, _: &Topic) -> Verdict {
        Verdict {
            subscribed: true,
            granted: true,
        }
    }
}
