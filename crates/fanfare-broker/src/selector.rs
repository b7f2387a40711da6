//! A selector: an expression matched against topics, compiled when a subscriber connects.

mod expression;
mod memo;
mod pattern_text;
mod resolved_topic;
mod template;
mod url_pattern;

use std::sync::Arc;

use url::Url;

use self::expression::Expression;
pub use self::resolved_topic::ResolvedTopic;
use self::template::Template;
use self::url_pattern::UrlPattern;
use crate::topic::Topic;

/// An expression matched against topics: exact text, URI Template, URL pattern, or `*`.
///
/// There is a constructor for each language in which subscribers and tokens may write it. Two
/// selectors are equal when they are of one kind, of one text and, if they are URL patterns, of one
/// hub's URL; so the same exact text is one selector, whichever dialect it came in. Cloning shares
/// the compiled form.
///
/// Exact texts and `*` cost their text. What a template's literal beginning does not settle, a
/// regular expression does, shared by all selectors that go on in the same way:
/// `https://example.com/u/1/{id}` and `https://example.com/u/2/{id}` cost about 140 bytes each and
/// one expression together. An expression of its own costs about 8 KiB and 20 to 50 µs, the largest
/// 35 KiB and 0.5 ms; each thread that matches with it adds about as much again.
///
/// A URL pattern costs about 1 KiB and 15 µs, shared by all that are equal; a topic is resolved for it in
/// 0.1 µs, the longest in 15 µs. Where a component holds more than one variable, or a custom
/// group, it has an expression of its own: 8 KiB and 20 µs as a rule, 25 KiB and 1 ms at most, and
/// at most 100 KiB for each thread that matches with it. The worst custom group that we compile
/// takes 2 ms for the longest topic, if that was made for it.
#[derive(Clone, Debug)]
pub struct Selector(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    text: Box<str>,
    rule: Rule,
}

/// How it matches.
#[derive(Debug)]
enum Rule {
    /// Everything (D0-M1, D1-M2).
    Any,
    /// The selector's own text.
    Exact,
    /// Its own text (D0-M2), and what begins with `prefix` and goes on as `rest` says (D0-M3).
    Template {
        prefix: Box<str>,
        rest: Arc<Expression>,
    },
    /// What its URL, resolved against the hub's, fits; its own text has no part in it (D1-M1).
    UrlPattern(Arc<UrlPattern>),
}

/// What an index can know of a selector without running it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an index treats these four apart")]
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
    /// Matches topics by what they are when resolved against `hub_url`.
    UrlPattern {
        /// What [`ResolvedTopic::resolve`] needs.
        hub_url: &'a Url,
        /// What [`ResolvedTopic::as_str`] of every topic that it matches begins with; may be
        /// empty.
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
    /// It has more than [`Selector::VARIABLES_MAX`] variables, or its template needs a larger
    /// expression than we compile.
    #[error(
        "the selector is too complex: it may have {} variables, and long text only before the first",
        Selector::VARIABLES_MAX
    )]
    TooComplex,
    /// It is no URL pattern, or needs a larger expression than we compile.
    // Says nothing of the cause: what a compiler has to say is not for strangers (D1-S4).
    #[error("the selector is no URL pattern that can be compiled")]
    Pattern,
}

impl Selector {
    /// The longest selector, in bytes.
    pub const BYTES_MAX: usize = 4096;

    /// The most variables of a template, over all its expressions, and of a URL pattern, where
    /// each `:name`, `*`, `(…)` and `{…}` counts.
    pub const VARIABLES_MAX: usize = 32;

