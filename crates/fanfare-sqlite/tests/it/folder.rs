//! Where a history lies, and plain ways to write and read it.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fanfare_broker::{
    Broker, Budget, PageEnd, Publication, ReadError, Receipt, Record, Topic, TopicFilter, Verdict,
};
use fanfare_sqlite::{Config, SqliteBroker};
use fanfare_wire::Event;
use rusqlite::Connection;
use tempfile::TempDir;

/// A data directory that goes with the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn open(&self, config: &Config) -> SqliteBroker {
        SqliteBroker::open(self.path(), config.clone()).unwrap()
    }

    /// A connection that may do anything, also what nobody should.
    pub(crate) fn sql(&self) -> Connection {
        let connection = Connection::open(self.path().join(DATABASE)).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }

    /// One number from the database.
    pub(crate) fn ask(&self, text: &str) -> i64 {
        self.sql().query_row(text, [], |row| row.get(0)).unwrap()
    }

    /// The files as they are while a broker may have them open: what a kill leaves.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        let state = || {
            FILES.map(|name| {
                let file = fs::metadata(self.path().join(name)).ok()?;
                Some((
                    file.len(),
                    file.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                ))
            })
        };
        loop {
            let before = state();
            for name in FILES {
                _ = fs::remove_file(copy.path().join(name));
                if self.path().join(name).exists() {
                    fs::copy(self.path().join(name), copy.path().join(name)).unwrap();
                }
            }
            // A checkpoint in between would mix two states.
            if state() == before {
                return copy;
            }
        }
    }
}

pub(crate) const DATABASE: &str = "fanfare.db";
pub(crate) const LOG: &str = "fanfare.db-wal";
const FILES: [&str; 2] = [DATABASE, LOG];

/// Subscribed and granted topics by name; `exact` says so, for the index.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) subscribed: Vec<String>,
    pub(crate) granted: Vec<String>,
    pub(crate) exact: bool,
}

impl Names {
    /// Wants these topics, may see everything, and asks the index.
    pub(crate) fn exactly(topics: &[&str]) -> Self {
        let names: Vec<_> = topics.iter().map(|&topic| topic.to_owned()).collect();
        Self {
            granted: names.clone(),
            subscribed: names,
            exact: true,
        }
    }
}

impl TopicFilter for Names {
    fn verdict(&self, topic: &Topic) -> Verdict {
        let is_in = |names: &[String]| names.iter().any(|name| name == topic.as_str());
        Verdict {
            subscribed: is_in(&self.subscribed),
            granted: is_in(&self.granted),
        }
    }

    fn exact_topics(&self) -> Option<Vec<Topic>> {
        let topics = self.subscribed.iter();
        self.exact
            .then(|| topics.map(|name| Topic::parse(name).unwrap()).collect())
    }
}

/// Wants everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct All;

impl TopicFilter for All {
    fn verdict(&self, _: &Topic) -> Verdict {
        Verdict {
            subscribed: true,
            granted: true,
        }
    }
}

pub(crate) const NO_BOUND: Budget = Budget {
    records_max: usize::MAX,
    bytes_max: usize::MAX,
};

pub(crate) fn publication(topics: &[&str], data: impl Into<Arc<str>>) -> Publication {
    let mut topics = topics.iter().map(|topic| Topic::parse(topic).unwrap());
    let first = topics.next().unwrap();
    topics.fold(Publication::new(first, Event::new(data)), Publication::also)
}

/// Stores `batch`, all of it.
pub(crate) async fn store(broker: &SqliteBroker, batch: Vec<Publication>) -> Vec<Receipt> {
    let outcomes = broker.publish(batch).await;
    outcomes.into_iter().map(Result::unwrap).collect()
}

/// Stores one record for each offset, with the offset as its data.
pub(crate) async fn store_numbers(broker: &SqliteBroker, offsets: Range<u64>) {
    let batch = offsets.map(|offset| publication(&["a"], offset.to_string()));
    store(broker, batch.collect()).await;
}

/// All that can be read, from the first retained offset to the head.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) first: u64,
    pub(crate) records: Vec<Record>,
    pub(crate) missing: Vec<Range<u64>>,
}

impl Read {
    pub(crate) fn data(&self) -> Vec<&str> {
        self.records
            .iter()
            .map(|record| &*record.publication().event.data)
            .collect()
    }
}

/// Reads everything that `filter` wants.
///
/// # Errors
///
/// What the broker says.
pub(crate) async fn read_all(
    broker: &SqliteBroker,
    filter: Arc<dyn TopicFilter>,
) -> Result<Read, ReadError> {
    let first = broker.bounds().await?.first;
    let mut read = Read {
        first,
        ..Read::default()
    };
    let mut after = first - 1;
    loop {
        let filter = Arc::clone(&filter);
        let page = broker.read(after, u64::MAX, NO_BOUND, filter).await?;
        read.records.extend(page.records);
        read.missing.extend(page.missing);
        if page.end == PageEnd::Upto {
            return Ok(read);
        }
        assert!(page.next > after + 1, "a page goes on");
        after = page.next - 1;
    }
}

/// Waits until `holds`; `what` must come true.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let mut ticks = 0;
    while !holds() {
        assert!(ticks < 4000, "not within 20 s: {what}");
        ticks += 1;
        tick.tick().await;
    }
}

/// Ends `broker` in order.
#[expect(clippy::disallowed_methods, reason = "a deadline of a test")]
pub(crate) async fn close(broker: SqliteBroker) {
    broker.close(Instant::now() + Duration::from_secs(20)).await;
}
