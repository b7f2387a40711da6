//! Decoded stretches of history, each read once for all who want it (Q8).
//!
//! Offsets are cut into blocks of [`BLOCK`]. Whoever reads an offset gets its whole block, or, where
//! events are so large that a block would be a burden, a piece of it that begins at the offset.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare_broker::{Bounds, Form, Lineage, ReadError, Record};
use rusqlite::Connection;
use tokio::sync::OnceCell;

use crate::database::sql;
use crate::readers::Readers;
use crate::row::{self, Now, Stored, number};

/// Offsets of one block.
pub(crate) const BLOCK: u64 = 64;

/// The block that `offset` is in.
pub(crate) fn block_of(offset: u64) -> u64 {
    offset / BLOCK
}

/// The offsets of `block`.
pub(crate) fn offsets_of(block: u64) -> Range<u64> {
    block * BLOCK..(block + 1) * BLOCK
}

/// A stretch of history inside one block.
#[derive(Debug)]
pub(crate) struct Piece {
    /// What it covers: as far as it was asked for, or as many bytes as a piece may have.
    pub(crate) offsets: Range<u64>,
    /// What of it was retained when it was read.
    pub(crate) first: u64,
    pub(crate) records: Vec<Record>,
    /// Offsets that are retained and cannot be read, each range as long as possible.
    pub(crate) missing: Vec<Range<u64>>,
}

impl Piece {
    fn size(&self) -> usize {
        let size = |record: &Record| 512 + 2 * record.frame().bytes(Form::Chunked).len();
        256 + self.records.iter().map(size).sum::<usize>()
    }
}

/// The pieces that were read last.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    /// By the offset where they begin.
    pieces: HashMap<u64, Entry>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    piece: Arc<OnceCell<Arc<Piece>>>,
    /// Counted once it is read.
    bytes: usize,
    used: u64,
}

impl Blocks {
    /// The piece that covers `offset`, which is not beyond the head of `bounds`.
    ///
    /// All who ask for the same at the same time wait for one read.
    pub(crate) async fn piece(
        &self,
        offset: u64,
        bounds: &Bounds,
        readers: &Readers,
    ) -> Result<Arc<Piece>, ReadError> {
        let block = offsets_of(block_of(offset));
        let start = block.start.max(1);
        let piece = self.read(start..block.end, bounds, readers).await?;
        if piece.offsets.contains(&offset) {
            return Ok(piece);
        }
        self.read(offset..block.end, bounds, readers).await
    }

    async fn read(
        &self,
        offsets: Range<u64>,
        bounds: &Bounds,
        readers: &Readers,
    ) -> Result<Arc<Piece>, ReadError> {
        let start = offsets.start;
        let cell = self.lock().entry(start);
        let head = bounds.head_offset();
        let (upto, whole) = (offsets.end.min(head + 1), offsets.end <= head + 1);
        let lineage = Arc::clone(&bounds.lineage);
        let load = async {
            let read = readers.read(move |connection| load(connection, start..upto, &lineage));
            read.await.map(Arc::new)
        };
        if !whole {
            // The head's block grows: it is not kept.
            self.lock().forget(start);
            return load.await;
        }
        let piece = match cell.get_or_try_init(|| load).await {
            Ok(piece) => Arc::clone(piece),
            Err(error) => {
                self.lock().forget(start);
                return Err(error);
            }
        };
        if piece.missing.is_empty() {
            self.lock().keep(start, piece.size());
        } else {
            // What could not be read may be the disk's passing mood: the next one looks again.
            self.lock().forget(start);
        }
        Ok(piece)
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // A cache that a panic left behind may be too large or too small, never wrong.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// The place for the piece that begins at `start`, used now.
    fn entry(&mut self, start: u64) -> Arc<OnceCell<Arc<Piece>>> {
        self.uses += 1;
        let entry = self.pieces.entry(start).or_insert_with(|| Entry {
            piece: Arc::default(),
            bytes: 0,
            used: 0,
        });
        entry.used = self.uses;
        Arc::clone(&entry.piece)
    }

    /// Counts the piece at `start`, and forgets what was not used for longest beyond the limit.
    fn keep(&mut self, start: u64, bytes: usize) {
        let Some(entry) = self.pieces.get_mut(&start) else {
            return;
        };
        self.bytes += bytes - std::mem::replace(&mut entry.bytes, bytes).min(bytes);
        while self.bytes > CACHE_BYTES_MAX {
            let others = self.pieces.iter().filter(|(at, _)| **at != start);
            let Some((oldest, _)) = others.min_by_key(|(_, entry)| entry.used) else {
                break;
            };
            self.forget(*oldest);
        }
    }

    fn forget(&mut self, start: u64) {
        if let Some(entry) = self.pieces.remove(&start) {
            self.bytes -= entry.bytes;
        }
    }
}

/// Reads what is retained of `offsets`, all inside one block, up to a bound of bytes.
pub(crate) fn load(
    connection: &Connection,
    offsets: Range<u64>,
    lineage: &Lineage,
) -> rusqlite::Result<Piece> {
    let first = floor(connection)?;
    let mut piece = Piece {
        offsets: offsets.start..offsets.start.max(first).min(offsets.end),
        first,
        records: Vec::new(),
        missing: Vec::new(),
    };
    let mut bytes = 0;
    if let Err(error) = scan(connection, offsets.end, lineage, &mut piece, &mut bytes) {
        if !is_damage(&error) {
            return Err(error);
        }
        // A page cannot be read. Its rows are lost, the others are not.
        one_by_one(connection, offsets.end, lineage, &mut piece, &mut bytes)?;
    }
    if bytes < PIECE_BYTES_MAX {
        piece.skip_to(offsets.end);
    }
    Ok(piece)
}

/// The first retained offset in the snapshot of `connection`.
pub(crate) fn floor(connection: &Connection) -> rusqlite::Result<u64> {
    let mut select = connection.prepare_cached(sql::SELECT_FLOOR)?;
    let floor: i64 = select.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(floor).unwrap_or_default().max(1))
}

