//! The hub: the handle that publishes, admits subscribers and drains.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_broker::{
    Bounds, Broker, Budget, Capabilities, Form, Health, Page, Presence, Publication, PublishError,
    ReadError, Receipt, Record, TopicFilter,
};
use fanfare_wire::EventId;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::census::{Census, Place};
use crate::config::{Config, StartError};
use crate::counts::{Counts, Ended, ShardCounters};
use crate::group::Kind;
use crate::guest::GuestIds;
use crate::inbox::{Command, Inbox, Wire, poll_and_inbox};
use crate::latency::{BUCKETS, Histogram, Latency, filled};
use crate::preload::newest_records;
use crate::replay::Replay;
use crate::ring::Ring;
use crate::shard::{Attach, Shard};
use crate::start::{Start, TAIL_WAIT};
use crate::stream::{EventStream, handover};
use crate::subscription::{SubscribeError, Subscription};
use crate::survey::{Survey, survey};
use crate::tail;
use crate::thread::ShardThread;

/// The fan-out of one process. Cloning is cheap and shares it.
///
/// When the last clone is dropped, every subscriber is cut; [`Hub::drain`] ends them in order.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Inner>);

struct Inner {
    broker: Arc<dyn Broker>,
    config: Config,
    ring: Arc<Ring>,
    inboxes: Arc<[Arc<Inbox>]>,
    counters: Vec<Arc<ShardCounters>>,
    published_total: AtomicU64,
    /// How long calls of `publish` took.
    stored: Histogram,
    census: Arc<Census>,
    /// The shard that the next subscriber goes to.
    turn: AtomicUsize,
    draining: AtomicBool,
    tasks: TaskTracker,
    /// The reader of the broker's tail, which ends with the hub.
    _tail: AbortOnDropHandle<()>,
}

impl Hub {
    /// Reads the newest records into the ring, then starts the shards' threads and the reader of the
    /// broker's tail.
    ///
    /// Must be called inside a tokio runtime. A subscriber that resumes finds everything that the
    /// broker retains, also what was stored before the start.
    ///
    /// # Errors
    ///
    /// [`StartError`]: a field of `config` is out of range, the broker cannot say what it holds,
    /// or the operating system gives no thread or poll.
    pub async fn start(broker: Arc<dyn Broker>, config: Config) -> Result<Self, StartError> {
        config.check()?;
        let bounds = broker.bounds().await?;
        let (newest, next) = (bounds.head, bounds.head_offset() + 1);
        let ring = Ring::new(
            config.ring_bytes_max,
            config.ring_records_max,
            config.shards,
            next,
        );
        ring.fill(newest_records(&*broker, &bounds, &config).await);
        let ring = Arc::new(ring);
        let tasks = TaskTracker::new();
        let replay = Replay::new(Arc::clone(&broker), Handle::current(), tasks.clone());
        let census = Arc::<Census>::default();
        let mut inboxes = Vec::new();
        let mut counters = Vec::new();
        for reader in 0..config.shards {
            let (poll, inbox) = poll_and_inbox()?;
            let inbox = Arc::new(inbox);
            let shard_counters = Arc::<ShardCounters>::default();
            let shard = Shard::new(
                reader,
                config.clone(),
                Arc::clone(&shard_counters),
                Arc::clone(&census),
                (next, Arc::clone(&bounds.lineage)),
                (rand::random(), now()),
            );
            inboxes.push(Arc::clone(&inbox));
            counters.push(shard_counters);
            let (ring, replay) = (Arc::clone(&ring), replay.clone());
            let shard_thread = ShardThread {
                shard,
                poll,
                inbox,
                ring,
                replay,
                drained: None,
                stopped: false,
            };
            thread::Builder::new()
                .name(format!("shard-{reader}"))
                .spawn(move || shard_thread.run())?;
        }
        let inboxes: Arc<[_]> = inboxes.into();
        let follow = tail::follow(
            Arc::clone(&broker),
            broker.tail(newest),
            Arc::clone(&ring),
            Arc::clone(&inboxes),
        );
        let tail_task = AbortOnDropHandle::new(tasks.spawn(follow));
        Ok(Self(Arc::new(Inner {
            broker,
            config,
            ring,
            inboxes,
            counters,
            published_total: AtomicU64::new(0),
            stored: Histogram::default(),
            census,
            turn: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            tasks,
            _tail: tail_task,
        })))
    }

    /// Publishes `batch` in order; outcome `i` belongs to publication `i`.
    ///
    /// Delivery is from the broker's tail alone, so an event that was not stored reaches nobody.
    /// Dropping the future leaves each publication stored or not stored, never half (L11).
    pub async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<Receipt, PublishError>> {
        let began = now();
        let outcomes = self.0.broker.publish(batch).await;
        self.0.stored.add(began.elapsed());
        let stored = outcomes
            .iter()
            .flatten()
            .filter(|receipt| !receipt.duplicate)
            .count();
        self.0
            .published_total
            .fetch_add(stored as u64, Ordering::Relaxed);
        outcomes
    }

