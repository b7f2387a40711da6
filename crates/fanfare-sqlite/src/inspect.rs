//! A look at a history from outside, also beside the hub that uses it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use fanfare_broker::{Lineage, Record};
use rusqlite::{Connection, OptionalExtension, params};

use crate::blocks::{self, block_of, offsets_of};
use crate::database::{self, sql};
use crate::error::OpenError;
use crate::readers::in_snapshot;
use crate::row::{number, topic_hash};
use crate::search;
use crate::start::{self, name_damage};

/// Reads a history that a hub may be writing at the same time; changes nothing.
#[derive(Debug)]
pub struct Inspector {
    connection: Connection,
    directory: PathBuf,
}

/// What a history is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// The first retained offset, and the newest; no records when it is before the first.
    pub first: u64,
    /// The newest offset; 0 when nothing was ever stored.
    pub head: u64,
    /// When the oldest and the newest record were stored, in milliseconds since 1970.
    pub oldest_ms: Option<u64>,
    /// See `oldest_ms`.
    pub newest_ms: Option<u64>,
    /// Bytes of records as the limit counts them.
    pub bytes: u64,
    /// Bytes of the database and its log on the disk.
    pub file_bytes: u64,
    /// Runs that stored something that is still known.
    pub epochs: usize,
    /// Idempotency keys that are remembered.
    pub keys: u64,
    /// When the last run began, in milliseconds since 1970.
    pub started_ms: u64,
    /// How durable the last run was.
    pub durability: String,
    /// Whether it ended in order, and is not running.
    pub clean: bool,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// These records cannot be read.
    Records {
        /// The first offset.
        first: u64,
        /// The last offset.
        last: u64,
    },
    /// The index does not know that a topic of this record is in its block.
    Index {
        /// The record's offset.
        offset: u64,
    },
    /// The index of publishers' ids does not find this record.
    Id {
        /// The record's offset.
        offset: u64,
    },
    /// The newest records are gone: there were some up to this offset.
    Newest {
        /// The last offset that was stored for certain.
        last: u64,
    },
    /// The index of topics does not have the rows that it should have.
    Postings,
    /// SQLite's own check.
    Database {
        /// What it says.
        what: String,
    },
}

