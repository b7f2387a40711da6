//! A stream as the doctor reads it: with a deadline on every read, and a watch on its bytes.

use std::collections::VecDeque;
use std::time::Duration;

use fanfare_wire::{Decoder, EventId, Item};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

/// A stream's body.
#[derive(Debug)]
pub(super) struct Stream {
    body: Response,
    decoder: Decoder,
    heard: VecDeque<Heard>,
    asked: Instant,
    last_byte: Instant,
    silence_max: Duration,
}

/// What a stream said.
#[derive(Debug)]
pub(super) enum Heard {
    Event { event_type: String, data: String },
    Comment,
}

/// What came of waiting.
#[derive(Debug)]
pub(super) enum Next {
    Heard(Heard),
    /// The deadline came.
    Silent,
    Ended,
}

impl Stream {
    /// Reads `body`, whose request was made at `asked`; its head has just come.
    pub(super) fn new(body: Response, asked: Instant) -> Self {
        Self {
            body,
            decoder: Decoder::new(&EventId::default()),
            heard: VecDeque::new(),
            asked,
            last_byte: Instant::now(),
            silence_max: Duration::ZERO,
        }
    }

    /// Waits for the first byte of the body; how long it took.
    pub(super) async fn first_byte(&mut self, patience: Duration) -> Option<Duration> {
        let head_came = self.last_byte;
        let moved = self.moves(head_came + patience).await;
        moved.then(|| self.last_byte - head_came)
    }

    /// Whether any byte comes before `deadline`.
    pub(super) async fn moves(&mut self, deadline: Instant) -> bool {
        matches!(self.read(deadline).await, Some(true))
    }

    /// The next thing that the stream says before `deadline`.
    pub(super) async fn next(&mut self, deadline: Instant) -> Next {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Next::Heard(heard);
            }
            match self.read(deadline).await {
                Some(true) => {}
                Some(false) => return Next::Ended,
                None => return Next::Silent,
            }
        }
    }

    /// Drops what was said and not yet asked for.
    pub(super) fn forget(&mut self) {
        self.heard.clear();
    }

    /// Since the stream was asked for.
    pub(super) fn age(&self) -> Duration {
        self.asked.elapsed()
    }

    /// Since its last byte, or its head.
    pub(super) fn silence(&self) -> Duration {
        self.last_byte.elapsed()
    }

    /// The longest time between two bytes, that up to now left out.
    pub(super) fn silence_max(&self) -> Duration {
        self.silence_max
    }

    /// Takes bytes: whether there were any; `None` when `deadline` came first.
    async fn read(&mut self, deadline: Instant) -> Option<bool> {
        let chunk = timeout_at(deadline, self.body.chunk()).await.ok()?;
        // Broken off or ended in good order: the difference is in no proxy's configuration.
        let Ok(Some(chunk)) = chunk else {
            return Some(false);
        };
        self.silence_max = self.silence_max.max(self.last_byte.elapsed());
        self.last_byte = Instant::now();
        let mut items = self.decoder.feed(&chunk);
        while let Some(item) = items.next() {
            match item {
                Item::Event {
                    event_type, data, ..
                } => self.heard.push_back(Heard::Event {
                    event_type: event_type.to_owned(),
                    data: data.to_owned(),
                }),
                Item::Comment(_) => self.heard.push_back(Heard::Comment),
                Item::Retry(_) | Item::Cursor(_) | Item::TooLong | _ => {}
            }
        }
        Some(true)
    }
}