    /// Admits a subscriber and finds the place where its stream starts. Nothing is sent yet.
    ///
    /// From here on no event is missed: the stream starts at this moment, or where
    /// `last_event_id` says. Dropping the future or the [`Admission`] gives the place back.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]: too many, draining, or the broker cannot say where the id stands.
    pub async fn subscribe(&self, subscription: Subscription) -> Result<Admission, SubscribeError> {
        if self.0.draining.load(Ordering::Acquire) {
            return Err(SubscribeError::Draining {
                retry_after: DRAIN_RETRY,
            });
        }
        let place = Place::take(&self.0.census, self.0.config.subscribers_max)?;
        let id = subscription.last_event_id.as_ref();
        let (broker, unknown_cursor) = (&*self.0.broker, self.0.config.unknown_cursor);
        let start = Start::find(id, broker, &self.0.ring, unknown_cursor).await?;
        Ok(Admission {
            hub: Arc::clone(&self.0),
            subscription,
            start,
            place,
        })
    }

    /// How many subscribers of this process want `publication`, lagging ones included.
    #[must_use]
    pub fn count_matching(&self, publication: &Publication) -> u64 {
        self.0.census.count(publication)
    }

    /// Gauges and counters since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let (records, bytes) = self.0.ring.size();
        let mut counts = Counts {
            published_total: self.0.published_total.load(Ordering::Relaxed),
            ring_records: records as u64,
            ring_bytes: bytes as u64,
            ..Counts::default()
        };
        for counters in &self.0.counters {
            counters.add_to(&mut counts);
        }
        counts
    }

    /// How long publishes and deliveries took since the start.
    #[must_use]
    pub fn latency(&self) -> Latency {
        let (mut stored, mut written) = ([0; BUCKETS], [0; BUCKETS]);
        self.0.stored.add_to(&mut stored);
        for counters in &self.0.counters {
            counters.written.add_to(&mut written);
        }
        Latency {
            stored: filled(&stored),
            written: filled(&written),
        }
    }

    /// Who is connected: a page of at most `limit` subscribers, 1,000 if that is less, that begins
    /// at `from`; 0, or the [`Survey::next`] of another page.
    ///
    /// Each shard tells in a turn of its own, so pages are of different moments: whoever comes or
    /// goes meanwhile may be missing, and nobody is told twice.
    pub async fn survey(&self, from: u64, limit: usize) -> Survey {
        survey(&self.0.inboxes, from, limit).await
    }

    /// The newest records that this process's tail has brought, oldest first: `count` at most, and
    /// what the ring has.
    #[must_use]
    pub fn recent(&self, count: usize) -> Vec<Record> {
        self.0.ring.recent(count)
    }

    /// What it was started with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Whether the broker can take publications.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.broker.health()
    }

    /// Ends the streams of `guests` soon: cleanly, or cut if their sinks have no room.
    ///
    /// Guests that are not attached are passed over.
    pub fn dismiss(&self, guests: impl IntoIterator<Item = u64>) {
        let guests: GuestIds = Arc::new(guests.into_iter().collect());
        for inbox in self.0.inboxes.iter() {
            inbox.send(Command::Dismiss(Arc::clone(&guests)));
        }
    }

    /// Waits until this process's tail has brought the record at `offset`, for a few seconds at
    /// most: a subscriber that is admitted afterwards, and does not resume, begins after it.
    pub async fn caught_up(&self, offset: u64) {
        let ring = &self.0.ring;
        let reached = async {
            loop {
                let moved = ring.moved();
                if ring.next() > offset {
                    return;
                }
                moved.await;
            }
        };
        // A tail that does not come is the broker's fault, and told by whoever needs it next.
        let _ = timeout(TAIL_WAIT, reached).await;
    }

    /// The newest record that this process's tail has brought, if it is still at hand.
    #[must_use]
    pub fn newest(&self) -> Option<Record> {
        self.0.ring.newest()
    }

    /// What the broker is, and what it survives.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.0.broker.capabilities()
    }

    /// What the broker retains now.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the broker cannot be reached.
    pub async fn bounds(&self) -> Result<Bounds, ReadError> {
        self.0.broker.bounds().await
    }

    /// Reads the history: [`Broker::read`].
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the broker cannot be reached, or `after` is before what it retains.
    pub async fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> Result<Page, ReadError> {
        self.0.broker.read(after, upto, budget, filter).await
    }

    /// Where the nodes that share the broker keep who is connected; `None`: there is one node.
    #[must_use]
    pub fn presence(&self) -> Option<Arc<dyn Presence>> {
        self.0.broker.presence()
    }

    /// Ends all streams ([`Hub::end_streams`]), and then closes the broker ([`Hub::close`]).
    ///
    /// Dropping the future lets the shards finish the drain, but leaves the broker open.
    pub async fn drain(&self, over: Duration) -> Drained {
        let drained = self.end_streams(over).await;
        self.close().await;
        drained
    }

    /// Refuses new subscribers from now on, and ends all others within `over`: in random order, at
    /// an even pace, each with its own `retry` hint out of 1 s to `over`. Then stops the shards.
    /// The hub still takes publications, so that departures can be told.
    ///
    /// Dropping the future lets the shards finish.
    pub async fn end_streams(&self, over: Duration) -> Drained {
        self.0.draining.store(true, Ordering::Release);
        let until = now() + over;
        let mut shards = Vec::new();
        for inbox in self.0.inboxes.iter() {
            let (done, finished) = oneshot::channel();
            inbox.send(Command::Drain { until, done });
            shards.push(finished);
        }
        for finished in shards {
            // A shard that stopped before has nobody left to end.
            let _ = finished.await;
        }
        let ended_by = |reason| self.0.counters.iter().map(|it| it.ended_by(reason)).sum();
        Drained {
            ended: ended_by(Ended::Drained),
            cut: ended_by(Ended::Cut),
        }
    }

    /// Closes the broker, once no shard needs it any more: it answers every publish that is under
    /// way, or gives them up after a few seconds.
    ///
    /// Dropping the future leaves the broker open.
    pub async fn close(&self) {
        self.0.tasks.close();
        self.0.broker.close(now() + CLOSE_GRACE).await;
        self.0.tasks.wait().await;
    }
}

