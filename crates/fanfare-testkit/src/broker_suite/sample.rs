//! What the laws publish, and ways to publish and read it.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{
    Broker, Budget, IdempotencyKey, Page, PageEnd, Publication, PublishError, ReadError, Receipt,
    Record, Topic, TopicFilter, Verdict,
};
use fanfare_wire::{Event, EventId};
use tokio::time::Instant;

/// How long a law waits for what must come.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// Waits for `future` until the deadline; `what` must happen by then.
pub(super) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    match tokio::time::timeout_at(deadline, future).await {
        // The timer polls the future a last time: what nobody woke up may be ready then.
        Ok(value) if Instant::now() < deadline => value,
        _ => panic!("not within {DEADLINE:?}: {what}"),
    }
}

pub(super) fn topic(text: &str) -> Topic {
    Topic::parse(text).unwrap()
}

/// A publication without id or key, told by its data.
pub(super) fn publication(data: &str) -> Publication {
    Publication::new(topic("https://example.com/a"), Event::new(data))
}

/// A publication under an idempotency key.
pub(super) fn keyed(data: &str, key: &str) -> Publication {
    let mut publication = publication(data);
    publication.idempotency_key = Some(IdempotencyKey::parse(key).unwrap());
    publication
}

/// A publication with an id of its publisher's.
pub(super) fn named(data: &str, id: &str) -> Publication {
    let mut publication = publication(data);
    publication.event.id = Some(EventId::parse(id).unwrap());
    publication
}

/// Publishes one.
pub(super) async fn publish(
    broker: &Arc<dyn Broker>,
    publication: Publication,
) -> Result<Receipt, PublishError> {
    let mut outcomes = within("a publish is answered", broker.publish(vec![publication])).await;
    assert_eq!(outcomes.len(), 1, "one outcome for each publication");
    outcomes.remove(0)
}

/// Publishes `batch`, all of which must be stored.
pub(super) async fn store(broker: &Arc<dyn Broker>, batch: Vec<Publication>) -> Vec<Receipt> {
    let count = batch.len();
    let outcomes = within("a batch is answered", broker.publish(batch)).await;
    assert_eq!(outcomes.len(), count, "one outcome for each publication");
    outcomes.into_iter().map(Result::unwrap).collect()
}

/// Stores `count` publications, the i-th with data `i`.
pub(super) async fn store_numbers(broker: &Arc<dyn Broker>, count: usize) -> Vec<Receipt> {
    let numbers: Vec<_> = (0..count).map(|n| publication(&n.to_string())).collect();
    let mut receipts = Vec::new();
    for batch in numbers.chunks(100) {
        receipts.extend(store(broker, batch.to_vec()).await);
    }
    receipts
}

/// Publishes until nothing up to `offset` is retained any more.
pub(super) async fn trim_past(broker: &Arc<dyn Broker>, offset: u64) {
    let trimmed = async {
        while broker.bounds().await.unwrap().first <= offset {
            store(broker, vec![publication("pushes the oldest out")]).await;
            // A broker that is always ready would keep the deadline from being noticed.
            tokio::task::yield_now().await;
        }
    };
    within("the oldest records are trimmed", trimmed).await;
}

/// A budget that never ends a slice.
pub(super) const NO_BUDGET: Budget = Budget {
    records_max: usize::MAX,
    bytes_max: usize::MAX,
};

/// Reads one slice and holds it to its own terms: in bounds, in order, without a silent hole.
pub(super) async fn slice(
    broker: &Arc<dyn Broker>,
    after: u64,
    upto: u64,
    budget: Budget,
    filter: Arc<dyn TopicFilter>,
) -> Result<Page, ReadError> {
    let read = broker.read(after, upto, budget, filter);
    let page = within("a slice is read", read).await?;
    let advanced = page.next > after + 1 || page.end == PageEnd::Upto;
    assert!(advanced && page.next > after, "a slice goes on: {page:?}");
    let mut last = after;
    for record in &page.records {
        assert!(record.offset() > last, "oldest first: {page:?}");
        last = record.offset();
    }
    assert!(
        last < page.next,
        "`next` is after what was brought: {page:?}"
    );
    assert!(last <= upto, "nothing beyond `upto`: {page:?}");
    Ok(page)
}

/// Reads (`after`, head] in slices of `budget`.
pub(super) async fn read_all(
    broker: &Arc<dyn Broker>,
    after: u64,
    budget: Budget,
    filter: Arc<dyn TopicFilter>,
) -> Vec<Record> {
    let mut records = Vec::new();
    let mut next = after + 1;
    loop {
        let page = slice(broker, next - 1, u64::MAX, budget, Arc::clone(&filter)).await;
        let page = page.unwrap();
        assert_eq!(page.missing, [], "nothing was damaged");
        next = page.next;
        records.extend(page.records);
        if page.end == PageEnd::Upto {
            return records;
        }
    }
}

/// Everything that is retained.
pub(super) async fn history(broker: &Arc<dyn Broker>) -> Vec<Record> {
    let first = broker.bounds().await.unwrap().first;
    read_all(broker, first - 1, NO_BUDGET, Arc::new(Everything)).await
}

/// The data of `records`, in their order.
pub(super) fn data(records: &[Record]) -> Vec<&str> {
    records
        .iter()
        .map(|record| &*record.publication().event.data)
        .collect()
}

/// Holds `a` and `b` to be the same records, as far as anybody can tell.
#[track_caller]
pub(super) fn assert_same(a: &[Record], b: &[Record]) {
    let told = |record: &Record| {
        let publication = record.publication();
        let event = &publication.event;
        let addressed = (publication.topics().to_vec(), publication.audience);
        (record.cursor(), record.id(), event.data.clone(), addressed)
    };
    let told = |records: &[Record]| records.iter().map(told).collect::<Vec<_>>();
    assert_eq!(told(a), told(b));
}

/// Wants everything and may see it.
pub(super) struct Everything;

impl TopicFilter for Everything {
    fn verdict(&self, _: &Topic) -> Verdict {
        Verdict {
            subscribed: true,
            granted: true,
        }
    }
}
