//! From a record's topics to the groups that ask for one of them.

mod prefixes;

use std::collections::HashMap;

use fanfare_broker::{ResolvedTopic, Selector, Selectors, Shape, Topic};
use url::Url;

use self::prefixes::Prefixes;

/// Names a group of a shard.
pub(crate) type GroupId = u32;

/// Finds groups by topic: exact topics by hash, patterns by literal prefix, and those of `*`.
///
/// What a look-up costs depends on the patterns whose prefix fits, not on the number of topics or
/// groups. A topic is resolved once for each hub's URL that URL patterns have, not for each of
/// them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    exact: HashMap<Box<[u8]>, Vec<GroupId>>,
    patterns: Prefixes,
    /// By what topics are resolved against; as a rule there is one.
    url_patterns: HashMap<Url, Prefixes>,
    any: Vec<GroupId>,
}

impl Index {
    /// Adds `group`, which asks for `selectors`.
    pub(crate) fn insert(&mut self, group: GroupId, selectors: &Selectors) {
        for selector in selectors.iter() {
            match selector.shape() {
                Shape::Any => self.any.push(group),
                Shape::Exact(text) => {
                    self.exact
                        .entry(text.as_bytes().into())
                        .or_default()
                        .push(group);
                }
                Shape::Pattern { prefix } => self.patterns.insert(prefix, selector, group),
                Shape::UrlPattern { hub_url, prefix } => {
                    let patterns = self.url_patterns.entry(hub_url.clone()).or_default();
                    patterns.insert(prefix, selector, group);
                }
            }
        }
    }

    /// Removes `group`, which asked for `selectors`.
    pub(crate) fn remove(&mut self, group: GroupId, selectors: &Selectors) {
        for selector in selectors.iter() {
            match selector.shape() {
                Shape::Any => self.any.retain(|other| *other != group),
                Shape::Exact(text) => {
                    if let Some(groups) = self.exact.get_mut(text.as_bytes()) {
                        groups.retain(|other| *other != group);
                        if groups.is_empty() {
                            self.exact.remove(text.as_bytes());
                        }
                    }
                }
                Shape::Pattern { prefix } => self.patterns.remove(prefix, selector, group),
                Shape::UrlPattern { hub_url, prefix } => {
                    if let Some(patterns) = self.url_patterns.get_mut(hub_url) {
                        patterns.remove(prefix, selector, group);
                        if patterns.is_empty() {
                            self.url_patterns.remove(hub_url);
                        }
                    }
                }
            }
        }
    }

    /// Calls `found` with each group that asks for one of `topics`, perhaps more than once.
    pub(crate) fn find(&self, topics: &[Topic], mut found: impl FnMut(GroupId)) {
        self.any.iter().copied().for_each(&mut found);
        for topic in topics {
            let name = topic.as_str();
            if let Some(groups) = self.exact.get(name.as_bytes()) {
                groups.iter().copied().for_each(&mut found);
            }
            self.patterns
                .find(name, |selector| selector.matches(topic), &mut found);
            for (hub_url, patterns) in &self.url_patterns {
                let Some(topic) = ResolvedTopic::resolve(topic, hub_url) else {
                    continue;
                };
                let matches = |selector: &Selector| selector.matches_resolved(&topic);
                patterns.find(topic.as_str(), matches, &mut found);
            }
        }
    }
}

#[cfg(test)]
mod tests;
