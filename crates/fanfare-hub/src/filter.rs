//! What a group's subscribers want of history: an expensive selector is asked once for each topic,
//! not for each record (Q2).

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare_broker::{Publication, Selectors, Shape, Topic, TopicFilter, Verdict};

use crate::group::{Kind, may_see};

/// Filters the history that the subscribers of one group read.
///
/// They share it for as long as one of them lags, so whoever reads the same stretch later finds
/// its verdicts.
#[derive(Debug)]
pub(crate) struct Filter {
    kind: Arc<Kind>,
    asked: Judge,
    granted: Judge,
    hidden: Judge,
}

impl Filter {
    /// What subscribers of `kind` want; `verdicts_total` counts what all filters of a shard remember.
    pub(crate) fn new(kind: &Arc<Kind>, verdicts_total: &Arc<AtomicUsize>) -> Self {
        Self {
            asked: Judge::new(&kind.selectors, verdicts_total),
            granted: Judge::new(&kind.grant, verdicts_total),
            hidden: Judge::new(&kind.hidden, verdicts_total),
            kind: Arc::clone(kind),
        }
    }
}

impl TopicFilter for Filter {
    fn verdict(&self, topic: &Topic) -> Verdict {
        Verdict {
            subscribed: self.asked.matches(topic),
            granted: self.granted.matches(topic),
        }
    }

    fn exact_topics(&self) -> Option<Vec<Topic>> {
        self.kind.exact_topics()
    }

    fn wants(&self, publication: &Publication) -> bool {
        let (topics, audience) = (publication.topics(), publication.audience);
        let subscribed = topics.iter().any(|topic| self.asked.matches(topic));
        subscribed
            && may_see(
                topics,
                audience,
                (&self.granted, &self.hidden),
                Judge::matches,
            )
    }
}

/// Selectors, and what they said of topics if that is worth remembering.
#[derive(Debug)]
struct Judge {
    selectors: Selectors,
    verdicts: Option<Verdicts>,
}

impl Judge {
    fn new(selectors: &Selectors, total: &Arc<AtomicUsize>) -> Self {
        Self {
            selectors: selectors.clone(),
            verdicts: is_expensive(selectors).then(|| Verdicts {
                by_topic: Mutex::default(),
                total: Arc::clone(total),
                #[cfg(test)]
                evaluations: AtomicUsize::new(0),
            }),
        }
    }

    fn matches(&self, topic: &Topic) -> bool {
        match &self.verdicts {
            Some(verdicts) => verdicts.of(topic, || self.selectors.matches(topic)),
            None => self.selectors.matches(topic),
        }
    }
}

/// Whether a look into a table is cheaper, which costs 30 to 50 ns: a URL pattern takes ten times as
/// long, a template as long or less.
fn is_expensive(selectors: &Selectors) -> bool {
    let mut patterns = 0;
    let mut is_url_pattern = |shape: Shape<'_>| match shape {
        Shape::UrlPattern { .. } => true,
        Shape::Pattern { .. } => {
            patterns += 1;
            false
        }
        Shape::Any | Shape::Exact(_) => false,
    };
    let any_url_pattern = selectors.iter().any(|it| is_url_pattern(it.shape()));
    any_url_pattern || patterns > CHEAP_PATTERNS_MAX
}

/// Verdicts on topics, bounded by forgetting all of them.
#[derive(Debug)]
struct Verdicts {
    by_topic: Mutex<HashMap<Topic, bool>>,
    /// How many there are in all filters of the shard.
    total: Arc<AtomicUsize>,
    #[cfg(test)]
    evaluations: AtomicUsize,
}

impl Verdicts {
    /// The verdict on `topic`, found by `evaluate` unless it is remembered.
    fn of(&self, topic: &Topic, evaluate: impl FnOnce() -> bool) -> bool {
        if let Some(verdict) = self.lock().get(topic) {
            return *verdict;
        }
        #[cfg(test)]
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        let verdict = evaluate();
        let mut by_topic = self.lock();
        if by_topic.len() >= VERDICTS_MAX {
            self.total.fetch_sub(by_topic.len(), Ordering::Relaxed);
            by_topic.clear();
        }
        let has_room = self.total.load(Ordering::Relaxed) < VERDICTS_TOTAL_MAX;
        if has_room && by_topic.insert(topic.clone(), verdict).is_none() {
            self.total.fetch_add(1, Ordering::Relaxed);
        }
        verdict
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Topic, bool>> {
        // No code panics while it holds the lock, and each verdict is whole.
        self.by_topic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Verdicts {
    fn drop(&mut self) {
        self.total.fetch_sub(self.lock().len(), Ordering::Relaxed);
    }
}

/// Templates up to this number are asked each time.
const CHEAP_PATTERNS_MAX: usize = 8;

/// Verdicts that one set of selectors remembers.
const VERDICTS_MAX: usize = 65_536;

/// Verdicts that all filters of a shard remember, about 150 bytes each with their topics; past it a
/// topic is judged each time.
const VERDICTS_TOTAL_MAX: usize = 1 << 19;

#[cfg(test)]
mod tests;
