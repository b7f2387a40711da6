//! Reads a history of 50,000 events in pages, by one reader and by 64 at once, and says at what rate.
//!
//! `cargo run --package fanfare-nats --example read -- 'nats://127.0.0.1:4222?hub=read&ack=relaxed'`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for people: it measures, prints, and ends where something fails"
)]

use std::sync::Arc;
use std::time::Instant;

use fanfare_broker::{Broker, Budget, Form, Publication, Topic, TopicFilter, Verdict};
use fanfare_nats::{Config, NatsBroker};
use fanfare_wire::Event;
use tokio::task::JoinSet;

const EVENTS: u64 = 50_000;
const PAGE: Budget = Budget {
    records_max: 4096,
    bytes_max: 64 << 10,
};

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).expect("an address");
    let broker = NatsBroker::connect(address.parse().unwrap(), Config::default());
    let broker = Arc::new(broker.await.unwrap());
    fill(&broker).await;
    for readers in [1, 64] {
        let begun = Instant::now();
        let mut reads = JoinSet::new();
        for _ in 0..readers {
            reads.spawn(read(Arc::clone(&broker)));
        }
        let read = reads.join_all().await.into_iter();
        let (records, bytes) = read.fold((0, 0), |sum, (records, bytes)| {
            (sum.0 + records, sum.1 + bytes)
        });
        let took = begun.elapsed().as_secs_f64();
        println!(
            "{readers} readers: {records} records, {bytes} bytes in {took:.2} s: {:.0} records and \
             {:.1} MB a second",
            f64::from(records) / took,
            f64::from(bytes) / took / 1e6
        );
    }
}

async fn fill(broker: &NatsBroker) {
    let topic = Topic::parse("https://example.com/a").unwrap();
    while broker
        .bounds()
        .await
        .unwrap()
        .head
        .map_or(0, |it| it.offset)
        < EVENTS
    {
        let event = || Event::new("x".repeat(100));
        let batch = (0..1000).map(|_| Publication::new(topic.clone(), event()));
        for outcome in broker.publish(batch.collect()).await {
            outcome.unwrap();
        }
    }
}

async fn read(broker: Arc<NatsBroker>) -> (u32, u32) {
    let (mut records, mut bytes, mut after) = (0, 0, 0);
    while after < EVENTS {
        let page = broker.read(after, EVENTS, PAGE, Arc::new(Everything));
        let page = page.await.unwrap();
        assert!(page.missing.is_empty());
        for record in page.records {
            records += 1;
            bytes += u32::try_from(record.frame().bytes(Form::Plain).len()).unwrap();
        }
        after = page.next - 1;
    }
    (records, bytes)
}

struct Everything;

impl TopicFilter for Everything {
    fn verdict(&self, _: &Topic) -> Verdict {
        Verdict {
            subscribed: true,
            granted: true,
        }
    }
}
