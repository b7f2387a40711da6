//! The write-ahead log stays small beside readers that never stop (W11).

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fanfare_broker::{Broker, Health};
use fanfare_sqlite::{Config, Durability};

use crate::folder::{All, Folder, LOG, publication, read_all, store};

/// Two endless replays beside a writer at full speed, for a few times as much as the log may have.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn w11_the_log_is_bounded_beside_endless_replays() {
    let folder = Folder::new();
    let mut config = Config::default();
    config.disk_free_min = 0;
    config.durability = Durability::Never;
    config.history_bytes_max = 16 << 20;
    let broker = Arc::new(folder.open(&config));
    let done = Arc::new(AtomicBool::new(false));
    let replayed = Arc::new(AtomicUsize::new(0));
    let mut replays = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (broker, done, replayed) = (
            Arc::clone(&broker),
            Arc::clone(&done),
            Arc::clone(&replayed),
        );
        replays.spawn(async move {
            while !done.load(Ordering::Relaxed) {
                // One that trimming overtakes begins again.
                if let Ok(read) = read_all(&broker, Arc::new(All)).await {
                    assert!(read.missing.is_empty());
                    replayed.fetch_add(read.records.len(), Ordering::Relaxed);
                }
            }
        });
    }
    let data: Arc<str> = "x".repeat(4000).into();
    let mut largest = 0;
    for _ in 0..MEGABYTES {
        let batch = (0..250).map(|_| publication(&["a"], Arc::clone(&data)));
        store(&broker, batch.collect()).await;
        let length = fs::metadata(folder.path().join(LOG)).map_or(0, |log| log.len());
        largest = largest.max(length);
    }
    done.store(true, Ordering::Relaxed);
    while let Some(ended) = replays.join_next().await {
        ended.unwrap();
    }
    assert_eq!(broker.health(), Health::Ready);
    assert!(replayed.load(Ordering::Relaxed) > 0);
    assert!(largest <= 2 * (64 << 20), "{largest}");
}

/// A backup keeps the log from being begun anew. When it ends, the room is given back.
#[tokio::test]
async fn w11_a_log_that_a_long_read_made_large_is_given_back() {
    let folder = Folder::new();
    let mut config = Config::default();
    config.disk_free_min = 0;
    config.durability = Durability::Never;
    config.history_bytes_max = 8 << 20;
    let broker = folder.open(&config);
    let data: Arc<str> = "x".repeat(4000).into();
    let publish = async |megabytes: usize| {
        for _ in 0..megabytes {
            let batch = (0..250).map(|_| publication(&["a"], Arc::clone(&data)));
            store(&broker, batch.collect()).await;
        }
    };
    let size = || fs::metadata(folder.path().join(LOG)).map_or(0, |log| log.len());
    publish(1).await;
    let reader = folder.sql();
    reader.execute_batch("BEGIN; SELECT * FROM hub;").unwrap();
    while size() < (64 << 20) {
        publish(8).await;
    }
    reader.execute_batch("COMMIT").unwrap();
    publish(40).await;
    assert!(size() < (48 << 20), "{}", size());
    assert_eq!(broker.health(), Health::Ready);
}

/// What is published.
const MEGABYTES: usize = 200;
