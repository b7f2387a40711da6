//! Lists of web origins: which pages may read answers (CORS), which may publish by cookie.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// A list of origins; the empty list matches none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origins(Vec<OriginPattern>);

impl Origins {
    /// Makes a list of `patterns`.
    #[must_use]
    pub fn new(patterns: Vec<OriginPattern>) -> Self {
        Self(patterns)
    }

    /// Whether the list has no entry at all (D0-C1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `*` is in the list: every origin, but then without credentials (D0-C5).
    #[must_use]
    pub fn any(&self) -> bool {
        self.0.contains(&OriginPattern::any())
    }

    /// Whether `origin`, as a browser sends it, is in the list. ASCII case does not count.
    #[must_use]
    pub fn matches(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.0.iter().any(|pattern| pattern.matches(&origin))
    }
}

/// One entry of [`Origins`]: scheme, host and perhaps port, with at most one `*` inside; or `*`;
/// or `null` (D0-C6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OriginPattern(Pattern);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Pattern {
    Any,
    /// In lower case, as browsers write it.
    Exact(String),
    /// In lower case.
    Wildcard {
        prefix: String,
        suffix: String,
    },
}

impl OriginPattern {
    /// The entry `*`.
    #[must_use]
    pub fn any() -> Self {
        Self(Pattern::Any)
    }

    /// `origin` is in lower case.
    fn matches(&self, origin: &str) -> bool {
        match &self.0 {
            Pattern::Any => true,
            Pattern::Exact(exact) => exact == origin,
            // Stripped one after the other, so prefix and suffix cannot share characters (D0-C7).
            Pattern::Wildcard { prefix, suffix } => origin
                .strip_prefix(prefix.as_str())
                .and_then(|rest| rest.strip_suffix(suffix.as_str()))
                .is_some_and(|middle| !middle.contains(is_foreign)),
        }
    }
}

impl FromStr for OriginPattern {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let text = text.to_ascii_lowercase();
        if text == "*" {
            return Ok(Self(Pattern::Any));
        }
        if text == "null" {
            return Ok(Self(Pattern::Exact(text)));
        }
        let (scheme, host) = text.split_once("://").ok_or(InvalidOrigin::NotAbsolute)?;
        if host.contains(is_foreign) {
            return Err(InvalidOrigin::MoreThanOrigin);
        }
        match host.split_once('*') {
            None => as_sent(&text).map(|origin| Self(Pattern::Exact(origin))),
            Some((_, after)) if after.contains('*') => Err(InvalidOrigin::Wildcards),
            Some((before, after)) => {
                let prefix = format!("{scheme}://{before}");
                // A letter stands in for the wildcard in a name, a digit in a port.
                let sample = |stand_in| as_sent(&format!("{prefix}{stand_in}{after}"));
                let sample = sample('a').or_else(|_| sample('1'))?;
                let suffix = sample.strip_prefix(&prefix).and_then(|rest| rest.get(1..));
                let suffix = suffix.ok_or(InvalidOrigin::BeforeWildcard)?.to_owned();
                Ok(Self(Pattern::Wildcard { prefix, suffix }))
            }
        }
    }
}

/// `origin` as a browser sends it: without the default port, the host in ASCII.
fn as_sent(origin: &str) -> Result<String, InvalidOrigin> {
    let url = Url::parse(origin).map_err(|_| InvalidOrigin::NotAbsolute)?;
    if !url.has_host() {
        return Err(InvalidOrigin::NotAbsolute);
    }
    match url.origin() {
        tuple if tuple.is_tuple() => Ok(tuple.ascii_serialization()),
        _ => Ok(origin.to_owned()),
    }
}

/// What cannot stand in the host and port of an origin.
fn is_foreign(c: char) -> bool {
    matches!(c, '/' | '\\' | '?' | '#' | '@') || c.is_whitespace() || c.is_control()
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Any => f.write_str("*"),
            Pattern::Exact(exact) => f.write_str(exact),
            Pattern::Wildcard { prefix, suffix } => write!(f, "{prefix}*{suffix}"),
        }
    }
}

/// Why a text is no entry of a list of origins.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOrigin {
    /// It has no scheme, no host, or a port that is none.
    #[error("an origin is `scheme://host` or `scheme://host:port`, or `*`, or `null`")]
    NotAbsolute,
    /// It goes on after the host and port, be it with a single slash, or names a user.
    #[error("an origin ends after host and port: no user, no path (not even `/`), no query")]
    MoreThanOrigin,
    /// It has more than one `*`.
    #[error("an origin has at most one `*`")]
    Wildcards,
    /// What stands before its `*` is written otherwise than browsers write it.
    #[error("what stands before `*` must be as browsers send it, with names in ASCII (xn--…)")]
    BeforeWildcard,
}

#[cfg(test)]
mod tests;
