//! L1, L2: there is one sequence, and nothing of it is left out in silence.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_broker::{Broker, Budget, Cursor, ReadError, Receipt};
use tokio::task::JoinSet;

use super::follower::Follower;
use super::sample::{
    DEADLINE, Everything, NO_BUDGET, assert_same, data, history, publication, read_all, slice,
    store, store_numbers, trim_past,
};
use super::{Limits, Site};

/// L1: all tails and reads show the same sequence, in which each publisher's order is kept.
pub async fn law_01_order(site: impl Site) {
    let broker = site.open(Limits::ample()).await;
    let mut from_start = Follower::attach(&broker, None);
    let mut published = publish_from_many(&broker, "first").await;
    let middle = published["first 0 0"].cursor;
    let mut from_middle = Follower::attach(&broker, Some(middle));
    published.extend(publish_from_many(&broker, "second").await);

    let sequence = history(&broker).await;
    for (offset, record) in (1..).zip(&sequence) {
        assert_eq!(record.offset(), offset);
    }
    for (records_max, bytes_max) in [(1, usize::MAX), (7, usize::MAX), (usize::MAX, 100)] {
        let budget = Budget {
            records_max,
            bytes_max,
        };
        let read = read_all(&broker, 0, budget, Arc::new(Everything)).await;
        assert_same(&read, &sequence);
    }
    let head = broker.bounds().await.unwrap().head.unwrap();
    from_start.reach(head.offset).await;
    assert_same(&from_start.records, &sequence);
    from_middle.reach(head.offset).await;
    let after_middle: Vec<_> = sequence
        .iter()
        .filter(|record| record.offset() > middle.offset)
        .cloned()
        .collect();
    assert_same(&from_middle.records, &after_middle);

    let sequence_data = data(&sequence);
    for round in ["first", "second"] {
        for publisher in 0..PUBLISHERS {
            let prefix = format!("{round} {publisher} ");
            let own = sequence_data
                .iter()
                .filter_map(|data| data.strip_prefix(&prefix));
            let numbers: Vec<usize> = own.map(|number| number.parse().unwrap()).collect();
            let in_order: Vec<_> = (0..EACH).collect();
            assert_eq!(numbers, in_order, "each publisher's own order is kept");
        }
    }
    for record in &sequence {
        let receipt = &published[&*record.publication().event.data];
        assert_eq!(
            receipt.cursor,
            record.cursor(),
            "a receipt names its record"
        );
        assert_eq!(receipt.id, record.id(), "by the id that subscribers see");
    }
}

const PUBLISHERS: usize = 8;
const EACH: usize = 60;

/// Publishes `<round> <publisher> <n>` for n in order, in batches of 1 to 4, all publishers at once.
async fn publish_from_many(
    broker: &Arc<dyn Broker>,
    round: &'static str,
) -> HashMap<String, Receipt> {
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let broker = Arc::clone(broker);
        publishers.spawn(async move {
            let texts: Vec<_> = (0..EACH)
                .map(|n| format!("{round} {publisher} {n}"))
                .collect();
            let mut published = Vec::new();
            for batch in texts.chunks(1 + publisher % 4) {
                let publications = batch.iter().map(|text| publication(text)).collect();
                let receipts = store(&broker, publications).await;
                let in_order = receipts.is_sorted_by_key(|receipt| receipt.cursor.offset);
                assert!(in_order, "a batch is stored in its order");
                published.extend(batch.iter().cloned().zip(receipts));
            }
            published
        });
    }
    publishers.join_all().await.into_iter().flatten().collect()
}

/// L2: consecutive offsets differ by one, unless `Trimmed` or `missing` says so.
pub async fn law_02_dense(site: impl Site) {
    let broker = site.open(Limits::short()).await;
    let mut idle = Follower::attach(&broker, None);
    let receipts = store_numbers(&broker, 100).await;
    for (offset, receipt) in (1..).zip(&receipts) {
        assert_eq!(receipt.cursor.offset, offset, "from 1 on, one by one (C1)");
    }
    let early = receipts[4].cursor;
    trim_past(&broker, early.offset + 1).await;

    // The follower objects to every silent skip: of one who was there, and of one who is late.
    let head = broker.bounds().await.unwrap().head.unwrap();
    idle.reach(head.offset).await;
    Follower::attach(&broker, Some(early))
        .reach(head.offset)
        .await;

    read_from_everywhere(&broker, head).await;
}

async fn read_from_everywhere(broker: &Arc<dyn Broker>, head: Cursor) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    for after in 0..head.offset {
        assert!(
            tokio::time::Instant::now() < deadline,
            "reads take bounded time"
        );
        let filter = Arc::new(Everything);
        match slice(broker, after, head.offset, NO_BUDGET, filter).await {
            Ok(page) => {
                let brought = page.records.iter().map(|record| record.offset());
                let mut told: Vec<_> = brought.chain(page.missing.into_iter().flatten()).collect();
                told.sort_unstable();
                let looked_at: Vec<_> = (after + 1..page.next).collect();
                assert_eq!(told, looked_at, "a hole is reported");
            }
            Err(ReadError::Trimmed { first }) => {
                assert!(after + 1 < first, "trimmed is what was before {first}");
                let retained = broker.bounds().await.unwrap().first;
                assert!(first <= retained, "`first` is where reading can go on");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
