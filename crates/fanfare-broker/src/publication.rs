//! A publication: an event, whom it is addressed to, and who may see it.

use std::time::{Duration, Instant};

use fanfare_wire::Event;

use crate::topic::Topic;

/// An event addressed to topics.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Publication {
    /// The event. Without an `id` it goes out under its cursor's text.
    pub event: Event,
    /// Who may see it.
    pub audience: Audience,
    /// Makes a repeated publish safe: the same key within the broker's window is one record.
    pub idempotency_key: Option<IdempotencyKey>,
    /// When it is no longer worth delivering; `None`: never.
    pub expires: Option<Expiry>,
    topics: Vec<Topic>,
}

impl Publication {
    /// Addresses `event` to `topic`, which is its canonical topic; everybody may see it.
    #[must_use]
    pub fn new(topic: Topic, event: Event) -> Self {
        Self {
            event,
            audience: Audience::Public,
            idempotency_key: None,
            expires: None,
            topics: vec![topic],
        }
    }

    /// What stands in a broker's order for its own purposes, addressed to nobody: it has no topics,
    /// so that no filter wants it, but it takes its place in the order (NA5).
    #[must_use]
    pub fn unaddressed() -> Self {
        Self {
            event: Event::new(""),
            audience: Audience::Private,
            idempotency_key: None,
            expires: None,
            topics: Vec::new(),
        }
    }

    /// Addresses it to an alternate topic as well.
    #[must_use]
    pub fn also(mut self, topic: Topic) -> Self {
        self.topics.push(topic);
        self
    }

    /// Restricts it to grants that cover one of its topics.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.audience = Audience::Private;
        self
    }

    /// The topics in the publisher's order; the first is canonical. None: it is addressed to nobody,
    /// which no publisher can say.
    #[must_use]
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }
}

/// Who may see a publication.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol knows these two")]
pub enum Audience {
    /// Everybody who asks for one of its topics.
    Public,
    /// Of those, the ones whose grant covers one of its topics.
    Private,
}

/// The time after which an event is neither replayed nor delivered late.
///
/// It is kept by wall clock, so that it holds over restarts, and looked at by the monotonic clock
/// of the process, so that a step of the wall clock does not bring an event back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expiry {
    unix_ms: u64,
    /// `None`: too far away for this clock, which is never.
    deadline: Option<Instant>,
}

impl Expiry {
    /// Expires at `unix_ms`, milliseconds since 1970; it is `now_unix_ms` by the wall clock, and
    /// `now` by the monotonic one.
    #[must_use]
    pub fn at(unix_ms: u64, now_unix_ms: u64, now: Instant) -> Self {
        let left = Duration::from_millis(unix_ms.saturating_sub(now_unix_ms));
        let deadline = now.checked_add(left);
        Self { unix_ms, deadline }
    }

    /// When, in milliseconds since 1970.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.unix_ms
    }

    /// Whether it is over at `now`.
    #[must_use]
    pub fn is_past(self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// The key under which a publish may be repeated without storing it twice (O2).
///
/// 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// Takes `text` as a key.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] when it is empty, too long, or holds anything but visible ASCII.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=255).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidKey)
        }
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no idempotency key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an idempotency key is 1 to 255 visible ASCII characters")]
#[non_exhaustive]
pub struct InvalidKey;

#[cfg(test)]
mod tests;
