//! A slice of history: the blocks of a range, filtered, within a budget.

use std::sync::Arc;

use fanfare_broker::{Budget, Form, Page, PageEnd, ReadError, TopicFilter};

use crate::blocks::{BLOCK, Blocks, Piece, block_of, offsets_of};
use crate::readers::Readers;
use crate::row::topic_hash;
use crate::search::{Answer, Candidates, search};
use crate::shared::{Condition, Shared};

/// What a slice is read with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) readers: &'a Readers,
    pub(crate) blocks: &'a Blocks,
}

/// Reads records in (`after`, `upto`] that `filter` wants; see [`fanfare_broker::Broker::read`].
pub(crate) async fn read(
    source: Source<'_>,
    after: u64,
    upto: u64,
    budget: Budget,
    filter: Arc<dyn TopicFilter>,
) -> Result<Page, ReadError> {
    let bounds = source.shared.bounds();
    let start = after.saturating_add(1);
    if start < bounds.first {
        let first = bounds.first;
        return Err(ReadError::Trimmed { first });
    }
    let upto = upto.min(bounds.head_offset());
    let mut slice = Slice {
        page: Page {
            records: Vec::new(),
            next: start,
            end: PageEnd::Budget,
            missing: Vec::new(),
        },
        upto,
        looks_left: budget.records_max.max(1),
        bytes_left: budget.bytes_max.max(1),
    };
    let candidates = match find(source, start, upto, &*filter).await? {
        // Trimmed since: what the index no longer names was not looked at.
        Some(Answer { first, .. }) if first > start => return Err(ReadError::Trimmed { first }),
        Some(answer) => answer.candidates,
        None => None,
    };
    while slice.has_room() {
        if !slice.skip(candidates.as_ref()) {
            break;
        }
        if slice.page.next > upto {
            slice.page.end = PageEnd::Upto;
            break;
        }
        let next = slice.page.next;
        let piece = source.blocks.piece(next, &bounds, source.readers).await?;
        if piece.first > next {
            // Trimmed since: what was found before it is right, the next read tells (T6).
            let first = piece.first;
            match next > start {
                true => break,
                false => return Err(ReadError::Trimmed { first }),
            }
        }
        slice.take(&piece, &*filter, source.shared);
    }
    if slice.page.next > upto {
        slice.page.end = PageEnd::Upto;
    }
    Ok(slice.page)
}

/// What the index says of a range; `None`: it was not asked.
async fn find(
    source: Source<'_>,
    start: u64,
    upto: u64,
    filter: &dyn TopicFilter,
) -> Result<Option<Answer>, ReadError> {
    // What is damaged proves less than a row that follows another: all is looked at.
    if matches!(source.shared.condition(), Condition::ReadOnly(_)) {
        return Ok(None);
    }
    // A short stretch is read faster than it is searched.
    if upto.saturating_sub(start) < 2 * BLOCK {
        return Ok(None);
    }
    let Some(topics) = filter.exact_topics() else {
        return Ok(None);
    };
    let hashes: Vec<_> = topics
        .iter()
        .map(|it| topic_hash(it.as_str().as_bytes()))
        .collect();
    let (first, last) = (block_of(start), block_of(upto));
    let answer = source
        .readers
        .read(move |connection| search(connection, &hashes, first, last))
        .await?;
    if answer.candidates.is_none() {
        let what = "the index of topics has a hole; reads look at every record instead";
        source.shared.damaged(what.to_owned());
    }
    Ok(Some(answer))
}

/// A page that is being filled.
struct Slice {
    page: Page,
    upto: u64,
    looks_left: usize,
    bytes_left: usize,
}

impl Slice {
    fn has_room(&self) -> bool {
        self.looks_left > 0 && self.bytes_left > 0
    }

    /// Passes over the blocks that are no candidates; false at the end of what was searched.
    fn skip(&mut self, candidates: Option<&Candidates>) -> bool {
        let Some(candidates) = candidates else {
            return true;
        };
        let block = block_of(self.page.next);
        let place = candidates.blocks.partition_point(|found| *found < block);
        if let Some(found) = candidates.blocks.get(place) {
            self.page.next = self.page.next.max(offsets_of(*found).start);
            return true;
        }
        let searched = offsets_of(candidates.searched).end;
        self.page.next = searched.min(self.upto + 1).max(self.page.next);
        self.page.next > self.upto
    }

    /// Takes what `piece` has from `next` on.
    fn take(&mut self, piece: &Piece, filter: &dyn TopicFilter, shared: &Shared) {
        let end = piece.offsets.end.min(self.upto + 1);
        let place = piece
            .records
            .partition_point(|record| record.offset() < self.page.next);
        for record in piece.records.iter().skip(place) {
            if record.offset() >= end || !self.has_room() {
                break;
            }
            self.pass(record.offset(), piece, shared);
            self.looks_left -= 1;
            self.page.next = record.offset() + 1;
            if filter.wants(record.publication()) {
                let bytes = record.frame().bytes(Form::Plain).len();
                self.bytes_left = self.bytes_left.saturating_sub(bytes);
                self.page.records.push(record.clone());
            }
        }
        if self.has_room() {
            self.pass(end, piece, shared);
            self.page.next = end.max(self.page.next);
        }
    }

    /// Notes what is missing between `next` and `offset`.
    fn pass(&mut self, offset: u64, piece: &Piece, shared: &Shared) {
        for hole in &piece.missing {
            let (start, end) = (hole.start.max(self.page.next), hole.end.min(offset));
            if start < end {
                shared.damaged(format!(
                    "the records at offsets {start} to {} cannot be read",
                    end - 1
                ));
                self.page.missing.push(start..end);
            }
        }
        self.page.next = self.page.next.max(offset);
    }
}

#[cfg(test)]
mod tests;
