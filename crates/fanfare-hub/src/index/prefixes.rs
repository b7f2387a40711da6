//! Selectors by the literal text that whatever they match begins with.

use std::collections::{BTreeMap, HashMap};

use fanfare_broker::Selector;

use super::GroupId;

/// Finds the selectors whose prefix a text begins with.
///
/// A look-up asks once for each length that some prefix has, however many prefixes there are.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    by_prefix: HashMap<Box<[u8]>, HashMap<Selector, Vec<GroupId>>>,
    /// How many prefixes of each length there are: the lengths worth a look-up.
    lengths: BTreeMap<usize, usize>,
}

impl Prefixes {
    /// Adds `group`, which asks for `selector`.
    #[expect(
        clippy::mutable_key_type,
        reason = "what a selector compiles late has no part in its hash and equality"
    )]
    pub(super) fn insert(&mut self, prefix: &str, selector: &Selector, group: GroupId) {
        let prefix = prefix.as_bytes();
        let selectors = self.by_prefix.entry(prefix.into()).or_insert_with(|| {
            *self.lengths.entry(prefix.len()).or_default() += 1;
            HashMap::new()
        });
        selectors.entry(selector.clone()).or_default().push(group);
    }

    /// Removes `group`, which asked for `selector`.
    pub(super) fn remove(&mut self, prefix: &str, selector: &Selector, group: GroupId) {
        let prefix = prefix.as_bytes();
        let Some(selectors) = self.by_prefix.get_mut(prefix) else {
            return;
        };
        if let Some(groups) = selectors.get_mut(selector) {
            groups.retain(|other| *other != group);
            if groups.is_empty() {
                selectors.remove(selector);
            }
        }
        if selectors.is_empty() {
            self.by_prefix.remove(prefix);
            if let Some(count) = self.lengths.get_mut(&prefix.len()) {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&prefix.len());
                }
            }
        }
    }

    /// Calls `found` with the groups of each selector whose prefix `text` begins with, if the
    /// selector `matches`.
    pub(super) fn find(
        &self,
        text: &str,
        mut matches: impl FnMut(&Selector) -> bool,
        mut found: impl FnMut(GroupId),
    ) {
        let text = text.as_bytes();
        for (length, _) in self.lengths.range(..=text.len()) {
            let prefix = text.get(..*length);
            let selectors = prefix.and_then(|prefix| self.by_prefix.get(prefix));
            for (selector, groups) in selectors.into_iter().flatten() {
                if matches(selector) {
                    groups.iter().copied().for_each(&mut found);
                }
            }
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_prefix.is_empty() && self.lengths.is_empty()
    }
}
