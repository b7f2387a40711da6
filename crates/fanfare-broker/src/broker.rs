//! The one seam: an ordered history that every node reads (laws L1 to L12).

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_wire::EventId;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;

use crate::cursor::{Cursor, Epoch};
use crate::lineage::Lineage;
use crate::presence::Presence;
use crate::publication::{Audience, Publication};
use crate::record::Record;
use crate::topic::Topic;

/// The hub's ordered history.
///
/// Dispatch is once per batch, so futures are boxed and the trait is object-safe. Every broker
/// passes the one conformance suite of `fanfare-testkit`, a test for each law.
pub trait Broker: Send + Sync + 'static {
    /// What it is and what it survives.
    fn capabilities(&self) -> Capabilities;

    /// Appends `batch` in order; outcome `i` belongs to publication `i`.
    ///
    /// `Ok` means stored at the configured durability, and readable by every node from then on.
    /// What is refused for its own sake (`KeyReused`, `TooLarge`) is refused alone and takes no
    /// offset; the rest of the batch is stored, and becomes visible, as one or not at all.
    /// Dropping the future leaves each publication stored or not stored, never half (L11).
    fn publish(&self, batch: Vec<Publication>)
    -> BoxFuture<'_, Vec<Result<Receipt, PublishError>>>;

    /// Follows the history after `after`, or from its very beginning when that is `None`: a reader
    /// that knows of nothing stored misses nothing either.
    ///
    /// One reader per process. Never ends by itself before [`Broker::close`], never skips in
    /// silence; dropping it leaks nothing.
    fn tail(&self, after: Option<Cursor>) -> BoxStream<'static, TailItem>;

    /// Reads records in (`after`, `upto`] that `filter` wants, oldest first, within `budget`.
    ///
    /// Returns with [`Page::next`] advanced also when nothing matched (L9). A hole is reported in
    /// [`Page::missing`], never skipped.
    fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> BoxFuture<'_, Result<Page, ReadError>>;

    /// What is retained now.
    fn bounds(&self) -> BoxFuture<'_, Result<Bounds, ReadError>>;

    /// Finds the place of an id that a subscriber presents: a cursor's text, a publisher's own id
    /// (its earliest retained occurrence), or `earliest` (C4, C5).
    fn resolve(&self, id: &EventId) -> BoxFuture<'_, Result<Resolved, ReadError>>;

    /// Where the nodes that share it keep who is connected; `None`: it has one node, whose own list
    /// is all there is (PR4).
    fn presence(&self) -> Option<Arc<dyn Presence>> {
        None
    }

    /// Whether it can take publications now.
    fn health(&self) -> Health;

    /// Flushes, answers every pending publish, and ends the tails (L12).
    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()>;
}

/// What a broker is and what it survives.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Its name in logs and metrics: `memory`, `sqlite`, …
    pub name: &'static str,
    /// Stored events survive the death of the process.
    pub survives_process: bool,
    /// Several nodes may share it.
    pub several_nodes: bool,
    /// How long an idempotency key is remembered.
    pub dedupe_window: Duration,
    /// What of the stored events may be lost, and when, for logs and `/readyz`; `None`: nothing,
    /// as long as the disk keeps what it was told to keep.
    pub loss_window: Option<String>,
}

impl Capabilities {
    /// A broker of one node that survives nothing.
    #[must_use]
    pub fn volatile(name: &'static str, dedupe_window: Duration) -> Self {
        Self {
            name,
            survives_process: false,
            several_nodes: false,
            dedupe_window,
            loss_window: Some("everything, when the process ends".to_owned()),
        }
    }

    /// A broker of one node whose stored events survive the death of the process; a loss of power
    /// costs what `loss_window` says.
    #[must_use]
    pub fn durable(
        name: &'static str,
        dedupe_window: Duration,
        loss_window: Option<String>,
    ) -> Self {
        Self {
            name,
            survives_process: true,
            several_nodes: false,
            dedupe_window,
            loss_window,
        }
    }

    /// A broker that several nodes share, and whose stored events outlive each of them; `loss_window`
    /// is what its server may lose, and when.
    #[must_use]
    pub fn shared(
        name: &'static str,
        dedupe_window: Duration,
        loss_window: Option<String>,
    ) -> Self {
        Self {
            name,
            survives_process: true,
            several_nodes: true,
            dedupe_window,
            loss_window,
        }
    }
}

/// What a stored publication gets.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "brokers outside this crate make it"
)]
pub struct Receipt {
    /// Where it stands.
    pub cursor: Cursor,
    /// The id that subscribers see.
    pub id: EventId,
    /// True when an earlier publish with the same key was stored there and this one was not.
    pub duplicate: bool,
}

