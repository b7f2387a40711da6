//! A record: a publication at its place in the hub's one order.

use std::sync::Arc;

use fanfare_wire::EventId;

use crate::cursor::Cursor;
use crate::frame::Frame;
use crate::publication::Publication;

/// A publication at a cursor, with its frame. Cloning shares all of it.
#[derive(Clone, Debug)]
pub struct Record(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cursor: Cursor,
    publication: Publication,
    frame: Frame,
}

impl Record {
    /// Puts `publication` at `cursor` and encodes its frame, the only time this is done.
    ///
    /// Without an `id` of its own, its event gets the cursor's text as id.
    #[must_use]
    pub fn new(cursor: Cursor, mut publication: Publication) -> Self {
        publication.event.id.get_or_insert_with(|| cursor.id());
        let frame = Frame::new(&publication.event);
        Self(Arc::new(Inner {
            cursor,
            publication,
            frame,
        }))
    }

    /// Where it stands in the hub's one order.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.0.cursor
    }

    /// Its offset: `cursor().offset`.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.0.cursor.offset
    }

    /// What was published; its event has an id.
    #[must_use]
    pub fn publication(&self) -> &Publication {
        &self.0.publication
    }

    /// The id that a subscriber sees: the publisher's own, or the cursor's text.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.0
            .publication
            .event
            .id
            .clone()
            .unwrap_or_else(|| self.0.cursor.id())
    }

    /// The encoded event.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.0.frame
    }
}

#[cfg(test)]
mod tests;
