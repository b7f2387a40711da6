//! What a subscriber asks for on the hub's URL, in the words of its dialect.

use fanfare_broker::{Selector, Shape};
use http::Method;
use url::Url;

use crate::dialect::{Dialect, Dialects};
use crate::error::Refusal;
use crate::form::Form;
use crate::protocol_string;

/// One subscription, as its subscriber wrote it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) selector: Selector,
    pub(crate) language: Language,
}

/// What a selector is written in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Language {
    /// 0.x: a text, a URI Template, or `*`.
    Template,
    /// 1.0: a text, or `*`.
    Exact,
    /// 1.0: a URL Pattern, or `*`.
    UrlPattern,
}

/// The dialect that a request speaks by the names in its query, or in the body of a `QUERY`
/// (DX-1 to DX-4). `Ok(None)`: it says nothing.
///
/// A hub that speaks one dialect hears only that one; the other's names are unknown, hence ignored.
pub(crate) fn dialect_of(
    dialects: Dialects,
    method: &Method,
    form: &Form,
) -> Result<Option<Dialect>, Refusal> {
    let query = method.as_str() == QUERY;
    match dialects {
        Dialects::D0 => return Ok(Some(Dialect::D0)),
        Dialects::D1 => return Ok(Some(Dialect::D1)),
        Dialects::Both => {}
    }
    let matcher = form.names().find(|name| is_matcher(name));
    let matcher = matcher.or(query.then_some(b"QUERY"));
    match (form.has("topic"), matcher) {
        (true, Some(matcher)) => Err(Refusal::TwoDialects {
            matcher: shown(matcher),
        }),
        (true, None) => Ok(Some(Dialect::D0)),
        (false, Some(_)) => Ok(Some(Dialect::D1)),
        (false, None) => Ok(None),
    }
}

/// The method of a query that is too long for a URL (RFC 10008).
pub(crate) const QUERY: &str = "QUERY";

/// The selectors of 0.x, in the request's order (D0-S1, D0-S2).
pub(crate) fn topics(form: &Form, count_max: usize) -> Result<Vec<Wanted>, Refusal> {
    let texts = form.all("topic")?;
    if texts.is_empty() {
        return Err(Refusal::NoSelector);
    }
    if texts.len() > count_max {
        return Err(Refusal::TooManySelectors { count_max });
    }
    texts.into_iter().map(Wanted::template).collect()
}

/// The matchers of 1.0, by parameter name and then in the request's order (D1-S3 to D1-S6).
pub(crate) fn matchers(
    form: &Form,
    count_max: usize,
    hub_url: &Url,
) -> Result<Vec<Wanted>, Refusal> {
    let known = |name: &[u8]| PARAMETERS.iter().any(|known| known.as_bytes() == name);
    if let Some(unknown) = form.names().find(|name| is_matcher(name) && !known(name)) {
        let name = shown(unknown);
        return Err(Refusal::UnknownMatcher { name });
    }
    let mut wanted = Vec::new();
    for name in PARAMETERS {
        for text in form.all(name)? {
            if wanted.len() == count_max {
                return Err(Refusal::TooManySelectors { count_max });
            }
            protocol_string::check(text)?;
            wanted.push(match name {
                "match_urlpattern" => Wanted::url_pattern(text, hub_url)?,
                _ => Wanted::exact(text)?,
            });
        }
    }
    match wanted.is_empty() {
        true => Err(Refusal::NoSelector),
        false => Ok(wanted),
    }
}

/// In the order of their names.
const PARAMETERS: [&str; 3] = ["match", "match_exact", "match_urlpattern"];

/// Whether a name looks like a matcher's, so that a mistyped one is not taken for nothing (D1-S3).
fn is_matcher(name: &[u8]) -> bool {
    let start = name.get(..5).unwrap_or_default();
    start.eq_ignore_ascii_case(b"match")
}

/// A stranger's name, cut.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(64).collect()
}

impl Wanted {
    /// A selector of 0.x.
    pub(crate) fn template(text: &str) -> Result<Self, Refusal> {
        Ok(Self {
            selector: Selector::parse(text)?,
            language: Language::Template,
        })
    }

    fn exact(text: &str) -> Result<Self, Refusal> {
        Ok(Self {
            selector: Selector::exact(text)?,
            language: Language::Exact,
        })
    }

    fn url_pattern(text: &str, hub_url: &Url) -> Result<Self, Refusal> {
        Ok(Self {
            selector: Selector::url_pattern(text, hub_url)?,
            language: Language::UrlPattern,
        })
    }

    /// Whether 0.x can say it without loss (DX-14).
    pub(crate) fn is_of_zero(&self) -> bool {
        match self.language {
            Language::Template => true,
            // As a selector of 0.x the same text could be a template, which is something else.
            Language::Exact => Selector::parse(self.selector.as_str())
                .is_ok_and(|zero| !matches!(zero.shape(), Shape::Pattern { .. })),
            Language::UrlPattern => matches!(self.selector.shape(), Shape::Any),
        }
    }

    /// Its type in 1.0, if 1.0 can say it without loss (DX-14).
    pub(crate) fn match_type(&self) -> Option<&'static str> {
        match self.language {
            Language::Template if matches!(self.selector.shape(), Shape::Pattern { .. }) => None,
            Language::Template | Language::Exact => Some(EXACT),
            Language::UrlPattern => Some(URL_PATTERN),
        }
    }
}

/// The names of the types of matchers, in paths and documents (D1-M1).
pub(crate) const EXACT: &str = "exact";
pub(crate) const URL_PATTERN: &str = "urlpattern";

#[cfg(test)]
mod tests;
