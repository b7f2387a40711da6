//! A topic: the name that an event is published under.

use std::fmt;
use std::sync::Arc;

/// A name that an event is published under, usually an IRI, compared byte for byte.
///
/// Not empty and at most [`Topic::BYTES_MAX`] bytes. Cloning shares the bytes.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Topic(Arc<str>);

impl Topic {
    /// The longest topic, in bytes: room for the name of a presence event, which holds a selector of
    /// the longest percent-encoded.
    pub const BYTES_MAX: usize = 16 << 10;

    /// Takes `text` as a topic.
    ///
    /// # Errors
    ///
    /// [`InvalidTopic`] says which bound it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidTopic> {
        if text.is_empty() {
            return Err(InvalidTopic::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(InvalidTopic::TooLong { bytes: text.len() });
        }
        match text.char_indices().find(|(_, c)| c.is_control()) {
            Some((offset, _)) => Err(InvalidTopic::Control { offset }),
            None => Ok(Self(text.into())),
        }
    }

    /// The topic's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no topic.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTopic {
    /// It has no character.
    #[error("a topic cannot be empty")]
    Empty,
    /// It is longer than [`Topic::BYTES_MAX`].
    #[error("a topic has at most {} bytes, this one has {bytes}", Topic::BYTES_MAX)]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It holds a control character.
    #[error("a topic has no control characters, this one has one at byte {offset}")]
    Control {
        /// Where the first one stands, from 0.
        offset: usize,
    },
}

#[cfg(test)]
mod tests;