/// Reads rows in their order until the piece is full.
fn scan(
    connection: &Connection,
    end: u64,
    lineage: &Lineage,
    piece: &mut Piece,
    bytes: &mut usize,
) -> rusqlite::Result<()> {
    let now = Now::read();
    let mut statement = connection.prepare_cached(sql::SELECT_RECORDS)?;
    let mut rows = statement.query([number(piece.offsets.end), number(end) - 1])?;
    while *bytes < PIECE_BYTES_MAX
        && let Some(row) = rows.next()?
    {
        if let Ok(stored) = row::decode(row, lineage, now)? {
            *bytes += piece.push(stored);
        }
    }
    Ok(())
}

fn one_by_one(
    connection: &Connection,
    end: u64,
    lineage: &Lineage,
    piece: &mut Piece,
    bytes: &mut usize,
) -> rusqlite::Result<()> {
    let now = Now::read();
    let mut statement = connection.prepare_cached(sql::SELECT_RECORD)?;
    for offset in piece.offsets.end..end {
        if *bytes >= PIECE_BYTES_MAX {
            break;
        }
        match statement.query_row([number(offset)], |row| row::decode(row, lineage, now)) {
            Ok(Ok(stored)) => *bytes += piece.push(stored),
            Ok(Err(_)) | Err(rusqlite::Error::QueryReturnedNoRows) => {}
            Err(error) if is_damage(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Piece {
    /// Takes the next row that proved itself; what lies between it and the last one is missing.
    ///
    /// Returns its weight.
    fn push(&mut self, stored: Stored) -> usize {
        let offset = stored.place.cursor.offset;
        if offset < self.offsets.end {
            // A row out of order: a damaged tree. Whoever is right is not known; both are not told.
            return 0;
        }
        self.skip_to(offset);
        let record = stored.into_record();
        let size = record.frame().bytes(Form::Plain).len();
        self.records.push(record);
        self.offsets.end = offset + 1;
        size
    }

    /// Everything up to before `offset` that is retained is missing.
    fn skip_to(&mut self, offset: u64) {
        if self.offsets.end < offset {
            self.missing.push(self.offsets.end..offset);
            self.offsets.end = offset;
        }
    }
}

/// Whether the database is damaged, rather than busy, closed or out of memory.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::{Error, ErrorCode, ffi};
    let Error::SqliteFailure(error, _) = error else {
        return matches!(
            error,
            Error::InvalidColumnType(..)
                | Error::FromSqlConversionFailure(..)
                | Error::IntegralValueOutOfRange(..)
                | Error::Utf8Error(..)
        );
    };
    // Of the many I/O errors, the ones that say that bytes cannot be read.
    let unreadable = [
        ffi::SQLITE_IOERR_READ,
        ffi::SQLITE_IOERR_SHORT_READ,
        ffi::SQLITE_IOERR_DATA,
        ffi::SQLITE_IOERR_CORRUPTFS,
    ];
    matches!(
        error.code,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase
    ) || unreadable.contains(&error.extended_code)
}

/// Bytes of events in one piece; the record that passes it is still in it.
const PIECE_BYTES_MAX: usize = 256 << 10;

/// Bytes of pieces that are kept.
const CACHE_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests;
