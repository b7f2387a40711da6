//! Which blocks may hold records of some topics (Q5).

use rusqlite::Connection;

use crate::database::sql;
use crate::row::number;

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
/// `None`: the index does not prove itself, and says nothing. Each row names the one before it, so
/// a row that is missing between two others is noticed.
pub(crate) fn search(
    connection: &Connection,
    hashes: &[i64],
    first: u64,
    last: u64,
) -> rusqlite::Result<Option<Candidates>> {
    let mut candidates = Candidates {
        blocks: Vec::new(),
        searched: last,
    };
    let mut statement = connection.prepare_cached(sql::SELECT_BLOCKS)?;
    for hash in hashes {
        let (from, upto) = (number(first), number(candidates.searched));
        let mut rows = statement.query([*hash, from, upto, BLOCKS_MAX])?;
        let mut found = 0;
        let mut before = None;
        while let Some(row) = rows.next()? {
            let (block, previous): (i64, i64) = (row.get(0)?, row.get(1)?);
            let chained = match before {
                None => previous < from,
                Some(before) => previous == before,
            };
            let Some(block) = u64::try_from(block).ok().filter(|_| chained) else {
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

/// Rows of one topic that one search reads.
const BLOCKS_MAX: i64 = 64;

#[cfg(test)]
mod tests;
