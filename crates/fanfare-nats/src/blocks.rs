//! Decoded stretches of history, each read once for all who want it (Q8).
//!
//! Offsets are cut into blocks of [`BLOCK`]. Whoever reads an offset gets its block from there on, or
//! as much of it as a piece may have of bytes. A cache lives as long as one connection, for the
//! history is compared before each.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare_broker::{Form, Lineage, Record};
use futures_util::{StreamExt, stream};
use tokio::sync::OnceCell;

use crate::codec::Now;
use crate::log::{Entry, Log, LogError, View};

/// Offsets of one block.
const BLOCK: u64 = 128;

/// A stretch of history inside one block.
#[derive(Debug)]
pub(crate) struct Piece {
    /// What it covers; what was trimmed while it was read is not in it.
    pub(crate) offsets: Range<u64>,
    pub(crate) records: Vec<Record>,
    /// Offsets that are retained and cannot be read.
    pub(crate) missing: Vec<u64>,
}

/// The pieces that were read last.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    /// The newest mark when the pieces were read: another one gives records other epochs.
    mark: u64,
    /// By the offset where they begin.
    pieces: HashMap<u64, Kept>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Kept {
    piece: Arc<OnceCell<Arc<Piece>>>,
    /// Counted once it is read.
    bytes: usize,
    used: u64,
}

/// What the broker knows of the epochs.
#[derive(Clone, Debug)]
pub(crate) struct Epochs {
    /// The offset of the newest mark.
    pub(crate) mark: u64,
    pub(crate) lineage: Arc<Lineage>,
}

impl Blocks {
    /// A piece that covers `offset`, which `view` retains; its end is no later than `end`, unless
    /// others want it too.
    ///
    /// All who ask for the same at the same time wait for one read. If it begins after `offset`,
    /// that was trimmed meanwhile.
    pub(crate) async fn piece(
        &self,
        offset: u64,
        end: u64,
        log: &Log,
        view: View,
        epochs: &Epochs,
    ) -> Result<Arc<Piece>, LogError> {
        let block = block_of(offset);
        if block.end > view.last + 1 {
            // The last block grows: it is not kept.
            return load(log, offset..block.end.min(end), &epochs.lineage)
                .await
                .map(Arc::new);
        }
        let whole = block.start.max(view.first)..block.end;
        let piece = self.read(whole, log, epochs).await?;
        if piece.offsets.end > offset {
            return Ok(piece);
        }
        // Its events are large.
        self.read(offset..block.end, log, epochs).await
    }

    async fn read(
        &self,
        offsets: Range<u64>,
        log: &Log,
        epochs: &Epochs,
    ) -> Result<Arc<Piece>, LogError> {
        let start = offsets.start;
        let cell = self.lock().cell(start, epochs.mark);
        let read = cell
            .get_or_try_init(|| async {
                let piece = load(log, offsets, &epochs.lineage).await;
                piece.map(Arc::new)
            })
            .await;
        let mut cache = self.lock();
        match read {
            Ok(piece) if piece.missing.is_empty() => {
                cache.keep(start, &cell, size(piece));
                Ok(Arc::clone(piece))
            }
            Ok(piece) => {
                // The next one looks again.
                cache.forget(start);
                Ok(Arc::clone(piece))
            }
            Err(error) => {
                cache.forget(start);
                Err(error)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // A cache that a panic left behind may be too large or too small, never wrong.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// The place for the piece that begins at `start`, used now.
    fn cell(&mut self, start: u64, mark: u64) -> Arc<OnceCell<Arc<Piece>>> {
        if self.mark != mark {
            self.pieces.clear();
            self.bytes = 0;
            self.mark = mark;
        }
        self.uses += 1;
        let kept = self.pieces.entry(start).or_insert_with(|| Kept {
            piece: Arc::default(),
            bytes: 0,
            used: 0,
        });
        kept.used = self.uses;
        Arc::clone(&kept.piece)
    }

    /// Counts the piece at `start`, and forgets what was not used for longest beyond the limit.
    fn keep(&mut self, start: u64, cell: &Arc<OnceCell<Arc<Piece>>>, bytes: usize) {
        let Some(kept) = self.pieces.get_mut(&start) else {
            return;
        };
        if !Arc::ptr_eq(&kept.piece, cell) || kept.bytes == bytes {
            return;
        }
        kept.bytes = bytes;
        self.bytes += bytes;
        while self.bytes > CACHE_BYTES_MAX {
            let others = self.pieces.iter().filter(|(at, _)| **at != start);
            let Some((oldest, _)) = others.min_by_key(|(_, kept)| kept.used) else {
                break;
            };
            self.forget(*oldest);
        }
    }

    fn forget(&mut self, start: u64) {
        if let Some(kept) = self.pieces.remove(&start) {
            self.bytes -= kept.bytes;
        }
    }
}

/// The offsets of the block that `offset` is in.
fn block_of(offset: u64) -> Range<u64> {
    let start = offset / BLOCK * BLOCK;
    start..start + BLOCK
}

fn size(piece: &Piece) -> usize {
    let size = |record: &Record| 512 + 2 * record.frame().bytes(Form::Chunked).len();
    256 + piece.records.iter().map(size).sum::<usize>()
}

/// Reads what is retained of `offsets`, up to a bound of bytes.
async fn load(log: &Log, offsets: Range<u64>, lineage: &Lineage) -> Result<Piece, LogError> {
    let now = Now::read();
    let mut piece = Piece {
        offsets: offsets.start..offsets.start,
        records: Vec::new(),
        missing: Vec::new(),
    };
    let get = |offset| async move { (offset, log.look_up(offset, now).await) };
    let mut entries = stream::iter(offsets).map(get).buffered(IN_FLIGHT);
    let mut bytes = 0;
    while let Some((offset, entry)) = entries.next().await {
        piece.offsets.end = offset + 1;
        match (entry?, lineage.cursor_at(offset)) {
            (Some(Entry::Record(_, publication)), Some(cursor)) => {
                let record = Record::new(cursor, publication);
                bytes += record.frame().bytes(Form::Plain).len();
                piece.records.push(record);
            }
            (Some(Entry::Mark(_)), _) => {}
            (Some(Entry::Record(..) | Entry::Foreign), _) => piece.missing.push(offset),
            (None, _) if offset < log.view().await?.first => {
                // With all that stood before it.
                piece.offsets.start = offset + 1;
                piece.records.clear();
                piece.missing.clear();
            }
            (None, _) => piece.missing.push(offset),
        }
        if bytes >= PIECE_BYTES_MAX {
            break;
        }
    }
    Ok(piece)
}

/// Records that are asked for before the first of them has come.
const IN_FLIGHT: usize = 64;
/// Bytes of frames at which a piece ends.
const PIECE_BYTES_MAX: usize = 1 << 20;
/// Bytes of pieces that are kept, by an estimate.
const CACHE_BYTES_MAX: usize = 16 << 20;
