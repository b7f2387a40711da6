//! From a record's topics to the groups that ask for one of them.

use std::collections::{BTreeMap, HashMap};

use fanfare_broker::{Selector, Selectors, Shape, Topic};

/// Names a group of a shard.
pub(crate) type GroupId = u32;

/// Finds groups by topic: exact topics by hash, patterns by literal prefix, and those of `*`.
///
/// What a look-up costs depends on the patterns whose prefix fits, not on the number of topics or
/// groups.
#[derive(Debug, Default)]
pub(crate) struct Index {
    exact: HashMap<Box<[u8]>, Vec<GroupId>>,
    patterns: HashMap<Box<[u8]>, HashMap<Selector, Vec<GroupId>>>,
    /// How many prefixes of each length there are: the lengths worth a look-up.
    prefix_lengths: BTreeMap<usize, usize>,
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
                Shape::Pattern { prefix } => self.insert_pattern(group, selector, prefix),
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
                Shape::Pattern { prefix } => self.remove_pattern(group, selector, prefix),
            }
        }
    }

    /// Calls `found` with each group that asks for one of `topics`, perhaps more than once.
    pub(crate) fn find(&self, topics: &[Topic], mut found: impl FnMut(GroupId)) {
        self.any.iter().copied().for_each(&mut found);
        for topic in topics {
            let name = topic.as_str().as_bytes();
            if let Some(groups) = self.exact.get(name) {
                groups.iter().copied().for_each(&mut found);
            }
            for length in self
                .prefix_lengths
                .range(..=name.len())
                .map(|(length, _)| *length)
            {
                let patterns = name
                    .get(..length)
                    .and_then(|prefix| self.patterns.get(prefix));
                for (selector, groups) in patterns.into_iter().flatten() {
                    if selector.matches(topic) {
                        groups.iter().copied().for_each(&mut found);
                    }
                }
            }
        }
    }

    #[expect(
        clippy::mutable_key_type,
        reason = "a selector's hash and equality are its text's"
    )]
    fn insert_pattern(&mut self, group: GroupId, selector: &Selector, prefix: &str) {
        let prefix = prefix.as_bytes();
        let patterns = self.patterns.entry(prefix.into()).or_insert_with(|| {
            *self.prefix_lengths.entry(prefix.len()).or_default() += 1;
            HashMap::new()
        });
        patterns.entry(selector.clone()).or_default().push(group);
    }

    fn remove_pattern(&mut self, group: GroupId, selector: &Selector, prefix: &str) {
        let prefix = prefix.as_bytes();
        let Some(patterns) = self.patterns.get_mut(prefix) else {
            return;
        };
        if let Some(groups) = patterns.get_mut(selector) {
            groups.retain(|other| *other != group);
            if groups.is_empty() {
                patterns.remove(selector);
            }
        }
        if patterns.is_empty() {
            self.patterns.remove(prefix);
            if let Some(count) = self.prefix_lengths.get_mut(&prefix.len()) {
                *count -= 1;
                if *count == 0 {
                    self.prefix_lengths.remove(&prefix.len());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
