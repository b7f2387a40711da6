//! `EventSource`: one stream of events over as many connections as it takes.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use fanfare_wire::EventId;
use futures_core::Stream;
use http::HeaderMap;
use http_body::Body as _;
use reqwest::Body;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::client::Client;
use crate::config::Config;
use crate::connect::{Answered, Attempt, Outcome};
use crate::error::{Cause, InvalidConfig, without_url};
use crate::item::{End, Gap, Item};
use crate::mask::Masked;
use crate::network::Network;
use crate::reader::{Reader, Rules, Said};
use crate::redirect::Route;
use crate::request::{LAST_EVENT_ID, first_route, header_of};
use crate::retry::{Backoff, FOREVER};

/// A reader of server-sent events that comes back: a `Stream` of [`Item`]s, which ends after
/// [`Item::End`] and at nothing else.
///
/// It does nothing before it is polled, and nothing between polls: what arrives meanwhile waits in
/// the connection, whose flow control holds the server back (RC-01). It needs a tokio runtime with
/// I/O and time. Dropping it closes its connection. A future that waits for its next item may be
/// dropped, as in `select!`, and loses nothing.
///
/// Each event comes once per process. An application that must not lose events over its own crash
/// keeps each event's id once it has handled it (RC-12):
///
/// ```no_run
/// use fanfare_client::{Config, EventSource, Item};
/// use futures_util::StreamExt;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = Config::get("http://127.0.0.1:3000/events?topic=demo".parse()?);
/// let kept = std::fs::read_to_string("last-event-id").unwrap_or_default();
/// config.last_event_id = fanfare_client::EventId::parse(&kept)?;
///
/// let mut source = EventSource::new(config)?;
/// while let Some(item) = source.next().await {
///     if let Item::Event(event) = item {
///         // Handle it first; then it will not come again.
///         std::fs::write("last-event-id", event.last_event_id.as_str())?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct EventSource {
    client: reqwest::Client,
    config: Arc<Config>,
    /// Where the next attempt begins.
    route: Route,
    /// As of the last item handed out; nothing but an id moves it (RC-10).
    cursor: EventId,
    backoff: Backoff,
    phase: Phase,
    /// Whether it was said that `cursor` cannot be sent (RC-09).
    told_unsendable: bool,
}

enum Phase {
    /// The next poll makes an attempt.
    Idle,
    Connecting(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    Open(Box<Connection>),
    Waiting(Pin<Box<Sleep>>),
    /// The next poll hands out the end.
    Ending(End),
    Done,
}

/// An open stream.
struct Connection {
    body: Body,
    reader: Reader,
    opened_at: Instant,
    brought_event: bool,
    read_timeout: Option<Duration>,
    /// When silence becomes too long. It runs only while the peer is waited for (RC-02).
    silence: Option<Pin<Box<Sleep>>>,
}

/// What [`EventSource::state`] tells; the `readyState` of the HTML Standard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete (HTML §9.2.2)")]
pub enum State {
    /// No stream is open, and one will be tried for.
    Connecting,
    /// A stream is open.
    Open,
    /// There will be no further event.
    Closed,
}

impl EventSource {
    /// Makes a source with connections of its own, by the default [`Network`].
    ///
    /// Many sources share connections over one [`Client`].
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when the URL or the method cannot be used.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        Client::new(&Network::default())?.event_source(config)
    }

    pub(crate) fn over(client: reqwest::Client, mut config: Config) -> Result<Self, InvalidConfig> {
        let route = first_route(&client, &mut config)?;
        Ok(Self {
            client,
            route,
            cursor: config.last_event_id.clone(),
            backoff: Backoff::new(config.pace()),
            config: Arc::new(config),
            phase: Phase::Idle,
            told_unsendable: false,
        })
    }

    /// The id of the last event that was handed out; empty if there is none.
    #[must_use]
    pub fn last_event_id(&self) -> &EventId {
        &self.cursor
    }

