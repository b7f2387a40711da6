//! What the indexes say: which blocks may hold records of some topics (Q5), and where an id is (C5).

use std::ops::RangeInclusive;

use fanfare_broker::Lineage;
use fanfare_wire::EventId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::blocks::{self, block_of, is_damage};
use crate::database::sql;
use crate::row::{self, Now, number};

/// What the index says.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    /// The first retained offset when it was asked: it says nothing of what was before.
    pub(crate) first: u64,
    /// `None`: it does not prove itself, and says nothing.
    pub(crate) candidates: Option<Candidates>,
}

/// The blocks that hold records of some topics.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Candidates {
    /// In order, each once.
    pub(crate) blocks: Vec<u64>,
    /// The last block that was searched: between it and the last candidate there is nothing.
    pub(crate) searched: u64,
}

/// Looks for records of the topics with `hashes` in the blocks from `first` to `last`.
///
/// Each row names the one before it, so a row that is missing between two others is noticed.
pub(crate) fn search(
    connection: &Connection,
    hashes: &[i64],
    first: u64,
    last: u64,
) -> rusqlite::Result<Answer> {
    let floor = blocks::floor(connection)?;
    let candidates = match chains(connection, hashes, first..=last, block_of(floor)) {
        Err(error) if is_damage(&error) => None,
        candidates => candidates?,
    };
    Ok(Answer {
        first: floor,
        candidates,
    })
}

/// Follows the chain of each topic. Rows of blocks before `kept` may have been deleted.
fn chains(
    connection: &Connection,
    hashes: &[i64],
    blocks: RangeInclusive<u64>,
    kept: u64,
) -> rusqlite::Result<Option<Candidates>> {
    let mut candidates = Candidates {
        blocks: Vec::new(),
        searched: *blocks.end(),
    };
    let from = number(kept.max(*blocks.start()));
    let mut statement = connection.prepare_cached(sql::SELECT_BLOCKS)?;
    for hash in hashes {
        let upto = number(candidates.searched);
        let mut rows = statement.query([*hash, from, upto, BLOCKS_MAX])?;
        let mut found = 0;
        let mut before = None;
        while let Some(row) = rows.next()? {
            let (block, previous): (i64, i64) = (row.get(0)?, row.get(1)?);
            let chained = match before {
                None => previous < from,
                Some(before) => previous == before,
            };
            // A row that is damaged may be out of the order that it was asked in.
            let ordered = block >= from && block <= upto && previous < block;
            let Some(block) = u64::try_from(block).ok().filter(|_| chained && ordered) else {
                return Ok(None);
            };
            candidates.blocks.push(block);
            before = Some(number(block));
            found += 1;
            if found == BLOCKS_MAX {
                // There may be more of this topic behind it.
                candidates.searched = block;
            }
        }
    }
    let searched = candidates.searched;
    candidates.blocks.retain(|block| *block <= searched);
    candidates.blocks.sort_unstable();
    candidates.blocks.dedup();
    Ok(Some(candidates))
}

/// Where a publisher's own id is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FoundId {
    /// Its earliest retained record.
    At(u64),
    Nowhere,
    /// The index names a record that has not this id, or that does not prove itself.
    Damaged,
}

/// Looks for the earliest record with `id` from offset `first` on, and at the record itself.
///
/// A wrong place would skip events in silence; an unknown one is told.
pub(crate) fn find_id(
    connection: &Connection,
    id: &EventId,
    first: u64,
    lineage: &Lineage,
) -> rusqlite::Result<FoundId> {
    let found = || {
        let mut select = connection.prepare_cached(sql::SELECT_OWN_ID)?;
        let offset: Option<i64> =
            select.query_row(params![id.as_str(), number(first)], |row| row.get(0))?;
        let Some(offset) = offset else {
            return Ok(FoundId::Nowhere);
        };
        let mut select = connection.prepare_cached(sql::SELECT_RECORD)?;
        let now = Now::read();
        let record = select.query_row([offset], |row| row::decode(row, lineage, now));
        Ok(match record.optional()? {
            Some(Ok(stored)) if stored.publication.event.id.as_ref() == Some(id) => {
                FoundId::At(stored.place.cursor.offset)
            }
            _ => FoundId::Damaged,
        })
    };
    match found() {
        Err(error) if is_damage(&error) => Ok(FoundId::Damaged),
        found => found,
    }
}

/// What a row of the index adds to `hub.postings`, by exclusive or: each is there or not.
pub(crate) fn posting(topic: i64, block: i64) -> i64 {
    mix(topic ^ mix(block))
}

/// SplitMix64's last step: each bit of the number changes half of the result's, and no two numbers
/// give the same.
fn mix(number: i64) -> i64 {
    let mut bits = number.cast_unsigned();
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (bits ^ (bits >> 31)).cast_signed()
}

/// What all rows of the index add up to.
pub(crate) fn postings(connection: &Connection) -> rusqlite::Result<i64> {
    let mut select = connection.prepare_cached(sql::SELECT_POSTINGS)?;
    let mut rows = select.query_map([], |row| Ok(posting(row.get(0)?, row.get(1)?)))?;
    rows.try_fold(0, |sum, posting| Ok(sum ^ posting?))
}

/// Rows of one topic that one search reads.
const BLOCKS_MAX: i64 = 64;

#[cfg(test)]
mod tests;
