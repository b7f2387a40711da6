//! A subscriber that writes down what it gets, and comes back with its last id (H2).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fanfare_wire::{Decoder, EventId, Item};
use serde::Deserialize;

use super::http::{Body, Connection, Head};
use super::hub::Hub;
use super::line::Payload;
use super::plan::{Plan, Seat};
use super::recorder::Recorder;
use super::valve::Valve;

#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) hub: Arc<Hub>,
    pub(super) plan: Arc<Plan>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) valve: Arc<Valve>,
    /// Its number.
    pub(super) s: u32,
    pub(super) seat: Seat,
}

impl Subscriber {
    /// Listens until the valve ends it, from behind the id `from` on.
    pub(super) fn run(self, from: Option<&str>) {
        let mut decoder = decoder(from);
        while self.valve.pass() {
            match self.listen(&mut decoder) {
                Ok(()) => {}
                Err(error) => {
                    let is_down = error.kind() == io::ErrorKind::ConnectionRefused;
                    self.recorder.refuse(error.to_string(), is_down);
                }
            }
            self.valve.pause(RETURN_PAUSE);
        }
    }

    /// One connection, to its end.
    ///
    /// # Errors
    ///
    /// There was no stream.
    fn listen(&self, decoder: &mut Decoder) -> io::Result<()> {
        let mut connection = Connection::open(self.hub.address)?;
        if !self.valve.guard(connection.socket()?) {
            return Ok(());
        }
        decoder.restart();
        let from = Some(decoder.last_event_id().to_owned()).filter(|id| !id.is_empty());
        let request = self.hub.subscribe_request(&self.seat, from.as_deref());
        let (head, mut body) = open_stream(&mut connection, &request)?;
        let answered = head.field("last-event-id");
        let c = self.recorder.connect(self.s, from.as_deref(), answered);
        // However it ends, it is over.
        while let Ok(Some(bytes)) = connection.read_piece(&mut body) {
            let mut items = decoder.feed(&bytes);
            while let Some(item) = items.next() {
                self.take(c, item);
            }
        }
        Ok(())
    }

    fn take(&self, c: u32, item: Item<'_>) {
        let Item::Event {
            event_type,
            data,
            last_event_id,
        } = item
        else {
            return;
        };
        if event_type == GAP {
            if let Ok(Gap { from, reason }) = serde_json::from_str(data) {
                self.recorder.hear_gap(self.s, c, from, reason);
            }
        } else if let Some(payload) = own_payload(&self.plan, data) {
            self.recorder.hear(self.s, c, last_event_id, payload);
        }
    }
}

/// What a gap's event says (C7).
#[derive(Debug, Deserialize)]
struct Gap {
    from: String,
    reason: String,
}

const GAP: &str = "fanfare-gap";
const RETURN_PAUSE: Duration = Duration::from_millis(5);

/// A decoder that goes on behind the id `from`.
pub(super) fn decoder(from: Option<&str>) -> Decoder {
    // What is no id has never come out of a stream.
    let from = EventId::parse(from.unwrap_or_default()).unwrap_or_default();
    Decoder::new(&from)
}

/// The data of an event of this run; `None` for somebody else's.
pub(super) fn own_payload(plan: &Plan, data: &str) -> Option<Payload> {
    let payload = serde_json::from_str(data).ok()?;
    Some(payload).filter(|payload| plan.is_own(payload))
}

/// Sends a request for a stream, and reads the head of the answer.
pub(super) fn open_stream(connection: &mut Connection, request: &[u8]) -> io::Result<(Head, Body)> {
    connection.send(request)?;
    let (head, body) = connection.read_head()?;
    if head.is_success() {
        return Ok((head, body));
    }
    let said = connection.read_whole(body).unwrap_or_default();
    let why = format!(
        "a subscriber was refused with {}: {}",
        head.status,
        said.trim()
    );
    Err(io::Error::other(why))
}
