//! An event and its parts, each valid by construction (ENC-01).

use std::fmt;
use std::sync::Arc;

/// One event as it goes to a subscriber: type, reconnection hint, id and data.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the format is complete (HTML §9.2.6)"
)]
pub struct Event {
    /// The `event` field; `None` is the default type, `message`.
    pub event_type: Option<EventType>,
    /// The `retry` field, in milliseconds.
    pub retry: Option<Retry>,
    /// The `id` field; `None` writes no field, so the reader keeps its last id.
    pub id: Option<EventId>,
    /// The payload. CR, LF and CRLF each end a line; a reader gets every line end back as LF.
    pub data: Arc<str>,
}

impl Event {
    /// Makes an event of the default type with `data` and nothing else.
    #[must_use]
    pub fn new(data: impl Into<Arc<str>>) -> Self {
        Self {
            event_type: None,
            retry: None,
            id: None,
            data: data.into(),
        }
    }
}

/// An event's `id`, which a reader sends back as `Last-Event-ID`.
///
/// UTF-8 without NUL, LF or CR, so whatever is encoded can be decoded (HTML §9.2.6).
/// Empty is valid: it clears the reader's last id. Cloning shares the bytes.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventId(Arc<str>);

impl EventId {
    /// Takes `text` as an id.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] names the first byte that would end or void the field.
    pub fn parse(text: &str) -> Result<Self, InvalidField> {
        check_one_line(text).map(|()| Self(text.into()))
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An event's type: what a page passes to `addEventListener`.
///
/// UTF-8 without NUL, LF or CR, and not empty (an empty `event` field means `message`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EventType(Arc<str>);

impl EventType {
    /// Takes `text` as a type.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] names the first byte that would end or void the field; offset 0 of an
    /// empty text.
    pub fn parse(text: &str) -> Result<Self, InvalidField> {
        if text.is_empty() {
            return Err(InvalidField { offset: 0 });
        }
        check_one_line(text).map(|()| Self(text.into()))
    }

    /// The type's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One line of comment, which browsers skip.
///
/// UTF-8 without NUL, LF or CR.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Comment(Arc<str>);

impl Comment {
    /// Takes `text` as a comment.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] names the first byte that would end or void the line.
    pub fn parse(text: &str) -> Result<Self, InvalidField> {
        check_one_line(text).map(|()| Self(text.into()))
    }

    /// The comment's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A reconnection time in milliseconds, at most [`Retry::MAX`] (ENC-07).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Retry(u32);

impl Retry {
    /// The largest time that every browser reads as written: 2,147,483,647 ms.
    pub const MAX: Self = Self(i32::MAX as u32);

    /// Takes `millis`, lowered to [`Retry::MAX`].
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self(u32::try_from(millis).unwrap_or(u32::MAX).min(Self::MAX.0))
    }

    /// The time in milliseconds.
    #[must_use]
    pub fn as_millis(self) -> u32 {
        self.0
    }
}

/// A text that cannot be one line of the format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("byte {offset} would end or void the field: NUL, LF and CR are not allowed")]
#[non_exhaustive]
pub struct InvalidField {
    /// Where the first such byte stands, from 0.
    pub offset: usize,
}

fn check_one_line(text: &str) -> Result<(), InvalidField> {
    let ends_field = |byte| matches!(byte, b'\0' | b'\n' | b'\r');
    match text.bytes().position(ends_field) {
        Some(offset) => Err(InvalidField { offset }),
        None => Ok(()),
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
