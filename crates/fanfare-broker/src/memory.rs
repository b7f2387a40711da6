//! The broker that keeps everything in this process and survives nothing.

mod keys;
mod log;
mod tail;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use fanfare_wire::EventId;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use tokio::sync::watch;

use self::keys::Keys;
use self::log::Log;
use crate::broker::{
    Bounds, Broker, Budget, Capabilities, Health, Page, PageEnd, PublishError, ReadError, Receipt,
    Resolved, TailItem, TopicFilter,
};
use crate::cursor::{Cursor, Epoch};
use crate::frame::Form;
use crate::publication::Publication;

/// A broker in the memory of this process, for tests and throw-away hubs.
///
/// Each one is a history of its own, in an epoch drawn when it is made: the cursors of an earlier
/// run are unknown to it. Nothing in it waits, except a tail at the head.
#[derive(Debug)]
pub struct MemoryBroker {
    state: Arc<Mutex<State>>,
    /// Tells the tails that `state` has changed; dropped with the broker, which ends them.
    changed: watch::Sender<()>,
    dedupe_window: Duration,
}

/// The limits of a [`MemoryBroker`]; assign what differs from the default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Records that are kept. Default 100,000; zero counts as 1.
    ///
    /// At the limit the oldest go; who still needs them is told so ([`Resolved::Trimmed`]).
    pub history_count_max: usize,
    /// Bytes of records that are kept, by an estimate of what they take: 512 for each, 32 for each
    /// topic, the topics, the id and type, and the data twice (as given and encoded). Default
    /// 256 MiB.
    ///
    /// At the limit the oldest go. A publication that is larger on its own is refused
    /// ([`PublishError::TooLarge`]).
    pub history_bytes_max: usize,
    /// How long an idempotency key is remembered, also after its record has gone. Default 10 min.
    pub dedupe_window: Duration,
    /// Idempotency keys that are remembered, about 250 bytes each. Default 1,000,000.
    ///
    /// At the limit a publication with a new key is refused ([`PublishError::Overloaded`]) until
    /// the oldest key's window ends: forgetting one would make a retry store its event twice.
    pub dedupe_keys_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            history_count_max: 100_000,
            history_bytes_max: 256 << 20,
            dedupe_window: Duration::from_secs(10 * 60),
            dedupe_keys_max: 1_000_000,
        }
    }
}

/// What the broker's one lock guards.
#[derive(Debug)]
struct State {
    log: Log,
    keys: Keys,
    closed: bool,
}

impl MemoryBroker {
    /// Makes an empty broker in a new epoch.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a `Config` is handed over")]
    pub fn new(config: Config) -> Self {
        let state = State {
            log: Log::new(
                Epoch::random(),
                config.history_count_max,
                config.history_bytes_max,
            ),
            keys: Keys::new(config.dedupe_window, config.dedupe_keys_max),
            closed: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            changed: watch::Sender::new(()),
            dedupe_window: config.dedupe_window,
        }
    }

    /// Stores `batch` at `now`, in one critical section, and wakes the tails.
    fn append(&self, batch: Vec<Publication>, now: Instant) -> Vec<Result<Receipt, PublishError>> {
        let outcomes = lock(&self.state).append(batch, now);
        self.changed.send_replace(());
        outcomes
    }