    /// Compiles `text`. A text that is no template is a raw string, never an error (D0-M6).
    ///
    /// A topic that is put together with a stranger's text, such as a user's name, is for
    /// [`Selector::exact`]: here a name like `{id}` matches the topics of all users.
    ///
    /// # Errors
    ///
    /// [`InvalidSelector`] when it is past our bounds (D0-M7).
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        let rule = match within_bounds(text)? {
            "*" => Rule::Any,
            // D0-M5: without an expression, a template matches its own text and nothing else.
            _ if !text.contains('{') => Rule::Exact,
            _ => match Template::parse(text) {
                Some(template) => Rule::compile(&template)?,
                None => Rule::Exact,
            },
        };
        Ok(Self::new(text, rule))
    }

    /// Takes `text` for the one topic that it matches, byte for byte (D1-M1); `*` matches all
    /// (D1-M2).
    ///
    /// # Errors
    ///
    /// [`InvalidSelector::TooLong`].
    pub fn exact(text: &str) -> Result<Self, InvalidSelector> {
        let rule = match within_bounds(text)? {
            "*" => Rule::Any,
            _ => Rule::Exact,
        };
        Ok(Self::new(text, rule))
    }

    /// Compiles `text` as a URL pattern of the WHATWG standard, case kept (D1-M1); `*` matches all
    /// (D1-M2). It and the topics, where relative, resolve against `hub_url` (D1-M3).
    ///
    /// # Errors
    ///
    /// [`InvalidSelector`] when it is no URL pattern, or past our bounds (D1-M4).
    pub fn url_pattern(text: &str, hub_url: &Url) -> Result<Self, InvalidSelector> {
        let rule = match within_bounds(text)? {
            "*" => Rule::Any,
            _ => Rule::UrlPattern(UrlPattern::shared(text, hub_url)?),
        };
        Ok(Self::new(text, rule))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether it matches `topic`. Linear in the topic's length.
    ///
    /// A URL pattern resolves the topic each time; for many of them see
    /// [`Selector::matches_resolved`].
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        match &self.0.rule {
            Rule::UrlPattern(pattern) => ResolvedTopic::resolve(topic, pattern.hub_url())
                .is_some_and(|topic| pattern.matches(&topic)),
            Rule::Any | Rule::Exact | Rule::Template { .. } => self.matches_text(topic.as_str()),
        }
    }

    /// Whether it is a URL pattern and matches `topic`, which was resolved against its hub's URL.
    #[must_use]
    pub fn matches_resolved(&self, topic: &ResolvedTopic) -> bool {
        match &self.0.rule {
            Rule::UrlPattern(pattern) => pattern.matches(topic),
            Rule::Any | Rule::Exact | Rule::Template { .. } => false,
        }
    }

    /// What an index can know of it.
    #[must_use]
    pub fn shape(&self) -> Shape<'_> {
        match &self.0.rule {
            Rule::Any => Shape::Any,
            Rule::Exact => Shape::Exact(&self.0.text),
            Rule::Template { prefix, .. } => Shape::Pattern { prefix },
            Rule::UrlPattern(pattern) => Shape::UrlPattern {
                hub_url: pattern.hub_url(),
                prefix: pattern.prefix(),
            },
        }
    }

    /// Names what it matches by, its own text aside: selectors of one [`Shape`] prefix that have the
    /// same name match alike. It is another's as soon as nobody holds such a selector.
    #[must_use]
    pub fn rule_id(&self) -> usize {
        match &self.0.rule {
            Rule::Any | Rule::Exact => Arc::as_ptr(&self.0).addr(),
            Rule::Template { rest, .. } => Arc::as_ptr(rest).addr(),
            Rule::UrlPattern(pattern) => Arc::as_ptr(pattern).addr(),
        }
    }

    fn new(text: &str, rule: Rule) -> Self {
        let text = text.into();
        Self(Arc::new(Compiled { text, rule }))
    }

    /// Whether it is no URL pattern and matches `topic` (D0-M1 to D0-M4).
    fn matches_text(&self, topic: &str) -> bool {
        match &self.0.rule {
            Rule::Any => true,
            Rule::Exact => &*self.0.text == topic,
            Rule::Template { prefix, rest } => {
                let is_own_text = &*self.0.text == topic;
                is_own_text
                    || topic
                        .strip_prefix(&**prefix)
                        .is_some_and(|tail| rest.matches(tail))
            }
            Rule::UrlPattern(_) => false,
        }
    }

    /// What makes it the selector that it is, its text first. A tuple, not a joined text, which a
    /// crafted one could imitate (OP-11).
    fn identity(&self) -> (&str, Kind, Option<&Url>) {
        let (kind, hub_url) = match &self.0.rule {
            Rule::Any => (Kind::Any, None),
            Rule::Exact => (Kind::Exact, None),
            Rule::Template { .. } => (Kind::Template, None),
            Rule::UrlPattern(pattern) => (Kind::UrlPattern, Some(pattern.hub_url())),
        };
        (&self.0.text, kind, hub_url)
    }
}

/// How a selector matches, for comparison.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Kind {
    Any,
    Exact,
    Template,
    UrlPattern,
}

fn within_bounds(text: &str) -> Result<&str, InvalidSelector> {
    match text.len() {
        0..=Selector::BYTES_MAX => Ok(text),
        bytes => Err(InvalidSelector::TooLong { bytes }),
    }
}

impl Rule {
    fn compile(template: &Template<'_>) -> Result<Self, InvalidSelector> {
        if template.variables > Selector::VARIABLES_MAX {
            return Err(InvalidSelector::TooComplex);
        }
        let rest = Expression::shared(&expression::Source {
            text: template.rest.clone(),
            program_bytes_max: TEMPLATE_BYTES_MAX,
        });
        Ok(Self::Template {
            prefix: template.prefix.into(),
            rest: rest.ok_or(InvalidSelector::TooComplex)?,
        })
    }
}

/// The size of a template's compiled program; past it the template is too complex. Some 30
/// variables fit.
const TEMPLATE_BYTES_MAX: usize = 64 << 10;

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
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
        self.identity().cmp(&other.identity())
    }
}

impl std::hash::Hash for Selector {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
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

    /// Whether one of them matches `topic`. Resolves it about once for each hub's URL.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        let mut last: Option<(&Url, Option<ResolvedTopic>)> = None;
        self.iter().any(|selector| match selector.shape() {
            Shape::UrlPattern { hub_url, .. } => {
                if last.as_ref().is_none_or(|(url, _)| *url != hub_url) {
                    last = Some((hub_url, ResolvedTopic::resolve(topic, hub_url)));
                }
                let resolved = last.as_ref().and_then(|(_, resolved)| resolved.as_ref());
                resolved.is_some_and(|topic| selector.matches_resolved(topic))
            }
            Shape::Any | Shape::Exact(_) | Shape::Pattern { .. } => {
                selector.matches_text(topic.as_str())
            }
        })
    }
}

#[cfg(test)]
mod tests;
