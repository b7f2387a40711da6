//! A history by itself, without a hub: what storing costs, beside one flush for each event.
//!
//! `durable publish DIRECTORY DURABILITY PUBLISHERS SECONDS` · `durable fill DIRECTORY EVENTS` ·
//! `durable flush DIRECTORY SECONDS` · `durable commit DIRECTORY SECONDS`. Each prints one line of
//! JSON.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use fanfare_broker::{Broker, Publication, Topic};
use fanfare_sqlite::{Config, Durability, SqliteBroker};
use fanfare_wire::Event;
use serde_json::json;
use tokio::task::JoinSet;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let line = match arguments.as_slice() {
        ["publish", directory, durability, publishers, seconds] => {
            let durability = durability_of(durability)?;
            let time = Duration::from_secs(seconds.parse()?);
            runtime()?.block_on(publish(directory, durability, publishers.parse()?, time))?
        }
        ["fill", directory, events] => runtime()?.block_on(fill(directory, events.parse()?))?,
        ["flush", directory, seconds] => flush(directory, Duration::from_secs(seconds.parse()?))?,
        ["commit", directory, seconds] => commit(directory, Duration::from_secs(seconds.parse()?))?,
        _ => bail!("the arguments are not as the program's first lines say"),
    };
    say(&line.to_string());
    Ok(())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(2).enable_all().build()?)
}

fn durability_of(word: &str) -> anyhow::Result<Durability> {
    Ok(match word {
        "always" => Durability::Always,
        "interval" => Durability::Interval(Duration::from_millis(100)),
        "never" => Durability::Never,
        _ => bail!("no such durability"),
    })
}

/// Publishers at once, each of which publishes its next event when its last one is stored.
async fn publish(
    directory: &str,
    durability: Durability,
    publishers: u32,
    time: Duration,
) -> anyhow::Result<serde_json::Value> {
    let mut config = Config::default();
    config.durability = durability;
    config.disk_free_min = 0;
    let broker = Arc::new(SqliteBroker::open(directory, config)?);
    let began = now();
    let mut tasks = JoinSet::new();
    for publisher in 0..publishers {
        let broker = Arc::clone(&broker);
        let topic = Topic::parse(&format!("https://example.com/books/{publisher}"))?;
        tasks.spawn(async move {
            let mut times = Vec::new();
            let mut at = began;
            while at - began < time {
                let publication = Publication::new(topic.clone(), Event::new(DATA));
                let stored = broker.publish(vec![publication]).await;
                ensure!(stored.iter().all(Result::is_ok), "not stored: {stored:?}");
                let then = now();
                times.push(then - at);
                at = then;
            }
            Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(task) = tasks.join_next().await {
        times.extend(task??);
    }
    let elapsed = began.elapsed();
    let head = broker.bounds().await?.head_offset();
    ensure!(
        head == times.len() as u64,
        "{head} stored, {} acknowledged",
        times.len()
    );
    broker.close(now() + Duration::from_secs(10)).await;
    times.sort_unstable();
    let micros = |part: usize| times.get(times.len() * part / 100).map(Duration::as_micros);
    Ok(json!({
        "per_second": times.len() as f64 / elapsed.as_secs_f64(),
        "p50_us": micros(50).context("nothing was stored")?,
        "p99_us": micros(99).context("nothing was stored")?,
    }))
}

/// Stores `events` on 10,000 topics, in batches.
async fn fill(directory: &str, events: u64) -> anyhow::Result<serde_json::Value> {
    let mut config = Config::default();
    config.history_count_max = events;
    config.history_bytes_max = u64::MAX;
    let broker = SqliteBroker::open(directory, config)?;
    let mut next = 0;
    while next < events {
        let batch = (next..events.min(next + 500)).map(|n| {
            let topic = Topic::parse(&format!("https://example.com/books/{}", n % 10_000))?;
            Ok(Publication::new(topic, Event::new(DATA)))
        });
        let batch = batch.collect::<anyhow::Result<Vec<_>>>()?;
        next += batch.len() as u64;
        let stored = broker.publish(batch).await;
        ensure!(stored.iter().all(Result::is_ok), "not stored");
    }
    broker.close(now() + Duration::from_secs(60)).await;
    let bytes = std::fs::metadata(Path::new(directory).join("fanfare.db"))?.len();
    Ok(json!({ "bytes_per_event": bytes as f64 / events as f64 }))
}

/// The least that keeps an event through a loss of power: append its bytes, and flush.
fn flush(directory: &str, time: Duration) -> anyhow::Result<serde_json::Value> {
    std::fs::create_dir_all(directory)?;
    let mut file = File::create(Path::new(directory).join("flushed"))?;
    per_second(time, || {
        file.write_all(DATA.as_bytes())?;
        Ok(file.sync_data()?)
    })
}

/// What one writes by hand: a transaction for each event, flushed at its end.
fn commit(directory: &str, time: Duration) -> anyhow::Result<serde_json::Value> {
    std::fs::create_dir_all(directory)?;
    let connection = rusqlite::Connection::open(Path::new(directory).join("plain.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE event (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, data TEXT NOT NULL);",
    )?;
    let mut insert = connection.prepare("INSERT INTO event (topic, data) VALUES (?1, ?2)")?;
    per_second(time, || {
        insert.execute(["https://example.com/books/1", DATA])?;
        Ok(())
    })
}

fn per_second(
    time: Duration,
    mut once: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<serde_json::Value> {
    let began = now();
    let mut count = 0_u32;
    while began.elapsed() < time {
        once()?;
        count += 1;
    }
    Ok(json!({ "per_second": f64::from(count) / began.elapsed().as_secs_f64() }))
}

/// 200 bytes.
const DATA: &str = "{\"title\":\"A book\",\"in_stock\":true,\"text\":\"\
    012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\
    012345678901234567890123456789012345678901234567890123456789012345\"}";

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the bench reads it")]
fn say(text: &str) {
    println!("{text}");
}
