use fanfare_broker::{Page, Publication, Selector, Selectors};
use fanfare_wire::{Event, EventId};
use futures_util::StreamExt;

use super::*;
use crate::hub::Hub;
use crate::scripted::Scripted;
use crate::subscription::Subscription;

/// A broker with `count` records of 1,000 bytes.
async fn stored(
    count: u64,
    bend: impl Fn(Result<Page, ReadError>) -> Result<Page, ReadError> + Send + Sync + 'static,
) -> Arc<Scripted> {
    let broker = Scripted::new(bend);
    let publication =
        |_| Publication::new(Topic::parse("t").unwrap(), Event::new("x".repeat(1000)));
    let outcomes = broker.publish((0..count).map(publication).collect()).await;
    assert!(outcomes.iter().all(Result::is_ok));
    Arc::new(broker)
}

/// The first and the last offset that the ring of a hub would get.
async fn ends(broker: &Arc<Scripted>, config: &Config) -> Option<(u64, u64)> {
    let bounds = broker.bounds().await.unwrap();
    let records = newest_records(&**broker, &bounds, config).await;
    let offsets: Vec<u64> = records.iter().map(Record::offset).collect();
    assert!(
        offsets.windows(2).all(|two| two[0] + 1 == two[1]),
        "{offsets:?}"
    );
    Some((*offsets.first()?, *offsets.last()?))
}

#[tokio::test]
async fn u8_the_ring_is_filled_up_to_its_bounds() {
    let broker = stored(5000, |page| page).await;
    let mut config = Config::default();
    assert_eq!(ends(&broker, &config).await, Some((1, 5000)));
    config.ring_records_max = 3000;
    assert_eq!(ends(&broker, &config).await, Some((2001, 5000)));
    config.ring_bytes_max = 1 << 20;
    let (first, last) = ends(&broker, &config).await.unwrap();
    assert!(
        (3950..4100).contains(&first) && last == 5000,
        "{first} to {last}"
    );
    assert_eq!(ends(&stored(0, |page| page).await, &config).await, None);
}

#[tokio::test]
async fn u8_what_cannot_be_read_fails_no_start_and_the_ring_begins_after_it() {
    let config = Config::default();
    let lost = stored(3000, |page| {
        page.map(|mut page| {
            page.records.retain(|record| record.offset() != 1500);
            page
        })
    });
    assert_eq!(ends(&lost.await, &config).await, Some((1501, 3000)));
    let newest_lost = stored(3000, |page| {
        page.map(|mut page| {
            page.records.retain(|record| record.offset() < 2990);
            page
        })
    });
    assert_eq!(ends(&newest_lost.await, &config).await, None);
    let trimmed = stored(3000, |page| {
        let first = 2900;
        match page {
            Ok(page) if page.records.iter().any(|record| record.offset() < first) => {
                Err(ReadError::Trimmed { first })
            }
            page => page,
        }
    });
    assert_eq!(ends(&trimmed.await, &config).await, Some((2900, 3000)));
    let away = stored(3000, |_| Err(ReadError::Unavailable)).await;
    assert_eq!(ends(&away, &config).await, None);
}

/// A broker that answers a read with nothing, and does not go on, would have held up the start.
#[tokio::test]
async fn u8_a_broker_that_brings_nothing_does_not_hold_up_the_start() {
    let stuck = stored(100, |page| {
        page.map(|page| Page {
            records: Vec::new(),
            next: 1,
            ..page
        })
    });
    assert_eq!(ends(&stuck.await, &Config::default()).await, None);
}

#[tokio::test]
async fn u8_who_resumes_after_a_restart_is_served_from_memory() {
    let broker = stored(300, |page| page).await;
    let hub = Hub::start(Arc::clone(&broker) as Arc<dyn Broker>, Config::default())
        .await
        .unwrap();
    let reads = broker.reads();
    let selectors = Selectors::new(vec![Selector::parse("t").unwrap()]);
    let mut subscription = Subscription::new(selectors);
    subscription.last_event_id = EventId::parse("earliest").ok();
    let admission = hub.subscribe(subscription).await.unwrap();
    let mut stream = admission.into_stream(bytes::Bytes::new());
    let mut text = String::new();
    while text.matches("data: ").count() < 300 {
        let bytes = stream.next().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    assert_eq!(broker.reads(), reads, "nothing was read from history");
    assert_eq!(hub.counts().ring_records, 300);
    assert_eq!(hub.newest().unwrap().offset(), 300);
}
