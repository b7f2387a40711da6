//! Subscribers of a shard that ask for and may see the same: matched once, written as one.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::time::Instant;

use fanfare_broker::{
    Audience, Form, Publication, Record, Selectors, Shape, Topic, TopicFilter, Verdict,
};
use slab::Slab;

use crate::filter::Filter;
use crate::index::{GroupId, Index};
use crate::subscription::{GapSignal, Heartbeat};
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
    pub(crate) heartbeat: Heartbeat,
}

impl Kind {
    /// Whether a record on `topics` passes the second filter.
    fn may_see(&self, topics: &[Topic], audience: Audience) -> bool {
        let (grant, hidden) = (&self.grant, &self.hidden);
        may_see(topics, audience, (grant, hidden), Selectors::matches)
    }
}

/// The second filter: a private record needs a grant on one of its topics, not necessarily the one
/// that was asked for (D0-A10), and none of its topics may be hidden.
pub(crate) fn may_see<S>(
    topics: &[Topic],
    audience: Audience,
    (grant, hidden): (&S, &S),
    matches: impl Fn(&S, &Topic) -> bool,
) -> bool {
    let any = |selectors: &S| topics.iter().any(|topic| matches(selectors, topic));
    match audience {
        Audience::Public => true,
        Audience::Private => any(grant) && !any(hidden),
    }
}

impl TopicFilter for Kind {
    fn verdict(&self, topic: &Topic) -> Verdict {
        Verdict {
            subscribed: self.selectors.matches(topic),
            granted: self.grant.matches(topic),
        }
    }

    fn exact_topics(&self) -> Option<Vec<Topic>> {
        let mut topics = Vec::new();
        for selector in self.selectors.iter() {
            match selector.shape() {
                // A text that is no topic matches none.
                Shape::Exact(text) => topics.extend(Topic::parse(text)),
                Shape::Any | Shape::Pattern { .. } | Shape::UrlPattern { .. } => return None,
            }
        }
        (topics.len() <= EXACT_TOPICS_MAX).then_some(topics)
    }

    fn wants(&self, publication: &Publication) -> bool {
        let topics = publication.topics();
        let subscribed = topics.iter().any(|topic| self.selectors.matches(topic));
        subscribed && self.may_see(topics, publication.audience)
    }
}

/// Whether `record` has expired: it is neither replayed nor delivered late, and no gap either.
pub(crate) fn is_past(record: &Record, now: Instant) -> bool {
    let expires = record.publication().expires;
    expires.is_some_and(|expires| expires.is_past(now))
}

/// Topics that are worth looking up one by one in an index (Q5).
const EXACT_TOPICS_MAX: usize = 64;

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
    pub(crate) hits: Hits,
    /// What its subscribers read history by, while one of them does.
    filter: Weak<Filter>,
    /// What private records are held against.
    access: AccessId,
    /// The same group in the census, which has at least the members of this one.
    pub(crate) counted_in: GroupId,
}

/// Places of records, in their order. A single one, as most turns bring, needs no memory of its
/// own, and so no look at it.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    first: Option<u32>,
    more: Vec<u32>,
}

impl Hits {
    /// Takes all of them.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = u32> {
        self.first.take().into_iter().chain(self.more.drain(..))
    }

    fn last(&self) -> Option<u32> {
        self.more.last().copied().or(self.first)
    }

    fn push(&mut self, place: u32) {
        match self.first {
            None => self.first = Some(place),
            Some(_) => self.more.push(place),
        }
    }
}