/// A subscriber that was admitted and knows its place, but has no way to the wire yet.
#[derive(Debug)]
pub struct Admission {
    hub: Arc<Inner>,
    subscription: Subscription,
    start: Start,
    place: Place,
}

impl Admission {
    /// What the answer says of the resume: the id just before the first event that will be sent,
    /// or `earliest`. `None` when the subscription had no `last_event_id` (D0-H5, D0-H6).
    #[must_use]
    pub fn resumed_after(&self) -> Option<EventId> {
        self.start.resumed_after.clone()
    }

    /// The place just before the first event that will be sent: [`Admission::resumed_after`], or
    /// where the hub's order stood when the subscriber came. A reader that keeps it loses nothing
    /// if it is cut off before its first event.
    ///
    /// `None` when the tail has brought nothing yet although there is history.
    #[must_use]
    pub fn starts_after(&self) -> Option<EventId> {
        self.start.after.clone()
    }

    /// Hands a connected, non-blocking socket to a shard, which owns it from now on.
    ///
    /// The shard writes `first` as it is (the answer's head and the stream's first bytes, already
    /// in `form`), and then every event in `form`.
    pub fn into_socket(self, socket: TcpStream, first: Bytes, form: Form) {
        let inbox = self.inbox();
        self.attach(&inbox, Wire::Socket(socket), first, form);
    }

    /// Turns into a stream of bytes in the event-stream format, beginning with `first`.
    #[must_use]
    pub fn into_stream(self, first: Bytes) -> EventStream {
        let inbox = self.inbox();
        let (bytes_max, address) = (self.hub.config.stream_bytes_max, self.subscription.address);
        let (sink, stream) = handover(bytes_max, address, Arc::clone(&inbox));
        self.attach(&inbox, Wire::Stream(sink), first, Form::Plain);
        stream
    }

    /// The inbox of the shard whose turn it is.
    fn inbox(&self) -> Arc<Inbox> {
        let turn = self.hub.turn.fetch_add(1, Ordering::Relaxed) % self.hub.inboxes.len();
        Arc::clone(
            self.hub
                .inboxes
                .get(turn)
                .expect("a remainder is below its divisor"),
        )
    }

    fn attach(self, inbox: &Inbox, wire: Wire, first: Bytes, form: Form) {
        let kind = Kind {
            selectors: self.subscription.selectors,
            grant: self.subscription.grant,
            hidden: self.subscription.hidden,
            form,
            gap_signal: self.subscription.gap_signal,
            heartbeat: self.subscription.heartbeat,
        };
        let attach = Attach {
            counted_in: self.hub.census.attach(&kind),
            kind,
            next: self.start.next,
            first,
            gap: self.start.gap,
            tells_live: self.subscription.tells_live,
            ends_at: self.subscription.ends_at,
            guest: self.subscription.guest.map(Box::new),
        };
        self.place.keep();
        inbox.send(Command::Attach(Box::new(attach), wire));
    }
}

/// How a drain went.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Drained {
    /// Streams that got their last block and a clean end.
    pub ended: u64,
    /// Streams that had to be cut.
    pub cut: u64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for inbox in self.inboxes.iter() {
            inbox.send(Command::Stop);
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let broker = self.broker.capabilities().name;
        f.debug_struct("Hub")
            .field("broker", &broker)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a drain and a start begin at the caller's time"
)]
fn now() -> Instant {
    Instant::now()
}

/// What a subscriber that comes while the hub drains is told to wait.
const DRAIN_RETRY: Duration = Duration::from_secs(10);

/// How long after the last subscriber the broker may take to close.
const CLOSE_GRACE: Duration = Duration::from_secs(5);
