//! Publishes from 100 publishers at once, and says at what rate, and how far behind the tail is.
//!
//! With a second argument each event has an id of its own.
//!
//! `cargo run --package fanfare-nats --example rate -- 'nats://127.0.0.1:4222?hub=rate&ack=relaxed'`
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for people: it measures, prints, and ends where something fails"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_broker::{Broker, Publication, TailItem, Topic};
use fanfare_nats::{Config, NatsBroker};
use fanfare_wire::{Event, EventId};
use futures_util::StreamExt;
use tokio::task::JoinSet;

const PUBLISHERS: usize = 100;
const EACH: usize = 200;

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).expect("an address");
    let has_ids = std::env::args().nth(2).is_some();
    let broker = NatsBroker::connect(address.parse().unwrap(), Config::default());
    let broker = Arc::new(broker.await.unwrap());
    let head = broker.bounds().await.unwrap().head;
    let mut tail = broker.tail(head);
    let reader = tokio::spawn(async move {
        let mut seen = HashMap::new();
        while seen.len() < PUBLISHERS * EACH {
            if let Some(TailItem::Records(records)) = tail.next().await {
                let now = Instant::now();
                seen.extend(records.iter().map(|record| (record.offset(), now)));
            }
        }
        seen
    });
    let begun = Instant::now();
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let broker = Arc::clone(&broker);
        publishers.spawn(async move {
            let topic = Topic::parse("https://example.com/a").unwrap();
            let mut answers = Vec::new();
            for n in 0..EACH {
                let mut event = Event::new("x".repeat(100));
                let id = format!("urn:rate:{}:{publisher}:{n}", std::process::id());
                event.id = has_ids.then(|| EventId::parse(&id).unwrap());
                let publication = Publication::new(topic.clone(), event);
                let sent = Instant::now();
                let outcome = broker.publish(vec![publication]).await.remove(0).unwrap();
                answers.push((outcome.cursor.offset, sent, Instant::now()));
            }
            answers
        });
    }
    let answers: Vec<_> = publishers.join_all().await.into_iter().flatten().collect();
    let took = begun.elapsed();
    let seen = reader.await.unwrap();
    let count = PUBLISHERS * EACH;
    let rate = f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64();
    let answered = answers.iter().map(|(_, sent, answered)| *answered - *sent);
    let lags = answers
        .iter()
        .map(|(offset, _, answered)| seen[offset].saturating_duration_since(*answered));
    println!("{count} events by {PUBLISHERS} publishers: {rate:.0} a second");
    println!("answer: {}", percentiles(answered.collect()));
    println!("tail after the answer: {}", percentiles(lags.collect()));
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied();
    format!("p50 {:?}, p99 {:?}", at(50).unwrap(), at(99).unwrap())
}
