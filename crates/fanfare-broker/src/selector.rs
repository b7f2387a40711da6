//! A selector: an expression matched against topics, compiled when a subscriber connects.

mod expression;
mod template;

use std::sync::Arc;

use self::expression::Expression;
use self::template::Template;
use crate::topic::Topic;

/// An expression matched against topics (`mercure.md` §2.3): exact text, URI Template, or `*`.
///
/// Equality and hash are those of its text. Cloning shares the compiled form.
///
/// Exact texts and `*` cost their text. What a template's literal beginning does not settle, a
/// regular expression does, shared by all selectors that go on in the same way:
/// `https://example.com/u/1/{id}` and `https://example.com/u/2/{id}` cost about 140 bytes each and
/// one expression together. An expression of its own costs about 8 KiB and 20 to 50 µs, the largest
/// 35 KiB and 0.5 ms; each thread that matches with it adds about as much again.
#[derive(Clone, Debug)]
pub struct Selector(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    text: Box<str>,
    rule: Rule,
}

/// What matches besides the selector's own text (D0-M2).
#[derive(Debug)]
enum Rule {
    /// Everything (D0-M1).
    Any,
    /// Nothing.
    Exact,
    /// What begins with `prefix` and goes on as `rest` says (D0-M3).
    Template {
        prefix: Box<str>,
        rest: Arc<Expression>,
    },
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
        /// What every topic that it matches begins with, its own text too; may be empty.
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
    /// Its template has more than [`Selector::VARIABLES_MAX`] variables, or needs a larger
    /// expression than we compile.
    #[error(
        "the selector's template is too complex: it may have {} variables, and long text only before the first",
        Selector::VARIABLES_MAX
    )]
    TooComplex,
}

impl Selector {
    /// The longest selector, in bytes.
    pub const BYTES_MAX: usize = 4096;

    /// The most variables of a template, over all its expressions.
    pub const VARIABLES_MAX: usize = 32;

    /// Compiles `text`. A text that is no template is a raw string, never an error (D0-M6).
    ///
    /// # Errors
    ///
    /// [`InvalidSelector`] when it is past our bounds (D0-M7).
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        if text.len() > Self::BYTES_MAX {
            return Err(InvalidSelector::TooLong { bytes: text.len() });
        }
        let rule = match text {
            "*" => Rule::Any,
            // D0-M5: without an expression, a template matches its own text and nothing else.
            _ if !text.contains('{') => Rule::Exact,
            _ => match Template::parse(text) {
                Some(template) => Rule::compile(&template)?,
                None => Rule::Exact,
            },
        };
        let text = text.into();
        Ok(Self(Arc::new(Compiled { text, rule })))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether it matches `topic` (D0-M1 to D0-M4). Linear in the topic's length.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        self.matches_text(topic.as_str())
    }

    /// What an index can know of it.
    #[must_use]
    pub fn shape(&self) -> Shape<'_> {
        match &self.0.rule {
            Rule::Any => Shape::Any,
            Rule::Exact => Shape::Exact(&self.0.text),
            Rule::Template { prefix, .. } => Shape::Pattern { prefix },
        }
    }

    fn matches_text(&self, topic: &str) -> bool {
        let own_text = &*self.0.text == topic;
        own_text
            || match &self.0.rule {
                Rule::Any => true,
                Rule::Exact => false,
                Rule::Template { prefix, rest } => topic
                    .strip_prefix(&**prefix)
                    .is_some_and(|tail| rest.matches(tail)),
            }
    }
}

impl Rule {
    fn compile(template: &Template<'_>) -> Result<Self, InvalidSelector> {
        if template.variables > Selector::VARIABLES_MAX {
            return Err(InvalidSelector::TooComplex);
        }
        Ok(Self::Template {
            prefix: template.prefix.into(),
            rest: Expression::shared(&template.rest).ok_or(InvalidSelector::TooComplex)?,
        })
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

#[cfg(test)]
mod tests;
