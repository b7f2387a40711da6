//! The retained records, in order, and where the publishers' own ids stand among them.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use fanfare_wire::EventId;

use crate::broker::{Bounds, PublishError, ReadError, Receipt, Resolved};
use crate::cursor::{Cursor, Epoch};
use crate::frame::Form;
use crate::lineage::Lineage;
use crate::publication::Publication;
use crate::record::Record;

/// The newest records of one epoch, bounded in number and bytes.
#[derive(Debug)]
pub(super) struct Log {
    epoch: Epoch,
    /// Of this one epoch.
    lineage: Arc<Lineage>,
    entries: VecDeque<Entry>,
    /// The offset of the first entry, or of the record that comes first when there is none.
    first: u64,
    /// Where the publishers' own ids occur in `entries`.
    ids: HashMap<EventId, Occurrences>,
    /// The weights of all entries.
    bytes: usize,
    count_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    weight: usize,
    /// Where the record's own id occurs next; kept here, so that an id used once costs no list.
    next_occurrence: Option<u64>,
}

/// The first and the last retained offset of an id; [`Entry::next_occurrence`] leads from one to
/// the other.
#[derive(Debug)]
struct Occurrences {
    first: u64,
    last: u64,
}

impl Log {
    /// Makes an empty log that keeps `count_max` records (at least 1) of `bytes_max` bytes.
    pub(super) fn new(epoch: Epoch, count_max: usize, bytes_max: usize) -> Self {
        Self {
            epoch,
            lineage: Arc::new(Lineage::of(epoch)),
            entries: VecDeque::new(),
            first: 1,
            ids: HashMap::new(),
            bytes: 0,
            count_max: count_max.max(1),
            bytes_max,
        }
    }

    /// Makes `publication` the newest record; the oldest go as far as the limits ask.
    pub(super) fn append(&mut self, publication: Publication) -> Result<Receipt, PublishError> {
        let cursor = Cursor {
            epoch: self.epoch,
            offset: self.head() + 1,
        };
        let record = Record::new(cursor, publication);
        let weight = weight(&record);
        if weight > self.bytes_max {
            return Err(PublishError::TooLarge {
                bytes: weight,
                bytes_max: self.bytes_max,
            });
        }
        let receipt = Receipt {
            cursor,
            id: record.id(),
            duplicate: false,
        };
        self.index(&record);
        self.bytes += weight;
        self.entries.push_back(Entry {
            record,
            weight,
            next_occurrence: None,
        });
        // The newest is within both limits on its own, so this ends before it.
        while self.entries.len() > self.count_max || self.bytes > self.bytes_max {
            self.trim_first();
        }
        Ok(receipt)
    }

    /// The newest offset; 0 when nothing was ever stored.
    pub(super) fn head(&self) -> u64 {
        self.first + self.entries.len() as u64 - 1
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn bounds(&self) -> Bounds {
        let newest = self.entries.back();
        Bounds {
            head: newest.map(|entry| entry.record.cursor()),
            first: self.first,
            lineage: Arc::clone(&self.lineage),
        }
    }

    /// Up to `count_max` records from offset `next` to `upto`; none at the head.
    ///
    /// Costs the records it brings, wherever they stand.
    pub(super) fn records(
        &self,
        next: u64,
        upto: u64,
        count_max: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let Some(skipped) = next.checked_sub(self.first) else {
            let first = self.first;
            return Err(ReadError::Trimmed { first });
        };
        let start = place(skipped).min(self.entries.len());
        let wanted = place(upto.saturating_add(1).saturating_sub(next));
        let range = self.entries.range(start..).take(wanted.min(count_max));
        Ok(range.map(|entry| entry.record.clone()).collect())
    }

    /// Where `id` stands (C4, C5).
    pub(super) fn resolve(&self, id: &EventId) -> Resolved {
        self.bounds().resolve(id).unwrap_or_else(|| {
            let first = self.ids.get(id).map(|occurrences| occurrences.first);
            first.map_or(Resolved::Unknown, Resolved::At)
        })
    }

    /// Notes where the own id of `record` occurs, which is about to be appended.
    fn index(&mut self, record: &Record) {
        let Some(id) = own_id(record) else { return };
        let offset = record.offset();
        match self.ids.entry(id.clone()) {
            Slot::Vacant(slot) => {
                slot.insert(Occurrences {
                    first: offset,
                    last: offset,
                });
            }
            Slot::Occupied(mut slot) => {
                let before = std::mem::replace(&mut slot.get_mut().last, offset);
                if let Some(entry) = self.entries.get_mut(place(before - self.first)) {
                    entry.next_occurrence = Some(offset);
                }
            }
        }
    }

    fn trim_first(&mut self) {
        let Some(entry) = self.entries.pop_front() else {
            return;
        };
        self.first += 1;
        self.bytes -= entry.weight;
        let Some(id) = own_id(&entry.record) else {
            return;
        };
        match entry.next_occurrence {
            None => {
                self.ids.remove(id);
            }
            Some(next) => {
                if let Some(occurrences) = self.ids.get_mut(id) {
                    occurrences.first = next;
                }
            }
        }
    }
}

/// The id that its publisher gave it; one made by the hub needs no index, it is decoded.
fn own_id(record: &Record) -> Option<&EventId> {
    let id = record.publication().event.id.as_ref()?;
    (!id.as_str().starts_with(Cursor::PREFIX)).then_some(id)
}

/// What `record` takes, as `Config::history_bytes_max` describes it.
fn weight(record: &Record) -> usize {
    let publication = record.publication();
    let topics: usize = publication
        .topics()
        .iter()
        .map(|topic| 32 + topic.as_str().len())
        .sum();
    512 + topics + publication.event.data.len() + record.frame().bytes(Form::Plain).len()
}

/// An offset's distance as a place in memory; one past the end of any if it has none.
fn place(distance: u64) -> usize {
    usize::try_from(distance).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
