//! A broker with one defect: the memory broker, and a lie on top of it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use fanfare_broker::{
    Bounds, Broker, Budget, Capabilities, Cursor, Epoch, Health, MemoryBroker, Page, Publication,
    PublishError, ReadError, Receipt, Record, Resolved, TailItem, Topic, TopicFilter, Verdict,
    memory,
};
use fanfare_testkit::broker_suite::{Limits, Site};
use fanfare_wire::EventId;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, future, stream};

/// What is wrong with a broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Defect {
    None,
    /// None, and it outlives its process: the laws on survivors hold for it too.
    NoneAndSurvives,
    /// A batch is stored in reverse.
    BatchReversed,
    /// A tail leaves out the second record of an item that has more.
    TailSkips,
    /// A tail never says that records were trimmed.
    TrimmedUnsaid,
    /// The newest record cannot be read yet.
    ReadLate,
    /// It claims to survive its process, and does not.
    ClaimsToSurvive,
    /// What is refused for its key is stored all the same.
    RefusedIsStored,
    /// Keys are taken no notice of.
    KeysIgnored,
    /// Every life counts from 1 in the same epoch.
    EpochReused,
    /// Cursors of strangers are taken for its own.
    StrangerResolves,
    /// What is trimmed is taken for retained.
    TrimmedResolves,
    /// A tail that waits is not woken up.
    TailUnwoken,
    /// A tail from the beginning begins at the head.
    TailStartsAtHead,
    /// Slices have no end.
    BudgetIgnored,
    /// A slice in which nothing matches is not left.
    StuckOnNothing,
    /// A filter's grant is taken no notice of.
    GrantIgnored,
    /// A batch is stored in two halves.
    BatchTorn,
    /// It is open after it was closed.
    CloseIgnored,
    /// A publish after the close is not answered.
    UnansweredAfterClose,
}

/// Where brokers with a defect live.
pub(crate) struct Defective(pub(crate) Defect);

impl Site for Defective {
    async fn open(&self, limits: Limits) -> Arc<dyn Broker> {
        let mut config = memory::Config::default();
        config.history_count_max = limits.history_count_max;
        Arc::new(Liar {
            inner: Arc::new(MemoryBroker::new(config)),
            defect: self.0,
        })
    }

    async fn reopen(&self, broker: Arc<dyn Broker>, limits: Limits) -> Arc<dyn Broker> {
        match self.0 {
            Defect::NoneAndSurvives => broker,
            _ => self.open(limits).await,
        }
    }
}

struct Liar {
    inner: Arc<MemoryBroker>,
    defect: Defect,
}

impl Liar {
    async fn publish_refused(&self, batch: Vec<Publication>) -> Vec<Result<Receipt, PublishError>> {
        let outcomes = self.inner.publish(batch.clone()).await;
        for (mut publication, outcome) in batch.into_iter().zip(&outcomes) {
            if outcome.is_err() {
                publication.idempotency_key = None;
                self.inner.publish(vec![publication]).await;
            }
        }
        outcomes
    }

    async fn publish_torn(
        &self,
        mut batch: Vec<Publication>,
    ) -> Vec<Result<Receipt, PublishError>> {
        let second = batch.split_off(batch.len() / 2);
        let mut outcomes = self.inner.publish(batch).await;
        tokio::task::yield_now().await;
        outcomes.extend(self.inner.publish(second).await);
        outcomes
    }

    async fn publish_as_ever(
        &self,
        mut batch: Vec<Publication>,
    ) -> Vec<Result<Receipt, PublishError>> {
        for publication in &mut batch {
            publication.idempotency_key = None;
        }
        self.inner.publish(batch).await
    }

    async fn publish_reversed(
        &self,
        mut batch: Vec<Publication>,
    ) -> Vec<Result<Receipt, PublishError>> {
        batch.reverse();
        let mut outcomes = self.inner.publish(batch).await;
        outcomes.reverse();
        outcomes
    }

    async fn publish_in_one_epoch(
        &self,
        batch: Vec<Publication>,
    ) -> Vec<Result<Receipt, PublishError>> {
        let mut outcomes = self.inner.publish(batch).await;
        for receipt in outcomes.iter_mut().flatten() {
            receipt.cursor = in_one_epoch(receipt.cursor);
        }
        outcomes
    }

