//! Subscribers of a shard that ask for and may see the same: matched once, written as one.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_broker::{Audience, Form, Publication, Record, Selectors, Topic, TopicFilter, Verdict};
use slab::Slab;

use crate::index::{GroupId, Index};
use crate::subscription::GapSignal;
use crate::wheel::Tick;

/// What subscribers of one group have in common.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Kind {
    pub(crate) selectors: Selectors,
    pub(crate) grant: Selectors,
    /// Private events on one of these are never sent, even if granted.
    pub(crate) hidden: Selectors,
    pub(crate) form: Form,
    pub(crate) gap_signal: GapSignal,
}

impl Kind {
    /// The second filter: a private record needs a grant on one of its topics, not necessarily the
    /// one that was asked for (D0-A10), and none of its topics may be hidden.
    fn may_see(&self, topics: &[Topic], audience: Audience) -> bool {
        let any = |selectors: &Selectors| topics.iter().any(|topic| selectors.matches(topic));
        match audience {
            Audience::Public => true,
            Audience::Private => any(&self.grant) && !any(&self.hidden),
        }
    }
}

impl TopicFilter for Kind {
    fn verdict(&self, topic: &Topic) -> Verdict {
        Verdict {
            subscribed: self.selectors.matches(topic),
            granted: self.grant.matches(topic),
        }
    }

    fn wants(&self, publication: &Publication) -> bool {
        let topics = publication.topics();
        let subscribed = topics.iter().any(|topic| self.selectors.matches(topic));
        subscribed && self.may_see(topics, publication.audience)
    }
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) kind: Arc<Kind>,
    /// The places of its live subscribers, in no order.
    pub(crate) live: Vec<u32>,
    /// Live and lagging ones.
    pub(crate) members: u32,
    /// When its live subscribers were last written to.
    pub(crate) written_at: Tick,
    /// Which of this turn's records go to it, by their place among them.
    pub(crate) hits: Vec<u32>,
}

/// A shard's groups and the index that finds them.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Slab<Group>,
    by_kind: HashMap<Arc<Kind>, GroupId>,
    index: Index,
}

impl Groups {
    /// The group of `kind`, made if there is none; one more subscriber belongs to it.
    pub(crate) fn join(&mut self, kind: &Kind) -> GroupId {
        let id = match self.by_kind.get(kind) {
            Some(id) => *id,
            None => self.insert(kind.clone()),
        };
        if let Some(group) = self.get_mut(id) {
            group.members += 1;
        }
        id
    }

    /// One subscriber fewer belongs to group `id`; the last one takes it away.
    pub(crate) fn leave(&mut self, id: GroupId) {
        let Some(group) = self.get_mut(id) else {
            return;
        };
        group.members -= 1;
        if group.members == 0 {
            let group = self.groups.remove(id as usize);
            self.by_kind.remove(&group.kind);
            self.index.remove(id, &group.kind.selectors);
        }
    }

    /// The group `id`.
    pub(crate) fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(id as usize)
    }

    /// The group `id`, to change it.
    pub(crate) fn get_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(id as usize)
    }

    /// Notes in each group which of `records` go to its live subscribers; returns the groups that
    /// got any.
    pub(crate) fn match_all(&mut self, records: &[Record], touched: &mut Vec<GroupId>) {
        let Self { groups, index, .. } = self;
        for (place, record) in (0_u32..).zip(records) {
            let (topics, audience) = (record.publication().topics(), record.publication().audience);
            index.find(topics, |id| {
                let Some(group) = groups.get_mut(id as usize) else {
                    return;
                };
                // The index finds a group once for each topic and selector that meet.
                let known = group.hits.last() == Some(&place);
                if group.live.is_empty() || known || !group.kind.may_see(topics, audience) {
                    return;
                }
                if group.hits.is_empty() {
                    touched.push(id);
                }
                group.hits.push(place);
            });
        }
    }

    /// How many subscribers, lagging ones included, would get a publication to `topics`.
    pub(crate) fn count(&self, topics: &[Topic], audience: Audience) -> u64 {
        let mut found = Vec::new();
        self.index.find(topics, |id| found.push(id));
        found.sort_unstable();
        found.dedup();
        let groups = found.into_iter().filter_map(|id| self.get(id));
        groups
            .filter(|group| group.kind.may_see(topics, audience))
            .map(|group| u64::from(group.members))
            .sum()
    }

    fn insert(&mut self, kind: Kind) -> GroupId {
        let kind = Arc::new(kind);
        let group = Group {
            kind: Arc::clone(&kind),
            live: Vec::new(),
            members: 0,
            written_at: Tick::default(),
            hits: Vec::new(),
        };
        let id = GroupId::try_from(self.groups.insert(group)).unwrap_or(GroupId::MAX);
        self.index.insert(id, &kind.selectors);
        self.by_kind.insert(kind, id);
        id
    }
}

#[cfg(test)]
mod tests;
