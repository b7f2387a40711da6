//! What publishing through a Redis costs: `cargo run --release -p fanfare-redis --example redis_load`.
//!
//! One run on a `redis-server` of its own, without persistence unless settings are given as
//! arguments (`"appendonly yes" "appendfsync always"`): first one EVALSHA for each publish, one at a
//! time, then a hundred publishers at once; then a steady rate with one, two and three tails, and
//! what that costs the server. Every figure is of events that were counted and found in order.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement: what does not hold is a panic, and the figures are its output"
)]

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_broker::{Broker, Publication, TailItem, Topic};
use fanfare_redis::{Config, RedisBroker};
use fanfare_testkit::redis_server::RedisServer;
use fanfare_wire::Event;
use futures_util::StreamExt;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() {
    let settings: Vec<_> = std::env::args().skip(1).collect();
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let server = RedisServer::start(&settings);
    let broker = connect(&server).await;

    println!("server: redis-server, {settings:?}; events of 200 bytes");
    let alone = rate(&server, &broker, 1, 5_000).await;
    println!("1 publisher, an EVALSHA for each event: {alone}");
    let many = rate(&server, &broker, 100, 100_000).await;
    println!("100 publishers at once: {many}");
    println!("ratio: {:.1}", many.per_second / alone.per_second);

    for tails in 1..=3 {
        let cost = with_tails(&server, &broker, tails).await;
        println!("{tails} tails, 2,000 events/s: {cost}");
    }
}

async fn connect(server: &RedisServer) -> Arc<RedisBroker> {
    let broker = RedisBroker::connect(server.url().parse().unwrap(), Config::default());
    Arc::new(broker.await.unwrap())
}

fn event(number: u64, sent: Instant, start: Instant) -> Publication {
    let micros = sent.duration_since(start).as_micros();
    let data = format!("{number} {micros} {}", "x".repeat(200));
    let topic = Topic::parse("https://example.com/load").unwrap();
    Publication::new(topic, Event::new(&data[..200]))
}

struct Rate {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    server_micros: f64,
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0} events/s, answered within {:.2?} (p50) and {:.2?} (p99), {:.1} µs of the server each",
            self.per_second, self.p50, self.p99, self.server_micros
        )
    }
}

/// Publishes `total` events from so many publishers, each waiting for its answers.
async fn rate(
    server: &RedisServer,
    broker: &Arc<RedisBroker>,
    publishers: u64,
    total: u64,
) -> Rate {
    let head = broker.bounds().await.unwrap().head_offset();
    let (start, cpu) = (Instant::now(), server_cpu(server));
    let mut tasks = JoinSet::new();
    for _ in 0..publishers {
        let broker = Arc::clone(broker);
        tasks.spawn(async move {
            let mut waits = Vec::new();
            for number in 0..total / publishers {
                let sent = Instant::now();
                let outcome = broker.publish(vec![event(number, sent, start)]).await;
                outcome[0].as_ref().unwrap();
                waits.push(sent.elapsed());
            }
            waits
        });
    }
    let mut waits: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let taken = start.elapsed();
    let used = server_cpu(server) - cpu;
    let stored = broker.bounds().await.unwrap().head_offset() - head;
    assert_eq!(stored, total, "every event is stored, once");
    waits.sort_unstable();
    Rate {
        per_second: total as f64 / taken.as_secs_f64(),
        p50: waits[waits.len() / 2],
        p99: waits[waits.len() * 99 / 100],
        server_micros: used.as_secs_f64() * 1e6 / total as f64,
    }
}

/// Publishes 2,000 events a second for five seconds, in batches of 20, to so many tails.
async fn with_tails(server: &RedisServer, broker: &Arc<RedisBroker>, tails: usize) -> String {
    const TICKS: u64 = 500;
    const EACH: u64 = 20;
    let head = broker.bounds().await.unwrap().head;
    let start = Instant::now();
    let mut followers = JoinSet::new();
    for _ in 0..tails {
        let node = connect(server).await;
        followers.spawn(async move {
            let mut tail = node.tail(head);
            let mut last = head.map_or(0, |head| head.offset);
            let end = last + TICKS * EACH;
            let mut lags = Vec::new();
            while last < end {
                let Some(TailItem::Records(records)) = tail.next().await else {
                    panic!("nothing is lost or trimmed here");
                };
                let now = start.elapsed();
                for record in records {
                    assert_eq!(record.offset(), last + 1, "in order");
                    last += 1;
                    let data = &record.publication().event.data;
                    let micros = data.split(' ').nth(1).unwrap().parse().unwrap();
                    lags.push(now.saturating_sub(Duration::from_micros(micros)));
                }
            }
            lags
        });
    }
    let cpu = server_cpu(server);
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..TICKS {
        ticks.tick().await;
        let now = Instant::now();
        let batch = (0..EACH).map(|number| event(number, now, start)).collect();
        let outcomes = broker.publish(batch).await;
        assert!(outcomes.iter().all(Result::is_ok));
    }
    let lags = followers.join_all().await;
    let used = server_cpu(server) - cpu;
    let mut lags: Vec<_> = lags.into_iter().flatten().collect();
    lags.sort_unstable();
    let micros = used.as_secs_f64() * 1e6 / (TICKS * EACH) as f64;
    let (p50, p99) = (lags[lags.len() / 2], lags[lags.len() * 99 / 100]);
    format!(
        "{micros:.1} µs of the server for each event; seen after {p50:.2?} (p50), {p99:.2?} (p99)"
    )
}

/// The time that the server has used, as the kernel counts it: in ticks of 10 ms.
fn server_cpu(server: &RedisServer) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid().unwrap())).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks = after_name.split_ascii_whitespace().skip(11).take(2);
    Duration::from_millis(ticks.map(|it| it.parse::<u64>().unwrap() * 10).sum())
}
