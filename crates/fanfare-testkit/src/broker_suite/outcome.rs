//! L3, L4, L5: what a publish was answered is what happened.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_broker::{Broker, PublishError, Receipt, Resolved};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::follower::Follower;
use super::sample::{
    DEADLINE, Everything, NO_BUDGET, assert_same, data, history, keyed, named, publication,
    publish, slice, store, trim_past, within,
};
use super::{Limits, Site};

/// L3: after `Ok`, `read` covers it, at once, and after every fault that the broker claims to
/// survive.
pub async fn law_03_stored_means_readable(site: impl Site) {
    let broker = site.open(Limits::ample()).await;
    let mut publishers = JoinSet::new();
    for publisher in 0..4 {
        let broker = Arc::clone(&broker);
        publishers.spawn(async move {
            for n in 0..50 {
                let text = format!("{publisher} {n}");
                let stored = named(&text, &format!("https://example.com/{publisher}/{n}"));
                let receipt = publish(&broker, stored).await.unwrap();
                assert_readable(&broker, &receipt, &text).await;
            }
        });
    }
    publishers.join_all().await;
    let before = history(&broker).await;
    assert_eq!(before.len(), 200);

    if !broker.capabilities().survives_process {
        return;
    }
    let broker = site.reopen(broker, Limits::ample()).await;
    // Everybody resumes before anything new is published, with cursors and with ids (§1).
    assert_same(&history(&broker).await, &before);
    for record in &before {
        let at = Resolved::At(record.offset());
        assert_eq!(broker.resolve(&record.id()).await.unwrap(), at);
        assert_eq!(broker.resolve(&record.cursor().id()).await.unwrap(), at);
    }
    let receipt = publish(&broker, publication("after")).await.unwrap();
    assert_readable(&broker, &receipt, "after").await;
}

async fn assert_readable(broker: &Arc<dyn Broker>, receipt: &Receipt, text: &str) {
    let offset = receipt.cursor.offset;
    let page = slice(broker, offset - 1, offset, NO_BUDGET, Arc::new(Everything)).await;
    let records = page.unwrap().records;
    assert_eq!(data(&records), [text], "what was stored is readable");
    assert_eq!(records[0].cursor(), receipt.cursor);
    assert_eq!(records[0].id(), receipt.id);
}

/// L4: what was not stored is never seen by anyone, and takes no offset.
pub async fn law_04_not_stored_is_never_seen(site: impl Site) {
    let broker = site.open(Limits::ample()).await;
    let mut follower = Follower::attach(&broker, None);
    store(&broker, vec![keyed("stored 1", "k")]).await;
    let outcomes = broker.publish(vec![
        publication("stored 2"),
        keyed("refused: the key was used for another", "k"),
        publication("stored 3"),
    ]);
    let outcomes = within("a batch is answered", outcomes).await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(outcomes[1], Err(PublishError::KeyReused));
    let marker = publish(&broker, publication("stored 4")).await.unwrap();
    assert_eq!(
        marker.cursor.offset, 4,
        "a refused publication takes no offset"
    );

    let stored = ["stored 1", "stored 2", "stored 3", "stored 4"];
    assert_eq!(data(&history(&broker).await), stored);
    let survives = broker.capabilities().survives_process;
    within(
        "a broker closes",
        broker.close((Instant::now() + DEADLINE).into()),
    )
    .await;
    let refused = publish(&broker, publication("refused: closed")).await;
    assert!(
        matches!(refused, Err(PublishError::Unavailable { .. })),
        "{refused:?}"
    );
    follower.reach_end().await;
    assert_eq!(data(&follower.records), stored);
    if survives {
        let broker = site.reopen(broker, Limits::ample()).await;
        assert_eq!(data(&history(&broker).await), stored);
    }
}

/// L5: the same key within the window means the same cursor, `duplicate`, and one record.
pub async fn law_05_dedupe(site: impl Site) {
    let broker = site.open(Limits::short()).await;
    let first = publish(&broker, keyed("a", "k")).await.unwrap();
    assert!(!first.duplicate);
    let again = Receipt {
        duplicate: true,
        ..first.clone()
    };
    assert_eq!(publish(&broker, keyed("a", "k")).await, Ok(again.clone()));
    let reused = publish(&broker, keyed("b", "k")).await;
    assert_eq!(reused, Err(PublishError::KeyReused));
    let receipts = store(&broker, vec![keyed("c", "l"), keyed("c", "l")]).await;
    assert_eq!(
        receipts[0].cursor, receipts[1].cursor,
        "also within a batch"
    );
    assert!(!receipts[0].duplicate && receipts[1].duplicate);
    one_of_many_is_first(&broker).await;

    // Neither data nor ids are keys: they may repeat (O2).
    let id = "https://example.com/1";
    store(&broker, vec![named("same", id), named("same", id)]).await;
    let expected = ["a", "c", "raced", "same", "same"];
    assert_eq!(data(&history(&broker).await), expected);

    trim_past(&broker, first.cursor.offset).await;
    let trimmed = publish(&broker, keyed("a", "k")).await;
    assert_eq!(trimmed, Ok(again.clone()), "also after its record has gone");
    if broker.capabilities().survives_process {
        let broker = site.reopen(broker, Limits::short()).await;
        assert_eq!(publish(&broker, keyed("a", "k")).await, Ok(again));
    }
}

async fn one_of_many_is_first(broker: &Arc<dyn Broker>) {
    let mut publishers = JoinSet::new();
    for _ in 0..16 {
        let broker = Arc::clone(broker);
        publishers.spawn(async move { publish(&broker, keyed("raced", "r")).await.unwrap() });
    }
    let receipts = publishers.join_all().await;
    let firsts = receipts.iter().filter(|receipt| !receipt.duplicate);
    assert_eq!(firsts.count(), 1, "one of many at once is stored");
    let cursors: HashMap<_, _> = receipts.iter().map(|r| (r.cursor, &r.id)).collect();
    assert_eq!(cursors.len(), 1, "and all get its cursor");
}
