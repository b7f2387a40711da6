//! A resolved topic: what a URL pattern compares itself with.

use url::{Position, Url};

use crate::topic::Topic;

/// A topic resolved against a hub's URL (D1-M3), to be matched by many URL patterns.
#[derive(Clone, Debug)]
pub struct ResolvedTopic {
    url: Url,
    /// The URL without the user's name and password, when it has one of them.
    anonymous: Option<Box<str>>,
}

impl ResolvedTopic {
    /// Resolves `topic`; `None` when it is no URL reference against `hub_url`, and so matches no
    /// URL pattern. Linear in the topic's length.
    #[must_use]
    pub fn resolve(topic: &Topic, hub_url: &Url) -> Option<Self> {
        let url = hub_url.join(topic.as_str()).ok()?;
        let anonymous = match &url[Position::BeforeUsername..Position::BeforeHost] {
            "" => None,
            _ => Some(format!(
                "{}{}",
                &url[..Position::BeforeUsername],
                &url[Position::BeforeHost..]
            )),
        };
        Some(Self {
            url,
            anonymous: anonymous.map(Into::into),
        })
    }

    /// Its canonical text without the user's name and password, which most patterns leave open:
    /// what the prefix of a [`Shape::UrlPattern`](crate::Shape::UrlPattern) is the beginning of.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.anonymous
            .as_deref()
            .unwrap_or_else(|| self.url.as_str())
    }

    /// The whole URL.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}