    /// Reads a slice in short steps, so that neither the filter nor a long look holds the lock.
    fn slice(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: &dyn TopicFilter,
    ) -> Result<Page, ReadError> {
        let start = after.saturating_add(1);
        let mut page = Page {
            records: Vec::new(),
            next: start,
            end: PageEnd::Budget,
            missing: Vec::new(),
        };
        let mut looks_left = budget.records_max.max(1);
        let mut bytes_left = budget.bytes_max.max(1);
        while looks_left > 0 && bytes_left > 0 {
            let step = looks_left.min(STEP_RECORDS_MAX);
            let records = match self.readable()?.log.records(page.next, upto, step) {
                Ok(records) => records,
                // Trimmed past it between two steps: what it has is right, the next read tells.
                Err(_) if page.next > start => break,
                Err(error) => return Err(error),
            };
            if records.is_empty() {
                page.end = PageEnd::Upto;
                break;
            }
            for record in records {
                if bytes_left == 0 {
                    break;
                }
                looks_left -= 1;
                page.next = record.offset() + 1;
                if filter.wants(record.publication()) {
                    let bytes = record.frame().bytes(Form::Plain).len();
                    bytes_left = bytes_left.saturating_sub(bytes);
                    page.records.push(record);
                }
            }
        }
        if page.next > upto {
            page.end = PageEnd::Upto;
        }
        Ok(page)
    }

    fn readable(&self) -> Result<MutexGuard<'_, State>, ReadError> {
        let state = lock(&self.state);
        if state.closed {
            return Err(ReadError::Unavailable);
        }
        Ok(state)
    }
}

/// Records that one look under the lock takes.
const STEP_RECORDS_MAX: usize = 256;

impl State {
    fn append(
        &mut self,
        batch: Vec<Publication>,
        now: Instant,
    ) -> Vec<Result<Receipt, PublishError>> {
        self.keys.expire(now);
        batch
            .into_iter()
            .map(|publication| self.append_one(publication, now))
            .collect()
    }

    fn append_one(
        &mut self,
        mut publication: Publication,
        now: Instant,
    ) -> Result<Receipt, PublishError> {
        if self.closed {
            let retry_after = CLOSED_RETRY_AFTER;
            return Err(PublishError::Unavailable { retry_after });
        }
        let Some(key) = publication.idempotency_key.take() else {
            return self.log.append(publication);
        };
        let fingerprint = self.keys.fingerprint(&publication);
        if let Some(first) = self.keys.recall(&key, fingerprint, now)? {
            return Ok(first);
        }
        let receipt = self.log.append(publication)?;
        self.keys.remember(key, fingerprint, &receipt, now);
        Ok(receipt)
    }
}

/// A closed broker does not come back, but the process that replaces this one may be up by then.
const CLOSED_RETRY_AFTER: Duration = Duration::from_secs(1);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state
        .lock()
        .expect("nothing panics while it holds the broker's lock")
}

impl Default for MemoryBroker {
    /// A broker with the default [`Config`].
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Broker for MemoryBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities::volatile("memory", self.dedupe_window)
    }

    fn publish(
        &self,
        batch: Vec<Publication>,
    ) -> BoxFuture<'_, Vec<Result<Receipt, PublishError>>> {
        Box::pin(async move {
            #[expect(
                clippy::disallowed_methods,
                reason = "a publish starts here, and reads the clock once"
            )]
            let now = Instant::now();
            self.append(batch, now)
        })
    }

    fn tail(&self, after: Option<Cursor>) -> BoxStream<'static, TailItem> {
        tail::follow(Arc::clone(&self.state), self.changed.subscribe(), after)
    }

    fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move { self.slice(after, upto, budget, &*filter) })
    }

    fn bounds(&self) -> BoxFuture<'_, Result<Bounds, ReadError>> {
        Box::pin(async { Ok(self.readable()?.log.bounds()) })
    }

    fn resolve(&self, id: &EventId) -> BoxFuture<'_, Result<Resolved, ReadError>> {
        let resolved = self.readable().map(|state| state.log.resolve(id));
        Box::pin(std::future::ready(resolved))
    }

    fn health(&self) -> Health {
        if lock(&self.state).closed {
            let why = "closed".to_owned();
            return Health::Failed { why };
        }
        Health::Ready
    }

    fn close(&self, _deadline: Instant) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // A publish holds the lock from its start to its answers, so none is pending here.
            lock(&self.state).closed = true;
            self.changed.send_replace(());
        })
    }
}

#[cfg(test)]
mod tests;
