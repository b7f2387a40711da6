//! The epochs that a history went through, and what they make of a cursor (C3, C4).

use crate::broker::Resolved;
use crate::cursor::{Cursor, Epoch};

/// The epochs of one history, oldest first, each from its first offset to where the next begins.
///
/// A hub that has never stored anything has none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lineage {
    /// Each epoch with its first offset, strictly increasing.
    epochs: Vec<(u64, Epoch)>,
}

impl Lineage {
    /// A history of one epoch, which begins at offset 1.
    #[must_use]
    pub fn of(epoch: Epoch) -> Self {
        Self {
            epochs: vec![(1, epoch)],
        }
    }

    /// Says that `epoch` begins at offset `first`; false, and nothing changes, unless that is
    /// after where the newest one began, and the epoch is a new one.
    pub fn begin(&mut self, first: u64, epoch: Epoch) -> bool {
        let grows = self.epochs.last().is_none_or(|(last, _)| *last < first);
        let fits = grows && !self.epochs.iter().any(|(_, known)| *known == epoch);
        if fits {
            self.epochs.push((first, epoch));
        }
        fits
    }

    /// Forgets the epochs that begin after `end`: what they named is lost.
    pub fn cut(&mut self, end: u64) {
        self.epochs.retain(|(first, _)| *first <= end);
    }

    /// Forgets the epochs that ended before `offset` (U12).
    pub fn forget_before(&mut self, offset: u64) {
        let begun = self.epochs.partition_point(|(first, _)| *first <= offset);
        self.epochs.drain(..begun.saturating_sub(1));
    }

    /// The epochs with their first offsets, oldest first.
    pub fn epochs(&self) -> impl Iterator<Item = (u64, Epoch)> + '_ {
        self.epochs.iter().copied()
    }

    /// The newest epoch.
    #[must_use]
    pub fn newest(&self) -> Option<Epoch> {
        self.epochs.last().map(|(_, epoch)| *epoch)
    }

    /// The cursor of the record at `offset`; `None` before the first epoch that is known.
    ///
    /// Offset 0 is a place of the epoch that begins with the first record.
    #[must_use]
    pub fn cursor_at(&self, offset: u64) -> Option<Cursor> {
        let begun = self
            .epochs
            .partition_point(|(first, _)| *first <= offset.max(1));
        let (_, epoch) = self.epochs.get(begun.checked_sub(1)?)?;
        Some(Cursor {
            epoch: *epoch,
            offset,
        })
    }

    /// Where `cursor` stands in a history that retains the offsets from `first` to `head` (C4).
    ///
    /// Finer than one epoch whose change loses everybody: a cursor of an old epoch is as good as
    /// ever, up to where that epoch ended.
    #[must_use]
    pub fn resolve(&self, cursor: Cursor, first: u64, head: u64) -> Resolved {
        let place = |(_, epoch): &(u64, Epoch)| *epoch == cursor.epoch;
        let Some(place) = self.epochs.iter().position(place) else {
            return Resolved::Unknown;
        };
        let begins = self.epochs.get(place).map_or(0, |(first, _)| *first);
        if cursor.offset.max(1) < begins {
            return Resolved::Unknown;
        }
        let next = self
            .epochs
            .get(place + 1)
            .map_or(u64::MAX, |(next, _)| *next);
        let end = head.min(next - 1);
        if cursor.offset > end {
            Resolved::Diverged { end }
        } else if cursor.offset + 1 < first {
            Resolved::Trimmed { first }
        } else {
            Resolved::At(cursor.offset)
        }
    }
}

#[cfg(test)]
mod tests;
