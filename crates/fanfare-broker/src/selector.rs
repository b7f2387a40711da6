//! A selector: an expression matched against topics, compiled when a subscriber connects.

use std::sync::Arc;

use crate::topic::Topic;

/// An expression matched against topics (`mercure.md` §2.3): exact text, URI Template, or `*`.
///
/// Equality and hash are those of its text. Cloning shares the compiled form.
#[derive(Clone, Debug)]
pub struct Selector(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    text: String,
}

/// What an index can know of a selector without running it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an index treats these three apart")]
pub enum Shape<'a> {
    /// Matches every topic.
    Any,
    /// Matches the one topic that is this text.
    Exact(&'a str),
    /// Matches its own text, and topics that begin with this prefix and fit its template.
    Pattern {
        /// What every topic that fits the template begins with; may be empty.
        prefix: &'a str,
    },
}

/// A text past the bounds of a selector.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSelector {
    /// It is longer than [`Selector::BYTES_MAX`].
    #[error(
        "a selector has at most {} bytes, this one has {bytes}",
        Selector::BYTES_MAX
    )]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Its template needs a larger expression than we compile.
    #[error("the selector's template is too complex")]
    TooComplex,
}

impl Selector {
    /// The longest selector, in bytes.
    pub const BYTES_MAX: usize = 4096;

    /// Compiles `text`. A text that is no template is a raw string, never an error (D0-M6).
    ///
    /// # Errors
    ///
    /// [`InvalidSelector`] when it is past our bounds (D0-M7).
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        Ok(Self(Arc::new(Compiled {
            text: text.to_owned(),
        })))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether it matches `topic` (D0-M1 to D0-M4). Linear in the topic's length.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        self.0.text == "*" || self.0.text == topic.as_str()
    }

    /// What an index can know of it.
    #[must_use]
    pub fn shape(&self) -> Shape<'_> {
        if self.0.text == "*" {
            Shape::Any
        } else {
            Shape::Exact(&self.0.text)
        }
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Selector {}

impl PartialOrd for Selector {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Selector {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl std::hash::Hash for Selector {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// A set of selectors; it matches a topic when one of them does. The empty set matches nothing.
///
/// Sorted and without doubles, so two requests for the same selectors are equal.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Selectors(Arc<[Selector]>);

impl Selectors {
    /// Makes a set of `selectors`.
    #[must_use]
    pub fn new(mut selectors: Vec<Selector>) -> Self {
        selectors.sort_unstable();
        selectors.dedup();
        Self(selectors.into())
    }

    /// The selectors, in the order of their text.
    pub fn iter(&self) -> std::slice::Iter<'_, Selector> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them matches `topic`.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        self.iter().any(|selector| selector.matches(topic))
    }
}
