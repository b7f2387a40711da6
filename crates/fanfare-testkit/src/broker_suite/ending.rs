//! L11, L12: who goes away in the middle leaves nothing half done, and nobody waits for ever.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use fanfare_broker::{Broker, Health, PublishError, Receipt};
use futures_util::StreamExt;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::follower::Follower;
use super::sample::{
    DEADLINE, data, history, keyed, publication, publish, store, store_numbers, within,
};
use super::{Limits, Site};

/// L11: dropping `publish` leaves a batch stored or not, never torn; dropping `tail` leaks nothing.
pub async fn law_11_cancel_safety(site: impl Site) {
    let broker = site.open(Limits::ample()).await;
    for polls in 0..8 {
        let texts: Vec<_> = (0..5).map(|n| format!("{polls} {n}")).collect();
        let batch: Vec<_> = texts
            .iter()
            .map(|text| keyed(text, &text.replace(' ', "-")))
            .collect();
        poll_times(broker.publish(batch.clone()), polls).await;
        // Publishing again under the same keys tells what the dropped future left behind.
        let receipts = store(&broker, batch).await;
        let duplicates: Vec<_> = receipts.iter().map(|receipt| receipt.duplicate).collect();
        assert!(
            duplicates
                .iter()
                .all(|duplicate| *duplicate == duplicates[0]),
            "dropped after {polls} polls, a batch was torn: {duplicates:?}"
        );
    }
    let expected: Vec<_> = (0..8)
        .flat_map(|polls| (0..5).map(move |n| format!("{polls} {n}")))
        .collect();
    assert_eq!(
        data(&history(&broker).await),
        expected,
        "each once, none torn"
    );
    drop_many_tails(&broker).await;
}

/// Polls `future` at most `polls` times, then drops it.
async fn poll_times<T>(mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>, polls: usize) {
    for _ in 0..polls {
        let ready = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
        if ready {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// What tails leave behind would show as a broker that no longer works or does so slowly.
async fn drop_many_tails(broker: &Arc<dyn Broker>) {
    let many = async {
        let head = broker.bounds().await.unwrap().head;
        for n in 0..1000 {
            let mut tail = broker.tail(head);
            if n % 2 == 0 {
                // Dropped while it waits for more.
                poll_times(Box::pin(tail.next()), 1).await;
            }
        }
        store_numbers(broker, 100).await;
    };
    within("a broker works on after a thousand dropped tails", many).await;
    assert_eq!(broker.health(), Health::Ready);
}

/// L12: closing leaves no pending publish without an answer, and ends the tails after all that was
/// stored.
pub async fn law_12_close(site: impl Site) {
    let broker = site.open(Limits::ample()).await;
    let mut follower = Follower::attach(&broker, None);
    let mut publishers = JoinSet::new();
    for publisher in 0..8 {
        let broker = Arc::clone(&broker);
        publishers.spawn(async move { publish_until_refused(&broker, publisher).await });
    }
    follower.reach(100).await;
    let closed = broker.close((Instant::now() + DEADLINE).into());
    within("a broker closes within its deadline", closed).await;
    let late = publish(&broker, publication("late")).await;
    assert!(
        matches!(late, Err(PublishError::Unavailable { .. })),
        "{late:?}"
    );

    let answered = within("every pending publish is answered", publishers.join_all()).await;
    follower.reach_end().await;
    let seen = data(&follower.records);
    for publisher in answered {
        for (text, receipt) in &publisher.stored {
            let record = &follower.records[usize::try_from(receipt.cursor.offset - 1).unwrap()];
            assert_eq!(&*record.publication().event.data, text);
        }
        let (text, error) = publisher.refused;
        let in_doubt = error == PublishError::Unknown;
        assert!(
            in_doubt || !seen.contains(&&*text),
            "{text} was refused: {error}"
        );
    }
    assert!(matches!(broker.health(), Health::Failed { .. }));
    Follower::attach(&broker, None).reach_end().await;
}

struct Answered {
    stored: Vec<(String, Receipt)>,
    refused: (String, PublishError),
}

async fn publish_until_refused(broker: &Arc<dyn Broker>, publisher: usize) -> Answered {
    let mut stored = Vec::new();
    loop {
        let text = format!("{publisher} {}", stored.len());
        match publish(broker, publication(&text)).await {
            Ok(receipt) => stored.push((text, receipt)),
            Err(error) => {
                let refused = (text, error);
                return Answered { stored, refused };
            }
        }
        tokio::task::yield_now().await;
    }
}
