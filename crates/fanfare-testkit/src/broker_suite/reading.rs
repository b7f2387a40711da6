//! L8, L9, L10: what is stored reaches its readers, in bounded steps, and only the filter decides.

use std::sync::Arc;

use fanfare_broker::{
    Audience, Broker, Budget, Form, PageEnd, Publication, Topic, TopicFilter, Verdict,
};
use fanfare_wire::Event;

use super::follower::Follower;
use super::sample::{
    Everything, NO_BUDGET, assert_same, history, publication, publish, read_all, slice, store,
    store_numbers, topic,
};
use super::{Limits, Site};

/// L8: the tail reaches a receipt's offset in bounded time.
pub async fn law_08_ack_then_seen(site: impl Site) {
    let broker = site.open(Limits::ample()).await;
    let mut follower = Follower::attach(&broker, None);
    for offset in 1..=100 {
        // The tail is polled first: it waits at the head, and must be woken up.
        let stored = publish(&broker, publication("wakes the tail up"));
        let ((), receipt) = tokio::join!(biased; follower.reach(offset), stored);
        assert_eq!(receipt.unwrap().cursor.offset, offset);
    }
    let head = broker.bounds().await.unwrap().head;
    let mut late = Follower::attach(&broker, head);
    let mut from_start = Follower::attach(&broker, None);
    let last = store_numbers(&broker, 100).await.pop().unwrap();
    for follower in [&mut follower, &mut late, &mut from_start] {
        follower.reach(last.cursor.offset).await;
    }
    assert_same(&late.records, &follower.records[100..]);
    assert_same(&from_start.records, &follower.records);
}

/// L9: `read` stays within its budget, and goes on also when nothing matches.
pub async fn law_09_budget(site: impl Site) {
    let broker = site.open(Limits::ample()).await;
    store_numbers(&broker, 100).await;
    for records_max in [1, 7, 100, 1000] {
        let budget = Budget {
            records_max,
            bytes_max: usize::MAX,
        };
        let mut next = 1;
        let mut slices = 0;
        while next <= 100 {
            let page = slice(&broker, next - 1, 100, budget, Arc::new(Nothing)).await;
            let page = page.unwrap();
            assert!(page.records.is_empty(), "nothing matches");
            let looked_at = usize::try_from(page.next - next).unwrap();
            assert!(
                looked_at <= records_max,
                "{looked_at} looked at: {budget:?}"
            );
            assert_eq!(page.end == PageEnd::Upto, page.next > 100, "{page:?}");
            next = page.next;
            slices += 1;
        }
        assert_eq!(
            next, 101,
            "it looked at everything up to `upto`, and no further"
        );
        assert!(slices >= 100_usize.div_ceil(records_max));
    }
    assert_bytes_are_bounded(&broker).await;

    let at_head = slice(&broker, 100, u64::MAX, NO_BUDGET, Arc::new(Everything)).await;
    let at_head = at_head.unwrap();
    assert!(at_head.records.is_empty());
    assert_eq!((at_head.next, at_head.end), (101, PageEnd::Upto));
}

async fn assert_bytes_are_bounded(broker: &Arc<dyn Broker>) {
    let budget = Budget {
        records_max: usize::MAX,
        bytes_max: 200,
    };
    let mut next = 1;
    while next <= 100 {
        let page = slice(broker, next - 1, 100, budget, Arc::new(Everything)).await;
        let page = page.unwrap();
        let bytes = |record: &fanfare_broker::Record| record.frame().bytes(Form::Plain).len();
        let (_, before_last) = page.records.split_last().expect("a slice brings something");
        let bytes: usize = before_last.iter().map(bytes).sum();
        assert!(
            bytes < 200,
            "only the last record passes the budget: {bytes}"
        );
        next = page.next;
    }
}

struct Nothing;

impl TopicFilter for Nothing {
    fn verdict(&self, _: &Topic) -> Verdict {
        Verdict {
            subscribed: false,
            granted: true,
        }
    }
}

/// L10: reading with a filter brings what reading everything and then filtering does.
///
/// Exhaustive over three topics: every set of them, public and private, under every filter.
pub async fn law_10_filter_neutrality(site: impl Site) {
    let broker = site.open(Limits::ample()).await;
    let mut batch = Vec::new();
    for set in 1..8_u8 {
        for audience in [Audience::Public, Audience::Private] {
            batch.push(on_topics(set, audience));
        }
    }
    store(&broker, batch.clone()).await;
    batch.reverse();
    store(&broker, batch).await;
    let everything = history(&broker).await;

    let slices = Budget {
        records_max: 3,
        bytes_max: usize::MAX,
    };
    for subscribed in 0..8 {
        for granted in 0..8 {
            let filter = Sets {
                subscribed,
                granted,
            };
            let expected: Vec<_> = everything
                .iter()
                .filter(|record| filter.lets_through(record.publication()))
                .cloned()
                .collect();
            let filter: Arc<dyn TopicFilter> = Arc::new(filter);
            for budget in [slices, NO_BUDGET] {
                let read = read_all(&broker, 0, budget, Arc::clone(&filter)).await;
                assert_same(&read, &expected);
            }
        }
    }
}

const TOPICS: [&str; 3] = ["https://example.com/a", "https://example.com/b", "c"];

/// A publication on the topics whose bits are in `set`.
fn on_topics(set: u8, audience: Audience) -> Publication {
    let mut topics = TOPICS
        .iter()
        .enumerate()
        .filter(|(bit, _)| set & (1 << bit) != 0)
        .map(|(_, text)| topic(text));
    let event = Event::new(format!("{set} {audience:?}"));
    let mut publication = Publication::new(topics.next().unwrap(), event);
    publication.audience = audience;
    topics.fold(publication, Publication::also)
}

/// A filter by two sets of [`TOPICS`], as bits.
struct Sets {
    subscribed: u8,
    granted: u8,
}

impl Sets {
    /// The rule of Q1, in words of its own: the suite must not trust the broker's crate for it.
    fn lets_through(&self, publication: &Publication) -> bool {
        let some_in = |set: u8| {
            let mut topics = publication.topics().iter();
            topics.any(|topic| set & bit(topic) != 0)
        };
        let may_see = publication.audience == Audience::Public || some_in(self.granted);
        some_in(self.subscribed) && may_see
    }
}

impl TopicFilter for Sets {
    fn verdict(&self, topic: &Topic) -> Verdict {
        Verdict {
            subscribed: self.subscribed & bit(topic) != 0,
            granted: self.granted & bit(topic) != 0,
        }
    }
}

fn bit(topic: &Topic) -> u8 {
    let place = TOPICS.iter().position(|text| *text == topic.as_str());
    1 << place.expect("only these topics are published")
}