    async fn read_late(&self, after: u64, upto: u64, mut page: Page) -> Result<Page, ReadError> {
        let head = self.inner.bounds().await?.head;
        if upto >= head.map_or(0, |head| head.offset) && after + 1 < page.next {
            page.records.pop();
        }
        Ok(page)
    }
}

impl Broker for Liar {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        let claims = [Defect::NoneAndSurvives, Defect::ClaimsToSurvive];
        capabilities.survives_process = claims.contains(&self.defect);
        capabilities
    }

    fn publish(
        &self,
        batch: Vec<Publication>,
    ) -> BoxFuture<'_, Vec<Result<Receipt, PublishError>>> {
        match self.defect {
            Defect::BatchReversed => self.publish_reversed(batch).boxed(),
            Defect::RefusedIsStored => self.publish_refused(batch).boxed(),
            Defect::KeysIgnored => self.publish_as_ever(batch).boxed(),
            Defect::EpochReused => self.publish_in_one_epoch(batch).boxed(),
            Defect::BatchTorn => self.publish_torn(batch).boxed(),
            Defect::UnansweredAfterClose if self.health() != Health::Ready => {
                future::pending().boxed()
            }
            _ => self.inner.publish(batch),
        }
    }

    fn tail(&self, after: Option<Cursor>) -> BoxStream<'static, TailItem> {
        let tail = self.inner.tail(after);
        match self.defect {
            Defect::TailSkips => tail.map(without_second).boxed(),
            Defect::TrimmedUnsaid => tail
                .filter(|item| future::ready(!matches!(item, TailItem::Trimmed { .. })))
                .boxed(),
            Defect::TailUnwoken => {
                let mut tail = tail;
                stream::poll_fn(move |_| {
                    tail.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
                })
                .boxed()
            }
            Defect::TailStartsAtHead if after.is_none() => {
                let bounds = self.inner.bounds().now_or_never().unwrap();
                self.inner.tail(bounds.unwrap().head)
            }
            _ => tail,
        }
    }

    fn read(
        &self,
        after: u64,
        upto: u64,
        mut budget: Budget,
        mut filter: Arc<dyn TopicFilter>,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        match self.defect {
            Defect::BudgetIgnored => budget.records_max = usize::MAX,
            Defect::GrantIgnored => filter = Arc::new(Generous(filter)),
            _ => {}
        }
        async move {
            let page = self.inner.read(after, upto, budget, filter).await?;
            match self.defect {
                Defect::ReadLate => self.read_late(after, upto, page).await,
                Defect::EpochReused => Ok(Page {
                    records: page.records.iter().map(renamed).collect(),
                    ..page
                }),
                Defect::StuckOnNothing if page.records.is_empty() => Ok(Page {
                    next: after + 1,
                    ..page
                }),
                _ => Ok(page),
            }
        }
        .boxed()
    }

    fn bounds(&self) -> BoxFuture<'_, Result<Bounds, ReadError>> {
        self.inner.bounds()
    }

    fn resolve(&self, id: &EventId) -> BoxFuture<'_, Result<Resolved, ReadError>> {
        let cursor = Cursor::parse(id.as_str());
        let resolved = self.inner.resolve(id);
        let defect = self.defect;
        async move {
            Ok(match (defect, resolved.await?, cursor) {
                (Defect::StrangerResolves, Resolved::Unknown, Some(cursor))
                | (Defect::TrimmedResolves, Resolved::Trimmed { .. }, Some(cursor)) => {
                    Resolved::At(cursor.offset)
                }
                (_, resolved, _) => resolved,
            })
        }
        .boxed()
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        match self.defect {
            Defect::CloseIgnored => future::ready(()).boxed(),
            _ => self.inner.close(deadline),
        }
    }
}

fn renamed(record: &Record) -> Record {
    Record::new(in_one_epoch(record.cursor()), record.publication().clone())
}

fn in_one_epoch(cursor: Cursor) -> Cursor {
    Cursor {
        epoch: Epoch::new(NonZeroU32::MIN),
        ..cursor
    }
}

fn without_second(item: TailItem) -> TailItem {
    match item {
        TailItem::Records(mut records) if records.len() > 1 => {
            records.remove(1);
            TailItem::Records(records)
        }
        item => item,
    }
}

struct Generous(Arc<dyn TopicFilter>);

impl TopicFilter for Generous {
    fn verdict(&self, topic: &Topic) -> Verdict {
        Verdict {
            granted: true,
            ..self.0.verdict(topic)
        }
    }
}
