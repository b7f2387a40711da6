//! The threads that read: a connection each, and short snapshots (Q3).

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use fanfare_broker::ReadError;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use crate::database::{open_reader, sql};
use crate::error::OpenError;

/// What a reader does with its connection.
type Task = Box<dyn FnOnce(&Connection) + Send>;

/// The threads that read. They end when this is dropped, after what they have begun.
#[derive(Debug)]
pub(crate) struct Readers {
    tasks: Arc<Tasks>,
    /// Bounds what waits; whoever waits for a place here is a subscriber with a bound of its own.
    places: Semaphore,
}

#[derive(Default)]
struct Tasks {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    tasks: VecDeque<Task>,
    closed: bool,
}

impl Readers {
    /// Opens `count` connections to the database in `directory`, a thread for each.
    pub(crate) fn open(directory: &Path, count: usize) -> Result<Self, OpenError> {
        let readers = Self {
            tasks: Arc::default(),
            places: Semaphore::new(WAITING_MAX),
        };
        for reader in 0..count {
            let connection = open_reader(directory)?;
            let tasks = Arc::clone(&readers.tasks);
            thread::Builder::new()
                .name(format!("reader-{reader}"))
                .spawn(move || tasks.run(&connection))
                .map_err(OpenError::Thread)?;
        }
        Ok(readers)
    }

    /// Runs `read` inside one snapshot, and ends that, so that the log can be reset (W11).
    ///
    /// Dropping the future lets the read finish; nobody gets it.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the database refuses; the log says why.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let unavailable = |_| ReadError::Unavailable;
        let _place = self.places.acquire().await.map_err(unavailable)?;
        let (answer, answered) = oneshot::channel();
        self.tasks.push(Box::new(move |connection| {
            // Whoever hung up needs no answer.
            _ = answer.send(in_snapshot(connection, read));
        }));
        let answer = answered.await.map_err(|_| ReadError::Unavailable)?;
        answer.map_err(|error| {
            tracing::error!(%error, "the history cannot be read");
            ReadError::Unavailable
        })
    }
}

/// Reads on `connection` in one snapshot.
pub(crate) fn in_snapshot<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached(sql::SNAPSHOT)?.execute([])?;
    let value = read(connection);
    // Nothing was written. A snapshot in which damage was met could not be committed, and one that
    // SQLite ended by itself needs no end.
    _ = connection.prepare_cached(sql::ROLLBACK)?.execute([]);
    value
}

impl Tasks {
    fn run(&self, connection: &Connection) {
        while let Some(task) = self.next() {
            // A panic costs its own read, whose answer is dropped, and not the thread.
            _ = panic::catch_unwind(AssertUnwindSafe(|| task(connection)));
            if !connection.is_autocommit() {
                _ = connection.execute("ROLLBACK", []);
            }
        }
    }

    fn next(&self) -> Option<Task> {
        let mut waiting = self.lock();
        loop {
            if let Some(task) = waiting.tasks.pop_front() {
                return Some(task);
            }
            if waiting.closed {
                return None;
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn push(&self, task: Task) {
        self.lock().tasks.push_back(task);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").finish_non_exhaustive()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.tasks.lock().closed = true;
        self.tasks.changed.notify_all();
    }
}

/// Reads that wait for a thread.
const WAITING_MAX: usize = 64;
