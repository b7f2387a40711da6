//! Topic selectors, matched as plainly as can be: what a hub's own matching is held against.

use serde::{Deserialize, Serialize};

/// A selector of the few forms that a check uses.
///
/// No implementation can read them otherwise: `*`, a topic without braces, or a URI Template with
/// one simple variable. As text it is what stands in a request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Selector {
    /// `*`: every topic (D0-M1).
    All,
    /// This topic alone (D0-M2).
    Exact(String),
    /// `before{variable}after`, with unreserved characters for the variable (D0-M9).
    Template {
        /// Text before the variable.
        before: String,
        /// The variable's name; it plays no role.
        variable: String,
        /// Text behind the variable.
        after: String,
    },
}

impl Selector {
    /// Whether it selects `topic`.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Self::All => true,
            Self::Exact(exact) => exact == topic,
            Self::Template { before, after, .. } => topic
                .strip_prefix(before.as_str())
                .and_then(|rest| rest.strip_suffix(after.as_str()))
                .is_some_and(|value| value.chars().all(is_value)),
        }
    }
}

/// Whether one of `selectors` selects one of `topics`.
#[must_use]
pub(super) fn any_matches(selectors: &[Selector], topics: &[String]) -> bool {
    let matches = |selector: &Selector| topics.iter().any(|topic| selector.matches(topic));
    selectors.iter().any(matches)
}

fn is_value(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~,".contains(c)
}

impl From<String> for Selector {
    fn from(text: String) -> Self {
        if text == "*" {
            return Self::All;
        }
        let variable = text.split_once('{').and_then(|(before, rest)| {
            let (variable, after) = rest.split_once('}')?;
            Some((before.to_owned(), variable.to_owned(), after.to_owned()))
        });
        match variable {
            None => Self::Exact(text),
            Some((before, variable, after)) => Self::Template {
                before,
                variable,
                after,
            },
        }
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        match selector {
            Selector::All => "*".to_owned(),
            Selector::Exact(topic) => topic,
            Selector::Template {
                before,
                variable,
                after,
            } => format!("{before}{{{variable}}}{after}"),
        }
    }
}

#[cfg(test)]
mod tests;
