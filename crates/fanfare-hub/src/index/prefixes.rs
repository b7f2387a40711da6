//! Selectors by the literal text that whatever they match begins with.

use std::collections::{BTreeMap, HashMap, HashSet};

use fanfare_broker::Selector;

use super::GroupId;

/// Finds the selectors whose prefix a text begins with.
///
/// A look-up asks once for each length that some prefix has, however many prefixes there are, and
/// once for those that match alike, however many selectors they are.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    by_prefix: HashMap<Box<[u8]>, HashMap<usize, Alike>>,
    /// How many prefixes of each length there are: the lengths worth a look-up.
    lengths: BTreeMap<usize, usize>,
}

/// Selectors that match by the same rule, and the groups that ask by them.
type Alike = HashSet<(Selector, GroupId)>;

impl Prefixes {
    /// Adds `group`, which asks for `selector`.
    #[expect(
        clippy::mutable_key_type,
        reason = "what a selector compiles late has no part in its hash and equality"
    )]
    pub(super) fn insert(&mut self, prefix: &str, selector: &Selector, group: GroupId) {
        let prefix = prefix.as_bytes();
        let rules = self.by_prefix.entry(prefix.into()).or_insert_with(|| {
            *self.lengths.entry(prefix.len()).or_default() += 1;
            HashMap::new()
        });
        let alike = rules.entry(selector.rule_id()).or_default();
        alike.insert((selector.clone(), group));
    }

    /// Removes `group`, which asked for `selector`.
    pub(super) fn remove(&mut self, prefix: &str, selector: &Selector, group: GroupId) {
        let prefix = prefix.as_bytes();
        let Some(rules) = self.by_prefix.get_mut(prefix) else {
            return;
        };
        let rule = selector.rule_id();
        if let Some(alike) = rules.get_mut(&rule) {
            alike.remove(&(selector.clone(), group));
            if alike.is_empty() {
                rules.remove(&rule);
            }
        }
        if rules.is_empty() {
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
        // Only its own text tells a template from those alike (D0-M2), and that has a brace.
        let apart = text.contains(&b'{');
        for (length, _) in self.lengths.range(..=text.len()) {
            let prefix = text.get(..*length);
            let rules = prefix.and_then(|prefix| self.by_prefix.get(prefix));
            for alike in rules.into_iter().flat_map(HashMap::values) {
                let mut selectors = alike.iter().map(|(selector, _)| selector);
                if apart {
                    let matching = alike.iter().filter(|(selector, _)| matches(selector));
                    matching.for_each(|(_, group)| found(*group));
                } else if selectors.next().is_some_and(&mut matches) {
                    alike.iter().for_each(|(_, group)| found(*group));
                }
            }
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_prefix.is_empty() && self.lengths.is_empty()
    }
}
