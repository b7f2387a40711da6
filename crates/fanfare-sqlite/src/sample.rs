//! Histories for unit tests: written by the broker, then turned as a test needs them.

use std::sync::Arc;

use fanfare_broker::{Bounds, Broker, Publication, Topic};
use fanfare_wire::Event;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::broker::SqliteBroker;
use crate::config::Config;
use crate::database;
use crate::readers::Readers;

/// A history on the disk, and a connection to it that may do anything.
pub(crate) struct History {
    pub(crate) directory: TempDir,
    pub(crate) connection: Connection,
    pub(crate) bounds: Bounds,
}

impl History {
    /// Stores `publications` in one run that ends in order.
    pub(crate) fn of(publications: Vec<Publication>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let broker = SqliteBroker::open(directory.path(), Config::default()).unwrap();
        let bounds = block_on(async {
            for outcome in broker.publish(publications).await {
                outcome.unwrap();
            }
            broker.bounds().await.unwrap()
        });
        drop(broker);
        let connection = Connection::open(database::file(directory.path())).unwrap();
        Self {
            directory,
            connection,
            bounds,
        }
    }

    /// One record for each data, all of topic `a`.
    pub(crate) fn of_data<T: Into<Arc<str>>>(data: impl IntoIterator<Item = T>) -> Self {
        let publications = data.into_iter().map(|data| publication(&["a"], data));
        Self::of(publications.collect())
    }

    /// Runs `text`, which must change `rows` rows.
    #[track_caller]
    pub(crate) fn change(&self, text: &str, rows: usize) {
        assert_eq!(self.connection.execute(text, []).unwrap(), rows, "{text}");
    }

    pub(crate) fn readers(&self) -> Readers {
        Readers::open(self.directory.path(), 2).unwrap()
    }
}

pub(crate) fn publication(topics: &[&str], data: impl Into<Arc<str>>) -> Publication {
    let mut topics = topics.iter().map(|topic| Topic::parse(topic).unwrap());
    let first = topics.next().unwrap();
    topics.fold(Publication::new(first, Event::new(data)), Publication::also)
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.build().unwrap().block_on(future)
}
