//! A body's bytes as items: what the hub says to the client itself is taken out of its events.

use std::time::Duration;

use bytes::Bytes;
use fanfare_wire::{Decoder, EventId, Item as Wire};
use serde::Deserialize;

use crate::config::Oversize;
use crate::item::{Event, Gap, GapReason, Item};

/// The reader of one connection's body. Pure: no I/O, no clock.
#[derive(Debug)]
pub(crate) struct Reader {
    decoder: Decoder,
    /// What came and was not fed yet; what was fed and not reached, the decoder keeps.
    chunk: Bytes,
    /// The last committed id. Events without an id of their own share it.
    cursor: EventId,
    rules: Rules,
    /// A gap that the answer's head told, until something moves the cursor (RC-14).
    gap: Option<Gap>,
    /// What had to wait for that gap.
    held: Option<Found>,
}

/// What of a source's settings matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) event_bytes_max: usize,
    pub(crate) oversize: Oversize,
    pub(crate) comments: bool,
}

/// One thing found in the body, and where the source stands once it is handed out.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) said: Said,
    /// `None`: where it stood before.
    pub(crate) cursor: Option<EventId>,
}

#[derive(Debug)]
pub(crate) enum Said {
    Item(Item),
    Retry(u64),
    /// The hub says something at least this often.
    Interval(Duration),
    TooLong(Option<EventId>),
    Nothing,
}

impl Reader {
    /// A reader that last saw `cursor`; `gap` is what the answer's head told.
    pub(crate) fn new(cursor: EventId, rules: Rules, gap: Option<Gap>) -> Self {
        let mut decoder = Decoder::new(&cursor);
        decoder.event_bytes_max = rules.event_bytes_max;
        Self {
            decoder,
            chunk: Bytes::new(),
            cursor,
            rules,
            gap,
            held: None,
        }
    }

    /// Takes the next bytes; all that came before must have been found.
    pub(crate) fn feed(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// The next thing in the bytes so far. One at a time, so that the cursor is never ahead of
    /// what was handed out (RC-08).
    pub(crate) fn next(&mut self) -> Option<Found> {
        if let Some(found) = self.held.take() {
            return Some(found);
        }
        let found = self.decode()?;
        if found.cursor.is_none() {
            return Some(found);
        }
        // The hub's own word for a gap has its reason, so it takes the place of the head's.
        match (&found.said, self.gap.take()) {
            (Said::Item(Item::Gap(_)), _) | (_, None) => Some(found),
            (_, Some(gap)) => {
                self.held = Some(found);
                Some(Found::staying(Said::Item(Item::Gap(gap))))
            }
        }
    }

    fn decode(&mut self) -> Option<Found> {
        let chunk = std::mem::take(&mut self.chunk);
        let mut items = self.decoder.feed(&chunk);
        let found = match items.next()? {
            Wire::Event {
                event_type,
                data,
                last_event_id,
            } => {
                let before = self.cursor.clone();
                move_to(&mut self.cursor, last_event_id);
                let said = said_by(event_type, data, &before, &self.cursor);
                // A heartbeat may come before the hub's own word for a gap, and says nothing of it.
                let silent = !matches!(said, Said::Item(_)) && before == self.cursor;
                Found {
                    said,
                    cursor: (!silent).then(|| self.cursor.clone()),
                }
            }
            Wire::Comment(text) if self.rules.comments => {
                Found::staying(Said::Item(Item::Comment(text.to_owned())))
            }
            Wire::Retry(millis) => Found::staying(Said::Retry(millis)),
            Wire::Cursor(id) => {
                move_to(&mut self.cursor, id);
                Found {
                    said: Said::Nothing,
                    cursor: Some(self.cursor.clone()),
                }
            }
            Wire::TooLong => {
                drop(items);
                return Some(self.too_long());
            }
            Wire::Comment(_) | _ => Found::staying(Said::Nothing),
        };
        Some(found)
    }

    fn too_long(&self) -> Found {
        let id = self.decoder.block_id().map(id_of);
        match self.rules.oversize {
            Oversize::Fail => Found::staying(Said::TooLong(id)),
            // Its id counts from here on: a reconnect must not ask for the same event for ever.
            Oversize::Skip => Found {
                cursor: id.clone(),
                said: Said::Item(Item::Skipped {
                    event_bytes_max: self.rules.event_bytes_max,
                    id,
                }),
            },
        }
    }
}

impl Found {
    fn staying(said: Said) -> Self {
        Self { said, cursor: None }
    }
}

/// An event, or what the hub says by one of its own types (RC-15).
fn said_by(event_type: &str, data: &str, before: &EventId, cursor: &EventId) -> Said {
    match event_type {
        "fanfare-gap" => Said::Item(Item::Gap(told_gap(data, before, cursor))),
        "fanfare-live" => Said::Item(Item::Live),
        "fanfare-heartbeat" => match serde_json::from_str::<Heartbeat>(data) {
            Ok(heartbeat) => Said::Interval(Duration::from_millis(heartbeat.interval)),
            Err(_) => Said::Nothing,
        },
        _ => Said::Item(Item::Event(Event {
            event_type: event_type.to_owned(),
            data: data.to_owned(),
            last_event_id: cursor.clone(),
        })),
    }
}

#[derive(Deserialize)]
struct Heartbeat {
    /// Between two of them, in milliseconds.
    interval: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GapDetail {
    from: Option<String>,
    to: Option<String>,
    reason: Option<String>,
}

/// A gap by the hub's event; what its data does not say is known from the ids.
fn told_gap(data: &str, before: &EventId, cursor: &EventId) -> Gap {
    let detail: GapDetail = serde_json::from_str(data).unwrap_or_default();
    Gap {
        from: detail.from.unwrap_or_else(|| before.to_string()),
        to: detail.to.unwrap_or_else(|| cursor.to_string()),
        reason: detail.reason.map(GapReason::parse),
    }
}

fn move_to(cursor: &mut EventId, id: &str) {
    if cursor.as_str() != id {
        *cursor = id_of(id);
    }
}

fn id_of(text: &str) -> EventId {
    EventId::parse(text).expect("every id that the decoder lends is a valid one")
}

#[cfg(test)]
mod tests;
