//! URL patterns as the protocol matches them (D1-M1): the WHATWG URL Pattern Standard, case kept.

use std::sync::{Arc, LazyLock, OnceLock};

use url::{Position, Url};
use urlpattern::matcher::{InnerMatcher, Matcher};
use urlpattern::parser::RegexSyntax;
use urlpattern::regexp::RegExp;
use urlpattern::{UrlPatternInit, UrlPatternOptions};

use super::expression::{self, Expression};
use super::memo::Memo;
use super::resolved_topic::ResolvedTopic;
use super::{InvalidSelector, pattern_text};

/// A compiled URL pattern.
#[derive(Debug)]
pub(super) struct UrlPattern {
    hub_url: Url,
    prefix: Box<str>,
    /// What it says of the components that it does not leave open.
    components: Box<[(Component, Matcher<LazyExpression>)]>,
}

/// What a pattern is made from.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Source {
    text: Box<str>,
    hub_url: Url,
}

impl UrlPattern {
    /// Compiles `text`, or shares what somebody else compiled.
    pub(super) fn shared(text: &str, hub_url: &Url) -> Result<Arc<Self>, InvalidSelector> {
        let source = Source {
            text: text.into(),
            hub_url: hub_url.clone(),
        };
        if let Some(pattern) = IN_USE.find(&source) {
            return Ok(pattern);
        }
        let pattern = Arc::new(Self::compile(text, hub_url)?);
        Ok(IN_USE.share(source, pattern))
    }

    /// What its topics and it itself, when relative, are resolved against (D1-M3).
    pub(super) fn hub_url(&self) -> &Url {
        &self.hub_url
    }

    /// What [`ResolvedTopic::as_str`] of every topic that it matches begins with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether it matches `topic`, which was resolved against its hub's URL. Linear.
    pub(super) fn matches(&self, topic: &ResolvedTopic) -> bool {
        topic.as_str().starts_with(&*self.prefix)
            && self.components.iter().all(|(component, matcher)| {
                let text = component.of(topic.url());
                matcher.matches(text).is_some()
            })
    }

    fn compile(text: &str, hub_url: &Url) -> Result<Self, InvalidSelector> {
        pattern_text::check(text)?;
        let invalid = |_| InvalidSelector::Pattern;
        let base = Some(hub_url.clone());
        let init = UrlPatternInit::parse_constructor_string::<LazyExpression>(text, base)
            .map_err(invalid)?;
        let options = UrlPatternOptions::default();
        let parsed =
            urlpattern::UrlPattern::<LazyExpression>::parse(init, options).map_err(invalid)?;
        let prefix = literal_prefix(&parsed).into();
        // The parser makes a second expression of each component, which we drop uncompiled.
        let components = [
            (Component::Hostname, parsed.hostname.matcher),
            (Component::Pathname, parsed.pathname.matcher),
            (Component::Protocol, parsed.protocol.matcher),
            (Component::Port, parsed.port.matcher),
            (Component::Search, parsed.search.matcher),
            (Component::Hash, parsed.hash.matcher),
            (Component::Username, parsed.username.matcher),
            (Component::Password, parsed.password.matcher),
        ];
        let components = components.into_iter();
        let components: Box<[_]> = components.filter(|(_, it)| !is_open(it)).collect();
        for (_, matcher) in &components {
            check_compiles(matcher)?;
        }
        Ok(Self {
            hub_url: hub_url.clone(),
            prefix,
            components,
        })
    }
}

/// The patterns that some selector holds.
static IN_USE: LazyLock<Memo<Source, UrlPattern>> = LazyLock::new(Memo::default);

/// A component of a URL, in the sense of the URL Pattern Standard.
#[derive(Clone, Copy, Debug)]
enum Component {
    Protocol,
    Username,
    Password,
    Hostname,
    Port,
    Pathname,
    Search,
    Hash,
}

impl Component {
    /// The component's text in `url`.
    fn of(self, url: &Url) -> &str {
        match self {
            Self::Protocol => url.scheme(),
            Self::Username => url.username(),
            Self::Password => url.password().unwrap_or_default(),
            Self::Hostname => url.host_str().unwrap_or_default(),
            Self::Port => &url[Position::BeforePort..Position::AfterPort],
            Self::Pathname => url.path(),
            Self::Search => url.query().unwrap_or_default(),
            Self::Hash => url.fragment().unwrap_or_default(),
        }
    }
}

