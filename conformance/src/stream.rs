//! A subscriber's end of a stream: the events, and the bytes that they came in.

use std::collections::VecDeque;
use std::time::Duration;

use fanfare_wire::{Decoder, EventId, Item};

use crate::http::{Answer, Body, PATIENCE, Piece};
use crate::objection::{Checked, Objection, failed};

/// An open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) head: Answer,
    body: Body,
    /// Everything that has come.
    pub(crate) text: String,
    decoder: Decoder,
    events: VecDeque<Received>,
    is_over: bool,
}

/// An event as a reader gets it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Received {
    pub(crate) event_type: String,
    pub(crate) data: String,
    pub(crate) id: String,
}

impl Stream {
    pub(crate) fn new(head: Answer, body: Body) -> Result<Self, Objection> {
        let first = EventId::parse("").map_err(|error| failed("an empty id", error))?;
        Ok(Self {
            head,
            body,
            text: String::new(),
            decoder: Decoder::new(&first),
            events: VecDeque::new(),
            is_over: false,
        })
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// The stream ends, or none comes in time.
    pub(crate) async fn event(&mut self) -> Result<Received, Objection> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.more("another event").await?;
        }
    }

    /// The event `id`; those before it are somebody else's.
    pub(crate) async fn event_of(&mut self, id: &str) -> Result<Received, Objection> {
        let mut others = 0;
        loop {
            match self.event().await {
                Ok(event) if event.id == id => return Ok(event),
                Ok(_) => others += 1,
                Err(Objection::Failed { got, .. }) => {
                    let expected = format!("the event {id:?}");
                    return Err(failed(expected, format!("{got}, after {others} others")));
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// Ids of the events up to and without the event `marker`.
    pub(crate) async fn ids_until(&mut self, marker: &str) -> Result<Vec<String>, Objection> {
        let mut ids = Vec::new();
        loop {
            match self.event().await {
                Ok(event) if event.id == marker => return Ok(ids),
                Ok(event) => ids.push(event.id),
                Err(Objection::Failed { got, .. }) => {
                    let expected = format!("the event {marker:?}");
                    let seen = ids.iter().rev().take(3).rev().collect::<Vec<_>>();
                    return Err(failed(expected, format!("{got}, at last {seen:?}")));
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// Waits until the bytes that have come contain `part`.
    pub(crate) async fn read_until(&mut self, part: &str) -> Checked {
        while !self.text.contains(part) {
            self.more(&format!("{part:?} in the stream")).await?;
        }
        Ok(())
    }

    /// Waits until the stream ends in an orderly way.
    ///
    /// # Errors
    ///
    /// It is cut, or still open when nothing has come for `patience`.
    pub(crate) async fn end(&mut self, patience: Duration) -> Checked {
        let wanted = "an orderly end of the stream";
        while !self.is_over {
            match self.body.piece(patience).await? {
                Some(Piece::End) => self.is_over = true,
                Some(Piece::Bytes(bytes)) => self.take(&bytes),
                Some(Piece::Cut) => return Err(failed(wanted, "a cut connection")),
                None => return Err(failed(wanted, format!("nothing for {patience:?}"))),
            }
        }
        Ok(())
    }

    async fn more(&mut self, wanted: &str) -> Checked {
        if self.is_over {
            return Err(failed(wanted, "the end of the stream"));
        }
        match self.body.piece(PATIENCE).await {
            Ok(Some(Piece::Bytes(bytes))) => self.take(&bytes),
            Ok(Some(Piece::End)) => self.is_over = true,
            Ok(Some(Piece::Cut)) => return Err(failed(wanted, "a cut connection")),
            Ok(None) | Err(_) => {
                return Err(failed(wanted, format!("none within {PATIENCE:?}")));
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) {
        self.text.push_str(&String::from_utf8_lossy(bytes));
        let mut items = self.decoder.feed(bytes);
        while let Some(item) = items.next() {
            if let Item::Event {
                event_type,
                data,
                last_event_id,
            } = item
            {
                self.events.push_back(Received {
                    event_type: event_type.to_owned(),
                    data: data.to_owned(),
                    id: last_event_id.to_owned(),
                });
            }
        }
    }
}
