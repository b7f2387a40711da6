//! L6, L7: what a cursor means stays, over the deaths of the broker.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use fanfare_broker::{Broker, Cursor, Epoch, Receipt, Resolved};
use fanfare_wire::EventId;

use super::sample::{history, named, publication, store, store_numbers, trim_past};
use super::{Limits, Site};

/// L6: a cursor never names two records.
pub async fn law_06_no_reuse(site: impl Site) {
    let mut named_by: HashMap<Cursor, String> = HashMap::new();
    let mut broker = site.open(Limits::ample()).await;
    for life in 0..4 {
        for n in 0..10 {
            let text = format!("{life} {n}");
            for receipt in store(&broker, vec![publication(&text)]).await {
                let other = named_by.insert(receipt.cursor, text.clone());
                assert_eq!(other, None, "{} names {text:?} too", receipt.cursor);
            }
        }
        for record in history(&broker).await {
            let text = &*record.publication().event.data;
            assert_eq!(named_by[&record.cursor()], text, "{}", record.cursor());
        }
        broker = site.reopen(broker, Limits::ample()).await;
    }
}

/// L7: a cursor resolves to its place as long as it is retained, through every change of epoch;
/// every other one says what became of it (C3 to C5).
pub async fn law_07_lineage(site: impl Site) {
    let broker = site.open(Limits::short()).await;
    assert_eq!(
        broker.bounds().await.unwrap().head,
        None,
        "nothing was ever stored"
    );
    let old = store_numbers(&broker, 8).await;
    assert_current(&broker, &old).await;
    let survives = broker.capabilities().survives_process;
    let broker = site.reopen(broker, Limits::short()).await;
    let new = store_numbers(&broker, 8).await;
    assert_current(&broker, &new).await;
    for receipt in &old {
        let expected = match survives {
            true => Resolved::At(receipt.cursor.offset),
            false => Resolved::Unknown,
        };
        assert_eq!(resolve(&broker, receipt.cursor).await, expected);
    }
    let (last_old, first_new) = (old[7].cursor, new[0].cursor);
    if survives && last_old.epoch != first_new.epoch {
        // The old epoch ended: it has no offset that the new one began.
        let beyond = Cursor {
            epoch: last_old.epoch,
            ..first_new
        };
        let end = last_old.offset;
        assert_eq!(resolve(&broker, beyond).await, Resolved::Diverged { end });
    }
    assert_own_ids(&broker).await;
    assert_trimmed(&broker, new[0].cursor).await;
}

async fn resolve(broker: &Arc<dyn Broker>, cursor: Cursor) -> Resolved {
    broker.resolve(&cursor.id()).await.unwrap()
}

/// `receipts`, of the last epoch, are where they say; what is beyond or elsewhere is not.
async fn assert_current(broker: &Arc<dyn Broker>, receipts: &[Receipt]) {
    for receipt in receipts {
        let at = Resolved::At(receipt.cursor.offset);
        assert_eq!(resolve(broker, receipt.cursor).await, at);
        assert_eq!(broker.resolve(&receipt.id).await.unwrap(), at);
    }
    let head = receipts.last().unwrap().cursor;
    assert_eq!(broker.bounds().await.unwrap().head, Some(head));
    let end = head.offset;
    for beyond in [end + 1, Cursor::OFFSET_MAX] {
        let beyond = Cursor {
            offset: beyond,
            ..head
        };
        assert_eq!(resolve(broker, beyond).await, Resolved::Diverged { end });
    }
    let stranger = NonZeroU32::new(head.epoch.number() ^ 1).unwrap_or(NonZeroU32::MAX);
    let stranger = Cursor {
        epoch: Epoch::new(stranger),
        ..head
    };
    assert_eq!(resolve(broker, stranger).await, Resolved::Unknown);
    for text in ["urn:ff:", "urn:ff:no", "never published"] {
        let id = EventId::parse(text).unwrap();
        assert_eq!(
            broker.resolve(&id).await.unwrap(),
            Resolved::Unknown,
            "{text}"
        );
    }
}

/// C5: of a publisher's id that occurs more than once, the earliest retained one counts.
async fn assert_own_ids(broker: &Arc<dyn Broker>) {
    let id = "https://example.com/twice";
    let twice = store(
        broker,
        vec![named("1", id), publication("between"), named("2", id)],
    )
    .await;
    for (trimmed, expected) in [
        (0, Resolved::At(twice[0].cursor.offset)),
        (twice[0].cursor.offset, Resolved::At(twice[2].cursor.offset)),
        (twice[2].cursor.offset, Resolved::Unknown),
    ] {
        trim_past(broker, trimmed).await;
        let id = EventId::parse(id).unwrap();
        assert_eq!(broker.resolve(&id).await.unwrap(), expected);
    }
}

async fn assert_trimmed(broker: &Arc<dyn Broker>, cursor: Cursor) {
    trim_past(broker, cursor.offset + 1).await;
    let first = broker.bounds().await.unwrap().first;
    assert_eq!(resolve(broker, cursor).await, Resolved::Trimmed { first });
    // Nothing after this one is gone, though it is gone itself.
    let just_before = Cursor {
        offset: first - 1,
        ..broker.bounds().await.unwrap().head.unwrap()
    };
    let at = Resolved::At(first - 1);
    assert_eq!(resolve(broker, just_before).await, at);
    let earliest = EventId::parse("earliest").unwrap();
    assert_eq!(broker.resolve(&earliest).await.unwrap(), at);
}
