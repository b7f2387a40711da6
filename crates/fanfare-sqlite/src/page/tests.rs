use fanfare_broker::{Health, Topic, Verdict};

use super::*;
use crate::sample::{History, block_on, publication};
use crate::shared::Condition;

/// Wants the records of one topic, and says so.
struct Exactly(&'static str);

impl TopicFilter for Exactly {
    fn verdict(&self, topic: &Topic) -> Verdict {
        Verdict {
            subscribed: topic.as_str() == self.0,
            granted: true,
        }
    }

    fn exact_topics(&self) -> Option<Vec<Topic>> {
        Some(vec![Topic::parse(self.0).unwrap()])
    }
}

const ALL: Budget = Budget {
    records_max: usize::MAX,
    bytes_max: usize::MAX,
};

/// A history of 600 records, of which every hundredth is of topic `rare`, and one of `early`.
fn history() -> History {
    let topics = |offset: u64| match offset % 100 {
        0 => ["rare"],
        50 if offset < 200 => ["early"],
        _ => ["often"],
    };
    let all = (1..=600).map(|offset| publication(&topics(offset), offset.to_string()));
    History::of(all.collect())
}

/// Reads with what was known before the history was changed.
fn read(
    history: &History,
    after: u64,
    topic: &'static str,
) -> (Result<Vec<u64>, ReadError>, Health) {
    let shared = Shared::new(history.bounds.clone(), Condition::Ready);
    let (readers, blocks) = (history.readers(), Blocks::default());
    let source = Source {
        shared: &shared,
        readers: &readers,
        blocks: &blocks,
    };
    let page = block_on(super::read(
        source,
        after,
        600,
        ALL,
        Arc::new(Exactly(topic)),
    ));
    let offsets = page.map(|page| {
        page.records
            .iter()
            .map(fanfare_broker::Record::offset)
            .collect()
    });
    (offsets, shared.health())
}

#[test]
fn q5_reads_what_the_index_finds() {
    let history = history();
    let (found, health) = read(&history, 100, "rare");
    assert_eq!(found, Ok(vec![200, 300, 400, 500, 600]));
    assert_eq!(health, Health::Ready);
    assert_eq!(read(&history, 0, "unheard").0, Ok(vec![]));
}

/// A trim between the look at the bounds and the search in the index deleted rows that the search
/// then did not find: a topic without later records was passed over in silence, and of others the
/// gap in the chain was taken for damage.
#[test]
fn t6_what_is_trimmed_before_the_index_is_asked_is_told() {
    let history = history();
    history.change("UPDATE hub SET floor = 460", 1);
    history.change("DELETE FROM record WHERE offset < 448", 447);
    let rows = history
        .connection
        .execute("DELETE FROM topic_block WHERE block < 7", [])
        .unwrap();
    assert!(rows > 7);
    for topic in ["rare", "often", "early"] {
        let (found, health) = read(&history, 100, topic);
        assert_eq!(found, Err(ReadError::Trimmed { first: 460 }));
        assert_eq!(health, Health::Ready);
        let (found, health) = read(&history, 459, topic);
        assert!(found.is_ok());
        assert_eq!(health, Health::Ready);
    }
    assert_eq!(read(&history, 459, "rare").0, Ok(vec![500, 600]));
}

#[test]
fn q5_an_index_with_a_hole_costs_a_scan_and_is_told() {
    let history = history();
    history.change("DELETE FROM topic_block WHERE block = 4", 2);
    let (found, health) = read(&history, 0, "rare");
    assert_eq!(found, Ok(vec![100, 200, 300, 400, 500, 600]));
    assert!(matches!(health, Health::Degraded { .. }));
}