impl Inspector {
    /// Opens the history in `directory`.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: there is none, it is of another program or a newer version, or so damaged that
    /// nothing can be read.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let connection = database::open_reader(directory).map_err(name_damage)?;
        let directory = directory.to_owned();
        Ok(Self {
            connection,
            directory,
        })
    }

    /// What the history is now.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn stats(&self) -> Result<Stats, OpenError> {
        let size = |file: PathBuf| std::fs::metadata(file).map_or(0, |file| file.len());
        let file_bytes =
            size(database::file(&self.directory)) + size(database::log_file(&self.directory));
        let mut stats = in_snapshot(&self.connection, read_stats)?;
        stats.file_bytes = file_bytes;
        Ok(stats)
    }

    /// Reads up to a block of records from offset `next` on; none at the head.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn records(&self, next: u64) -> Result<Records, OpenError> {
        Ok(in_snapshot(&self.connection, |connection| {
            let (floor, head) = read_ends(connection)?;
            let next = next.max(floor);
            if next > head {
                return Ok(Records {
                    records: Vec::new(),
                    missing: Vec::new(),
                    next,
                });
            }
            let end = offsets_of(block_of(next)).end.min(head + 1);
            let piece = blocks::load(connection, next..end, &read_lineage(connection)?)?;
            Ok(Records {
                records: piece.records,
                missing: piece.missing,
                next: piece.offsets.end,
            })
        })?)
    }

    /// Looks at everything: each record and every way to it, and the database's own structure.
    ///
    /// In short snapshots, so that a running hub is not held up.
    ///
    /// # Errors
    ///
    /// SQLite's, other than those of damage.
    pub fn verify(&self, mut found: impl FnMut(Finding)) -> Result<(), OpenError> {
        let mut next = 0;
        loop {
            let step = in_snapshot(&self.connection, |connection| {
                verify_block(connection, next, &mut found)
            });
            match step {
                Ok(Some(end)) => next = end,
                Ok(None) => break,
                Err(error) if blocks::is_damage(&error) => {
                    let what = error.to_string();
                    found(Finding::Database { what });
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.verify_sums(&mut found)?;
        let mut check = self.connection.prepare("PRAGMA integrity_check(20)")?;
        let mut rows = check.query([])?;
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    let what: String = row.get(0)?;
                    if what != "ok" {
                        found(Finding::Database { what });
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    let what = error.to_string();
                    found(Finding::Database { what });
                    return Ok(());
                }
            }
        }
    }

    /// Compares what is there with what was noted.
    fn verify_sums(&self, found: &mut impl FnMut(Finding)) -> Result<(), OpenError> {
        let sums = in_snapshot(&self.connection, |connection| {
            let head = read_stats(connection)?.head;
            let noted = start::noted(connection)?;
            Ok((head, noted, search::postings(connection)?))
        });
        match sums {
            Ok((head, noted, postings)) => {
                if noted.is_beyond(head) {
                    let last = noted.head;
                    found(Finding::Newest { last });
                }
                if postings != noted.postings {
                    found(Finding::Postings);
                }
                Ok(())
            }
            Err(error) if blocks::is_damage(&error) => {
                let what = error.to_string();
                found(Finding::Database { what });
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the history, as it is at one moment, to a new database `file`, and flushes it.
    ///
    /// Beside a running hub, whose log grows meanwhile. The copy is a data directory's
    /// `fanfare.db`; clients that are ahead of it when it is put back are told so (U11).
    ///
    /// # Errors
    ///
    /// The file exists or cannot be written, or SQLite's.
    pub fn backup(&self, file: &Path) -> Result<(), OpenError> {
        let failed = |source| OpenError::Directory {
            directory: file.to_owned(),
            action: "write the copy",
            source,
        };
        if file.exists() {
            return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
        }
        // It reads here, and writes elsewhere.
        self.connection.pragma_update(None, "query_only", "OFF")?;
        let name = file.to_string_lossy();
        let copied = self.connection.execute("VACUUM INTO ?1", [name]);
        self.connection.pragma_update(None, "query_only", "ON")?;
        if let Err(error) = copied {
            // Half a copy must not be taken for one.
            _ = std::fs::remove_file(file);
            return Err(error.into());
        }
        let copy = std::fs::File::open(file).map_err(failed)?;
        copy.sync_all().map_err(failed)
    }
}

/// Some records, oldest first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Records {
    /// Those that can be read.
    pub records: Vec<Record>,
    /// Offsets among them that are kept and cannot be read.
    pub missing: Vec<Range<u64>>,
    /// Where to read on; where it was before, when there are no more.
    pub next: u64,
}

fn read_stats(connection: &Connection) -> rusqlite::Result<Stats> {
    let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
    let (floor, floor_total, started_ms, durability, clean) = connection
        .prepare_cached(sql::SELECT_HUB)?
        .query_row([], |row| {
            let clean: i64 = row.get(5)?;
            Ok((
                unsigned(row.get(0)?).max(1),
                unsigned(row.get(1)?),
                unsigned(row.get(2)?),
                row.get(4)?,
                clean != 0,
            ))
        })?;
    let last: Option<i64> = connection
        .prepare_cached(sql::SELECT_LAST)?
        .query_row([], |row| row.get(0))?;
    let head = last.map_or(floor - 1, unsigned).max(floor - 1);
    let retained = head >= floor;
    let column = |text, offset| -> rusqlite::Result<Option<u64>> {
        let mut select = connection.prepare_cached(text)?;
        let number = select.query_row([number(offset)], |row| row.get(0));
        Ok(number.optional()?.filter(|_| retained).map(unsigned))
    };
    let total = column(sql::SELECT_TOTAL, head)?;
    let count = |table| -> rusqlite::Result<i64> {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
    };
    Ok(Stats {
        first: floor,
        head,
        oldest_ms: column(sql::SELECT_TIME, floor)?,
        newest_ms: column(sql::SELECT_TIME, head)?,
        bytes: total.map_or(0, |total| total.saturating_sub(floor_total)),
        file_bytes: 0,
        epochs: usize::try_from(count("epoch")?).unwrap_or_default(),
        keys: unsigned(count("dedupe")?),
        started_ms,
        durability,
        clean,
    })
}

fn read_lineage(connection: &Connection) -> rusqlite::Result<Lineage> {
    let mut lineage = Lineage::default();
    let mut select = connection.prepare_cached(sql::SELECT_EPOCHS)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (first, epoch): (i64, u32) = (row.get(0)?, row.get(1)?);
        if let Some(epoch) = std::num::NonZeroU32::new(epoch) {
            let first = u64::try_from(first).unwrap_or_default();
            lineage.begin(first, fanfare_broker::Epoch::new(epoch));
        }
    }
    Ok(lineage)
}

/// The first retained offset and the newest.
fn read_ends(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let floor: i64 = connection
        .prepare_cached(sql::SELECT_FLOOR)?
        .query_row([], |row| row.get(0))?;
    let last: Option<i64> = connection
        .prepare_cached(sql::SELECT_LAST)?
        .query_row([], |row| row.get(0))?;
    let floor = u64::try_from(floor).unwrap_or_default();
    let head = last.and_then(|last| u64::try_from(last).ok());
    Ok((floor, head.unwrap_or_default()))
}

/// Looks at the block of offset `next`; returns where the following one begins, or `None` at the
/// head.
fn verify_block(
    connection: &Connection,
    next: u64,
    found: &mut impl FnMut(Finding),
) -> rusqlite::Result<Option<u64>> {
    let (floor, head) = read_ends(connection)?;
    let next = next.max(floor);
    if next > head {
        return Ok(None);
    }
    let end = offsets_of(block_of(next)).end.min(head + 1);
    let lineage = read_lineage(connection)?;
    let piece = blocks::load(connection, next..end, &lineage)?;
    for hole in &piece.missing {
        let (first, last) = (hole.start, hole.end - 1);
        found(Finding::Records { first, last });
    }
    let mut posting = connection
        .prepare_cached("SELECT count(*) FROM topic_block WHERE topic = ?1 AND block = ?2")?;
    // By the index alone: the record itself is there.
    let mut by_id = connection.prepare_cached(
        "SELECT count(*) FROM record INDEXED BY record_id WHERE id = ?1 AND offset = ?2",
    )?;
    for record in &piece.records {
        let offset = record.offset();
        for topic in record.publication().topics() {
            let key = [
                topic_hash(topic.as_str().as_bytes()),
                number(block_of(offset)),
            ];
            if posting.query_row(key, |row| row.get::<_, i64>(0))? == 0 {
                found(Finding::Index { offset });
            }
        }
        let id = record.id();
        if id != record.cursor().id() {
            let key = params![id.as_str(), number(offset)];
            if by_id.query_row(key, |row| row.get::<_, i64>(0))? == 0 {
                found(Finding::Id { offset });
            }
        }
    }
    Ok(Some(piece.offsets.end))
}