/// A shard's groups and the index that finds them.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Slab<Group>,
    by_kind: HashMap<Arc<Kind>, GroupId>,
    index: Index,
    accesses: Accesses,
    /// How many verdicts the groups' filters remember.
    verdicts_total: Arc<AtomicUsize>,
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
            self.accesses.leave(group.access, &group.kind);
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

    /// What the subscribers of group `id` read history by.
    pub(crate) fn filter(&mut self, id: GroupId) -> Option<Arc<Filter>> {
        let group = self.groups.get_mut(id as usize)?;
        if let Some(filter) = group.filter.upgrade() {
            return Some(filter);
        }
        let filter = Arc::new(Filter::new(&group.kind, &self.verdicts_total));
        group.filter = Arc::downgrade(&filter);
        Some(filter)
    }

    /// Notes in each group which of `records` go to its live subscribers at `now`; returns the groups
    /// that got any.
    pub(crate) fn match_all(
        &mut self,
        records: &[Record],
        now: Instant,
        touched: &mut Vec<GroupId>,
    ) {
        let Self {
            groups,
            index,
            accesses,
            ..
        } = self;
        for (place, record) in (0_u32..).zip(records) {
            if is_past(record, now) {
                continue;
            }
            let (topics, audience) = (record.publication().topics(), record.publication().audience);
            accesses.turn_to_next();
            index.find(topics, |id| {
                let Some(group) = groups.get_mut(id as usize) else {
                    return;
                };
                // The index finds a group once for each topic and selector that meet.
                let last = group.hits.last();
                if group.live.is_empty() || last == Some(place) {
                    return;
                }
                let may_see = || group.kind.may_see(topics, audience);
                if audience == Audience::Private && !accesses.judge(group.access, may_see) {
                    return;
                }
                if last.is_none() {
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
            hits: Hits::default(),
            filter: Weak::new(),
            access: self.accesses.join(&kind),
            counted_in: GroupId::MAX,
        };
        let id = GroupId::try_from(self.groups.insert(group)).unwrap_or(GroupId::MAX);
        self.index.insert(id, &kind.selectors);
        self.by_kind.insert(kind, id);
        id
    }
}

/// Names a grant, and what is hidden in spite of it.
type AccessId = u32;

/// What groups may see, each once: many groups have the same grant, and a private record is held
/// against it once, not for each of them.
#[derive(Debug, Default)]
struct Accesses {
    accesses: Slab<Access>,
    by_selectors: HashMap<(Selectors, Selectors), AccessId>,
    /// Counts records, to tell a verdict on this one from those on earlier ones.
    record: u64,
}

#[derive(Debug)]
struct Access {
    groups: u32,
    /// Which record was judged last, and how.
    verdict: (u64, bool),
}

impl Accesses {
    /// What `kind` may see; one more group has it.
    fn join(&mut self, kind: &Kind) -> AccessId {
        let accesses = &mut self.accesses;
        let selectors = (kind.grant.clone(), kind.hidden.clone());
        let id = *self.by_selectors.entry(selectors).or_insert_with(|| {
            let access = Access {
                groups: 0,
                verdict: (0, false),
            };
            AccessId::try_from(accesses.insert(access)).unwrap_or(AccessId::MAX)
        });
        if let Some(access) = accesses.get_mut(id as usize) {
            access.groups += 1;
        }
        id
    }

    /// One group fewer, of `kind`, has it.
    fn leave(&mut self, id: AccessId, kind: &Kind) {
        let Some(access) = self.accesses.get_mut(id as usize) else {
            return;
        };
        access.groups -= 1;
        if access.groups == 0 {
            self.accesses.remove(id as usize);
            let selectors = (kind.grant.clone(), kind.hidden.clone());
            self.by_selectors.remove(&selectors);
        }
    }

    /// Another record is to be judged.
    fn turn_to_next(&mut self) {
        self.record += 1;
    }

    /// What was said of this record to the first who asked.
    fn judge(&mut self, id: AccessId, may_see: impl FnOnce() -> bool) -> bool {
        let record = self.record;
        let Some(access) = self.accesses.get_mut(id as usize) else {
            return may_see();
        };
        if access.verdict.0 != record {
            access.verdict = (record, may_see());
        }
        access.verdict.1
    }
}

#[cfg(test)]
mod tests;
