//! The rights in an access token: entries of `authorization_details` (RFC 9396, D1-A8 to D1-A12).

use fanfare_broker::{Selector, Selectors};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::TokenError;
use super::object::Object;
use crate::protocol_string;

/// The `type` of entries that are ours; all others are somebody else's (D1-A8).
pub(crate) const TYPE: &str = "https://mercure.rocks/authorization-detail";

/// What all the entries of a token grant together.
#[derive(Debug, Default)]
pub(super) struct Granted {
    pub(super) publish: Option<Selectors>,
    pub(super) subscribe: Option<Selectors>,
    /// The topics and the payload of each entry that lets subscribe, in their order (D1-R5).
    pub(super) payloads: Vec<(Selectors, Option<Value>)>,
}

/// Reads the entries that are ours. One that is bad spoils the token (D1-A12): who gets half of
/// what was meant cannot know it.
pub(super) fn read(entries: &[Box<RawValue>], hub_url: &Url) -> Result<Granted, TokenError> {
    let mut details = Vec::new();
    for entry in entries {
        let Entry { r#type } = parse(entry)?;
        if r#type == TYPE {
            details.push(parse::<Detail>(entry)?);
        }
    }
    let matchers = details.iter().map(|detail| detail.topics.len()).sum();
    if details.len() > DETAILS_MAX || matchers > MATCHERS_MAX {
        let details = details.len();
        return Err(TokenError::TooManyDetails { details, matchers });
    }

    let (mut publish, mut subscribe) = (None::<Vec<Selector>>, None::<Vec<Selector>>);
    let mut payloads = Vec::new();
    for detail in details {
        if detail.actions.is_empty() || detail.topics.is_empty() {
            return Err(TokenError::Details);
        }
        let topics = detail
            .topics
            .iter()
            .map(|Object(topic)| topic.selector(hub_url));
        let topics: Vec<Selector> = topics.collect::<Result<_, _>>()?;
        if detail.allows("publish") {
            publish.get_or_insert_default().extend_from_slice(&topics);
        }
        if detail.allows("subscribe") {
            subscribe.get_or_insert_default().extend_from_slice(&topics);
            payloads.push((Selectors::new(topics), detail.payload));
        }
    }
    Ok(Granted {
        publish: publish.map(Selectors::new),
        subscribe: subscribe.map(Selectors::new),
        payloads,
    })
}

/// The most entries of ours in a token (D1-A12).
pub(super) const DETAILS_MAX: usize = 100;

/// The most matchers in all of them together (D1-A12).
pub(super) const MATCHERS_MAX: usize = 100;

fn parse<'a, T: Deserialize<'a>>(entry: &'a RawValue) -> Result<T, TokenError> {
    let Object(fields) = serde_json::from_str(entry.get()).map_err(|_| TokenError::Details)?;
    Ok(fields)
}

/// What every entry has (RFC 9396 §2).
#[derive(Deserialize)]
struct Entry {
    r#type: String,
}

#[derive(Deserialize)]
struct Detail {
    /// Unknown ones grant nothing and do no harm (D1-A9).
    actions: Vec<String>,
    topics: Vec<Object<Matcher>>,
    payload: Option<Value>,
}

impl Detail {
    fn allows(&self, action: &str) -> bool {
        self.actions.iter().any(|allowed| allowed == action)
    }
}

#[derive(Deserialize)]
struct Matcher {
    r#match: String,
    #[serde(default = "exact")]
    match_type: String,
}

fn exact() -> String {
    "exact".to_owned()
}

impl Matcher {
    fn selector(&self, hub_url: &Url) -> Result<Selector, TokenError> {
        // D1-G8: nothing has an empty name, so it can only be a mistake.
        if self.r#match.is_empty() || protocol_string::check(&self.r#match).is_err() {
            return Err(TokenError::Details);
        }
        // D1-A10: the types are case-sensitive, and an unknown one spoils the token.
        let selector = match self.match_type.as_str() {
            "exact" => Selector::exact(&self.r#match),
            "urlpattern" => Selector::url_pattern(&self.r#match, hub_url),
            _ => return Err(TokenError::Details),
        };
        selector.map_err(|source| TokenError::Selector { source })
    }
}