    /// Whether a stream is open.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Idle | Phase::Connecting(_) | Phase::Waiting(_) => State::Connecting,
            Phase::Open(_) => State::Open,
            Phase::Ending(_) | Phase::Done => State::Closed,
        }
    }

    /// Drops the connection and makes another at the next poll, without waiting (RC-05).
    ///
    /// No item tells it, and it counts as no failure. Events that were not handed out come again,
    /// if the server keeps them. A closed source stays closed.
    pub fn restart(&mut self) {
        if self.state() != State::Closed {
            self.phase = Phase::Idle;
        }
    }

    /// Drops the connection; no further item comes but [`End::Closed`] (RC-06).
    pub fn close(&mut self) {
        if self.state() != State::Closed {
            self.phase = Phase::Ending(End::Closed);
        }
    }

    fn attempt(&self) -> Phase {
        let attempt = Attempt {
            client: self.client.clone(),
            config: Arc::clone(&self.config),
            route: self.route.clone(),
            cursor: self.cursor.clone(),
        };
        Phase::Connecting(Box::pin(attempt.run()))
    }

    /// Whether the cursor cannot be sent, and that was not said of it yet.
    fn must_tell_unsendable(&mut self) -> bool {
        let is_lost = !self.cursor.as_str().is_empty()
            && header_of(&self.cursor).is_none()
            && !self.config.signals;
        let tells = is_lost && !self.told_unsendable;
        self.told_unsendable = is_lost;
        tells
    }

    fn opened(&mut self, answered: Answered) -> Item {
        let Answered {
            opened,
            body,
            moved,
        } = answered;
        if let Some(moved) = moved {
            self.route = moved;
        }
        let rules = Rules {
            event_bytes_max: self.config.event_bytes_max,
            oversize: self.config.oversize,
            comments: self.config.comments,
        };
        let gap = gap_in_head(&self.cursor, &opened.headers);
        self.phase = Phase::Open(Box::new(Connection {
            body,
            reader: Reader::new(self.cursor.clone(), rules, gap),
            opened_at: Instant::now(),
            brought_event: false,
            read_timeout: self.config.read_timeout,
            silence: None,
        }));
        Item::Open(opened)
    }

    /// An attempt or a stream has failed, and the count says how often in a row.
    fn lost(&mut self, cause: Cause, retry_after: Option<Duration>) -> Item {
        let failures = self.backoff.failures();
        if self.config.attempts_max.is_some_and(|max| failures >= max) {
            return self.ended(End::GaveUp(cause));
        }
        let retry_in = self.backoff.wait(retry_after, rand::random());
        let retry_at = Instant::now() + retry_in;
        self.phase = Phase::Waiting(Box::pin(sleep_until(retry_at)));
        Item::Lost { cause, retry_in }
    }

    fn ended(&mut self, end: End) -> Item {
        self.phase = Phase::Done;
        Item::End(end)
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let Phase::Open(connection) = &mut self.phase else {
            return Poll::Ready(None);
        };
        while let Some(found) = connection.reader.next() {
            if let Some(cursor) = found.cursor {
                self.cursor = cursor;
            }
            match found.said {
                Said::Item(item) => {
                    connection.brought_event |= matches!(item, Item::Event(_));
                    return Poll::Ready(Some(item));
                }
                Said::Retry(millis) => self.backoff.hint(millis),
                Said::Interval(interval) => connection.expect_every(interval),
                Said::TooLong(id) => {
                    let event_bytes_max = self.config.event_bytes_max;
                    let end = End::TooLong {
                        event_bytes_max,
                        id,
                    };
                    return Poll::Ready(Some(self.ended(end)));
                }
                Said::Nothing => {}
            }
        }
        let Some(cause) = ready!(connection.poll_body(cx)) else {
            return Poll::Ready(None);
        };
        let lasted = connection.opened_at.elapsed();
        self.backoff.stream_ended(connection.brought_event, lasted);
        Poll::Ready(Some(self.lost(cause, None)))
    }
}

impl Stream for EventSource {
    type Item = Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let this = self.get_mut();
        loop {
            match &mut this.phase {
                Phase::Idle => {
                    if this.must_tell_unsendable() {
                        return Poll::Ready(Some(Item::Lost {
                            cause: Cause::UnsendableId,
                            retry_in: Duration::ZERO,
                        }));
                    }
                    this.phase = this.attempt();
                }
                Phase::Connecting(attempt) => {
                    let item = match ready!(attempt.as_mut().poll(cx)) {
                        Outcome::Open(answered) => this.opened(*answered),
                        Outcome::Retry { cause, retry_after } => {
                            this.backoff.attempt_failed();
                            this.lost(cause, retry_after)
                        }
                        Outcome::End => this.ended(End::NoContent),
                        Outcome::Fail(cause) => this.ended(End::Failed(cause)),
                    };
                    return Poll::Ready(Some(item));
                }
                Phase::Open(_) => {
                    if let Some(item) = ready!(this.poll_open(cx)) {
                        return Poll::Ready(Some(item));
                    }
                }
                Phase::Waiting(wait) => {
                    ready!(wait.as_mut().poll(cx));
                    this.phase = Phase::Idle;
                }
                Phase::Ending(_) => {
                    let Phase::Ending(end) = std::mem::replace(&mut this.phase, Phase::Done) else {
                        continue;
                    };
                    return Poll::Ready(Some(Item::End(end)));
                }
                Phase::Done => return Poll::Ready(None),
            }
        }
    }
}

impl Connection {
    /// Waits for the next bytes, which go to the reader; `Some` is the end of the body.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Cause>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => return self.poll_silence(cx).map(Some),
        };
        self.silence = None;
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                if let Ok(chunk) = frame.into_data() {
                    self.reader.feed(chunk);
                }
                None
            }
            Some(Err(error)) => Some(Cause::Broken(without_url(error))),
            None => Some(Cause::Ended),
        })
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Cause> {
        let Some(read_timeout) = self.read_timeout else {
            return Poll::Pending;
        };
        let silence = self.silence.get_or_insert_with(|| {
            Box::pin(sleep_until(Instant::now() + read_timeout.min(FOREVER)))
        });
        ready!(silence.as_mut().poll(cx));
        Poll::Ready(Cause::Silent { read_timeout })
    }

    /// The hub says something every `interval`: silence of 2.5 × that is a dead connection (RC-15).
    fn expect_every(&mut self, interval: Duration) {
        let longest = interval.saturating_mul(5) / 2;
        if longest > Duration::ZERO {
            let read_timeout = self.read_timeout.unwrap_or(longest);
            self.read_timeout = Some(read_timeout.min(longest));
        }
    }
}

/// The gap that an answer's head tells: the stream goes on elsewhere than it was asked to (RC-14).
fn gap_in_head(asked: &EventId, headers: &HeaderMap) -> Option<Gap> {
    let asked = header_of(asked)?;
    let told = headers
        .get(LAST_EVENT_ID)
        .or_else(|| headers.get("mercure-last-event-id"))?;
    (told != asked).then(|| Gap {
        from: String::from_utf8_lossy(asked.as_bytes()).into_owned(),
        to: String::from_utf8_lossy(told.as_bytes()).into_owned(),
        reason: None,
    })
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("url", &Masked(&self.route.url))
            .field("state", &self.state())
            .field("last_event_id", &self.cursor.as_str())
            .field("failures", &self.backoff.failures())
            .finish_non_exhaustive()
    }
}