/// Whether `matcher` is the `*` that stands for a component which the pattern leaves out.
fn is_open(matcher: &Matcher<LazyExpression>) -> bool {
    let anything = matches!(
        matcher.inner,
        InnerMatcher::SingleCapture {
            filter: None,
            allow_empty: true
        }
    );
    anything && matcher.prefix.is_empty() && matcher.suffix.is_empty()
}

fn check_compiles(matcher: &Matcher<LazyExpression>) -> Result<(), InvalidSelector> {
    match &matcher.inner {
        InnerMatcher::Literal { .. } | InnerMatcher::SingleCapture { .. } => Ok(()),
        InnerMatcher::RegExp { regexp } => {
            let compiled = regexp.as_ref().ok().and_then(LazyExpression::compiled);
            compiled.map(drop).ok_or(InvalidSelector::Pattern)
        }
    }
}

/// What the canonical text of every URL that `pattern` matches begins with, leaving out the user's
/// name and password.
///
/// Made of the very texts that the components' matchers compare with: how ports, hosts and paths
/// are brought to their canonical form is decided there, not here.
fn literal_prefix(pattern: &urlpattern::UrlPattern<LazyExpression>) -> String {
    let scheme = Beginning::of(&pattern.protocol.matcher);
    if !scheme.is_whole {
        return String::new();
    }
    let mut prefix = format!("{}:", scheme.text);
    let hostname = Beginning::of(&pattern.hostname.matcher);
    if hostname.text.is_empty() && !ALWAYS_WITH_HOST.contains(&scheme.text) {
        // `foo:/a` and `foo:///a` both have an empty host.
        return prefix;
    }
    prefix += "//";
    prefix += hostname.text;
    if !hostname.is_whole {
        return prefix;
    }
    let port = Beginning::of(&pattern.port.matcher);
    if !port.text.is_empty() {
        prefix.push(':');
        prefix += port.text;
    }
    if !port.is_whole {
        return prefix;
    }
    let pathname = Beginning::of(&pattern.pathname.matcher);
    prefix += pathname.text;
    let search = Beginning::of(&pattern.search.matcher);
    if pathname.is_whole && !search.text.is_empty() {
        prefix.push('?');
        prefix += search.text;
    }
    prefix
}

/// Schemes whose URLs all have a host.
const ALWAYS_WITH_HOST: [&str; 5] = ["http", "https", "ws", "wss", "ftp"];

/// What every text that a matcher takes begins with.
struct Beginning<'a> {
    text: &'a str,
    /// It is the only text that the matcher takes.
    is_whole: bool,
}

impl<'a> Beginning<'a> {
    fn of(matcher: &'a Matcher<LazyExpression>) -> Self {
        match &matcher.inner {
            InnerMatcher::Literal { literal } => Self {
                text: literal,
                is_whole: true,
            },
            InnerMatcher::SingleCapture { .. } | InnerMatcher::RegExp { .. } => Self {
                text: &matcher.prefix,
                is_whole: false,
            },
        }
    }
}

/// An expression that is compiled when it first matters, for most that the parser makes never do.
#[derive(Debug)]
struct LazyExpression {
    source: expression::Source,
    /// `None` inside: it is too large, or no expression.
    compiled: OnceLock<Option<Arc<Expression>>>,
}

impl LazyExpression {
    fn compiled(&self) -> Option<&Expression> {
        let compiled = self
            .compiled
            .get_or_init(|| Expression::shared(&self.source));
        compiled.as_deref()
    }
}

impl RegExp for LazyExpression {
    fn syntax() -> RegexSyntax {
        RegexSyntax::Rust
    }

    fn parse(pattern: &str, _flags: &str, _force_eval: bool) -> Result<Self, ()> {
        Ok(Self {
            source: expression::Source {
                text: pattern.to_owned(),
                program_bytes_max: COMPONENT_BYTES_MAX,
            },
            compiled: OnceLock::new(),
        })
    }

    /// Captures nothing: only whether it matches is ever asked.
    fn matches<'a>(&self, text: &'a str) -> Option<Vec<Option<&'a str>>> {
        self.compiled()?.matches(text).then(Vec::new)
    }

    fn pattern_string(&self) -> &str {
        &self.source.text
    }
}

/// The size of a component's compiled program; past it the pattern is invalid.
const COMPONENT_BYTES_MAX: usize = 12 << 10;

#[cfg(test)]
mod tests;
