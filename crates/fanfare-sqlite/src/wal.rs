//! When the write-ahead log is moved into the database (W11).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, MAIN_DB};

use crate::database::WRITER_TIMEOUT;

/// The write-ahead log of the connection that writes.
#[derive(Debug)]
pub(crate) struct Wal {
    /// Frames in it after the last commit.
    frames: Arc<AtomicU32>,
    /// Frames that are in the database already.
    moved: u32,
    file: PathBuf,
}

impl Wal {
    /// Counts the frames that `connection` writes from now on.
    pub(crate) fn new(connection: &mut Connection, file: PathBuf) -> rusqlite::Result<Self> {
        let frames = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&frames);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            counted.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            frames,
            moved: 0,
            file,
        })
    }

    /// Moves the log's frames into the database if there are many; `idle`: nothing else waits.
    ///
    /// Between transactions only. Records are safe in the log whatever comes of it.
    pub(crate) fn checkpoint_if_due(
        &mut self,
        connection: &Connection,
        idle: bool,
    ) -> rusqlite::Result<()> {
        let frames = self.frames.load(Ordering::Relaxed);
        if frames < self.moved {
            // It was begun anew.
            self.moved = 0;
        }
        let waiting = frames - self.moved;
        let due = if idle { IDLE_FRAMES } else { BUSY_FRAMES };
        if waiting < due {
            return Ok(());
        }
        let size = std::fs::metadata(&self.file).map_or(0, |file| file.len());
        if size > FILE_BYTES_MAX {
            return self.truncate(connection);
        }
        match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
            Ok((_, moved)) => {
                self.moved = u32::try_from(moved).unwrap_or(0);
                Ok(())
            }
            Err(error) => self.later(error),
        }
    }

    /// Moves everything and gives back the file, waiting a little for the reads under way, which
    /// are short (Q3). A reader that is in the way makes it a passive one.
    pub(crate) fn truncate(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(TRUNCATE_TIMEOUT)?;
        let outcome = connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE);
        connection.busy_timeout(WRITER_TIMEOUT)?;
        match outcome {
            Ok(_) => {
                self.moved = 0;
                self.frames.store(0, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => self.later(error),
        }
    }

    /// A checkpoint that found somebody in its way is tried again as many frames later.
    fn later(&mut self, error: rusqlite::Error) -> rusqlite::Result<()> {
        if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) {
            self.moved = self.frames.load(Ordering::Relaxed);
            return Ok(());
        }
        Err(error)
    }
}

/// Frames, of a page each, that are moved when nothing else waits, and when something does.
const IDLE_FRAMES: u32 = 1000;
const BUSY_FRAMES: u32 = 4096;

/// The file's size at which it is given back.
const FILE_BYTES_MAX: u64 = 64 << 20;

const TRUNCATE_TIMEOUT: Duration = Duration::from_millis(200);