/// Why a publication got no cursor; each variant says what is known about its storage.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Not stored: the same idempotency key came with another publication.
    #[error("the idempotency key was used for another publication")]
    KeyReused,
    /// Not stored: it is larger than the broker takes.
    #[error("the publication has {bytes} bytes, the broker takes {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Not stored: the append queue is full.
    #[error("broker takes no more for {retry_after:?}")]
    Overloaded {
        /// How long to wait before a retry can help.
        retry_after: Duration,
    },
    /// Not stored: the broker cannot be reached, or is closed; nothing left this process.
    #[error("broker is unavailable")]
    Unavailable {
        /// How long to wait before a retry can help.
        retry_after: Duration,
    },
    /// Not stored: the disk is full.
    #[error("broker has no room")]
    Full,
    /// Stored or not, nobody can tell. A retry with the same idempotency key is safe.
    #[error("broker did not answer")]
    Unknown,
}

/// Why history could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The broker cannot be reached, or is closed.
    #[error("broker is unavailable")]
    Unavailable,
    /// `after` is before what is retained; reading can go on from `first`.
    #[error("history before offset {first} is gone")]
    Trimmed {
        /// The first retained offset.
        first: u64,
    },
}

/// One step of a tail.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TailItem {
    /// The next records: offsets last + 1 ..= last + n, without exception.
    Records(Vec<Record>),
    /// The reader fell behind retention: [last + 1, `next`) is gone.
    Trimmed {
        /// The offset that comes next.
        next: u64,
    },
    /// The broker lost (`end`, last]; what follows is `epoch`.
    Diverged {
        /// The last offset that both share.
        end: u64,
        /// The epoch that follows.
        epoch: Epoch,
    },
}

/// What is retained.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "brokers outside this crate make it"
)]
pub struct Bounds {
    /// The newest record's cursor; `None`: nothing was ever stored.
    pub head: Option<Cursor>,
    /// The first retained offset; head + 1 when nothing is.
    pub first: u64,
    /// The epochs that are known.
    pub lineage: Arc<Lineage>,
}

impl Bounds {
    /// The newest offset; 0 when nothing was ever stored.
    #[must_use]
    pub fn head_offset(&self) -> u64 {
        self.head.map_or(0, |head| head.offset)
    }

    /// Where `id` stands, if it is a cursor's text or `earliest`; `None` for a publisher's own id,
    /// which only an index knows (C4, C5).
    #[must_use]
    pub fn resolve(&self, id: &EventId) -> Option<Resolved> {
        let text = id.as_str();
        if text == EARLIEST {
            return Some(Resolved::At(self.first - 1));
        }
        if !text.starts_with(Cursor::PREFIX) {
            return None;
        }
        Some(Cursor::parse(text).map_or(Resolved::Unknown, |cursor| {
            self.lineage.resolve(cursor, self.first, self.head_offset())
        }))
    }
}

/// The id that asks for everything retained.
const EARLIEST: &str = "earliest";

/// Where an id stands (C4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Resolved {
    /// At this offset; the stream goes on with the next one.
    At(u64),
    /// Records after it are gone; the first retained offset is `first`.
    Trimmed {
        /// The first retained offset.
        first: u64,
    },
    /// It is of a past that we do not share beyond `end`.
    Diverged {
        /// The last offset that both share.
        end: u64,
    },
    /// It was never seen, or is no longer known.
    Unknown,
}

/// How much one [`Broker::read`] may look at and bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain numbers")]
pub struct Budget {
    /// Records looked at, matching or not.
    pub records_max: usize,
    /// Bytes of frames brought; the record that passes it is still brought.
    pub bytes_max: usize,
}

/// A slice of history.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "brokers outside this crate make it"
)]
pub struct Page {
    /// The matching records, oldest first.
    pub records: Vec<Record>,
    /// The offset to read on from: everything before it was looked at.
    pub next: u64,
    /// Why the slice ends.
    pub end: PageEnd,
    /// Offsets inside the slice that are lost for good.
    pub missing: Vec<Range<u64>>,
}

/// Why a slice of history ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a read has these two ends")]
pub enum PageEnd {
    /// It reached `upto`, or the head if that comes first.
    Upto,
    /// The budget is used up.
    Budget,
}

/// Which topics a reader wants, and which it may see.
///
/// Deterministic and free of I/O (Q1).
pub trait TopicFilter: Send + Sync {
    /// Judges one topic.
    fn verdict(&self, topic: &Topic) -> Verdict;

    /// The topics of which a record must have one to be wanted, so that an index can find them;
    /// `None`: it takes a look at each record.
    fn exact_topics(&self) -> Option<Vec<Topic>> {
        None
    }

    /// Whether a record goes out: some topic is subscribed and, when it is private, some topic is
    /// granted, not necessarily the same.
    fn wants(&self, publication: &Publication) -> bool {
        let mut subscribed = false;
        let mut granted = publication.audience == Audience::Public;
        for topic in publication.topics() {
            let verdict = self.verdict(topic);
            subscribed |= verdict.subscribed;
            granted |= verdict.granted;
        }
        subscribed && granted
    }
}

/// What a filter says of one topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the two questions of Q1")]
pub struct Verdict {
    /// Some selector of the subscription matches it.
    pub subscribed: bool,
    /// Some selector of the grant matches it.
    pub granted: bool,
}

/// Whether a broker can take publications.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Health {
    /// It can.
    Ready,
    /// It can, but something is wrong.
    Degraded {
        /// What.
        why: String,
    },
    /// It cannot.
    Failed {
        /// Why.
        why: String,
    },
}
