//! The reader of record: reads the final history, by which everything is judged (H2).

use std::io;

use fanfare_wire::{Decoder, Item};

use super::http::{Body, Connection};
use super::hub::Hub;
use super::line::{EventKey, Line, Payload};
use super::plan::{Plan, Seat};
use super::recorder::now;
use super::selector::Selector;
use super::subscriber::{decoder, open_stream, own_payload};

/// What the hub has kept.
#[derive(Debug)]
pub(super) struct FinalHistory {
    /// Where reading began, and where the hub said it began.
    pub(super) read: Line,
    /// Id and data, oldest first.
    pub(super) events: Vec<(String, Payload)>,
    /// Events that are not of this run.
    pub(super) foreign: u64,
}

impl FinalHistory {
    /// Reads what comes behind the id `from` up to `last`, or until nothing comes any more.
    ///
    /// A hub that does not know `from` any more is asked for everything.
    ///
    /// # Errors
    ///
    /// The hub answers with no stream.
    pub(super) fn read(hub: &Hub, plan: &Plan, from: &str, last: EventKey) -> io::Result<Self> {
        let reader = Reader {
            hub,
            plan,
            last,
            seat: Seat {
                name: "reader of record".to_owned(),
                selectors: vec![Selector::All],
                grant: vec![Selector::All],
                gap_events: false,
            },
        };
        let (stream, answered) = reader.open(from)?;
        let is_known = answered.as_ref().is_none_or(|answered| answered == from);
        if is_known || from == EARLIEST {
            return reader.read(from, stream, answered);
        }
        let (stream, answered) = reader.open(EARLIEST)?;
        reader.read(EARLIEST, stream, answered)
    }

    fn len(&self) -> u64 {
        self.events.len() as u64 + self.foreign
    }

    /// As lines of the run.
    pub(super) fn into_lines(self) -> impl Iterator<Item = Line> {
        let Self {
            read,
            events,
            foreign,
        } = self;
        let events = events
            .into_iter()
            .map(|(id, payload)| Line::History { id, payload });
        std::iter::once(read)
            .chain(events)
            .chain([Line::ReadEnd { foreign }])
    }
}

/// The id that asks for all that is kept (D0-H4).
pub(super) const EARLIEST: &str = "earliest";

#[derive(Debug)]
struct Reader<'a> {
    hub: &'a Hub,
    plan: &'a Plan,
    last: EventKey,
    seat: Seat,
}

impl Reader<'_> {
    fn read(
        &self,
        from: &str,
        mut stream: Stream,
        answered: Option<String>,
    ) -> io::Result<FinalHistory> {
        let mut decoder = decoder(Some(from));
        let mut history = FinalHistory {
            read: Line::Read {
                from: from.to_owned(),
                answered,
            },
            events: Vec::new(),
            foreign: 0,
        };
        loop {
            let known = history.len();
            if self.follow(&mut stream, &mut decoder, &mut history) || history.len() == known {
                return Ok(history);
            }
            // The stream has ended before the history did.
            decoder.restart();
            let id = decoder.last_event_id().to_owned();
            let (next, answered) = self.open(&id)?;
            if answered.is_some_and(|answered| answered != id) {
                return Ok(history);
            }
            stream = next;
        }
    }

    fn open(&self, from: &str) -> io::Result<(Stream, Option<String>)> {
        let mut connection = Connection::open(self.hub.address)?;
        connection.read_for(Some(self.plan.bound))?;
        let request = self.hub.subscribe_request(&self.seat, Some(from));
        let (head, body) = open_stream(&mut connection, &request)?;
        let answered = head.field("last-event-id").map(str::to_owned);
        Ok((Stream { connection, body }, answered))
    }

    /// Reads a stream until the last event has come, which is true, or no event comes any more.
    fn follow(
        &self,
        stream: &mut Stream,
        decoder: &mut Decoder,
        history: &mut FinalHistory,
    ) -> bool {
        let mut deadline = now() + self.plan.bound;
        while now() < deadline
            && let Ok(Some(bytes)) = stream.connection.read_piece(&mut stream.body)
        {
            let known = history.len();
            if self.take(decoder, &bytes, history) {
                return true;
            }
            if history.len() > known {
                deadline = now() + self.plan.bound;
            }
        }
        false
    }

    /// Takes the events of `bytes`; true once the last one has come.
    fn take(&self, decoder: &mut Decoder, bytes: &[u8], history: &mut FinalHistory) -> bool {
        let mut is_whole = false;
        let mut items = decoder.feed(bytes);
        while let Some(item) = items.next() {
            let Item::Event {
                data,
                last_event_id,
                ..
            } = item
            else {
                continue;
            };
            match own_payload(self.plan, data) {
                None => history.foreign += 1,
                Some(payload) => {
                    is_whole |= payload.key() == self.last;
                    history.events.push((last_event_id.to_owned(), payload));
                }
            }
        }
        is_whole
    }
}

#[derive(Debug)]
struct Stream {
    connection: Connection,
    body: Body,
}
